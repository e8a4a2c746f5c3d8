"""Any of scikit-learn's regressors as an estimator, fitted target by target."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from pydantic import ConfigDict, Field
from sklearn.base import clone

from ..errors import ConfigError
from ..estimators.numerics.folds import as_list, resolve_folds
from ..estimators.numerics.models import FittedModels, fit_models
from ..estimators.options import EstimatorOptions, InnerFolds
from ..estimators.plugin import Can, InnerCv, Plugin
from .given import Array


@dataclass(frozen=True)
class RegressorFit:
    """One fitted regressor per target.

    Attributes
    ----------
    fitted : FittedModels
    coef : ndarray, shape (n_units, n_targets), or None
    intercept : ndarray, shape (n_targets,), or None
        None where a regressor is not linear, or does not say its weights (a pipeline).
    """

    fitted: FittedModels
    coef: Array | None
    intercept: Array | None

    @property
    def alpha(self) -> Array:
        """The penalty of each regressor; NaN where it has none."""
        return self.fitted.alpha

    @property
    def r2_dev(self) -> Array:
        """The score inside the given stimuli, on inner folds."""
        return self.fitted.r2_dev

    def predict(self, x: Array) -> Array:
        """Predict [n, n_targets]."""
        return self.fitted.predict(x)


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
        Not used: joined sets are refused before.

    Raises
    ------
    DataError
        The regressor refuses the numbers; its own message is quoted.
    """
    folds = as_list(resolve_folds(options.cv if cv is None else cv, x, y, options.seed, options.kind), len(x))
    fitted = fit_models(x, y, options.regressor, folds, options.kind)
    models = [getattr(model, "best_estimator_", model) for model in fitted.models]
    if not all(np.size(getattr(m, "coef_", ())) == x.shape[1] and hasattr(m, "intercept_") for m in models):
        return RegressorFit(fitted, None, None)
    coef = np.column_stack([np.ravel(model.coef_) for model in models])
    return RegressorFit(fitted, coef, np.array([float(np.squeeze(model.intercept_)) for model in models]))


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
