"""Shape: how far apart two representations are once one of them is turned, moved and scaled to fit the other."""

import numpy as np
from scipy.linalg import svd

from .representations import centred, representations


def shape_distance(x: np.ndarray, y: np.ndarray) -> float:
    """Angular Procrustes distance, a metric on representations of the same stimuli.

        d = arccos( ||Xc'Yc||_* / (||Xc||_F ||Yc||_F) )          (Williams et al. 2021, NeurIPS)

    with Xc, Yc column-centred and ||.||_* the sum of singular values: the smallest angle that any rotation of the units
    leaves. 0 for representations that are rotated, moved or scaled copies, pi/2 for unrelated ones of endless stimuli.
    Where units outnumber stimuli a rotation fits noise as well, and the distance is too small: then
    `shape_similarity_held_out`.

    Parameters
    ----------
    x : array-like, shape (n_stimuli, n_units_x)
    y : array-like, shape (n_stimuli, n_units_y)
        Another number of units is allowed; the smaller one is filled up with zeros.

    Returns
    -------
    float
        In radians, 0 to pi/2; NaN where a representation is constant.

    Raises
    ------
    DataError
        Representations of different stimuli, of fewer than two, or with values that are not finite.
    """
    x, y = (centred(own) for own in representations(x, y))
    (u_x, s_x), (u_y, s_y) = (_left(own) for own in (x, y))
    size = np.linalg.norm(s_x) * np.linalg.norm(s_y)
    if not size > 0:
        return float("nan")
    # X'Y = Vx Sx Ux'Uy Sy Vy' has the singular values of the small matrix in the middle
    middle = (s_x[:, None] * (u_x.T @ u_y)) * s_y
    nuclear = svd(middle, compute_uv=False).sum()
    return float(np.arccos(min(nuclear / size, 1.0)))


def shape_similarity_held_out(x: np.ndarray, y: np.ndarray, development: np.ndarray, test: np.ndarray) -> float:
    """Cosine of the shapes on test stimuli after the rotation that fits the development stimuli best.

        max over rotations Q of tr(Q' Xc'Yc) on development;   tr(Q' Xt'Yt) / (||Xt||_F ||Yt||_F) on test

    with units centred by their development means. Unrelated representations have 0, however many units they have.

    Parameters
    ----------
    x, y : array-like, shape (n_stimuli, n_units)
    development, test : ndarray of int

    Returns
    -------
    float
        At most 1; NaN where a representation is constant on either part.

    Raises
    ------
    DataError
        As `shape_distance`.
    """
    x, y = representations(x, y)
    x_dev, y_dev = centred(x[development]), centred(y[development])
    x_test, y_test = x[test] - x[development].mean(axis=0), y[test] - y[development].mean(axis=0)
    (u_x, s_x), (u_y, s_y) = (_left(own) for own in (x_dev, y_dev))
    size = np.linalg.norm(x_test) * np.linalg.norm(y_test)
    if not len(s_x) or not len(s_y) or not size > 0:
        return float("nan")
    left, _, right = svd((s_x[:, None] * (u_x.T @ u_y)) * s_y, full_matrices=False)
    # coordinates of the test stimuli along the development's principal directions, V = Xc' U / s
    along_x, along_y = (t @ (d.T @ u / s) for t, d, u, s in ((x_test, x_dev, u_x, s_x), (y_test, y_dev, u_y, s_y)))
    return float(((along_x @ left) * (along_y @ right.T)).sum() / size)


def _left(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Left singular vectors [n, rank] and singular values of a centred representation, without those of rounding."""
    u, s, _ = svd(x, full_matrices=False)
    kept = s > 1e-12 * s.max(initial=0.0)
    return u[:, kept], s[kept]
