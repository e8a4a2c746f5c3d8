"""Fit one model to all stimuli, and write its card."""

from __future__ import annotations

import datetime
import warnings
from collections.abc import Mapping
from importlib.metadata import version
from typing import Any, Literal

import numpy as np
import pandas as pd
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits

from ..errors import ConfigError
from ..estimators import registry
from ..estimators.numerics.group_folds import inner_folds
from ..files.notices import InputWarning
from ..inputs.arrays import sha256_of_array
from ..inputs.repetitions import mean_response
from .dividing import SplitsLike
from .encode import LIBRARIES, encode, refuse_joined
from .estimator import estimator_options
from .given import Array, Table
from .inputs import Layers, read_inputs, sets_of, unit_names, values_of, widths_of
from .model import SCHEMA, Model
from .wavs import as_json, marker_of


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
    >>> model.predict(features[1]).loc[["stim15_clapping", "stim7_flute_melody"]].shape
    (2, 6)
    """
    options = estimator_options(estimator)
    chosen = _one_layer(X, layer)
    inputs = read_inputs(chosen, Y, name, groups, None, None, missing, missing_targets, missing_repetitions)
    for sentence in inputs.warnings:
        warnings.warn(sentence, InputWarning, stacklevel=2)
    (own,) = inputs.layers
    x, y = values_of(own), mean_response(inputs.responses.to_numpy())
    refuse_joined(options, inputs.layers)
    widths = widths_of(own)
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
            "source": as_json(own.bands[0].attrs.get("source")),
        },
        "marker": marker_of(own.bands, marker),
        "units": unit_names(own),
        "targets": list(targets),
        "data": {
            "n_stimuli": len(inputs.joined.stimuli),
            "stimuli": inputs.joined.stimuli,
            "features_sha256": sha256_of_array(x),
            "responses_sha256": sha256_of_array(y),
            "responses": as_json(getattr(Y, "attrs", {}).get("source")),
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
        # in the layout in which a file gives it back, on which the last digit of a product depends
        _coef=None if coef is None else np.ascontiguousarray(coef, dtype=np.float64),
        _intercept=None if coef is None else _intercept(fitted),
        _fitted=fitted,
        _scale=scale,
    )


def _one_layer(X: Layers, layer: int | str | None) -> Layers:
    """Choose one layer of every set of layers."""
    sets = sets_of(X)
    if sets is not None:
        return [_one_layer(part, layer if isinstance(part, Mapping) and len(part) > 1 else None) for part in sets]
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


def _intercept(fitted: Any) -> Array:
    """Read the intercept of a linear fit; that of a ridge in its dual form follows from the means."""
    found = getattr(fitted, "intercept", None)
    return np.asarray(fitted.y_mean - fitted.x_mean @ fitted.coef if found is None else found, dtype=float)


def _per_target(value: Any, targets: pd.Index, name: str) -> pd.Series:
    return pd.Series(np.array(np.broadcast_to(np.asarray(value, dtype=float), len(targets))), index=targets, name=name)


def _plain(value: Any) -> float | None:
    return float(value) if np.isfinite(value) else None
