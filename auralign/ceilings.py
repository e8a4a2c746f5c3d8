"""Reliability of repeated responses, and scores corrected for noise."""

from itertools import combinations

import numpy as np
from scipy.stats import t as student_t

from .scores import pearson

# Tuckute et al. 2023: the one-tailed 5 % critical correlations of 83 and 82 stimuli, applied after Spearman-Brown
PUBLISHED_FLOOR_DATA = 0.182
PUBLISHED_FLOOR_PREDICTION = 0.183


def critical_correlation(n: int, level: float = 0.05) -> float:
    """One-tailed critical Pearson correlation of n pairs: t / sqrt(n - 2 + t^2) with t the quantile at 1 - level."""
    t = student_t.ppf(1.0 - level, n - 2)
    return float(t / np.sqrt(n - 2 + t**2))


def spearman_brown(r: np.ndarray, n_repetitions: int) -> np.ndarray:
    """Reliability of the mean of R repetitions from that of one: R r / (1 + (R - 1) r); it has a pole at -1/(R - 1)."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return n_repetitions * r / (1.0 + (n_repetitions - 1) * r)


def median_pairwise_correlation(repetitions: np.ndarray) -> np.ndarray:
    """Median over pairs of repetitions of the correlation over stimuli, pairs without one left out.

    Parameters
    ----------
    repetitions : ndarray, shape (n_stimuli, n_targets, n_repetitions)

    Returns
    -------
    ndarray, shape (n_targets,), NaN where no pair has a correlation
    """
    pairs = combinations(range(repetitions.shape[2]), 2)
    r = np.stack([pearson(repetitions[:, :, a], repetitions[:, :, b]) for a, b in pairs])  # [pairs, targets]
    known = ~np.isnan(r).all(axis=0)
    median = np.full(r.shape[1], np.nan)
    median[known] = np.nanmedian(r[:, known], axis=0)
    return median


def noise_corrected(score: np.ndarray, data: np.ndarray, prediction: np.ndarray) -> dict[str, np.ndarray]:
    """Divide a squared correlation by the reliabilities of the response and of its prediction.

    As published (`r2_corr_c`): score / (reliability * reliability_pred), where each is
    max(SB(median r), floor), the floors being constants and a missing value being replaced by its floor; not clipped.
    Corrected (`r2_corr_c2`): the floor is the critical correlation of the actual number of stimuli and is applied to
    the median r *before* Spearman-Brown, so that its pole at negative r is never reached; a prediction without any
    reliability gives NaN, unless the score itself is 0.

    Parameters
    ----------
    score : ndarray, shape (n_targets,)
        `r2_corr` of the prediction of the mean response, on the test stimuli.
    data : ndarray, shape (n_development, n_targets, n_repetitions)
        Single repetitions on the development stimuli.
    prediction : ndarray, shape (n_test, n_targets, n_repetitions)
        Predictions on the test stimuli of models fitted to the single repetitions.

    Returns
    -------
    dict of str to ndarray, shape (n_targets,)
        `reliability`, `reliability_pred` (as published), `r2_corr_c`, `r2_corr_c2`.
    """
    n_repetitions = data.shape[2]
    r_data, r_prediction = median_pairwise_correlation(data), median_pairwise_correlation(prediction)
    reliability = np.fmax(spearman_brown(r_data, n_repetitions), PUBLISHED_FLOOR_DATA)
    reliability_pred = np.fmax(spearman_brown(r_prediction, n_repetitions), PUBLISHED_FLOOR_PREDICTION)
    floored_data = np.maximum(r_data, critical_correlation(len(data)))
    floored_prediction = np.maximum(r_prediction, critical_correlation(len(prediction)))
    corrected = score / (
        spearman_brown(floored_data, n_repetitions) * spearman_brown(floored_prediction, n_repetitions)
    )
    return {
        "reliability": reliability,
        "reliability_pred": reliability_pred,
        "r2_corr_c": score / (reliability * reliability_pred),
        "r2_corr_c2": np.where(score == 0.0, 0.0, corrected),
    }
