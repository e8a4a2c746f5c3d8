"""Lasso along its exact piecewise-linear path, with a checked duality gap."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from pydantic import Field
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import lasso_path

from ..options import Seed
from .face import Face
from .numerics.columns import checked, distinct_columns
from .numerics.duality import gaps_of_residuals, relative_gaps
from .numerics.folds import resolve_folds, training_and_validation
from .numerics.homotopy import PathSolutions, follow_paths
from .options import EstimatorOptions, InnerFolds, relative_grid_words
from .plugin import Can, InnerCv, LinearFit, Plugin

# duality gap, relative to the empty model's loss, above which a solution is asked for again; that of the path is about
# 1e-13, and some 1e-9 where columns are equal to 6 to 9 digits
GAP_TOLERANCE = 1e-8
# problems (training sets x targets) that are solved together, fewer where there are many features: what fits a cache
PROBLEMS, ELEMENTS = 72, 2**22


class Lasso(EstimatorOptions):
    """Lasso; alpha by inner cross-validation on a grid relative to the smallest alpha that gives an empty model."""

    kind: Literal["lasso"]
    n_alphas: int = Field(default=50, ge=2)
    eps: float = Field(default=1e-3, gt=0, lt=1)
    cv: InnerFolds = 5
    seed: Seed = 0


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
    r2_dev : float
        1 - cross-validated error at `alpha` / that of the training mean, on the same inner folds; 0 where the latter
        is 0. It knows nothing of test stimuli, so that a layer may be chosen by it. The choice of alpha makes it
        slightly optimistic.
    """

    alpha: float
    coef: np.ndarray
    x_mean: np.ndarray
    y_mean: float
    gap: float
    r2_dev: float

    def predict(self, x: np.ndarray) -> np.ndarray:
        """y = (x - x_mean) coef + y_mean, shape (n,)."""
        return (x - self.x_mean) @ self.coef + self.y_mean


def alpha_grid(x: np.ndarray, y: np.ndarray, n_alphas: int, eps: float) -> np.ndarray:
    """alpha_max * logspace(0, log10(eps)), with alpha_max = ||X'y||_inf / n the smallest that gives an empty model.

    Parameters
    ----------
    x : ndarray, shape (n, n_features), centred
    y : ndarray, shape (n,) or (n, n_targets), centred

    Returns
    -------
    ndarray, shape (n_alphas,) or (n_targets, n_alphas)
    """
    alpha_max = np.abs(y.T @ x).max(axis=-1, initial=0.0) / len(y)
    # a target without any covariance has an empty model everywhere: any positive grid says so
    alpha_max = np.where(alpha_max > 0, alpha_max, 1.0)
    return alpha_max[..., None] * np.logspace(0.0, np.log10(eps), n_alphas)


def _mend(x: np.ndarray, y: np.ndarray, alphas: np.ndarray, coefs: np.ndarray, gaps: np.ndarray) -> np.ndarray:
    """Ask coordinate descent wherever the gap is above the tolerance and keep the better of both, in place.

    Slow, for where the path fails: columns that are tied or almost dependent.

    Returns
    -------
    ndarray of bool, shape (n_alphas,)
        Which solutions were replaced.
    """
    bad = np.flatnonzero(~(gaps <= GAP_TOLERANCE))
    replaced = np.zeros(len(alphas), dtype=bool)
    if len(bad):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)  # the gap says it
            _, other, _ = lasso_path(x, y, alphas=alphas[bad], tol=GAP_TOLERANCE, max_iter=20_000)
        other_gaps = relative_gaps(x, y, other, alphas[bad])
        better = ~(gaps[bad] <= other_gaps)
        replaced[bad[better]] = True
        coefs[:, replaced], gaps[replaced] = other[:, better], other_gaps[better]
    return replaced


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
        Relative duality gaps. The path is exact; wherever its gap is above `GAP_TOLERANCE` all the same (columns that
        are almost equal), coordinate descent is asked and the better of both is kept.
    """
    coefs = np.zeros((x.shape[1], len(alphas)))
    kept = distinct_columns(x)
    distinct = x[:, kept]
    paths = follow_paths(distinct, np.ones((1, len(y)), dtype=bool), y[:, None], alphas[None])
    solution = paths.coefs(0, 0, len(kept))
    gaps = relative_gaps(distinct, y, solution, alphas)
    _mend(distinct, y, alphas, solution, gaps)
    coefs[kept] = solution
    return coefs, gaps


def fit_lassos(
    x: np.ndarray, y: np.ndarray, n_alphas: int = 50, eps: float = 1e-3, cv: Any = 5, seed: int = 0
) -> list[LassoFit]:
    """Minimise ||y - Xw||^2 / (2 n) + alpha ||w||_1 for every target, alpha chosen inside the given stimuli.

    The grid is the same in every fold: relative to alpha_max of all given stimuli. X and y are centred with the means
    of the fold's own training part. The error of an alpha is the mean over folds of the mean squared error; of equal
    errors the larger alpha wins. The folds and the final fit of several targets are solved together.

    Parameters
    ----------
    x : ndarray, shape (n, n_features)
    y : ndarray, shape (n, n_targets)
    n_alphas, eps : int, float
        Size of the grid and its smallest value relative to alpha_max.
    cv : "loo", int, splitter or list of folds
        Exact leave-one-out, or inner folds as in `numerics.folds.resolve_folds`, whose module says how folds of unequal
        sizes are weighed.
    seed : int
        Seed of a number of inner folds; nothing else is drawn.

    Returns
    -------
    list of LassoFit
        A constant target has the empty model; a constant feature the weight 0; of equal features the first carries the
        weight.

    Raises
    ------
    ConfigError, DataError
        See `checked` and `resolve_folds`.
    """
    x_mean, x_centred, y_mean, y_centred = checked(x, y, n_alphas, eps)
    n = len(x_centred)
    kept = distinct_columns(x_centred)
    distinct = x_centred[:, kept]
    # the last training set are all stimuli
    training, validation = training_and_validation(resolve_folds(cv, x_centred, np.asarray(y), seed, "lasso"), n)
    rows = np.concatenate([training, np.ones((1, n), dtype=bool)])
    alphas = alpha_grid(distinct, y_centred, n_alphas, eps)
    at_once = max(min(PROBLEMS, ELEMENTS // max(len(kept), 1)) // len(rows), 1)
    fits: list[LassoFit] = []
    for start in range(0, len(alphas), at_once):
        block = slice(start, start + at_once)
        for alpha, weights, gap, r2_dev in _fit(distinct, rows, validation, y_centred[:, block], alphas[block]):
            coef = np.zeros(x_centred.shape[1])
            coef[kept] = weights
            fits.append(LassoFit(alpha, coef, x_mean, float(y_mean[len(fits)]), gap, r2_dev))
    return fits


def _fit(x: np.ndarray, rows: np.ndarray, validation: np.ndarray, y: np.ndarray, alphas: np.ndarray) -> Iterator[tuple]:
    """Yield alpha, weights, gap and r2_dev of each target; the last of the training sets `rows` are all stimuli."""
    paths = follow_paths(x, rows, y, alphas)
    errors, of_mean = np.zeros(alphas.shape), np.zeros(len(alphas))
    for fold, (training, held_out) in enumerate(zip(rows[:-1], validation, strict=True)):
        residuals = _checked_residuals(x, y, alphas, training, paths, fold)  # [T, A, n]
        errors += (residuals[:, :, held_out] ** 2).mean(axis=2) / len(validation)
        of_mean += ((y[held_out] - y[training].mean(axis=0)) ** 2).mean(axis=0) / len(validation)
    for target, best in enumerate(errors.argmin(axis=1)):
        alpha = alphas[target, [best]]
        coef = paths.coefs(-1, target, x.shape[1])[:, [best]]
        gap = relative_gaps(x, y[:, target], coef, alpha)
        _mend(x, y[:, target], alpha, coef, gap)
        r2_dev = 1.0 - errors[target, best] / of_mean[target] if of_mean[target] > 0 else 0.0
        yield float(alpha[0]), coef[:, 0], float(gap[0]), float(r2_dev)


def _checked_residuals(
    x: np.ndarray, y: np.ndarray, alphas: np.ndarray, training: np.ndarray, paths: PathSolutions, fold: int
) -> np.ndarray:
    """Return the residuals of all stimuli in one fold, [T, A, n], those of failed solutions replaced."""
    residuals, x_mean, y_mean = paths.residuals[fold], x[training].mean(axis=0), y[training].mean(axis=0)
    x_train, y_train = x[training] - x_mean, y[training] - y_mean
    for target, grid in enumerate(alphas):
        l1 = np.abs(paths.weights[fold, target]).sum(axis=1)
        gaps = gaps_of_residuals(x_train, y_train[:, target], residuals[target][:, training], l1, grid)
        if not (gaps <= GAP_TOLERANCE).all():
            coefs = paths.coefs(fold, target, x.shape[1])
            replaced = _mend(x_train, y_train[:, target], grid, coefs, gaps)
            residuals[target, replaced] = y[:, target] - y_mean[target] - ((x - x_mean) @ coefs[:, replaced]).T
    return residuals


def fit_lasso(
    x: np.ndarray, y: np.ndarray, n_alphas: int = 50, eps: float = 1e-3, cv: Any = 5, seed: int = 0
) -> LassoFit:
    """Fit one target, y [n]; else as `fit_lassos`."""
    return fit_lassos(x, np.asarray(y)[:, None], n_alphas, eps, cv, seed)[0]


def fit_together(
    x: np.ndarray, y: np.ndarray, n_alphas: int = 50, eps: float = 1e-3, cv: Any = 5, seed: int = 0
) -> LinearFit:
    """Fit every target by itself as `fit_lassos`, and put the fits beside each other."""
    fits = fit_lassos(x, y, n_alphas, eps, cv, seed)
    y_mean, alpha, r2_dev = (np.array([getattr(fit, key) for fit in fits]) for key in ("y_mean", "alpha", "r2_dev"))
    return LinearFit(np.column_stack([fit.coef for fit in fits]), fits[0].x_mean, y_mean, r2_dev, alpha)


class LassoExact(Face):
    """The scikit-learn face of `fit_lasso`, for one target; attributes as of `Face`.

    Parameters
    ----------
    n_alphas, eps, cv, seed
        See `fit_lassos`; positions of a list of folds are those of the rows that `fit` is given.

    Attributes
    ----------
    dual_gap_ : float
        Relative duality gap of the final fit.
    """

    def __init__(self, n_alphas=50, eps=1e-3, cv=5, seed=0):
        self.n_alphas = n_alphas
        self.eps = eps
        self.cv = cv
        self.seed = seed

    def _solve(self, x: np.ndarray, y: np.ndarray) -> LinearFit:
        fit = fit_lasso(x, y[:, 0], self.n_alphas, self.eps, self.cv, self.seed)
        self.dual_gap_ = fit.gap
        mean, alpha, r2_dev = np.array([[fit.y_mean], [fit.alpha], [fit.r2_dev]])
        return LinearFit(fit.coef[:, None], fit.x_mean, mean, r2_dev, alpha)


def _of_options(x: np.ndarray, y: np.ndarray, options: Lasso, cv: InnerCv, widths=None) -> LinearFit:
    return fit_together(x, y, options.n_alphas, options.eps, cv, options.seed)


def _face(options: Lasso, cv: InnerCv, widths=None) -> LassoExact:
    return LassoExact(options.n_alphas, options.eps, cv, options.seed)


PLUGIN = Plugin("lasso", Lasso, _of_options, Can(sparse=True, by_target=True), _face, words=relative_grid_words)
