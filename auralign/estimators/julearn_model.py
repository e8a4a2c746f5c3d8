"""A model of julearn by its name; preprocessing, hyper-parameters and search as julearn's users write them."""

from __future__ import annotations

from copy import deepcopy
from typing import Any, Literal

import numpy as np
import pandas as pd
from julearn import PipelineCreator
from julearn.models import list_models, register_model
from julearn.transformers import list_transformers
from pydantic import Field, model_validator
from sklearn.base import BaseEstimator

from ..errors import did_you_mean
from ..options import Seed
from .elastic_net import ElasticNetExact
from .kernel_ridge import KernelRidgeExact
from .lasso import LassoExact
from .numerics.folds import as_list, resolve_folds
from .numerics.models import FittedModels, fit_models
from .options import EstimatorOptions, InnerFolds, inner_words
from .pls import PLSExact
from .plugin import Can, InnerCv, Plugin
from .ridge import RidgeExact

# our own by name in julearn's commands, once this module is imported
OURS = {
    "ridge_exact": RidgeExact,
    "lasso_exact": LassoExact,
    "elastic_net_exact": ElasticNetExact,
    "pls_exact": PLSExact,
    "kernel_ridge_exact": KernelRidgeExact,
}
for _name, _face in OURS.items():
    register_model(_name, regression_cls=_face, overwrite=True)


class Julearn(EstimatorOptions):
    """A model of julearn; keys as of `julearn.run_cross_validation`.

    `model_params` are `STEP__PARAMETER: value`; of several values (a list) one is chosen by the search that
    `search_params` describe (`kind`: grid or random, `scoring`, `n_iter`, `random_state`, ...). Its inner folds are
    those of `cv`, which may be given among `search_params` as julearn's users do.
    """

    kind: Literal["julearn"]
    model: str
    preprocess: list[str] = []
    model_params: dict[str, Any] = {}
    search_params: dict[str, Any] = {}
    cv: InnerFolds = Field(default=5)
    seed: Seed = 0

    @model_validator(mode="before")
    @classmethod
    def _one_place_for_the_folds(cls, settings: Any) -> Any:
        if not isinstance(settings, dict):
            return settings
        settings = dict(settings)
        if isinstance(settings.get("preprocess"), str):
            settings["preprocess"] = [settings["preprocess"]]
        search = settings.get("search_params")
        if isinstance(search, dict) and "cv" in search:
            if "cv" in settings:
                raise ValueError("cv: the inner folds are given twice, here and in search_params")
            settings["search_params"] = {key: value for key, value in search.items() if key != "cv"}
            settings["cv"] = search["cv"]
        return settings

    @model_validator(mode="after")
    def _can_be_made(self) -> Julearn:
        for what, given, known in (
            ("model", [self.model], list_models()),
            ("preprocess", self.preprocess, list_transformers()),
        ):
            for name in given:
                if name not in known:
                    raise ValueError(f"{what}: {name!r} is not known to julearn.{did_you_mean(name, known)}")
        steps = [*self.preprocess, self.model]
        for key, value in self.model_params.items():
            if isinstance(value, list) and not value:
                raise ValueError(f"model_params.{key}: an empty list; give a value, or several to choose from")
            if key.partition("__")[0] not in steps or "__" not in key:
                raise ValueError(
                    f"model_params.{key}: give STEP__PARAMETER with one of the steps {', '.join(steps)}, such as "
                    f"{self.model}__{key.rpartition('__')[2]}"
                )
        if self.cv == "loo" and self.is_searched and self.search_params.get("scoring") in (None, "r2"):
            raise ValueError(
                "search_params.scoring: r2 (julearn's default) is not defined for a single stimulus left out; give "
                "neg_mean_squared_error, or a number of folds (cv)"
            )
        try:
            model = pipeline(self, 1, [(np.arange(2), np.arange(2))])
        except (ValueError, TypeError, AttributeError, LookupError, ImportError) as error:
            raise ValueError(f"julearn cannot make this model: {error}") from error
        if self.is_searched:
            known = model.estimator.get_params()
            for key, value in self.model_params.items():
                if isinstance(value, list) and key not in known:
                    step = f"{key.partition('__')[0]}__"
                    names = sorted(name for name in known if name.startswith(step))
                    raise ValueError(
                        f"model_params.{key}: there is no parameter of that name; there are {', '.join(names)}."
                        f"{did_you_mean(key, names)}"
                    )
        return self

    @property
    def is_searched(self) -> bool:
        """Whether a hyper-parameter has several values."""
        return any(isinstance(value, list) and len(value) > 1 for value in self.model_params.values())


def _column(unit: int) -> str:
    return f"f{unit}"


def _table(x: np.ndarray) -> pd.DataFrame:
    return pd.DataFrame(x, columns=[_column(unit) for unit in range(x.shape[1])])


def pipeline(options: Julearn, n_units: int, folds: list[tuple[np.ndarray, np.ndarray]]) -> BaseEstimator:
    """Let julearn make the pipeline, and the search around it, of features in a table with columns f0, f1, ..."""
    creator = PipelineCreator(problem_type="regression")
    for step in [*options.preprocess, options.model]:
        prefix = f"{step}__"
        own = {key.removeprefix(prefix): value for key, value in options.model_params.items() if key.startswith(prefix)}
        creator.add(step, **deepcopy(own))
    model = creator.steps[-1].estimator
    if "random_state" in model.get_params(deep=False) and f"{options.model}__random_state" not in options.model_params:
        model.set_params(random_state=options.seed)
    search = {**options.search_params, "cv": folds} if options.is_searched else None
    return creator.to_pipeline({"continuous": [_column(unit) for unit in range(n_units)]}, search)


def _of_options(x: np.ndarray, y: np.ndarray, options: Julearn, cv: InnerCv, widths=None) -> FittedModels:
    """Fit julearn's pipeline to the features x [n, n_units] and each response [n]."""
    folds = as_list(resolve_folds(cv, x, y, options.seed, "julearn"), len(x))
    model = pipeline(options, x.shape[1], folds)
    return fit_models(x, y, model, folds, f"julearn's {options.model}", as_table=_table)


def _words(options: Julearn) -> str:
    steps = [*options.preprocess, options.model]
    given = "; ".join(f"{key} {value}" for key, value in options.model_params.items())
    text = f"julearn's {' then '.join(steps)}{f' ({given})' if given else ''}"
    if options.is_searched:
        kind, scoring = options.search_params.get("kind", "grid"), options.search_params.get("scoring") or "r2"
        text += f", chosen by {kind} search for {scoring} in {inner_words(options.cv)} on the development stimuli"
    return text


PLUGIN = Plugin(
    "julearn",
    Julearn,
    _of_options,
    Can(weights=False, params=True, by_target=True),
    words=_words,
    references=(
        "Hamdan, S., More, S., Sasse, L., Komeyer, V., Patil, K. R. & Raimondo, F. (2024). Julearn: an easy-to-use "
        "library for leakage-free evaluation and inspection of ML models. GigaByte, gigabyte113.",
    ),
)
