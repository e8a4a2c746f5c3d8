"""Scores of predictions on the test stimuli."""

from collections.abc import Iterator

import numpy as np

# columns that are scored at a time: a few arrays of 100 stimuli stay in the processor's cache
COLUMNS = 512
# a spread below this share of the size of the values is rounding
ROUNDING = 1e-13


def column_blocks(n_columns: int) -> Iterator[slice]:
    """Divide columns into blocks of `COLUMNS`; of none there is one empty block."""
    for start in range(0, max(n_columns, 1), COLUMNS):
        yield slice(start, min(start + COLUMNS, n_columns))


def r2(y_true: np.ndarray, y_pred: np.ndarray) -> np.ndarray:
    """Coefficient of determination, 1 - SSE / SST, with SST about the mean of the test stimuli.

    Equal to scikit-learn's `r2_score`, its rules for constant responses included: 1 where the prediction is exact, 0
    where it is not.

    Parameters
    ----------
    y_true, y_pred : ndarray, shape (n_test,) or (n_test, n_targets)

    Returns
    -------
    ndarray, shape () or (n_targets,)
    """
    true, predicted = _as_columns(y_true, y_pred)
    sse, sst = np.empty((2, true.shape[1]))
    for own in column_blocks(true.shape[1]):
        sse[own] = _squares(true[:, own] - predicted[:, own])
        sst[own] = _squares(true[:, own] - true[:, own].mean(axis=0))
    with np.errstate(divide="ignore", invalid="ignore"):
        score = 1.0 - sse / sst
    score = np.where(sst > 0, score, np.where(sse == 0, 1.0, np.where(sse > 0, 0.0, np.nan)))
    return score.reshape(y_true.shape[1:])


def pearson(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Pearson correlation of matching columns, NaN where one of them is constant.

    A column counts as constant where its spread about the mean is within rounding (1e-13 of the size of its values),
    so that the correlation of pure rounding noise is never reported. Rounding takes no correlation beyond -1 or 1.

    Parameters
    ----------
    a, b : ndarray, shape (n,) or (n, n_targets)

    Returns
    -------
    ndarray, shape () or (n_targets,)
    """
    left, right = _as_columns(a, b)
    r = np.empty(left.shape[1])
    for own in column_blocks(len(r)):
        r[own] = correlation(*centred(left[:, own]), *centred(right[:, own]))
    return r.reshape(a.shape[1:])


def centred(columns: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Take off the mean of every column: what `correlation` is given, so that columns of many pairs are centred once.

    Parameters
    ----------
    columns : ndarray, shape (n, n_columns)

    Returns
    -------
    deviation : ndarray, shape (n, n_columns)
    norm : ndarray, shape (n_columns,)
        NaN of a column that counts as constant, so that its correlations are NaN.
    """
    mean = columns.mean(axis=0)
    deviation = columns - mean
    squares = _squares(deviation)
    constant = squares <= ROUNDING**2 * (squares + len(columns) * mean**2)
    return deviation, np.sqrt(np.where(constant, np.nan, squares))


def correlation(a: np.ndarray, norm_a: np.ndarray, b: np.ndarray, norm_b: np.ndarray) -> np.ndarray:
    """Pearson correlation of matching columns that are `centred`, [n_columns]."""
    return np.clip(np.einsum("ij,ij->j", a, b) / (norm_a * norm_b), -1.0, 1.0)


def _as_columns(a: np.ndarray, b: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return a.reshape(len(a), -1), b.reshape(len(b), -1)


def _squares(columns: np.ndarray) -> np.ndarray:
    return np.einsum("ij,ij->j", columns, columns)


def r2_corr(y_true: np.ndarray, y_pred: np.ndarray) -> np.ndarray:
    """Squared Pearson correlation, 0 where the correlation is negative or undefined.

    This is the score of Tuckute et al. 2023; it is never called R2 here, because it ignores the offset and the scale
    of the prediction.

    Parameters
    ----------
    y_true, y_pred : ndarray, shape (n_test,) or (n_test, n_targets)

    Returns
    -------
    ndarray, shape () or (n_targets,)
    """
    r = pearson(y_true, y_pred)
    return np.where(r > 0, r, 0.0) ** 2
