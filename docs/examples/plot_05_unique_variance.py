"""
What does a network add to acoustics? Unique variance
=====================================================

Two feature sets that share information predict the same part of a response. What one of them adds is the score of both
together minus that of the other alone, on the same splits.
"""

# %%
# Here the baseline is the mean spectrum, and what may add to it the modulation over time. A list of sets is joined by
# banded ridge, in which each set has a share of the penalty of its own: a large set cannot drown a small one. In a
# configuration this is ``features: {both: {join: [spectrum, modulation]}}``.
import matplotlib.pyplot as plt
import numpy as np

import auralign as au
from auralign.inference.statistics import corrected_interval, corrected_ttest

features, responses = au.phantom()
splits = au.splits(165, kind="tuckute2023")
sets = {
    "spectrum": features[0],
    "modulation": features[2],
    "both": [features[0], features[2]],
}
scores = {}  # split x target
for name, layer in sets.items():
    result = au.encode(layer, responses, splits, engine="multitarget")
    r2 = result.scores["r2"].isel(layer=0)
    scores[name] = r2.transpose("split", "target").to_numpy()

# %%
# ``speech`` is made from slow modulation, which no mean spectrum has. r2 has no lower bound: one split in which the
# spectrum alone misses ``pitch`` by far makes that interval wide.
fig, axis = plt.subplots(figsize=(6, 3.2), layout="constrained")
for shift, (part, other) in zip(
    (-0.15, 0.15), (("modulation", "spectrum"), ("spectrum", "modulation")), strict=True
):
    unique = scores["both"] - scores[other]
    low, high = corrected_interval(unique, n_train=83, n_test=82)
    _, _, p = corrected_ttest(unique, n_train=83, n_test=82)
    mean = unique.mean(axis=0)
    axis.errorbar(
        np.arange(6) + shift,
        mean,
        [mean - low, high - mean],
        fmt="o",
        capsize=4,
        label=f"unique to {part}",
    )
    for name, value, p_value in zip(responses.target.values, mean, p, strict=True):
        print(f"unique to {part:10s} {name:10s} {value:+.2f}, p = {p_value:.3f}")
axis.axhline(0, color="grey", linewidth=1)
axis.set_xticks(range(6), responses.target.values)
axis.set_ylabel("r2, both minus the other alone")
axis.legend(frameon=False)
