"""
The best layer, chosen without looking
======================================

The layer with the highest score on the test stimuli owes part of that score to being chosen by it. Chosen inside the
development stimuli of every split, it does not.
"""

# %%
# Twelve layers that are equally good by construction: all units, each layer with noise of its own.
import matplotlib.pyplot as plt
import numpy as np

import auralign as au

features, responses = au.phantom()
random = np.random.default_rng(0)
spread = features[1].std("stimulus").to_numpy()
layers = {
    n: features[1] + 0.7 * spread * random.standard_normal(features[1].shape)
    for n in range(12)
}
splits = au.splits(165, n_splits=20, train_size=83, test_size=82)
result = au.encode(
    layers, responses, splits, engine="multitarget"
)  # all targets at once

# %%
# ``naive`` is the highest median over the test splits; ``nested`` takes in every split the layer that predicts best
# inside the development stimuli.
scores = result.scores
naive = scores["r2_corr"].median("split").max("layer")
chosen = scores["r2_dev"].fillna(-np.inf).argmax("layer")
nested = scores["r2_corr"].isel(layer=chosen).median("split")
for name in responses.target.values:
    print(
        f"{name:10s} naive {naive.sel(target=name):.3f}, nested {nested.sel(target=name):.3f}"
    )

# %%
# No layer is better than another here: what ``naive`` is above ``nested`` is optimism. ``result.best_layer()`` is
# nested.
fig, axis = plt.subplots(figsize=(6, 3.2), layout="constrained")
axis.bar(np.arange(6) - 0.2, naive, 0.4, label="naive")
axis.bar(np.arange(6) + 0.2, nested, 0.4, label="nested")
axis.set_xticks(range(6), responses.target.values)
axis.set_ylabel("median r2_corr")
axis.legend(frameon=False)
result.best_layer()
