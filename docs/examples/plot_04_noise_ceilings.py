"""
How much could be predicted at all?
===================================

Responses are noisy, and no model predicts noise. Repetitions tell how much of a response is signal.
"""

# %%
# 100 synthetic voxels, each measured three times; their true ceilings are known.
import matplotlib.pyplot as plt

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

# Divided by the reliability of responses and predictions, a score says how much of what can be predicted is predicted:
# the noisier the response, the farther above the diagonal.
scores = result.scores.isel(layer=0).median("split")
signal = voxels.ceiling.to_numpy() > 0
right.plot([0, 1], [0, 1], color="grey", linewidth=1)
points = right.scatter(
    scores["r2_corr"][signal],
    scores["r2_corr_c2"][signal],
    c=voxels.ceiling[signal],
    s=14,
)
right.set(xlabel="r2_corr", ylabel="corrected for noise: r2_corr_c2")
fig.colorbar(points, ax=right, label="true ceiling")
