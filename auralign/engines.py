"""Two ways through the splits: julearn target by target, or all targets at once. Both call the same solvers."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from julearn import PipelineCreator, run_cross_validation
from julearn.pipeline import TargetPipelineCreator
from julearn.scoring import register_scorer

from .config import Center, Lasso, Ridge
from .errors import ConfigError
from .lasso import LassoExact, fit_lasso
from .ridge import RidgeExact, fit_ridge
from .scores import r2, r2_corr, r2_corr_scorer

# julearn's own "r2_corr" squares negative correlations as well
SCORER = "auralign_r2_corr"
register_scorer(SCORER, r2_corr_scorer, overwrite=True)

# more columns than this (targets x (1 + repetitions)) go to the multitarget engine
MANY_TARGETS = 60

Split = tuple[np.ndarray, np.ndarray]


@dataclass(frozen=True)
class SplitResult:
    """What one estimator gives on one split.

    Attributes
    ----------
    prediction : ndarray, shape (n_test, n_targets)
    alpha : ndarray, shape (n_targets,)
    r2, r2_corr : ndarray, shape (n_targets,)
    """

    prediction: np.ndarray
    alpha: np.ndarray
    r2: np.ndarray
    r2_corr: np.ndarray


def choose_engine(wanted: str, estimator: Ridge | Lasso, n_columns: int) -> str:
    """Resolve `engine: auto`: julearn for few targets, multitarget for many or for one alpha shared by all.

    Raises
    ------
    ConfigError
        julearn is asked for what it cannot do.
    """
    shared_alpha = estimator.kind == "ridge" and not estimator.per_target
    if wanted == "julearn" and shared_alpha:
        raise ConfigError("engine: julearn fits one target at a time and cannot share an alpha (per_target: false).")
    if wanted != "auto":
        return wanted
    return "multitarget" if shared_alpha or n_columns > MANY_TARGETS else "julearn"


def make_estimator(config: Ridge | Lasso) -> RidgeExact | LassoExact:
    """Build the scikit-learn estimator that a configuration describes."""
    if config.kind == "ridge":
        return RidgeExact(alphas=config.alphas, cv=config.cv, per_target=config.per_target, seed=config.seed)
    return LassoExact(n_alphas=config.n_alphas, eps=config.eps, cv=config.cv, seed=config.seed)


def run_julearn(
    x: np.ndarray, y: np.ndarray, splits: list[Split], estimator: Ridge | Lasso, center: Center
) -> list[SplitResult]:
    """Cross-validate with julearn: a pipeline of centring X, centring y as a target step, and the estimator.

    Parameters
    ----------
    x : ndarray, shape (n_stimuli, n_units)
    y : ndarray, shape (n_stimuli, n_targets)
    splits : list of (development, test)
    estimator, center : configuration

    Returns
    -------
    list of SplitResult, one per split
    """
    features = pd.DataFrame(x, columns=[f"f{i}" for i in range(x.shape[1])])
    per_target = [_julearn_target(features, y[:, column], splits, estimator, center) for column in range(y.shape[1])]
    return [
        SplitResult(
            prediction=np.column_stack([target[number].prediction for target in per_target]),
            alpha=np.concatenate([target[number].alpha for target in per_target]),
            r2=np.concatenate([target[number].r2 for target in per_target]),
            r2_corr=np.concatenate([target[number].r2_corr for target in per_target]),
        )
        for number in range(len(splits))
    ]


def _julearn_target(
    features: pd.DataFrame, y: np.ndarray, splits: list[Split], estimator: Ridge | Lasso, center: Center
) -> list[SplitResult]:
    creator = PipelineCreator(problem_type="regression")
    if center.x:
        creator.add("zscore", with_std=False)
    if center.y:
        creator.add(TargetPipelineCreator().add("zscore", with_std=False), apply_to="target")
    # an instance: julearn would turn a list of alphas into a grid search of its own
    creator.add(make_estimator(estimator))
    scores = run_cross_validation(
        # one pattern instead of a list of names: julearn matches every name against every column
        X=["f.*"],
        y="response",
        X_types={"continuous": ["f.*"]},
        data=features.assign(response=y),
        model=creator,
        cv=splits,
        scoring=["r2", SCORER],
        return_estimator="cv",
    )
    results = []
    for (_, test), (_, row) in zip(splits, scores.iterrows(), strict=True):
        fitted = row["estimator"]
        prediction = np.asarray(fitted.predict(features.iloc[test]), dtype=float)
        model = fitted[-1].model_ if center.y else fitted[-1]
        alpha = getattr(model, "model", model).alpha_
        results.append(
            SplitResult(
                prediction[:, None],
                np.array([alpha]),
                np.array([row["test_r2"]]),
                np.array([row[f"test_{SCORER}"]]),
            )
        )
    return results


def run_multitarget(
    x: np.ndarray, y: np.ndarray, splits: list[Split], estimator: Ridge | Lasso, center: Center
) -> list[SplitResult]:
    """Fit all targets of a split from one factorisation; parameters and result as `run_julearn`.

    The solvers centre with the means of the stimuli that they are given, the development stimuli. Without centring in
    the configuration that changes nothing: both estimators have an intercept, which is not penalised.
    """
    results = []
    for development, test in splits:
        if estimator.kind == "ridge":
            fit = fit_ridge(
                x[development], y[development], estimator.alphas, estimator.cv, estimator.per_target, estimator.seed
            )
            prediction, alpha = fit.predict(x[test]), fit.alpha
        else:
            fits = [
                fit_lasso(x[development], column, estimator.n_alphas, estimator.eps, estimator.cv, estimator.seed)
                for column in y[development].T
            ]
            prediction = np.column_stack([fit.predict(x[test]) for fit in fits])
            alpha = np.array([fit.alpha for fit in fits])
        results.append(SplitResult(prediction, alpha, r2(y[test], prediction), r2_corr(y[test], prediction)))
    return results


ENGINES = {"julearn": run_julearn, "multitarget": run_multitarget}
