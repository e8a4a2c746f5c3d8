"""The path of the multi-task lasso, by Newton's method on the sizes of the rows of W, with a checked duality gap."""

import warnings
from collections.abc import Iterator
from typing import cast

import numpy as np
from scipy.linalg import cholesky, solve_triangular
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import MultiTaskLasso

from .columns import distinct_columns

# duality gap, relative to the empty model's loss, at which a solution is exact enough
GAP_TOLERANCE = 1e-10
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

    With lambda = n alpha and D = diag(size), the smallest penalised loss among all W is attained by
    W = D X'SY, S = (lambda I + X D X')^-1, and is lambda / 2 times `value` = tr(Y'SY) + sum(size).
    """

    def __init__(self, x: np.ndarray, y: np.ndarray, size: np.ndarray, lam: float):
        gram = (x * size) @ x.T
        gram[np.diag_indices_from(gram)] += lam
        self.factor = cholesky(gram, lower=True, check_finite=False)  # of S^-1
        self.half = solve_triangular(self.factor, y, lower=True, check_finite=False)  # its product with itself: Y'SY
        self.value = (self.half**2).sum() + size.sum()

    def residual(self, lam: float) -> np.ndarray:
        """Y - XW = lambda S Y, shape (n, n_targets)."""
        return lam * solve_triangular(self.factor, self.half, lower=True, trans=1, check_finite=False)


def _bounded_step(hessian: np.ndarray, gradient: np.ndarray, size: np.ndarray) -> np.ndarray:
    """Minimise gradient'd + d'Hd / 2 with size + d >= 0: sizes that would become negative stop at 0, one after all.

    The others are solved for again each time, so that a feature takes over what an almost equal one gives up. Sizes
    that stopped are not let go again within the step; the next one does.
    """
    step, free = -size, (size > 0) | (gradient < 0)
    while free.any():
        rest = gradient[free] + hessian[np.ix_(free, ~free)] @ step[~free]
        step[free] = -np.linalg.solve(hessian[np.ix_(free, free)], rest)
        beyond = free & (size + step < 0)
        if not beyond.any():
            break
        step[beyond] = -size[beyond]
        free &= ~beyond
    return step


def _minimise(x: np.ndarray, y: np.ndarray, size: np.ndarray, lam: float) -> np.ndarray:
    """Minimise `value` of `_Point` over sizes >= 0 by damped Newton steps (Levenberg and Marquardt) inside the bounds.

    With Z = X'SY: gradient_j = 1 - ||z_j||^2, Hessian = 2 (X'SX) * (ZZ') elementwise.
    """
    point, damping = _Point(x, y, size, lam), LEAST_DAMPING
    for _ in range(STEPS):
        half = solve_triangular(point.factor, x, lower=True, check_finite=False)
        z = half.T @ point.half
        norms = np.linalg.norm(z, axis=1)
        if _gap(y, point.residual(lam), lam * norms.max(), (size * norms).sum(), lam) <= 0.1 * GAP_TOLERANCE:
            break
        gradient, hessian = 1.0 - norms**2, 2.0 * (half.T @ half) * (z @ z.T)
        diagonal = hessian.diagonal() + 1e-6 * hessian.diagonal().mean()
        while damping <= MOST_DAMPING:
            step = _bounded_step(hessian + np.diag(damping * diagonal), gradient, size)
            new_size = np.maximum(size + step, 0.0)
            # the value is at least the sum of the sizes
            if new_size.sum() <= point.value:
                new = _Point(x, y, new_size, lam)
                # close to the minimum rounding hides the decrease
                if new.value <= point.value + 1e-4 * min(gradient @ step, 0.0) + 1e-11 * point.value:
                    break
            damping *= 10.0
        else:
            break
        size, point, damping = new_size, new, max(damping / 100.0, LEAST_DAMPING)
    return size


def _solve(x: np.ndarray, y: np.ndarray, size: np.ndarray, lam: float) -> tuple[np.ndarray, float]:
    """Minimise over the sizes of all columns, starting from `size`, in place; returns them and the relative gap."""
    for _ in range(ROUNDS):
        selected = np.flatnonzero(size)
        residual = _Point(x[:, selected], y, size[selected], lam).residual(lam)
        norms = np.linalg.norm(x.T @ residual, axis=1) / lam
        gap = _gap(y, residual, lam * norms.max(initial=0.0), (size * norms).sum(), lam)
        if gap <= GAP_TOLERANCE:
            break
        # beside them the columns that want a size (norm > 1), at most as many as there are stimuli
        wanted = np.flatnonzero((norms > 1.0) & (size == 0))
        wanted = wanted[np.argsort(-norms[wanted], kind="stable")[: len(x)]]
        columns = np.concatenate([selected, wanted])
        size[columns] = _minimise(x[:, columns], y, size[columns], lam)
    return size, gap


def _coordinate_descent(x: np.ndarray, y: np.ndarray, alpha: float) -> np.ndarray:
    """Solve by scikit-learn's coordinate descent to a tight tolerance; slow, for where Newton's method stops short."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # the gap says it
        model = MultiTaskLasso(alpha, fit_intercept=False, tol=GAP_TOLERANCE, max_iter=20_000)
        return model.fit(x, y).coef_.T


def joint_path(x: np.ndarray, y: np.ndarray, alphas: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray, float]]:
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

    Yields
    ------
    columns : ndarray of int, shape (n_selected,)
        Of equal columns the first carries the weight.
    weights : ndarray, shape (n_selected, n_targets)
    gap : float
        Relative duality gap. Where Newton's method leaves it above `GAP_TOLERANCE`, coordinate descent is asked and
        the better of both is kept.
    """
    kept = distinct_columns(x)
    x = x[:, kept]
    scale = np.sqrt((y**2).mean()) or 1.0
    scaled = y / scale
    # the sizes depend on Y only by YY': of more targets than stimuli, n x n numbers with the same YY' do
    small = cast(np.ndarray, np.linalg.qr(scaled.T, mode="r")).T if y.shape[1] > len(y) else scaled
    size = np.zeros(len(kept))
    for alpha in alphas:
        lam = alpha * len(y) / scale
        size, gap = _solve(x, small, size, lam)
        columns = np.flatnonzero(size)
        dual = _Point(x[:, columns], scaled, size[columns], lam).residual(lam) / lam  # S Y
        weights = scale * size[columns, None] * (x[:, columns].T @ dual)
        if not gap <= GAP_TOLERANCE:
            other = _coordinate_descent(x, y, alpha)
            other_gap = relative_joint_gap(x, y, other, alpha)
            if not gap <= other_gap:
                columns, gap = np.flatnonzero(other.any(axis=1)), other_gap
                weights = other[columns]
                size = np.linalg.norm(other, axis=1) / scale
        yield kept[columns], weights, gap
