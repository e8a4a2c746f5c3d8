"""Inner folds: what `cv` of every solver and estimator may be, and the one rule by which folds are weighed.

A fold's error is the mean squared error of its validation stimuli. The error of an alpha is the mean over folds,
E(alpha) = 1/F sum_f 1/|V_f| sum_(i in V_f) (y_i - prediction of the model fitted to T_f)^2: every fold counts alike,
whatever its size, as in scikit-learn's GridSearchCV, LassoCV and MultiTaskLassoCV. Folds of groups are of unequal
sizes, so that a stimulus of a small fold counts more than one of a large fold; a stimulus in several validation parts
counts in each, one in none does not count. The error of the mean alone, to which `r2_dev` compares, is weighed alike.
"""

from collections.abc import Iterable
from typing import Any, Literal

import numpy as np
from sklearn.model_selection import KFold, LeaveOneOut

from ...errors import ConfigError

Fold = tuple[np.ndarray, np.ndarray]


def resolve_folds(cv: Any, x: np.ndarray, y: np.ndarray, seed: int, solver: str) -> Literal["loo"] | list[Fold]:
    """Turn `cv` into "loo" or a list of folds of the given stimuli; the one rule for every solver.

    Parameters
    ----------
    cv : "loo", int, splitter or iterable
        "loo" (or scikit-learn's `LeaveOneOut()`): leave out one stimulus at a time. A number of shuffled folds,
        `KFold(cv, shuffle=True, random_state=seed)`, from 2 to the number of stimuli. Any splitter of scikit-learn that
        needs no groups. Or pairs of positions (or masks) of training and validation stimuli, such as
        `list(GroupKFold(5).split(x, y, groups))`; an iterator is used up by one fit.
    x, y : ndarray, shapes (n, n_features) and (n, n_targets)
        Of the stimuli that are to be divided; handed to a splitter as scikit-learn would, a single target as (n,).
    seed : int
        Of a number of folds; nothing else is drawn with it.
    solver : str
        What the message of an error begins with.

    Returns
    -------
    "loo", or list of (training, validation)
        Ascending positions; a splitter is asked once, so that all alphas and targets meet the same folds.

    Raises
    ------
    ConfigError
        `cv` is something else, or a fold is empty, has positions that do not exist or that repeat, or validates with
        stimuli that it trains with.
    """
    n = len(y)
    if isinstance(cv, LeaveOneOut) or (isinstance(cv, str) and cv == "loo"):
        return "loo"
    if isinstance(cv, int | np.integer) and not isinstance(cv, bool):
        if not 2 <= cv <= n:
            raise ConfigError(
                f"{solver}: cv must be 'loo', a number of folds from 2 to {n} (the stimuli), a splitter of "
                f"scikit-learn or a list of folds, got {cv!r}."
            )
        return list(KFold(int(cv), shuffle=True, random_state=seed).split(np.empty(n)))
    if isinstance(cv, str) or not (hasattr(cv, "split") or isinstance(cv, Iterable)):
        raise ConfigError(
            f"{solver}: cv must be 'loo', a number of folds from 2 to {n} (the stimuli), a splitter of scikit-learn or "
            f"a list of (training, validation) positions, got {cv!r}."
        )
    pairs = _of_splitter(cv, x, y, solver) if hasattr(cv, "split") else list(cv)
    if not pairs:
        raise ConfigError(
            f"{solver}: cv={cv!r} has no folds; give at least one pair of (training, validation). An iterator is used "
            "up by its first fit: make a list of it."
        )
    return [_checked(number, pair, n, solver) for number, pair in enumerate(pairs)]


def _of_splitter(splitter: Any, x: np.ndarray, y: np.ndarray, solver: str) -> list:
    try:
        return list(splitter.split(x, y[:, 0] if y.ndim == 2 and y.shape[1] == 1 else y))
    except (ValueError, TypeError) as error:
        raise ConfigError(
            f"{solver}: cv={splitter!r} does not divide these {len(x)} stimuli: {str(error).rstrip('.')}. Of a "
            "splitter that needs groups or classes give the list of its folds, list(splitter.split(x, y, groups))."
        ) from error


def training_and_validation(folds: str | list[Fold], n: int) -> tuple[np.ndarray, np.ndarray]:
    """Write folds of n stimuli as masks: two arrays of bool, shape (n_folds, n)."""
    if isinstance(folds, str):
        validation = np.eye(n, dtype=bool)
        return ~validation, validation
    training, validation = np.zeros((2, len(folds), n), dtype=bool)
    for number, (train, held_out) in enumerate(folds):
        training[number, train], validation[number, held_out] = True, True
    return training, validation


def as_list(folds: str | list[Fold], n: int) -> list[Fold]:
    """Write folds of n stimuli as pairs of positions, leave-one-out too."""
    if not isinstance(folds, str):
        return folds
    return [(np.delete(np.arange(n), left_out), np.array([left_out])) for left_out in range(n)]


def _checked(number: int, pair: Any, n: int, solver: str) -> Fold:
    """Return one fold as ascending positions."""
    try:
        parts = dict(zip(("training", "validation"), map(np.asarray, pair), strict=True))
    except (TypeError, ValueError) as error:
        raise ConfigError(
            f"{solver}: fold {number} of cv is not a pair of (training, validation) positions, but {pair!r}."
        ) from error
    positions = []
    for name, part in parts.items():
        where = f"{solver}: the {name} part of fold {number} of cv"
        if part.ndim == 1 and part.dtype == bool and len(part) == n:
            part = np.flatnonzero(part)
        if part.ndim != 1 or not len(part) or not np.issubdtype(part.dtype, np.integer):
            raise ConfigError(
                f"{where} must be positions of stimuli (whole numbers from 0 to {n - 1}, at least one) or a mask of "
                f"{n}; got {part.dtype.name} of shape {part.shape}."
            )
        if part.min() < 0 or part.max() >= n:
            wrong = part.min() if part.min() < 0 else part.max()
            raise ConfigError(f"{where} has the position {wrong}; there are {n} stimuli, 0 to {n - 1}.")
        ordered, counts = np.unique(part, return_counts=True)
        if counts.max() > 1:
            raise ConfigError(f"{where} has the position {ordered[counts.argmax()]} more than once.")
        positions.append(ordered)
    shared = np.intersect1d(*positions)
    if len(shared):
        raise ConfigError(
            f"{solver}: fold {number} of cv validates with {len(shared)} stimuli that it trains with, such as position "
            f"{shared[0]}; the parts of a fold must not share stimuli."
        )
    return positions[0], positions[1]
