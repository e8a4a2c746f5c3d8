"""How well do features predict responses? One call, on arrays."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any, Literal

import numpy as np
import pandas as pd
import xarray as xr
from joblib import Parallel, delayed
from threadpoolctl import threadpool_limits

from ..errors import AuralignError, ConfigError, DataError
from ..estimators.options import EstimatorOptions
from ..files.notices import InputWarning
from ..inputs.magnitudes import refuse_extreme
from ..inputs.repetitions import mean_response
from ..inputs.responses import OF_SCORES, RESERVED
from ..inputs.splits import smallest_development
from ..inputs.usable_targets import answered, usable_targets
from ..questions.encoding.engines import choose_engine
from ..questions.encoding.layer import EncodedLayer, encode_layer
from ..questions.encoding.summary import IDENTITY
from ..questions.preparation import Preparation, Removal
from .dividing import SplitsLike, resolve_splits
from .estimator import estimator_options, label_of
from .given import Table, feature_array, label_array, response_array
from .joining import Joined, join
from .result import Result

Split = tuple[np.ndarray, np.ndarray]
# one layer, layers by index or name, or a list of such that are joined
Layers = Table | Mapping[Any, Table] | Sequence[Table | Mapping[Any, Table]]
# bytes of predictions above which they are refused rather than kept
MOST_BYTES = 4 * 2**30
LIBRARIES = ("auralign", "numpy", "pandas", "scikit-learn", "scipy", "xarray")


@dataclass(frozen=True)
class Layer:
    """One layer: its index and name, and its bands (one, but of joined sets), each of dims (stimulus, unit)."""

    index: int
    name: str
    bands: tuple[xr.DataArray, ...]


@dataclass(frozen=True)
class Inputs:
    """What a call gave, joined by stimulus and checked.

    Attributes
    ----------
    name : str
        Of the feature set.
    layers : list of Layer
    responses : DataArray
        Dims (stimulus, target, repetition).
    joined : Joined
    groups, categories : ndarray of str, shape (n_stimuli,), or None
    confounds : ndarray, shape (n_stimuli, n_variables), or None
    warnings : list of str
    """

    name: str
    layers: list[Layer]
    responses: xr.DataArray
    joined: Joined
    groups: np.ndarray | None
    categories: np.ndarray | None
    confounds: np.ndarray | None
    warnings: list[str]


def encode(
    X: Layers,
    Y: Table,
    splits: SplitsLike = "shuffle",
    estimator: Any = "ridge",
    *,
    name: str | None = None,
    groups: Any = None,
    categories: Any = None,
    confounds: Any = None,
    apply_to: Sequence[Literal["x", "y"]] = ("x", "y"),
    zscore: bool = False,
    noise_correction: bool = True,
    missing: Literal["error", "drop"] = "error",
    missing_targets: Literal["error", "drop"] = "error",
    missing_repetitions: Literal["error", "available"] = "error",
    engine: Literal["auto", "julearn", "multitarget"] = "auto",
    predictions: bool = False,
    weights: Literal["mean", "split"] | None = None,
    n_jobs: int = 1,
) -> Result:
    """Fit every layer on the development stimuli of every split, and score its predictions of the test stimuli.

    `scripts/compare.py` computes its scores with the same functions, so that equal inputs give equal scores.

    Parameters
    ----------
    X : array of shape (n_stimuli, n_units), DataFrame, DataArray; dict of such; list of such or of such dicts
        One layer; layers by index or by name; or sets that are joined, side by side, each with its own share of the
        penalty (layer by layer; a set of one layer stands beside every layer of the others). Stimuli are joined by
        their ids, which are the coordinate `stimulus` of a DataArray, and the column or index `stimulus` (or an index
        of text) of a DataFrame; arrays without ids must have as many rows as the others.
    Y : array of shape (n_stimuli,), (n_stimuli, n_targets) or (n_stimuli, n_targets, n_repetitions), DataFrame, DataArray
        With repetitions there are noise ceilings and scores corrected for noise.
    splits : list of (development, test), str, dict, int or splitter
        Positions of the rows as given; what `splits` takes, drawn over the stimuli in their order: a kind
        (`"tuckute2023"`), its options as a dict, one of scikit-learn's splitters, or a number of folds.
    estimator : str, dict, options or scikit-learn regressor
        A kind of estimator (`"ridge"`), or a dict of its options as in a configuration (`{"kind": "lasso", "cv": 5}`).
    name : str, optional
        Of the feature set; by default the attribute `name` of a DataArray, else "features".
    groups, categories : one label per stimulus, optional
        Stimuli of one group are never on both sides of a split, and inner folds keep them together; categories are for
        stratified splits.
    confounds : array of shape (n_stimuli, n_variables), DataFrame or DataArray, optional
        Removed from what `apply_to` names, inside every split.
    zscore : bool
        Divide every unit by its standard deviation over the development stimuli.
    noise_correction : bool
        False: repetitions are averaged, and nothing is corrected.
    missing, missing_targets, missing_repetitions
        `drop` leaves out stimuli that lack features or responses, or targets that cannot be used; `available` takes
        means over the repetitions that are there.
    engine : {"auto", "julearn", "multitarget"}
        Both give the same numbers; `auto` takes julearn for few targets.
    predictions : bool
        Keep the predictions of every test stimulus. They take 8 bytes x layers x splits x stimuli x targets, and are
        refused above 4 GiB.
    weights : {"mean", "split"}, optional
        Keep the weights of linear estimators: their mean over splits, or those of every split.
    n_jobs : int
        Layers that are fitted at a time, each in a process of its own.

    Returns
    -------
    Result

    Raises
    ------
    DataError
        X and Y cannot be joined, or hold values that cannot be used; what was given is said with its shape.
    ConfigError
        Options do not go together, or splits do not fit the stimuli.

    Warns
    -----
    InputWarning
        As `Result.warnings` holds it.

    Examples
    --------
    >>> import auralign as au
    >>> features, responses = au.phantom()
    >>> result = au.encode(features, responses, au.splits(165, n_splits=4))
    >>> result.scores.r2_corr.sizes
    Frozen({'layer': 3, 'target': 6, 'split': 4})

    numpy alone, and leave-one-category-out:

    >>> import numpy as np
    >>> x, y = features[1].to_numpy(), responses.to_numpy()
    >>> au.encode(x, y, {"kind": "group_shuffle", "train_size": 6, "test_size": 5, "n_splits": 3},
    ...           groups=responses.category.to_numpy()).scores.sizes["split"]
    3
    """
    options = estimator_options(estimator)
    inputs = read_inputs(
        X, Y, name, groups, categories, confounds, missing, missing_targets, missing_repetitions
    )
    found = resolve_splits(splits, inputs.joined, inputs.groups, inputs.categories)
    codes = None if inputs.groups is None else np.unique(inputs.groups, return_inverse=True)[1]
    refuse_inner_folds(options, found, codes)
    y = inputs.responses.to_numpy()
    if not noise_correction:
        y = mean_response(y)[:, :, None]
    responses = inputs.responses if noise_correction else _averaged(inputs.responses, y)
    if predictions:
        _refuse_predictions(len(inputs.layers), len(found), *y.shape[:2])
    removal = None if inputs.confounds is None else Removal(inputs.confounds, _checked_sides(apply_to))
    n_columns = y.shape[1] * (1 + y.shape[2] if y.shape[2] > 1 else 1)
    resolved = choose_engine(engine, options, n_columns, removal is not None)

    def compute(layer: Layer) -> EncodedLayer:
        preparation = Preparation(zscore=zscore, removal=removal, widths=_widths(layer))
        return _compute(layer, y, found, options, resolved, preparation, codes, predictions)

    if n_jobs == 1 or len(inputs.layers) == 1:
        encoded = [compute(layer) for layer in inputs.layers]
    else:
        encoded = Parallel(n_jobs=n_jobs)(delayed(compute)(layer) for layer in inputs.layers)
    for sentence in inputs.warnings:
        warnings.warn(sentence, InputWarning, stacklevel=2)
    label = label_of(estimator, options)
    return Result(
        table=_table(inputs, encoded, label),
        responses=responses,
        splits=found,
        options={
            "estimator": options.model_dump(mode="json"),
            "engine": resolved,
            "zscore": zscore,
            "confounds_removed_from": [] if removal is None else list(removal.apply_to),
            "versions": {library: version(library) for library in LIBRARIES},
        },
        warnings=inputs.warnings,
        kept_predictions=_predictions(inputs, encoded, found) if predictions else None,
    )


def _compute(
    layer: Layer,
    y: np.ndarray,
    splits: list[Split],
    options: EstimatorOptions,
    engine: str,
    preparation: Preparation,
    groups: np.ndarray | None,
    predictions: bool,
) -> EncodedLayer:
    try:
        with threadpool_limits(1):
            return encode_layer(values_of(layer), y, splits, options, engine, preparation, groups, predictions)
    except AuralignError as error:
        raise type(error)(f"layer {layer.index} ({layer.name}): {error}") from error


def read_inputs(
    X: Layers,
    Y: Table,
    name: str | None = None,
    groups: Any = None,
    categories: Any = None,
    confounds: Any = None,
    missing: Literal["error", "drop"] = "error",
    missing_targets: Literal["error", "drop"] = "error",
    missing_repetitions: Literal["error", "available"] = "error",
) -> Inputs:
    """Bring everything that has one row per stimulus into one order, and refuse what cannot be used.

    Raises
    ------
    DataError, ConfigError
        As `encode`.
    """
    sets = [_layers_of(part, f"X[{number}]") for number, part in enumerate(X)] if isinstance(X, list) else [
        _layers_of(X, "X")
    ]  # fmt: skip
    named = name or next((str(a.attrs["name"]) for layers in sets for _, a in layers.values() if "name" in a.attrs), "")
    arrays: dict[str, xr.DataArray] = {}
    for number, layers in enumerate(sets):
        of_set = "X" if len(sets) == 1 else f"X[{number}]"
        for index, (_, array) in layers.items():
            arrays[f"features ({of_set}{_of_layer(index, layers)})"] = array
    keys = iter(list(arrays))
    places = [{index: (layer, next(keys)) for index, (layer, _) in layers.items()} for layers in sets]
    responses = response_array(Y)
    arrays["responses (Y)"] = answered(responses) if "stimulus" in responses.coords else responses
    for what, given in (("groups", groups), ("categories", categories)):
        if given is not None:
            arrays[what] = label_array(given, what)
    if confounds is not None:
        arrays["confounds"] = feature_array(confounds, "confounds")
    joined = join(arrays, missing)
    for what, array in joined.arrays.items():
        if what.startswith(("features", "confounds")):
            _refuse_extreme(array, what, joined.stimuli)
    usable = usable_targets(_only_targets(joined.arrays["responses (Y)"], joined), "Y", missing_targets, missing_repetitions)  # fmt: skip
    return Inputs(
        name=named or "features",
        layers=_joined_layers(places, joined.arrays),
        responses=usable.targets,
        joined=joined,
        groups=joined.arrays["groups"].to_numpy() if groups is not None else None,
        categories=joined.arrays["categories"].to_numpy() if categories is not None else None,
        confounds=joined.arrays["confounds"].to_numpy() if confounds is not None else None,
        warnings=[*joined.warnings, *usable.warnings],
    )


def values_of(layer: Layer) -> np.ndarray:
    """Put the bands of a layer side by side, [n_stimuli, n_units]."""
    values = [band.to_numpy() for band in layer.bands]
    return values[0] if len(values) == 1 else np.concatenate(values, axis=1)


def refuse_inner_folds(options: EstimatorOptions, splits: list[Split], groups: np.ndarray | None) -> None:
    """Refuse more inner folds than the smallest development set has stimuli, or groups of them."""
    least = smallest_development(splits, groups)
    if options.n_inner_folds > least:
        unit = "development stimuli" if groups is None else "groups of development stimuli"
        raise ConfigError(
            f"estimator: cv: {options.n_inner_folds} inner folds of {least} {unit}; give fewer, or 'loo'."
        )


def _layers_of(given: Any, what: str) -> dict[int, tuple[str, xr.DataArray]]:
    """Bring layers into the form index -> (name, array); names that are no numbers are numbered in their order."""
    if not isinstance(given, Mapping):
        array = feature_array(given, what)
        return {0: (str(array.attrs.get("layer_name", "layer00")), array)}
    if not given:
        raise DataError(f"{what}: there is no layer.")
    layers = {}
    for number, (key, values) in enumerate(given.items()):
        array = feature_array(values, f"{what}, layer {key}")
        is_index = isinstance(key, int | np.integer)
        index = int(key) if is_index else number
        default = f"layer{index:02d}" if is_index else str(key)
        layers[index] = (str(array.attrs.get("layer_name", default)) if is_index else default, array)
    if len(layers) < len(given):
        raise DataError(f"{what}: the layers {list(given)} are numbers and names; give one of both.")
    return dict(sorted(layers.items()))


def _of_layer(index: int, layers: Mapping[int, Any]) -> str:
    return f", layer {index}" if len(layers) > 1 else ""


def _joined_layers(
    sets: list[dict[int, tuple[str, str]]], arrays: Mapping[str, xr.DataArray]
) -> list[Layer]:
    """Put sets side by side: layer by layer, a set of one layer beside every layer of the others."""
    if len(sets) == 1:
        return [Layer(index, name, (arrays[key],)) for index, (name, key) in sets[0].items()]
    several = [layers for layers in sets if len(layers) > 1]
    indices = list((several or sets)[0])
    if any(list(layers) != indices for layers in several):
        raise ConfigError(
            f"X: sets that are joined have the layers {[list(layers) for layers in sets]}; give sets of the same "
            "layers, or of one layer."
        )
    joined = []
    for index in indices:
        chosen = [layers[index] if len(layers) > 1 else next(iter(layers.values())) for layers in sets]
        joined.append(Layer(index, " + ".join(name for name, _ in chosen), tuple(arrays[key] for _, key in chosen)))
    return joined


def _widths(layer: Layer) -> tuple[int, ...]:
    return tuple(band.sizes["unit"] for band in layer.bands)


def _refuse_extreme(array: xr.DataArray, what: str, stimuli: list[str]) -> None:
    refuse_extreme(array.to_numpy(), what, "X", stimuli, lambda unit: f"unit {unit} (from 0)", what == "confounds")


def _only_targets(responses: xr.DataArray, joined: Joined) -> xr.DataArray:
    """Keep what is known of the targets, and refuse names that results need themselves."""
    kept = {name: c for name, c in responses.coords.items() if c.dims == ("target",)}
    taken = [name for name in kept if name != "target" and (name in RESERVED or OF_SCORES.fullmatch(str(name)))]
    if taken:
        raise DataError(f"Y: the coordinate {taken[0]!r} would collide with a column of the results; rename it.")
    return xr.DataArray(
        responses.to_numpy(),
        dims=("stimulus", "target", "repetition"),
        coords={"stimulus": joined.stimuli, "repetition": responses.repetition.to_numpy(), **kept},
    )


def _averaged(responses: xr.DataArray, y: np.ndarray) -> xr.DataArray:
    return responses.isel(repetition=[0]).copy(data=y)


def _checked_sides(apply_to: Sequence[str]) -> tuple[str, ...]:
    sides = tuple(apply_to)
    if not sides or set(sides) - {"x", "y"}:
        raise ConfigError(f"apply_to: {list(sides)} is none of ['x'], ['y'], ['x', 'y'].")
    return sides


def _refuse_predictions(*sizes: int) -> None:
    needed = 8 * int(np.prod(sizes, dtype=object))
    if needed > MOST_BYTES:
        raise ConfigError(
            f"predictions: those of {sizes[0]} layers x {sizes[1]} splits x {sizes[2]} stimuli x {sizes[3]} targets "
            f"take {needed / 2**30:.1f} GiB; at most {MOST_BYTES / 2**30:.0f} are kept. Ask for fewer targets or one "
            "layer at a time."
        )


def _table(inputs: Inputs, encoded: list[EncodedLayer], label: str) -> pd.DataFrame:
    """Put the scores of all layers below each other, with the columns of scores.parquet."""
    names = inputs.responses.target.to_numpy().astype(object)
    tables = [
        found.scores.assign(
            features=inputs.name, layer=layer.index, layer_name=layer.name, estimator=label,
            target=names[found.scores["target"].to_numpy()],
        )
        for layer, found in zip(inputs.layers, encoded, strict=True)
    ]  # fmt: skip
    joined = pd.concat(tables, ignore_index=True)
    return joined[[*IDENTITY, *joined.columns.drop(IDENTITY)]]


def _predictions(inputs: Inputs, encoded: list[EncodedLayer], splits: list[Split]) -> xr.DataArray:
    """Lay out the predictions of the test stimuli, NaN elsewhere."""
    n_stimuli, n_targets = inputs.responses.shape[:2]
    values = np.full((len(encoded), len(splits), n_stimuli, n_targets), np.nan)
    for place, found in enumerate(encoded):
        for number, (_, test) in enumerate(splits):
            values[place, number, test] = found.predictions[number] if found.predictions is not None else np.nan
    return xr.DataArray(
        values,
        dims=("layer", "split", "stimulus", "target"),
        coords={
            "layer": [layer.index for layer in inputs.layers],
            "layer_name": ("layer", [layer.name for layer in inputs.layers]),
            "split": np.arange(len(splits)),
            "stimulus": inputs.joined.stimuli,
            "target": inputs.responses.target.to_numpy(),
        },
        name="prediction",
    )
