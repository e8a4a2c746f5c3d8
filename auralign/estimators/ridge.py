"""Ridge regression with exact leave-one-out choice of alpha, all targets from one decomposition of the features."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

import numpy as np
from sklearn.base import MultiOutputMixin

from ..errors import ConfigError, DataError
from ..options import Seed
from .face import Face
from .numerics.decomposition import Decomposition, decompose
from .numerics.folds import resolve_folds
from .numerics.ridge_errors import centred_blocks, distinct_alphas, inner_folds, k_fold, leave_one_out
from .options import Alphas, EstimatorOptions, InnerFolds, inner_words
from .plugin import Can, InnerCv, Plugin

# the least r2_dev that counts: far above rounding (1e-14), far below any effect
LEAST_R2_DEV = 1e-6


class RidgeKeys(EstimatorOptions):
    """What ridge and banded ridge are given."""

    alphas: Alphas = [float(a) for a in np.logspace(-3, 8, 12)]
    cv: InnerFolds = "loo"
    per_target: bool = True
    unpredictable: Literal["mean", "published"] = "mean"
    seed: Seed = 0

    def solver_options(self, cv: InnerCv) -> dict[str, Any]:
        """Return the keyword arguments of the solvers, with the inner folds of one split."""
        keys = ("alphas", "per_target", "seed", "unpredictable")
        return {key: getattr(self, key) for key in keys} | {"cv": cv}


class Ridge(RidgeKeys):
    """Ridge regression; alpha by exact leave-one-out or inner k-fold on the development stimuli."""

    kind: Literal["ridge"]


@dataclass(frozen=True)
class RidgeFit:
    """A fitted ridge for every target, in the dual form coef = projection @ dual.

    Attributes
    ----------
    alpha : ndarray, shape (n_targets,)
        Infinite where the fit is the mean of the development responses.
    r2_dev : ndarray, shape (n_targets,)
        1 - error / error of the mean alone, of the chosen alpha, on the development stimuli (left out one by one or
        fold by fold). 0 for constant responses.
    error : ndarray, shape (n_targets,)
        The mean squared error itself, of the chosen alpha, in squared units of y.
    x_mean : ndarray, shape (n_features,)
    y_mean : ndarray, shape (n_targets,)
    projection : ndarray, shape (n_features, rank)
    dual : ndarray, shape (rank, n_targets)
    """

    alpha: np.ndarray
    r2_dev: np.ndarray
    error: np.ndarray
    x_mean: np.ndarray
    y_mean: np.ndarray
    projection: np.ndarray
    dual: np.ndarray

    @property
    def coef(self) -> np.ndarray:
        """Weights of the features, [n_features, n_targets]; computed on demand, `predict` does without."""
        return self.projection @ self.dual

    @property
    def intercept(self) -> np.ndarray:
        """Prediction of features that are all 0, shape (n_targets,)."""
        return self.y_mean - self.x_mean @ self.coef

    def predict(self, x: np.ndarray) -> np.ndarray:
        """y = (x - x_mean) coef + y_mean, shape (n, n_targets)."""
        prediction = ((x - self.x_mean) @ self.projection) @ self.dual
        prediction += self.y_mean
        return prediction


@dataclass(frozen=True)
class RidgePrediction:
    """What `predict_ridge` keeps: `prediction` [n_test, n_targets]; `alpha`, `r2_dev`, `error` as in RidgeFit."""

    prediction: np.ndarray
    alpha: np.ndarray
    r2_dev: np.ndarray
    error: np.ndarray


def _choose(
    errors: np.ndarray, null: np.ndarray, alphas: np.ndarray, mean_competes: bool
) -> tuple[np.ndarray, np.ndarray]:
    """Choose alpha and its error per target; infinite where the mean competes and no alpha beats it."""
    chosen = errors.argmin(axis=0)
    alpha, error = alphas[chosen], errors[chosen, np.arange(errors.shape[1])]
    if mean_competes:
        nothing = error >= (1.0 - LEAST_R2_DEV) * null
        alpha, error = np.where(nothing, np.inf, alpha), np.where(nothing, null, error)
    return alpha, error


def _solve(
    x: np.ndarray,
    y: np.ndarray,
    decomposition: Decomposition,
    alphas: np.ndarray,
    cv: Any,
    per_target: bool,
    seed: int,
    unpredictable: str,
) -> Iterator[tuple[slice, np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray]]:
    """Solve block by block of targets: positions, alpha, r2_dev, error, y_mean, dual = Q'y / (eigenvalues + alpha)."""
    alphas = _checked(alphas, unpredictable, len(x), len(y))
    folds = resolve_folds(cv, x, y, seed, "ridge")
    q, eigenvalues = decomposition.q, decomposition.eigenvalues
    mean_competes = unpredictable == "mean" and len(alphas) > 1
    if isinstance(folds, str):
        criterion = partial(leave_one_out, decomposition)
        alphas = alphas[distinct_alphas(eigenvalues, alphas)]
    else:
        decomposed = inner_folds(x, folds)
        criterion = partial(k_fold, decomposed)
        of_all = np.concatenate([eigenvalues, *(fold.decomposition.eigenvalues for fold in decomposed)])
        alphas = alphas[distinct_alphas(of_all, alphas)]
    if not per_target:
        errors, null = np.zeros((len(alphas), 1)), np.zeros(1)
        evaluate = criterion(alphas)
        for _, _, centred in centred_blocks(y):
            of_block, null_of_block = evaluate(centred, q.T @ centred)
            errors += of_block.sum(axis=1, keepdims=True)
            null += null_of_block.sum()
        alphas, mean_competes = _choose(errors, null, alphas, mean_competes)[0], False
    evaluate = criterion(alphas)
    for block, mean, centred in centred_blocks(y):
        rotated = q.T @ centred
        errors, null = evaluate(centred, rotated)
        alpha, error = _choose(errors, null, alphas, mean_competes)
        r2_dev = 1.0 - np.divide(error, null, out=np.ones_like(null), where=null > 0)
        rotated /= eigenvalues[:, None] + alpha
        yield block, alpha, r2_dev, error, mean, rotated


def _checked(alphas: np.ndarray, unpredictable: str, n: int, n_responses: int) -> np.ndarray:
    alphas = np.asarray(alphas, dtype=np.float64)
    if alphas.ndim != 1 or not alphas.size or not np.isfinite(alphas).all() or alphas.min() <= 0:
        raise ConfigError(f"ridge: alphas must be a list of positive, finite numbers, got {alphas}.")
    if unpredictable not in ("mean", "published"):
        raise ConfigError(f"ridge: unpredictable must be 'mean' or 'published', got {unpredictable!r}.")
    if n != n_responses:
        raise DataError(f"ridge: features of {n} stimuli, but responses to {n_responses}.")
    if n < 2:
        raise DataError("ridge: one stimulus only; at least 2 are needed to leave one out.")
    return alphas


def fit_ridge(
    x: np.ndarray,
    y: np.ndarray,
    alphas: np.ndarray,
    cv: Any = "loo",
    per_target: bool = True,
    seed: int = 0,
    unpredictable: str = "mean",
    decomposition: Decomposition | None = None,
) -> RidgeFit:
    """Minimise ||y - y_mean - (X - x_mean) w||^2 + alpha ||w||^2, alpha chosen inside the given stimuli.

    Targets that nothing predicts: with E(alpha) the mean squared error of the stimuli left out, and E_mean that of the
    mean of the others (leave-one-out: n / (n - 1)^2 * sum of (y_i - y_mean)^2), the fit is the mean, alpha infinite,
    the prediction constant, where

        min over alpha of E(alpha) >= (1 - 1e-6) E_mean        (r2_dev <= 1e-6)

    E(alpha) tends to E_mean as alpha grows, so that without this rule the choice, and the correlation of what is left
    of the prediction, depend on where the grid ends and on rounding.

    Parameters
    ----------
    x : ndarray, shape (n, n_features)
    y : ndarray, shape (n, n_targets)
    alphas : array-like, shape (n_alphas,)
        Candidates, positive; of equal errors the first wins, and of those that are numerically one fit
        (`distinct_alphas`) the first stands for all. A single one is taken as it is.
    cv : "loo", int, splitter or list of folds
        Exact leave-one-out, or inner folds as in `numerics.folds.resolve_folds`, whose module says how folds of unequal
        sizes are weighed.
    per_target : bool
        One alpha per target, or one for all (smallest error averaged over targets, not scaled by their variance).
    seed : int
        Seed of a number of inner folds; nothing else is drawn.
    unpredictable : "mean" or "published"
        The rule above (with `per_target` false: for the errors averaged over targets); or no such rule, as scikit-learn
        and the published code of Tuckute et al. 2023.
    decomposition : Decomposition, optional
        `decompose(x)`, where the caller has it (other targets of the same stimuli).

    Raises
    ------
    ConfigError
        alphas, cv or unpredictable are not among what is allowed.
    DataError
        Values that are not finite, no features, too few stimuli, or other numbers of stimuli in x and y.
    """
    x, y = np.asarray(x, dtype=np.float64), np.asarray(y)
    decomposition = decomposition or decompose(x)
    alpha, r2_dev, error, y_mean = np.empty((4, y.shape[1]))
    dual = np.empty((len(decomposition.eigenvalues), y.shape[1]))
    for block, *part in _solve(x, y, decomposition, alphas, cv, per_target, seed, unpredictable):
        alpha[block], r2_dev[block], error[block], y_mean[block], dual[:, block] = part
    return RidgeFit(alpha, r2_dev, error, decomposition.x_mean, y_mean, decomposition.projection, dual)


def predict_ridge(
    x: np.ndarray,
    y: np.ndarray,
    x_test: np.ndarray,
    alphas: np.ndarray,
    cv: Any = "loo",
    per_target: bool = True,
    seed: int = 0,
    unpredictable: str = "mean",
    decomposition: Decomposition | None = None,
) -> RidgePrediction:
    """Fit and predict block by block of targets; parameters, rule and errors of `fit_ridge`, and the same numbers.

    With K_test = (x_test - x_mean) Xc', prediction = K_test Q diag(1 / (eigenvalues + alpha)) Q'y + y_mean. Beside y
    and the predictions only one block of targets is in memory.
    """
    x, y = np.asarray(x, dtype=np.float64), np.asarray(y)
    decomposition = decomposition or decompose(x)
    projected = (np.asarray(x_test) - decomposition.x_mean) @ decomposition.projection  # [n_test, rank]
    alpha, r2_dev, error = np.empty((3, y.shape[1]))
    prediction = np.empty((len(projected), y.shape[1]))
    for block, *part in _solve(x, y, decomposition, alphas, cv, per_target, seed, unpredictable):
        alpha[block], r2_dev[block], error[block], y_mean, dual = part
        np.matmul(projected, dual, out=prediction[:, block])
        prediction[:, block] += y_mean
    return RidgePrediction(prediction, alpha, r2_dev, error)


class RidgeExact(MultiOutputMixin, Face):
    """The scikit-learn face of `fit_ridge`; attributes as of `Face`.

    Parameters
    ----------
    alphas : array-like
        Candidate alphas, in scikit-learn's convention.
    cv : "loo", int, splitter or list of folds
        As of `fit_ridge`; positions are those of the rows that `fit` is given.
    per_target : bool
    seed : int
    unpredictable : "mean" or "published"
    """

    def __init__(self, alphas=(0.1, 1.0, 10.0), cv="loo", per_target=True, seed=0, unpredictable="mean"):
        self.alphas = alphas
        self.cv = cv
        self.per_target = per_target
        self.seed = seed
        self.unpredictable = unpredictable

    def _solve(self, x: np.ndarray, y: np.ndarray) -> RidgeFit:
        return fit_ridge(x, y, self.alphas, self.cv, self.per_target, self.seed, self.unpredictable)


def _fit(x: np.ndarray, y: np.ndarray, options: Ridge, cv: InnerCv, widths=None) -> RidgeFit:
    return fit_ridge(x, y, **options.solver_options(cv))


def _predict(x: np.ndarray, y: np.ndarray, x_test: np.ndarray, options: Ridge, cv: InnerCv, widths=None):
    return predict_ridge(x, y, x_test, **options.solver_options(cv))


def _face(options: Ridge, cv: InnerCv, widths=None) -> RidgeExact:
    return RidgeExact(**options.solver_options(cv))


def can(options: RidgeKeys) -> Can:
    """Say what ridge and banded ridge can do: with one alpha for all targets they fit them together."""
    return Can(joint=not options.per_target, banded=True, permute=options.per_target)


def grid(options: RidgeKeys) -> list[float]:
    """Return the alphas on offer."""
    return options.alphas


def single(options: RidgeKeys) -> RidgeKeys:
    """Return the options for a single repetition.

    One that alone is too noisy to be predicted must not become a constant, whose correlation with the other predictions
    (their reliability) is undefined.
    """
    return options.model_copy(update={"unpredictable": "published"})


def words(options: RidgeKeys) -> str:
    """Say how alpha is chosen."""
    each = "for each target" if options.per_target else "once for all targets"
    text = (
        f"alpha chosen {each} by {inner_words(options.cv)} on the development stimuli from {len(options.alphas)} "
        f"values between {min(options.alphas):.3g} and {max(options.alphas):.3g}"
    )
    if options.unpredictable == "mean" and len(options.alphas) > 1:
        text += "; where no alpha beats the mean response, the mean is predicted"
    return text


PLUGIN = Plugin("ridge", Ridge, _fit, can, _face, _predict, grid, single, words, of_bands="banded_ridge")
