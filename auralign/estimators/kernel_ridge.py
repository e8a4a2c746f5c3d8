"""Kernel ridge with a radial kernel: what of a response is a smooth, not a linear, function of the features."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike
from scipy.linalg import eigh
from sklearn.base import MultiOutputMixin
from sklearn.metrics.pairwise import euclidean_distances

from ..errors import ConfigError
from ..options import Seed
from .face import Face
from .numerics.columns import checked
from .numerics.decomposition import EPS, Decomposition
from .numerics.folds import Fold, resolve_folds
from .numerics.ridge_errors import InnerFold, centred_blocks, distinct_alphas, k_fold, leave_one_out
from .options import Alphas, EstimatorOptions, InnerFolds, inner_words
from .plugin import Can, InnerCv, Plugin


class KernelRidge(EstimatorOptions):
    """Kernel ridge with the kernel exp(-gamma ||a - b||^2), target by target; alpha and gamma on the inner folds.

    `gammas` are multiples of 1 / (total variance of the units over the development stimuli), so that one grid serves
    features of any size and number.
    """

    kind: Literal["kernel_ridge"]
    alphas: Alphas = [float(a) for a in np.logspace(-8, 3, 12)]
    gammas: Alphas = [float(g) for g in np.logspace(-3, 1, 5)]
    cv: InnerFolds = "loo"
    seed: Seed = 0


@dataclass(frozen=True)
class KernelFit:
    """A fitted kernel ridge for every target.

    Attributes
    ----------
    x : ndarray, shape (n, n_features)
        The given stimuli, less `x_mean`.
    x_mean : ndarray, shape (n_features,)
    gammas : ndarray, shape (n_gammas,)
        Those on offer, as the kernel takes them.
    gamma_index : ndarray of int, shape (n_targets,)
    alpha, r2_dev : ndarray, shape (n_targets,)
    dual : ndarray, shape (n, n_targets)
    y_mean : ndarray, shape (n_targets,)
    params : list of dict
        The chosen gamma of every target.
    """

    x: np.ndarray
    x_mean: np.ndarray
    gammas: np.ndarray
    gamma_index: np.ndarray
    alpha: np.ndarray
    r2_dev: np.ndarray
    dual: np.ndarray
    y_mean: np.ndarray
    params: list[dict[str, float]]

    def predict(self, x: np.ndarray) -> np.ndarray:
        """y = Kc(x, given) dual + y_mean, shape (n, n_targets)."""
        prediction = np.empty((len(x), len(self.alpha)))
        between, within = euclidean_distances(x - self.x_mean, self.x, squared=True), _distances(self.x)
        for index in np.unique(self.gamma_index):
            own, gamma = self.gamma_index == index, self.gammas[index]
            prediction[:, own] = centred_kernel(within, between, gamma) @ self.dual[:, own]
        return prediction + self.y_mean


def _distances(x: np.ndarray) -> np.ndarray:
    return euclidean_distances(x, squared=True)


def centred_kernel(within: np.ndarray, between: np.ndarray, gamma: float) -> np.ndarray:
    """K(i, j) = exp(-gamma d_ij), less its means over the fitted stimuli on both sides (`KernelCenterer`).

    Parameters
    ----------
    within : ndarray, shape (n, n)
        Squared distances between the fitted stimuli.
    between : ndarray, shape (m, n)
        Squared distances of others, or of the same, from them.

    Returns
    -------
    ndarray, shape (m, n)
        The products of the features that the kernel stands for, centred with the means of the fitted stimuli, so that
        the model has an intercept that is not penalised.
    """
    kernel = np.exp(-gamma * between)
    means = np.exp(-gamma * within).mean(axis=0)
    return kernel - means - kernel.mean(axis=1, keepdims=True) + means.mean()


def _decompose(kernel: np.ndarray) -> Decomposition:
    """Decompose a centred kernel [n, n]: directions whose eigenvalue is not 0, never the constant one."""
    eigenvalues, q = eigh(kernel)
    kept = eigenvalues > len(kernel) * EPS * eigenvalues[-1]
    nothing = np.empty(0)
    return Decomposition(nothing, q[:, kept], eigenvalues[kept], nothing)


def _inner(distances: np.ndarray, gamma: float, folds: list[Fold]) -> list[InnerFold]:
    """Decompose the kernel of every inner fold, centred with the means of its training stimuli."""
    decomposed = []
    for train, held_out in folds:
        within = distances[np.ix_(train, train)]
        part = _decompose(centred_kernel(within, within, gamma))
        between = centred_kernel(within, distances[np.ix_(held_out, train)], gamma)
        decomposed.append(InnerFold(train, held_out, part, between @ part.q))
    return decomposed


def fit_kernel_ridge(
    x: np.ndarray, y: np.ndarray, alphas: ArrayLike, gammas: ArrayLike, cv: Any = "loo", seed: int = 0
) -> KernelFit:
    """Minimise ||yc - Kc dual||^2 + alpha dual' Kc dual for every target: dual = (Kc + alpha I)^-1 yc, yc = y - y_mean.

    Kc is the kernel K(a, b) = exp(-gamma ||a - b||^2) of the given stimuli, centred (`centred_kernel`): ridge
    regression on the features that the kernel stands for, with an intercept that is not penalised. alpha and gamma are
    those with the smallest mean squared error inside the given stimuli, of equal ones the first gamma, then the first
    alpha. All targets and alphas share one eigendecomposition per gamma and fold (exact leave-one-out: one per gamma).

    Parameters
    ----------
    x : ndarray, shape (n, n_features)
    y : ndarray, shape (n, n_targets)
    alphas : array-like, shape (n_alphas,)
        Candidates, positive.
    gammas : array-like, shape (n_gammas,)
        Candidates, positive, as multiples of 1 / (sum over features of their variance over the given stimuli).
    cv : "loo", int, splitter or list of folds
        Exact leave-one-out, or inner folds as in `numerics.folds.resolve_folds`.
    seed : int
        Seed of a number of inner folds; nothing else is drawn.

    Raises
    ------
    ConfigError, DataError
        See `columns.checked` and `resolve_folds`; alphas or gammas are not positive and finite.
    """
    offered, factors = _positive("alphas", alphas), _positive("gammas", gammas)
    x_mean, x_centred, _, _ = checked(x, y, solver="kernel ridge")
    y = np.asarray(y, dtype=np.float64)
    total = x_centred.var(axis=0).sum()
    widths = factors / total if total > 0 else factors
    folds = resolve_folds(cv, x_centred, y, seed, "kernel ridge")
    distances, n_targets = _distances(x_centred), y.shape[1]
    alpha, null, y_mean = np.empty((3, n_targets))
    index, best, dual = np.zeros(n_targets, dtype=int), np.full(n_targets, np.inf), np.empty((len(y), n_targets))
    for number, gamma in enumerate(widths):
        whole = _decompose(centred_kernel(distances, distances, gamma))
        inner = [] if isinstance(folds, str) else _inner(distances, gamma, folds)
        spectra = [whole.eigenvalues, *(fold.decomposition.eigenvalues for fold in inner)]
        tried = offered[distinct_alphas(np.concatenate(spectra), offered)]
        criterion = leave_one_out(whole, tried) if isinstance(folds, str) else k_fold(inner, tried)
        for block, mean, centred in centred_blocks(y):
            rotated = whole.q.T @ centred
            errors, null[block] = criterion(centred, rotated)
            y_mean[block] = mean
            chosen = errors.argmin(axis=0)
            error = errors[chosen, np.arange(errors.shape[1])]
            better = np.flatnonzero((error < best[block]) | (number == 0))
            columns = better + block.start
            best[columns], alpha[columns], index[columns] = error[better], tried[chosen[better]], number
            dual[:, columns] = whole.q @ (rotated[:, better] / (whole.eigenvalues[:, None] + alpha[columns]))
    r2_dev = 1.0 - np.divide(best, null, out=np.ones(n_targets), where=null > 0)
    params = [{"gamma": float(widths[chosen])} for chosen in index]
    return KernelFit(x_centred, x_mean, widths, index, alpha, r2_dev, dual, y_mean, params)


def _positive(name: str, values: Any) -> np.ndarray:
    values = np.asarray(values, dtype=np.float64)
    if values.ndim != 1 or not values.size or not np.isfinite(values).all() or values.min() <= 0:
        raise ConfigError(f"kernel ridge: {name} must be a list of positive, finite numbers, got {values}.")
    return values


class KernelRidgeExact(MultiOutputMixin, Face):
    """The scikit-learn face of `fit_kernel_ridge`; attributes as of `Face`, `fit_` being a `KernelFit`.

    Parameters
    ----------
    alphas, gammas, cv, seed
        See `fit_kernel_ridge`.
    """

    def __init__(self, alphas=(0.01, 0.1, 1.0), gammas=(0.01, 0.1, 1.0), cv="loo", seed=0):
        self.alphas = alphas
        self.gammas = gammas
        self.cv = cv
        self.seed = seed

    def _solve(self, x: np.ndarray, y: np.ndarray) -> KernelFit:
        return fit_kernel_ridge(x, y, self.alphas, self.gammas, self.cv, self.seed)


def _of_options(x: np.ndarray, y: np.ndarray, options: KernelRidge, cv: InnerCv, widths=None) -> KernelFit:
    return fit_kernel_ridge(x, y, np.array(options.alphas), np.array(options.gammas), cv, options.seed)


def _face(options: KernelRidge, cv: InnerCv, widths=None) -> KernelRidgeExact:
    return KernelRidgeExact(options.alphas, options.gammas, cv, options.seed)


def _grid(options: KernelRidge) -> list[float]:
    return options.alphas


def _words(options: KernelRidge) -> str:
    return (
        f"alpha and gamma chosen for each target by {inner_words(options.cv)} on the development stimuli, alpha from "
        f"{len(options.alphas)} values between {min(options.alphas):.3g} and {max(options.alphas):.3g}, gamma from "
        f"{len(options.gammas)} values between {min(options.gammas):.3g} and {max(options.gammas):.3g} divided by the "
        "total variance of the units"
    )


PLUGIN = Plugin(
    "kernel_ridge",
    KernelRidge,
    _of_options,
    Can(weights=False, params=True),
    _face,
    grid=_grid,
    words=_words,
    equation="a = argmin ||y - Ka||² + alpha a'Ka, with the centred kernel K of exp(-gamma ||x - z||²)",
    references=(
        "Saunders, C., Gammerman, A. & Vovk, V. (1998). Ridge regression learning algorithm in dual variables. "
        "Proceedings of ICML 1998, 515-521.",
    ),
)
