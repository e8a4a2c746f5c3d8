"""Intervals of a noise ceiling: the jackknife, and the bootstrap over stimuli."""

from itertools import combinations

import numpy as np
from scipy.stats import t as student_t

# share of noise below which its logarithm is one of rounding
LEAST_NOISE = 1e-12


def jackknife_of_noise(noise: np.ndarray, left_out: np.ndarray, level: float) -> tuple[np.ndarray, np.ndarray]:
    """Interval of 1 - noise, where noise is the share of variance that a ceiling of complete repetitions leaves.

    The jackknife's standard error, with quantiles of Student's t, on the scale log(noise): there the estimate is nearly
    symmetric (of normal responses it is the logarithm of an F ratio; Feldt 1965, Psychometrika 30:357), and no end
    passes 1. Where there is no noise without one of the stimuli, the scale is that of the ceiling itself.

    Parameters
    ----------
    noise : ndarray, shape (n_targets,)
    left_out : ndarray, shape (n_stimuli, n_targets)
        The same without each stimulus in turn.
    level : float
        Between 0 and 1.

    Returns
    -------
    low, high : ndarray, shape (n_targets,)
        NaN where there is no estimate without one of the stimuli.
    """
    positive = (noise > LEAST_NOISE) & (left_out > LEAST_NOISE).all(axis=0)
    low, high = np.empty_like(noise), np.empty_like(noise)
    reach = _reach(np.log(left_out[:, positive]), level)
    low[positive] = 1.0 - noise[positive] * np.exp(reach)
    high[positive] = 1.0 - noise[positive] * np.exp(-reach)
    low[~positive], high[~positive] = jackknife(1.0 - noise[~positive], 1.0 - left_out[:, ~positive], level)
    return low, high


def jackknife(ceiling: np.ndarray, left_out: np.ndarray, level: float) -> tuple[np.ndarray, np.ndarray]:
    """Interval of a ceiling on its own scale; parameters and result as `jackknife_of_noise`, of the ceiling itself.

    The upper end does not pass 1, unless the estimate does.
    """
    reach = _reach(left_out, level)
    return ceiling - reach, np.minimum(ceiling + reach, np.fmax(ceiling, 1.0))


def _reach(left_out: np.ndarray, level: float) -> np.ndarray:
    """Half the width of an interval of what is estimated without each stimulus in turn, [n_stimuli, n_targets]."""
    n_stimuli = len(left_out)
    if n_stimuli < 3:  # of two stimuli one remains, which has no variance
        return np.full(left_out.shape[1], np.nan)
    with np.errstate(invalid="ignore"):
        apart = left_out - sum_over_stimuli(left_out) / n_stimuli
        error = np.sqrt((n_stimuli - 1) / n_stimuli * sum_over_stimuli(apart**2))
    return np.where(np.isfinite(error), student_t.ppf(0.5 + level / 2, n_stimuli - 1) * error, np.nan)


def sum_over_stimuli(values: np.ndarray) -> np.ndarray:
    """Sum [n_stimuli, n_targets] stimulus by stimulus, so that no target depends on those beside it to the last bit.

    numpy does so of several columns that lie row by row; of a single one it sums pairs.
    """
    return values.cumsum(axis=0)[-1] if values.shape[1] == 1 else np.ascontiguousarray(values).sum(axis=0)


def draw_weights(n_stimuli: int, n_draws: int, seed: int) -> np.ndarray:
    """Draw stimuli with replacement: their weights, [n_draws, n_stimuli], which sum to 1 in every draw."""
    return np.random.default_rng(seed).multinomial(n_stimuli, np.full(n_stimuli, 1 / n_stimuli), n_draws) / n_stimuli


def percentile_interval(samples: np.ndarray, level: float) -> tuple[np.ndarray, np.ndarray]:
    """Interval of bootstrap samples [n_draws, n_targets]: their quantiles at both tails, samples of NaN aside."""
    missing = np.isnan(samples)
    known = ~missing.all(axis=0)
    quantile = np.nanquantile if missing[:, known].any() else np.quantile
    ends = np.full((2, samples.shape[1]), np.nan)
    ends[:, known] = quantile(samples[:, known], [0.5 - level / 2, 0.5 + level / 2], axis=0)
    return ends[0], ends[1]


def reliability_of_mean(y: np.ndarray, n_repetitions: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Compute R / (R - 1) * (1 - sum of the repetitions' variances / variance of their sum), once per row of weights.

    Parameters
    ----------
    y : ndarray, shape (n_stimuli, n_targets, n_repetitions)
        Centred over stimuli; 0 where a target lacks a repetition.
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


def reliability_with_gaps(y: np.ndarray, there: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """Mean covariance of the pairs that are there over the variance of the mean of what is there.

    Parameters
    ----------
    y : ndarray, shape (n_stimuli, n_targets, n_repetitions)
    there : ndarray of bool, shape (n_stimuli, n_repetitions)
        Alike for all targets.
    counts : ndarray, shape (n_draws, n_stimuli)
        How often each stimulus is taken.

    Returns
    -------
    ndarray, shape (n_draws, n_targets), NaN where no pair shares two stimuli
    """
    some = there.any(axis=1)
    counts, y, there = counts[:, some], y[some], there[some]
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
