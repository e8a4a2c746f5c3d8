"""Reliability of repeated responses, the noise ceiling that follows from it, and scores corrected for noise."""

from itertools import combinations

import numpy as np
from scipy.stats import t as student_t

from .errors import DataError
from .scores import pearson

# Tuckute et al. 2023: the one-tailed 5 % critical correlations of 83 and 82 stimuli, applied after Spearman-Brown
PUBLISHED_FLOOR_DATA = 0.182
PUBLISHED_FLOOR_PREDICTION = 0.183
# targets that are resampled at a time: 1000 draws of 512 targets and 3 repetitions are a few arrays of 4 MB
BOOTSTRAP_BLOCK = 512


def critical_correlation(n: int, level: float = 0.05) -> float:
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

    Parameters
    ----------
    score : ndarray, shape (n_targets,)
        `r2_corr` of the prediction of the mean response, on the test stimuli.
    data : ndarray, shape (n_development, n_targets, n_repetitions)
        Single repetitions on the development stimuli; NaN where a target lacks one.
    prediction : ndarray, shape (n_test, n_targets, n_repetitions)
        Predictions on the test stimuli of models fitted to the single repetitions; NaN likewise.

    Returns
    -------
    dict of str to ndarray, shape (n_targets,)
        `reliability`, `reliability_pred` (as published), `r2_corr_c`, `r2_corr_c2`.
    """
    n_repetitions = data.shape[2]
    r_data, r_prediction = median_pairwise_correlation(data), median_pairwise_correlation(prediction)
    reliability = np.fmax(spearman_brown(r_data, n_repetitions), PUBLISHED_FLOOR_DATA)
    reliability_pred = np.fmax(spearman_brown(r_prediction, n_repetitions), PUBLISHED_FLOOR_PREDICTION)
    # np.maximum keeps NaN, np.fmax replaces it
    floored_data = np.maximum(r_data, critical_correlation(len(data)))
    floored_prediction = np.maximum(r_prediction, critical_correlation(len(prediction)))
    corrected = score / (
        spearman_brown(floored_data, _n_present(data)) * spearman_brown(floored_prediction, _n_present(prediction))
    )
    return {
        "reliability": reliability,
        "reliability_pred": reliability_pred,
        "r2_corr_c": score / (reliability * reliability_pred),
        "r2_corr_c2": np.where(score == 0.0, 0.0, corrected),
    }


def _n_present(repetitions: np.ndarray) -> np.ndarray:
    """Count each target's repetitions that hold a number for every stimulus."""
    return np.isfinite(repetitions).all(axis=0).sum(axis=1)


def noise_ceiling(
    repetitions: np.ndarray, n_draws: int = 1000, level: float = 0.95, seed: int = 0
) -> dict[str, np.ndarray]:
    """Highest `r2_corr` that noise allows: mean covariance of two repetitions / variance of the mean of all R.

    Let y_k = s + e_k with errors independent of the signal s and of each other. Two repetitions have the covariance
    var(s), so the ratio estimates var(s) / var(mean y), the reliability of the mean response. That is also
    corr(s, mean y)^2, the `r2_corr` of the perfect model, which predicts s: no model exceeds it but by chance.

    It is Spearman-Brown, R r / (1 + (R - 1) r), of the pairwise correlation r averaged as mean covariance / mean
    variance (Cronbach's alpha; Cronbach 1951, Psychometrika 16:297). The published median of three correlations has a
    standard deviation that is 10 to 15 % larger; it and the mean of Fisher's z are too high where repetitions are
    unequally noisy. The variance of a mean is not negative, so that the pole of Spearman-Brown is never passed.

    The interval is the percentile bootstrap over stimuli, with the same draws for all targets. In simulations with 165
    stimuli a 95 % interval covered the truth 94 times of 100 for normal responses and 91 to 95 times for heavy-tailed
    and skewed ones, for which the F interval of Feldt 1965 (Psychometrika 30:357) fell to 79. Cost: n_draws x n_stimuli
    x n_targets x (R + 2) multiplications, as matrix products.

    Parameters
    ----------
    repetitions : ndarray, shape (n_stimuli, n_targets, n_repetitions)
        A repetition with a missing value (NaN) or without variance counts as absent for its target.
    n_draws : int
        Bootstrap samples; 0 for no interval.
    level : float
        Of the interval, between 0 and 1.
    seed : int

    Returns
    -------
    dict of str to ndarray, shape (n_targets,)
        `ceiling`, `ceiling_low`, `ceiling_high`, at most 1, but not clipped at 0: negative where repetitions disagree;
        NaN for fewer than two repetitions. `n_repetitions`: those present.

    Raises
    ------
    DataError
        The array has not three axes, or the level is not between 0 and 1.
    """
    if repetitions.ndim != 3:
        raise DataError(f"repetitions have the shape {repetitions.shape}; expected (stimuli, targets, repetitions).")
    if not 0.0 < level < 1.0:
        raise DataError(f"level: {level} is not between 0 and 1; for a 95 % interval give 0.95.")
    n_stimuli, n_targets, _ = repetitions.shape
    present = np.isfinite(repetitions).all(axis=0) & (np.ptp(repetitions, axis=0) > 0)  # [targets, repetitions]
    n_repetitions = present.sum(axis=1)
    # centred once, so that sums of squares below do not cancel; absent repetitions add nothing to any sum
    y = np.where(present, repetitions - repetitions.mean(axis=0), 0.0)
    whole = np.full((1, n_stimuli), 1.0 / n_stimuli)
    draws = np.random.default_rng(seed).multinomial(n_stimuli, whole[0], size=n_draws) / n_stimuli
    tails = [0.5 - level / 2, 0.5 + level / 2]
    ceiling, interval = np.empty(n_targets), np.full((2, n_targets), np.nan)
    for start in range(0, n_targets, BOOTSTRAP_BLOCK):
        own = slice(start, start + BOOTSTRAP_BLOCK)
        ceiling[own] = _reliability_of_mean(y[:, own], n_repetitions[own], whole)[0]
        if n_draws:
            samples = _reliability_of_mean(y[:, own], n_repetitions[own], draws)
            interval[:, own] = np.quantile(samples, tails, axis=0)
    return {
        "ceiling": ceiling,
        "ceiling_low": interval[0],
        "ceiling_high": interval[1],
        "n_repetitions": n_repetitions,
    }


def _reliability_of_mean(y: np.ndarray, n_repetitions: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Compute R / (R - 1) * (1 - sum of the repetitions' variances / variance of their sum), once per row of weights.

    Parameters
    ----------
    y : ndarray, shape (n_stimuli, n_targets, n_repetitions)
    n_repetitions : ndarray, shape (n_targets,)
    weights : ndarray, shape (n_draws, n_stimuli)
        Of the stimuli; rows sum to 1.

    Returns
    -------
    ndarray, shape (n_draws, n_targets), NaN below two repetitions
    """
    means = [weights @ y[:, :, k] for k in range(y.shape[2])]  # each [draws, targets]
    variances = weights @ (y**2).sum(axis=2) - sum(mean**2 for mean in means)
    variance_of_sum = weights @ y.sum(axis=2) ** 2 - sum(means) ** 2
    with np.errstate(divide="ignore", invalid="ignore"):
        reliability = n_repetitions / (n_repetitions - 1.0) * (1.0 - variances / variance_of_sum)
    # R times the sum of the variances is no less than the variance of the sum: what is above 1 is rounding
    return np.where(n_repetitions > 1, np.minimum(reliability, 1.0), np.nan)
