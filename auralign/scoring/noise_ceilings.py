"""The noise ceiling of repeated responses: the score that noise allows, with an interval."""

from collections.abc import Iterator

import numpy as np

from ..errors import DataError
from ..inputs.repetitions import effective_repetitions
from .ceiling_intervals import (
    draw_weights,
    jackknife,
    jackknife_of_noise,
    percentile_interval,
    reliability_of_mean,
    reliability_with_gaps,
    sum_over_stimuli,
)

INTERVALS = ("jackknife", "bootstrap")
# targets that are looked at a time: their arrays of 165 stimuli x 3 repetitions (2 MB) stay in the processor's cache
TARGETS_AT_ONCE = 512


def noise_ceiling(
    repetitions: np.ndarray, n_draws: int = 1000, level: float = 0.95, seed: int = 0, interval: str = "jackknife"
) -> dict[str, np.ndarray]:
    """Highest `r2_corr` that noise allows: mean covariance of two repetitions / variance of the mean of all R.

    Let y_k = s + e_k with errors independent of the signal s and of each other. Two repetitions have the covariance
    var(s), so the ratio estimates var(s) / var(mean y), the reliability of the mean response. That is also
    corr(s, mean y)^2, the `r2_corr` of the perfect model, which predicts s: no model exceeds it but by chance.

    It is Spearman-Brown, R r / (1 + (R - 1) r), of the pairwise correlation r averaged as mean covariance / mean
    variance (Cronbach's alpha; Cronbach 1951, Psychometrika 16:297). The published median of three correlations has a
    standard deviation that is 10 to 15 % larger; it and the mean of Fisher's z are too high where repetitions are
    unequally noisy. The variance of a mean is not negative, so that the pole of Spearman-Brown is never passed.

    The interval is the jackknife's over stimuli, on the scale log(1 - ceiling) (`jackknife_interval`); leaving out a
    stimulus has a closed form, so that it costs no more than the ceiling itself. The percentile bootstrap over
    stimuli, with the same draws for all targets, is there by name; it costs n_draws x n_stimuli x n_targets x (R + 2)
    multiplications.

    Share of 3,000 simulated targets whose 95 % interval covered the truth, over 83 and 165 stimuli, 2 and 3
    repetitions, r of .05, .3 and .7 (`benchmarks/ceiling_intervals.py`): jackknife 94.5 to 95.7 % for normal responses,
    93.7 to 94.9 % for heavy-tailed ones (t of 5 degrees of freedom) and 92.6 to 94.3 % for skewed ones (exponential);
    bootstrap 93.3 to 94.9 %, 92.8 to 94.3 % and 91.3 to 93.8 %. The F interval of Feldt 1965 (Psychometrika 30:357)
    fell to 79 % of such responses in earlier simulations.

    **Unequal repetitions** (NaN where a stimulus lacks one): each pair's covariance is over the stimuli that have both,
    the mean of covariances weighs pairs by their number of stimuli, and the variance is that of the mean of what is
    there, every stimulus alike. So the ceiling is var(s) / (var(s) + v mean(1 / n_i)), n_i repetitions of stimulus i.

    Every target is computed by itself: parts of the targets have the same ceilings as all together (of complete
    repetitions to the last bit).

    Parameters
    ----------
    repetitions : ndarray, shape (n_stimuli, n_targets, n_repetitions)
        NaN where a stimulus lacks one. A repetition without variance counts as absent for its target.
    n_draws : int
        Bootstrap samples; 0 for no interval, of either kind.
    level : float
        Of the interval, between 0 and 1.
    seed : int
        Of the bootstrap.
    interval : {"jackknife", "bootstrap"}

    Returns
    -------
    dict of str to ndarray, shape (n_targets,)
        `ceiling`, `ceiling_low`, `ceiling_high`: of complete repetitions at most 1, but not clipped at 0, negative
        where repetitions disagree; NaN for fewer than two repetitions, and the ends of a jackknife for fewer than three
        stimuli. `n_repetitions`: those present; where stimuli have unequal numbers, their harmonic mean.

    Raises
    ------
    DataError
        The array has not three axes, the level is not between 0 and 1, or there is no such interval.
    """
    if repetitions.ndim != 3:
        raise DataError(f"repetitions have the shape {repetitions.shape}; expected (stimuli, targets, repetitions).")
    if not 0.0 < level < 1.0:
        raise DataError(f"level: {level} is not between 0 and 1; for a 95 % interval give 0.95.")
    if interval not in INTERVALS:
        raise DataError(f"interval: {interval!r} is none of {', '.join(INTERVALS)}.")
    n_stimuli, n_targets, _ = repetitions.shape
    draws = None
    if interval == "bootstrap" and n_draws:
        draws = draw_weights(n_stimuli, n_draws, seed)
    parts = [
        _of_part(
            np.asarray(repetitions[:, start : start + TARGETS_AT_ONCE], dtype=np.float64), draws, level, n_draws > 0
        )
        for start in range(0, n_targets, TARGETS_AT_ONCE)
    ]
    # numbers of repetitions are whole ones unless stimuli of some target have unequal ones
    joined = np.concatenate(parts, axis=1) if parts else np.empty((4, 0))
    ceiling, low, high, number = joined
    is_whole = (number == np.round(number)).all()
    return {
        "ceiling": ceiling,
        "ceiling_low": low,
        "ceiling_high": high,
        "n_repetitions": number.astype(np.int64) if is_whole else number,
    }


def _of_part(y: np.ndarray, draws: np.ndarray | None, level: float, with_interval: bool) -> np.ndarray:
    """Compute ceiling, low, high and number of repetitions of some targets, [4, n_targets]."""
    there = np.isfinite(y)
    never = ~there.any(axis=0) | (_spread(y, there) == 0)  # [targets, repetitions]
    there &= ~never
    unequal = ~(there.all(axis=0) | never).all(axis=1)
    present = ~never & ~unequal[:, None]
    number = present.sum(axis=1).astype(float)
    found = np.stack([*_complete(y, present, number, draws, level, with_interval), number])
    if unequal.any():
        found[3, unequal] = effective_repetitions(np.where(there, y, np.nan)[:, unequal])
        for alike, pattern in _same_gaps(there, np.flatnonzero(unequal)):
            found[:3, alike] = _with_gaps(y[:, alike], pattern, draws, level, with_interval)
    return found


def _complete(
    y: np.ndarray, present: np.ndarray, number: np.ndarray, draws: np.ndarray | None, level: float, with_interval: bool
) -> np.ndarray:
    """Compute ceiling, low and high of targets whose stimuli have the same repetitions, [3, n_targets].

    With d_i = R sum over k of (y_ik - mean_i)^2 and b_i = (sum over k of y_ik)^2 of centred repetitions, the share of
    noise, 1 - ceiling, is sum d / ((R - 1) sum b). Without stimulus i, sums of squares about the mean are smaller by
    n / (n - 1) times its own.
    """
    n_stimuli = len(y)
    # centred once, so that sums of squares below do not cancel; absent repetitions add nothing to any sum
    y = np.where(present, y - y.mean(axis=0), 0.0)
    total = y.sum(axis=2)  # [stimuli, targets]
    with np.errstate(divide="ignore", invalid="ignore"):
        apart = np.where(present, y - (total / number)[:, :, None], 0.0)
        d, b = number * (apart**2).sum(axis=2), total**2
        all_d, all_b = sum_over_stimuli(d), sum_over_stimuli(b)
        noise = all_d / all_b / (number - 1.0)
        found = np.full((3, len(noise)), np.nan)
        known = number > 1
        found[0, known] = 1.0 - noise[known]
        if with_interval and draws is not None:
            found[1:] = percentile_interval(reliability_of_mean(y, number, draws), level)
        elif with_interval and n_stimuli > 1:
            share = n_stimuli / (n_stimuli - 1.0)
            left_out = (all_d - share * d) / (all_b - share * b) / (number - 1.0)
            found[1:, known] = jackknife_of_noise(noise[known], left_out[:, known], level)
    return found


def _with_gaps(
    y: np.ndarray, there: np.ndarray, draws: np.ndarray | None, level: float, with_interval: bool
) -> np.ndarray:
    """Compute ceiling, low and high of targets that lack the same repetitions of the same stimuli, [3, n_targets]."""
    n_stimuli = len(y)
    found = np.full((3, y.shape[1]), np.nan)
    found[0] = reliability_with_gaps(y, there, np.ones((1, n_stimuli)))[0]
    if with_interval and draws is not None:
        found[1:] = percentile_interval(reliability_with_gaps(y, there, n_stimuli * draws), level)
    elif with_interval:
        without_one = (1.0 - np.eye(n_stimuli))[there.any(axis=1)]
        found[1:] = jackknife(found[0], reliability_with_gaps(y, there, without_one), level)
    return found


def _spread(repetitions: np.ndarray, there: np.ndarray) -> np.ndarray:
    """Range over the stimuli that are there, shape (n_targets, n_repetitions)."""
    highest = np.where(there, repetitions, -np.inf).max(axis=0)
    return np.where(there.any(axis=0), highest - np.where(there, repetitions, np.inf).min(axis=0), 0.0)


def _same_gaps(there: np.ndarray, targets: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield targets that lack the same repetitions of the same stimuli, and what is there, [stimuli, repetitions]."""
    flat = np.moveaxis(there[:, targets], 1, 0).reshape(len(targets), -1)
    patterns, of_target = np.unique(flat, axis=0, return_inverse=True)
    for number, pattern in enumerate(patterns):
        yield targets[of_target.ravel() == number], pattern.reshape(there.shape[0], -1)
