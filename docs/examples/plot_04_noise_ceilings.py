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
# Against the true ceilings, which only synthetic responses have. Those at 0 are voxels of pure noise.
fig, (left, right) = plt.subplots(1, 2, figsize=(8, 3.6), layout="constrained")
left.plot([0, 1], [0, 1], color="grey", linewidth=1)
left.plot(voxels.ceiling, result.ceilings["noise_ceiling"], ".")
left.set(xlabel="true ceiling", ylabel="ceiling from three repetitions")

# Scores of the voxels that mostly follow energy in a band, which these features recover: as high as their ceiling, and
# near 1 once they are divided by the reliability of responses and predictions.
scores = result.scores.isel(layer=0).median("split")
recovered = np.isin(voxels.component, ["lowfreq", "highfreq"])
right.plot([0, 1], [0, 1], color="grey", linewidth=1)
right.plot(voxels.ceiling[recovered], scores["r2_corr"][recovered], ".", label="r2_corr")
right.plot(voxels.ceiling[recovered], scores["r2_corr_c2"][recovered], ".", label="corrected: r2_corr_c2")
right.set(xlabel="true ceiling", ylabel="median score over splits", ylim=(0, 1.1))
right.legend(frameon=False)
