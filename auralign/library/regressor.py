"""Any of scikit-learn's regressors as an estimator, fitted target by target."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from pydantic import ConfigDict, Field
from sklearn.base import clone

from ..errors import ConfigError, DataError
from ..estimators.numerics.folds import resolve_folds, training_and_validation
from ..estimators.options import EstimatorOptions, InnerFolds
from ..estimators.plugin import Can, InnerCv, Plugin
from .given import Array


@dataclass(frozen=True)
class RegressorFit:
    """One fitted regressor per target.

    Attributes
    ----------
    models : list of regressor
    alpha, r2_dev : ndarray, shape (n_targets,)
        alpha is NaN where a regressor has no `alpha_`.
    coef : ndarray, shape (n_units, n_targets), or None
    intercept : ndarray, shape (n_targets,), or None
        None where a regressor is not linear, or does not say its weights (a pipeline).
    """

    models: list[Any]
    alpha: Array
    r2_dev: Array
    coef: Array | None
    intercept: Array | None

    def predict(self, x: Array) -> Array:
        """Predict [n, n_targets]."""
        return np.column_stack([np.asarray(model.predict(x), dtype=float).ravel() for model in self.models])


def fit_regressors(
    x: Array, y: Array, options: RegressorOptions, cv: InnerCv = None, widths: tuple[int, ...] | None = None
) -> RegressorFit:
    """Fit a clone of the regressor to every target; `r2_dev` is that of inner folds, as of the other estimators.

    Parameters
    ----------
    x : ndarray, shape (n, n_units)
    y : ndarray, shape (n, n_targets)
    options : RegressorOptions
    cv : inner folds, optional
        Instead of the options' own.
    widths : tuple of int, optional
        Of joined sets, which stand side by side.

    Raises
    ------
    DataError
        The regressor refuses the numbers; its own message is quoted.
    """
    folds = resolve_folds(options.cv if cv is None else cv, x, y, options.seed, options.kind)
    training, validation = training_and_validation(folds, len(x))
    models = [_fitted(options, x, column) for column in y.T]
    errors, of_mean = np.zeros(y.shape[1]), np.zeros(y.shape[1])
    for rows, held_out in zip(training, validation, strict=True):
        for target, column in enumerate(y.T):
            predicted = np.asarray(_fitted(options, x[rows], column[rows]).predict(x[held_out]), dtype=float).ravel()
            errors[target] += np.mean((column[held_out] - predicted) ** 2) / len(training)
            of_mean[target] += np.mean((column[held_out] - column[rows].mean()) ** 2) / len(training)
    inner = [getattr(model, "best_estimator_", model) for model in models]
    linear = all(np.size(getattr(m, "coef_", ())) == x.shape[1] and hasattr(m, "intercept_") for m in inner)
    return RegressorFit(
        models=models,
        alpha=np.array([float(np.squeeze(getattr(model, "alpha_", np.nan))) for model in inner]),
        r2_dev=1.0 - np.divide(errors, of_mean, out=np.ones_like(errors), where=of_mean > 0),
        coef=np.column_stack([np.ravel(model.coef_) for model in inner]) if linear else None,
        intercept=np.array([float(np.squeeze(model.intercept_)) for model in inner]) if linear else None,
    )


def _fitted(options: RegressorOptions, x: Array, y: Array) -> Any:
    try:
        return clone(options.regressor).fit(x, y)
    except (TypeError, ValueError) as error:
        raise DataError(f"{options.kind}: the regressor cannot be fitted to {x.shape} features: {error}") from error


class RegressorOptions(EstimatorOptions):
    """A regressor, and the inner folds by which its score inside the development stimuli is found."""

    model_config = ConfigDict(arbitrary_types_allowed=True)

    plugin: ClassVar[Plugin]
    regressor: Any = Field(exclude=True)
    parameters: str
    cv: InnerFolds = 5
    seed: int = 0


RegressorOptions.plugin = Plugin(name="regressor", options=RegressorOptions, fit=fit_regressors, can=Can())


def is_regressor(given: Any) -> bool:
    """Tell whether something is an instance with scikit-learn's `fit` and `predict`."""
    return callable(getattr(given, "fit", None)) and callable(getattr(given, "predict", None))


def options_of_regressor(given: Any) -> RegressorOptions:
    """Make options of a regressor.

    Raises
    ------
    ConfigError
        It is a class, or cannot be cloned.
    """
    if isinstance(given, type):
        raise ConfigError(f"estimator: {given.__name__} is a class; give one of it, such as {given.__name__}().")
    try:
        copy = clone(given)
    except (TypeError, RuntimeError) as error:
        raise ConfigError(f"estimator: {given!r} cannot be cloned, as a fit of every split needs: {error}") from error
    return RegressorOptions(kind=type(given).__name__, regressor=copy, parameters=repr(given))
