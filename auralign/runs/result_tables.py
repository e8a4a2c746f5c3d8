"""Tables of a results folder as files: which there may be, whether they are of this version, their content."""

from pathlib import Path

import pandas as pd
import pyarrow.parquet as pq

from ..errors import DataError
from ..files.written_tables import read_written
from ..questions.question import TableFile, get_question

# names are text whatever they look like: NA and 001 are names
TEXT = (
    "target", "features", "estimator", "layer_name", "a", "b", "without", "adds", "region", "region_of", "roi", "hemi",
    "metric", "layers", "across", "stimulus", "stimuli",
)  # fmt: skip


def tables_of(questions: list[str]) -> dict[str, TableFile]:
    """Return the tables that results of some questions may have, by name."""
    return {name: table for question in questions for name, table in get_question(question).tables.items()}


def refuse_missing(path: Path, folder: Path) -> None:
    """Raise DataError where a file without which there is no result is missing."""
    if not path.exists():
        raise DataError(
            f"{path}: the file is missing, so {folder} is not a finished result. Make it with: auralign run <config>"
        )


def check_columns(path: Path, table: TableFile) -> None:
    """Refuse a table that is not of this version, by its header alone."""
    try:
        held = pq.read_schema(path).names if path.suffix == ".parquet" else _header(path)
    except (OSError, ValueError) as error:
        raise DataError(f"{path}: the file cannot be read ({error}). Run the comparison again.") from error
    absent = [column for column in table.columns.split() if column not in held]
    if absent:
        raise DataError(
            f"{path}: the column {absent[0]!r} is missing; there are {held[:12]}. Run the comparison again with this "
            "version."
        )


def _header(path: Path) -> list[str]:
    with open(path, encoding="utf-8") as file:
        return file.readline().rstrip("\n").split("\t")


def read_table(path: Path) -> pd.DataFrame:
    """Read a table, .parquet or .tsv; DataError where it cannot be read."""
    try:
        if path.suffix == ".parquet":
            return pd.read_parquet(path)
        return read_written(path, TEXT)
    except (OSError, ValueError, DataError) as error:
        raise DataError(f"{path}: the file cannot be read ({error}). Run the comparison again.") from error
