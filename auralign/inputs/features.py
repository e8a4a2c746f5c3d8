"""Feature sets as {layer: array of stimulus x unit}, from junifer's storage or from a table."""

import re
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, cast

import h5py
import numpy as np
import pandas as pd
import xarray as xr

from ..errors import DataError
from ..extras import require
from ..files.identifiers import normal_form, normalise
from ..files.number_tables import read_numbers
from .options import Features
from .published.activations import open_activations
from .published.song165 import acoustic_features
from .stimuli import stimulus_order


def open_features(name: str, config: Features) -> dict[int, Callable[[], xr.DataArray]]:
    """Open one feature set without reading it.

    Parameters
    ----------
    name : str
        Its name in the comparison, for messages.
    config : Features
        Where it comes from and which layers are wanted.

    Returns
    -------
    dict of int to callable
        By layer index, ascending; called, each reads its layer as an array of dimensions (stimulus, unit), float64,
        stimuli in `stimulus_order`, with the attributes `layer_name` and `metadata`.

    Raises
    ------
    DataError
        Here or when a layer is read: no such storage, marker, layer or column; values that are not finite; a stimulus
        twice.
    """
    if missing := missing_features({name: config}):
        raise DataError(missing[0])
    if config.storage is not None:
        layers = _from_storage(config)
    elif config.activations is not None:
        network = cast(str, config.network)
        layers = open_activations(config.activations, network, config.permuted, config.stimuli)
    elif config.song165 is not None:
        arrays = acoustic_features(config.song165).values()
        layers = {index: partial(lambda array: array, array) for index, array in enumerate(arrays)}
    else:
        layers = _from_table(cast(Path, config.table))
    return {index: partial(_read_layer, name, config, index, read) for index, read in _select(name, config, layers)}


def read_features(name: str, config: Features) -> dict[int, xr.DataArray]:
    """Read one feature set with all its layers; parameters and errors as `open_features`."""
    return {index: read() for index, read in open_features(name, config).items()}


def _read_layer(name: str, config: Features, index: int, read: Callable[[], xr.DataArray]) -> xr.DataArray:
    layer = read()
    bad = ~np.isfinite(layer.values).all(axis=1)
    if bad.any():
        remedy = (
            "Extract it again" if config.storage is not None else "Repair the file, or leave these stimuli out of it"
        )
        raise DataError(
            f"{config.path}: layer {index} of {name!r} is not finite for "
            f"{', '.join(layer.stimulus.values[bad][:5])}. {remedy}."
        )
    return layer


def missing_features(features: dict[str, Features]) -> list[str]:
    """Name every feature set whose storage is not there, with the commands that make it."""
    lines = []
    for name, source in features.items():
        path = source.storage
        if path is None or path.exists():
            continue
        yaml_file = _yaml_of(path)
        parts = len(list(path.parent.glob(f"element_*_{path.name}")))
        state = f"{parts} stimuli were extracted but not collected" if parts else "nothing was extracted"
        run = "" if parts else f"junifer run {yaml_file} && "
        lines.append(f"{name}: {path} is not there ({state}): {run}junifer collect {yaml_file}")
    return lines


def _yaml_of(storage: Path) -> str:
    """Find the junifer YAML of a storage `features/<name>/<name>.hdf5`, which is `junifer_yamls/<name>.yml`."""
    for folder in storage.parents:
        candidate = folder / "junifer_yamls" / f"{storage.stem}.yml"
        if candidate.exists():
            return str(candidate)
    return "<the YAML with this storage>"


def _select(
    name: str, config: Features, layers: dict[int, Callable[[], xr.DataArray]]
) -> list[tuple[int, Callable[[], xr.DataArray]]]:
    wanted = list(layers) if config.layers == "all" else config.layers
    absent = sorted((set(wanted) | set(config.exclude_layers)) - set(layers))
    if absent:
        raise DataError(f"features: {name}: there is no layer {absent}; there are {sorted(layers)}.")
    chosen = [(index, layers[index]) for index in sorted(wanted) if index not in config.exclude_layers]
    if not chosen:
        raise DataError(f"features: {name}: no layer is left (layers: {config.layers}, all of them excluded).")
    return chosen


def _arrange(stimuli: list[str], values: np.ndarray, layer_name: str, metadata: dict, source: Path) -> xr.DataArray:
    stimuli = normalise(stimuli, "stimulus", source, may_repeat=False)
    duplicates = pd.Index(stimuli)[pd.Index(stimuli).duplicated()]
    if len(duplicates):
        raise DataError(f"{source}: {layer_name} holds the stimulus {duplicates[0]!r} more than once.")
    array = xr.DataArray(
        np.asarray(values, dtype=np.float64),
        dims=("stimulus", "unit"),
        coords={"stimulus": stimuli},
        attrs={"layer_name": layer_name, "metadata": metadata},
    )
    return array.sel(stimulus=stimulus_order(array.stimulus.values))


def _from_storage(config: Features) -> dict[int, Callable[[], xr.DataArray]]:
    """Open `Audio_<marker>_layerNN` of a collected junifer storage, by layer."""
    require("features", f"{config.storage}: reading a junifer storage")
    from junifer.storage import HDF5FeatureStorage

    path, marker = cast(Path, config.storage), cast(str, config.marker)  # `Features` sees to it
    try:
        storage = HDF5FeatureStorage(uri=path)
        metadata = storage.list_features()
    except (OSError, KeyError, RuntimeError, ValueError) as error:
        raise DataError(f"{_damaged(path)} ({error}).") from error
    pattern = re.compile(rf"Audio_{re.escape(marker)}_layer(\d+)")
    by_layer: dict[int, list[str]] = {}
    for md5, meta in metadata.items():
        if match := pattern.fullmatch(meta["name"]):
            by_layer.setdefault(int(match.group(1)), []).append(md5)
    if not by_layer:
        names = {
            match.group(1) for m in metadata.values() if (match := re.fullmatch(r"Audio_(.+)_layer\d+", m["name"]))
        }
        raise DataError(f"{path}: there is no marker {marker!r}; there are {sorted(names)}.")
    layers: dict[int, Callable[[], xr.DataArray]] = {}
    for index in sorted(by_layer):
        if len(by_layer[index]) > 1:
            raise DataError(
                f"{path}: layer {index} of {marker!r} is stored {len(by_layer[index])} times, computed in different "
                "ways. Delete the folder and run junifer again, so that one of them is left."
            )
        md5 = by_layer[index][0]
        layers[index] = partial(_read_stored, storage, marker, index, md5, metadata[md5])
    return layers


def _damaged(path: Path) -> str:
    return f"{path}: this collection of features is damaged or half-written. Run again: junifer collect <its YAML>"


def _read_stored(storage: Any, marker: str, index: int, md5: str, meta: dict) -> xr.DataArray:
    """Read one feature of a collected junifer storage."""
    path = storage.uri
    try:
        content = storage.read(feature_md5=md5)
        stimuli = [element[meta["_element_keys"][0]] for element in content["element"]]
        complete = content["kind"] != "vector" or content["data"].shape == (content["data"].shape[0], len(stimuli))
    except (OSError, KeyError, RuntimeError, ValueError, AttributeError) as error:
        raise DataError(f"{_damaged(path)} ({error}).") from error
    if not complete or not stimuli or _left_out(path, md5, set(stimuli)):
        raise DataError(f"{_damaged(path)}: layer {index} of {marker!r} lacks stimuli that were extracted.")
    if content["kind"] != "vector":
        raise DataError(
            f"{path}: layer {index} of {marker!r} is a {content['kind']}, not one vector per stimulus. "
            "Set `pooling: mean` in the marker."
        )
    layer_name = meta["marker"].get("layer_names", {}).get(str(index), f"layer{index:02d}")
    return _arrange(stimuli, content["data"].T, layer_name, meta["marker"], path)


def _left_out(path: Path, md5: str, collected: set[str]) -> bool:
    """Tell whether a stimulus's own file beside the collected one holds a feature that was not collected."""
    tail = f"_{path.name}"
    collected = {normal_form(stimulus) for stimulus in collected}  # some file systems write accents in their own way
    for file in path.parent.glob(f"element_*{tail}"):
        if normal_form(file.name[len("element_") : -len(tail)]) not in collected:
            try:
                with h5py.File(file, "r") as content:
                    if md5 in content:
                        return True
            except OSError:
                continue  # unreadable: `junifer run` sets it aside and computes it again
    return False


def _from_table(path: Path) -> dict[int, Callable[[], xr.DataArray]]:
    """Open a table: column `stimulus`, optional column `layer`, every other column a unit."""
    table, layer, units = read_numbers(path, "unit", "layer")
    stimuli = table["stimulus"].to_numpy()
    return {
        int(index): partial(
            _arrange, list(stimuli[layer == index]), units[layer == index].to_numpy(), f"layer{index:02d}", {}, path
        )
        for index in np.unique(layer)
    }
