"""Ridge on feature sets side by side, each with its own share of the penalty: what a set adds to another."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any, Literal

import numpy as np
from sklearn.base import MultiOutputMixin

from .face import Face
from .numerics.folds import resolve_folds
from .plugin import InnerCv, Plugin
from .ridge import RidgeFit, RidgeKeys, RidgePrediction, can, fit_ridge, grid, predict_ridge, single, words

# shares are multiples of 1 / STEPS
STEPS = 6


class BandedRidge(RidgeKeys):
    """Banded ridge, also of a single feature set: alphas are on the scale of features whose total variance is 1."""

    kind: Literal["banded_ridge"]


@dataclass(frozen=True)
class BandedFit:
    """A fitted banded ridge: `alpha`, `r2_dev`, `error`, `intercept` [n_targets], `coef` [n_units, n_targets].

    Weights are of the units of x; `error` is the mean squared error inside the given stimuli, as in `RidgeFit`.
    """

    alpha: np.ndarray
    r2_dev: np.ndarray
    error: np.ndarray
    coef: np.ndarray
    intercept: np.ndarray

    def predict(self, x: np.ndarray) -> np.ndarray:
        """y = x coef + intercept, shape (n, n_targets)."""
        return x @ self.coef + self.intercept


def shares(n_bands: int) -> np.ndarray:
    """Return the shares of the bands that are tried: all multiples of 1 / 6 that sum to 1, [n_shares, n_bands].

    The corners (one band alone) are among them, so that a useless band can be left out.
    """
    lattice = np.array([point for point in product(range(STEPS + 1), repeat=n_bands) if sum(point) == STEPS])
    return lattice / STEPS


def band_scales(x: np.ndarray, widths: Sequence[int]) -> np.ndarray:
    """Return 1 / sqrt(total variance) of every band, which gives bands of any width and unit the same say; [n_bands].

    Parameters
    ----------
    x : ndarray, shape (n, sum of widths)
        Development stimuli.
    widths : sequence of int
        Number of units of every band.
    """
    variances = [part.var(axis=0).sum() for part in np.split(x, np.cumsum(widths)[:-1], axis=1)]
    return np.array([1.0 / np.sqrt(variance) if variance > 0 else 0.0 for variance in variances])


def _weighted(x: np.ndarray, widths: Sequence[int]) -> Iterator[np.ndarray]:
    """Yield for every choice of shares the factor of every unit, sqrt(share) / sqrt(total variance of its band)."""
    scales = band_scales(x, widths)
    for share in shares(len(widths)):
        yield np.repeat(np.sqrt(share) * scales, widths)


def _better(new: RidgeFit | RidgePrediction, old: BandedFit | RidgePrediction, per_target: bool) -> np.ndarray:
    """Tell for which targets other shares have a smaller error; for all or none where they share alpha and shares.

    A single target's errors are compared as `r2_dev`: relative to the error of its mean, which is the same for all
    shares.
    """
    return new.r2_dev > old.r2_dev if per_target else np.full(new.error.shape, new.error.sum() < old.error.sum())


def _with_folds(options: dict, x: np.ndarray, y: np.ndarray) -> dict:
    """Draw the inner folds once for all shares: an iterator has them once, and a splitter may draw others each time."""
    folds = resolve_folds(options.get("cv", "loo"), x, y, options.get("seed", 0), "ridge")
    return {**options, "cv": folds}


def fit_banded_ridge(
    x: np.ndarray, y: np.ndarray, widths: Sequence[int], alphas: np.ndarray, per_target: bool = True, **options
) -> BandedFit:
    """Minimise ||y - sum_b X_b w_b||^2 + alpha sum_b ||w_b||^2 s_b / g_b over alpha and the shares g, per target.

    s_b is the total variance of band b on the given stimuli and g_b its share, sum_b g_b = 1. For every choice of
    shares this is a ridge on the scaled features sqrt(g_b / s_b) X_b, with E_t(alpha, g) the exact leave-one-out error
    of target t, or that of inner folds (Dupré la Tour et al. 2022, NeuroImage 264:119728, for the model). alpha and
    shares minimise one criterion together, of equal ones the first:

        per_target        min over alpha, g of E_t(alpha, g), for every target t      (the highest r2_dev)
        not per_target    min over alpha, g of sum_t E_t(alpha, g)                    (squared units of y)

    so that without `per_target` a target counts by its variance in both, as in `fit_ridge`; divide targets by their
    standard deviations first where all are to count alike.

    Parameters
    ----------
    x : ndarray, shape (n, sum of widths)
        The bands side by side.
    y : ndarray, shape (n, n_targets)
    widths : sequence of int
    alphas, per_target, **options
        As of `fit_ridge`; alphas are on the scale of features whose total variance is 1. All shares meet the same inner
        folds.
    """
    best: Any = None
    options = _with_folds(options, x, y)
    for factors in _weighted(x, widths):
        fit = fit_ridge(x * factors, y, alphas, per_target=per_target, **options)
        coef = fit.coef * factors[:, None]  # in units of x
        if best is None:
            best = BandedFit(fit.alpha, fit.r2_dev, fit.error, coef, y.mean(axis=0) - x.mean(axis=0) @ coef)
            continue
        better = _better(fit, best, per_target)
        for name in ("alpha", "r2_dev", "error"):
            getattr(best, name)[better] = getattr(fit, name)[better]
        best.coef[:, better] = coef[:, better]
        best.intercept[better] = (y.mean(axis=0) - x.mean(axis=0) @ coef)[better]
    return best


def predict_banded_ridge(
    x: np.ndarray,
    y: np.ndarray,
    x_test: np.ndarray,
    widths: Sequence[int],
    alphas: np.ndarray,
    per_target: bool = True,
    **options,
) -> RidgePrediction:
    """Fit as `fit_banded_ridge` and predict, without forming weights of single units."""
    best: Any = None
    options = _with_folds(options, x, y)
    for factors in _weighted(x, widths):
        found = predict_ridge(x * factors, y, x_test * factors, alphas, per_target=per_target, **options)
        if best is None:
            best = found
            continue
        better = _better(found, best, per_target)
        best.prediction[:, better] = found.prediction[:, better]
        for name in ("alpha", "r2_dev", "error"):
            getattr(best, name)[better] = getattr(found, name)[better]
    return best


class BandedRidgeExact(MultiOutputMixin, Face):
    """The scikit-learn face of `fit_banded_ridge`; attributes as of `Face`.

    Parameters
    ----------
    widths : sequence of int or None
        Units of every band; None: one band.
    alphas, cv, per_target, seed, unpredictable, device
        As of `RidgeExact`.
    """

    def __init__(
        self,
        widths=None,
        alphas=(0.1, 1.0, 10.0),
        cv="loo",
        per_target=True,
        seed=0,
        unpredictable="mean",
        device="auto",
    ):
        self.widths = widths
        self.alphas = alphas
        self.cv = cv
        self.per_target = per_target
        self.seed = seed
        self.unpredictable = unpredictable
        self.device = device

    def _solve(self, x: np.ndarray, y: np.ndarray) -> BandedFit:
        return fit_banded_ridge(
            x,
            y,
            self.widths or [x.shape[1]],
            self.alphas,
            cv=self.cv,
            per_target=self.per_target,
            seed=self.seed,
            unpredictable=self.unpredictable,
            device=self.device,
        )


def _fit(x: np.ndarray, y: np.ndarray, options: BandedRidge, cv: InnerCv, widths=None) -> BandedFit:
    return fit_banded_ridge(x, y, widths or [x.shape[1]], **options.solver_options(cv))


def _predict(x: np.ndarray, y: np.ndarray, x_test: np.ndarray, options: BandedRidge, cv: InnerCv, widths=None):
    return predict_banded_ridge(x, y, x_test, widths or [x.shape[1]], **options.solver_options(cv))


def _face(options: BandedRidge, cv: InnerCv, widths=None) -> BandedRidgeExact:
    return BandedRidgeExact(None if widths is None else list(widths), **options.solver_options(cv))


PLUGIN = Plugin("banded_ridge", BandedRidge, _fit, can, _face, _predict, grid, single, words)
