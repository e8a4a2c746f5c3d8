"""Two ways through the splits: julearn target by target, or all targets at once. Both call the same solvers."""

from __future__ import annotations

import json
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator
from sklearn.exceptions import FitFailedWarning
from sklearn.metrics import make_scorer

from ...errors import ConfigError
from ...estimators.numerics.group_folds import inner_folds
from ...estimators.plugin import Can, InnerCv, Prediction
from ...estimators.registry import abilities, face, of_single_repetition, predict, predict_several
from ...inputs.repetitions import mean_response, repetition_columns
from ...inputs.splits import smallest_development
from ...scoring.scores import r2, r2_corr
from ..preparation import Preparation, Split

if TYPE_CHECKING:
    from julearn import PipelineCreator

    # types alone: what a configuration says enters by its values
    from ...estimators.options import EstimatorOptions


def _r2_corr_of_one(y_true: np.ndarray, y_pred: np.ndarray) -> float:
    return float(r2_corr(np.asarray(y_true, dtype=float).ravel(), np.asarray(y_pred, dtype=float).ravel()))


# julearn's own "r2_corr" squares negative correlations as well
SCORER = "auralign_r2_corr"

# more columns than this (targets x (1 + repetitions)) go to the multitarget engine
MANY_TARGETS = 60


@dataclass(frozen=True)
class SplitResult:
    """What one estimator gives on one split.

    Attributes
    ----------
    prediction : ndarray, shape (n_test, n_targets)
    alpha : ndarray, shape (n_targets,)
        NaN of an estimator without a penalty of that name.
    r2_dev : ndarray, shape (n_targets,)
        Cross-validated r2 inside the development stimuli, of the chosen alpha.
    r2, r2_corr : ndarray, shape (n_targets,)
    selected : list of (units, weights) per target, or None
        What a sparse estimator selected.
    params : list of str, or None
        Per target, the hyper-parameters that an estimator chose beside alpha, as JSON.
    """

    prediction: np.ndarray
    alpha: np.ndarray
    r2_dev: np.ndarray
    r2: np.ndarray
    r2_corr: np.ndarray
    selected: list[tuple[np.ndarray, np.ndarray]] | None = None
    params: list[str] | None = None


def choose_engine(wanted: str, estimator: EstimatorOptions, n_columns: int, confounds: bool = False) -> str:
    """Resolve `engine: auto`: julearn for few targets, multitarget for many, joint estimators and confounds.

    Raises
    ------
    ConfigError
        julearn is asked for what it cannot do.
    """
    joint = abilities(estimator).joint
    if wanted == "julearn" and joint:
        raise ConfigError(
            "engine: julearn fits one target at a time; `per_target: false` and multitask_lasso fit all together. "
            "Leave `engine: auto`."
        )
    if wanted != "auto":
        return wanted
    # julearn removes confounds with one regression per unit, target and split: minutes instead of seconds
    return "multitarget" if joint or confounds or n_columns > MANY_TARGETS else "julearn"


def check_inner_folds(estimators: dict[str, EstimatorOptions], splits: list[Split], groups: np.ndarray | None) -> None:
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
        if estimator.n_inner_folds > least:
            raise ConfigError(
                f"estimators.{name}.cv: {estimator.n_inner_folds} inner folds of {least} {unit}; give fewer, or loo."
            )


def inner_cv(estimator: EstimatorOptions, groups: np.ndarray | None, split: Split) -> InnerCv:
    """Choose the inner folds of one split: made of whole groups where there are groups, else (None) the estimator's."""
    cv = getattr(estimator, "cv", None)
    return None if groups is None or cv is None else inner_folds(cv, getattr(estimator, "seed", 0), groups[split[0]])


def run_julearn(
    x: np.ndarray,
    y: np.ndarray,
    splits: list[Split],
    estimator: EstimatorOptions,
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
    can = abilities(estimator)
    per_target: list[list[SplitResult]] = [[] for _ in range(y.shape[1])]
    for part in parts:
        model = face(estimator, inner_cv(estimator, groups, part[0]), preparation.widths)
        for target, results in enumerate(per_target):
            try:
                results += _julearn_target(data, y[:, target], part, preparation.pipeline(model), removal is not None)
            except Exception:
                # scikit-learn packs the solver's error into a text of tracebacks; called directly, it says its sentence
                run_multitarget(x, y[:, [target]], part, estimator, preparation, groups)
                raise
    return [_beside([target[number] for target in per_target], can) for number in range(len(splits))]


def _beside(targets: list[SplitResult], can: Can) -> SplitResult:
    """Put the results of single targets beside each other."""
    chosen: dict[str, Any] = {
        name: [getattr(target, name)[0] for target in targets] if asked else None
        for name, asked in (("selected", can.sparse), ("params", can.params))
    }
    scores = (np.concatenate([getattr(one, name) for one in targets]) for name in ("alpha", "r2_dev", "r2", "r2_corr"))
    return SplitResult(np.column_stack([target.prediction for target in targets]), *scores, **chosen)


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
    # a fifth of a second in every process that starts; solvers of all targets at once need none of it
    from julearn import run_cross_validation
    from julearn.scoring import register_scorer

    # made of a function of predictions, so that scikit-learn predicts once for it and for r2
    register_scorer(SCORER, make_scorer(_r2_corr_of_one), overwrite=True)
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
        coef, params = getattr(model, "coef_", None), getattr(model, "params_", None)
        results.append(
            SplitResult(
                prediction=prediction[:, None],
                alpha=np.array([model.alpha_]),
                r2_dev=np.array([model.r2_dev_]),
                r2=np.array([row["test_r2"]]),
                r2_corr=np.array([row[f"test_{SCORER}"]]),
                selected=None if coef is None else _selected(coef[:, None]),
                params=None if params is None else as_json([params]),
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
    estimator: EstimatorOptions,
    preparation: Preparation,
    groups: np.ndarray | None = None,
) -> list[SplitResult]:
    """Fit all targets of a split from one factorisation; parameters, result and errors as `run_julearn`."""
    results = []
    for split in splits:
        (x_dev, x_test), (y_dev, y_test) = preparation.features(x, split), preparation.responses(y, split)
        found = predict(x_dev, y_dev, x_test, estimator, inner_cv(estimator, groups, split), preparation.widths)
        results.append(_scored(found, y_test))
    return results


def run_repetitions(
    x: np.ndarray,
    y: np.ndarray,
    splits: list[Split],
    estimator: EstimatorOptions,
    preparation: Preparation,
    groups: np.ndarray | None = None,
) -> Iterator[tuple[SplitResult, np.ndarray, np.ndarray]]:
    """Fit the mean response and every repetition, split by split, so that they share what depends on features alone.

    Parameters
    ----------
    x, splits, estimator, preparation, groups
        As of `run_julearn`; of an estimator that fits each target by itself.
    y : ndarray, shape (n_stimuli, n_targets, n_repetitions)
        Every stimulus has every repetition.

    Yields
    ------
    result : SplitResult
        Of the mean response.
    data : ndarray, shape (n_development, n_targets, n_repetitions)
        The single repetitions that were fitted.
    predicted : ndarray, shape (n_test, n_targets, n_repetitions)
        Predictions of the test stimuli by the fits of single repetitions.
    """
    _, n_targets, n_repetitions = y.shape
    mean, single = mean_response(y), of_single_repetition(estimator)
    for split in splits:
        (x_dev, x_test), (y_dev, y_test) = preparation.features(x, split), preparation.responses(mean, split)
        data = preparation.repetitions(y, split)
        fits = [(y_dev, estimator), (repetition_columns(data), single)]
        found, alone = predict_several(x_dev, fits, x_test, inner_cv(estimator, groups, split), preparation.widths)
        predicted = alone.prediction.reshape(len(x_test), n_repetitions, n_targets)
        yield _scored(found, y_test), data, np.moveaxis(predicted, 1, 2)


def _scored(found: Prediction, y_test: np.ndarray) -> SplitResult:
    """Score the prediction of a test part."""
    return SplitResult(
        found.prediction,
        found.alpha,
        found.r2_dev,
        r2(y_test, found.prediction),
        r2_corr(y_test, found.prediction),
        None if found.coef is None else _selected(found.coef),
        None if found.params is None else as_json(found.params),
    )


def _selected(coef: np.ndarray) -> list[tuple[np.ndarray, np.ndarray]]:
    return [(units := np.flatnonzero(column), column[units]) for column in coef.T]


def as_json(params: Sequence[dict[str, Any]]) -> list[str]:
    """Write the hyper-parameters of every target as a text that is the same for the same values.

    Numbers have 12 digits: the last ones of one that is relative to the data differ with the order of sums.
    """
    return [
        json.dumps({key: _plain(value) for key, value in of_target.items()}, sort_keys=True) for of_target in params
    ]


def _plain(value: Any) -> Any:
    """Turn a value into what JSON holds; of an estimator, say, its text says what it is."""
    value = value.item() if isinstance(value, np.generic) else value
    if isinstance(value, float):
        return float(f"{value:.12g}") if np.isfinite(value) else str(value)
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value if value is None or isinstance(value, bool | int | str) else str(value)


ENGINES = {"julearn": run_julearn, "multitarget": run_multitarget}
