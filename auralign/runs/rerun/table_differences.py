"""By how much two tables of scores differ: rows joined by what they are of, columns compared one at a time."""

import math
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ...errors import DataError
from ..columns import Column, column_names, read_column

# rows on one side only that are named
SHOWN = 5


@dataclass(frozen=True)
class ColumnDifference:
    """The difference of one column over the rows that both tables have.

    Attributes
    ----------
    column : str
    largest : float
        Largest absolute difference; of a column of which only the order of magnitude counts (`alpha`),
        |a - b| / max(|a|, |b|).
        Values that are both NaN or the same infinity do not differ; one that is not finite on one side differs by inf.
        Of text 1 where any row differs.
    where : str
        The row of the largest difference, empty where there is none.
    n_different : int
        Rows that are not equal.
    """

    column: str
    largest: float
    where: str
    n_different: int


@dataclass(frozen=True)
class TableDifference:
    """What `compare_tables` finds.

    Attributes
    ----------
    n_rows : int
        Rows that both tables have.
    columns : list of ColumnDifference
    only_old, only_new : list of str
        Columns that one table has.
    rows_only_old, rows_only_new : (int, list of str)
        Number of rows that one table has, and the first of them.
    """

    n_rows: int
    columns: list[ColumnDifference]
    only_old: list[str]
    only_new: list[str]
    rows_only_old: tuple[int, list[str]]
    rows_only_new: tuple[int, list[str]]


class _Rows:
    """The rows of two tables as integers: equal where all columns that say what they are of are equal."""

    def __init__(self, old: Path, new: Path, identity: Sequence[str], only: Mapping[str, Collection[str]]) -> None:
        self._identity = identity
        self._labels: list[np.ndarray] = []
        # which rows of the files are meant
        self.taken = [_where(path, only) for path in (old, new)]
        keys: list[Any] = [0, 0]
        for name in identity:
            columns = [read_column(path, name) for path in (old, new)]
            if (columns[0].labels is None) != (columns[1].labels is None):
                raise DataError(f"{old} and {new}: the column {name!r} is text in one and numbers in the other.")
            # a row without a name has the empty one
            labels = [one.values if one.labels is None else np.append(one.labels.to_numpy(), "") for one in columns]
            union = np.unique(np.concatenate(labels))
            for side, column in enumerate(columns):
                codes = np.searchsorted(union, labels[side])
                codes = codes if column.labels is None else codes[column.values]
                keys[side] = keys[side] * len(union) + codes[self.taken[side]].astype(np.int64)
            self._labels.append(union)
        if math.prod(len(labels) for labels in self._labels) >= 2**63:
            raise DataError(f"{old}: its rows are of too many different {', '.join(identity)} to be told apart.")
        self.old: np.ndarray = keys[0]
        self.new: np.ndarray = keys[1]
        for path, key in ((old, self.old), (new, self.new)):
            ordered = np.sort(key)
            twice = ordered[1:][ordered[1:] == ordered[:-1]]
            if len(twice):
                raise DataError(f"{path}: rows are there more than once, the first of them {self.describe(twice[0])}.")

    def describe(self, key: int) -> str:
        """Say in words what a row is of."""
        parts = []
        for name, labels in zip(reversed(self._identity), reversed(self._labels), strict=True):
            key, code = divmod(int(key), len(labels))
            value = labels[code]
            if labels.dtype == object:
                parts += [str(value)] if value else []
            elif not np.isnan(value):
                parts.append(f"{name} {int(value) if value == int(value) else value}")
        return ", ".join(reversed(parts))

    def only(self, own: np.ndarray, other: np.ndarray) -> tuple[int, list[str]]:
        """Count and name the rows of `own` that are not in `other`."""
        alone = np.setdiff1d(own, other, assume_unique=True)
        return len(alone), [self.describe(key) for key in alone[:SHOWN]]


def _where(path: Path, only: Mapping[str, Collection[str]]) -> np.ndarray | slice:
    """Find the rows that have one of some names in each of some columns."""
    kept = [_is_one_of(path, name, names) for name, names in only.items()]
    return slice(None) if all(one.all() for one in kept) else np.flatnonzero(np.logical_and.reduce(kept))


def _is_one_of(path: Path, name: str, names: Collection[str]) -> np.ndarray:
    """Tell which rows have one of some names in a column."""
    column = read_column(path, name)
    if column.labels is None:
        raise DataError(f"{path}: the column {name!r} holds numbers; expected names.")
    # one more place at the end: that of rows without a name
    return np.append(column.labels.isin(list(names)), False)[column.values]


def compare_tables(
    old: Path,
    new: Path,
    identity: Sequence[str],
    relative: Sequence[str] = (),
    only: Mapping[str, Collection[str]] | None = None,
) -> TableDifference:
    """Compare two tables (parquet), whatever the order of their rows.

    Parameters
    ----------
    old, new : Path
    identity : sequence of str
        Columns that say what a row is of.
    relative : sequence of str
        Columns of which only the order of magnitude counts.
    only : mapping of str to names, optional
        Compare the rows that have one of these names in the column.

    Raises
    ------
    DataError
        A table cannot be read, lacks a column that says what its rows are of, or has a row twice.
    """
    rows = _Rows(old, new, identity, only or {})
    n_rows = len(rows.old)
    taken: tuple[Any, Any] = (slice(None), slice(None))
    if not np.array_equal(rows.old, rows.new):
        _, of_old, of_new = np.intersect1d(rows.old, rows.new, assume_unique=True, return_indices=True)
        n_rows, taken = len(of_old), (of_old, of_new)
    columns = [[name for name in column_names(path) if name not in identity] for path in (old, new)]
    both = [name for name in columns[0] if name in columns[1]]
    return TableDifference(
        n_rows=n_rows,
        columns=list(_differences(old, new, both, taken, rows, relative)) if n_rows else [],
        only_old=[name for name in columns[0] if name not in both],
        only_new=[name for name in columns[1] if name not in both],
        rows_only_old=rows.only(rows.old, rows.new),
        rows_only_new=rows.only(rows.new, rows.old),
    )


def _differences(
    old: Path, new: Path, names: list[str], taken: tuple, rows: _Rows, relative: Sequence[str]
) -> Iterator[ColumnDifference]:
    for name in names:
        columns = [read_column(path, name) for path in (old, new)]
        if columns[0].labels is None and columns[1].labels is None:
            a, b = (
                column.values[own][index].astype(np.float64)
                for column, own, index in zip(columns, rows.taken, taken, strict=True)
            )
            difference = _absolute(a, b, relative=name in relative)
        else:
            a, b = (_text(column)[own][index] for column, own, index in zip(columns, rows.taken, taken, strict=True))
            difference = (a != b).astype(np.float64)
        position = int(np.argmax(difference))
        largest = float(difference[position])
        where = rows.describe(rows.old[taken[0]][position]) if largest else ""
        yield ColumnDifference(name, largest, where, int(np.count_nonzero(difference)))


def _absolute(a: np.ndarray, b: np.ndarray, relative: bool) -> np.ndarray:
    """|a - b|, or |a - b| / max(|a|, |b|); 0 where both are NaN or the same infinity, inf where one is not finite."""
    with np.errstate(invalid="ignore", divide="ignore"):
        difference = np.abs(a - b)
        if relative:
            difference /= np.maximum(np.abs(a), np.abs(b))
    difference[~np.isfinite(a) | ~np.isfinite(b)] = np.inf
    difference[(a == b) | (np.isnan(a) & np.isnan(b))] = 0.0
    return difference


def _text(column: Column) -> np.ndarray:
    """Return a column as text, row by row (names of layers: short, and few different ones)."""
    if column.labels is None:
        return column.values.astype(str)
    return np.append(column.labels.to_numpy(), "")[column.values]
