"""Text that is a table of plain numbers but for a few columns, as an array; large ones by pyarrow."""

from __future__ import annotations

import io
from collections.abc import Collection, Sequence

import numpy as np

# characters from which on pyarrow is worth its start
LARGE = 1_000_000

# numbers [n_rows, n_columns without those of text], and each column of text
Values = tuple[np.ndarray, list[list[str]]]


def read_values(
    content: str, separator: str, lines: np.ndarray, n_columns: int, text: Sequence[int], missing: Collection[str]
) -> Values | None:
    """Read the rows of a table without quotes.

    Parameters
    ----------
    content : str
        With its header. Every line that is not empty has as many values as there are columns.
    separator : str
    lines : ndarray of int, shape (n_rows,)
        Line at which each row is, from 1.
    n_columns : int
    text : sequence of int
        Positions of the columns that are text, ascending.
    missing : collection of str
        What stands for a missing number, which is NaN.

    Returns
    -------
    Values or None
        None where a value is not plainly a number, or is not finite.
    """
    found = None
    if len(content) >= LARGE and len(lines):
        found = _by_pyarrow(content, separator, lines, n_columns, text, missing)
    # what pyarrow refuses (a sign before a positive number, say) may be a number all the same
    return _by_line(content, separator, len(lines), n_columns, text, missing) if found is None else found


def _by_pyarrow(
    content: str, separator: str, lines: np.ndarray, n_columns: int, text: Sequence[int], missing: Collection[str]
) -> Values | None:
    """As `read_values`. pyarrow rounds to the last bit as Python does, and takes nothing for a number that is none."""
    import pyarrow as pa  # here: small tables, which every command reads, do without
    from pyarrow import csv

    names = [str(place) for place in range(n_columns)]
    numbers = [place for place in range(n_columns) if place not in set(text)]
    types = dict.fromkeys(names, pa.float64()) | {str(place): pa.string() for place in text}
    encoded = content.encode()
    try:
        table = csv.read_csv(
            pa.BufferReader(encoded),
            # a line must fit into a block: lines of numbers are about as long as each other
            read_options=csv.ReadOptions(
                column_names=names, skip_rows=int(lines[0]) - 1, block_size=max(1 << 20, 8 * len(encoded) // len(lines))
            ),
            parse_options=csv.ParseOptions(delimiter=separator, quote_char=False),
            convert_options=csv.ConvertOptions(column_types=types, null_values=list(missing)),
        )
    except pa.ArrowException:
        return None
    if len(table) != len(lines):
        return None
    values = np.empty((len(lines), len(numbers)))
    for place, number in enumerate(numbers):
        column = table.column(number)
        values[:, place] = column.to_numpy()  # NaN where there is none
        if np.count_nonzero(~np.isfinite(values[:, place])) != column.null_count:
            return None
    return values, [table.column(place).to_pylist() for place in text]


def _by_line(
    content: str, separator: str, n_rows: int, n_columns: int, text: Sequence[int], missing: Collection[str]
) -> Values | None:
    """As `read_values`."""
    values = np.empty((n_rows, n_columns - len(text)))
    texts: list[list[str]] = [[] for _ in text]
    rows = (line.rstrip("\r\n").split(separator) for line in io.StringIO(content, newline=""))
    rows = (row for row in rows if len(row) > 1 or row[0].strip())
    next(rows)
    for number, row in enumerate(rows):
        for held, column in reversed(list(zip(texts, text, strict=True))):
            held.append(row.pop(column))
        written = "".join(row)
        if "_" in written or not (written.isascii() and written.isprintable()):  # for Python 1_0 is a number, too
            return None
        try:
            try:
                values[number] = list(map(float, row))
            except ValueError:
                values[number] = [np.nan if value in missing else float(value) for value in row]
        except ValueError:
            return None
        if any(row[place] not in missing for place in np.flatnonzero(~np.isfinite(values[number]))):
            return None
    return values, texts
