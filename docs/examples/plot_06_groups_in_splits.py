"""
Versions of one sound: groups in splits
=======================================

Copies and versions of one sound on both sides of a split let a model recognise instead of predict.
"""

# %%
# 40 sounds in four versions each. Versions are alike in features and in responses, but the responses have nothing to
# do with the features: every score above chance is an artefact.
import matplotlib.pyplot as plt
import numpy as np
import xarray as xr

import auralign as au

random = np.random.default_rng(0)
sound = np.repeat(np.arange(40), 4)
ids = [f"stim{n}_version{n % 4}" for n in range(160)]
x = random.standard_normal((40, 60))[sound] + 0.1 * random.standard_normal((160, 60))
y = random.standard_normal((40, 5))[sound] + 0.1 * random.standard_normal((160, 5))
features = xr.DataArray(x, dims=("stimulus", "unit"), coords={"stimulus": ids})
responses = xr.DataArray(
    y, dims=("stimulus", "target"), coords={"stimulus": ids, "target": list("abcde")}
)

# %%
# At random, versions fall on both sides; a split by groups keeps them together.
ways = {
    "at random": au.splits(160, n_splits=10, train_size=80, test_size=80),
    "by groups": au.splits(
        160,
        kind="group_shuffle",
        n_splits=10,
        train_size=20,
        test_size=20,
        groups=sound,
    ),
}
scores = {
    way: au.encode(features, responses, splits).scores["r2_corr"]
    for way, splits in ways.items()
}
for way, score in scores.items():
    print(f"{way}: median r2_corr {float(score.median()):.3f}")

# %%
fig, axis = plt.subplots(figsize=(5, 3.2), layout="constrained")
axis.boxplot(
    [score.to_numpy().ravel() for score in scores.values()], tick_labels=list(scores)
)
axis.set_ylabel("r2_corr of responses without any relation")
