"""Reliability of repeated responses, and scores corrected for noise; `noise_ceilings` has what noise allows."""

from itertools import combinations

import numpy as np
from scipy.stats import t as student_t

from ..inputs.repetitions import effective_repetitions
from .scores import centred, column_blocks, correlation, pearson

# Tuckute et al. 2023: the one-tailed 5 % critical correlations of 83 and 82 stimuli, applied after Spearman-Brown
PUBLISHED_FLOOR_DATA = 0.182
PUBLISHED_FLOOR_PREDICTION = 0.183
# stimuli that two repetitions must share to have a correlation: two always correlate 1 or -1
LEAST_SHARED = 3


def critical_correlation(n: float, level: float = 0.05) -> float:
    """One-tailed critical Pearson correlation of n pairs: t / sqrt(n - 2 + t^2) with t the quantile at 1 - level."""
    t = student_t.ppf(1.0 - level, n - 2)
    return float(t / np.sqrt(n - 2 + t**2))


def spearman_brown(r: np.ndarray, n_repetitions: int | np.ndarray) -> np.ndarray:
    """Reliability of the mean of R repetitions from that of one: R r / (1 + (R - 1) r); it has a pole at -1/(R - 1)."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return n_repetitions * r / (1.0 + (n_repetitions - 1) * r)


def median_pairwise_correlation(repetitions: np.ndarray) -> np.ndarray:
    """Median over pairs of repetitions of the correlation over stimuli, pairs without one left out.

    Parameters
    ----------
    repetitions : ndarray, shape (n_stimuli, n_targets, n_repetitions)
        NaN where a stimulus lacks one; a pair is correlated over the stimuli that have both.

    Returns
    -------
    ndarray, shape (n_targets,), NaN where no pair has a correlation
    """
    n_targets, n_repetitions = repetitions.shape[1:]
    pairs = list(combinations(range(n_repetitions), 2))
    r = np.empty((len(pairs), n_targets))
    for own in column_blocks(n_targets):
        # each repetition is centred once for all of its pairs
        each = [centred(repetitions[:, own, number]) for number in range(n_repetitions)]
        for row, (a, b) in enumerate(pairs):
            r[row, own] = correlation(*each[a], *each[b])
    there = np.isfinite(repetitions)
    for target in np.flatnonzero(~there.all(axis=(0, 2))):
        for row, (a, b) in enumerate(pairs):
            both = there[:, target, a] & there[:, target, b]
            if not both.all():
                shared = repetitions[both, target]
                r[row, target] = pearson(shared[:, a], shared[:, b]) if both.sum() >= LEAST_SHARED else np.nan
    if not np.isnan(r).any():
        return np.median(r, axis=0)
    known = ~np.isnan(r).all(axis=0)
    median = np.full(n_targets, np.nan)
    median[known] = np.nanmedian(r[:, known], axis=0)
    return median


def _shared_stimuli(repetitions: np.ndarray) -> np.ndarray:
    """Median over pairs of repetitions of the number of stimuli that have both, pairs that share none left out."""
    there = np.isfinite(repetitions)
    if there.all():
        return np.full(repetitions.shape[1], max(float(len(repetitions)), LEAST_SHARED))
    pairs = combinations(range(repetitions.shape[2]), 2)
    shared = np.stack([(there[:, :, a] & there[:, :, b]).sum(axis=0) for a, b in pairs]).astype(float)
    shared[:, (shared == 0).all(axis=0)] = len(repetitions)  # no correlation, which the number could not change
    shared[shared == 0] = np.nan
    return np.maximum(np.nanmedian(shared, axis=0), LEAST_SHARED)


def _critical(repetitions: np.ndarray) -> np.ndarray:
    """Critical correlation of each target's pairs of repetitions, shape (n_targets,)."""
    numbers, of_target = np.unique(_shared_stimuli(repetitions), return_inverse=True)
    return np.array([critical_correlation(n) for n in numbers])[of_target]


def noise_corrected(
    score: np.ndarray, data: np.ndarray, prediction: np.ndarray, n_repetitions: np.ndarray | None = None
) -> dict[str, np.ndarray]:
    """Divide a squared correlation by the reliabilities of the response and of its prediction.

    As published (`r2_corr_c`; Tuckute et al. 2023): score / (reliability * reliability_pred), where each is
    max(SB(median r), floor). The floors are constants, replace missing values and are applied after Spearman-Brown;
    SB takes the shape's number of repetitions; not clipped.

    Corrected (`r2_corr_c2`): the floor is the critical correlation of the actual number of stimuli and is applied to
    the median r, *before* Spearman-Brown, with each target's own number of repetitions. So

    - the pole is never reached, where r < -1/(R - 1) passes for a reliability above 1 and shrinks the score;
    - floor and r are of the same kind: .182 after Spearman-Brown amounts to a pairwise r of .069, which chance gives;
    - a prediction without any reliability (a constant one) gives NaN instead of a score divided by the floor, unless
      the score itself is 0.

    Below the floor the corrected score is a lower bound: the reliability is taken for at least SB(critical r), .40
    for 83 stimuli and three repetitions.

    **Unequal repetitions** (NaN where a stimulus lacks one): pairs are correlated over the stimuli that have both, and
    Spearman-Brown of the responses takes the harmonic mean of the stimuli's numbers of repetitions
    (`effective_repetitions`), also as published, where nothing is said of unequal ones. That of the predictions keeps
    the number of fits: R fits with a share q of the stimuli each have seen R times as many responses each, as the fit
    of the mean has.

    Parameters
    ----------
    score : ndarray, shape (n_targets,)
        `r2_corr` of the prediction of the mean response, on the test stimuli.
    data : ndarray, shape (n_development, n_targets, n_repetitions)
        Single repetitions on the development stimuli; NaN where a target lacks one.
    prediction : ndarray, shape (n_test, n_targets, n_repetitions)
        Predictions on the test stimuli of models fitted to the single repetitions; NaN likewise.
    n_repetitions : ndarray, shape (n_targets,), optional
        Effective number of repetitions of the responses that were scored; by default that of `data`.

    Returns
    -------
    dict of str to ndarray, shape (n_targets,)
        `reliability`, `reliability_pred` (as published), `r2_corr_c`, `r2_corr_c2`.
    """
    if n_repetitions is None:
        n_repetitions = effective_repetitions(data)
    there = np.isfinite(data)
    published = np.full(data.shape[1], float(data.shape[2]))
    if not there.all():
        counts = there.sum(axis=2)
        published = np.where((counts == counts[:1]).all(axis=0), published, n_repetitions)
    r_data, r_prediction = median_pairwise_correlation(data), median_pairwise_correlation(prediction)
    reliability = np.fmax(spearman_brown(r_data, published), PUBLISHED_FLOOR_DATA)
    reliability_pred = np.fmax(spearman_brown(r_prediction, data.shape[2]), PUBLISHED_FLOOR_PREDICTION)
    # np.maximum keeps NaN, np.fmax replaces it
    floored_data = np.maximum(r_data, _critical(data))
    floored_prediction = np.maximum(r_prediction, critical_correlation(len(prediction)))
    corrected = score / (
        spearman_brown(floored_data, n_repetitions) * spearman_brown(floored_prediction, _n_present(prediction))
    )
    return {
        "reliability": reliability,
        "reliability_pred": reliability_pred,
        "r2_corr_c": score / (reliability * reliability_pred),
        "r2_corr_c2": np.where(score == 0.0, 0.0, corrected),
    }


def _n_present(repetitions: np.ndarray) -> np.ndarray:
    """Count each target's repetitions that hold a number for every stimulus; predictions have all or none."""
    there = np.isfinite(repetitions)
    return np.full(there.shape[1], there.shape[2]) if there.all() else there.all(axis=0).sum(axis=1)
