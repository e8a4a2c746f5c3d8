"""
How much could be predicted at all?
===================================

Responses are noisy, and no model predicts noise. Repetitions tell how much of a response is signal.
"""

# %%
# 100 synthetic voxels, each measured three times; their true ceilings are known.
import matplotlib.pyplot as plt
import numpy as np

import auralign as au

features, voxels = au.phantom("voxels", n_voxels=100)
splits = au.splits(165, kind="tuckute2023")
result = au.encode(features[1], voxels, splits)

# %%
# ``ceilings`` is estimated from the repetitions alone: the score of a perfect prediction of the noiseless response.
result.ceilings

# %%
fig, (left, right) = plt.subplots(1, 2, figsize=(8, 3.6), layout="constrained")
left.plot([0, 1], [0, 1], color="grey", linewidth=1)
left.plot(voxels.ceiling, result.ceilings["noise_ceiling"], ".")
left.set(xlabel="true ceiling", ylabel="ceiling from three repetitions")

# %%
# Scores divided by the reliability of responses and predictions (``r2_corr_c2``): how much of what can be predicted is
# predicted. Voxels of pure noise have nothing to be divided by.
scores = result.scores.isel(layer=0).median("split")
right.plot(voxels.ceiling, scores["r2_corr"], ".", label="r2_corr")
right.plot(voxels.ceiling, np.clip(scores["r2_corr_c2"], 0, 1), ".", label="corrected for noise")
right.set(xlabel="true ceiling", ylabel="median score", ylim=(0, 1.05))
right.legend(frameon=False)
fig
