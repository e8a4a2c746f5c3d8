"""df_roi_meta.pkl: what is known of each voxel (or component), as a table."""

from pathlib import Path

import pandas as pd

from ...errors import DataError
from ...files.tabular import read_table
from .frames import read_frame
from .tables import write_table

# what names a voxel
KEY = ["subj_idx", "hemi", "voxel_id"]


def read_regions(path: Path) -> pd.DataFrame:
    """Read df_roi_meta: a `.pkl` through the restricted unpickler, or the `.tsv` that `convert_regions` wrote.

    Returns
    -------
    DataFrame
        The columns of the file, among them subj_idx, hemi, x_ras, y_ras and voxel_id.

    Raises
    ------
    DataError
        The pickle holds more than a table of numbers and text; a column is missing.
    """
    table = read_frame(path) if path.suffix == ".pkl" else read_table(path, "hemi")
    absent = [column for column in (*KEY, "x_ras", "y_ras") if column not in table]
    if absent:
        raise DataError(f"{path}: the column {absent[0]!r} is missing; there are {list(table.columns)[:25]}.")
    return table.reset_index(drop=True)


def voxel_names(study: str, voxels: pd.DataFrame) -> list[str]:
    """Name voxels by study, subject, side and voxel id: `NH2015_s1_rh_v00123`."""
    return [
        f"{study}_s{int(subject)}_{hemi}_v{int(voxel):05d}"
        for subject, hemi, voxel in voxels[KEY].itertuples(index=False)
    ]


def convert_regions(pickled: Path, table: Path, study: str | None = None) -> pd.DataFrame:
    """Convert df_roi_meta.pkl to a table (TSV); nothing that the pickle asks for is run.

    Parameters
    ----------
    pickled : Path
        Written by pandas 1.0 to 2.3; `frames` lists what is trusted.
    table : Path
        Must end in `.tsv`.
    study : {"NH2015", "B2021"}, optional
        Adds the column `target`, the names of the study's voxels, so that the table can be a `target_table`; the table
        of components names them without it.

    Returns
    -------
    DataFrame
        What was written.

    Raises
    ------
    DataError
        As `read_regions`; the file to be written is not a TSV.
    """
    if table.suffix != ".tsv":
        raise DataError(f"{table}: the table is written with tabs; give it a name that ends in .tsv.")
    frame = read_frame(pickled).reset_index(drop=True)
    if "comp" in frame:
        frame.insert(0, "target", frame["comp"])
    elif study is not None:
        frame.insert(0, "target", voxel_names(study, read_regions(pickled)))
    write_table(frame, table)
    return frame
