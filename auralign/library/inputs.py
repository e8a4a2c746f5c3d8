"""Everything that a call gives, joined by stimulus and checked: layers, responses, groups, confounds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import numpy as np
import xarray as xr

from ..errors import ConfigError, DataError
from ..inputs.magnitudes import refuse_extreme
from ..inputs.responses import OF_SCORES, RESERVED
from ..inputs.usable_targets import answered, usable_targets
from .given import Array, Table, feature_array, label_array, response_array
from .joining import Joined, join
from .wrong import one_of

# one layer, layers by index or name, or a list of such that are joined
Layers: TypeAlias = "Table | Mapping[Any, Table] | Sequence[Table | Mapping[Any, Table]]"


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
    groups: Array | None
    categories: Array | None
    confounds: Array | None
    warnings: list[str]


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
    one_of("missing", missing, ("error", "drop"))
    one_of("missing_targets", missing_targets, ("error", "drop"))
    one_of("missing_repetitions", missing_repetitions, ("error", "available"))
    own = sets_of(X)
    parts = [("X", X)] if own is None else [(f"X[{number}]", part) for number, part in enumerate(own)]
    sets = [_layers_of(part, what) for what, part in parts]
    names = [str(array.attrs.get("name", "")) for layers in sets for _, array in list(layers.values())[:1]]
    arrays: dict[str, xr.DataArray] = {}
    places: list[dict[int, tuple[str, str]]] = []  # by set and layer: its name, and its key in `arrays`
    for (what, _), layers in zip(parts, sets, strict=True):
        places.append({})
        for index, (layer_name, array) in layers.items():
            key = f"features ({what}{_of_layer(index, layers)})"
            arrays[key], places[-1][index] = array, (layer_name, key)
    responses = response_array(Y)
    arrays["responses (Y)"] = answered(responses) if "stimulus" in responses.coords else responses
    for what, given in (("groups", groups), ("categories", categories)):
        if given is not None:
            arrays[what] = label_array(given, what)
    if confounds is not None:
        arrays["confounds"] = feature_array(confounds, "confounds")
    joined = join(arrays, missing)
    silent = np.isnan(joined.arrays["responses (Y)"].to_numpy()).all(axis=(1, 2))  # only of responses without ids
    if missing == "drop" and silent.any() and not silent.all():
        named = ", ".join(name for name, goes in zip(joined.stimuli, silent, strict=True) if goes)
        joined = joined.without(
            silent, f"Left out (missing='drop'): no response to {int(silent.sum())} stimuli: {named}."
        )
    for what, array in joined.arrays.items():
        if what.startswith(("features", "confounds")):
            _refuse_extreme(array, what, joined.stimuli)
    responses = _only_targets(joined.arrays["responses (Y)"], joined)
    usable = usable_targets(responses, "Y", missing_targets, missing_repetitions)
    return Inputs(
        name=name or " + ".join(filter(None, names)) or "features",
        layers=_joined_layers(places, joined.arrays),
        responses=usable.targets,
        joined=joined,
        groups=joined.arrays["groups"].to_numpy() if groups is not None else None,
        categories=joined.arrays["categories"].to_numpy() if categories is not None else None,
        confounds=joined.arrays["confounds"].to_numpy() if confounds is not None else None,
        warnings=[*joined.warnings, *usable.warnings],
    )


def sets_of(given: Any) -> list[Any] | None:
    """Return the sets of a list of sets that are to be joined; None where a single set is given, or rows of numbers."""
    if not isinstance(given, list | tuple) or not given:
        return None
    return list(given) if all(isinstance(part, Mapping) or _dims(part) == 2 for part in given) else None


def _dims(part: Any) -> int:
    """Count the dims of a table, or of lists in lists."""
    if hasattr(part, "ndim"):
        return int(part.ndim)
    return 1 + _dims(part[0]) if isinstance(part, list | tuple) and len(part) else 0


def values_of(layer: Layer) -> Array:
    """Put the bands of a layer side by side, [n_stimuli, n_units]."""
    values = [band.to_numpy() for band in layer.bands]
    return values[0] if len(values) == 1 else np.concatenate(values, axis=1)


def unit_names(layer: Layer) -> list[str] | None:
    """Name the units, where every band names its own and no name is there twice."""
    if any("unit" not in band.coords for band in layer.bands):
        return None
    names = [str(unit) for band in layer.bands for unit in band.unit.to_numpy()]
    return names if len(set(names)) == len(names) else None


def widths_of(layer: Layer) -> tuple[int, ...]:
    """Count the units of every band."""
    return tuple(band.sizes["unit"] for band in layer.bands)


def _layers_of(given: Any, what: str) -> dict[int, tuple[str, xr.DataArray]]:
    """Bring layers into the form index -> (name, array); names that are no numbers are numbered in their order."""
    if not isinstance(given, Mapping):
        array = feature_array(given, what)
        return {0: (str(array.attrs.get("layer_name", "layer00")), array)}
    if not given:
        raise DataError(f"{what}: there is no layer.")
    layers = {}
    names = named_layers(given)
    for number, (key, values) in enumerate(given.items()):
        index = int(key) if isinstance(key, int | np.integer) else number
        layers[index] = (names[key], feature_array(values, f"{what}, layer {key}"))
    if len({isinstance(key, int | np.integer) for key in given}) > 1 or len(layers) < len(given):
        raise DataError(f"{what}: the layers {list(given)} are numbers and names; give one of both.")
    return dict(sorted(layers.items()))


def named_layers(given: Mapping[Any, Any]) -> dict[Any, str]:
    """Name the layers of a dict: by its keys or, where these are numbers, as arrays say themselves."""
    return {
        key: str(getattr(values, "attrs", {}).get("layer_name", f"layer{int(key):02d}"))
        if isinstance(key, int | np.integer)
        else str(key)
        for key, values in given.items()
    }


def _of_layer(index: int, layers: Mapping[int, Any]) -> str:
    return f", layer {index}" if len(layers) > 1 else ""


def _joined_layers(sets: list[dict[int, tuple[str, str]]], arrays: Mapping[str, xr.DataArray]) -> list[Layer]:
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
