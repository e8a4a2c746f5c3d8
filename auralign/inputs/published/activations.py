"""Published activations as features: one pickle per sound, or one HDF5 file per network.

`FOLDER/<network>/<id>_activations.pkl` holds {layer key: vector}; `FOLDER/<network>/natsound_activations.h5` holds one
dataset [sound, unit] per layer, whose rows are in the order of neural_stim_meta.npy. Names of files of networks with
permuted parameters end in `_randnetw`. Keys and order of layers come from `networks`, pickles through `unpickler`.
"""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import xarray as xr

from ...errors import DataError
from ...files.identifiers import normalise
from ..stimuli import stimulus_order
from .networks import Layer, Network, find_network
from .sounds import read_ids
from .unpickler import load_numpy


def open_activations(
    folder: Path, network: str, permuted: bool = False, stimuli: Path | None = None
) -> dict[int, Callable[[], xr.DataArray]]:
    """Open the activations of one network.

    Pickles are read at once, since each holds all layers; an HDF5 file is read layer by layer.

    Parameters
    ----------
    folder : Path
        The archive's `model_actv`.
    network : str
        Code name (a folder in `folder`) or published name.
    permuted : bool
        The network whose parameters were permuted.
    stimuli : Path, optional
        neural_stim_meta.npy. Needed for `.h5`, which has no names of sounds; for pickles, of which each is named after
        its sound, every sound in it must then be there.

    Returns
    -------
    dict of int to callable
        By layer index, ascending; called, each reads its layer: dimensions (stimulus, unit), float64, stimuli in
        `stimulus_order`; attributes `layer_name` and `metadata`.

    Raises
    ------
    DataError
        No such network or file, a layer is missing, a pickle holds more than numbers (nothing of it is run), or the
        sounds have layers of different sizes.
    """
    known = find_network(network)
    base = folder / known.name
    if not base.is_dir():
        raise DataError(f"{base}: there is no such folder of activations.")
    wanted = None if stimuli is None else read_ids(stimuli)
    if known.files == "pickles":
        ids, values = _read_pickles(base, known, permuted, wanted)
        reads = {layer.index: partial(np.asarray, values.pop(layer.index)) for layer in known.layers}
    else:
        path = base / f"natsound_activations{_suffix(permuted)}.h5"
        if wanted is None:
            raise DataError(f"{path}: its rows have no names; give `stimuli`: the path of neural_stim_meta.npy.")
        ids = wanted
        reads = {layer.index: partial(_read_dataset, path, layer, len(ids)) for layer in known.layers}
    metadata = {
        "activations": str(folder),
        "network": known.name,
        "published_name": known.published_name,
        "permuted": permuted,
        "input": known.input,
    }
    return {layer.index: partial(_arrange, reads[layer.index], ids, layer, metadata) for layer in known.layers}


def _suffix(permuted: bool) -> str:
    return "_randnetw" if permuted else ""


def _arrange(read: Callable[[], np.ndarray], ids: list[str], layer: Layer, metadata: dict[str, Any]) -> xr.DataArray:
    array = xr.DataArray(
        read().astype(np.float64),
        dims=("stimulus", "unit"),
        coords={"stimulus": ids},
        attrs={"layer_name": layer.name, "metadata": {**metadata, "time": layer.time}},
    )
    return array.sel(stimulus=stimulus_order(ids))


def _read_pickles(
    base: Path, network: Network, permuted: bool, wanted: list[str] | None
) -> tuple[list[str], dict[int, np.ndarray]]:
    """Read all layers of all sounds: ids, and by layer index an array [sound, unit]."""
    tail = f"_activations{_suffix(permuted)}.pkl"
    found = sorted(base.glob(f"*{tail}"))
    names = normalise([path.name.removesuffix(tail) for path in found], "stimulus", base, may_repeat=False)
    files = dict(zip(names, found, strict=True))
    if not files:
        raise DataError(f"{base}: there is no file that ends in {tail}.")
    if wanted is not None:
        if absent := [name for name in wanted if name not in files]:
            raise DataError(f"{base}: {len(absent)} sounds have no file {absent[0]}{tail}, ...: {absent[:5]}.")
        files = {name: files[name] for name in wanted}
    vectors: dict[int, list[np.ndarray]] = {layer.index: [] for layer in network.layers}
    for path in files.values():
        content = load_numpy(path)
        for layer in network.layers:
            vector = _vector(content, layer, network, path)
            if vectors[layer.index] and vector.shape != vectors[layer.index][0].shape:
                raise DataError(
                    f"{path}: layer {layer.name!r} has {vector.size} units, but {vectors[layer.index][0].size} in the "
                    "files before it."
                )
            vectors[layer.index].append(vector)
    return list(files), {index: np.stack(vectors.pop(index)) for index in list(vectors)}


def _vector(content: Any, layer: Layer, network: Network, path: Path) -> np.ndarray:
    if not isinstance(content, dict):
        raise DataError(f"{path}: the pickle holds a {type(content).__name__}; expected a dict of layers.")
    # EnCodecMAE's keys are numbers
    keys = [key for name in layer.keys for key in ((name, int(name)) if name.isdigit() else (name,))]
    found = next((key for key in keys if key in content), None)
    if found is None:
        raise DataError(
            f"{path}: there is no layer {layer.keys[0]!r} ({layer.name} of {network.name}); there are "
            f"{list(content)[:40]}."
        )
    vector = content[found]
    if not isinstance(vector, np.ndarray) or vector.ndim != 1 or vector.dtype.kind not in "iuf" or not vector.size:
        what = f"{vector.dtype} of shape {vector.shape}" if isinstance(vector, np.ndarray) else type(vector).__name__
        raise DataError(f"{path}: layer {found!r} holds {what}; expected one vector of numbers.")
    return vector


def _read_dataset(path: Path, layer: Layer, n_sounds: int) -> np.ndarray:
    try:
        with h5py.File(path, "r") as file:
            found = next((key for key in layer.keys if isinstance(file.get(key), h5py.Dataset)), None)
            if found is None:
                raise DataError(f"{path}: there is no layer {layer.keys[0]!r}; there are {sorted(file)[:40]}.")
            dataset = file[found]
            if dataset.ndim != 2 or len(dataset) != n_sounds or dataset.dtype.kind not in "iuf":
                raise DataError(
                    f"{path}: layer {found!r} is {dataset.dtype} of shape {dataset.shape}; expected numbers "
                    f"[{n_sounds} sounds, units]."
                )
            return dataset[()]
    except FileNotFoundError as error:
        raise DataError(f"{path}: there is no such file.") from error
    except (OSError, RuntimeError) as error:
        raise DataError(f"{path}: not an HDF5 file that can be read: {error}") from error
