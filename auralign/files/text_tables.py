"""Tables as text: encoding, separator, and as many values in every line as the header has names."""

from __future__ import annotations  # pandas is imported when a table is made of the text: datasets need none

import csv
import gzip
import io
import os
import re
import warnings
import zlib
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from ..errors import DataError
from .plain_numbers import read_values

if TYPE_CHECKING:
    import pandas as pd

# by ending of the file (before .gz): the separators that it may have, the most likely one first. In a .csv file written
# where the comma is the decimal sign, semicolons part the values.
SEPARATORS = {".tsv": "\t", ".tab": "\t", ".csv": ",;", ".txt": "\t;,"}
_NAMES = {"\t": "tabs", ",": "commas", ";": "semicolons", "|": "bars", " ": "spaces"}
# what the first bytes of a file say that is no text
_OTHER_FORMATS = {
    b"PK\x03\x04": "an Excel workbook or another zip archive; save the sheet as text (in Excel: CSV UTF-8)",
    b"\xd0\xcf\x11\xe0": "an old Excel workbook; save the sheet as text (in Excel: CSV UTF-8)",
    b"\x1f\x8b": "compressed; give it a name that ends in .tsv.gz or .csv.gz",
    b"PAR1": "a parquet file; give it a name that ends in .parquet",
    b"\x93NUMPY": "a numpy array; give it a name that ends in .npy",
    b"\x89HDF": "an HDF5 file; give it a name that ends in .nc if it is NetCDF",
    b"/annex/objects/": "git-annex's stand-in for content that is not here; get it with: datalad get",
    b"version https://git-lfs": "Git LFS's stand-in for content that is not here; get it with: git lfs pull",
    b"<!DOCTYPE": "a web page, not the table that it may offer; download the table itself",
    b"<html": "a web page, not the table that it may offer; download the table itself",
}
_NUMBER = r"[-+]?\d*\d"
# of the module csv: QUOTE_MINIMAL, QUOTE_ALL, QUOTE_NONNUMERIC, QUOTE_NONE
Quoting = Literal[0, 1, 2, 3]


@dataclass(frozen=True)
class TextTable:
    """A table of text whose lines have as many values as the header has names.

    Attributes
    ----------
    path : Path
    separator : str
    header : list of str
        As written.
    lines : ndarray of int, shape (n_rows,)
        Line of the file at which each row begins, from 1; the header is line 1 as a rule.
    """

    path: Path
    separator: str
    header: list[str]
    lines: np.ndarray
    _text: str
    _quoting: Quoting

    def frame(self, **options: Any) -> pd.DataFrame:
        """Read the values with pandas, whose warnings are errors; numbers are rounded correctly to the last bit.

        Parameters
        ----------
        **options
            Of `pandas.read_csv`.

        Returns
        -------
        DataFrame
            Indexed by line of the file, unless `index_col` is given.

        Raises
        ------
        DataError
            pandas cannot read it, or would only with a warning.
        """
        import pandas as pd

        options = {"index_col": False, "float_precision": "round_trip", "low_memory": False, **options}
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("error")
                for harmless in (DeprecationWarning, PendingDeprecationWarning, FutureWarning):
                    warnings.simplefilter("ignore", harmless)
                frame = pd.read_csv(io.StringIO(self._text), sep=self.separator, quoting=self._quoting, **options)
        except (ValueError, Warning) as error:  # pandas' errors of parsing are ValueErrors
            raise DataError(f"{self.path}: not a table that can be read: {error}") from error
        if len(frame) != len(self.lines):
            raise DataError(f"{self.path}: {len(self.lines)} lines were read as {len(frame)} rows; are quotes missing?")
        return frame.set_axis(pd.Index(self.lines, name="line")) if options["index_col"] is False else frame

    def numbers(self, text: Sequence[int], missing: Collection[str]) -> pd.DataFrame | None:
        """Read a table that is numbers but for a few columns; quicker than `frame` where there are many of them.

        Parameters
        ----------
        text : sequence of int
            Positions of the columns that are text, ascending.
        missing : collection of str
            What stands for a missing number.

        Returns
        -------
        DataFrame or None
            As `frame` reads it, every number a float. None where values are quoted, or one is not plainly a number:
            `frame` decides on these.
        """
        import pandas as pd

        if _has_quotes(self._text, self._quoting):
            return None
        found = read_values(self._text, self.separator, self.lines, len(self.header), text, missing)
        if found is None:
            return None
        values, texts = found
        taken = set(text)
        names = [name for place, name in enumerate(self.header) if place not in taken]
        frame = pd.DataFrame(values, columns=names, index=pd.Index(self.lines, name="line"))
        for column, held in zip(text, texts, strict=True):
            frame.insert(column, self.header[column], np.array(held, dtype=object))
        return frame

    def rows(self) -> list[dict[str, str]]:
        """Return every row as text by name of the column."""
        reader = csv.reader(io.StringIO(self._text, newline=""), delimiter=self.separator, quoting=self._quoting)
        rows = [row for row in reader if len(row) > 1 or "".join(row).strip()]
        return [dict(zip(self.header, row, strict=True)) for row in rows[1:]]


def open_text(path: Path, keys: Sequence[str] = (), quoting: Quoting = csv.QUOTE_MINIMAL) -> TextTable:
    """Open a table of text and count the values of every line.

    Parameters
    ----------
    path : Path
        `.tsv` or `.tab` (tabs), `.csv` (commas or semicolons), `.txt` (any of them), each also with `.gz` behind.
    keys : tuple of str
        Columns that it must have, which help to recognise the separator.
    quoting : int
        Of the module `csv`.

    Raises
    ------
    DataError
        No such file; not text in UTF-8 (or UTF-16 with its mark, as Excel writes); another separator; a line with more
        or fewer values than the header has names.
    """
    text = decode(path)
    endings = [ending.lower() for ending in path.suffixes]
    ending = next((e for e in reversed(endings) if e != ".gz"), "")
    separator = _separator(path, text, SEPARATORS.get(ending, ",\t;"), keys)
    header, counts, lines = _count(path, text, separator, quoting)
    surplus = counts != len(header)
    if surplus.any():
        raise DataError(_miscounted(path, text, separator, quoting, header, counts, lines))
    return TextTable(path, separator, header, lines, text, quoting)


def decode(path: Path) -> str:
    """Return the text of a file in UTF-8, or UTF-16 with its mark; unpacked where its name ends in .gz.

    Raises
    ------
    DataError
        No such file, another format, or another encoding; the line is named.
    """
    try:
        content = path.read_bytes()
        if path.suffix.lower() == ".gz":
            content = gzip.decompress(content) if content else content
    except FileNotFoundError as error:
        raise DataError(f"{path}: {why_absent(path)}") from error
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"{path}: the file cannot be read: {getattr(error, 'strerror', None) or error}.") from error
    for start, what in _OTHER_FORMATS.items():
        if content.startswith(start):
            raise DataError(f"{path}: this is {what}.")
    encoding = "utf-16" if content.startswith((b"\xff\xfe", b"\xfe\xff")) else "utf-8-sig"
    try:
        text = content.decode(encoding)
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        read_as = content[error.start : error.start + 1].decode("latin-1")
        raise DataError(
            f"{path}: line {line} is not text in {encoding.removesuffix('-sig').upper()} (byte "
            f"0x{content[error.start]:02x}, in Latin-1 {read_as!r}). Save the file as UTF-8: in Excel as `CSV UTF-8`, "
            'in R with fileEncoding = "UTF-8".'
        ) from error
    if "\0" in text:
        raise DataError(f"{path}: there are zero bytes in it, so that it is no text, or UTF-16. Save it as UTF-8.")
    if not text.strip():
        raise DataError(f"{path}: the file is empty; expected a table with a header.")
    return text


def why_absent(path: Path, what: str = "table") -> str:
    """Say why there is no file at a path: nothing there, or a link to nothing, of git-annex or another."""
    if not path.is_symlink():
        return f"there is no such {what}."
    target = os.readlink(path)
    if "/annex/objects/" in Path(target).as_posix():  # also of a dataset inside another one
        return f"the {what} is annexed and its content is not here. Get it: datalad get {path}"
    return f"a link to {target}, where there is nothing. Put the {what} there, or replace the link by it."


def _separator(path: Path, text: str, allowed: str, keys: Sequence[str]) -> str:
    """Find the separator among the allowed ones, by the header; name another one that parts it."""
    first = next(line for line in text.splitlines() if line.strip())
    if re.fullmatch(r"#.*|sep=.", first.strip()):
        raise DataError(f"{path}: the first line ({first.strip()[:40]!r}) is not the header; take it out.")
    counts = {sign: len(next(csv.reader([first], delimiter=sign))) for sign in "\t,;|"}
    names = {sign: [name.strip() for name in next(csv.reader([first], delimiter=sign))] for sign in counts}
    found = max(allowed, key=lambda sign: (all(key in names[sign] for key in keys), counts[sign]))
    if counts[found] > 1 and all(key in names[found] for key in keys):
        return found
    # nothing that is allowed parts the header: say what does
    other = max(counts, key=lambda sign: (all(key in names[sign] for key in keys), counts[sign]))
    if other not in allowed and counts[other] > counts[found]:
        expected = " or ".join(_NAMES[sign] for sign in allowed)
        remedy = {"\t": "name it .tsv", ",": "name it .csv", ";": "name it .csv"}.get(other, "save it as .tsv or .csv")
        raise DataError(
            f"{path}: its values are parted by {_NAMES[other]}, but a file of this name by {expected}; {remedy}, or "
            f"save it with {expected}."
        )
    words = first.split()
    if counts[found] == 1 and len(words) > 1 and keys and all(key in words for key in keys):
        raise DataError(f"{path}: its values are parted by spaces; save it with tabs, as .tsv.")
    return found


def _count(path: Path, text: str, separator: str, quoting: Quoting) -> tuple[list[str], np.ndarray, np.ndarray]:
    """Count the values of every line that is not empty: names of the header, numbers of values, numbers of lines."""
    header: list[str] | None = None
    counts, lines, before = [], [], 0
    if not _has_quotes(text, quoting):  # the same, but quicker
        for number, line in enumerate(io.StringIO(text, newline=""), start=1):
            count = line.count(separator) + 1
            if count > 1 or line.strip():
                if header is None:
                    header = line.rstrip("\r\n").split(separator)
                else:
                    counts.append(count)
                    lines.append(number)
        return header or [], np.array(counts, dtype=np.int64), np.array(lines, dtype=np.int64)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, quoting=quoting)
    try:
        for row in reader:
            blank = not row or (len(row) == 1 and not row[0].strip())
            if not blank and header is None:
                header = row
            elif not blank:
                counts.append(len(row))
                lines.append(before + 1)
            before = reader.line_num
    except csv.Error as error:
        raise DataError(f"{path}: line {before + 1} cannot be read: {error}; are quotes missing?") from error
    return header or [], np.array(counts, dtype=np.int64), np.array(lines, dtype=np.int64)


def _miscounted(
    path: Path, text: str, separator: str, quoting: Quoting, header: list[str], counts: np.ndarray, lines: np.ndarray
) -> str:
    """Say which line has another number of values than the header has names, and what may have happened."""
    wrong = counts != len(header)
    number = int(np.flatnonzero(wrong)[0])
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, quoting=quoting)
    rows = [row for row in reader if len(row) > 1 or "".join(row).strip()][1:]
    values = rows[number]
    what = f"{path}: line {lines[number]} has {_counted(counts[number], 'value')}, but the header has " + _counted(
        len(header), "name"
    )
    if wrong.sum() > 1:
        what += f"; so it is in {'every line' if wrong.all() else f'{int(wrong.sum())} of {len(wrong)} lines'}"
    if (counts == len(header) + 1).all():
        if all(not row[-1] for row in rows):
            return f"{what}. Every line ends in a separator, the header does not: take these out."
        counted = [row[0] for row in rows] == [str(place) for place in range(1, len(rows) + 1)]
        if separator != "," or counted or not _decimal_comma(values, header):
            return (
                f"{what}. So writes R's write.table, which puts row names ({values[0]!r}) before the values, but no "
                "name over them: save it with row.names = FALSE, or give the first column a name."
            )
    if separator == "," and _decimal_comma(values, header):
        return (
            f"{what}. Are numbers written with a decimal comma ({values[-2]},{values[-1]}), as commas also part the "
            "values? Save it with semicolons or tabs between the values, or with decimal points."
        )
    if any("\n" in value for value in values):
        return f"{what}. A quoted value goes on over the end of the line; is a quote missing?"
    lacking = ", ".join(f"`{name}`" for name in header[len(values) :][:5])
    return (
        f"{what}{f' (nothing for {lacking})' if lacking else ''}. Every line needs as many values as there are names."
    )


def _decimal_comma(values: list[str], header: list[str]) -> bool:
    """Whether the surplus of a line may come from numbers like 0,5 that were cut at their comma."""
    surplus = len(values) - len(header)
    whole = [bool(re.fullmatch(_NUMBER, value.strip())) for value in values]
    return 0 < surplus <= sum(whole) // 2 and whole[-1] and whole[-2]


def _has_quotes(text: str, quoting: Quoting) -> bool:
    return quoting != csv.QUOTE_NONE and '"' in text


def _counted(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"
