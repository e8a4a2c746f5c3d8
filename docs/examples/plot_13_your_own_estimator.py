"""
An estimator of your own
========================

One file with a solver and a ``Plugin`` that says what it can do: named in a configuration, or in
:func:`auralign.encode`, it works like those that are shipped.
"""

# %%
# Nearest neighbours: the response to a sound is the mean response to the k most similar ones. k is chosen inside the
# development stimuli; the error of the best k gives ``r2_dev``, by which layers are chosen.
import tempfile
from pathlib import Path

import matplotlib.pyplot as plt

import auralign as au

CODE = '''
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from sklearn.model_selection import cross_val_predict
from sklearn.neighbors import KNeighborsRegressor

from auralign.estimators.options import EstimatorOptions
from auralign.estimators.plugin import Can, Plugin


class Neighbours(EstimatorOptions):
    """Options: how many neighbours are tried."""

    kind: Literal["neighbours"] = "neighbours"
    ks: tuple[int, ...] = (1, 2, 4, 8, 16)


@dataclass
class Fit:
    model: Any
    r2_dev: np.ndarray
    alpha: float = np.nan

    def predict(self, x):
        return self.model.predict(x).reshape(len(x), -1)


def fit(x, y, options, cv, widths):
    error = {}
    for k in options.ks:
        guess = cross_val_predict(KNeighborsRegressor(k), x, y, cv=5)
        error[k] = np.square(guess - y).mean(axis=0)
    best = min(error, key=lambda k: error[k].sum())
    model = KNeighborsRegressor(best).fit(x, y)
    return Fit(model, 1 - error[best] / y.var(axis=0))


PLUGIN = Plugin(
    name="neighbours",
    options=Neighbours,
    fit=fit,
    can=Can(joint=True, weights=False),
)
'''

# %%
# Its options are checked like all others: ``ks: few`` would be an error that names the key.
features, responses = au.phantom()
splits = au.splits(165, kind="tuckute2023")
with tempfile.TemporaryDirectory() as folder:
    file = Path(folder) / "my_estimator.py"
    file.write_text(CODE)
    neighbours = au.encode(
        features[1],
        responses,
        splits,
        estimator={"kind": "neighbours", "file": str(file)},
    )
ridge = au.encode(features[1], responses, splits, estimator="ridge")

# %%
# Neighbours are found in all units at once, most of which have nothing to do with a given response: ridge predicts most
# responses better. Not ``pitch``, which is no linear function of these units.
fig, axis = plt.subplots(figsize=(6, 3.2), layout="constrained")
for shift, (name, result) in zip(
    (-0.2, 0.2), {"neighbours": neighbours, "ridge": ridge}.items(), strict=True
):
    score = result.scores["r2_corr"].isel(layer=0).median("split").to_numpy()
    axis.bar([position + shift for position in range(6)], score, 0.4, label=name)
axis.set_xticks(range(6), responses.target.values)
axis.set_ylabel("median r2_corr")
axis.legend(frameon=False)
