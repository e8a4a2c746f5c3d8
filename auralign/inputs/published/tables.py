"""The published figures and tables as numbers: reference/*.tsv.

One row per number. `table` is the label under which the study's notes hold it: C1 components by layer (three variants
of EnCodecMAE), C2 all voxels by layer, C3 regions by layer, C4a-e ridge and (multi-task) lasso by R2 on splits without
seed, C5 training steps, C6 all networks (voxels, RSA), C7 all networks (components), C8 networks trained on clean
speech, C9 relative best layers and counts, C11 a later study with another method. `precision` is the largest error of
reading the number off (half a unit of the last digit where it was printed). `target` is a component, a region or `all`.
"""

from pathlib import Path

import pandas as pd

from ...errors import DataError
from ...files.atomic import write_atomically
from ...files.text_tables import open_text

REFERENCE = Path(__file__).resolve().parent / "reference"
COLUMNS = [
    "table", "quantity", "estimator", "features", "network", "dataset", "target", "layer", "layer_name", "step",
    "value", "precision", "source",
]  # fmt: skip
_TYPES = {"layer": "Int64", "step": "Int64", "value": float, "precision": float}


def read_reference() -> pd.DataFrame:
    """Read all published numbers.

    Returns
    -------
    DataFrame
        `COLUMNS`; text is empty where it does not apply, numbers are missing.
    """
    types = {column: _TYPES.get(column, str) for column in COLUMNS}
    missing = {column: [""] for column in _TYPES}
    parts = [
        open_text(path).frame(dtype=types, keep_default_na=False, na_values=missing)
        for path in sorted(REFERENCE.glob("*.tsv"))
    ]
    return pd.concat(parts, ignore_index=True)[COLUMNS]


def write_table(frame: pd.DataFrame, path: Path) -> None:
    """Write a TSV, so that the file is there as a whole or not at all.

    Raises
    ------
    DataError
        It cannot be written.
    """
    try:
        write_atomically(frame, path)
    except OSError as error:
        raise DataError(f"{path}: the table cannot be written: {error.strerror or error}.") from error
