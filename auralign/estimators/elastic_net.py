"""Elastic net: a lasso with a share of ridge's penalty, which keeps correlated features together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import Field

from ..errors import ConfigError
from ..options import Seed
from .face import Face
from .lasso import solve_path
from .numerics.columns import checked
from .numerics.elastic_path import elastic_path
from .numerics.folds import resolve_folds, training_and_validation
from .options import EstimatorOptions, InnerFolds, relative_grid_words
from .plugin import Can, InnerCv, LinearFit, Plugin


class ElasticNet(EstimatorOptions):
    """Elastic net, target by target; alpha and l1_ratio by inner cross-validation."""

    kind: Literal["elastic_net"]
    l1_ratio: list[Annotated[float, Field(gt=0, le=1)]] = Field(default=[0.1, 0.5, 0.9], min_length=1)
    n_alphas: int = Field(default=50, ge=2)
    eps: float = Field(default=1e-3, gt=0, lt=1)
    cv: InnerFolds = 5
    seed: Seed = 0


@dataclass(frozen=True)
class ElasticNetFit(LinearFit):
    """A fitted elastic net for every target; `gap` [n_targets]: duality gap relative to the loss of the empty model."""

    gap: np.ndarray = field(default_factory=lambda: np.empty(0))


def fit_elastic_net(
    x: np.ndarray,
    y: np.ndarray,
    l1_ratio: Sequence[float] = (0.1, 0.5, 0.9),
    n_alphas: int = 50,
    eps: float = 1e-3,
    cv: Any = 5,
    seed: int = 0,
) -> ElasticNetFit:
    """Minimise ||y - Xw||^2 / (2 n) + alpha l1_ratio ||w||_1 + alpha (1 - l1_ratio) / 2 ||w||^2 for every target.

    alpha and l1_ratio are chosen together by inner cross-validation, as scikit-learn's `ElasticNetCV` does: the grid of
    every l1_ratio begins at the smallest alpha that gives an empty model, alpha_max = ||X'y||_inf / (n l1_ratio) of all
    given stimuli, and ends at eps times it. X and y are centred with the means of the fold's own training part. Of
    equal errors the first l1_ratio wins, then the larger alpha. Solved exactly (`elastic_path`, with a ratio of 1 the
    path of the lasso): the relative duality gap is about 1e-13.

    Parameters
    ----------
    x : ndarray, shape (n, n_features)
    y : ndarray, shape (n, n_targets)
    l1_ratio : sequence of float
        Candidates, above 0 and at most 1 (the lasso).
    n_alphas, eps : int, float
        Size of each grid and its smallest value relative to alpha_max.
    cv : "loo", int, splitter or list of folds
        See `numerics.folds.resolve_folds`.
    seed : int
        Seed of a number of inner folds; nothing else is drawn.

    Returns
    -------
    ElasticNetFit
        `params` holds the chosen l1_ratio of every target.

    Raises
    ------
    ConfigError, DataError
        See `columns.checked` and `resolve_folds`.
    """
    ratios = np.asarray(l1_ratio, dtype=float)
    if ratios.ndim != 1 or not ratios.size or not ((ratios > 0) & (ratios <= 1)).all():
        raise ConfigError(f"elastic net: l1_ratio must be a list of numbers above 0 and at most 1, got {l1_ratio!r}.")
    x_mean, x_centred, y_mean, y_centred = checked(x, y, n_alphas, eps, "elastic net")
    folds = training_and_validation(resolve_folds(cv, x_centred, np.asarray(y), seed, "elastic net"), len(x_centred))
    found = [_fit(x_centred, target, ratios, n_alphas, eps, folds) for target in y_centred.T]
    coef, alpha, ratio, gap, r2_dev = (np.array(values) for values in zip(*found, strict=True))
    params = [{"l1_ratio": float(chosen)} for chosen in ratio]
    return ElasticNetFit(coef.T, x_mean, y_mean, r2_dev, alpha, params, gap)


def _fit(
    x: np.ndarray, y: np.ndarray, ratios: np.ndarray, n_alphas: int, eps: float, folds: tuple[np.ndarray, np.ndarray]
) -> tuple[np.ndarray, float, float, float, float]:
    """Fit one target: weights, alpha, l1_ratio, gap and r2_dev; x and y are centred, `folds` as masks."""
    largest = np.abs(y @ x).max(initial=0.0) / len(y)
    # a target without any covariance has an empty model everywhere: any positive grid says so
    grids = (largest if largest > 0 else 1.0) / ratios[:, None] * np.logspace(0.0, np.log10(eps), n_alphas)
    errors, of_mean = np.zeros(grids.shape), 0.0
    for training, held_out in zip(*folds, strict=True):
        fold_x, fold_y = x - x[training].mean(axis=0), y - y[training].mean()
        for number, (ratio, grid) in enumerate(zip(ratios, grids, strict=True)):
            coefs, _ = _path(fold_x[training], fold_y[training], ratio, grid)
            errors[number] += ((fold_y[held_out, None] - fold_x[held_out] @ coefs) ** 2).mean(axis=0) / len(folds[0])
        of_mean += (fold_y[held_out] ** 2).mean() / len(folds[0])
    best, position = np.unravel_index(errors.argmin(), errors.shape)
    ratio, alphas = ratios[best], grids[best, : position + 1]
    coefs, gaps = _path(x, y, ratio, alphas)
    r2_dev = 1.0 - errors[best, position] / of_mean if of_mean > 0 else 0.0
    return coefs[:, -1], float(alphas[-1]), float(ratio), float(gaps[-1]), float(r2_dev)


def _path(x: np.ndarray, y: np.ndarray, ratio: float, alphas: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Solve for descending alphas: weights [n_features, n_alphas] and relative gaps; with a ratio of 1 as a lasso."""
    return solve_path(x, y, alphas) if ratio == 1.0 else elastic_path(x, y, ratio, alphas)


class ElasticNetExact(Face):
    """The scikit-learn face of `fit_elastic_net`, for one target; attributes as of `Face`.

    Parameters
    ----------
    l1_ratio, n_alphas, eps, cv, seed
        See `fit_elastic_net`.

    Attributes
    ----------
    dual_gap_ : float
        Relative duality gap of the final fit.
    """

    def __init__(self, l1_ratio=(0.1, 0.5, 0.9), n_alphas=50, eps=1e-3, cv=5, seed=0):
        self.l1_ratio = l1_ratio
        self.n_alphas = n_alphas
        self.eps = eps
        self.cv = cv
        self.seed = seed

    def _solve(self, x: np.ndarray, y: np.ndarray) -> ElasticNetFit:
        return fit_elastic_net(x, y, self.l1_ratio, self.n_alphas, self.eps, self.cv, self.seed)

    def _note(self, fit: ElasticNetFit) -> None:
        self.dual_gap_ = float(fit.gap[0])


def _of_options(x: np.ndarray, y: np.ndarray, options: ElasticNet, cv: InnerCv, widths=None) -> ElasticNetFit:
    return fit_elastic_net(x, y, options.l1_ratio, options.n_alphas, options.eps, cv, options.seed)


def _face(options: ElasticNet, cv: InnerCv, widths=None) -> ElasticNetExact:
    return ElasticNetExact(options.l1_ratio, options.n_alphas, options.eps, cv, options.seed)


def _words(options: ElasticNet) -> str:
    ratios = ", ".join(f"{ratio:g}" for ratio in options.l1_ratio)
    return f"{relative_grid_words(options)}, together with l1_ratio from {ratios}, for each target"


PLUGIN = Plugin(
    "elastic_net",
    ElasticNet,
    _of_options,
    Can(sparse=True, params=True, by_target=True),
    _face,
    words=_words,
    equation="w = argmin ||y - Xw||² / (2n) + alpha l1_ratio ||w||₁ + alpha (1 - l1_ratio) / 2 ||w||²",
    references=(
        "Zou, H. & Hastie, T. (2005). Regularization and variable selection via the elastic net. Journal of the Royal "
        "Statistical Society B 67, 301-320.",
    ),
)
