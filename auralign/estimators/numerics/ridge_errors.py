"""Errors of ridge on stimuli left out one by one or fold by fold, for many alphas and targets."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, cast

import numpy as np

from ...errors import DataError
from .decomposition import EPS, ROUNDING, Decomposition, decompose
from .device import HOST, Arrays
from .folds import Fold, resolve_folds

# targets per block, and rows of one matrix product (several alphas at a time): large enough for the product's full
# speed, small enough for the processor's cache
BLOCK = 1024
ROWS = 500
# bands of rows into which a triangular matrix is cut, so that most of its zeros are not multiplied
BANDS = 8

# (centred responses [n, B], rotated ones Q'y [rank, B]) -> (errors [A, B], error of the mean alone [B]); the arguments
# are arrays of the device, what is returned is on the host
Criterion = Callable[[Any, Any], tuple[np.ndarray, np.ndarray]]


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


def leave_one_out(decomposition: Decomposition, alphas: np.ndarray, arrays: Arrays = HOST) -> Criterion:
    """Prepare the errors of `loo_errors` for blocks of targets; that of the mean is sum(yc^2) n / (n - 1)^2.

    Where the rank is n - 1 the errors of an alpha are e = M Q'y with M = D^-1 Q diag(w). Their mean square is
    ||R Q'y||^2 with M / sqrt(n) = (orthonormal columns) R: R is triangular, which saves nearly half of the products.
    """
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
    possible = (denominators != 0.0).all(axis=1)  # every stimulus can be left out
    scales = 1.0 / (np.where(possible[:, None], denominators, 1.0) * np.sqrt(n))
    squares = _of_triangles(q, weights, scales, arrays) if complete else _of_residuals(q, weights, scales, arrays)

    def errors(centred: Any, rotated: Any) -> tuple[np.ndarray, np.ndarray]:
        out = arrays.get(squares(centred, rotated))
        out[~(np.isfinite(out) & possible[:, None])] = np.inf
        return out, arrays.get(arrays.einsum("ij,ij->j", centred, centred)) * (n / max(n - 1, 1) ** 2)

    return errors


def _of_triangles(q: np.ndarray, weights: np.ndarray, scales: np.ndarray, arrays: Arrays) -> Callable[[Any, Any], Any]:
    """Prepare the squares of scale * (Q (w * rotated)), summed over stimuli, [A, B]."""
    n_alphas, rank = weights.shape
    maps = scales[:, :, None] * q * weights[:, None]
    triangles = cast(np.ndarray, np.linalg.qr(maps, mode="r"))  # [A, rank, rank]
    edges = np.unique(np.linspace(0, rank, BANDS + 1).astype(int))
    # the rows of all alphas together, without the columns that are 0 in all of them
    bands = [
        (start, arrays.put(triangles[:, start:stop, start:].reshape(-1, rank - start)))
        for start, stop in pairwise(edges)
    ]

    def squares(_: Any, rotated: Any) -> Any:
        parts = ((band @ rotated[start:]).reshape(n_alphas, -1, rotated.shape[1]) for start, band in bands)
        return sum(arrays.einsum("aij,aij->aj", part, part) for part in parts)

    return squares


def _of_residuals(q: np.ndarray, weights: np.ndarray, scales: np.ndarray, arrays: Arrays) -> Callable[[Any, Any], Any]:
    """Prepare the squares of scale * (centred + Q (w * rotated)), summed over stimuli, [A, B]."""
    n, rank = q.shape
    n_alphas = len(weights)
    maps = arrays.put((scales[:, :, None] * q * weights[:, None]).reshape(n_alphas * n, rank))
    factors = arrays.put(scales[:, :, None])
    together = max(1, ROWS // n)

    def squares(centred: Any, rotated: Any) -> Any:
        out = arrays.put(np.empty((n_alphas, rotated.shape[1])))
        for start in range(0, n_alphas, together):
            some = slice(start, start + together)
            residual = (maps[start * n : (start + together) * n] @ rotated).reshape(-1, n, rotated.shape[1])
            residual += factors[some] * centred
            out[some] = arrays.einsum("aij,aij->aj", residual, residual)
        return out

    return squares


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


def k_fold(folds: list[InnerFold], alphas: np.ndarray, arrays: Arrays = HOST) -> Criterion:
    """Prepare the errors of `kfold_errors` for blocks of targets; every fold counts alike (see `folds`).

    The mean that competes is that of each fold's training stimuli.
    """
    prepared = []
    for fold in folds:
        n, rank = fold.projected.shape
        shrunk = fold.projected / (fold.decomposition.eigenvalues + alphas[:, None, None])  # [A, n_held_out, rank]
        on_device = (fold.train, fold.held_out, fold.decomposition.q.T, shrunk.reshape(len(alphas) * n, rank))
        prepared.append([arrays.put(array) for array in on_device])

    def errors(centred: Any, _: Any) -> tuple[np.ndarray, np.ndarray]:
        n_targets = centred.shape[1]
        out, null = np.zeros((len(alphas), n_targets)), np.zeros(n_targets)
        for train, held_out, to_dual, maps in prepared:
            y = centred[train]
            mean = y.mean(axis=0)
            rotated = to_dual @ (y - mean)
            deviation = centred[held_out] - mean
            n = len(deviation)
            null += arrays.get(arrays.einsum("ij,ij->j", deviation, deviation)) / n
            for row in range(len(alphas)):
                residual = deviation - maps[row * n : (row + 1) * n] @ rotated
                out[row] += arrays.get(arrays.einsum("ij,ij->j", residual, residual)) / n
        return out / len(folds), null / len(folds)

    return errors


def centred_blocks(y: np.ndarray) -> Iterator[tuple[slice, np.ndarray, np.ndarray]]:
    """Give targets block by block: their positions, means and centred responses [n, B], see `centred_block`."""
    for start in range(0, y.shape[1], BLOCK):
        yield centred_block(y, slice(start, min(start + BLOCK, y.shape[1])))


def centred_block(y: np.ndarray, block: slice) -> tuple[slice, np.ndarray, np.ndarray]:
    """Give some targets of y [n, n_targets]: their positions, means and centred responses [n, B].

    Leave-one-out errors are those of y itself: Q is orthogonal to the constant that is taken off. Constant responses
    (a spread that is rounding) become exact zeros.

    Raises
    ------
    DataError
        Responses are not finite, or so large that their squares are not.
    """
    values = np.asarray(y[:, block], dtype=np.float64)
    mean = values.mean(axis=0)
    centred = values - mean
    squares = np.einsum("ij,ij->j", centred, centred)
    if not np.isfinite(squares).all():
        bad = block.start + np.flatnonzero(~np.isfinite(squares))
        raise DataError(
            f"ridge: the responses of {len(bad)} or more targets are not finite (or their squares are not), at "
            f"positions {', '.join(map(str, bad[:5]))}. Leave these targets out, or rescale them."
        )
    centred[:, squares <= ROUNDING**2 * (squares + len(y) * mean**2)] = 0.0
    return block, mean, centred
