"""Ridges on the same stimuli, from one decomposition of their features: choice of alpha and the dual weights."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from ...errors import ConfigError, DataError
from . import ridge_errors
from .decomposition import Decomposition, decompose
from .device import HOST, Arrays
from .folds import resolve_folds
from .ridge_errors import centred_block, distinct_alphas, inner_folds, k_fold, leave_one_out

# the least r2_dev that counts: far above rounding (1e-14), far below any effect
LEAST_R2_DEV = 1e-6


@dataclass(frozen=True)
class Solved:
    """Some targets: their positions; alpha, r2_dev, error and mean [B]; what `finish` made of the dual [rank, B]."""

    block: slice
    alpha: np.ndarray
    r2_dev: np.ndarray
    error: np.ndarray
    mean: np.ndarray
    finished: np.ndarray


class RidgeSolver:
    """What ridges on the same stimuli share, whatever their targets.

    Parameters
    ----------
    x : ndarray, shape (n, n_features)
    y : ndarray, shape (n, n_targets)
        Of the first targets: a splitter among `cv` may look at them.
    alphas, cv, seed
        As of `ridge.fit_ridge`, with its errors.
    decomposition : Decomposition, optional
        `decompose(x)`, where the caller has it.
    arrays : Arrays
        Where the products are done.
    """

    def __init__(
        self,
        x: np.ndarray,
        y: np.ndarray,
        alphas: Any,
        cv: Any = "loo",
        seed: int = 0,
        decomposition: Decomposition | None = None,
        arrays: Arrays = HOST,
    ) -> None:
        self.n, self.arrays = len(x), arrays
        self._size = arrays.block or ridge_errors.BLOCK
        # before anything that takes time
        self.decomposition = decomposition or decompose(x)
        alphas = _checked(alphas, self.n, len(y))
        self.n_offered = len(alphas)
        q, eigenvalues = self.decomposition.q, self.decomposition.eigenvalues
        folds = resolve_folds(cv, x, y, seed, "ridge")
        self._criterion: Callable[[np.ndarray], ridge_errors.Criterion]
        if isinstance(folds, str):
            self._criterion = partial(leave_one_out, self.decomposition, arrays=arrays)
            of_all = eigenvalues
        else:
            decomposed = inner_folds(x, folds)
            self._criterion = partial(k_fold, decomposed, arrays=arrays)
            of_all = np.concatenate([eigenvalues, *(fold.decomposition.eigenvalues for fold in decomposed)])
        self.alphas = alphas[distinct_alphas(of_all, alphas)]
        self._evaluate = self._criterion(self.alphas)
        self._rotation, self._eigenvalues = arrays.put(q.T), arrays.put(eigenvalues[:, None])

    def solve(
        self, y: np.ndarray, per_target: bool, unpredictable: str, finish: Callable[[Any], np.ndarray]
    ) -> Iterator[Solved]:
        """Choose alpha and solve, block by block of targets.

        Parameters
        ----------
        y : ndarray, shape (n, n_targets)
        per_target, unpredictable
            As of `ridge.fit_ridge`.
        finish : callable
            What is done on the device with the dual, Q'y / (eigenvalues + alpha) [rank, B], before it is given back.

        Raises
        ------
        ConfigError, DataError
            As `ridge.fit_ridge`; or the device's memory is too small for a single target.
        """
        if unpredictable not in ("mean", "published"):
            raise ConfigError(f"ridge: unpredictable must be 'mean' or 'published', got {unpredictable!r}.")
        if len(y) != self.n:
            raise _other_stimuli(self.n, len(y))
        mean_competes = unpredictable == "mean" and self.n_offered > 1
        alphas, evaluate = self.alphas, self._evaluate
        if not per_target:
            alphas, mean_competes = self._one_alpha(y, mean_competes), False
            evaluate = self._criterion(alphas)

        def work(centred: Any) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
            rotated = self._rotation @ centred
            errors, null = evaluate(centred, rotated)
            alpha, error = choose(errors, null, alphas, mean_competes)
            r2_dev = 1.0 - np.divide(error, null, out=np.ones_like(null), where=null > 0)
            rotated /= self._eigenvalues + self.arrays.put(alpha)
            return alpha, r2_dev, error, finish(rotated)

        for block, mean, (alpha, r2_dev, error, finished) in self._blocks(y, work):
            yield Solved(block, alpha, r2_dev, error, mean, finished)

    def _one_alpha(self, y: np.ndarray, mean_competes: bool) -> np.ndarray:
        """Choose one alpha for all targets, shape (1,)."""
        errors, null = np.zeros((len(self.alphas), 1)), np.zeros(1)

        def work(centred: Any) -> tuple[np.ndarray, np.ndarray]:
            return self._evaluate(centred, self._rotation @ centred)

        for _, _, (of_block, null_of_block) in self._blocks(y, work):
            errors += of_block.sum(axis=1, keepdims=True)
            null += null_of_block.sum()
        return choose(errors, null, self.alphas, mean_competes)[0]

    def _blocks(self, y: np.ndarray, work: Callable[[Any], Any]) -> Iterator[tuple[slice, np.ndarray, Any]]:
        """Do some work on centred targets, block by block; where the device's memory ends, with half as many."""
        start, n_targets = 0, y.shape[1]
        while start < n_targets:
            size = min(self._size, n_targets - start)
            block, mean, centred = centred_block(y, slice(start, start + size))
            try:
                found = work(self.arrays.put(centred))
            except self.arrays.out_of_memory as error:
                if size == 1:
                    raise DataError(
                        f"ridge: the memory of {self.arrays.name} is too small for a single target; end what else runs "
                        "there (several processes share one GPU: fewer of them, --n-jobs), or give `device: cpu`."
                    ) from error
                self._size = size // 2  # for all targets to come
                continue
            start = block.stop
            yield block, mean, found


def choose(
    errors: np.ndarray, null: np.ndarray, alphas: np.ndarray, mean_competes: bool
) -> tuple[np.ndarray, np.ndarray]:
    """Choose alpha and its error per target; infinite where the mean competes and no alpha beats it."""
    chosen = errors.argmin(axis=0)
    alpha, error = alphas[chosen], errors[chosen, np.arange(errors.shape[1])]
    if mean_competes:
        nothing = error >= (1.0 - LEAST_R2_DEV) * null
        alpha, error = np.where(nothing, np.inf, alpha), np.where(nothing, null, error)
    return alpha, error


def _checked(alphas: Any, n: int, n_responses: int) -> np.ndarray:
    alphas = np.asarray(alphas, dtype=np.float64)
    if alphas.ndim != 1 or not alphas.size or not np.isfinite(alphas).all() or alphas.min() <= 0:
        raise ConfigError(f"ridge: alphas must be a list of positive, finite numbers, got {alphas}.")
    if n != n_responses:
        raise _other_stimuli(n, n_responses)
    if n < 2:
        raise DataError("ridge: one stimulus only; at least 2 are needed to leave one out.")
    return alphas


def _other_stimuli(n: int, n_responses: int) -> DataError:
    return DataError(f"ridge: features of {n} stimuli, but responses to {n_responses}.")
