"""Scores of predictions on the test stimuli."""

import numpy as np


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
    sse = ((y_true - y_pred) ** 2).sum(axis=0)
    sst = ((y_true - y_true.mean(axis=0)) ** 2).sum(axis=0)
    with np.errstate(divide="ignore", invalid="ignore"):
        score = 1.0 - sse / sst
    return np.where(sst > 0, score, np.where(sse == 0, 1.0, np.where(sse > 0, 0.0, np.nan)))


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
    centred_a, centred_b = a - a.mean(axis=0), b - b.mean(axis=0)
    norm_a, norm_b = np.linalg.norm(centred_a, axis=0), np.linalg.norm(centred_b, axis=0)
    constant = (norm_a <= 1e-13 * np.linalg.norm(a, axis=0)) | (norm_b <= 1e-13 * np.linalg.norm(b, axis=0))
    with np.errstate(divide="ignore", invalid="ignore"):
        r = (centred_a * centred_b).sum(axis=0) / (norm_a * norm_b)
    return np.where(constant, np.nan, np.clip(r, -1.0, 1.0))


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


def r2_corr_scorer(estimator, X, y) -> float:
    """Score a fitted estimator with `r2_corr`; the form that julearn and scikit-learn call."""
    return float(r2_corr(np.asarray(y, dtype=float).ravel(), np.asarray(estimator.predict(X), dtype=float).ravel()))
