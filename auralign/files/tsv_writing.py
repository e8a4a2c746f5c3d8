"""Tables as tab-separated text, as pandas writes them, but fast: a summary of many layers has hundreds of megabytes."""

import csv
import io
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

_SPECIAL = re.compile('[\t\r\n"]')
# rows that are text at a time
ROWS_AT_ONCE = 65_536


class TsvFile:
    """A table of text that is being written; see `open_tsv`."""

    def __init__(self, file: BinaryIO) -> None:
        self._file, self._columns = file, list[str]()

    def write(self, table: pd.DataFrame) -> None:
        """Write some rows, before the first ones the names of the columns.

        Numbers are written with as few digits as are read back to the same number, missing values as nothing, text in
        quotes where it has to be: letter by letter as `DataFrame.to_csv(sep="\\t", index=False)` does.
        """
        if not self._columns:
            self._columns = [_quoted(str(name)) for name in table.columns]
            self._file.write(("\t".join(self._columns) + "\n").encode())
        for start in range(0, len(table), ROWS_AT_ONCE):
            rows = table.iloc[start : start + ROWS_AT_ONCE]
            columns = [_text(rows.iloc[:, number]) for number in range(rows.shape[1])]
            if columns:
                self._file.write(_lines(columns, len(rows)))


@contextmanager
def open_tsv(path: Path) -> Iterator[TsvFile]:
    """Open a .tsv to write to, some rows at a time."""
    with open(path, "wb") as file:
        yield TsvFile(file)


def write_tsv(table: pd.DataFrame, path: Path) -> None:
    """Write a table as tab-separated text; see `TsvFile.write`."""
    with open_tsv(path) as file:
        file.write(table)


def _lines(columns: list[pa.Array], n_rows: int) -> memoryview:
    """Put columns of text beside each other."""
    if len(columns) == 1:
        # a row of nothing at all would be an empty line, which readers pass over
        columns = [pc.if_else(pc.equal(columns[0], ""), '""', columns[0])]
    ended = [*columns[:-1], pc.binary_join_element_wise(columns[-1], "\n", "")]
    joined = pc.binary_join_element_wise(*ended, "\t")
    _, ends, text = joined.buffers()
    return memoryview(text)[: np.frombuffer(ends, dtype=np.int32)[n_rows]]


def _text(column: pd.Series) -> pa.Array:
    """Write the values of a column as text."""
    if isinstance(column.dtype, pd.CategoricalDtype):
        labels = _text(pd.Series(column.cat.categories))
        codes = column.cat.codes.to_numpy()
        return pc.fill_null(labels.take(pa.array(codes, mask=codes < 0)), "")
    if column.dtype == np.float64:
        return _numbers(column.to_numpy())
    if pd.api.types.is_integer_dtype(column) and isinstance(column.dtype, np.dtype):
        return pa.array(column.to_numpy()).cast(pa.string())
    if column.dtype == object and pd.api.types.infer_dtype(column, skipna=True) not in ("string", "empty"):
        # 1 and True are equal, but not written alike
        column = pd.Series([None if pd.isna(value) else str(value) for value in column], dtype=object)
    codes, labels = pd.factorize(column, use_na_sentinel=True)
    texts = pa.array([_quoted(str(label)) for label in np.asarray(labels)], type=pa.string())
    return pc.fill_null(texts.take(pa.array(codes, mask=codes < 0)), "")


def _numbers(values: np.ndarray) -> pa.Array:
    """Write numbers as Python does: 1.0, 1e-05, inf."""
    size = np.abs(values)
    with np.errstate(invalid="ignore"):
        whole = (values == np.floor(values)) & (size < 1e10)
        # Python writes these with an exponent, or by another name
        own = np.flatnonzero(((size < 1e-4) & (size > 0)) | (size >= 1e10))
    text = pc.cast(pa.array(values, from_pandas=True), pa.string())
    text = pc.if_else(pa.array(whole), pc.binary_join_element_wise(text, ".0", ""), text)
    if len(own):
        mask = np.zeros(len(values), dtype=bool)
        mask[own] = True
        text = pc.replace_with_mask(text, pa.array(mask), pa.array([repr(float(values[n])) for n in own]))
    return pc.fill_null(text, "")


def _quoted(text: str) -> str:
    """Quote a text where it has to be."""
    if not _SPECIAL.search(text):
        return text
    written = io.StringIO()
    csv.writer(written, delimiter="\t", lineterminator="\n").writerow([text, ""])
    return written.getvalue()[:-2]
