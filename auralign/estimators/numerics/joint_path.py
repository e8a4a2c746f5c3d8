"""The path of the multi-task lasso, by Newton's method on the sizes of the rows of W, with a checked duality gap."""

import warnings
from collections.abc import Iterator
from typing import cast

import numpy as np
from scipy.linalg.lapack import dposv, dpotrf, dtrtrs
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import MultiTaskLasso

from .columns import distinct_columns

# duality gap, relative to the empty model's loss, at which a solution is exact enough
GAP_TOLERANCE = 1e-10
# the least that can be asked for: closer, rounding decides, and no step is the last one
LEAST_TOLERANCE = 1e-13
# rounds of adding features and Newton steps in each
ROUNDS, STEPS = 50, 100
# of the Newton steps, relative to the diagonal of the Hessian
LEAST_DAMPING, MOST_DAMPING = 1e-12, 1e8


def relative_joint_gap(x: np.ndarray, y: np.ndarray, coef: np.ndarray, alpha: float) -> float:
    """Duality gap of a solution divided by the loss of the empty model, ||Y||_F^2 / (2 n).

    As `lasso.relative_gaps`, with the largest norm of a row of X'R in place of the largest correlation.

    Parameters
    ----------
    x : ndarray, shape (n, n_features), centred
    y : ndarray, shape (n, n_targets), centred
    coef : ndarray, shape (n_features, n_targets)
    """
    residual = y - x @ coef
    norms = np.linalg.norm(x.T @ residual, axis=1)
    return _gap(y, residual, norms.max(initial=0.0), np.linalg.norm(coef, axis=1).sum(), alpha * len(y))


def _gap(y: np.ndarray, residual: np.ndarray, largest: float, penalty: float, lam: float) -> float:
    """Compute the gap from the largest norm of X'R, the sum of the norms of W's rows, and lambda = n alpha."""
    power = (y**2).sum()
    if power == 0.0:
        return 0.0
    theta = residual * min(1.0, lam / largest) if largest > 0 else residual
    primal = (residual**2).sum() + 2.0 * lam * penalty
    dual = power - ((y - theta) ** 2).sum()
    return float((primal - dual) / power)


def joint_alpha_grid(x: np.ndarray, y: np.ndarray, n_alphas: int, eps: float) -> np.ndarray:
    """alpha_max * logspace(0, log10(eps)), with alpha_max = max_j ||x_j'Y||_2 / n the smallest with an empty model."""
    alpha_max = np.linalg.norm(x.T @ y, axis=1).max(initial=0.0) / len(y)
    return (alpha_max if alpha_max > 0 else 1.0) * np.logspace(0.0, np.log10(eps), n_alphas)


class _Point:
    """The sizes of the rows of W, and what follows from them, for some columns of X.

    With lambda = n alpha and D = diag(size), the smallest penalised loss among all W is attained by W = D Z,
    Z = X'SY, S = (lambda I + X D X')^-1, and is lambda / 2 times `value` = tr(Y'SY) + sum(size). X'X and X'Y are all
    that is needed of X and Y: with V = L^-1 sqrt(D) X', LL' = lambda I + sqrt(D) X'X sqrt(D) of the sizes that are not
    0, lambda S = I - V'V (Woodbury). The residual R = Y - XW = lambda S Y has X'R = lambda Z.

    Parameters
    ----------
    gram : ndarray, shape (k, k)
        X'X.
    cross : ndarray, shape (k, n_targets)
        X'Y.
    power : float
        ||Y||_F^2.
    size : ndarray, shape (k,)
    lam : float
    """

    def __init__(self, gram: np.ndarray, cross: np.ndarray, power: float, size: np.ndarray, lam: float):
        own = np.flatnonzero(size)
        roots = np.sqrt(size[own])
        # [Y'X; X'X] sqrt(D), whose transpose LAPACK takes as it is
        both = np.concatenate([cross[own].T, gram[:, own]])
        both *= roots
        inner = both[cross.shape[1] :][own] * roots[:, None]
        inner.flat[:: len(own) + 1] += lam
        self._half = _lower_solve(_cholesky(inner), both.T)
        self._gram, self._n_targets, self._lam = gram, cross.shape[1], lam
        of_y, of_x = self._half[:, : self._n_targets], self._half[:, self._n_targets :]
        fitted = float(np.einsum("ij,ij->", of_y, of_y))  # tr(Y'XW)
        self.value = (power - fitted) / lam + size.sum()
        self.z = (cross - of_x.T @ of_y) / lam
        self.squares = np.einsum("ij,ij->i", self.z, self.z)
        # ||R||^2, tr(Y'R) and with the largest norm of a row of Z the gap, as `_gap` from the residual itself
        residual = power - fitted - lam * float(size @ self.squares)
        scale = min(1.0, 1.0 / np.sqrt(self.squares.max())) if self.squares.any() else 1.0
        primal = residual + 2.0 * lam * float(size @ np.sqrt(self.squares))
        self.gap = (primal - 2.0 * scale * (power - fitted) + scale**2 * residual) / power if power else 0.0

    def hessian(self) -> np.ndarray:
        """Second derivatives of `value`: 2 (X'SX) * (ZZ') elementwise; the first are 1 - `squares`."""
        of_x = self._half[:, self._n_targets :]
        return (2.0 / self._lam) * (self._gram - of_x.T @ of_x) * (self.z @ self.z.T)


def _cholesky(matrix: np.ndarray) -> np.ndarray:
    return dpotrf(matrix.T, lower=1)[0] if len(matrix) else matrix


def _lower_solve(factor: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Solve L z = values, in their place where LAPACK can."""
    return dtrtrs(factor, values, lower=1, overwrite_b=1)[0] if len(factor) else values


def _positive_solve(matrix: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Solve for a vector with a matrix that is positive definite, but for rounding."""
    _, found, failed = dposv(matrix, values, lower=1)
    return np.linalg.solve(matrix, values) if failed else found


def _bounded_step(hessian: np.ndarray, gradient: np.ndarray, size: np.ndarray) -> np.ndarray:
    """Minimise gradient'd + d'Hd / 2 with size + d >= 0: sizes that would become negative stop at 0, one after all.

    The others are solved for again each time, so that a feature takes over what an almost equal one gives up. Sizes
    that stopped are not let go again within the step; the next one does.
    """
    step, free = -size, (size > 0) | (gradient < 0)
    while free.any():
        own, rest = np.flatnonzero(free), np.flatnonzero(~free)
        of_own = hessian[own]
        step[own] = -_positive_solve(of_own[:, own], gradient[own] + of_own[:, rest] @ step[rest])
        beyond = own[size[own] + step[own] < 0]
        if not len(beyond):
            break
        step[beyond] = -size[beyond]
        free[beyond] = False
    return step


def _minimise(
    gram: np.ndarray, cross: np.ndarray, power: float, size: np.ndarray, lam: float, tolerance: float
) -> np.ndarray:
    """Minimise `value` of `_Point` over sizes >= 0 by damped Newton steps (Levenberg and Marquardt) inside the bounds.

    Parameters as of `_Point`.
    """
    point, damping = _Point(gram, cross, power, size, lam), LEAST_DAMPING
    for _ in range(STEPS):
        if point.gap <= 0.1 * tolerance:
            break
        gradient, hessian = 1.0 - point.squares, point.hessian()
        diagonal = hessian.diagonal() + 1e-6 * hessian.diagonal().mean()
        while damping <= MOST_DAMPING:
            damped = hessian.copy()
            damped.flat[:: len(size) + 1] += damping * diagonal
            step = _bounded_step(damped, gradient, size)
            new_size = np.maximum(size + step, 0.0)
            # the value is at least the sum of the sizes
            if new_size.sum() <= point.value:
                new = _Point(gram, cross, power, new_size, lam)
                # close to the minimum rounding hides the decrease
                if new.value <= point.value + 1e-4 * min(gradient @ step, 0.0) + 1e-11 * point.value:
                    break
            damping *= 10.0
        else:
            break
        size, point, damping = new_size, new, max(damping / 100.0, LEAST_DAMPING)
    return size


def _weights(x: np.ndarray, y: np.ndarray, size: np.ndarray, lam: float) -> np.ndarray:
    """Solve the ridge regression that sizes > 0 of some columns stand for: W, [k, n_targets]."""
    own = x * np.sqrt(size)
    gram = own.T @ own
    gram.flat[:: len(size) + 1] += lam
    factor = _cholesky(gram)
    half = _lower_solve(factor, own.T @ y)
    return np.sqrt(size)[:, None] * (dtrtrs(factor, half, lower=1, trans=1)[0] if len(size) else half)


def _solve(
    x: np.ndarray, y: np.ndarray, size: np.ndarray, lam: float, tolerance: float
) -> tuple[np.ndarray, np.ndarray, float]:
    """Minimise over the sizes of all columns, starting from `size`, in place.

    Returns
    -------
    columns : ndarray of int, shape (k,)
        Whose size is not 0.
    weights : ndarray, shape (k, n_targets)
    gap : float
        The relative gap.
    """
    power = float(np.einsum("ij,ij->", y, y))
    for _ in range(ROUNDS):
        selected = np.flatnonzero(size)
        weights = _weights(x[:, selected], y, size[selected], lam)
        residual = y - x[:, selected] @ weights
        norms = np.linalg.norm(x.T @ residual, axis=1) / lam
        gap = _gap(y, residual, lam * norms.max(initial=0.0), np.linalg.norm(weights, axis=1).sum(), lam)
        if gap <= tolerance:
            break
        # beside them the columns that want a size (norm > 1), at most as many as there are stimuli
        wanted = np.flatnonzero((norms > 1.0) & (size == 0))
        wanted = wanted[np.argsort(-norms[wanted], kind="stable")[: len(x)]]
        columns = np.concatenate([selected, wanted])
        own = x[:, columns]
        size[columns] = _minimise(own.T @ own, own.T @ y, power, size[columns], lam, tolerance)
    return selected, weights, gap


def _coordinate_descent(x: np.ndarray, y: np.ndarray, alpha: float) -> np.ndarray:
    """Solve by scikit-learn's coordinate descent to a tight tolerance; slow, for where Newton's method stops short."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # the gap says it
        model = MultiTaskLasso(alpha, fit_intercept=False, tol=GAP_TOLERANCE, max_iter=20_000)
        return model.fit(x, y).coef_.T


def joint_path(
    x: np.ndarray, y: np.ndarray, alphas: np.ndarray, tolerance: float = GAP_TOLERANCE
) -> Iterator[tuple[np.ndarray, np.ndarray, float]]:
    """Minimise ||Y - XW||_F^2 / (2 n) + alpha sum_j ||w_j||_2 for one alpha after the other.

    Since ||w|| = min over s >= 0 of (||w||^2 / s + s) / 2, the sizes s_j of W's rows can be found first: given them W
    solves a ridge regression, and what is left is smooth, convex and bound by s >= 0 only (`_Point`), of as many
    unknowns as there are selected features, however many targets (the "eta trick", Bach et al. 2012, Found Trends
    Mach Learn 4:1, section 5). Coordinate descent needs some thousand passes for the gap that a few Newton steps reach.

    Parameters
    ----------
    x : ndarray, shape (n, n_features), centred
    y : ndarray, shape (n, n_targets), centred
    alphas : ndarray, shape (n_alphas,), descending and positive
    tolerance : float
        Relative duality gap at which a solution is exact enough.

    Yields
    ------
    columns : ndarray of int, shape (n_selected,)
        Of equal columns the first carries the weight.
    weights : ndarray, shape (n_selected, n_targets)
    gap : float
        Relative duality gap. Where Newton's method leaves it above `tolerance`, coordinate descent is asked and
        the better of both is kept.
    """
    kept = distinct_columns(x)
    x = x[:, kept]
    scale = np.sqrt((y**2).mean()) or 1.0
    scaled = y / scale
    # the sizes depend on Y only by YY': of more targets than stimuli, n x n numbers with the same YY' do
    small = cast(np.ndarray, np.linalg.qr(scaled.T, mode="r")).T if y.shape[1] > len(y) else scaled
    size = last = np.zeros(len(kept))
    for number, alpha in enumerate(alphas):
        lam = alpha * len(y) / scale
        before, size = size, size.copy()
        if number > 1 and tolerance > GAP_TOLERANCE:
            # sizes go nearly straight between grid points: the last two tell where the next one is, which saves a step;
            # exact solutions start from the last one, as ever, so that they are the same to the last digits
            ratio = (alphas[number - 1] - alpha) / (alphas[number - 2] - alphas[number - 1])
            size = np.where(size > 0, np.maximum(size + ratio * (size - last), 0.1 * size), 0.0)
        last = before
        columns, weights, gap = _solve(x, small, size, lam, tolerance)
        weights = scale * (weights if small is scaled else _weights(x[:, columns], scaled, size[columns], lam))
        if not gap <= tolerance:
            other = _coordinate_descent(x, y, alpha)
            other_gap = relative_joint_gap(x, y, other, alpha)
            if not gap <= other_gap:
                columns, gap = np.flatnonzero(other.any(axis=1)), other_gap
                weights = other[columns]
                size = np.linalg.norm(other, axis=1) / scale
        yield kept[columns], weights, gap
