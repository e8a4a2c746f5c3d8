"""Tables of numbers: features, responses and confounds, whose columns beside a few keys must be numbers."""

from collections.abc import Iterable, Sequence
from decimal import Decimal
from numbers import Real
from pathlib import Path

import numpy as np
import pandas as pd

from ..errors import DataError
from .array_tables import NamedArray, open_array
from .tabular import is_number, place, read_table, with_names

# columns of tables of numbers that are no numbers to use
_KEYS = ("stimulus", "repetition", "layer")
_SPELT = "; a missing number is an empty cell, NA or NaN"


def open_numbers(path: Path, what: str, third: str) -> tuple[NamedArray, pd.DataFrame]:
    """Open a `.npy` array as a table of numbers of which no number is read yet; parameters as of `read_numbers`.

    Returns
    -------
    array : NamedArray
    table : DataFrame
        Its rows, of one slice of the third dimension: the column `stimulus`, in normal form.

    Raises
    ------
    DataError
        As of `read_numbers`.
    """
    found = open_array(path, what, third)
    rows = pd.RangeIndex(1, len(found.stimuli) + 1, name="row")
    table = with_names(
        pd.DataFrame({"stimulus": np.array(found.stimuli, dtype=object)}, index=rows), ["stimulus"], path
    )
    refuse_columns(pd.DataFrame(columns=found.columns), {"layer", "repetition", "time"} - {third}, what, path)
    return found, table


def read_numbers(path: Path, what: str, third: str) -> tuple[pd.DataFrame, np.ndarray, pd.DataFrame]:
    """Read a table of numbers: column `stimulus`, perhaps the key `third`, every other column a target or a unit.

    Parameters
    ----------
    path, what, third
        As `path`, `columns` and `third` of `read_table`.

    Returns
    -------
    table : DataFrame
    numbers : ndarray of int, shape (n_rows,)
        Of the key `third`; 0 in all rows of a table without it.
    columns : DataFrame
        The others, with the rows of `table`.

    Raises
    ------
    DataError
        As of `read_table`, `whole_numbers` and `number_columns`; a column is the key of another kind of table.
    """
    table = read_table(path, "stimulus", columns=what, third=third)
    refuse_columns(table, {"layer", "repetition", "time"} - {third}, what, path)
    numbers = whole_numbers(table, third, path) if third in table else np.zeros(len(table), dtype=np.int64)
    return table, numbers, number_columns(table, ("stimulus", third), what, path)


def whole_numbers(table: pd.DataFrame, name: str, path: Path) -> np.ndarray:
    """Return a key column of whole numbers from 0, such as `repetition` or `layer`.

    Returns
    -------
    ndarray of int, shape (n_rows,)

    Raises
    ------
    DataError
        A value is empty, fractional, negative or text; the message names the first with its place.
    """
    values = pd.to_numeric(table[name].astype(object).map(_no_truth), errors="coerce")
    values = values.to_numpy(dtype=np.float64, na_value=np.nan)
    wrong = ~(np.isfinite(values) & (values >= 0) & (values == np.round(values)) & (values < 2**53))
    if wrong.any():
        given = table[name].to_numpy()[wrong][0]
        is_empty = pd.isna(given) or not str(given).strip()
        says = f"has no {name}" if is_empty else f"has the {name} {given if isinstance(given, float) else str(given)!r}"
        raise DataError(
            f"{path}: {place(table, wrong)} {says}; the column `{name}` must hold whole numbers from 0 in every line"
            f"{'' if wrong.sum() == 1 else f' ({int(wrong.sum())} do not)'}."
        )
    return values.astype(np.int64)


def number_columns(table: pd.DataFrame, keys: Sequence[str], what: str, path: Path) -> pd.DataFrame:
    """Return the columns beside the keys, which must be numbers.

    Parameters
    ----------
    table : DataFrame
        Of `read_table`.
    keys : sequence of str
        Columns that are no numbers to use; those that are not there do no harm.
    what : str
        What a column is, for messages: `target`, `unit`, ...

    Returns
    -------
    DataFrame, float64
        Missing numbers are NaN; names of columns in `identifiers.normal_form`.

    Raises
    ------
    DataError
        There is no column beside the keys, or one holds text or truth values; the first value is named with its place.
    """
    numbers = table.drop(columns=[key for key in keys if key in table])
    beside = " and ".join(f"`{key}`" for key in keys)
    if numbers.columns.empty:
        raise DataError(f"{path}: there is no {what}: every column beside {beside} is one and must be a number.")
    text, first = [], ""
    converted = {}
    for column in numbers.columns[[not is_number(kind) for kind in numbers.dtypes]]:
        values = pd.to_numeric(numbers[column].astype(object).map(_no_truth), errors="coerce")
        wrong = (values.isna() & numbers[column].notna()).to_numpy()
        if wrong.any():
            value = numbers[column].astype(object).to_numpy()[wrong][0]
            first = first or f"{place(table, wrong)} has {value!r}{_SPELT if _is_missing(value) else ''}"
            text.append(column)
        # whole numbers too large for 64 bits: pandas takes them for text, and would round them less well
        converted[column] = values if wrong.any() else numbers[column].map(float, na_action="ignore")
    if text:
        raise DataError(f"{path}: every column beside {beside} must be a number; not so: {text[:5]} ({first}).")
    return numbers.assign(**converted).astype(np.float64) if converted else numbers.astype(np.float64)


def refuse_columns(table: pd.DataFrame, names: Iterable[str], what: str, path: Path) -> None:
    """Refuse columns that are keys, of other kinds of tables or in capitals, and would be taken for numbers here."""
    names = set(names)
    if found := [name for name in table if name not in _KEYS and name.lower() in set(_KEYS) - names]:
        raise DataError(
            f"{path}: the column `{found[0]}` would be one more {what}; write it `{found[0].lower()}` if it is that, "
            "or give it another name."
        )
    if found := [name for name in table if name.lower() in names]:
        raise DataError(
            f"{path}: the column `{found[0]}` is no {what}, and this kind of table has no such key; take it out, or "
            f"give it another name if it is a {what}."
        )


def _is_missing(value: object) -> bool:
    """Whether a text stands for a missing number in other programs, but not here."""
    return str(value).strip().lower().strip("#+-.<>?") in ("", "na", "n/a", "nan", "null", "none", "missing")


def _no_truth(value: object) -> object:
    """Let a truth value, a date or a complex number be no number, for which pandas takes them."""
    is_number = isinstance(value, (Real, Decimal)) and not isinstance(value, (bool, np.bool_))
    return value if is_number or isinstance(value, str) else str(value)
