"""The decomposition of the features that every ridge on the same stimuli shares."""

from dataclasses import dataclass

import numpy as np
from scipy.linalg import eigh, svd

from ...errors import DataError

# a spread below this share of the size of the values is rounding, as in `scores.pearson`
ROUNDING = 1e-13
# eigenvalues of a Gram matrix below this share of their sum are not exact to eight digits
LOST_DIGITS = 1e-8
EPS = np.finfo(np.float64).eps


@dataclass(frozen=True)
class Decomposition:
    """Xc Xc' = Q diag(eigenvalues) Q' for column-centred X, directions whose eigenvalue is not 0.

    Attributes
    ----------
    x_mean : ndarray, shape (n_features,)
    q : ndarray, shape (n, rank)
        Orthonormal columns, all orthogonal to the constant direction; rank is at most n - 1.
    eigenvalues : ndarray, shape (rank,)
        Positive.
    projection : ndarray, shape (n_features, rank)
        Xc' Q.
    """

    x_mean: np.ndarray
    q: np.ndarray
    eigenvalues: np.ndarray
    projection: np.ndarray


def decompose(x: np.ndarray) -> Decomposition:
    """Decompose the centred Gram matrix once for all targets and all alphas.

    Centring makes the constant direction an exact null direction of Xc Xc'; it is dropped. The Gram matrix squares the
    range of singular values: where the smallest eigenvalue is below 1e-8 of their sum and has lost digits (a unit that
    is 1e4 times larger than the others, duplicates), and where there are fewer features than stimuli, Xc itself is
    decomposed. A feature whose spread is rounding (below 1e-13 of its size) counts as constant and has no weight.

    Parameters
    ----------
    x : ndarray, shape (n, n_features)
        Development stimuli, not centred.

    Raises
    ------
    DataError
        No stimulus, no feature, or values that are not finite (or whose squares are not).
    """
    x = np.asarray(x, dtype=np.float64)
    if x.ndim != 2 or not x.size:
        raise DataError(f"ridge: features must be an array [stimulus, feature] with both, got the shape {x.shape}.")
    x_mean = x.mean(axis=0)
    centred = x - x_mean
    centred[:, np.abs(centred).max(axis=0) <= ROUNDING * np.abs(x).max(axis=0)] = 0.0
    n, n_features = x.shape
    scale = np.vdot(centred, centred)
    if not np.isfinite(scale):
        raise DataError("ridge: features are not finite, or so large that their squares are not. Repair or rescale.")
    if n_features >= n - 1:
        eigenvalues, q = eigh(centred @ centred.T)
        # ascending: the first direction is the constant one
        q, eigenvalues = q[:, 1:], eigenvalues[1:]
        if (eigenvalues > LOST_DIGITS * scale).all():
            return Decomposition(x_mean, q, eigenvalues, centred.T @ q)
    # a reflection takes the constant direction to the first axis, and that away: [n - 1, n_features]
    normal = np.full(n, n**-0.5)
    normal[0] -= 1.0
    u, singular, vt = svd(_reflect(centred, normal)[1:], full_matrices=False)
    kept = singular > max(x.shape) * EPS * singular.max()
    q = _reflect(np.vstack([np.zeros(kept.sum()), u[:, kept]]), normal)
    return Decomposition(x_mean, q, singular[kept] ** 2, vt[kept].T * singular[kept])


def _reflect(a: np.ndarray, normal: np.ndarray) -> np.ndarray:
    """(I - 2 v v' / v'v) a, the reflection at the plane that is orthogonal to v (Householder)."""
    return a - np.outer(normal, (2.0 / (normal @ normal)) * (normal @ a))
