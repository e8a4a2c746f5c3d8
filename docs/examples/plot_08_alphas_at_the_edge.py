"""
Alphas at the edge of their grid
================================

The penalty is chosen from a grid, inside the development stimuli. Where it ends at the edge of the grid, a better one
may lie outside.
"""

# %%
import matplotlib.pyplot as plt
import numpy as np

import auralign as au

features, responses = au.phantom()
splits = au.splits(165, kind="tuckute2023")
grids = {"too narrow": np.logspace(3, 6, 4), "wide enough": np.logspace(-3, 8, 12)}
results = {
    name: au.encode(
        features[1],
        responses,
        splits,
        estimator={"kind": "ridge", "alphas": grid.tolist()},
        engine="multitarget",
    )
    for name, grid in grids.items()
}

# %%
# An alpha of infinity is a target that nothing predicts: the model is the mean of the responses.
for name, result in results.items():
    alpha = result.scores["alpha"]
    at_edge = (alpha == grids[name][0]) | (alpha == grids[name][-1])
    score = float(result.scores["r2"].mean())
    print(
        f"{name}: {100 * float(at_edge.mean()):.0f} % of the alphas at an edge, mean r2 {score:.3f}"
    )

# %%
fig, axes = plt.subplots(1, 2, figsize=(8, 3.4), sharey=True, layout="constrained")
for axis, (name, result) in zip(axes, results.items(), strict=True):
    alpha = result.scores["alpha"].isel(layer=0).transpose("target", "split").to_numpy()
    for position, values in enumerate(alpha):
        finite = values[np.isfinite(values)]
        axis.plot(
            np.full(len(finite), position), finite, ".", color="tab:blue", alpha=0.5
        )
    for edge in grids[name][[0, -1]]:
        axis.axhline(edge, color="grey", linestyle="--", linewidth=1)
    axis.set(yscale="log", title=name)
    axis.set_xticks(range(6), responses.target.values, rotation=40)
axes[0].set_ylabel("chosen alpha")
