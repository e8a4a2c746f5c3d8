"""The sounds of the two voxel studies: ids in the order of the arrays' rows, and categories."""

from pathlib import Path

import numpy as np
import pandas as pd

from ...files.identifiers import normalise
from .responses import as_text, cell_text, field, read_array, read_mat


def read_ids(path: Path) -> list[str]:
    """Read the ids of neural_stim_meta.npy, the order of NH2015's rows and of the `.h5` activations.

    The field `filename`, or field 0 if it is text, holds them with `.wav`.

    Raises
    ------
    DataError
        No such file or field.
    """
    names = as_text(field(read_array(path), ("filename",), 0, "SU", path))
    return [name.removesuffix(".wav") for name in normalise(names, "stimulus", path, may_repeat=False)]


def read_categories(path: Path) -> pd.DataFrame:
    """Read ids and categories of neural_stim_meta.npy: `category` or `cat_assignment`, or field 4 if it is text.

    Returns
    -------
    DataFrame
        Columns `stimulus`, `category`: saved as a table, what `stimuli: {table: ...}` takes.

    Raises
    ------
    DataError
        No such file or field.
    """
    category = as_text(field(read_array(path), ("category", "cat_assignment"), 4, "SU", path))
    return pd.DataFrame({"stimulus": read_ids(path), "category": category})


def read_b2021_ids(path: Path) -> list[str]:
    """Read the ids of stim_info_v4.mat, the order of B2021's 192 rows: `stim_info.stim_names`, or its field 7.

    Raises
    ------
    DataError
        No such file or field.
    """
    info = read_mat(path, ["stim_info"])["stim_info"]
    cells = field(info, ("stim_names",), 7, "O", path).ravel()[0]
    names = normalise(cell_text(np.asarray(cells), path), "stimulus", path, may_repeat=False)
    return [name.removesuffix(".wav") for name in names]
