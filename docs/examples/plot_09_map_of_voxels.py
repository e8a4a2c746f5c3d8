"""
A map of voxels
===============

Scores and best layers on a flat map of cortex: here of synthetic voxels, which are mixtures of the six components with
one hot spot for each.
"""

# %%
import auralign as au
from auralign.figures import best_layer_map, score_map
from auralign.figures.layer_axis import LayerAxis

features, voxels = au.phantom("voxels", n_voxels=300)
result = au.encode(
    features, voxels, au.splits(165, kind="tuckute2023"), estimator="ridge"
)

# %%
# What is known of the voxels came with them, as coordinates: subject, hemisphere, place in mm.
places = voxels.isel(stimulus=0, repetition=0).to_dataframe("response").reset_index()
places[["target", "subject", "hemi", "x", "y"]].head()

# %%
# The score of every voxel, corrected for noise, at the layer that is chosen inside the development stimuli. Every tenth
# voxel is noise only.
chosen = result.best_layer("r2_corr_c2")
scores = score_map(chosen.fillna({"score": 0.0}), places, name=result.estimator)
print(scores.alt)

# %%
# Which layer that is; grey where no layer predicts better than .1.
names = LayerAxis.of(result.to_table())
layers = best_layer_map(
    chosen, places, name=result.estimator, min_score=0.1, layers=names
)
print(layers.alt)
