"""Multi-task lasso: one joint selection of features and one alpha for all targets, with a checked duality gap."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import AfterValidator, Field
from sklearn.base import MultiOutputMixin

from ..errors import ConfigError
from ..options import Seed
from .face import Face
from .numerics.columns import checked
from .numerics.folds import resolve_folds, training_and_validation
from .numerics.joint_path import GAP_TOLERANCE, LEAST_TOLERANCE, joint_alpha_grid, joint_path, relative_joint_gap
from .options import EstimatorOptions, InnerFolds, relative_grid_words
from .plugin import Can, InnerCv, LinearFit, Plugin


def _tolerance(tolerance: float) -> float:
    if not LEAST_TOLERANCE <= tolerance <= 0.01:
        raise ValueError(f"tolerance must be between {LEAST_TOLERANCE} (closer, rounding decides) and 0.01")
    return tolerance


class MultitaskLasso(EstimatorOptions):
    """Lasso of all targets together: one alpha, and a feature is selected for all of them or for none."""

    kind: Literal["multitask_lasso"]
    n_alphas: int = Field(default=50, ge=2)
    eps: float = Field(default=1e-3, gt=0, lt=1)
    cv: InnerFolds = 5
    standardise_targets: bool = False
    seed: Seed = 0
    tolerance: Annotated[float, AfterValidator(_tolerance)] = GAP_TOLERANCE


@dataclass(frozen=True)
class MultiTaskLassoFit(LinearFit):
    """A fitted multi-task lasso.

    Attributes
    ----------
    alpha : float
        In the units of the responses (standardised ones with `standardise_targets`).
    coef : ndarray, shape (n_features, n_targets)
        In the units of the responses as they were given. A row is 0 for all targets or (in general) for none.
    x_mean : ndarray, shape (n_features,)
    y_mean : ndarray, shape (n_targets,)
    gap : float
        Duality gap at `alpha`, relative to the loss of the empty model.
    r2_dev : ndarray, shape (n_targets,)
        1 - cross-validated error at `alpha` / that of the training mean, on the same inner folds; 0 for constant
        targets. It knows nothing of test stimuli.
    """

    gap: float = np.nan


def fit_multitask_lasso(
    x: np.ndarray,
    y: np.ndarray,
    n_alphas: int = 50,
    eps: float = 1e-3,
    cv: Any = 5,
    seed: int = 0,
    standardise_targets: bool = False,
    tolerance: float = GAP_TOLERANCE,
) -> MultiTaskLassoFit:
    """Minimise ||Y - XW||_F^2 / (2 n) + alpha sum_j ||w_j||_2, alpha chosen inside the given stimuli.

    The grid is the same in every fold: relative to alpha_max of all given stimuli. X and Y are centred with the means
    of the fold's own training part. The error of an alpha is the mean over folds of the squared error averaged over
    stimuli and targets; of equal errors the larger alpha wins.

    Targets share the penalty and the error in their own units: one with a large variance decides which features are
    selected and which alpha is chosen, one with a small variance hardly counts. `standardise_targets` divides each by
    its standard deviation over the given stimuli first. As published, it is off.

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
    standardise_targets : bool
    tolerance : float
        Duality gap, relative to the loss of the empty model, at which a solution counts as exact, on the paths of the
        folds and in the final fit. 1e-3 takes half the time; which features are selected is then less certain.

    Raises
    ------
    ConfigError, DataError
        See `columns.checked` and `resolve_folds`; the tolerance is not between 1e-13 and 1.
    """
    if not LEAST_TOLERANCE <= tolerance < 1.0:
        raise ConfigError(
            f"lasso: tolerance must be between {LEAST_TOLERANCE} (closer, rounding decides) and 1, such as 1e-10, got "
            f"{tolerance!r}."
        )
    x_mean, x_centred, y_mean, y_centred = checked(x, y, n_alphas, eps)
    spread = y_centred.std(axis=0) if standardise_targets else np.ones(y_centred.shape[1])
    y_centred = y_centred / np.where(spread > 0, spread, 1.0)
    alphas = joint_alpha_grid(x_centred, y_centred, n_alphas, eps)
    errors, of_mean = np.zeros((n_alphas, y_centred.shape[1])), np.zeros(y_centred.shape[1])
    folds = training_and_validation(resolve_folds(cv, x_centred, np.asarray(y), seed, "lasso"), len(x_centred))
    n_folds = len(folds[0])
    for training, held_out in zip(*folds, strict=True):
        fold_x, fold_y = (values - values[training].mean(axis=0) for values in (x_centred, y_centred))
        path = joint_path(fold_x[training], fold_y[training], alphas, tolerance)
        for index, (columns, weights, _) in enumerate(path):
            predicted = fold_x[np.ix_(held_out, columns)] @ weights
            errors[index] += ((fold_y[held_out] - predicted) ** 2).mean(axis=0) / n_folds
        of_mean += (fold_y[held_out] ** 2).mean(axis=0) / n_folds
    best = int(errors.mean(axis=1).argmin())
    *_, (columns, weights, _) = joint_path(x_centred, y_centred, alphas[: best + 1], tolerance)
    coef = np.zeros((x_centred.shape[1], y_centred.shape[1]))
    coef[columns] = weights
    gap = relative_joint_gap(x_centred, y_centred, coef, alphas[best])
    r2_dev = 1.0 - np.divide(errors[best], of_mean, out=np.ones_like(of_mean), where=of_mean > 0)
    coef = coef * np.where(spread > 0, spread, 1.0)
    return MultiTaskLassoFit(coef, x_mean, y_mean, r2_dev, float(alphas[best]), gap=gap)


class MultiTaskLassoExact(MultiOutputMixin, Face):
    """The scikit-learn face of `fit_multitask_lasso`; attributes as of `Face`, `alpha_` one number for all targets.

    Parameters
    ----------
    n_alphas, eps, cv, seed, standardise_targets, tolerance
        See `fit_multitask_lasso`.

    Attributes
    ----------
    dual_gap_ : float
        Relative duality gap of the final fit.
    """

    def __init__(self, n_alphas=50, eps=1e-3, cv=5, seed=0, standardise_targets=False, tolerance=GAP_TOLERANCE):
        self.n_alphas = n_alphas
        self.eps = eps
        self.cv = cv
        self.seed = seed
        self.standardise_targets = standardise_targets
        self.tolerance = tolerance

    def _solve(self, x: np.ndarray, y: np.ndarray) -> MultiTaskLassoFit:
        return fit_multitask_lasso(
            x, y, self.n_alphas, self.eps, self.cv, self.seed, self.standardise_targets, self.tolerance
        )

    def _note(self, fit: MultiTaskLassoFit) -> None:
        self.dual_gap_ = fit.gap


def _of_options(x: np.ndarray, y: np.ndarray, options: MultitaskLasso, cv: InnerCv, widths=None) -> MultiTaskLassoFit:
    return fit_multitask_lasso(
        x, y, options.n_alphas, options.eps, cv, options.seed, options.standardise_targets, options.tolerance
    )


def _face(options: MultitaskLasso, cv: InnerCv, widths=None) -> MultiTaskLassoExact:
    return MultiTaskLassoExact(
        options.n_alphas, options.eps, cv, options.seed, options.standardise_targets, options.tolerance
    )


PLUGIN = Plugin(
    "multitask_lasso", MultitaskLasso, _of_options, Can(joint=True, sparse=True), _face, words=relative_grid_words
)
