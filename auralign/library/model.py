"""A model that is fitted to all stimuli at once: its weights, and what it predicts of new features or sounds."""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits

from ..errors import ConfigError, DataError
from ..estimators import registry
from ..estimators.numerics.group_folds import inner_folds
from ..estimators.plugin import Fitted
from ..inputs.arrays import sha256_of_array
from ..inputs.repetitions import mean_response
from .dividing import SplitsLike
from .encode import LIBRARIES, Inputs, Layer, Layers, encode, read_inputs, values_of
from .estimator import estimator_options
from .given import Table, feature_array
from .wavs import extract, is_wavs, marker_of

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
    _coef: np.ndarray | None
    _intercept: np.ndarray | None
    _fitted: Fitted | None = None
    _scale: np.ndarray | None = None

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
                "weights (a pipeline). Linear are ridge, lasso, multitask_lasso and banded_ridge, among others."
            )
        return pd.DataFrame(self._coef, index=self._unit_index(), columns=pd.Index(self.targets, name="target"))

    @property
    def intercept(self) -> pd.Series:
        """Prediction of features that are all 0, by target; raises as `weights`."""
        if self._intercept is None:
            raise DataError(f"{self._kind} has no intercept, since it has no weights.")
        return pd.Series(self._intercept, index=pd.Index(self.targets, name="target"), name="intercept")

    def predict(self, X: Table | str | Path | Sequence[str | Path | Table]) -> pd.DataFrame:
        """Predict responses to features, or to sounds.

        Parameters
        ----------
        X : features as `fit` takes them, or one or several paths of sound files
            Features of the layer that the model was fitted to. Of sounds the features are computed first, by the junifer
            marker that the card names; each file's name without folder and ending is its stimulus id.

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
            bands = X if isinstance(X, list) and len(self.card["features"]["widths"]) > 1 else [X]
            arrays = [feature_array(band, "X") for band in bands]
        self._refuse_other_units(arrays)
        first = arrays[0]
        for array in arrays[1:]:
            same = "stimulus" not in first.coords or "stimulus" not in array.coords
            if len(array) != len(first) or not (same or (array.stimulus.values == first.stimulus.values).all()):
                raise DataError("X: the joined sets hold other stimuli, or in another order; bring them into one.")
        x = np.concatenate([array.to_numpy() for array in arrays], axis=1)
        stimuli = first.stimulus.to_numpy() if "stimulus" in first.coords else np.arange(len(first))
        return pd.DataFrame(
            self._predict(x),
            index=pd.Index(stimuli, name="stimulus"),
            columns=pd.Index(self.targets, name="target"),
        )

    def _predict(self, x: np.ndarray) -> np.ndarray:
        with threadpool_limits(1):  # so that a sound's prediction does not depend on how many threads there are
            if self._coef is not None and self._intercept is not None:
                return np.asarray(x @ self._coef + self._intercept)
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


def fit(
    X: Layers,
    Y: Table,
    estimator: Any = "ridge",
    *,
    layer: int | str | None = None,
    name: str | None = None,
    zscore: bool = False,
    groups: Any = None,
    splits: SplitsLike | None = None,
    marker: Mapping[str, Any] | None = None,
    licence: str | None = None,
    notes: str | None = None,
    missing: Literal["error", "drop"] = "error",
    missing_targets: Literal["error", "drop"] = "error",
    missing_repetitions: Literal["error", "available"] = "error",
) -> Model:
    """Fit one model to all stimuli; alpha is chosen inside them, as inside the development stimuli of a split.

    Parameters
    ----------
    X, Y, estimator, name, zscore, groups, missing, missing_targets, missing_repetitions
        As of `encode`. Repetitions are averaged.
    layer : int or str, optional
        Which one, where X has several: its index or name.
    splits : optional
        As of `encode`: the model is cross-validated on them first, and its card says the median score of every target.
    marker : dict, optional
        By which features of new sounds are computed: `{"with": "custom_markers", "kind": "LogMel", ...}`, the keys that
        a junifer YAML has. By default what a storage says of the features that `read_features` read from it.
    licence, notes : str, optional
        For the card.

    Returns
    -------
    Model

    Raises
    ------
    DataError, ConfigError
        As `encode`; X has several layers, and `layer` chooses none.

    Examples
    --------
    >>> import auralign as au
    >>> features, responses = au.phantom()
    >>> model = au.fit(features, responses, layer="mean_sd")
    >>> model.weights.shape
    (40, 6)
    >>> model.predict(features[1]).loc["stim5_clapping"].round(4).to_dict()["lowfreq"]
    0.0061
    """
    options = estimator_options(estimator)
    chosen = _one_layer(X, layer)
    inputs = read_inputs(chosen, Y, name, groups, None, None, missing, missing_targets, missing_repetitions)
    (own,) = inputs.layers
    x, y = values_of(own), mean_response(inputs.responses.to_numpy())
    widths = tuple(band.sizes["unit"] for band in own.bands)
    scale = StandardScaler(with_mean=False).fit(x).scale_ if zscore else None
    cv = None
    if inputs.groups is not None and getattr(options, "cv", None) is not None:
        codes = np.unique(inputs.groups, return_inverse=True)[1]
        cv = inner_folds(getattr(options, "cv", "loo"), getattr(options, "seed", 0), codes)
    with threadpool_limits(1):
        fitted = registry.fit(x if scale is None else x / scale, y, options, cv, widths)
    coef = getattr(fitted, "coef", None)
    if coef is not None and not registry.abilities(options).weights:
        coef = None
    if coef is not None and scale is not None:
        coef = coef / scale[:, None]
    targets = pd.Index([str(target) for target in inputs.responses.target.to_numpy()], name="target")
    scores = None
    if splits is not None:
        result = encode(
            chosen, Y, splits, estimator, name=name, zscore=zscore, groups=groups, missing=missing,
            missing_targets=missing_targets, missing_repetitions=missing_repetitions,
        )  # fmt: skip
        columns = list(dict.fromkeys([result.metric, "r2_corr", "r2"]))
        medians = result.table.groupby("target")[columns].median()
        scores = {
            "metric": result.metric,
            "n_splits": len(result.splits),
            "medians": {target: {c: _plain(v) for c, v in medians.loc[target].items()} for target in targets},
        }
        division = [{"development": d.tolist(), "test": t.tolist()} for d, t in result.splits]
    card = {
        "schema": SCHEMA,
        "estimator": options.model_dump(mode="json"),
        "features": {
            "name": inputs.name,
            "layer": own.index,
            "layer_name": own.name,
            "n_units": int(x.shape[1]),
            "widths": list(widths),
            "zscore": zscore,
            "source": own.bands[0].attrs.get("source"),
        },
        "marker": marker_of(own.bands, marker),
        "units": _unit_names(own),
        "targets": list(targets),
        "data": {
            "n_stimuli": len(inputs.joined.stimuli),
            "stimuli": inputs.joined.stimuli,
            "features_sha256": sha256_of_array(x),
            "responses_sha256": sha256_of_array(y),
            "responses": getattr(Y, "attrs", {}).get("source"),
        },
        "split": None if splits is None else division,
        "scores": scores,
        "licence": licence,
        "notes": notes,
        "versions": {library: version(library) for library in LIBRARIES},
        "created": datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
    }
    return Model(
        card=card,
        alpha=_per_target(fitted.alpha, targets, "alpha"),
        r2_dev=_per_target(fitted.r2_dev, targets, "r2_dev"),
        _coef=coef,
        _intercept=None if coef is None else _intercept(fitted),
        _fitted=fitted,
        _scale=scale,
    )


def _one_layer(X: Layers, layer: int | str | None) -> Layers:
    """Choose one layer of every set of layers."""
    if isinstance(X, list):
        return [_one_layer(part, layer if isinstance(part, Mapping) and len(part) > 1 else None) for part in X]
    if not isinstance(X, Mapping):
        if layer is not None:
            raise ConfigError(f"fit: layer={layer!r} chooses among the layers of a dict, but X is one layer.")
        return X
    names = {key: str(getattr(values, "attrs", {}).get("layer_name", key)) for key, values in X.items()}
    if layer is None and len(X) == 1:
        layer = next(iter(X))
    found = [key for key in X if layer is not None and (key == layer or names[key] == layer)]
    if len(found) != 1:
        listed = ", ".join(f"{key} ({name})" if str(key) != name else name for key, name in names.items())
        asked = "a model is fitted to one of them; give layer=..." if layer is None else f"there is no layer {layer!r}"
        raise ConfigError(f"fit: X has the layers {listed}: {asked}. `Result.best_layer` says which predicts best.")
    return {found[0]: X[found[0]]}


def _unit_names(layer: Layer) -> list[str] | None:
    """Name the units, where every band names its own and no name is there twice."""
    if any("unit" not in band.coords for band in layer.bands):
        return None
    names = [str(unit) for band in layer.bands for unit in band.unit.to_numpy()]
    return names if len(set(names)) == len(names) else None


def _intercept(fitted: Any) -> np.ndarray:
    """Read the intercept of a linear fit; that of a ridge in its dual form follows from the means."""
    found = getattr(fitted, "intercept", None)
    return np.asarray(fitted.y_mean - fitted.x_mean @ fitted.coef if found is None else found, dtype=float)


def _per_target(value: Any, targets: pd.Index, name: str) -> pd.Series:
    return pd.Series(np.array(np.broadcast_to(np.asarray(value, dtype=float), len(targets))), index=targets, name=name)


def _plain(value: Any) -> float | None:
    return float(value) if np.isfinite(value) else None


def _shapes(arrays: Iterable[Any]) -> str:
    return " and ".join(str(tuple(array.shape)) for array in arrays)


__all__ = ["Inputs", "Model", "fit"]
