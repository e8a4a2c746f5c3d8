"""Arrays in files: opened by path where they are needed, so that workers share them and none is held twice."""

import hashlib
import os
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import NamedTemporaryFile

import numpy as np

from ..files.atomic import written_atomically


@dataclass(frozen=True)
class StoredArray:
    """An array in a `.npy` file, and which of its rows are meant.

    Attributes
    ----------
    path : Path
    rows : ndarray of int, shape (n_rows,)
        In the order in which `load` gives them.
    sha256 : str
        Of the array's type, shape and values (all rows).
    dtype : str or None
        Type of what `load` gives; by default that of the file.
    """

    path: Path
    rows: np.ndarray
    sha256: str
    dtype: str | None = None

    def load(self, columns: slice = slice(None)) -> np.ndarray:
        """Return the rows, and of them some columns; no more than these is read."""
        values = np.load(self.path, mmap_mode="r", allow_pickle=False)[:, columns][self.rows]
        return values if self.dtype is None else values.astype(self.dtype, copy=False)

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of what `load` gives."""
        return (len(self.rows), *np.load(self.path, mmap_mode="r", allow_pickle=False).shape[1:])

    def take(self, rows: np.ndarray) -> "StoredArray":
        """Return the same array with other rows, which are positions in this one's."""
        return replace(self, rows=self.rows[rows])


def sha256_of_array(array: np.ndarray) -> str:
    """Return the SHA-256 of an array's type, shape and values."""
    digest = hashlib.sha256(f"{array.dtype}{array.shape}".encode())
    digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()


def store_array(array: np.ndarray, folder: Path) -> StoredArray:
    """Write an array into a folder, under the name of its checksum; nothing is written twice."""
    sha256 = sha256_of_array(array)
    path = folder / f"{sha256[:32]}.npy"
    if not path.exists():
        with written_atomically(path) as partial, open(partial, "wb") as file:
            np.save(file, array, allow_pickle=False)
    return StoredArray(path, np.arange(len(array)), sha256)


def store_parts(
    parts: Iterable[tuple[slice, np.ndarray]], shape: tuple[int, ...], dtype: np.dtype, folder: Path
) -> StoredArray:
    """Write an array into a folder some columns at a time, under the name of its checksum; read back as float64.

    Parameters
    ----------
    parts : iterable of (slice, ndarray)
        Positions along the second axis, one part after the other, and the values there.
    shape : tuple of int
        Of the whole.
    dtype : dtype
        Of the file, which must hold the values as they are.
    folder : Path
    """
    digest = hashlib.sha256(f"{dtype}{shape}".encode())
    with NamedTemporaryFile(dir=folder, suffix=".partial", delete=False) as file:
        partial = Path(file.name)
    try:
        np.lib.format.open_memmap(partial, mode="w+", dtype=dtype, shape=shape).flush()
        for columns, values in parts:
            stored = np.ascontiguousarray(values, dtype=dtype)
            digest.update(stored.data)
            # opened anew for each part: what was written need not stay in memory
            np.lib.format.open_memmap(partial, mode="r+")[:, columns] = stored
        sha256 = digest.hexdigest()
        path = folder / f"{sha256[:32]}.npy"
        os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)
    return StoredArray(path, np.arange(shape[0]), sha256, "float64")
