"""Tables as text that this program wrote: the large ones read by pyarrow, as pandas would read them.

A fast way is taken only where it cannot matter: types are those that pandas finds, numbers are rounded to the last bit
by both, and a file that is not plain (quotes, other line ends, lines of unequal length, a number that is none) is left
to `text_tables`, which reads it or says what is wrong.
"""

from __future__ import annotations

import io
from collections.abc import Collection
from itertools import islice
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
from pyarrow import csv

from .text_tables import open_text

# bytes from which on pyarrow is worth its start
LARGE = 1_000_000
# rows by which it is told what a column holds
SAMPLE = 200
# as pandas is asked for everywhere: an empty cell is missing, and nothing else
EMPTY = {"keep_default_na": False, "na_values": [""]}
_BLOCK = 1 << 22


def read_written(path: Path, text: Collection[str], large: int = LARGE) -> pd.DataFrame:
    """Read a table of text parted by tabs.

    Parameters
    ----------
    path : Path
    text : collection of str
        Columns that are text whatever they look like: NA and 001 are names.
    large : int
        Bytes from which on it is read by pyarrow.

    Returns
    -------
    DataFrame
        Rows from 0. An empty cell is a missing value, and nothing else is.

    Raises
    ------
    DataError, OSError, ValueError
        As `text_tables.open_text` and its `frame`.
    """
    found = _read_plain(path, text) if path.stat().st_size >= large else None
    if found is not None:
        return found
    table = open_text(path)
    as_text = dict.fromkeys((name for name in table.header if name in text), str)
    return table.frame(dtype=as_text, **EMPTY).reset_index(drop=True)


def _read_plain(path: Path, text: Collection[str]) -> pd.DataFrame | None:
    """Read a plain table; None where it is not."""
    if not _is_plain(path):
        return None
    try:
        with open(path, encoding="utf-8", newline="") as file:
            head = list(islice(file, SAMPLE + 1))
        header = head[0].rstrip("\n").split("\t")
        sample = pd.read_csv(io.StringIO("".join(head)), sep="\t", quoting=3, index_col=False, **EMPTY)
        if len(set(header)) < len(header) or list(sample.columns) != header:
            return None
        numbers = {name: sample[name].dtype.kind for name in header if name not in text}
        types = {"f": pa.float64(), "i": pa.int64()}
        names = pa.dictionary(pa.int32(), pa.string())
        table = csv.read_csv(
            path,
            read_options=csv.ReadOptions(block_size=_BLOCK),
            parse_options=csv.ParseOptions(delimiter="\t", quote_char=False),
            convert_options=csv.ConvertOptions(
                column_types={name: types.get(numbers.get(name, "O"), names) for name in header},
                null_values=[""],
                strings_can_be_null=True,
            ),
        )
    except (pa.ArrowException, ValueError, IndexError):
        return None
    return pd.DataFrame({name: _column(table[name], name in text) for name in header}, copy=False)


def _is_plain(path: Path) -> bool:
    """Whether a file has no quotes, zero bytes or line ends but \\n, and does not begin with a mark of its encoding."""
    with open(path, "rb") as file:
        first = True
        while block := file.read(_BLOCK):
            if first and block.startswith((b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff")):
                return False
            if any(sign in block for sign in (b'"', b"\0", b"\r")):
                return False
            first = False
    return True


def _column(column: pa.ChunkedArray, is_text: bool) -> np.ndarray:
    """Return the values of a column: numbers as they are, others by pandas, which is asked once for each of them."""
    if not pa.types.is_dictionary(column.type):
        return column.to_numpy()
    whole = column.unify_dictionaries().combine_chunks()
    if isinstance(whole, pa.ChunkedArray):  # combined chunks of no rows, or too many for one
        whole = pa.concat_arrays(whole.chunks) if whole.num_chunks else pa.array([], type=column.type)
    codes = whole.indices.fill_null(len(whole.dictionary)).to_numpy()
    different = whole.dictionary.to_pylist() + ([""] if whole.null_count else [])
    if is_text:
        values = np.array([name or np.nan for name in different], dtype=object)
    else:
        written = io.StringIO("\n".join(["value", *different, ""]))
        options = {"sep": "\t", "quoting": 3, "skip_blank_lines": False, "float_precision": "round_trip", **EMPTY}
        values = pd.read_csv(written, **options)["value"].to_numpy()
    return values[codes]
