"""What a caller gives, numpy, pandas or xarray alike, as arrays with named dims and, where there are any, ids."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np
import pandas as pd
import xarray as xr

from ..errors import DataError
from ..files.identifiers import normalise

Array: TypeAlias = "np.ndarray[Any, np.dtype[Any]]"
# a table of numbers: rows are stimuli
Table: TypeAlias = "Array | pd.DataFrame | pd.Series | xr.DataArray | Sequence[Any]"
# attribute of what came from pandas without ids: its index, by which two tables are seen to have other rows
ROWS = "_rows"
# positions of stimuli: development, test
Split: TypeAlias = tuple[Array, Array]


def feature_array(given: Table, what: str) -> xr.DataArray:
    """Bring the features of one layer into the form (stimulus, unit), float64.

    Parameters
    ----------
    given : array of shape (n_stimuli, n_units), DataFrame or DataArray
        Ids of the stimuli are the coordinate `stimulus` of a DataArray, the column `stimulus` of a DataFrame or its
        index, where that is named `stimulus` or holds text. Names of units are those of the columns, or the coordinate
        `unit`.
    what : str
        For messages: "X, layer 3".

    Returns
    -------
    DataArray
        With the coordinates `stimulus` and `unit` where there are ids and names; attributes are kept.

    Raises
    ------
    DataError
        Another number of dimensions, no units, values that are not numbers or not finite, a stimulus or a unit twice.
    """
    array = _as_array(given, ("stimulus", "unit"), what)
    if array.ndim != 2:
        raise DataError(
            f"{what}: features are a table of stimuli x units, but the shape is {array.shape}. Give one row per "
            "stimulus; a single unit is an array of shape (n_stimuli, 1), and several layers are a dict of such tables."
        )
    array = _checked(array, "unit", what)
    bad = ~np.isfinite(array.to_numpy()).all(axis=1)
    if bad.any():
        raise DataError(f"{what}: features are not finite for {_named(array, bad)}. Repair or leave out these stimuli.")
    return array


def response_array(given: Table, what: str = "Y") -> xr.DataArray:
    """Bring responses into the form (stimulus, target, repetition), float64.

    Parameters
    ----------
    given : array of shape (n_stimuli, n_targets), DataFrame, Series or DataArray
        Or of shape (n_stimuli,), of one target, or (n_stimuli, n_targets, n_repetitions). Ids as in `feature_array`. A
        DataFrame with a column `repetition` has one row per stimulus and repetition. NaN where a response is missing.
        Further coordinates of `target` (subject, roi, ...) are kept.
    what : str

    Raises
    ------
    DataError
        As `feature_array`, but for values that are not finite, which are looked at once stimuli are joined.
    """
    if isinstance(given, pd.DataFrame) and "repetition" in given:
        array = _repeated_table(given, what)
    else:
        array = _as_array(given, ("stimulus", "target", "repetition"), what)
    if array.ndim == 1:
        name = array.name if isinstance(given, pd.Series | xr.DataArray) and array.name is not None else "target"
        array = array.expand_dims(target=[str(name)], axis=1)
    if array.ndim not in (2, 3):
        raise DataError(
            f"{what}: responses are [stimulus], [stimulus, target] or [stimulus, target, repetition], but the shape is "
            f"{array.shape}."
        )
    if array.ndim == 2:
        array = array.expand_dims("repetition", axis=2)
    array = _checked(array.transpose("stimulus", "target", "repetition"), "target", what)
    if "target" not in array.coords:
        array = array.assign_coords(target=[f"target{number}" for number in range(array.sizes["target"])])
    if "repetition" not in array.coords:
        array = array.assign_coords(repetition=np.arange(array.sizes["repetition"]))
    return array


def label_array(given: Any, what: str) -> xr.DataArray:
    """Bring one label per stimulus (a group, a category) into the form (stimulus,), as text."""
    if isinstance(given, pd.DataFrame):
        raise DataError(f"{what}: one label per stimulus is needed, not a table; give one of its columns.")
    array = _as_array(given, ("stimulus",), what, numbers=False)
    if array.ndim != 1:
        raise DataError(f"{what}: one label per stimulus is needed, but the shape is {array.shape}.")
    if pd.isna(array.to_numpy()).any():
        raise DataError(f"{what}: {int(pd.isna(array.to_numpy()).sum())} stimuli have no label. Give each one.")
    array = array.copy(data=array.to_numpy().astype(str))
    return _with_ids(array, "stimulus", what) if "stimulus" in array.coords else array


def _as_array(given: Any, dims: tuple[str, ...], what: str, numbers: bool = True) -> xr.DataArray:
    if isinstance(given, xr.DataArray):
        array = _named_dims(given, dims, what)
    elif isinstance(given, pd.DataFrame | pd.Series):
        array = from_pandas(given, dims)
    else:
        try:
            values = _unmasked(given, what) if isinstance(given, np.ma.MaskedArray) else np.asarray(given)
        except (RuntimeError, TypeError, ValueError) as error:  # rows of unequal lengths; a tensor that is not detached
            raise DataError(f"{what}: this is no table of numbers: {error}") from error
        array = xr.DataArray(values, dims=dims[: values.ndim] if values.ndim <= len(dims) else None)
    return _numbers(array, what) if numbers else array


def _unmasked(given: Any, what: str) -> Array:
    """Put NaN, which says that a value is missing, where a masked array hides one."""
    if given.dtype.kind not in "biuf":
        raise DataError(f"{what}: a masked array of {given.dtype} is no table of numbers; expected integers or floats.")
    return np.asarray(given.astype(np.float64).filled(np.nan))


def _numbers(array: xr.DataArray, what: str) -> xr.DataArray:
    if np.iscomplexobj(array.to_numpy()):
        raise DataError(f"{what}: the values are complex numbers; expected real ones.")
    try:
        return array.astype(np.float64)
    except (TypeError, ValueError) as error:
        raise DataError(f"{what}: the values are not all numbers: {str(error).rstrip('.')}.") from error


def _named_dims(array: xr.DataArray, dims: tuple[str, ...], what: str) -> xr.DataArray:
    """Give a DataArray our names of dims: `stimulus` is found by its name, the others follow in their order."""
    if array.ndim > len(dims):
        return array
    names = [str(dim) for dim in array.dims]
    wanted = dims[: array.ndim]
    if set(names) == set(wanted):
        return array.transpose(*wanted)
    if any(name in dims for name in names if name != "stimulus") or ("stimulus" in names and names[0] != "stimulus"):
        raise DataError(f"{what}: the dims are {names}; expected {list(wanted)}. Rename or transpose them.")
    return array.rename({old: new for old, new in zip(array.dims, wanted, strict=True) if old != new})


def from_pandas(given: pd.DataFrame | pd.Series, dims: tuple[str, ...]) -> xr.DataArray:
    """Turn a table into an array, with ids where its column or index `stimulus`, or an index of text, has them."""
    if isinstance(given, pd.DataFrame) and "stimulus" in given:
        given = given.set_index("stimulus")
    has_ids = _has_ids(given)
    coords: dict[str, Any] = {"stimulus": given.index.to_numpy()} if has_ids else {}
    attrs = {} if has_ids else {ROWS: given.index}
    if isinstance(given, pd.DataFrame):
        if not isinstance(given.columns, pd.RangeIndex):
            coords[dims[1]] = [str(column) for column in given.columns]
        return xr.DataArray(given.to_numpy(), dims=dims[:2], coords=coords, attrs=attrs)
    return xr.DataArray(given.to_numpy(), dims=dims[:1], coords=coords, name=given.name, attrs=attrs)


def _has_ids(given: pd.DataFrame | pd.Series) -> bool:
    """Tell whether the index of a table names stimuli: it is called so, or holds text."""
    is_text = len(given) > 0 and all(isinstance(identifier, str) for identifier in given.index)
    return given.index.name == "stimulus" or is_text


def _repeated_table(given: pd.DataFrame, what: str) -> xr.DataArray:
    """Bring a table with one row per stimulus and repetition into the form (stimulus, target, repetition)."""
    if "stimulus" not in given and not _has_ids(given):
        raise DataError(
            f"{what}: a table with a column `repetition` has one row per stimulus and repetition, and needs the column "
            "`stimulus`, which says whose."
        )
    table = given if "stimulus" in given else given.rename_axis("stimulus").reset_index()
    twice = table.duplicated(["stimulus", "repetition"])
    if twice.any():
        first = table[twice].iloc[0]
        raise DataError(
            f"{what}: the stimulus {first['stimulus']!r} is there more than once in repetition {first['repetition']}."
        )
    stimuli = list(dict.fromkeys(table["stimulus"]))
    targets = [column for column in table if column not in ("stimulus", "repetition")]
    parts = {
        number: rows.set_index("stimulus")[targets].reindex(stimuli).to_numpy()
        for number, rows in table.groupby("repetition", sort=True)
    }
    return _numbers(
        xr.DataArray(
            np.stack(list(parts.values()), axis=2),
            dims=("stimulus", "target", "repetition"),
            coords={"stimulus": stimuli, "target": [str(name) for name in targets], "repetition": list(parts)},
        ),
        what,
    )


def _checked(array: xr.DataArray, columns: str, what: str) -> xr.DataArray:
    """Refuse empty tables, and ids or names that are there twice."""
    for dim in ("stimulus", columns):
        if not array.sizes[dim]:
            raise DataError(f"{what}: there is no {dim}; the shape is {array.shape}.")
        if dim in array.coords:
            array = _with_ids(array, dim, what)
    return array


def _with_ids(array: xr.DataArray, dim: str, what: str) -> xr.DataArray:
    nameless = [row for row, name in enumerate(array[dim].to_numpy()) if name is None or name != name or name == ""]
    if nameless:
        raise DataError(f"{what}: the {dim} at position {nameless[0]} (from 0) has no name. Give each its own.")
    names = normalise([str(name) for name in array[dim].to_numpy()], dim, what, may_repeat=False)
    twice = pd.Index(names)[pd.Index(names).duplicated()]
    if len(twice):
        raise DataError(f"{what}: the {dim} {twice[0]!r} is there more than once.")
    return array.assign_coords({dim: names})


def _named(array: xr.DataArray, rows: Array, most: int = 5) -> str:
    """Name stimuli, or say which rows they are."""
    if "stimulus" in array.coords:
        names = [str(name) for name in array.stimulus.to_numpy()[rows]]
    else:
        names = [f"row {row}" for row in np.flatnonzero(rows)]
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more
