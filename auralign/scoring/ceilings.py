"""Reliability of repeated responses, the noise ceiling that follows from it, and scores corrected for noise."""

from collections.abc import Iterator
from itertools import combinations

import numpy as np
from scipy.stats import t as student_t

from ..errors import DataError
from ..inputs.repetitions import effective_repetitions
from .scores import centred, column_blocks, correlation, pearson

# Tuckute et al. 2023: the one-tailed 5 % critical correlations of 83 and 82 stimuli, applied after Spearman-Brown
PUBLISHED_FLOOR_DATA = 0.182
PUBLISHED_FLOOR_PREDICTION = 0.183
# targets that are resampled at a time: 1000 draws of 512 targets and 3 repetitions are a few arrays of 4 MB
BOOTSTRAP_BLOCK = 512
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

    **Unequal repetitions** (NaN where a stimulus lacks one): each pair's covariance is over the stimuli that have both,
    the mean of covariances weighs pairs by their number of stimuli, and the variance is that of the mean of what is
    there, every stimulus alike. So the ceiling is var(s) / (var(s) + v mean(1 / n_i)), n_i repetitions of stimulus i.

    Parameters
    ----------
    repetitions : ndarray, shape (n_stimuli, n_targets, n_repetitions)
        NaN where a stimulus lacks one. A repetition without variance counts as absent for its target.
    n_draws : int
        Bootstrap samples; 0 for no interval.
    level : float
        Of the interval, between 0 and 1.
    seed : int

    Returns
    -------
    dict of str to ndarray, shape (n_targets,)
        `ceiling`, `ceiling_low`, `ceiling_high`, at most 1, but not clipped at 0: negative where repetitions disagree;
        NaN for fewer than two repetitions. `n_repetitions`: those present; where stimuli have unequal numbers, their
        harmonic mean.

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
    there = np.isfinite(repetitions)
    never = ~there.any(axis=0) | (_spread(repetitions, there) == 0)  # [targets, repetitions]
    there &= ~never
    unequal = ~(there.all(axis=0) | never).all(axis=1)
    present = ~never & ~unequal[:, None]
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
    if unequal.any():
        n_repetitions = n_repetitions.astype(float)
        n_repetitions[unequal] = effective_repetitions(np.where(there, repetitions, np.nan)[:, unequal])
        for alike, pattern in _same_gaps(there, np.flatnonzero(unequal)):
            ceiling[alike] = _unequal_reliability(repetitions[:, alike], pattern, whole)[0]
            if n_draws:
                samples = _unequal_reliability(repetitions[:, alike], pattern, draws)
                interval[:, alike] = np.nanquantile(samples, tails, axis=0)
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


def _spread(repetitions: np.ndarray, there: np.ndarray) -> np.ndarray:
    """Range over the stimuli that are there, shape (n_targets, n_repetitions)."""
    highest = np.where(there, repetitions, -np.inf).max(axis=0)
    return np.where(there.any(axis=0), highest - np.where(there, repetitions, np.inf).min(axis=0), 0.0)


def _same_gaps(there: np.ndarray, targets: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield targets that lack the same repetitions of the same stimuli, and what is there, [stimuli, repetitions]."""
    flat = np.moveaxis(there[:, targets], 1, 0).reshape(len(targets), -1)
    patterns, of_target = np.unique(flat, axis=0, return_inverse=True)
    for number, pattern in enumerate(patterns):
        own = targets[of_target.ravel() == number]
        for start in range(0, len(own), BOOTSTRAP_BLOCK):
            yield own[start : start + BOOTSTRAP_BLOCK], pattern.reshape(there.shape[0], -1)


def _unequal_reliability(y: np.ndarray, there: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Mean covariance of the pairs that are there over the variance of the mean of what is there.

    Parameters
    ----------
    y : ndarray, shape (n_stimuli, n_targets, n_repetitions)
    there : ndarray of bool, shape (n_stimuli, n_repetitions)
        Alike for all targets.
    weights : ndarray, shape (n_draws, n_stimuli)
        Of the stimuli; rows sum to 1.

    Returns
    -------
    ndarray, shape (n_draws, n_targets), NaN where no pair shares two stimuli
    """
    some = there.any(axis=1)
    counts = weights.shape[1] * weights[:, some]  # how often each stimulus was drawn
    y, there = y[some], there[some]
    y = np.where(there[:, None], y, 0.0)
    y = np.where(there[:, None], y - y.sum(axis=(0, 2), keepdims=True) / there.sum(), 0.0)
    total, n_all = np.zeros((len(counts), y.shape[1])), np.zeros((len(counts), 1))
    with np.errstate(divide="ignore", invalid="ignore"):
        for a, b in combinations(range(y.shape[2]), 2):
            both = there[:, a] & there[:, b]
            own, y_a, y_b = counts[:, both], y[both, :, a], y[both, :, b]
            n = own.sum(axis=1, keepdims=True)
            covariance = (own @ (y_a * y_b) - (own @ y_a) * (own @ y_b) / n) / (n - 1.0)
            total, n_all = total + np.where(n > 1.5, n * covariance, 0.0), n_all + np.where(n > 1.5, n, 0.0)
        mean, n = y.sum(axis=2) / there.sum(axis=1)[:, None], counts.sum(axis=1, keepdims=True)
        variance = (counts @ mean**2 - (counts @ mean) ** 2 / n) / (n - 1.0)
        return np.where(n_all > 0, total / n_all / variance, np.nan)
