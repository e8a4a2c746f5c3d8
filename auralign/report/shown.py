"""Tables as the page shows them: cells written for readers, long tables cut to their ends, and what was left out."""

from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from .glossary import COLUMNS, P_VALUES, SIGNED, WHOLE, WIDE
from .wording import p_value, score, signed

# a page does not hold more rows of one table than about this
MAX_ROWS = 600


@dataclass(frozen=True)
class Cell:
    """What is read, and for numbers the full value, by which rows are sorted and which is downloaded."""

    text: str
    value: str | None = None


@dataclass(frozen=True)
class Shown:
    """A table of the page.

    Attributes
    ----------
    key : str
        Names the downloaded file.
    title : str
    columns : list of str
    rows : list of list of Cell
    note : str
        What the table is, and what was left out.
    file : str
        Where the whole table is, in the results folder.
    expanded : bool
        Whether the table is open when the page opens.
    """

    key: str
    title: str
    columns: list[str]
    rows: list[list[Cell]]
    note: str = ""
    file: str = ""
    expanded: bool = False
    numeric: frozenset[str] = field(default_factory=frozenset)

    @property
    def meanings(self) -> dict[str, str]:
        """The columns that need a word of explanation, with it."""
        return {column: COLUMNS[column] for column in self.columns if column in COLUMNS}


def show(
    table: pd.DataFrame,
    key: str,
    title: str,
    file: str = "",
    note: str = "",
    ends: tuple[str, list[str]] | None = None,
    expanded: bool = False,
) -> Shown:
    """Write a table for the page.

    Parameters
    ----------
    table : DataFrame
    key, title, file, note, expanded
        See `Shown`.
    ends : (column, keys), optional
        Where the table is too long: in each group of `keys` keep the rows with the highest and the lowest values of
        `column`. Without it the first rows are kept.

    Returns
    -------
    Shown
        Columns without any value are not shown.
    """
    kept, left_out = cut(table, ends)
    kept = kept.dropna(axis=1, how="all") if len(kept) else kept
    numeric = frozenset(c for c in kept if pd.api.types.is_numeric_dtype(kept[c]) and not _is_flag(kept[c]))
    columns = [[_cell(column, value) for value in kept[column]] for column in kept]
    where = f" The whole table is {file} in the results folder." if left_out and file else ""
    return Shown(
        key=key,
        title=title,
        columns=[str(column) for column in kept],
        rows=[list(row) for row in zip(*columns, strict=True)],
        note=" ".join(part for part in (note, left_out + where) if part),
        file=file,
        expanded=expanded,
        numeric=numeric,
    )


def cut(table: pd.DataFrame, ends: tuple[str, list[str]] | None) -> tuple[pd.DataFrame, str]:
    """Cut a long table to its ends and say so.

    Returns
    -------
    DataFrame
        At most about `MAX_ROWS` rows, three or more at each end of each group.
    str
        What was left out; empty where nothing was.
    """
    if len(table) <= MAX_ROWS:
        return table, ""
    if ends is None:
        return table.head(MAX_ROWS), f"The first {MAX_ROWS} of {len(table):,} rows."
    column, keys = ends
    n_groups = table.groupby(keys, sort=False, dropna=False).ngroups if keys else 1
    each = max(3, MAX_ROWS // (2 * n_groups))
    ordered = table.sort_values(column, ascending=False, kind="stable", na_position="last")
    groups = ordered.groupby(keys, sort=False, dropna=False) if keys else ordered
    high, low = groups.head(each), groups.tail(each)
    kept = ordered.loc[ordered.index.isin(high.index.union(low.index))]
    of = f" of each {' and '.join(keys)}" if keys else ""
    return kept, f"The {each} highest and {each} lowest rows by {column}{of}, {len(kept):,} of {len(table):,} rows."


def _is_flag(values: pd.Series) -> bool:
    return pd.api.types.is_bool_dtype(values)


def _cell(column: str, value: object) -> Cell:
    """Write one value as its column asks for."""
    if isinstance(value, bool | np.bool_):
        return Cell("yes" if value else "no")
    if value is None or (not isinstance(value, str) and pd.isna(value)):
        return Cell("")
    if isinstance(value, int | np.integer):
        return Cell(str(value), str(value))
    if isinstance(value, float | np.floating):
        return Cell(_number(column, float(value)), repr(float(value)))
    return Cell(str(value))


def _number(column: str, value: float) -> str:
    if not np.isfinite(value):
        return "unbounded"
    if column in P_VALUES:
        return p_value(value)
    if column in WIDE:
        return f"{value:.3g}"
    if column in SIGNED:
        return signed(value)
    # a column of whole numbers becomes one of floats where a cell is empty
    if column in WHOLE or column.startswith("n_"):
        return str(int(value)) if value.is_integer() else f"{value:.1f}"
    return score(value)
