"""
Which units matter? A sparse selection
======================================

The lasso gives most units a weight of zero. Which ones it keeps depends on the stimuli, so one asks how consistent the
choice is over splits.
"""

# %%
import matplotlib.pyplot as plt
import numpy as np

import auralign as au

features, responses = au.phantom()
layer, responses = features[1], responses.sel(target=["lowfreq", "highfreq"])
splits = au.splits(165, n_splits=20, train_size=83, test_size=82)

# %%
# One model per split, fitted to its development stimuli. A unit is selected where its weight is not zero.
models = [
    au.fit(layer[development], responses[development], estimator="lasso")
    for development, _ in splits
]
selected = sum(model.weights != 0 for model in models) / len(models)
(100 * selected).astype(int).sort_values("lowfreq", ascending=False).head()

# %%
# ``lowfreq`` was made from the energy below 400 Hz, ``highfreq`` from that of 3 to 7 kHz, both minus half of the mean
# of all bands: the selected bands lie there.
fig, axes = plt.subplots(2, 1, figsize=(8, 5), sharex=True, layout="constrained")
for axis, target in zip(axes, selected, strict=True):
    axis.bar(np.arange(layer.sizes["unit"]), 100 * selected[target])
    axis.set(ylabel="splits, %", title=f"{target}: how often each unit is selected")
axes[1].set_xticks(
    np.arange(layer.sizes["unit"]), layer.unit.values, rotation=90, fontsize=7
)
