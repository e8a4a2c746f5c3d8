"""
Fit a model, keep it, use it elsewhere
======================================

:func:`auralign.fit` fits one model to all stimuli; :func:`auralign.save_model` writes its numbers as safetensors and a
card in JSON: data, scores, versions. Nothing is pickled, so that a model of somebody else can be loaded safely.
"""

# %%
import tempfile
from pathlib import Path

import matplotlib.pyplot as plt
import pandas as pd

import auralign as au

features, responses = au.phantom()
known, new = features[1][:120], features[1][120:]
model = au.fit(known, responses[:120])
model

# %%
# Weights are labelled: unit x target.
model.weights.iloc[:4, :3]

# %%
# Saved, loaded, and used for sounds that it has not seen: the same predictions to the last digit.
with tempfile.TemporaryDirectory() as folder:
    saved = au.save_model(model, Path(folder) / "acoustic_ridge")
    print(*sorted(path.name for path in saved.iterdir()))
    loaded = au.load_model(saved)
prediction = loaded.predict(new)
pd.testing.assert_frame_equal(prediction, model.predict(new), check_exact=True)

# %%
fig, axis = plt.subplots(figsize=(4, 4), layout="constrained")
axis.plot(prediction["highfreq"], responses[120:].sel(target="highfreq"), "o")
axis.set(
    xlabel="predicted by the loaded model",
    ylabel="measured",
    title="highfreq, 45 sounds that are new to it",
)
