"""What the readers of published files share: arrays of responses, fields of structured arrays, text of MATLAB cells."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from scipy.io import loadmat

from ...errors import DataError
from ...files.identifiers import normalise


def make_responses(
    stimuli: Sequence[str], names: Sequence[str], values: np.ndarray, metadata: Mapping[str, np.ndarray], path: Path
) -> xr.DataArray:
    """Name the axes of an array [stimulus, target, repetition]; the array itself is neither copied nor read.

    Parameters
    ----------
    stimuli, names : sequences of str
        Ids of stimuli and names of targets.
    values : ndarray, shape (n_stimuli, n_targets, n_repetitions)
    metadata : mapping of str to ndarray, shape (n_targets,)
        Become coordinates of `target`.
    path : Path
        For messages.

    Raises
    ------
    DataError
        The array has another shape, or an id or a name is there twice.
    """
    if values.ndim != 3 or values.shape[:2] != (len(stimuli), len(names)):
        raise DataError(
            f"{path}: the shape is {values.shape}, but there are {len(stimuli)} stimuli and {len(names)} targets; "
            "expected (stimuli, targets, repetitions)."
        )
    stimuli = normalise(stimuli, "stimulus", path, may_repeat=False)
    names = normalise(names, "target", path, may_repeat=False)
    for what, labels in (("stimulus", stimuli), ("target", names)):
        twice = pd.Index(labels)[pd.Index(labels).duplicated()]
        if len(twice):
            raise DataError(f"{path}: the {what} {twice[0]!r} is there more than once.")
    return xr.DataArray(
        values,
        dims=("stimulus", "target", "repetition"),
        coords={
            "stimulus": list(stimuli),
            "target": list(names),
            "repetition": np.arange(values.shape[2]),
            **{name: ("target", column) for name, column in metadata.items()},
        },
    )


def refuse_not_finite(responses: xr.DataArray, path: Path, complete: bool = True) -> xr.DataArray:
    """Return the responses, unless one of them is missing or infinite and they should be complete."""
    if not complete:
        return responses
    bad = ~np.isfinite(responses.to_numpy()).all(axis=(0, 2))
    if bad.any():
        raise DataError(
            f"{path}: responses of {int(bad.sum())} targets are not finite: "
            f"{', '.join(responses.target.values[bad][:5])}. Leave them out, or choose fewer repetitions."
        )
    return responses


def read_array(path: Path, memory_map: bool = False) -> np.ndarray:
    """Read a `.npy` file of numbers or of plain records.

    Raises
    ------
    DataError
        No such file, or an array of Python objects.
    """
    try:
        return np.load(path, mmap_mode="r" if memory_map else None, allow_pickle=False)
    except FileNotFoundError as error:
        raise DataError(f"{path}: there is no such file; it belongs to the published archive.") from error
    except (OSError, ValueError, EOFError) as error:
        raise DataError(f"{path}: not an array file that can be read without running it: {error}") from error


def field(records: np.ndarray, names: Sequence[str], position: int | None, kinds: str, path: Path) -> np.ndarray:
    """Return a field of a structured array: by name where one of the names is there, else by position and type.

    Parameters
    ----------
    records : structured ndarray
    names : sequence of str
        Names that the field may have.
    position : int, optional
        Where it is documented to be if it has another name.
    kinds : str
        Numpy's letters of the types that it may have.
    path : Path
        For messages.

    Raises
    ------
    DataError
        Neither is there, or the field has another type.
    """
    fields = records.dtype.names or ()
    found = next((name for name in names if name in fields), None)
    if found is None and position is not None and position < len(fields):
        found = fields[position]
    if found is None or records.dtype[found].kind not in kinds:
        listed = [f"{name} ({records.dtype[name]})" for name in fields]
        where = "" if position is None else f" or field {position}"
        raise DataError(f"{path}: expected {' or '.join(names)}{where} of kind {kinds}; there are {listed or 'none'}.")
    return records[found]


def as_text(values: np.ndarray) -> list[str]:
    """Turn bytes or text of a numpy array into str."""
    return [value.decode("utf-8") if isinstance(value, bytes) else str(value) for value in values.ravel().tolist()]


def read_mat(path: Path, names: Sequence[str]) -> dict[str, Any]:
    """Read variables of a MATLAB file (version 5, as published).

    Raises
    ------
    DataError
        The file cannot be read, or lacks one of them.
    """
    # scipy looks for `<path>.mat` where there is no file, and then speaks of its reader
    if not path.is_file():
        fetch = " Get it with: datalad get" if path.is_symlink() else ""
        raise DataError(f"{path}: there is no such file.{fetch}")
    try:
        content = loadmat(path, variable_names=list(names), chars_as_strings=True)
    except Exception as error:  # scipy documents no exception types: damaged files raise many
        raise DataError(f"{path}: not a MATLAB file that can be read: {error!r}.") from error
    absent = [name for name in names if name not in content]
    if absent:
        raise DataError(f"{path}: the variable {absent[0]!r} is missing; expected {', '.join(names)}.")
    return content


def cell_text(cells: np.ndarray, path: Path) -> list[str]:
    """Turn a MATLAB cell array of text, nested or not, into str."""
    texts = []
    for cell in cells.ravel():
        while isinstance(cell, np.ndarray) and cell.size == 1:
            cell = cell.ravel()[0]
        if not isinstance(cell, str):
            raise DataError(f"{path}: a cell holds {cell!r}; expected text.")
        texts.append(str(cell))
    return texts
