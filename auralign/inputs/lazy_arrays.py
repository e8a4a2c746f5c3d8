"""Arrays of a file behind a DataArray: read when they are asked for, and no more of them than that."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from xarray.backends.common import BackendArray
from xarray.core import indexing

from .arrays import StoredArray, store_parts
from .repetitions import mean_response

# targets that are looked at a time: of 165 stimuli and three repetitions 32 MB of float64
TARGETS_AT_ONCE = 8192


class _FileArray(BackendArray):
    """The numbers of a `.npy` file as float64, whatever real type they are stored in; of two axes as one repetition."""

    def __init__(self, path: Path) -> None:
        self.path, self.dtype = path, np.dtype(np.float64)
        stored = self._opened()
        self.shape, self.stored_dtype = stored.shape, stored.dtype

    def _opened(self) -> np.ndarray:
        # anew each time: pages of a closed map count for nobody's memory
        values = np.lib.format.open_memmap(self.path, mode="r")
        return values[:, :, None] if values.ndim == 2 else values

    def __getitem__(self, key: Any) -> Any:
        return indexing.explicit_indexing_adapter(key, self.shape, indexing.IndexingSupport.OUTER, self._read)

    def _read(self, key: tuple[Any, ...]) -> np.ndarray:
        values = self._opened()
        # the last axes first: along the first one, rows are copied
        for axis in reversed(range(len(key))):
            values = values[(slice(None),) * axis + (key[axis],)]
        return np.array(values, dtype=np.float64)


def open_responses(path: Path, stimuli: list[str], targets: list[str]) -> xr.DataArray:
    """Open a `.npy` file [stimulus, target] or [stimulus, target, repetition] as float64 without reading it.

    Indexing it by stimuli or targets reads nothing either; what is left is read, each time, by `to_numpy`.
    """
    array = _FileArray(path)
    opened = xr.DataArray(
        indexing.LazilyIndexedArray(array),
        dims=("stimulus", "target", "repetition"),
        coords={"stimulus": stimuli, "target": targets, "repetition": np.arange(array.shape[2])},
    )
    opened.encoding["dtype"] = array.stored_dtype
    return opened


def target_parts(responses: xr.DataArray) -> Iterator[tuple[slice, np.ndarray]]:
    """Yield responses some targets at a time: which, and their values [stimulus, target, repetition]."""
    for start in range(0, responses.sizes["target"], TARGETS_AT_ONCE):
        own = slice(start, min(start + TARGETS_AT_ONCE, responses.sizes["target"]))
        yield own, responses[:, own].to_numpy()


def store_responses(responses: xr.DataArray, folder: Path) -> StoredArray:
    """Write responses [stimulus, target, repetition] into a folder for blocks to read, some targets at a time.

    They keep the type in which their own file holds them, so that they take no more room there; `load` gives float64.
    """
    dtype = np.dtype(responses.encoding.get("dtype", np.float64))
    dtype = dtype if dtype == np.float32 else np.dtype(np.float64)
    return store_parts(target_parts(responses), responses.shape, dtype, folder)


def store_means(responses: xr.DataArray, folder: Path) -> StoredArray:
    """Write the mean over repetitions [stimulus, target, 1] into a folder for blocks to read."""
    means = ((own, mean_response(values)[:, :, None]) for own, values in target_parts(responses))
    return store_parts(means, (*responses.shape[:2], 1), np.dtype(np.float64), folder)
