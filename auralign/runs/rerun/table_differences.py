"""By how much two tables of scores differ: rows joined by what they are of, columns compared one at a time."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ...errors import DataError
from .columns import Column, column_names, read_column

# what a row is of; the name of a layer follows from the first two
IDENTITY = ("features", "layer", "target", "estimator", "split")
# rows on one side only that are named
SHOWN = 5


@dataclass(frozen=True)
class ColumnDifference:
    """The difference of one column over the rows that both tables have.

    Attributes
    ----------
    column : str
    largest : float
        Largest absolute difference; of `alpha`, of which only the order of magnitude counts, |a - b| / max(|a|, |b|).
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
    """The rows of two tables as integers: equal where features, layer, target, estimator and split are equal."""

    def __init__(self, old: Path, new: Path) -> None:
        self._labels: list[np.ndarray] = []
        keys: list[Any] = [0, 0]
        for name in IDENTITY:
            columns = [read_column(path, name) for path in (old, new)]
            if (columns[0].labels is None) != (columns[1].labels is None):
                raise DataError(f"{old} and {new}: the column {name!r} is text in one and numbers in the other.")
            labels = [column.values if column.labels is None else column.labels.to_numpy() for column in columns]
            union = np.unique(np.concatenate(labels))
            for side, column in enumerate(columns):
                codes = np.searchsorted(union, labels[side])
                codes = codes if column.labels is None else codes[column.values]
                keys[side] = keys[side] * len(union) + codes.astype(np.int64)
            self._labels.append(union)
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
        for name, labels in zip(reversed(IDENTITY), reversed(self._labels), strict=True):
            key, code = divmod(int(key), len(labels))
            value = labels[code]
            parts.append(f"{name} {value}" if name in ("layer", "split") else str(value))
        return ", ".join(reversed(parts))

    def only(self, own: np.ndarray, other: np.ndarray) -> tuple[int, list[str]]:
        """Count and name the rows of `own` that are not in `other`."""
        alone = np.setdiff1d(own, other, assume_unique=True)
        return len(alone), [self.describe(key) for key in alone[:SHOWN]]


def compare_tables(old: Path, new: Path) -> TableDifference:
    """Compare two tables of scores (parquet), whatever the order of their rows.

    Raises
    ------
    DataError
        A table cannot be read, lacks a column that says what its rows are of, or has a row twice.
    """
    rows = _Rows(old, new)
    n_rows = len(rows.old)
    taken: tuple[Any, Any] = (slice(None), slice(None))
    if not np.array_equal(rows.old, rows.new):
        _, of_old, of_new = np.intersect1d(rows.old, rows.new, assume_unique=True, return_indices=True)
        n_rows, taken = len(of_old), (of_old, of_new)
    columns = [[name for name in column_names(path) if name not in IDENTITY] for path in (old, new)]
    both = [name for name in columns[0] if name in columns[1]]
    return TableDifference(
        n_rows=n_rows,
        columns=list(_differences(old, new, both, taken, rows)) if n_rows else [],
        only_old=[name for name in columns[0] if name not in both],
        only_new=[name for name in columns[1] if name not in both],
        rows_only_old=rows.only(rows.old, rows.new),
        rows_only_new=rows.only(rows.new, rows.old),
    )


def _differences(old: Path, new: Path, names: list[str], taken: tuple, rows: _Rows) -> Iterator[ColumnDifference]:
    for name in names:
        columns = [read_column(path, name) for path in (old, new)]
        if columns[0].labels is None and columns[1].labels is None:
            a, b = (column.values[index].astype(np.float64) for column, index in zip(columns, taken, strict=True))
            difference = _absolute(a, b, relative=name == "alpha")
        else:
            a, b = (_text(column)[index] for column, index in zip(columns, taken, strict=True))
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
