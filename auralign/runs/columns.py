"""Columns of a parquet table, read one at a time, so that a table of millions of rows is never held as a whole."""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from ..errors import DataError


@dataclass(frozen=True)
class Column:
    """One column.

    Attributes
    ----------
    labels : Index or None
        Of a column of text: the different values, sorted.
    values : ndarray, shape (n_rows,)
        Numbers; of a column of text the positions in `labels`, -1 where there is no value.
    """

    labels: pd.Index | None
    values: np.ndarray


def column_names(path: Path) -> list[str]:
    """Return the names of a table's columns; DataError where it cannot be read."""
    try:
        return pq.read_schema(path).names
    except FileNotFoundError as error:
        raise DataError(f"{path}: the file is missing.") from error
    except (OSError, pa.ArrowException) as error:
        raise DataError(f"{path}: not a parquet table that can be read: {error}") from error


def read_column(path: Path, name: str) -> Column:
    """Read one column; text is never held row by row.

    Raises
    ------
    DataError
        The table cannot be read or lacks the column.
    """
    if name not in column_names(path):
        raise DataError(f"{path}: there is no column {name!r}; there are {column_names(path)}.")
    try:
        is_text = _is_text(pq.read_schema(path).field(name).type)
        table = pq.read_table(path, columns=[name], read_dictionary=[name] if is_text else None)
        values = table.column(0).to_pandas()
    except (OSError, pa.ArrowException) as error:
        raise DataError(f"{path}: the column {name!r} cannot be read: {error}") from error
    if not is_text:
        return Column(None, values.to_numpy())
    values = values.cat.remove_unused_categories()
    labels = pd.Index(sorted(values.cat.categories), dtype=object)
    return Column(labels, _positions(values, labels))


def _is_text(kind: pa.DataType) -> bool:
    value = kind.value_type if pa.types.is_dictionary(kind) else kind
    return pa.types.is_string(value) or pa.types.is_large_string(value)


def values_sha256(path: Path) -> str:
    """Return the SHA-256 of a table's values, of which some row groups are read at a time.

    It depends on the names and values of the columns and on the order of the rows; not on the order of the columns nor
    on how the file stores them (compression, types of 32 or 64 bits, row groups, the version that wrote it).

    Raises
    ------
    DataError
        The table cannot be read.
    """
    digest = hashlib.sha256()
    for name in sorted(column_names(path)):
        try:
            with pq.ParquetFile(path, read_dictionary=[name]) as file:
                _update(digest, file, name)
        except (OSError, pa.ArrowException) as error:
            raise DataError(f"{path}: the column {name!r} cannot be read: {error}") from error
    return digest.hexdigest()


def _update(digest: "hashlib._Hash", file: pq.ParquetFile, name: str) -> None:
    """Add one column: what it holds, then its values, row group by row group."""
    n_rows = file.metadata.num_rows
    labels: pd.Index | None = None
    if _is_text(file.schema_arrow.field(name).type):
        held: set[str] = set()
        for values in _row_groups(file, name):
            held |= set(values.cat.remove_unused_categories().cat.categories)
        labels = pd.Index(sorted(held), dtype=object)
        kind = "i"
    elif pa.types.is_floating(file.schema_arrow.field(name).type):
        kind = "f"
    else:
        # whole numbers with gaps are read as numbers with NaN
        kinds = {values.dtype.kind for values in _row_groups(file, name)} or {"f"}
        kind = "f" if "f" in kinds else min(kinds)
    known = None if labels is None else list(labels)
    digest.update(json.dumps([name, known, kind, n_rows]).encode())
    for values in _row_groups(file, name):
        numbers = values.to_numpy() if labels is None else _positions(values, labels)
        digest.update(_canonical(numbers.astype(float) if kind == "f" else numbers).data)


def _row_groups(file: pq.ParquetFile, name: str) -> Iterator[pd.Series]:
    for number in range(file.num_row_groups):
        yield file.read_row_group(number, [name]).column(0).to_pandas()


def _positions(values: pd.Series, labels: pd.Index) -> np.ndarray:
    """Number the values of a column of text by their places in sorted labels, -1 where there is none."""
    # one more place at the end: code -1, no value, stays -1
    return np.append(labels.get_indexer(values.cat.categories), -1)[values.cat.codes.to_numpy()]


def _canonical(values: np.ndarray) -> np.ndarray:
    """Bring numbers to 64 bits, lowest byte first, with one kind of NaN."""
    if values.dtype.kind == "f":
        values = values.astype("<f8")
        return np.where(np.isnan(values), np.nan, values)
    if values.dtype.kind in "iub":
        return values.astype("<i8")
    raise DataError(f"values of type {values.dtype} have no checksum; expected numbers or text.")
