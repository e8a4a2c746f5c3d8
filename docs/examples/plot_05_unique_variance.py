"""
What does a network add to acoustics? Unique variance
=====================================================

Two feature sets that share information predict the same part of a response. What one of them adds is the score of both
together minus that of the other alone, on the same splits.
"""

# %%
# Here the baseline is the mean spectrum, and what may add to it the modulation over time.
import matplotlib.pyplot as plt
import numpy as np

import auralign as au
from auralign.estimators.banded_ridge import predict_banded_ridge
from auralign.inference.statistics import corrected_interval, corrected_ttest
from auralign.scoring.scores import r2

features, responses = au.phantom()
splits = au.splits(165, kind="tuckute2023")
spectrum, modulation = features[0], features[2]
alone = {
    "spectrum": au.encode(spectrum, responses, splits).scores["r2"].isel(layer=0),
    "modulation": au.encode(modulation, responses, splits).scores["r2"].isel(layer=0),
}

# %%
# Both together by banded ridge, in which each set has a penalty of its own: a large set cannot drown a small one. In a
# configuration this is ``features: {both: {join: [spectrum, modulation]}}``.
x, y = np.hstack([spectrum, modulation]), responses.to_numpy()
widths = (spectrum.sizes["unit"], modulation.sizes["unit"])
alphas = np.logspace(-3, 8, 12)
joined = np.stack(
    [r2(y[test], predict_banded_ridge(x[dev], y[dev], x[test], widths, alphas).prediction) for dev, test in splits],
    axis=1,
)  # target x split

# %%
# ``speech`` is made from slow modulation, which no mean spectrum has.
fig, axis = plt.subplots(figsize=(6, 3.2), layout="constrained")
for shift, (part, other) in zip((-0.15, 0.15), (("modulation", "spectrum"), ("spectrum", "modulation")), strict=True):
    unique = joined - alone[other].transpose("target", "split").to_numpy()
    low, high = corrected_interval(unique, n_train=83, n_test=82)
    _, p = corrected_ttest(unique, n_train=83, n_test=82)
    mean = unique.mean(axis=1)
    axis.errorbar(np.arange(6) + shift, mean, [mean - low, high - mean], fmt="o", capsize=4, label=f"unique to {part}")
    print(f"unique to {part}:", dict(zip(responses.target.values.tolist(), mean.round(2).tolist(), strict=True)))
axis.axhline(0, color="grey", linewidth=1)
axis.set_xticks(range(6), responses.target.values)
axis.set_ylabel("r2, both minus the other alone")
axis.legend(frameon=False)
