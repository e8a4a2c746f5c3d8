"""
Is it above chance?
===================

A permutation test: the responses are given to other stimuli, and everything is done again, splits, choice of alpha and
all.
"""

# %%
import matplotlib.pyplot as plt
import numpy as np

import auralign as au
from auralign.inference.resampling import permutation_test, ridge_predictor

features, responses = au.phantom()
splits = au.splits(165, kind="tuckute2023")
predictor = ridge_predictor(np.logspace(-3, 8, 12))
test = permutation_test(
    [layer.to_numpy() for layer in features.values()],
    responses.to_numpy(),
    splits,
    predictor,
    n_permutations=200,
)

# %%
# ``p_layers`` is corrected for the choice among the three layers. With 200 permutations no p is below 1/201.
for name, score, chance, p in zip(
    responses.target.values,
    test.score.max(axis=0),
    test.chance.max(axis=0),
    test.p_layers.min(axis=0),
    strict=True,
):
    print(
        f"{name:10s} r2_corr {score:.3f}, exceeded by chance in 5 %: {chance:.3f}, p = {p:.3f}"
    )

# %%
# ``music`` was drawn at random, and is found to be so.
fig, axis = plt.subplots(figsize=(6, 3.2), layout="constrained")
axis.bar(range(6), test.score.max(axis=0), color="tab:blue", label="best layer")
axis.plot(
    range(6),
    test.chance.max(axis=0),
    "k_",
    markersize=30,
    label="exceeded by chance in 5 %",
)
axis.set_xticks(range(6), responses.target.values)
axis.set_ylabel("median r2_corr")
axis.legend(frameon=False)
