"""Tables that users bring, of any kind of file, as DataFrames: names stay text, numbers are numbers, or it is refused.

Every reader of stimuli, features, responses, confounds and metadata comes through `read_table`.
"""

import re
import warnings
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from ..errors import DataError
from .array_tables import ARRAYS, read_array_table
from .identifiers import normal_form, normalise
from .notices import InputWarning
from .text_tables import open_text, why_absent

# what counts as a missing number; never looked for in columns of ids and names, where "NA" is a name like any other
_MISSING = ["", "NA", "N/A", "NaN", "nan", "null", "None"]
# columns of whole numbers that tell rows of one stimulus apart
_COUNTED = ("repetition", "layer", "split")
# columns whose values are told apart by their names: two of them may not become one by being written alike
_IDENTIFIERS = ("stimulus", "target")
_COMMA = re.compile(r"[-+]?\d*,\d+([eE][-+]?\d+)?")
_BREAK = re.compile(r"[\t\r\n\v\f\x85\u2028\u2029]")
_THOUSANDS = re.compile(r"[-+]?[1-9]\d{0,2}(,\d{3})+")


def read_table(path: Path, *names: str, columns: str | None = None, third: str | None = None) -> pd.DataFrame:
    """Read a table whose columns include `names`: ids, which stay text; numbers are found elsewhere.

    Parameters
    ----------
    path : Path
        Text (`.tsv`, `.csv`, `.txt`, each also with `.gz` behind; see `text_tables`), `.parquet`, or, where `columns`
        is given, an array with its names (`.npy`, `.npz`, `.nc`; see `array_tables`).
    *names : str
        Columns of names that must be there, `stimulus` as a rule.
    columns : {"target", "unit", "variable"}, optional
        What the columns of an array are; without it arrays are refused, since only text holds metadata.
    third : {"repetition", "layer"}, optional
        What the third dimension of an array is.

    Returns
    -------
    DataFrame
        Indexed by line of the file (`line`), or by row from 1 where the file has no lines (`row`). `names` and the
        columns' own names are in `identifiers.normal_form`; `repetition`, `layer` and `split` are as written, for
        `number_tables.whole_numbers`.

    Raises
    ------
    DataError
        No such file, not a table, no line below the header, a column is missing, without a name or there twice, an id
        is empty, or two ids become one once they are written alike.

    Warns
    -----
    InputWarning
        Ids were not in normal form; numbers have a decimal comma; semicolons part the values.
    """
    path = Path(path)
    suffix = path.suffix.lower()
    if suffix in ARRAYS:
        if columns is None:
            raise DataError(
                f"{path}: an array holds numbers only, but here a table with the column {names[0]!r} is needed: .tsv, "
                ".csv (each also .gz) or .parquet."
            )
        table = read_array_table(path, columns, third)
    elif suffix in (".parquet", ".pq"):
        table = _read_parquet(path, names)
    elif suffix in (".xlsx", ".xls", ".ods"):
        raise DataError(f"{path}: a workbook, not a table. Save the sheet as text: in Excel as `CSV UTF-8`.")
    else:
        table = _read_text(path, names, are_numbers=columns is not None)
    if table.empty:
        raise DataError(f"{path}: there is a header ({', '.join(table.columns[:10])}), but no line below it.")
    return with_names(table, names, path)


def with_names(table: pd.DataFrame, names: Sequence[str], path: Path) -> pd.DataFrame:
    """Bring columns of names into normal form, and refuse empty ones and those that reach over a line."""
    for name in names:
        empty = table[name].map(normal_form) == ""
        if empty.any():
            raise DataError(f"{path}: {place(table, empty.to_numpy())} has no {name}.")
        table[name] = normalise(table[name], name, path, may_repeat=name not in _IDENTIFIERS)
        broken = table[name].str.contains(_BREAK).to_numpy(dtype=bool)
        if broken.any():
            raise DataError(
                f"{path}: {place(table, broken)} has a {name} with a tab or a line break in it "
                f"({table[name].to_numpy()[broken][0][:40]!r}); is a quote missing, or too many?"
            )
    return table


def place(table: pd.DataFrame, rows: np.ndarray) -> str:
    """Name the first of some rows by its place in the file: `line 7`."""
    return f"{table.index.name} {table.index[int(np.flatnonzero(rows)[0])]}"


def refuse_repeated(table: pd.DataFrame, name: str, path: Path, where: str = "") -> None:
    """Refuse a table in which an id of a column is there more than once; the message names the places."""
    twice = table[name].duplicated().to_numpy()
    if twice.any():
        value = table[name].to_numpy()[twice][0]
        places = [str(label) for label in table.index[(table[name] == value).to_numpy()][:5]]
        found = f"{table.index.name}s {', '.join(places)}"
        raise DataError(f"{path}: the {name} {value!r} is there more than once{where} ({found}).")


def is_number(kind: object) -> bool:
    """Whether a column of this type holds numbers; truth values are none."""
    return pd.api.types.is_numeric_dtype(kind) and not pd.api.types.is_bool_dtype(kind)


def _header(names: Iterable[str], needed: Sequence[str], path: Path) -> list[str]:
    """Check the names of the columns and return them in normal form."""
    names = list(names)
    header = [normal_form(name) for name in names]
    if "" in header:
        raise DataError(
            f"{path}: column {header.index('') + 1} has no name (an index that was written along?). Name or remove it."
        )
    twice = [name for name, count in Counter(header).items() if count > 1]
    if twice:
        spelt = {name for name, form in zip(names, header, strict=True) if form == twice[0]}
        alike = " when names are written alike (accents, spaces)" if len(spelt) > 1 else ""
        raise DataError(f"{path}: the column {twice[0]!r} is there more than once{alike}.")
    absent = [name for name in needed if name not in header]
    if absent:
        other = [name for name in header if name.casefold() == absent[0].casefold()]
        hint = f" {other[0]!r} differs in capitals: write it alike." if other else ""
        raise DataError(f"{path}: the column {absent[0]!r} is missing; there are {header[:10]}.{hint}")
    return normalise(names, "column", path)


def _read_text(path: Path, names: Sequence[str], are_numbers: bool) -> pd.DataFrame:
    opened = open_text(path, names)
    header = _header(opened.header, names, path)
    text = {name for name in header if name in names or name in _COUNTED}
    if are_numbers:
        places = [place for place, name in enumerate(header) if name in text]
        table = opened.numbers(places, _MISSING)
        if table is not None:
            if opened.separator == ";":
                warnings.warn(f"{path}: semicolons part the values; it was read so.", InputWarning, stacklevel=3)
            return table.set_axis(header, axis=1)
    options = {
        "header": 0,
        "names": header,
        "dtype": dict.fromkeys(text, str),
        "keep_default_na": False,
        "na_values": {name: _MISSING for name in header if name not in text},
    }
    table = opened.frame(**options)
    notes = ["semicolons part the values"] if opened.separator == ";" else []
    columns = [name for name, kind in table.dtypes.items() if name not in text and pd.api.types.is_object_dtype(kind)]
    with_comma = [name for name in columns if _has_decimal_comma(table[name])]
    if with_comma:
        comma = opened.frame(**options, decimal=",")
        table = _with_decimal_comma(table, comma, with_comma, opened.separator, path)
        notes.append("numbers have a decimal comma")
    if notes:
        warnings.warn(f"{path}: {' and '.join(notes)}; it was read so.", InputWarning, stacklevel=3)
    return table


def _has_decimal_comma(column: pd.Series) -> bool:
    """Whether all values of a column of text are numbers, and some have a comma."""
    values = column.dropna().astype(str).str.strip()
    comma = values.str.contains(",", regex=False)
    if not comma.any() or not values[comma].map(lambda v: bool(_COMMA.fullmatch(v) or _THOUSANDS.fullmatch(v))).all():
        return False
    return bool(pd.to_numeric(values[~comma], errors="coerce").notna().all())


def _with_decimal_comma(
    point: pd.DataFrame, comma: pd.DataFrame, columns: list[str], separator: str, path: Path
) -> pd.DataFrame:
    """Take the reading with a decimal comma, unless it is not the only one possible."""
    texts = point[columns].astype(object)
    cells = [str(cell).strip() for cell in texts.to_numpy().ravel() if isinstance(cell, str) and "," in cell]
    # semicolons part values where the comma is the decimal sign, so that 1,234 can mean one thing only
    unclear = separator != ";" and all(_THOUSANDS.fullmatch(cell) for cell in cells)
    if unclear or any(cell.count(",") > 1 for cell in cells):
        cell = max(cells, key=lambda cell: cell.count(","))
        raise DataError(
            f"{path}: {cell!r} in the column {columns[0]!r} may have a decimal comma, or commas between thousands. "
            "Save it with decimal points and nothing between thousands."
        )
    for name in comma:
        mixed = name in columns and comma[name].dtype == object
        if mixed or (is_number(point[name].dtype) and not is_number(comma[name].dtype)):
            raise DataError(
                f"{path}: some numbers have a decimal comma ({cells[0]!r} in the column {columns[0]!r}), others a "
                f"decimal point (in the column {name!r}). Save it with decimal points."
            )
    return comma


def _read_parquet(path: Path, names: Sequence[str]) -> pd.DataFrame:
    """Read a parquet file; an index with a name is a column like any other."""
    try:
        table = pd.read_parquet(path)
    except FileNotFoundError as error:
        raise DataError(f"{path}: {why_absent(path)}") from error
    except (OSError, ValueError) as error:  # pyarrow's errors are ValueErrors
        raise DataError(f"{path}: not a parquet table that can be read: {error}") from error
    if any(name is not None for name in table.index.names):
        table = table.reset_index()
    if isinstance(table.columns, pd.MultiIndex):
        raise DataError(f"{path}: the columns have names of several levels; give each one name.")
    table = table.set_axis(_header(map(str, table.columns), names, path), axis=1)
    for name in names:
        odd = [value for value in table[name] if not (isinstance(value, (str, int, np.integer)) or pd.isna(value))]
        odd += [value for value in table[name] if isinstance(value, (bool, np.bool_))]
        if odd:
            raise DataError(
                f"{path}: the column {name!r} holds {odd[0]!r} ({type(odd[0]).__name__}); names must be text or whole "
                "numbers."
            )
        table[name] = table[name].map(lambda value: "" if pd.isna(value) else str(value)).astype(object)
    categories = [name for name in table if isinstance(table[name].dtype, pd.CategoricalDtype)]
    table = table.astype(dict.fromkeys(categories, object))
    return table.set_axis(pd.RangeIndex(1, len(table) + 1, name="row"))
