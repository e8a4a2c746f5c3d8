"""Arrays of numbers with their names, `.npy`, `.npz` and `.nc`, as tables: a row per stimulus and repetition or layer.

`.npy`: [stimulus, column] or [stimulus, column, third], with the names in tables beside it: of `y.npy` the rows' in
`y.stimuli.tsv` (column `stimulus`), the columns' in `y.targets.tsv`, `y.units.tsv` or `y.variables.tsv` (column
`target`, `unit` or `variable`). `.npz`: the same as arrays `values`, `stimulus`, `target` (`unit`, `variable`), and
optionally `repetition` or `layer`: numbers of the third dimension or, where there is none, of the rows. `.nc`: one
variable with these dimensions and coordinates. Nothing is unpickled.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from zipfile import BadZipFile

import numpy as np
import pandas as pd

from ..errors import DataError
from .identifiers import normal_form, normalise
from .text_tables import open_text, why_absent

ARRAYS = (".npy", ".npz", ".nc")
# the table of names beside an array, by what it names
_BESIDE = {"stimulus": "stimuli", "target": "targets", "unit": "units", "variable": "variables"}


@dataclass(frozen=True)
class NamedArray:
    """An array of numbers with its names.

    Attributes
    ----------
    values : ndarray, shape (n_stimuli, n_columns) or (n_stimuli, n_columns, n_third)
        Integers or floats; of a `.npy` file a map of it, of which nothing is read until it is asked for.
    stimuli, columns : list of str
        Columns in normal form, each once; stimuli as written.
    numbers : ndarray or None
        Of the third dimension, or of the rows where there is none.
    """

    values: np.ndarray
    stimuli: list[str]
    columns: list[str]
    numbers: np.ndarray | None


def read_array_table(path: Path, columns: str, third: str | None = None) -> pd.DataFrame:
    """Read an array of numbers with its names as a table; parameters and errors as of `open_array`.

    Returns
    -------
    DataFrame
        Indexed by row, from 1. Columns `stimulus` (text), `third` (where it is there), and one of
        float64 per target, unit or variable, in normal form.
    """
    found = open_array(path, columns, third)
    return _long(found.values, found.stimuli, found.columns, found.numbers, third, path)


def open_array(path: Path, columns: str, third: str | None = None) -> NamedArray:
    """Open an array of numbers with its names.

    Parameters
    ----------
    path : Path
        `.npy`, `.npz` or `.nc`.
    columns : {"target", "unit", "variable"}
        What the second dimension is. Units need no names.
    third : {"repetition", "layer"}, optional
        What the third dimension is, if there is one.

    Raises
    ------
    DataError
        A file is missing or cannot be read without running it; values are no real numbers; names do not fit the shape.
    """
    readers: dict[str, Callable[[Path, str, str | None], tuple[np.ndarray, dict[str, np.ndarray]]]] = {
        ".npy": _npy,
        ".npz": _npz,
        ".nc": _netcdf,
    }
    values, names = readers[path.suffix.lower()](path, columns, third)
    if values.dtype.kind not in "iuf":
        raise DataError(f"{path}: its values are {values.dtype}; expected real numbers.")
    allowed = (2, 3) if third else (2,)
    if values.ndim not in allowed or 0 in values.shape:
        last = f", or [stimulus, {columns}, {third}]" if third else ""
        raise DataError(
            f"{path}: the shape is {values.shape}; expected [stimulus, {columns}]{last}, none of them empty."
        )
    stimuli = _labels(names, "stimulus", values.shape[0], path)
    if columns in names or columns != "unit":
        labels = _labels(names, columns, values.shape[1], path)
    else:
        labels = [f"u{number}" for number in range(values.shape[1])]
    labels = normalise(labels, columns, path, may_repeat=False)
    twice = pd.Index(labels)[pd.Index(labels).duplicated()]
    if len(twice):
        raise DataError(f"{path}: the {columns} {twice[0]!r} is there more than once.")
    if "" in labels:
        raise DataError(f"{path}: {columns} {labels.index('') + 1} has no name.")
    for clash in {"stimulus", third} & set(labels):
        raise DataError(f"{path}: a column may not be named {clash!r}.")
    return NamedArray(values, stimuli, labels, names.get(third) if third else None)


def _long(
    values: np.ndarray, stimuli: list[str], labels: list[str], numbers: np.ndarray | None, third: str | None, path: Path
) -> pd.DataFrame:
    """Put the slices of the third dimension below each other."""
    if values.ndim == 3:
        n_slices = values.shape[2]
        numbers = np.arange(n_slices) if numbers is None else np.asarray(numbers).ravel()
        if len(numbers) != n_slices:
            raise DataError(f"{path}: {third} names {len(numbers)}, but the shape is {values.shape}.")
        if len(set(numbers.tolist())) < n_slices:
            raise DataError(f"{path}: {third} names one number twice: {numbers.tolist()}.")
        values = np.moveaxis(values, 2, 0).reshape(-1, values.shape[1])
        stimuli, numbers = stimuli * n_slices, np.repeat(numbers, len(stimuli))
    elif numbers is not None and len(np.ravel(numbers)) != len(stimuli):
        raise DataError(f"{path}: {third} has {np.size(numbers)} values, but there are {len(stimuli)} rows.")
    table = pd.DataFrame(values.astype(np.float64), columns=labels)
    if numbers is not None:
        table.insert(0, third, np.ravel(numbers))
    table.insert(0, "stimulus", np.array(stimuli, dtype=object))
    return table.set_axis(pd.RangeIndex(1, len(table) + 1, name="row"))


def side_files(path: Path) -> list[Path]:
    """List the tables of names that lie beside an array file and are read with it."""
    if path.suffix.lower() != ".npy":
        return []
    return [file for what in _BESIDE if (file := _beside(path, what)).exists()]


def _beside(path: Path, what: str) -> Path:
    return path.with_name(f"{path.stem}.{_BESIDE[what]}.tsv")


def _labels(names: Mapping[str, np.ndarray], what: str, expected: int, path: Path) -> list[str]:
    """Return the names of one dimension as text."""
    if what not in names:
        raise DataError(f"{path}: there are no names of {_BESIDE[what]}: {_remedy(path, what)}.")
    labels = np.asarray(names[what])
    if labels.dtype.kind not in "SUiuOT" or labels.ndim != 1:
        raise DataError(
            f"{path}: the names of {_BESIDE[what]} are {labels.dtype} of shape {labels.shape}; expected a list of text."
        )
    try:
        texts = [name.decode() if isinstance(name, bytes) else str(name) for name in labels.tolist()]
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: the names of {_BESIDE[what]} are not in UTF-8; save them as text.") from error
    if len(texts) != expected:
        raise DataError(f"{path}: there are {len(texts)} names of {_BESIDE[what]}, but {expected} in the array.")
    return texts


def _remedy(path: Path, what: str) -> str:
    if path.suffix.lower() == ".npy":
        return f"write {_beside(path, what).name} beside it, with the column `{what}`"
    if path.suffix.lower() == ".npz":
        return f"save them as the array `{what}`"
    return f"give the dimension `{what}` a coordinate of that name"


def _npy(path: Path, columns: str, third: str | None) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    values = _load(path)
    if not isinstance(values, np.ndarray):
        raise DataError(f"{path}: an archive of arrays; give it a name that ends in .npz.")
    names = {}
    for what in ("stimulus", columns):
        beside = _beside(path, what)
        if beside.exists():
            table = open_text(beside, (what,))
            spelt = [name for name in table.header if normal_form(name) == what]
            if len(spelt) != 1:
                problem = "there more than once" if spelt else "missing"
                raise DataError(f"{beside}: the column {what!r} is {problem}; there are {table.header[:10]}.")
            names[what] = np.array([row[spelt[0]] for row in table.rows()], dtype=object)
    return values, names


def _npz(path: Path, columns: str, third: str | None) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    archive = _load(path)
    if isinstance(archive, np.ndarray):
        raise DataError(f"{path}: a single array; give it a name that ends in .npy.")
    try:
        with archive:
            held = {name: archive[name] for name in archive.files}
    except Exception as error:  # zipfile and zlib have exceptions of their own for damaged archives
        raise DataError(f"{path}: an array in it cannot be read without running it: {error}") from error
    known = {"values", "stimulus", columns, third}
    if "values" not in held or set(held) - known:
        expected = ", ".join(f"`{name}`" for name in ("values", "stimulus", columns, third) if name)
        raise DataError(f"{path}: it holds the arrays {sorted(held)}; expected {expected}.")
    return held.pop("values"), held


def _load(path: Path) -> np.ndarray | np.lib.npyio.NpzFile:
    """Load a `.npy` or `.npz` file that holds no Python objects."""
    try:
        return np.load(path, mmap_mode="r", allow_pickle=False)
    except FileNotFoundError as error:
        raise DataError(f"{path}: {why_absent(path, 'file')}") from error
    except (OSError, ValueError, EOFError, BadZipFile) as error:
        if "allow_pickle" in str(error) or "Python objects" in str(error):
            raise DataError(
                f"{path}: it holds Python objects, which are never unpickled; save numbers and text (dtype float, str)."
            ) from error
        raise DataError(f"{path}: not an array file that can be read: {error}") from error


def _netcdf(path: Path, columns: str, third: str | None) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    import xarray as xr  # here: tables of text, which every command reads, need none

    if not path.exists():
        raise DataError(f"{path}: {why_absent(path, 'file')}")
    try:
        # numbers as they are: units of time do not make times of them
        with xr.open_dataset(path, engine=_engine(path), decode_times=False, decode_timedelta=False) as opened:
            dataset = opened.load()
    except Exception as error:  # scipy and h5py document no exception types: damaged files raise many
        said = str(error).split("\n")[0]  # further lines advise to install other libraries
        raise DataError(f"{path}: not a NetCDF file that can be read: {said}") from error
    dims = ("stimulus", columns, *([third] if third else []))
    fitting = [name for name, held in dataset.data_vars.items() if {"stimulus", columns} <= set(held.dims) <= set(dims)]
    chosen = "values" if "values" in fitting else fitting[0] if len(fitting) == 1 else None
    if chosen is None:
        there = {str(name): list(map(str, held.dims)) for name, held in dataset.data_vars.items()}
        raise DataError(
            f"{path}: expected one variable (or `values`) with the dimensions {', '.join(dims)}"
            f"{' (the last one optional)' if third else ''}; there are {there}."
        )
    array = dataset[chosen].transpose(*(name for name in dims if name in dataset[chosen].dims))
    return array.to_numpy(), {str(name): array[name].to_numpy() for name in dims if name in array.coords}


def _engine(path: Path) -> str:
    """Choose the library by the first bytes: NetCDF 4 is HDF5, NetCDF 3 is a format of its own."""
    with open(path, "rb") as file:
        return "h5netcdf" if file.read(4) == b"\x89HDF" else "scipy"
