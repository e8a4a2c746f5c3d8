"""Lasso along its exact piecewise-linear path, with a checked duality gap."""

import warnings
from dataclasses import dataclass

import numpy as np
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import lars_path, lasso_path
from sklearn.model_selection import KFold, LeaveOneOut
from sklearn.utils.validation import check_is_fitted

# largest duality gap, relative to the empty model's loss, at which a solution counts as exact
GAP_TOLERANCE = 1e-10


@dataclass(frozen=True)
class LassoFit:
    """A fitted lasso for one target.

    Attributes
    ----------
    alpha : float
    coef : ndarray, shape (n_features,)
    x_mean : ndarray, shape (n_features,)
    y_mean : float
    gap : float
        Duality gap at `alpha`, relative to the loss of the empty model.
    """

    alpha: float
    coef: np.ndarray
    x_mean: np.ndarray
    y_mean: float
    gap: float

    def predict(self, x: np.ndarray) -> np.ndarray:
        """y = (x - x_mean) coef + y_mean, shape (n,)."""
        return (x - self.x_mean) @ self.coef + self.y_mean


def relative_gaps(x: np.ndarray, y: np.ndarray, coefs: np.ndarray, alphas: np.ndarray) -> np.ndarray:
    """Duality gap of each solution divided by the loss of the empty model, ||y||^2 / (2 n).

    With r = y - X w and the dual point theta = r * min(1, alpha n / ||X'r||_inf), the gap is
    (||r||^2 / (2 n) + alpha ||w||_1) - (||y||^2 - ||y - theta||^2) / (2 n), zero exactly at the solution.

    Parameters
    ----------
    x : ndarray, shape (n, n_features), centred
    y : ndarray, shape (n,), centred
    coefs : ndarray, shape (n_features, n_alphas)
    alphas : ndarray, shape (n_alphas,)
    """
    n = len(y)
    residual = y[:, None] - x @ coefs  # [n, A]
    correlation = np.abs(x.T @ residual).max(axis=0)
    with np.errstate(divide="ignore"):
        theta = residual * np.minimum(1.0, alphas * n / correlation)
    primal = (residual**2).sum(axis=0) / (2 * n) + alphas * np.abs(coefs).sum(axis=0)
    dual = (y @ y - ((y[:, None] - theta) ** 2).sum(axis=0)) / (2 * n)
    return (primal - dual) / (y @ y / (2 * n))


def _distinct_columns(x: np.ndarray) -> np.ndarray:
    """Return the indices of the first of every group of equal columns, without columns that are zero."""
    first = {column.tobytes(): index for index, column in reversed(list(enumerate(np.ascontiguousarray(x.T) + 0.0)))}
    first.pop(np.zeros(len(x)).tobytes(), None)
    return np.sort(np.fromiter(first.values(), dtype=int, count=len(first)))


def _homotopy(x: np.ndarray, y: np.ndarray, alphas: np.ndarray) -> np.ndarray:
    """Solve at `alphas` (descending) by following the path from knot to knot, between which it is linear."""
    # scikit-learn's path compares alphas with an absolute tolerance of 1e-7, which is large against the alphas of small
    # responses: scale the response so that the largest alpha is 1, and go a little below the smallest
    scale = np.abs(x.T @ y).max() / len(y)
    with warnings.catch_warnings():
        # what the warnings are about (dropped or degenerate columns) is judged by the duality gap
        warnings.simplefilter("ignore", ConvergenceWarning)
        knots, _, path = lars_path(
            x, y / scale, method="lasso", alpha_min=0.99 * alphas[-1] / scale, max_iter=10 * max(x.shape)
        )
    knots, path = knots * scale, path * scale
    # right - 1 and right are the knots around each alpha (descending); beyond the ends the path is constant
    right = np.clip(np.searchsorted(-knots, -alphas, side="left"), 0, len(knots) - 1)
    left = np.maximum(right - 1, 0)
    span = knots[left] - knots[right]
    weight = np.where(span > 0, (knots[left] - alphas) / np.where(span > 0, span, 1.0), 1.0).clip(0.0, 1.0)
    return path[:, left] * (1.0 - weight) + path[:, right] * weight


def _coordinate_descent(x: np.ndarray, y: np.ndarray, alphas: np.ndarray) -> np.ndarray:
    """Solve at `alphas` by coordinate descent to a tight tolerance; slow, for where the path fails."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        _, coefs, _ = lasso_path(x, y, alphas=alphas, tol=GAP_TOLERANCE, max_iter=20_000)
    return coefs


def solve_path(x: np.ndarray, y: np.ndarray, alphas: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Minimise ||y - X w||^2 / (2 n) + alpha ||w||_1 for every alpha.

    Parameters
    ----------
    x : ndarray, shape (n, n_features), centred
    y : ndarray, shape (n,), centred
    alphas : ndarray, shape (n_alphas,), descending and positive

    Returns
    -------
    coefs : ndarray, shape (n_features, n_alphas)
        Of equal columns the first carries the weight.
    gaps : ndarray, shape (n_alphas,)
        Relative duality gaps. The homotopy is exact; wherever its gap is above `GAP_TOLERANCE` all the same (columns
        that are almost equal), coordinate descent is asked and the better of both is kept.
    """
    coefs, gaps = np.zeros((x.shape[1], len(alphas))), np.zeros(len(alphas))
    kept = _distinct_columns(x)
    distinct = x[:, kept]
    if len(kept) == 0 or np.abs(distinct.T @ y).max() == 0.0:
        return coefs, gaps
    solution = _homotopy(distinct, y, alphas)
    gaps = relative_gaps(distinct, y, solution, alphas)
    bad = ~(gaps <= GAP_TOLERANCE)
    if bad.any():
        other = _coordinate_descent(distinct, y, alphas[bad])
        other_gaps = relative_gaps(distinct, y, other, alphas[bad])
        better = ~(gaps[bad] <= other_gaps)
        columns = np.flatnonzero(bad)[better]
        solution[:, columns], gaps[columns] = other[:, better], other_gaps[better]
    coefs[kept] = solution
    return coefs, gaps


def alpha_grid(x: np.ndarray, y: np.ndarray, n_alphas: int, eps: float) -> np.ndarray:
    """alpha_max * logspace(0, log10(eps)), with alpha_max = ||X'y||_inf / n the smallest that gives an empty model."""
    alpha_max = np.abs(x.T @ y).max() / len(y)
    # a target without any covariance has an empty model everywhere: any positive grid says so
    alpha_max = alpha_max if alpha_max > 0 else 1.0
    return alpha_max * np.logspace(0.0, np.log10(eps), n_alphas)


def fit_lasso(
    x: np.ndarray, y: np.ndarray, n_alphas: int = 50, eps: float = 1e-3, cv: int | str = 5, seed: int = 0
) -> LassoFit:
    """Choose alpha by inner cross-validation on the given stimuli, then fit all of them.

    The grid is the same in every fold: relative to alpha_max of all given stimuli. X and y are centred with the means
    of the fold's own training part. The error of an alpha is the mean over folds of the mean squared error; of equal
    errors the larger alpha wins.

    Parameters
    ----------
    x : ndarray, shape (n, n_features)
    y : ndarray, shape (n,)
    n_alphas, eps : int, float
        Size of the grid and its smallest value relative to alpha_max.
    cv : int or "loo"
        Number of shuffled inner folds, or leave-one-out.
    seed : int
        Seed of the inner folds.
    """
    x, y = np.asarray(x, dtype=np.float64), np.asarray(y, dtype=np.float64)
    x_mean, y_mean = x.mean(axis=0), float(y.mean())
    x_centred, y_centred = x - x_mean, y - y_mean
    alphas = alpha_grid(x_centred, y_centred, n_alphas, eps)
    folds = LeaveOneOut() if cv == "loo" else KFold(cv, shuffle=True, random_state=seed)
    errors = []
    for train, held_out in folds.split(x):
        fold_x_mean, fold_y_mean = x[train].mean(axis=0), y[train].mean()
        coefs, _ = solve_path(x[train] - fold_x_mean, y[train] - fold_y_mean, alphas)
        predicted = (x[held_out] - fold_x_mean) @ coefs + fold_y_mean  # [held out, A]
        errors.append(((y[held_out][:, None] - predicted) ** 2).mean(axis=0))
    best = int(np.mean(errors, axis=0).argmin())
    coefs, gaps = solve_path(x_centred, y_centred, alphas[: best + 1])
    return LassoFit(float(alphas[best]), coefs[:, -1], x_mean, y_mean, float(gaps[-1]))


class LassoExact(RegressorMixin, BaseEstimator):
    """The scikit-learn face of `fit_lasso`.

    Parameters
    ----------
    n_alphas, eps, cv, seed
        See `fit_lasso`.

    Attributes
    ----------
    alpha_ : float
    coef_ : ndarray, shape (n_features,)
    intercept_ : float
    dual_gap_ : float
        Relative duality gap of the final fit.
    """

    def __init__(self, n_alphas=50, eps=1e-3, cv=5, seed=0):
        self.n_alphas = n_alphas
        self.eps = eps
        self.cv = cv
        self.seed = seed

    def fit(self, X, y):
        """Choose alpha and fit; X [n, n_features], y [n]."""
        X, y = self._validate_data(X, y, dtype=np.float64, y_numeric=True, ensure_min_samples=2)
        cv = self.cv if self.cv == "loo" else min(self.cv, len(y))
        fit = fit_lasso(X, y, self.n_alphas, self.eps, cv, self.seed)
        self.alpha_, self.coef_, self.dual_gap_ = fit.alpha, fit.coef, fit.gap
        self.intercept_ = fit.y_mean - float(fit.x_mean @ fit.coef)
        return self

    def predict(self, X):
        """Predict [n]."""
        check_is_fitted(self)
        X = self._validate_data(X, dtype=np.float64, reset=False)
        return X @ self.coef_ + self.intercept_
