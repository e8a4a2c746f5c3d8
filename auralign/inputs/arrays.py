"""Arrays in files: opened by path where they are needed, so that workers share them and none is held twice."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

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
    """

    path: Path
    rows: np.ndarray
    sha256: str

    def load(self, columns: slice = slice(None)) -> np.ndarray:
        """Return the rows, and of them some columns; no more than these is read."""
        return np.load(self.path, mmap_mode="r", allow_pickle=False)[:, columns][self.rows]

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of what `load` gives."""
        return (len(self.rows), *np.load(self.path, mmap_mode="r", allow_pickle=False).shape[1:])

    def take(self, rows: np.ndarray) -> "StoredArray":
        """Return the same array with other rows, which are positions in this one's."""
        return StoredArray(self.path, self.rows[rows], self.sha256)


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
