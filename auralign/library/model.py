"""A model that is fitted to all stimuli at once: its weights, and what it predicts of new features or sounds."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from threadpoolctl import threadpool_limits

from ..errors import DataError
from ..estimators.plugin import Fitted
from .given import ROWS, Array, Table, feature_array
from .inputs import named_layers, sets_of
from .wavs import extract, is_wavs

# raised with every change of what a card says that an earlier version would misread
SCHEMA = 1


@dataclass(frozen=True, repr=False, eq=False)
class Model:
    """A fitted model.

    Attributes
    ----------
    card : dict
        What the model is of: `estimator`, `features`, `marker`, `data`, `targets`, `units`, `split` and `scores` (where
        `fit` was given splits), `licence`, `versions`. Plain values, as JSON holds them.
    alpha : Series
        By target: the penalty that was chosen; NaN where there is none.
    r2_dev : Series
        By target: 1 - error / error of the mean alone, inside the stimuli of the fit.
    """

    card: dict[str, Any]
    alpha: pd.Series
    r2_dev: pd.Series
    _coef: Array | None
    _intercept: Array | None
    _fitted: Fitted | None = None
    _scale: Array | None = None

    @property
    def targets(self) -> list[str]:
        """Names of the targets."""
        return list(self.card["targets"])

    @property
    def n_units(self) -> int:
        """Number of units that features need."""
        return int(self.card["features"]["n_units"])

    @property
    def is_linear(self) -> bool:
        """Whether there are weights."""
        return self._coef is not None

    @property
    def weights(self) -> pd.DataFrame:
        """Weights of the features as they were given, unit x target: prediction = features @ weights + intercept.

        Raises
        ------
        DataError
            The estimator is not linear, or does not say its weights.
        """
        if self._coef is None:
            raise DataError(
                f"{self._kind} has no weights: its prediction is no weighted sum of units, or it does not say its "
                "weights (a pipeline). Linear are ridge, lasso, multitask_lasso, elastic_net and pls, among others."
            )
        return pd.DataFrame(self._coef.copy(), index=self._unit_index(), columns=pd.Index(self.targets, name="target"))

    @property
    def intercept(self) -> pd.Series:
        """Prediction of features that are all 0, by target; raises as `weights`."""
        if self._intercept is None:
            raise DataError(f"{self._kind} has no intercept, since it has no weights.")
        return pd.Series(self._intercept.copy(), index=pd.Index(self.targets, name="target"), name="intercept")

    def predict(self, X: Table | Mapping[Any, Table] | str | Path | Sequence[str | Path | Table]) -> pd.DataFrame:
        """Predict responses to features, or to sounds.

        Parameters
        ----------
        X : features as `fit` takes them, or one or several paths of sound files
            Features of the layer that the model was fitted to; of a dict of layers it is that of the same name. Of
            sounds these are computed first, by the junifer marker that the card names; each file's name without folder
            and ending is its stimulus id.

        Returns
        -------
        DataFrame
            One row per stimulus as given, one column per target.

        Raises
        ------
        DataError
            Other units than those of the fit; values that are not finite; a sound that cannot be read.
        ConfigError
            The card names no marker, or one that computes something else here.
        """
        if is_wavs(X):
            arrays = [extract(self.card["marker"], X, self.card["features"]["name"])]
        else:
            bands = sets_of(X) or [self._own_layer(X) if isinstance(X, Mapping) else X]
            arrays = [feature_array(band, "X") for band in bands]
        self._refuse_other_units(arrays)
        first = arrays[0]
        for array in arrays[1:]:
            same = "stimulus" not in first.coords or "stimulus" not in array.coords
            if len(array) != len(first) or not (same or (array.stimulus.values == first.stimulus.values).all()):
                raise DataError("X: the joined sets hold other stimuli, or in another order; bring them into one.")
        x = np.concatenate([array.to_numpy() for array in arrays], axis=1)
        known = first.attrs.get(ROWS, np.arange(len(first)))
        stimuli = first.stimulus.to_numpy() if "stimulus" in first.coords else known
        return pd.DataFrame(
            self._predict(x),
            index=pd.Index(stimuli, name="stimulus"),
            columns=pd.Index(self.targets, name="target"),
        )

    def _own_layer(self, layers: Mapping[Any, Table]) -> Table:
        """Find the model's layer among several."""
        names = named_layers(layers)
        found = [key for key, name in names.items() if name == self.card["features"]["layer_name"]]
        if len(found) != 1:
            raise DataError(
                f"X: the model was fitted to {self._of_layer}, and of the layers {', '.join(names.values())} "
                f"{len(found)} are called so; give that layer, and not a dict."
            )
        return layers[found[0]]

    def _predict(self, x: Array) -> Array:
        with threadpool_limits(1):  # so that a sound's prediction does not depend on how many threads there are
            if self._coef is not None and self._intercept is not None:
                # row by row, so that it does not depend on which others are predicted with it, either
                rows: Array = np.stack([row @ self._coef for row in np.ascontiguousarray(x)])
                return np.asarray(rows + self._intercept)
            if self._fitted is None:
                raise DataError(f"{self._kind}: there is nothing to predict with.")
            return np.asarray(self._fitted.predict(x if self._scale is None else x / self._scale))

    def _refuse_other_units(self, arrays: list[Any]) -> None:
        widths, names = self.card["features"]["widths"], self.card["units"]
        found = [array.sizes["unit"] for array in arrays]
        if found != widths:
            raise DataError(
                f"X: {_shapes(arrays)} has {' + '.join(map(str, found))} units, but the model was fitted to "
                f"{' + '.join(map(str, widths))} ({self._of_layer})."
            )
        if names is None or any("unit" not in array.coords for array in arrays):
            return
        given = [str(unit) for array in arrays for unit in array.unit.to_numpy()]
        if given != names:
            if sorted(given) == sorted(names):
                raise DataError("X: the units are those of the fit in another order; bring them into that of weights.")
            other = next(unit for unit, name in zip(given, names, strict=True) if unit != name)
            raise DataError(f"X: the unit {other!r} is not one of the fit ({self._of_layer}), or in another place.")

    def _unit_index(self) -> pd.Index:
        names = self.card["units"]
        return pd.Index(range(self.n_units) if names is None else names, name="unit")

    @property
    def _kind(self) -> str:
        return str(self.card["estimator"]["kind"])

    @property
    def _of_layer(self) -> str:
        features = self.card["features"]
        return f"{features['name']}, layer {features['layer']}, {features['layer_name']}"

    def __repr__(self) -> str:
        """Say in one line what the model is of."""
        return (
            f"<Model {self._kind}: {self.n_units:,} units of {self._of_layer} -> {len(self.targets):,} targets; "
            f"{self.card['data']['n_stimuli']:,} stimuli>"
        )

    def _repr_html_(self) -> str:
        """Show in a notebook what the model is of."""
        marker = self.card["marker"]
        rows = {
            "features": self._of_layer,
            "units": f"{self.n_units:,}",
            "targets": f"{len(self.targets):,}",
            "stimuli of the fit": f"{self.card['data']['n_stimuli']:,}",
            "predicts sounds": "no" if marker is None else f"by the marker {marker['kind']}",
            "licence": self.card["licence"] or "not stated",
        }
        cells = "".join(f"<tr><th>{escape(key)}</th><td>{escape(value)}</td></tr>" for key, value in rows.items())
        return f"<strong>{escape(self._kind)}</strong><table>{cells}</table>"


def _shapes(arrays: Iterable[Any]) -> str:
    return " and ".join(str(tuple(array.shape)) for array in arrays)
