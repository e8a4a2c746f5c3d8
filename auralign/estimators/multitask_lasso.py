"""Multi-task lasso: one joint selection of features and one alpha for all targets, with a checked duality gap."""

import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.linalg import cholesky, solve_triangular
from sklearn.base import BaseEstimator, MultiOutputMixin, RegressorMixin
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import MultiTaskLasso
from sklearn.utils.validation import check_is_fitted

from .lasso import checked, distinct_columns
from .numerics.folds import resolve_folds, training_and_validation

# duality gap, relative to the empty model's loss, at which a solution is exact enough
GAP_TOLERANCE = 1e-10
# rounds of adding features and Newton steps in each
ROUNDS, STEPS = 50, 100
# of the Newton steps, relative to the diagonal of the Hessian
LEAST_DAMPING, MOST_DAMPING = 1e-12, 1e8


@dataclass(frozen=True)
class MultiTaskLassoFit:
    """A fitted multi-task lasso.

    Attributes
    ----------
    alpha : float
        In the units of the responses (standardised ones with `standardise_targets`).
    coef : ndarray, shape (n_features, n_targets)
        In the units of the responses as they were given. A row is 0 for all targets or (in general) for none.
    x_mean : ndarray, shape (n_features,)
    y_mean : ndarray, shape (n_targets,)
    gap : float
        Duality gap at `alpha`, relative to the loss of the empty model.
    r2_dev : ndarray, shape (n_targets,)
        1 - cross-validated error at `alpha` / that of the training mean, on the same inner folds; 0 for constant
        targets. It knows nothing of test stimuli.
    """

    alpha: float
    coef: np.ndarray
    x_mean: np.ndarray
    y_mean: np.ndarray
    gap: float
    r2_dev: np.ndarray

    def predict(self, x: np.ndarray) -> np.ndarray:
        """y = (x - x_mean) coef + y_mean, shape (n, n_targets)."""
        return (x - self.x_mean) @ self.coef + self.y_mean


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
    small = np.linalg.qr(scaled.T, mode="r").T if y.shape[1] > len(y) else scaled
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


def fit_multitask_lasso(
    x: np.ndarray,
    y: np.ndarray,
    n_alphas: int = 50,
    eps: float = 1e-3,
    cv: Any = 5,
    seed: int = 0,
    standardise_targets: bool = False,
) -> MultiTaskLassoFit:
    """Choose alpha by inner cross-validation on the given stimuli, then fit all of them.

    The grid is the same in every fold: relative to alpha_max of all given stimuli. X and Y are centred with the means
    of the fold's own training part. The error of an alpha is the mean over folds of the squared error averaged over
    stimuli and targets; of equal errors the larger alpha wins.

    Targets share the penalty and the error in their own units: one with a large variance decides which features are
    selected and which alpha is chosen, one with a small variance hardly counts. `standardise_targets` divides each by
    its standard deviation over the given stimuli first. As published, it is off.

    Parameters
    ----------
    x : ndarray, shape (n, n_features)
    y : ndarray, shape (n, n_targets)
    n_alphas, eps : int, float
        Size of the grid and its smallest value relative to alpha_max.
    cv : "loo", int, splitter or list of folds
        Exact leave-one-out, or inner folds as in `solvers.folds.resolve_folds`, whose module says how folds of unequal
        sizes are weighed.
    seed : int
        Seed of a number of inner folds; nothing else is drawn.
    standardise_targets : bool

    Raises
    ------
    ConfigError, DataError
        See `lasso.checked` and `resolve_folds`.
    """
    x_mean, x_centred, y_mean, y_centred = checked(x, y, n_alphas, eps)
    spread = y_centred.std(axis=0) if standardise_targets else np.ones(y_centred.shape[1])
    y_centred = y_centred / np.where(spread > 0, spread, 1.0)
    alphas = joint_alpha_grid(x_centred, y_centred, n_alphas, eps)
    errors, of_mean = np.zeros((n_alphas, y_centred.shape[1])), np.zeros(y_centred.shape[1])
    folds = training_and_validation(resolve_folds(cv, x_centred, np.asarray(y), seed, "lasso"), len(x_centred))
    n_folds = len(folds[0])
    for training, held_out in zip(*folds, strict=True):
        fold_x, fold_y = (values - values[training].mean(axis=0) for values in (x_centred, y_centred))
        for index, (columns, weights, _) in enumerate(joint_path(fold_x[training], fold_y[training], alphas)):
            predicted = fold_x[np.ix_(held_out, columns)] @ weights
            errors[index] += ((fold_y[held_out] - predicted) ** 2).mean(axis=0) / n_folds
        of_mean += (fold_y[held_out] ** 2).mean(axis=0) / n_folds
    best = int(errors.mean(axis=1).argmin())
    *_, (columns, weights, _) = joint_path(x_centred, y_centred, alphas[: best + 1])
    coef = np.zeros((x_centred.shape[1], y_centred.shape[1]))
    coef[columns] = weights
    gap = relative_joint_gap(x_centred, y_centred, coef, alphas[best])
    r2_dev = 1.0 - np.divide(errors[best], of_mean, out=np.ones_like(of_mean), where=of_mean > 0)
    return MultiTaskLassoFit(float(alphas[best]), coef * np.where(spread > 0, spread, 1.0), x_mean, y_mean, gap, r2_dev)


class MultiTaskLassoExact(MultiOutputMixin, RegressorMixin, BaseEstimator):
    """The scikit-learn face of `fit_multitask_lasso`.

    Parameters
    ----------
    n_alphas, eps, cv, seed, standardise_targets
        See `fit_multitask_lasso`.

    Attributes
    ----------
    alpha_ : float
    coef_ : ndarray, shape (n_features,) or (n_targets, n_features)
    intercept_ : float, or ndarray of shape (n_targets,)
    dual_gap_ : float
        Relative duality gap of the final fit.
    r2_dev_ : float, or ndarray of shape (n_targets,)
        Cross-validated score on the given stimuli, see `MultiTaskLassoFit`.
    """

    def __init__(self, n_alphas=50, eps=1e-3, cv=5, seed=0, standardise_targets=False):
        self.n_alphas = n_alphas
        self.eps = eps
        self.cv = cv
        self.seed = seed
        self.standardise_targets = standardise_targets

    def fit(self, X, y):
        """Choose alpha and fit; X [n, n_features], y [n] or [n, n_targets]."""
        X, y = self._validate_data(X, y, dtype=np.float64, y_numeric=True, multi_output=True, ensure_min_samples=2)
        one_target = y.ndim == 1
        responses = y[:, None] if one_target else y
        fit = fit_multitask_lasso(X, responses, self.n_alphas, self.eps, self.cv, self.seed, self.standardise_targets)
        self.alpha_, self.dual_gap_ = fit.alpha, fit.gap
        intercept = fit.y_mean - fit.x_mean @ fit.coef
        self.coef_, self.intercept_, self.r2_dev_ = (
            value[0] if one_target else value for value in (fit.coef.T, intercept, fit.r2_dev)
        )
        return self

    def predict(self, X):
        """Predict [n] or [n, n_targets]."""
        check_is_fitted(self)
        X = self._validate_data(X, dtype=np.float64, reset=False)
        return X @ self.coef_.T + self.intercept_
