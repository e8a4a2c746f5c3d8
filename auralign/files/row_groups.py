"""Parquet files that are written part by part, so that a table of millions of rows is never held as a whole."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from .atomic import written_atomically


class RowGroups:
    """A parquet file that is being written; see `open_row_groups`."""

    def __init__(self, path: Path, repeated: Sequence[str]) -> None:
        self._path, self._repeated = path, repeated
        self._writer: pq.ParquetWriter | None = None

    def write(self, table: pd.DataFrame) -> None:
        """Write a part as a row group; all parts have the same columns. Categories are read back as text."""
        part = pa.Table.from_pandas(table, preserve_index=False).replace_schema_metadata(None)
        if self._writer is None:
            schema = pa.schema([pa.field(field.name, _stored(field.type)) for field in part.schema])
            names = [field.name for field in schema if pa.types.is_dictionary(field.type) or _is_text(field.type)]
            kept = [name for name in self._repeated if name in schema.names]
            # without its own schema the file says no more of names than that they are text; of numbers that differ from
            # row to row a dictionary would only cost time
            self._writer = pq.ParquetWriter(
                self._path, schema, use_dictionary=[*names, *kept] or False, store_schema=False
            )
        self._writer.write_table(part.cast(self._writer.schema), row_group_size=max(len(part), 1))

    def close(self) -> None:
        """Finish the file."""
        if self._writer is not None:
            self._writer.close()


@contextmanager
def open_row_groups(path: Path, repeated: Sequence[str] = (), scratch: Path | None = None) -> Iterator[RowGroups]:
    """Open a parquet file to write to; it is there as a whole once everything is written, or not at all.

    Parameters
    ----------
    path : Path
    repeated : sequence of str
        Columns of numbers of which there are few different ones; names are known to be so.
    scratch : Path, optional
        As in `written_atomically`.
    """
    with written_atomically(path, scratch) as partial:
        groups = RowGroups(partial, repeated)
        try:
            yield groups
        finally:
            groups.close()


def _is_text(kind: pa.DataType) -> bool:
    return pa.types.is_string(kind) or pa.types.is_large_string(kind)


def _stored(kind: pa.DataType) -> pa.DataType:
    """Widen the numbers of a dictionary, of which another part may need more."""
    if pa.types.is_null(kind):
        return pa.string()
    return pa.dictionary(pa.int32(), kind.value_type) if pa.types.is_dictionary(kind) else kind
