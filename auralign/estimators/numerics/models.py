"""Fitting estimators that are not our own, and reading from them what results note of every fit."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, clone

from ...errors import DataError
from .folds import Fold, as_list, resolve_folds

# of a search with this scoring the best score is the error on the inner folds itself
SQUARED_ERROR = "neg_mean_squared_error"


@dataclass(frozen=True)
class FittedModels:
    """One fitted model per target, or one for all.

    Attributes
    ----------
    models : list of fitted estimators
    as_table : callable
        Turns features [n, n_units] into what the models were fitted with.
    alpha : ndarray, shape (n_targets,)
        NaN where the model has none.
    r2_dev : ndarray, shape (n_targets,)
    params : list of dict
        Hyper-parameters that a search chose, per target.
    """

    models: list[Any]
    as_table: Callable[[np.ndarray], Any]
    alpha: np.ndarray
    r2_dev: np.ndarray
    params: list[dict[str, Any]]

    def predict(self, x: np.ndarray) -> np.ndarray:
        """Predict [n, n_targets]."""
        table = self.as_table(x)
        return np.column_stack([np.asarray(model.predict(table), dtype=float) for model in self.models])


def fit_models(
    x: np.ndarray,
    y: np.ndarray,
    model: BaseEstimator,
    folds: list[Fold],
    name: str,
    per_target: bool = True,
    as_table: Callable[[np.ndarray], Any] = np.asarray,
) -> FittedModels:
    """Fit any scikit-learn estimator, or search over its hyper-parameters, and find its score on the inner folds.

    r2_dev = 1 - error / error of the training mean, both the mean over folds of the mean squared error of the stimuli
    left out, of the model with the hyper-parameters that were chosen: what our own solvers give, so that layers are
    chosen alike.

    Parameters
    ----------
    x : ndarray, shape (n, n_units)
    y : ndarray, shape (n, n_targets)
    model : estimator
        Not fitted; of a search its inner folds are `folds`.
    folds : list of (training, validation)
    name : str
        What the message of an error begins with.
    per_target : bool
        A model for each target; else one for all of them.
    as_table : callable
        Turns features [n, n_units] into what the model takes.

    Raises
    ------
    DataError
        The model refuses to be fitted; with what it says.
    """
    n_targets = y.shape[1]
    # a single target as a vector, which every scikit-learn estimator takes
    groups = [y[:, target] for target in range(n_targets)] if per_target or n_targets == 1 else [y]
    models, alphas, r2_dev, params = [], [], [], []
    for own in groups:
        width = 1 if own.ndim == 1 else own.shape[1]
        try:
            fitted = clone(model).fit(as_table(x), own)
            error, of_mean = _errors(fitted, x, own, folds, as_table)
        except (ValueError, TypeError, ArithmeticError, np.linalg.LinAlgError) as problem:
            raise DataError(f"{name} cannot be fitted: {problem}") from problem
        models.append(fitted)
        alphas += [_alpha(fitted)] * width
        params += [dict(getattr(fitted, "best_params_", {}))] * width
        r2_dev.append(1.0 - np.divide(error, of_mean, out=np.ones_like(of_mean), where=of_mean > 0))
    return FittedModels(models, as_table, np.array(alphas), np.concatenate(r2_dev), params)


def inner_r2(
    solve: Callable[[np.ndarray, np.ndarray], Any], x: np.ndarray, y: np.ndarray, cv: Any, seed: int, name: str
) -> np.ndarray:
    """Score a solver on the inner folds: 1 - error / error of the training mean, what `r2_dev` of a fit is.

    Parameters
    ----------
    solve : callable
        `solve(x, y)` of some stimuli, which gives something with `predict(x)`.
    x : ndarray, shape (n, n_units)
    y : ndarray, shape (n, n_targets)
    cv : "loo", int, splitter or list of folds
        See `folds.resolve_folds`, whose module says how folds of unequal sizes are weighed.
    seed : int
        Seed of a number of inner folds.
    name : str
        What the message of an error begins with.

    Returns
    -------
    ndarray, shape (n_targets,)
        0 for constant targets.
    """
    folds = as_list(resolve_folds(cv, x, y, seed, name), len(x))
    error = np.mean([((y[v] - solve(x[t], y[t]).predict(x[v])) ** 2).mean(axis=0) for t, v in folds], axis=0)
    of_mean = np.mean([((y[v] - y[t].mean(axis=0)) ** 2).mean(axis=0) for t, v in folds], axis=0)
    return 1.0 - np.divide(error, of_mean, out=np.ones_like(of_mean), where=of_mean > 0)


def _errors(
    fitted: Any, x: np.ndarray, y: np.ndarray, folds: list[Fold], as_table: Callable[[np.ndarray], Any]
) -> tuple[np.ndarray, np.ndarray]:
    """Return the error of the chosen hyper-parameters on the inner folds and that of the mean, both [n_targets]."""
    of_mean = np.mean([((y[held] - y[train].mean(axis=0)) ** 2).mean(axis=0) for train, held in folds], axis=0)
    if y.ndim == 1 and getattr(fitted, "scoring", None) == SQUARED_ERROR and hasattr(fitted, "best_score_"):
        return np.array([-fitted.best_score_]), np.atleast_1d(of_mean)
    chosen, errors = getattr(fitted, "best_estimator_", fitted), []
    for train, held in folds:
        predicted = clone(chosen).fit(as_table(x[train]), y[train]).predict(as_table(x[held]))
        errors.append(((y[held] - np.asarray(predicted, dtype=float).reshape(y[held].shape)) ** 2).mean(axis=0))
    return np.atleast_1d(np.mean(errors, axis=0)), np.atleast_1d(of_mean)


def _alpha(fitted: Any) -> float:
    """Find the penalty called alpha of a fitted model, the one it chose or the one it was given; else NaN."""
    final = getattr(fitted, "best_estimator_", fitted)
    final = final[-1] if hasattr(final, "steps") else final
    final = getattr(final, "model_", final)  # inside julearn's wrapper
    alpha = getattr(final, "alpha_", None)
    if alpha is None:
        alpha = final.get_params(deep=False).get("alpha")
    return float(alpha) if isinstance(alpha, int | float | np.number) and not isinstance(alpha, bool) else np.nan
