"""The long table that every question writes: one row per number, `question, measure, value` and the dims it has.

A file `measures.parquet` holds the measures of all questions of a results folder, one row group per block, so that a
reader that wants one feature set or layer reads no more than that. The version of this contract is in its metadata.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from ..errors import DataError, did_you_mean
from ..files.atomic import written_atomically

FILE = "measures.parquet"
# version of the contract, and the key of the file's metadata that holds it
SCHEMA = 1
SCHEMA_KEY = b"auralign.schema"

# every column there may be, in the order of the file, and what it holds
COLUMNS: dict[str, type] = {
    "question": str, "measure": str, "value": float,
    "features": str, "layer": int, "layer_name": str, "estimator": str,
    "target": str, "component": str, "time": float, "lag": float,
    "subject": str, "roi": str, "group": str,
    "split": int, "n_train": int, "n_test": int,
    "low": float, "high": float, "p": float, "p_fdr": float,
}  # fmt: skip
ALWAYS = ("question", "measure", "value")
# numbers; the other columns say what they are of
NUMBERS = ("value", "low", "high", "p", "p_fdr")
# how the columns are stored: a name is stored once per row group
_STORED = {str: pa.dictionary(pa.int32(), pa.string()), int: pa.int32(), float: pa.float64()}
# numbers of which there are few different ones
_REPEATED = ("layer", "time", "lag", "split", "n_train", "n_test")
_CALLED = {str: "text", int: "whole numbers", float: "numbers"}


def one_name(name: str, n_rows: int) -> pd.Categorical:
    """Repeat a name, without holding it row by row."""
    return pd.Categorical.from_codes(np.zeros(n_rows, dtype=np.int8), [name])


def to_long(table: pd.DataFrame, measures: Sequence[str]) -> pd.DataFrame:
    """Put columns of numbers below each other, measure by measure; all other columns are dims of each of them.

    Parameters
    ----------
    table : DataFrame
        Names as categories stay so, which is what makes tables of millions of rows cheap.
    measures : sequence of str

    Returns
    -------
    DataFrame
        Columns `measure`, `value` and the dims.
    """
    times = len(measures)
    long: dict[str, Any] = {
        "measure": pd.Categorical.from_codes(np.repeat(np.arange(times), len(table)), list(measures)),
        "value": np.concatenate([table[name].to_numpy(float) for name in measures]),
    }
    for dim in table.columns.drop(list(measures)):
        column = table[dim]
        if isinstance(column.dtype, pd.CategoricalDtype):
            long[dim] = pd.Categorical.from_codes(np.tile(column.cat.codes, times), dtype=column.dtype)
        else:
            long[dim] = np.tile(column.to_numpy(), times)
    return pd.DataFrame(long, copy=False)


def to_wide(table: pd.DataFrame) -> pd.DataFrame:
    """Give every measure a column of its own: one row per combination of dims, in the order of their first rows.

    Parameters
    ----------
    table : DataFrame
        Measures, such as those of `read_measures`.

    Returns
    -------
    DataFrame
        The dims, then per measure a column of its values and, where it has them, `<measure>_low`, `<measure>_high`,
        `<measure>_p`, `<measure>_p_fdr`.

    Raises
    ------
    DataError
        A measure has two values for the same dims.
    """
    dims = [name for name in table.columns if name not in (*NUMBERS, "measure")]
    # a number per combination, which costs less than an index of many levels
    row, kept = _combinations(table, dims)
    wide = table.iloc[kept][dims].reset_index(drop=True)
    for measure in pd.unique(table["measure"]):
        own = np.flatnonzero(table["measure"] == measure)
        twice = pd.Series(row[own]).duplicated()
        if twice.any():
            where = table.iloc[own[np.argmax(twice)]][dims].dropna()
            of = ", ".join(f"{key} {value}" for key, value in where.items())
            raise DataError(f"the measure {measure!r} is there twice for the same dims ({of}); filter the table first.")
        for number in (name for name in NUMBERS if name in table):
            values = np.full(len(wide), np.nan)
            values[row[own]] = table[number].to_numpy(float)[own]
            if number == "value" or not np.isnan(values).all():
                wide[measure if number == "value" else f"{measure}_{number}"] = values
    return wide


def _combinations(table: pd.DataFrame, dims: list[str]) -> tuple[np.ndarray, np.ndarray]:
    """Number the combinations of dims by their first rows: the number of every row, and the first row of every one."""
    codes = np.zeros(len(table), dtype=np.int64)
    for dim in dims:
        of_dim, names = pd.factorize(table[dim], use_na_sentinel=False)
        codes, _ = pd.factorize(codes * max(len(names), 1) + of_dim)
    kept = np.flatnonzero(~pd.Series(codes).duplicated().to_numpy())
    return codes, kept


def check_measures(
    table: pd.DataFrame, question: str, measures: Iterable[str], dims: Mapping[str, type] | None = None
) -> None:
    """Refuse a table of measures that does not keep the contract.

    Parameters
    ----------
    table : DataFrame
        Without the column `question`.
    question : str
    measures : iterable of str
        The measures that the question says it has.
    dims : mapping of str to type, optional
        Dims that the question has beside those of `COLUMNS`: by name `str`, `int` or `float`.

    Raises
    ------
    DataError
        A column is unknown, absent or of another type, or a measure unknown; what is allowed is said.
    """
    allowed = {**COLUMNS, **(dims or {})}
    for name in ALWAYS[1:]:
        if name not in table:
            raise DataError(f"measures of {question}: the column {name!r} is missing; there are {list(table)}.")
    for name in table.columns:
        if name not in allowed or name == "question":
            raise DataError(
                f"measures of {question}: {name!r} is no dim of the contract.{did_you_mean(str(name), allowed)} "
                f"Allowed are {', '.join(list(allowed)[1:])}."
            )
        if not _holds(table[name], allowed[name]):
            raise DataError(
                f"measures of {question}: the column {name!r} holds {_what(table[name])}; "
                f"expected {_CALLED[allowed[name]]}."
            )
    known = list(measures)
    for measure in pd.unique(table["measure"]):
        if measure not in known:
            raise DataError(
                f"measures of {question}: {measure!r} is none of its measures.{did_you_mean(str(measure), known)} "
                f"They are {', '.join(known)}."
            )


def _holds(column: pd.Series, kind: type) -> bool:
    """Tell whether a column holds what it should; a number or name that is not there is allowed."""
    if kind is str:
        values = column.cat.categories if isinstance(column.dtype, pd.CategoricalDtype) else column
        return pd.api.types.infer_dtype(values, skipna=True) in ("string", "empty")
    if kind is int:
        return pd.api.types.is_integer_dtype(column)
    return pd.api.types.is_numeric_dtype(column) and not pd.api.types.is_bool_dtype(column)


def _what(column: pd.Series) -> str:
    values = column.cat.categories if isinstance(column.dtype, pd.CategoricalDtype) else column
    return f"values of the type {pd.api.types.infer_dtype(values, skipna=True)}"


class MeasuresFile:
    """A `measures.parquet` that is being written; see `open_measures`."""

    def __init__(self, writer: pq.ParquetWriter) -> None:
        self._writer = writer

    def write(self, question: str, table: pd.DataFrame) -> None:
        """Write the measures of one block, checked by `check_measures`, as a row group.

        Raises
        ------
        DataError
            It has a dim for which the file was not opened.
        """
        n_rows = len(table)
        if not n_rows:
            return
        absent = table.columns.difference(self._writer.schema.names)
        if len(absent):
            raise DataError(f"measures of {question}: its plan does not list {', '.join(absent)} among its dims.")
        columns = []
        for field in self._writer.schema:
            if field.name == "question":
                columns.append(_dictionary(one_name(question, n_rows)))
            elif field.name in table:
                columns.append(_array(table[field.name], field.type))
            else:
                columns.append(pa.nulls(n_rows, field.type))
        self._writer.write_table(pa.Table.from_arrays(columns, schema=self._writer.schema), row_group_size=n_rows)


@contextmanager
def open_measures(
    path: Path, dims: Iterable[str], own: Mapping[str, type] | None = None, scratch: Path | None = None
) -> Iterator[MeasuresFile]:
    """Open a `measures.parquet` to write to; it is there as a whole once everything is written, or not at all.

    Parameters
    ----------
    path : Path
    dims : iterable of str
        Columns beside `ALWAYS` that some of the measures have.
    own : mapping of str to type, optional
        Dims of questions beside those of `COLUMNS`; they stand last.
    scratch : Path, optional
        As in `written_atomically`.
    """
    wanted, kinds = {*ALWAYS, *dims}, {**COLUMNS, **(own or {})}
    fields = [pa.field(name, _STORED[kind]) for name, kind in kinds.items() if name in wanted]
    schema = pa.schema(fields, metadata={SCHEMA_KEY: str(SCHEMA).encode()})
    names = [field.name for field in fields if pa.types.is_dictionary(field.type)]
    with (
        written_atomically(path, scratch) as partial,
        # values differ from row to row: a dictionary of them would only cost time
        pq.ParquetWriter(partial, schema, compression="zstd", use_dictionary=[*names, *_REPEATED]) as writer,
    ):
        yield MeasuresFile(writer)


def _array(column: pd.Series, kind: pa.DataType) -> pa.Array:
    if pa.types.is_dictionary(kind):
        return _dictionary(column.astype("category").array)
    # without from_pandas a score that is not defined would stay NaN, and an absent p too: readers take null for both
    return pa.array(column, type=kind, from_pandas=True)


def _dictionary(names: pd.Categorical) -> pa.Array:
    codes = names.codes.astype(np.int32)
    return pa.DictionaryArray.from_arrays(pa.array(codes, mask=codes < 0), pa.array(names.categories, type=pa.string()))


def refuse_newer(path: Path, schema: int) -> None:
    """Refuse a file whose contract is newer than this version knows.

    Raises
    ------
    DataError
    """
    if schema > SCHEMA:
        raise DataError(
            f"{path}: written by a newer version of auralign (tables of schema {schema}; this version reads up to "
            f"{SCHEMA}). Update it: pip install --upgrade auralign"
        )


def schema_of(path: Path) -> pa.Schema:
    """Read which columns a `measures.parquet` has.

    Raises
    ------
    DataError
        It cannot be read, is not a table of measures, or is one of a newer version.
    """
    try:
        schema = pq.read_schema(path)
    except FileNotFoundError as error:
        raise DataError(f"{path}: the file is missing.") from error
    except (OSError, pa.ArrowException) as error:
        raise DataError(f"{path}: the file cannot be read ({error}). Run the comparison again.") from error
    version = (schema.metadata or {}).get(SCHEMA_KEY, b"")
    if not version.isdigit():
        raise DataError(f"{path}: not a table of measures: its metadata name no {SCHEMA_KEY.decode()}.")
    refuse_newer(path, int(version))
    return schema


def read_measures(path: Path, **filters: Any) -> pd.DataFrame:
    """Read measures, of a large file only those that are wanted.

    Parameters
    ----------
    path : Path
    **filters : value or list of values
        By column: `measure="r2", layer=[0, 1]`. Row groups in which none can be are not read.

    Returns
    -------
    DataFrame
        Rows in the order of the file; names as text, and no column in which nothing is.

    Raises
    ------
    DataError
        As `schema_of`; or a filter is of a column that is not there, or holds values of another type.
    """
    schema = schema_of(path)
    plain = [pa.field(f.name, pa.string()) if pa.types.is_dictionary(f.type) else f for f in schema]
    conditions = [_condition(path, pa.schema(plain), name, wanted) for name, wanted in filters.items()]
    try:
        # no partitioning: a folder such as `run=1` is a name and no column
        table = pq.read_table(path, filters=conditions or None, schema=pa.schema(plain), partitioning=None)
    except (OSError, pa.ArrowException) as error:
        raise DataError(f"{path}: the file cannot be read ({error}). Run the comparison again.") from error
    empty = [name for name in table.column_names if table.num_rows and table[name].null_count == table.num_rows]
    table = table.drop_columns([name for name in empty if name not in ALWAYS])
    gaps = [f.name for f in table.schema if pa.types.is_integer(f.type) and table[f.name].null_count]
    frame = table.to_pandas(types_mapper={pa.int32(): pd.Int64Dtype()}.get if gaps else None)
    return frame.astype({f.name: "int64" for f in table.schema if f.type == pa.int32() and f.name not in gaps})


def _condition(path: Path, schema: pa.Schema, name: str, wanted: Any) -> tuple[str, str, pa.Array]:
    if name not in schema.names:
        raise DataError(
            f"{path}: there is no column {name!r}.{did_you_mean(name, schema.names)} There are "
            f"{', '.join(schema.names)}."
        )
    values = list(wanted) if isinstance(wanted, list | tuple | set | np.ndarray | pd.Series | pd.Index) else [wanted]
    kind = schema.field(name).type
    holds = str if pa.types.is_string(kind) else int if pa.types.is_integer(kind) else float
    fits: dict[type, tuple[type, ...]] = {
        str: (str,),
        int: (int, np.integer),
        float: (int, float, np.integer, np.floating),
    }
    wrong = [value for value in values if not isinstance(value, fits[holds]) or isinstance(value, bool)]
    if wrong:
        raise DataError(f"{path}: the column {name!r} holds {_CALLED[holds]}, not {wrong[0]!r}.")
    return name, "in", pa.array(values, type=kind)
