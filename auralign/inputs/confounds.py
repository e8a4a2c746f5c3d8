"""Confound removal inside the splits: what other variables predict is taken out, with the development stimuli's fit."""

from pathlib import Path

import numpy as np
import pandas as pd

from ..errors import DataError
from ..files.number_tables import number_columns, refuse_columns
from ..files.tabular import read_table, refuse_repeated


def read_confounds(path: Path) -> pd.DataFrame:
    """Read a table of confounds: column `stimulus`, every other column one variable.

    Returns
    -------
    DataFrame, shape (n_stimuli, n_variables), float64
        Index `stimulus`.

    Raises
    ------
    DataError
        A stimulus twice; a column that is no number, not finite, or constant; no column; or as `read_table`.
    """
    table = read_table(path, "stimulus", columns="variable")
    refuse_columns(table, ("repetition", "layer"), "confound", path)
    refuse_repeated(table, "stimulus", path)
    table = number_columns(table, ("stimulus",), "confound", path).set_axis(pd.Index(table["stimulus"]))
    bad = [column for column in table if not np.isfinite(table[column]).all() or np.ptp(table[column]) == 0]
    if bad:
        raise DataError(f"{path}: confounds must be finite and vary over stimuli; not so: {bad[:5]}.")
    return table


def remove_confounds(
    values: np.ndarray, confounds: np.ndarray, development: np.ndarray, test: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return values - [1 C] b with b = argmin ||values - [1 C] b|| over the development stimuli, for both parts.

    The residuals are no longer on the scale of the values: their mean over the development stimuli is 0, and scores
    are of what the confounds leave over.

    Parameters
    ----------
    values : ndarray, shape (n_stimuli, n_columns)
    confounds : ndarray, shape (n_stimuli, n_variables)
        Columns that depend linearly on others do no harm (least squares of minimum norm).
    development, test : ndarray of int

    Returns
    -------
    development, test : ndarray, shapes (n_development, n_columns) and (n_test, n_columns)
    """
    # centred and scaled, so that the units of the confounds do not decide what counts as rank
    mean, spread = confounds[development].mean(axis=0), confounds[development].std(axis=0)
    design = (confounds - mean) / np.where(spread > 0, spread, 1.0)
    centre = values[development].mean(axis=0)
    slopes, *_ = np.linalg.lstsq(design[development], values[development] - centre, rcond=None)
    return tuple(values[part] - centre - design[part] @ slopes for part in (development, test))
