"""Two ways through the splits: julearn target by target, or all targets at once. Both call the same solvers."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from julearn import PipelineCreator, run_cross_validation
from julearn.models import register_model
from julearn.scoring import register_scorer
from sklearn.base import BaseEstimator
from sklearn.exceptions import FitFailedWarning

from ...errors import ConfigError
from ...estimators.banded_ridge import BandedRidgeExact, predict_banded_ridge
from ...estimators.lasso import LassoExact, fit_lassos
from ...estimators.multitask_lasso import fit_multitask_lasso
from ...estimators.numerics.group_folds import Fold, inner_folds
from ...estimators.ridge import RidgeExact, predict_ridge
from ...inputs.splits import smallest_development
from ...scoring.scores import r2, r2_corr, r2_corr_scorer
from ..preparation import Parts, Preparation, Split

if TYPE_CHECKING:
    # types alone: what a configuration says enters by its values
    from ...estimators.options import Estimator as EstimatorConfig
    from ...estimators.options import Lasso, Ridge

# julearn's own "r2_corr" squares negative correlations as well
SCORER = "auralign_r2_corr"
register_scorer(SCORER, r2_corr_scorer, overwrite=True)
# so that julearn's own commands know the exact solvers by name, too
register_model("ridge_exact", regression_cls=RidgeExact, overwrite=True)
register_model("lasso_exact", regression_cls=LassoExact, overwrite=True)

# more columns than this (targets x (1 + repetitions)) go to the multitarget engine
MANY_TARGETS = 60
RIDGE_OPTIONS = ("alphas", "per_target", "seed", "unpredictable")

# the choice of an estimator's configuration, or the inner folds of one split
InnerCv = int | str | list[Fold]


@dataclass(frozen=True)
class SplitResult:
    """What one estimator gives on one split.

    Attributes
    ----------
    prediction : ndarray, shape (n_test, n_targets)
    alpha : ndarray, shape (n_targets,)
    r2_dev : ndarray, shape (n_targets,)
        Cross-validated r2 inside the development stimuli, of the chosen alpha.
    r2, r2_corr : ndarray, shape (n_targets,)
    selected : list of (units, weights) per target, or None
        What a sparse estimator selected.
    """

    prediction: np.ndarray
    alpha: np.ndarray
    r2_dev: np.ndarray
    r2: np.ndarray
    r2_corr: np.ndarray
    selected: list[tuple[np.ndarray, np.ndarray]] | None = None


def choose_engine(wanted: str, estimator: EstimatorConfig, n_columns: int, confounds: bool = False) -> str:
    """Resolve `engine: auto`: julearn for few targets, multitarget for many, joint estimators and confounds.

    Raises
    ------
    ConfigError
        julearn is asked for what it cannot do.
    """
    joint = estimator.kind == "multitask_lasso" or (estimator.kind == "ridge" and not estimator.per_target)
    if wanted == "julearn" and joint:
        raise ConfigError(
            "engine: julearn fits one target at a time; `per_target: false` and multitask_lasso fit all together. "
            "Leave `engine: auto`."
        )
    if wanted != "auto":
        return wanted
    # julearn removes confounds with one regression per unit, target and split: minutes instead of seconds
    return "multitarget" if joint or confounds or n_columns > MANY_TARGETS else "julearn"


def check_inner_folds(estimators: dict[str, EstimatorConfig], splits: list[Split], groups: np.ndarray | None) -> None:
    """Refuse more inner folds than the smallest development set has stimuli, or groups of them.

    Raises
    ------
    ConfigError
    """
    least = smallest_development(splits, groups)
    unit = "development stimuli"
    if groups is not None:
        unit = "groups of development stimuli (inner folds keep groups together, too)"
    for name, estimator in estimators.items():
        if isinstance(estimator.cv, int) and estimator.cv > least:
            raise ConfigError(
                f"estimators.{name}.cv: {estimator.cv} inner folds of {least} {unit}; give fewer, or loo."
            )


def make_estimator(config: Ridge | Lasso, widths: tuple[int, ...] | None, cv: InnerCv) -> BaseEstimator:
    """Build the scikit-learn estimator that a configuration describes, for features of one or several bands."""
    if config.kind == "ridge":
        options = {key: getattr(config, key) for key in RIDGE_OPTIONS} | {"cv": cv}
        return RidgeExact(**options) if _one_band(widths) else BandedRidgeExact(list(widths), **options)
    return LassoExact(n_alphas=config.n_alphas, eps=config.eps, cv=cv, seed=config.seed)


def _one_band(widths: tuple[int, ...] | None) -> bool:
    return widths is None or len(widths) == 1


def _inner_cv(estimator: EstimatorConfig, groups: np.ndarray | None, split: Split) -> InnerCv:
    """Choose the inner folds of one split; with groups they are made of whole groups."""
    return estimator.cv if groups is None else inner_folds(estimator.cv, estimator.seed, groups[split[0]])


def run_julearn(
    x: np.ndarray,
    y: np.ndarray,
    splits: list[Split],
    estimator: EstimatorConfig,
    preparation: Preparation,
    groups: np.ndarray | None = None,
) -> list[SplitResult]:
    """Cross-validate with julearn: a pipeline of confound removal, centring X, centring y, and the estimator.

    Parameters
    ----------
    x : ndarray, shape (n_stimuli, n_units)
    y : ndarray, shape (n_stimuli, n_targets)
    splits : list of (development, test)
    estimator : configuration
    preparation : Preparation
        Of x and y inside every split.
    groups : ndarray of int, shape (n_stimuli,), optional
        Code of the group of every stimulus; inner folds then keep a group together.

    Returns
    -------
    list of SplitResult, one per split

    Raises
    ------
    DataError, ConfigError
        A solver refuses the numbers or the settings.
    """
    data = pd.DataFrame(x, columns=[f"f{i}" for i in range(x.shape[1])])
    removal = preparation.removal
    if removal is not None:
        confounds = [f"c{i}" for i in range(removal.confounds.shape[1])]
        data = pd.concat([data, pd.DataFrame(removal.confounds, columns=confounds)], axis=1)
    # the folds of groups are those of one split, so that each split has a pipeline of its own
    parts = [splits] if groups is None else [[split] for split in splits]
    per_target = [[] for _ in range(y.shape[1])]
    for part in parts:
        model = make_estimator(estimator, preparation.widths, _inner_cv(estimator, groups, part[0]))
        for target, results in enumerate(per_target):
            try:
                results += _julearn_target(data, y[:, target], part, preparation.pipeline(model), removal is not None)
            except (ValueError, FitFailedWarning):
                # scikit-learn packs the solver's error into a text of tracebacks; called directly, it says its sentence
                run_multitarget(x, y[:, [target]], part, estimator, preparation, groups)
                raise
    return [
        SplitResult(
            prediction=np.column_stack([target[number].prediction for target in per_target]),
            **{
                score: np.concatenate([getattr(target[number], score) for target in per_target])
                for score in ("alpha", "r2_dev", "r2", "r2_corr")
            },
            selected=[target[number].selected[0] for target in per_target] if estimator.kind == "lasso" else None,
        )
        for number in range(len(splits))
    ]


def _julearn_target(
    data: pd.DataFrame, y: np.ndarray, splits: list[Split], creator: PipelineCreator, has_confounds: bool
) -> list[SplitResult]:
    types = {"continuous": ["f.*"], "confound": ["c.*"]} if has_confounds else {"continuous": ["f.*"]}
    with warnings.catch_warnings():
        # scores of what the confounds leave over are what is wanted
        warnings.filterwarnings("ignore", message=".*cannot inverse the model's prediction")
        # otherwise a split that cannot be fitted becomes a score of NaN
        warnings.simplefilter("error", FitFailedWarning)
        return _run_pipeline(data.assign(response=y), splits, creator, types)


def _run_pipeline(
    data: pd.DataFrame, splits: list[Split], creator: PipelineCreator, types: dict[str, list[str]]
) -> list[SplitResult]:
    scores = run_cross_validation(
        # one pattern instead of a list of names: julearn matches every name against every column
        X=[pattern for patterns in types.values() for pattern in patterns],
        y="response",
        X_types=types,
        data=data,
        model=creator,
        cv=splits,
        scoring=["r2", SCORER],
        return_estimator="cv",
    )
    inputs = data.drop(columns="response")
    results = []
    for (_, test), (_, row) in zip(splits, scores.iterrows(), strict=True):
        fitted = row["estimator"]
        prediction = np.asarray(fitted.predict(inputs.iloc[test]), dtype=float)
        model = _innermost(fitted)
        units = np.flatnonzero(model.coef_)
        results.append(
            SplitResult(
                prediction=prediction[:, None],
                alpha=np.array([model.alpha_]),
                r2_dev=np.array([model.r2_dev_]),
                r2=np.array([row["test_r2"]]),
                r2_corr=np.array([row[f"test_{SCORER}"]]),
                selected=[(units, model.coef_[units])] if isinstance(model, LassoExact) else None,
            )
        )
    return results


def _innermost(fitted) -> BaseEstimator:
    """Find the estimator inside julearn's wrappers: the target pipeline's, then the one that chooses columns."""
    model = fitted[-1]
    model = getattr(model, "model_", model)
    return getattr(model, "model_", getattr(model, "model", model))


def run_multitarget(
    x: np.ndarray,
    y: np.ndarray,
    splits: list[Split],
    estimator: EstimatorConfig,
    preparation: Preparation,
    groups: np.ndarray | None = None,
) -> list[SplitResult]:
    """Fit all targets of a split from one factorisation; parameters, result and errors as `run_julearn`."""
    return [
        _fit_split(
            preparation.features(x, split),
            preparation.responses(y, split),
            estimator,
            preparation.widths,
            _inner_cv(estimator, groups, split),
        )
        for split in splits
    ]


def _fit_split(
    x: Parts, y: Parts, estimator: EstimatorConfig, widths: tuple[int, ...] | None, cv: InnerCv
) -> SplitResult:
    """Fit the development part of (x, y), predict and score the test part."""
    (x_dev, x_test), (y_dev, y_test) = x, y
    selected = None
    if estimator.kind == "ridge":
        options = {key: getattr(estimator, key) for key in RIDGE_OPTIONS} | {"cv": cv}
        if _one_band(widths):
            fit = predict_ridge(x_dev, y_dev, x_test, **options)
        else:
            fit = predict_banded_ridge(x_dev, y_dev, x_test, widths, **options)
        prediction, alpha, r2_dev = fit.prediction, fit.alpha, fit.r2_dev
    elif estimator.kind == "lasso":
        fits = fit_lassos(x_dev, y_dev, estimator.n_alphas, estimator.eps, cv, estimator.seed)
        coef = np.column_stack([fit.coef for fit in fits])  # [units, targets]
        prediction = (x_test - fits[0].x_mean) @ coef + [fit.y_mean for fit in fits]
        alpha, r2_dev = (np.array([getattr(fit, key) for fit in fits]) for key in ("alpha", "r2_dev"))
        selected = _selected(coef)
    else:
        fit = fit_multitask_lasso(
            x_dev, y_dev, estimator.n_alphas, estimator.eps, cv, estimator.seed, estimator.standardise_targets
        )
        prediction, selected = fit.predict(x_test), _selected(fit.coef)
        alpha, r2_dev = np.full(y_dev.shape[1], fit.alpha), np.broadcast_to(fit.r2_dev, y_dev.shape[1])
    return SplitResult(prediction, alpha, r2_dev, r2(y_test, prediction), r2_corr(y_test, prediction), selected)


def _selected(coef: np.ndarray) -> list[tuple[np.ndarray, np.ndarray]]:
    return [(units := np.flatnonzero(column), column[units]) for column in coef.T]


ENGINES = {"julearn": run_julearn, "multitarget": run_multitarget}
