"""Ridge regression with exact leave-one-out choice of alpha, all targets from one decomposition of the features."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np
from sklearn.base import MultiOutputMixin

from ..options import Seed
from .face import Face
from .numerics.decomposition import Decomposition
from .numerics.device import Arrays, Device, arrays_on
from .numerics.ridge_solver import RidgeSolver
from .options import Alphas, EstimatorOptions, InnerFolds, inner_words
from .plugin import Can, InnerCv, Plugin


class RidgeKeys(EstimatorOptions):
    """What ridge and banded ridge are given."""

    alphas: Alphas = [float(a) for a in np.logspace(-3, 8, 12)]
    cv: InnerFolds = "loo"
    per_target: bool = True
    unpredictable: Literal["mean", "published"] = "mean"
    seed: Seed = 0
    device: Device = "auto"
    # in double precision on every device: numbers differ by rounding, as from one BLAS to another
    not_in_key: ClassVar[frozenset[str]] = frozenset({"device"})

    def solver_options(self, cv: InnerCv) -> dict[str, Any]:
        """Return the keyword arguments of the solvers, with the inner folds of one split."""
        keys = ("alphas", "per_target", "seed", "unpredictable", "device")
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


def fit_ridge(
    x: np.ndarray,
    y: np.ndarray,
    alphas: np.ndarray,
    cv: Any = "loo",
    per_target: bool = True,
    seed: int = 0,
    unpredictable: str = "mean",
    decomposition: Decomposition | None = None,
    device: str | Arrays = "auto",
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
    device : "auto", "cpu", "cuda", the like of "cuda:1", or Arrays
        Where the matrix products are done, see `numerics.device.arrays_on`; in double precision on each.

    Raises
    ------
    ConfigError
        alphas, cv, unpredictable or device are not among what is allowed.
    DataError
        Values that are not finite, no features, too few stimuli, or other numbers of stimuli in x and y; or the
        memory of a GPU is too small for a single target.
    """
    x, y = np.asarray(x, dtype=np.float64), np.asarray(y)
    solver = RidgeSolver(x, y, alphas, cv, seed, decomposition, arrays_on(device, y.shape[1]))
    found = solver.decomposition
    alpha, r2_dev, error, y_mean = np.empty((4, y.shape[1]))
    dual = np.empty((len(found.eigenvalues), y.shape[1]))
    for part in solver.solve(y, per_target, unpredictable, solver.arrays.get):
        own = part.block
        alpha[own], r2_dev[own], error[own], y_mean[own] = part.alpha, part.r2_dev, part.error, part.mean
        dual[:, own] = part.finished
    return RidgeFit(alpha, r2_dev, error, found.x_mean, y_mean, found.projection, dual)


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
    device: str | Arrays = "auto",
) -> RidgePrediction:
    """Fit and predict block by block of targets; parameters, rule and errors of `fit_ridge`, and the same numbers.

    With K_test = (x_test - x_mean) Xc', prediction = K_test Q diag(1 / (eigenvalues + alpha)) Q'y + y_mean. Beside y
    and the predictions only one block of targets is in memory.
    """
    (found,) = predict_ridges(x, [(y, unpredictable)], x_test, alphas, cv, per_target, seed, decomposition, device)
    return found


def predict_ridges(
    x: np.ndarray,
    responses: Sequence[tuple[np.ndarray, str]],
    x_test: np.ndarray,
    alphas: np.ndarray,
    cv: Any = "loo",
    per_target: bool = True,
    seed: int = 0,
    decomposition: Decomposition | None = None,
    device: str | Arrays = "auto",
) -> list[RidgePrediction]:
    """Do what `predict_ridge` does for several responses to the same stimuli, each with its own `unpredictable`.

    They share the decomposition, the inner folds and all that follows from these.
    """
    x = np.asarray(x, dtype=np.float64)
    arrays = arrays_on(device, sum(y.shape[1] for y, _ in responses))
    solver = RidgeSolver(x, responses[0][0], alphas, cv, seed, decomposition, arrays)
    found = solver.decomposition
    projected = arrays.put((np.asarray(x_test) - found.x_mean) @ found.projection)  # [n_test, rank]

    def finish(dual: Any) -> np.ndarray:
        return arrays.get(projected @ dual)

    return [_predict_all(solver, np.asarray(y), per_target, rule, finish, len(x_test)) for y, rule in responses]


def _predict_all(
    solver: RidgeSolver,
    y: np.ndarray,
    per_target: bool,
    unpredictable: str,
    finish: Callable[[Any], np.ndarray],
    n_test: int,
) -> RidgePrediction:
    alpha, r2_dev, error = np.empty((3, y.shape[1]))
    prediction = np.empty((n_test, y.shape[1]))
    for part in solver.solve(y, per_target, unpredictable, finish):
        own = part.block
        alpha[own], r2_dev[own], error[own] = part.alpha, part.r2_dev, part.error
        np.add(part.finished, part.mean, out=prediction[:, own])
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
    device : "auto", "cpu", "cuda" or the like of "cuda:1"
    """

    def __init__(self, alphas=(0.1, 1.0, 10.0), cv="loo", per_target=True, seed=0, unpredictable="mean", device="auto"):
        self.alphas = alphas
        self.cv = cv
        self.per_target = per_target
        self.seed = seed
        self.unpredictable = unpredictable
        self.device = device

    def _solve(self, x: np.ndarray, y: np.ndarray) -> RidgeFit:
        return fit_ridge(x, y, self.alphas, self.cv, self.per_target, self.seed, self.unpredictable, device=self.device)


def _fit(x: np.ndarray, y: np.ndarray, options: Ridge, cv: InnerCv, widths=None) -> RidgeFit:
    return fit_ridge(x, y, **options.solver_options(cv))


def _predict(x: np.ndarray, y: np.ndarray, x_test: np.ndarray, options: Ridge, cv: InnerCv, widths=None):
    return predict_ridge(x, y, x_test, **options.solver_options(cv))


def _several(x: np.ndarray, fits: Sequence[tuple[np.ndarray, Ridge]], x_test: np.ndarray, cv: InnerCv, widths=None):
    shared = fits[0][1].solver_options(cv)
    del shared["unpredictable"]
    return predict_ridges(x, [(y, options.unpredictable) for y, options in fits], x_test, **shared)


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


PLUGIN = Plugin(
    "ridge", Ridge, _fit, can, _face, _predict, grid, single, words, of_bands="banded_ridge", several=_several
)
