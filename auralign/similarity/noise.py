"""The noise of single repetitions: its covariance over units, shrunk to its diagonal, and what its inverse does.

Units are many and repetitions few: nothing of the size units x units is ever made.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..errors import DataError

# rows that one product takes, which bounds the memory
ROWS = 256


@dataclass(frozen=True)
class NoisePrecision:
    """P = D^-1/2 [s I + (1 - s) E'E / f]^-1 D^-1/2, the inverse of the shrunk covariance of the noise.

    Attributes
    ----------
    sd : ndarray, shape (n_units,)
        Root of D, the noise variances.
    shrinkage : float
        s, between 0 and 1: 1 leaves the variances alone.
    directions : ndarray, shape (rank, n_units)
        Right singular vectors of the residuals E, each unit divided by its sd.
    eigenvalues : ndarray, shape (rank,)
        Of E'E / f.
    """

    sd: np.ndarray
    shrinkage: float
    directions: np.ndarray
    eigenvalues: np.ndarray

    def inner_products(self, x: np.ndarray) -> np.ndarray:
        """x P x', shape (n, n), of x [n, n_units].

        The inverse has 1/s in the directions that the residuals do not span, and 1/(s + (1 - s) eigenvalue) in theirs.
        """
        scaled = x / self.sd
        along = scaled @ self.directions.T  # [n, rank]
        s = self.shrinkage
        gain = 1.0 / (s + (1.0 - s) * self.eigenvalues) - 1.0 / s
        return scaled @ scaled.T / s + (along * gain) @ along.T


def noise_precision(repetitions: np.ndarray) -> NoisePrecision:
    """Estimate the covariance of the noise from what every repetition differs from the stimulus' mean, and invert it.

    The residuals e [stimulus x repetition, unit] have n_stimuli (R - 1) degrees of freedom. Correlations r are shrunk
    to 0 by s = sum of var(r) / sum of r^2 over pairs of units (Schaefer & Strimmer 2005, Stat Appl Genet Mol Biol
    4:32), with m residuals, f degrees of freedom, residuals scaled to the variance 1 and <.> the mean over residuals
    with the divisor m - 1:

        r_ab = <e_a e_b>,     var(r_ab) = m / f^2 (<(e_a e_b)^2> - r_ab^2)

    as in rsatoolbox (`cov_from_residuals`, shrinkage_diag). The sums over pairs are taken from products
    [residual, residual]: sum_ab (sum_i e_ia e_ib)^2 = sum_ij (e_i . e_j)^2.

    Parameters
    ----------
    repetitions : array-like, shape (n_stimuli, n_units, n_repetitions)

    Raises
    ------
    DataError
        Another number of axes, fewer than two repetitions, values that are not finite, or a unit without noise.
    """
    y = np.asarray(repetitions, dtype=np.float64)
    if y.ndim != 3 or y.shape[2] < 2:
        raise DataError(
            f"noise: responses of the shape {y.shape}; expected (stimuli, units, repetitions) with two repetitions or "
            "more: the noise is what they differ in."
        )
    if not np.isfinite(y).all():
        raise DataError("noise: some responses are not finite. Leave out units or stimuli that lack a repetition.")
    n_stimuli, n_units, n_repetitions = y.shape
    e = np.moveaxis(y - y.mean(axis=2, keepdims=True), 2, 1).reshape(-1, n_units)
    m, f = len(e), n_stimuli * (n_repetitions - 1)
    sd = np.sqrt((e**2).sum(axis=0) / f)
    silent = np.flatnonzero(sd <= 1e-13 * np.abs(y).max(axis=(0, 2)))
    if len(silent):
        raise DataError(
            f"noise: {len(silent)} unit(s) do not differ between repetitions, the first is unit {silent[0]}: there is "
            "no noise to divide by. Leave them out."
        )
    e /= sd
    own = (e**2).sum(axis=0)  # f of every unit
    squares = fourth = 0.0
    for start in range(0, m, ROWS):
        squares += float(((e[start : start + ROWS] @ e.T) ** 2).sum())  # sum over a, b of (sum_i e_ia e_ib)^2
    fourth = float(((e**2).sum(axis=1) ** 2).sum())  # sum over a, b of sum_i (e_ia e_ib)^2
    pairs_squared = (squares - (own**2).sum()) / (m - 1) ** 2
    pairs_fourth = (fourth - (e**4).sum()) / (m - 1)
    variance = m / f**2 * (pairs_fourth - pairs_squared)
    shrinkage = min(max(variance / pairs_squared, 0.0), 1.0) if pairs_squared > 0 else 1.0
    _, singular, directions = np.linalg.svd(e, full_matrices=False)
    kept = singular > 1e-10 * singular[0]
    if shrinkage == 0.0 and kept.sum() < n_units:
        raise DataError(
            f"noise: {m} residuals leave directions of {n_units} units without noise, and nothing is shrunk. Give more "
            "repetitions, or fewer units."
        )
    return NoisePrecision(sd, shrinkage, directions[kept], singular[kept] ** 2 / f)
