"""Tests between scores on the same splits, and the control of false discoveries."""

import numpy as np
from scipy.stats import t as student_t


def corrected_ttest(difference: np.ndarray, n_train: int, n_test: int) -> tuple[np.ndarray, int, np.ndarray]:
    """Corrected resampled t-test: t = mean(d) / sqrt((1/k + n_test/n_train) var(d)) with k - 1 degrees of freedom.

    Splits of the same stimuli overlap, so that the plain paired t-test finds far too much; the correction is that of
    Nadeau & Bengio (2003), Machine Learning 52:239-281.

    Parameters
    ----------
    difference : ndarray, shape (n_splits, n_rows)
        Differences of scores, paired over splits.
    n_train, n_test : int
        Numbers of development and test stimuli.

    Returns
    -------
    t : ndarray, shape (n_rows,)
        0 where all differences are zero.
    df : int
    p : ndarray, shape (n_rows,)
        Two-sided; 1 where all differences are zero, and never 0.
    """
    k = len(difference)
    mean = difference.mean(axis=0)
    spread = np.sqrt((1.0 / k + n_test / n_train) * difference.var(axis=0, ddof=1))
    with np.errstate(divide="ignore", invalid="ignore"):
        t = np.where(mean == 0.0, 0.0, mean / spread)
    # smallest positive float instead of 0: a t-test never proves that something is impossible
    p = np.maximum(2.0 * student_t.sf(np.abs(t), k - 1), np.finfo(float).tiny)
    return t, k - 1, np.where(np.isnan(t), np.nan, p)


def benjamini_hochberg(p: np.ndarray) -> np.ndarray:
    """Adjust p-values for the false discovery rate: p_(i) * m / i, made monotone from the largest down.

    Benjamini & Hochberg (1995), J. R. Stat. Soc. B 57:289-300. NaN stays NaN and is not counted.
    """
    p = np.asarray(p, dtype=float)
    adjusted = np.full(p.shape, np.nan)
    known = np.flatnonzero(~np.isnan(p))
    if len(known):
        order = known[np.argsort(p[known])[::-1]]
        ranks = np.arange(len(known), 0, -1)
        adjusted[order] = np.minimum.accumulate(p[order] * len(known) / ranks).clip(max=1.0)
    return adjusted
