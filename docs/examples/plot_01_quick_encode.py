"""
How well do features predict responses?
=======================================

Features of sounds, responses to them, splits: :func:`auralign.encode` fits a model on the development stimuli of every
split and scores its predictions of the test stimuli.
"""

# %%
# The built-in study: three layers of acoustic features and the responses of six components, as labelled arrays.
# A pandas table or a numpy array would do as well; what has names is joined by them.
import auralign as au

features, responses = au.phantom()
print(responses.sizes, [layer.attrs["layer_name"] for layer in features.values()])

# %%
# Ten splits into 83 development and 82 test stimuli, as in the published study.
splits = au.splits(165, kind="tuckute2023")
result = au.encode(features, responses, splits)
result

# %%
# Scores are an xarray dataset: layer x target x split. ``r2_corr`` is the squared correlation of prediction and
# response on the test stimuli.
result.scores["r2_corr"].median("split").to_pandas().round(2)

# %%
# What was made from energies in frequency bands is recovered; ``music`` is a number drawn per sound, which no feature
# can predict. Who finds it has a leak.
figure = result.plot()
print(figure.caption)
