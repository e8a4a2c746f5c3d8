"""Effective dimensionality: how many directions of equal variance would spread the stimuli as much as the units do."""

from typing import Literal

import numpy as np

from ..errors import ConfigError, DataError
from .representations import centred, representation

Estimator = Literal["naive", "published", "rows", "both"]
ESTIMATORS = ("naive", "published", "rows", "both")
LEAST_STIMULI = 4
# a denominator below this share of its parts is rounding
NOTHING = 1e-12


def participation_ratio(x: np.ndarray, estimator: Estimator = "naive") -> float:
    """Participation ratio (sum of eigenvalues)^2 / (sum of their squares) of the covariance of the units.

    With K = Xc Xc' of the column-centred X it is tr(K)^2 / ||K||_F^2, which needs no eigenvalues and no matrix of
    units x units. Estimators:

    - `naive`: that ratio. Bounded by n_stimuli - 1 and n_units, and roughly 1 / PR = 1 / n_stimuli + 1 / n_units +
      1 / truth: layers of unequal widths cannot be compared by it.
    - `published` (Tuckute et al. 2023): the covariance [stimulus, stimulus] of numpy's `cov`, which centres the rows of
      the column-centred X as well; so it is that of K after centring every stimulus over units.
    - `rows`: ratio of unbiased estimates over different stimuli. With d the diagonal of K = XX', O = K without it, r
      the row sums of O, S their total and F = ||O||_F^2,

          A = [(sum d)^2 - d.d] / (n (n-1)) - 2 [(sum d) S - 2 d.r] / (n (n-1) (n-2)) + T,    B = HSIC_1(K, K),
          T = [S^2 - 4 r.r + 2 F] / (n (n-1) (n-2) (n-3)),    PR = A / B

    - `both`: A and B over pairs of different units as well, A - sum_a A_a and B - sum_a B_a with those of single units:
      for units that are a sample of many.

    `rows` and `both` are those of Chun et al. 2025 (arXiv 2509.26560), in closed form. Neither numerator nor
    denominator has a bias; the ratio has a small one.

    Parameters
    ----------
    x : array-like, shape (n_stimuli, n_units)
        For units on one scale pass `zscored(x)`.
    estimator : "naive", "published", "rows" or "both"

    Returns
    -------
    float
        NaN of a constant representation, or where B is 0 or less: nothing is shared by different units.

    Raises
    ------
    DataError
        Fewer than four stimuli; one unit with `published` or `both`, for which they are not defined; values that are
        not finite.
    ConfigError
        There is no such estimator.
    """
    if estimator not in ESTIMATORS:
        raise ConfigError(f"estimator: {estimator!r} is not allowed; use {', '.join(ESTIMATORS[:-1])} or both.")
    x = centred(representation(x, LEAST_STIMULI))
    if x.shape[1] < 2 and estimator in ("published", "both"):
        raise DataError(f"x: one unit; the estimator {estimator} needs at least 2, naive and rows do with one.")
    if estimator in ("naive", "published"):
        rows = x - x.mean(axis=1, keepdims=True) if estimator == "published" else x
        k = rows @ rows.T
        squares = (k**2).sum()
        return float(k.trace() ** 2 / squares) if squares > 0 else float("nan")
    k = x @ x.T
    d = k.diagonal()
    off = k - np.diag(d)
    r = off.sum(axis=1)
    sums = np.array([d.sum(), d @ d, r.sum(), d @ r, r @ r, (off**2).sum()])
    numerator, denominator = _over_different_stimuli(sums, len(x))
    scale = k.trace() ** 2 / len(x) ** 2
    if estimator == "both":
        of_units = _over_different_stimuli(_sums_of_single_units(x), len(x))
        numerator, denominator = (
            all_ - own.sum() for all_, own in zip((numerator, denominator), of_units, strict=True)
        )
    return float(numerator / denominator) if denominator > NOTHING * scale else float("nan")


def _over_different_stimuli(sums: np.ndarray, n: int) -> tuple[np.ndarray, np.ndarray]:
    """A and B of `participation_ratio` from (sum d, d.d, S, d.r, r.r, F)."""
    d, dd, s, dr, rr, f = sums
    four = (s**2 - 4 * rr + 2 * f) / (n * (n - 1) * (n - 2) * (n - 3))
    traces = (d**2 - dd) / (n * (n - 1)) - 2 * (d * s - 2 * dr) / (n * (n - 1) * (n - 2))
    squares = f / (n * (n - 1)) - 2 * (rr - f) / (n * (n - 1) * (n - 2))
    return traces + four, squares + four


def _sums_of_single_units(x: np.ndarray) -> np.ndarray:
    """The sums of `_over_different_stimuli` for K = x_a x_a' of every unit, [6, n_units], from its power sums."""
    p1, p2, p3, p4 = ((x**power).sum(axis=0) for power in (1, 2, 3, 4))
    # r_i = x_i p1 - x_i^2
    return np.stack([p2, p4, p1**2 - p2, p1 * p3 - p4, p1**2 * p2 - 2 * p1 * p3 + p4, p2**2 - p4])
