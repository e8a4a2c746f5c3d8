"""What the scikit-learn faces of all estimators share: checking, fitting one target or several, predicting."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, MultiOutputMixin, RegressorMixin
from sklearn.utils.validation import check_array, check_is_fitted, check_X_y

from .options import EstimatorOptions
from .plugin import Fitted, InnerCv, Plugin
from .returned import named, refuse_wrong_fit, refuse_wrong_prediction


def _plain(X: Any) -> Any:
    """Take the values out of a DataFrame, whose columns scikit-learn would look at one by one, hundreds of them."""
    return X.to_numpy() if hasattr(X, "dtypes") and hasattr(X, "to_numpy") else X


class Face(RegressorMixin, BaseEstimator):
    """A scikit-learn estimator around a solver; a subclass has `_solve(X, y)` with y [n, n_targets].

    Attributes
    ----------
    alpha_, r2_dev_ : float, or ndarray of shape (n_targets,)
    coef_ : ndarray, shape (n_features,) or (n_targets, n_features)
        Of a linear estimator.
    intercept_ : float, or ndarray of shape (n_targets,)
        Of a linear estimator.
    fit_ : Fitted
        Of another estimator, which predicts with it.
    params_ : dict, or list of dict
        What was chosen beside alpha, by an estimator that chooses more.
    """

    def _solve(self, x: np.ndarray, y: np.ndarray) -> Fitted:
        raise NotImplementedError

    def fit(self, X, y):
        """Choose the hyper-parameters and fit; X [n, n_features], y [n], or [n, n_targets] where it takes several."""
        several = isinstance(self, MultiOutputMixin)
        self._check_feature_names(X, reset=True)
        X, y = check_X_y(
            _plain(X), y, dtype=np.float64, multi_output=several, y_numeric=True, ensure_min_samples=2, estimator=self
        )
        self._check_n_features(X, reset=True)
        fit = self._solve(X, y.reshape(len(y), -1))
        one_target = y.ndim == 1

        def of_target(value: Any) -> Any:
            """Take what belongs to the one target out of what is per target; what is one for all stays."""
            if np.ndim(value) == 0 or not one_target:
                return value
            return value[0] if np.ndim(value) > 1 or isinstance(value[0], dict) else float(value[0])

        self.one_target_ = one_target
        self.alpha_, self.r2_dev_ = of_target(fit.alpha), of_target(fit.r2_dev)
        if getattr(fit, "coef", None) is not None:
            self.coef_, self.intercept_ = of_target(fit.coef.T), of_target(fit.intercept)
        else:
            self.fit_ = fit
        if getattr(fit, "params", None) is not None:
            self.params_ = of_target(fit.params)
        self._note(fit)
        return self

    def _note(self, fit: Any) -> None:
        """Keep what else a subclass has to say of a fit."""

    def predict(self, X):
        """Predict [n] or [n, n_targets]."""
        check_is_fitted(self)
        self._check_feature_names(X, reset=False)
        X = check_array(_plain(X), dtype=np.float64, estimator=self)
        self._check_n_features(X, reset=False)
        return self._predict(X)

    def _predict(self, X: np.ndarray) -> np.ndarray:
        if hasattr(self, "coef_"):
            return X @ self.coef_.T + self.intercept_
        prediction = self.fit_.predict(X)
        return prediction[:, 0] if self.one_target_ else prediction


class PluginFace(MultiOutputMixin, Face):
    """The face of a plug-in that brings none of its own.

    Parameters
    ----------
    plugin : Plugin
    options : EstimatorOptions
    cv : inner folds
        Instead of the options' own, where it is not None.
    widths : tuple of int, optional
        Units of every part of a joined feature set.
    """

    def __init__(
        self,
        plugin: Plugin,
        options: EstimatorOptions,
        cv: InnerCv = None,
        widths: tuple[int, ...] | None = None,
    ):
        self.plugin = plugin
        self.options = options
        self.cv = cv
        self.widths = widths

    def _solve(self, x: np.ndarray, y: np.ndarray) -> Fitted:
        cv = getattr(self.options, "cv", None) if self.cv is None else self.cv
        with named(self.plugin):
            found = self.plugin.fit(x, y, self.options, cv, self.widths)
        refuse_wrong_fit(self.plugin, self.plugin.abilities(self.options), found, x.shape[1], y.shape[1])
        self.n_targets_ = y.shape[1]
        return found

    def _predict(self, X: np.ndarray) -> np.ndarray:
        """Predict what is then looked at: somebody else's solver may give anything."""
        with named(self.plugin):
            found = super()._predict(X).reshape(len(X), -1) if hasattr(self, "coef_") else self.fit_.predict(X)
        prediction = refuse_wrong_prediction(self.plugin, found, len(X), self.n_targets_)
        return prediction[:, 0] if self.one_target_ else prediction
