"""How well do features predict responses? One call, on arrays."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Sequence
from importlib.metadata import version
from typing import Any, Literal

import numpy as np
import pandas as pd
import xarray as xr
from joblib import Parallel, delayed
from threadpoolctl import threadpool_limits

from ..errors import AuralignError, ConfigError
from ..estimators.options import EstimatorOptions
from ..estimators.registry import abilities
from ..files.notices import InputWarning, noted
from ..inputs.related_stimuli import describe_related
from ..inputs.repetitions import mean_response
from ..inputs.splits import smallest_development
from ..questions.encoding.engines import choose_engine
from ..questions.encoding.layer import EncodedLayer, encode_layer, layer_weights
from ..questions.encoding.summary import IDENTITY
from ..questions.preparation import Preparation, Removal
from .dividing import SplitsLike, resolve_splits
from .estimator import estimator_options, label_of
from .given import Array, Split, Table
from .inputs import Inputs, Layer, Layers, read_inputs, unit_names, values_of, widths_of
from .result import Result
from .wrong import one_of, refuse_n_jobs

# bytes of predictions or weights above which they are refused rather than kept
MOST_BYTES = 4 * 2**30
LIBRARIES = ("auralign", "numpy", "pandas", "scikit-learn", "scipy", "xarray")


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

    `auralign run` computes its scores with the same functions, so that equal inputs give equal scores.

    Parameters
    ----------
    X : array of shape (n_stimuli, n_units), DataFrame, DataArray; dict of such; list of such or of such dicts
        One layer; layers by index or by name; or sets that are joined, side by side, each with its own share of the
        penalty (layer by layer; a set of one layer stands beside every layer of the others). Stimuli are joined by
        their ids, which are the coordinate `stimulus` of a DataArray, and the column or index `stimulus` (or an index
        of text) of a DataFrame; arrays without ids must have as many rows as the others.
    Y : array of shape (n_stimuli, n_targets), DataFrame, Series or DataArray
        Or of shape (n_stimuli,), of one target, or (n_stimuli, n_targets, n_repetitions). With repetitions there are
        noise ceilings, and scores corrected for noise.
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
    apply_to : sequence of {"x", "y"}
        What confounds are removed from.
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
    one_of("engine", engine, ("auto", "julearn", "multitarget"))
    refuse_n_jobs(n_jobs)
    with noted() as notes:
        inputs = read_inputs(X, Y, name, groups, categories, confounds, missing, missing_targets, missing_repetitions)
        found = resolve_splits(splits, inputs.joined, inputs.groups, inputs.categories)
    named = ((inputs.name, layer.bands[0].to_numpy()) for layer in inputs.layers)
    related = describe_related(named, inputs.joined.stimuli, found, None if groups is None else "groups")
    sentences = [*notes, *inputs.warnings, *related]
    codes = None if inputs.groups is None else np.unique(inputs.groups, return_inverse=True)[1]
    refuse_inner_folds(options, found, codes)
    refuse_joined(options, inputs.layers)
    y = inputs.responses.to_numpy()
    if not noise_correction:
        y = mean_response(y)[:, :, None]
    responses = inputs.responses if noise_correction else _averaged(inputs.responses, y)
    if predictions:
        _refuse_predictions(len(inputs.layers), len(found), *y.shape[:2])
    removal = None if inputs.confounds is None else Removal(inputs.confounds, _checked_sides(apply_to))
    n_columns = y.shape[1] * (1 + y.shape[2] if y.shape[2] > 1 else 1)
    resolved = choose_engine(engine, options, n_columns, removal is not None)

    if weights is not None:
        _refuse_weights(weights, inputs.layers, len(found), y.shape[1])
    calls = [
        delayed(_compute)(
            layer,
            y,
            found,
            options,
            resolved,
            Preparation(zscore=zscore, removal=removal, widths=widths_of(layer)),
            codes,
            predictions,
            weights,
        )
        for layer in inputs.layers
    ]
    computed = Parallel(n_jobs=min(n_jobs, len(calls)) if n_jobs > 0 else n_jobs)(calls)
    encoded = [layer for layer, _ in computed]
    for sentence in sentences:
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
        warnings=sentences,
        kept_predictions=_predictions(inputs, encoded, found) if predictions else None,
        kept_weights=None if weights is None else _weights(inputs, [own for _, own in computed]),
    )


def _compute(
    layer: Layer,
    y: Array,
    splits: list[Split],
    options: EstimatorOptions,
    engine: str,
    preparation: Preparation,
    groups: Array | None,
    predictions: bool,
    weights: Literal["mean", "split"] | None,
) -> tuple[EncodedLayer, Array | None]:
    """Fit and score one layer on one BLAS thread, as a block of a run; weights are [units, targets] or by split."""
    try:
        with threadpool_limits(1):
            x = values_of(layer)
            found = encode_layer(x, y, splits, options, engine, preparation, groups, predictions)
            if weights is None:
                return found, None
            by_split = layer_weights(x, y, splits, options, preparation, groups)
            return found, np.stack(list(by_split)) if weights == "split" else _mean(by_split, len(splits))
    except AuralignError as error:
        raise type(error)(f"layer {layer.index} ({layer.name}): {error}") from error


def _mean(arrays: Iterable[Array], number: int) -> Array:
    """Average arrays of which only one and the sum are in memory."""
    total: Array = np.zeros(())
    for array in arrays:
        total = total + array
    return total / number


def refuse_inner_folds(options: EstimatorOptions, splits: list[Split], groups: Array | None) -> None:
    """Refuse more inner folds than the smallest development set has stimuli, or groups of them."""
    least = smallest_development(splits, groups)
    if options.n_inner_folds > least:
        unit = "development stimuli" if groups is None else "groups of development stimuli"
        raise ConfigError(
            f"estimator: cv: {options.n_inner_folds} inner folds of {least} {unit}; give fewer, or 'loo'."
        )


def refuse_joined(options: EstimatorOptions, layers: list[Layer]) -> None:
    """Refuse joined sets for an estimator that cannot weigh them against each other."""
    if any(len(layer.bands) > 1 for layer in layers) and not abilities(options).banded:
        raise ConfigError(
            f"estimator: {options.kind} cannot weigh the sets of X against each other, which is what a list of sets is "
            "for; take ridge, or put the sets side by side yourself."
        )


def _checked_sides(apply_to: Sequence[str]) -> tuple[str, ...]:
    sides = tuple(apply_to)
    if not sides or set(sides) - {"x", "y"}:
        raise ConfigError(f"apply_to: {list(sides)} is none of ['x'], ['y'], ['x', 'y'].")
    return sides


def _averaged(responses: xr.DataArray, y: Array) -> xr.DataArray:
    return responses.isel(repetition=[0]).copy(data=y)


def _refuse_predictions(*sizes: int) -> None:
    needed = 8 * int(np.prod(sizes, dtype=object))
    if needed > MOST_BYTES:
        raise ConfigError(
            f"predictions: those of {sizes[0]} layers x {sizes[1]} splits x {sizes[2]} stimuli x {sizes[3]} targets "
            f"take {needed / 2**30:.1f} GiB; at most {MOST_BYTES / 2**30:.0f} are kept. Ask for fewer targets or one "
            "layer at a time."
        )


def _refuse_weights(weights: str, layers: list[Layer], n_splits: int, n_targets: int) -> None:
    if weights not in ("mean", "split"):
        raise ConfigError(f"weights: {weights!r} is neither 'mean' nor 'split'.")
    n_units = sum(sum(widths_of(layer)) for layer in layers)
    by_split = n_splits if weights == "split" else 1
    needed = 8 * n_units * n_targets * by_split
    if needed > MOST_BYTES:
        raise ConfigError(
            f"weights: those of {n_units} units x {n_targets} targets x {by_split} take {needed / 2**30:.1f} GiB; at "
            f"most {MOST_BYTES / 2**30:.0f} are kept. Ask for weights='mean', fewer targets or one layer at a time."
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


def _weights(inputs: Inputs, found: list[Array | None]) -> dict[int, xr.DataArray]:
    """Name the dims of the weights of every layer."""
    named = {}
    for layer, values in zip(inputs.layers, found, strict=True):
        if values is None:
            continue
        names = unit_names(layer)
        coords = {"unit": np.arange(values.shape[-2]) if names is None else names}
        coords["target"] = inputs.responses.target.to_numpy()
        if values.ndim == 3:
            coords["split"] = np.arange(len(values))
        dims = ("split", "unit", "target")[-values.ndim :]
        about = {"layer_name": layer.name}
        named[layer.index] = xr.DataArray(values, dims=dims, coords=coords, attrs=about, name="weight")
    return named


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
