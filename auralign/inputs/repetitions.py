"""Responses whose stimuli do not all have the same repetitions; a repetition that is not there is NaN.

Everywhere complete responses take the same path as if this module were not there, so that their numbers are the same to
the last digit.
"""

from collections.abc import Callable, Iterator

import numpy as np

from .confounds import remove_confounds

Split = tuple[np.ndarray, np.ndarray]
# (columns [n_stimuli, n_columns], splits) -> by split predictions [n_test, n_columns]
Predict = Callable[[np.ndarray, list[Split]], list[np.ndarray]]


def mean_response(y: np.ndarray) -> np.ndarray:
    """Mean over the repetitions that are there; every stimulus has at least one.

    Parameters
    ----------
    y : ndarray, shape (n_stimuli, n_targets, n_repetitions)

    Returns
    -------
    ndarray, shape (n_stimuli, n_targets)
    """
    missing = np.isnan(y)
    if not missing.any():
        return y.mean(axis=2)
    with np.errstate(invalid="ignore"):
        return np.where(missing, 0.0, y).sum(axis=2) / (~missing).sum(axis=2)


def effective_repetitions(y: np.ndarray) -> np.ndarray:
    """Number of repetitions that averages as much noise away: the harmonic mean of the stimuli's own numbers.

    Noise of variance v leaves v / n_i in the mean of n_i repetitions, over stimuli v mean(1 / n_i) = v / (harmonic
    mean). So Spearman-Brown with this number is the reliability of the mean response of unequal repetitions.

    Parameters
    ----------
    y : ndarray, shape (n_stimuli, n_targets, n_repetitions)

    Returns
    -------
    ndarray, shape (n_targets,)
        The number itself where all stimuli have as many (0 where they have none). Stimuli without any repetition do not
        count in the mean.
    """
    there = np.isfinite(y)
    if there.all():
        return np.full(y.shape[1], float(y.shape[2]))
    counts = there.sum(axis=2)
    even = (counts == counts[:1]).all(axis=0)
    number = counts[0].astype(float)
    if not even.all():
        some = counts[:, ~even]
        number[~even] = (some > 0).sum(axis=0) / np.divide(1.0, some, out=np.zeros(some.shape), where=some > 0).sum(
            axis=0
        )
    return number


def predict_repetitions(
    predict: Predict, y: np.ndarray, splits: list[Split], together: bool, least: int, groups: np.ndarray | None = None
) -> list[np.ndarray]:
    """Fit every repetition by itself, with the development stimuli that have it, and predict all test stimuli.

    Targets that lack a repetition for the same stimuli are fitted together.

    Parameters
    ----------
    predict : callable
        Fits columns on splits and returns the predictions of each split.
    y : ndarray, shape (n_stimuli, n_targets, n_repetitions)
    splits : list of (development, test)
    together : bool
        Whether the columns of all repetitions may go through one fit. If not, the estimator fits targets jointly: each
        repetition is then fitted with the stimuli at which every target has it.
    least : int
        Development stimuli that a fit needs, with groups groups of them; predictions of a repetition with fewer are
        NaN.
    groups : ndarray of int, shape (n_stimuli,), optional
        Stimuli that inner folds keep together.

    Returns
    -------
    list of ndarray, shape (n_test, n_repetitions * n_targets), one per split
        Repetition by repetition.
    """
    repetitions = list(np.moveaxis(y, 2, 0))  # each [n_stimuli, n_targets]
    if together:
        columns = repetition_columns(y)
        return _by_pattern(predict, columns, splits, least, groups) if np.isnan(y).any() else predict(columns, splits)
    if not np.isnan(y).any():
        runs = [predict(columns, splits) for columns in repetitions]
        return [np.concatenate(parts, axis=1) for parts in zip(*runs, strict=True)]
    complete = [np.where(np.isnan(columns).any(axis=1, keepdims=True), np.nan, columns) for columns in repetitions]
    runs = [_by_pattern(predict, columns, splits, least, groups) for columns in complete]
    return [np.concatenate(parts, axis=1) for parts in zip(*runs, strict=True)]


def repetition_columns(y: np.ndarray) -> np.ndarray:
    """Put repetitions side by side, [n_stimuli, n_repetitions * n_targets], repetition by repetition.

    Parameters
    ----------
    y : ndarray, shape (n_stimuli, n_targets, n_repetitions)
    """
    return np.ascontiguousarray(np.moveaxis(y, 2, 1)).reshape(len(y), -1)


def _by_pattern(
    predict: Predict, columns: np.ndarray, splits: list[Split], least: int, groups: np.ndarray | None
) -> list[np.ndarray]:
    units = np.arange(len(columns)) if groups is None else groups
    predictions = [np.full((len(test), columns.shape[1]), np.nan) for _, test in splits]
    for there, own in _patterns(columns):
        # the scores of these fits are not used; a number in the place of a missing one keeps them from failing
        filled = columns[:, own] if there.all() else _filled(columns[:, own], there)
        kept = [(number, development[there[development]], test) for number, (development, test) in enumerate(splits)]
        kept = [split for split in kept if len(np.unique(units[split[1]])) >= least]
        if kept:
            found = predict(filled, [(development, test) for _, development, test in kept])
            for (number, _, _), prediction in zip(kept, found, strict=True):
                predictions[number][:, own] = prediction
    return predictions


def _filled(columns: np.ndarray, there: np.ndarray) -> np.ndarray:
    """Put the mean of the stimuli that are there in the place of the others, which no fit sees."""
    if not there.any():
        return np.zeros_like(columns)
    return np.where(there[:, None], columns, columns[there].mean(axis=0))


def _patterns(columns: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield which stimuli are there, [n_stimuli], and the columns of which that is so."""
    patterns, of_column = np.unique(~np.isnan(columns), axis=1, return_inverse=True)
    of_column = of_column.ravel()
    for number in range(patterns.shape[1]):
        yield patterns[:, number], np.flatnonzero(of_column == number)


def development_repetitions(
    y: np.ndarray, development: np.ndarray, test: np.ndarray, confounds: np.ndarray | None
) -> np.ndarray:
    """Single repetitions of the development stimuli, less what confounds predict of them.

    Parameters
    ----------
    y : ndarray, shape (n_stimuli, n_targets, n_repetitions)
    development, test : ndarray of int
    confounds : ndarray, shape (n_stimuli, n_variables), or None

    Returns
    -------
    ndarray, shape (n_development, n_targets, n_repetitions)
        NaN where a repetition is not there.
    """
    if confounds is None:
        return y[development]
    columns = y.reshape(len(y), -1)
    if not np.isnan(columns).any():
        cleaned, _ = remove_confounds(columns, confounds, development, test)
        return cleaned.reshape(len(development), *y.shape[1:])
    cleaned = np.full((len(development), columns.shape[1]), np.nan)
    for there, own in _patterns(columns):
        kept = there[development]
        if kept.any():
            part, _ = remove_confounds(columns[:, own], confounds, development[kept], test)
            cleaned[np.ix_(kept, own)] = part
    return cleaned.reshape(len(development), *y.shape[1:])
