"""Errors of ridge on stimuli left out one by one or fold by fold, for many alphas and targets."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import cast

import numpy as np

from ...errors import DataError
from .decomposition import EPS, ROUNDING, Decomposition, decompose
from .folds import Fold, resolve_folds

# targets per block, and rows of one matrix product (several alphas at a time): large enough for the product's full
# speed, small enough for the processor's cache
BLOCK = 1024
ROWS = 500

# (centred responses [n, B], rotated ones Q'y [rank, B]) -> (errors [A, B], error of the mean alone [B])
Criterion = Callable[[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]


def distinct_alphas(eigenvalues: np.ndarray, alphas: np.ndarray) -> np.ndarray:
    """Pick one of all alphas that numerically give the same fit, the first in the given order.

    The fit depends on alpha through the filter factors s = eigenvalue / (eigenvalue + alpha) alone: fitted values are
    y_mean + Q (s * Q'y). Two alphas are the same where no s differs by more than twice the rounding of 1 (4.4e-16): all
    s are 1 (alpha far below the smallest eigenvalue), all are 0 (far above the largest: the mean), or both alphas are
    one number.

    Parameters
    ----------
    eigenvalues : ndarray, shape (rank,)
        Positive; of all decompositions that the alphas are used with.
    alphas : ndarray, shape (n_alphas,)

    Returns
    -------
    ndarray of int, shape (n_distinct,)
        Ascending positions in `alphas`.
    """
    factors = eigenvalues / (eigenvalues + alphas[:, None])  # [A, rank]
    order = np.argsort(alphas, kind="stable")
    first, picked = order[0], [order[0]]
    for position in order[1:]:
        # compared with the group's first member: a chain of small steps does not count as one alpha
        if np.abs(factors[position] - factors[first]).max(initial=0.0) <= 2 * EPS:
            picked[-1] = min(picked[-1], position)
        else:
            first = position
            picked.append(position)
    return np.sort(picked)


def loo_errors(decomposition: Decomposition, y: np.ndarray, alphas: np.ndarray) -> np.ndarray:
    """Mean squared leave-one-out error, exactly, without refitting.

    For ridge with an unpenalised intercept, w = 1 / (eigenvalues + alpha) and s = eigenvalues w,
    e_i = [Q (w * Q'y)]_i / [Q^2 w]_i where the rank is n - 1, else e_i = [yc - Q (s * Q'y)]_i / [1 - 1/n - Q^2 s]_i
    (the same, with the null directions summed up). X and y are centred inside: every left-out stimulus is also left out
    of the means.

    Parameters
    ----------
    decomposition : Decomposition
    y : ndarray, shape (n, n_targets)
        Need not be centred.
    alphas : array-like, shape (n_alphas,)
        Positive; infinite: the error of the mean of the other stimuli.

    Returns
    -------
    ndarray, shape (n_alphas, n_targets)
        Infinite where a stimulus cannot be left out (it alone determines a direction that is not penalised).
    """
    criterion = leave_one_out(decomposition, np.asarray(alphas, dtype=np.float64))
    return np.hstack([criterion(c, decomposition.q.T @ c)[0] for _, _, c in centred_blocks(np.asarray(y))])


def leave_one_out(decomposition: Decomposition, alphas: np.ndarray) -> Criterion:
    """Prepare the errors of `loo_errors` for blocks of targets; that of the mean is sum(yc^2) n / (n - 1)^2."""
    q, eigenvalues = decomposition.q, decomposition.eigenvalues
    n, rank = q.shape
    complete = rank == n - 1
    if complete:
        # the scale of w cancels; with a largest w of 1, no square vanishes
        with np.errstate(invalid="ignore"):  # inf / inf, replaced
            weights = (eigenvalues.min(initial=np.inf) + alphas[:, None]) / (eigenvalues + alphas[:, None])
        weights[np.isinf(alphas)] = 1.0
        denominators = weights @ (q**2).T  # [A, n]
    else:
        weights = -eigenvalues / (eigenvalues + alphas[:, None])
        denominators = 1.0 - 1.0 / n + weights @ (q**2).T
        # what is left of 1 - leverage is rounding
        denominators[denominators <= ROUNDING] = 0.0
    with np.errstate(divide="ignore"):
        scales = 1.0 / denominators**2 / n

    together = max(1, ROWS // n)

    def errors(centred: np.ndarray, rotated: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        n_targets = centred.shape[1]
        out = np.empty((len(weights), 1, n_targets))
        memory = np.empty((together * n, n_targets))
        for start in range(0, len(weights), together):
            some = slice(start, start + together)
            maps = q * weights[some, None]  # [some, n, rank]
            residual = np.matmul(maps.reshape(len(maps) * n, rank), rotated, out=memory[: len(maps) * n])
            residual = residual.reshape(len(maps), n, n_targets)
            if not complete:
                residual += centred
            np.square(residual, out=residual)
            with np.errstate(invalid="ignore"):  # 0 * inf
                np.matmul(scales[some, None], residual, out=out[some])
        out[~np.isfinite(out)] = np.inf
        return out[:, 0], np.einsum("ij,ij->j", centred, centred) * n / max(n - 1, 1) ** 2

    return errors


def kfold_errors(x: np.ndarray, y: np.ndarray, alphas: np.ndarray, n_folds: int, seed: int) -> np.ndarray:
    """Mean squared error of shuffled inner k-fold cross-validation, averaged over folds: [n_alphas, n_targets]."""
    folds = cast(list[Fold], resolve_folds(n_folds, x, y, seed, "ridge"))  # of a number
    criterion = k_fold(inner_folds(np.asarray(x), folds), np.asarray(alphas, dtype=np.float64))
    return np.hstack([criterion(centred, centred)[0] for _, _, centred in centred_blocks(np.asarray(y))])


@dataclass(frozen=True)
class InnerFold:
    """One inner fold.

    Attributes
    ----------
    train, held_out : ndarray of int
        Positions of its stimuli.
    decomposition : Decomposition
        Of the features of `train`.
    projected : ndarray, shape (n_held_out, rank)
        Features of `held_out`, centred with the mean of `train`, times the projection.
    """

    train: np.ndarray
    held_out: np.ndarray
    decomposition: Decomposition
    projected: np.ndarray


def inner_folds(x: np.ndarray, folds: list[Fold]) -> list[InnerFold]:
    """Decompose the features of every inner fold, from `resolve_folds`."""
    decomposed = []
    for train, held_out in folds:
        part = decompose(x[train])
        decomposed.append(InnerFold(train, held_out, part, (x[held_out] - part.x_mean) @ part.projection))
    return decomposed


def k_fold(folds: list[InnerFold], alphas: np.ndarray) -> Criterion:
    """Prepare the errors of `kfold_errors` for blocks of targets; every fold counts alike (see `folds`).

    The mean that competes is that of each fold's training stimuli.
    """

    def errors(centred: np.ndarray, _: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        out, null = np.zeros((len(alphas), centred.shape[1])), np.zeros(centred.shape[1])
        for fold in folds:
            y = centred[fold.train]
            mean = y.mean(axis=0)
            rotated = fold.decomposition.q.T @ (y - mean)
            deviation = centred[fold.held_out] - mean
            null += (deviation**2).mean(axis=0)
            for row, alpha in enumerate(alphas):
                shrunk = fold.projected / (fold.decomposition.eigenvalues + alpha)  # [n_held_out, rank]
                out[row] += ((deviation - shrunk @ rotated) ** 2).mean(axis=0)
        return out / len(folds), null / len(folds)

    return errors


def centred_blocks(y: np.ndarray) -> Iterator[tuple[slice, np.ndarray, np.ndarray]]:
    """Give targets block by block: their positions, means and centred responses [n, B].

    Leave-one-out errors are those of y itself: Q is orthogonal to the constant that is taken off. Constant responses
    (a spread that is rounding) become exact zeros.
    """
    n = len(y)
    for start in range(0, y.shape[1], BLOCK):
        values = np.asarray(y[:, start : start + BLOCK], dtype=np.float64)
        mean = values.mean(axis=0)
        centred = values - mean
        squares = np.einsum("ij,ij->j", centred, centred)
        if not np.isfinite(squares).all():
            bad = start + np.flatnonzero(~np.isfinite(squares))
            raise DataError(
                f"ridge: the responses of {len(bad)} or more targets are not finite (or their squares are not), at "
                f"positions {', '.join(map(str, bad[:5]))}. Leave these targets out, or rescale them."
            )
        centred[:, squares <= ROUNDING**2 * (squares + n * mean**2)] = 0.0
        yield slice(start, start + values.shape[1]), mean, centred
