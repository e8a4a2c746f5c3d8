"""Any regressor of scikit-learn, or of a package in its style, by its dotted name."""

from __future__ import annotations

import hashlib
import importlib
import inspect
from functools import cache
from importlib.metadata import packages_distributions, version
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import Field, model_validator
from sklearn.base import BaseEstimator, is_regressor
from sklearn.metrics import get_scorer_names
from sklearn.model_selection import GridSearchCV

from ..errors import did_you_mean
from ..options import Seed
from .numerics.folds import as_list, resolve_folds
from .numerics.models import SQUARED_ERROR, FittedModels, fit_models
from .options import EstimatorOptions, InnerFolds, inner_words
from .plugin import Can, InnerCv, Plugin


class Sklearn(EstimatorOptions):
    """A regressor by its dotted name; what `grid` lists is chosen by `GridSearchCV` on the inner folds.

    An estimator with a `random_state` is given `seed`, unless `params` says it.
    """

    kind: Literal["sklearn"]
    estimator: str
    params: dict[str, Any] = {}
    grid: dict[str, Annotated[list[Any], Field(min_length=1)]] = {}
    scoring: str = SQUARED_ERROR
    per_target: bool = True
    cv: InnerFolds = 5
    seed: Seed = 0

    @model_validator(mode="after")
    def _can_be_made(self) -> Sklearn:
        model = make(self)
        known = model.get_params()
        for key in self.grid:
            if key not in known:
                raise ValueError(
                    f"grid.{key}: {self.estimator} has no parameter of that name; it has {', '.join(known)}."
                    f"{did_you_mean(key, known)}"
                )
        scorers = get_scorer_names()
        if self.scoring not in scorers:
            near = did_you_mean(self.scoring, scorers)
            raise ValueError(f"scoring: {self.scoring!r} is not a scorer of scikit-learn.{near}")
        if self.cv == "loo" and self.grid and self.scoring == "r2":
            raise ValueError(
                f"scoring: r2 is not defined for a single stimulus left out; give {SQUARED_ERROR}, or a number of "
                "folds (cv)"
            )
        return self

    def in_key(self) -> dict[str, Any]:
        """Return what changes numbers: the options, and the version of the package (or the file) of the estimator."""
        return {**super().in_key(), "code": _code(self.estimator.partition(".")[0], self.estimator)}


@cache
def _code(package: str, estimator: str) -> str:
    """Say which code an estimator is: versions of the distributions of its package, else the content of its file."""
    distributions = packages_distributions().get(package)
    if distributions:
        return ", ".join(f"{name} {version(name)}" for name in sorted(set(distributions)))
    return hashlib.sha256(Path(inspect.getfile(_find(estimator))).read_bytes()).hexdigest()


def _find(name: str) -> type:
    """Import an estimator's class.

    Raises
    ------
    ValueError
        There is none of that name.
    """
    module_name, _, class_name = name.rpartition(".")
    if not module_name:
        raise ValueError(f"estimator: {name!r} is not a dotted name, such as sklearn.svm.SVR")
    try:
        module = importlib.import_module(module_name)
    except (ImportError, TypeError, ValueError) as error:  # the last two: a name that begins with a dot
        raise ValueError(f"estimator: {name}: the module {module_name} cannot be imported: {error}") from error
    found = getattr(module, class_name, None)
    if not isinstance(found, type):
        near = did_you_mean(class_name, [key for key, value in vars(module).items() if isinstance(value, type)])
        raise ValueError(f"estimator: {module_name} has no class {class_name}.{near}")
    return found


def make(options: Sklearn) -> BaseEstimator:
    """Make the estimator that options describe, not fitted and without its search.

    Raises
    ------
    ValueError
        There is no such class, it does not take these parameters, or is no regressor.
    """
    of_class = _find(options.estimator)
    try:
        model = of_class(**options.params)
    except TypeError as error:
        raise ValueError(f"params: {options.estimator} cannot be made with them: {error}") from error
    if not hasattr(model, "get_params") or not is_regressor(model):
        raise ValueError(f"estimator: {options.estimator} is not a regressor in scikit-learn's style")
    if "random_state" in model.get_params(deep=False) and "random_state" not in options.params:
        model.set_params(random_state=options.seed)
    return model


def _of_options(x: np.ndarray, y: np.ndarray, options: Sklearn, cv: InnerCv, widths=None) -> FittedModels:
    """Fit model(x, y) of the features x [n, n_units] and each response [n] (or all, [n, n_targets])."""
    folds = as_list(resolve_folds(cv, x, y, options.seed, "sklearn"), len(x))
    model = make(options)
    if options.grid:
        model = GridSearchCV(model, options.grid, scoring=options.scoring, cv=folds, error_score="raise")
    return fit_models(x, y, model, folds, options.estimator, options.per_target)


def _can(options: Sklearn) -> Can:
    return Can(joint=not options.per_target, weights=False, params=True, by_target=options.per_target)


def _words(options: Sklearn) -> str:
    given = ", ".join(f"{key}={value!r}" for key, value in options.params.items())
    text = f"{options.estimator}({given})"
    if options.grid:
        tried = "; ".join(f"{key} from {', '.join(map(str, values))}" for key, values in options.grid.items())
        text += f", {tried}, chosen by {options.scoring} in {inner_words(options.cv)} on the development stimuli"
    return text + ("" if options.per_target else "; one model for all targets")


PLUGIN = Plugin("sklearn", Sklearn, _of_options, _can, words=_words)
