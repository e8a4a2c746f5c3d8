"""Features of new sounds, computed by the junifer marker that a model's card names."""

from __future__ import annotations

import importlib
import importlib.util
import inspect
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from ..errors import ConfigError, DataError
from .given import Array

# where a storage's markers come from unless it is said: `with:` of the shipped junifer YAMLs
SHIPPED = "custom_markers"
# of a marker's metadata: what is no parameter and changes no value
NAMES = ("class", "name", "on", "layer_names", "layers")


def is_wavs(given: Any) -> bool:
    """Tell whether one or several paths are given."""
    if isinstance(given, str | Path):
        return True
    return isinstance(given, list | tuple) and len(given) > 0 and all(isinstance(path, str | Path) for path in given)


def marker_of(bands: Sequence[xr.DataArray], given: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """Describe the marker that computes a layer; None where that is not known.

    Parameters
    ----------
    bands : sequence of DataArray
        The layer, with the attribute `metadata` where it was read from a junifer storage.
    given : mapping, optional
        `with`, `kind` and parameters, as a junifer YAML has them; `layer` where it gives several.

    Returns
    -------
    dict
        `with` (modules), `kind`, `feature` (`layer03`), `parameters`, and `metadata`: what the marker says of itself,
        by which it is recognised later.
    """
    metadata = bands[0].attrs.get("metadata") or {}
    if given is not None and not isinstance(given, Mapping):
        raise ConfigError(
            f"fit: marker={given!r} is no dict; give what a junifer YAML says, such as "
            "{'with': 'custom_markers', 'kind': 'LogMel'}."
        )
    if given is not None:
        own = dict(given)
        modules, kind, layer = own.pop("with", SHIPPED), own.pop("kind", None), own.pop("layer", 0)
        if kind is None:
            raise ConfigError("fit: marker needs `kind`, the name of a junifer marker, and `with`, where it is from.")
        own.pop("name", None)
        described = {
            "with": [modules] if isinstance(modules, str) else list(modules),
            "kind": str(kind),
            "feature": f"layer{int(layer):02d}",
            "parameters": own,
        }
        return {**described, "metadata": _identity(_build(described), described)}
    if len(bands) != 1 or "class" not in metadata:
        return None
    parameters = {key: value for key, value in metadata.items() if key not in ("class", "name", "on")}
    return {
        "with": [SHIPPED],
        "kind": str(metadata["class"]),
        "feature": str(metadata.get("name", "")).rpartition("_")[2],
        "parameters": as_json(parameters),
        "metadata": as_json({key: value for key, value in metadata.items() if key not in NAMES}),
    }


def extract(card: Mapping[str, Any] | None, paths: Any, name: str) -> xr.DataArray:
    """Compute the features of sounds.

    Parameters
    ----------
    card : mapping or None
        As `marker_of` gives it.
    paths : path or sequence of paths
    name : str
        Of the feature set, for messages.

    Returns
    -------
    DataArray
        Dims (stimulus, unit), float64; the stimulus is the file's name without folder and ending.

    Raises
    ------
    ConfigError
        There is no card, no such marker, or it computes something else here than what the model was fitted to.
    DataError
        A file is not there, or cannot be used.
    """
    if card is None:
        raise ConfigError(
            f"the model was fitted to features {name!r} of which no junifer marker is known, so that sounds cannot be "
            "predicted. Fit it to features that au.read_features read from a junifer storage, or give fit(..., "
            "marker={'with': ..., 'kind': ..., ...}); or compute the features and predict those."
        )
    files = [Path(paths)] if isinstance(paths, str | Path) else [Path(path) for path in paths]
    absent = [str(file) for file in files if not file.is_file()]
    if absent:
        raise DataError(f"{absent[0]}: there is no such file ({len(absent)} of {len(files)} are not there).")
    twice = {file.stem for file in files if sum(other.stem == file.stem for other in files) > 1}
    if twice:
        raise DataError(f"two files are of the stimulus {sorted(twice)[0]!r}; predict them one after the other.")
    marker = _build(card)
    _refuse_other(card, _identity(marker, card))
    vectors = [_vector(marker, file, str(card["feature"])) for file in files]
    return xr.DataArray(
        np.stack(vectors), dims=("stimulus", "unit"), coords={"stimulus": [file.stem for file in files]}
    )


def _vector(marker: Any, file: Path, feature: str) -> Array:
    try:
        found = marker.compute({"path": file, "meta": {"element": {"stimulus": file.stem}}})
    except ValueError as error:  # AudioError of the markers; its last line is about `junifer run`
        reason = str(error).partition("\nSet AURALIGN_ON_ERROR")[0]
        raise DataError(reason if str(file) in reason else f"{file}: {reason}") from error
    if not found:  # left out by AURALIGN_ON_ERROR=skip
        raise DataError(f"{file}: the sound cannot be used, as was said above.")
    if feature not in found and len(found) == 1:
        feature = next(iter(found))
    if feature not in found:
        raise DataError(f"{file}: the marker gives {', '.join(found)}, but not {feature!r}.")
    vector = np.asarray(found[feature]["data"], dtype=np.float64)
    if vector.ndim != 1 or not np.isfinite(vector).all():
        raise DataError(f"{file}: the marker gives no finite vector, but an array of shape {vector.shape}.")
    return vector


def _build(card: Mapping[str, Any]) -> Any:
    """Make the marker, which junifer's own registry finds once the modules of `with` are imported."""
    from junifer.pipeline import PipelineComponentRegistry

    for module in card["with"]:
        _import(str(module))
    kind = str(card["kind"])
    try:
        cls = PipelineComponentRegistry().get_class(step="marker", name=kind)
    except (ImportError, KeyError, ValueError) as error:
        raise ConfigError(
            f"the marker {kind!r} is not known to junifer once {', '.join(card['with'])} are imported: {error}"
        ) from error
    allowed = _parameters(cls)
    given = {key: value for key, value in card["parameters"].items() if key in allowed}
    try:
        return cls(name="model", **given)
    except (TypeError, ValueError) as error:
        raise ConfigError(f"the marker {kind!r} cannot be made with {given}: {error}") from error


def _import(module: str) -> None:
    """Import a module, or a file, of `with`."""
    try:
        if not module.endswith(".py"):
            importlib.import_module(module)
        elif module not in sys.modules:
            spec = importlib.util.spec_from_file_location(module, module)
            if spec is None or spec.loader is None:
                raise ImportError(f"{module} is no Python file")
            made = importlib.util.module_from_spec(spec)
            sys.modules[module] = made
            spec.loader.exec_module(made)
    except (ImportError, OSError) as error:
        raise ConfigError(
            f"the module {module!r}, which brings the marker (`with:` of its junifer YAML), cannot be imported: {error}"
        ) from error


def _parameters(cls: type) -> set[str]:
    """Name the parameters of a marker's class: of its constructor, and where it declares fields these."""
    names = {name for name in inspect.signature(cls).parameters if name not in ("args", "kwargs", "parameters")}
    for base in cls.__mro__:
        names |= {name for name in vars(base).get("__annotations__", {}) if not name.startswith("_")}
    return names - {"name", "on"} - {name for name in names if name.isupper()}


def _identity(marker: Any, card: Mapping[str, Any]) -> dict[str, Any]:
    """Read off a marker what it would write beside its features, without names."""
    entry: dict[str, Any] = {"meta": {"element": {"stimulus": "x"}, "type": "Audio"}}
    marker.update_meta(entry, "marker")
    return dict(as_json({key: value for key, value in entry["meta"]["marker"].items() if key not in NAMES}))


def _refuse_other(card: Mapping[str, Any], here: Mapping[str, Any]) -> None:
    before = card["metadata"]
    changed = [key for key in {**before, **here} if before.get(key) != here.get(key)]
    if changed:
        differences = "; ".join(f"{key} was {before.get(key)!r} and is {here.get(key)!r}" for key in sorted(changed))
        raise ConfigError(
            f"the marker {card['kind']!r} computes something else here than what the model was fitted to: "
            f"{differences}. Install the version and the weights that the card names, or fit the model again."
        )


def as_json(value: Any) -> Any:
    """Write a value as JSON holds it, so that what is read again is equal."""
    return json.loads(json.dumps(value, default=str))
