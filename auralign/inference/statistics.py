"""Tests and effect sizes between scores on the same splits, and the control of false discoveries."""

import numpy as np
from scipy.stats import false_discovery_control
from scipy.stats import t as student_t

from ..errors import DataError

ALTERNATIVES = ("two-sided", "greater", "less")

# numbers of stimuli: one for all splits, or one per split, shape (n_splits,)
Sizes = int | np.ndarray


def mean_test_ratio(n_train: Sizes, n_test: Sizes, n_splits: int) -> float:
    """Mean over splits of n_test / n_train, which `corrected_spread` adds to 1/k.

    Nadeau & Bengio (2003) give all splits the same sizes. Where they differ (groups of stimuli are left out as wholes),
    let the differences of splits i and j correlate by the mean of rho_i and rho_j, rho_i = n_test_i / (n_train_i +
    n_test_i), which is theirs where sizes are equal. The mean correlation of two splits is then R = mean(rho_i), var(d)
    estimates 1 - R of the variance of one split's difference, and the variance of mean(d) is (1/k + R / (1 - R)) times
    that of which var(d) is the estimate. rho / (1 - rho) = n_test / n_train is convex in rho, so that the mean ratio is
    never below R / (1 - R): equal to it for equal sizes, and slightly cautious for others (.339 instead of .333 where
    splits of 80/20 and of 70/30 alternate).

    Parameters
    ----------
    n_train, n_test : int, or ndarray of shape (n_splits,)
    n_splits : int

    Returns
    -------
    float
        n_test / n_train to the last digit where this is the same in all splits.

    Raises
    ------
    DataError
        A number is below 1, or there is not one for every split.
    """
    sizes = []
    for name, given in (("n_train", n_train), ("n_test", n_test)):
        numbers = np.asarray(given, dtype=float)
        if numbers.shape not in ((), (n_splits,)):
            raise DataError(
                f"{name}: numbers of stimuli of shape {numbers.shape} for {n_splits} splits; give one number, or one "
                "for every split."
            )
        if not (numbers >= 1).all():
            raise DataError(f"{name}: every split needs at least 1 stimulus, given: {numbers.min():g}.")
        sizes.append(np.broadcast_to(numbers, n_splits))
    ratios = sizes[1] / sizes[0]
    # a mean of equal numbers may differ from them by rounding
    return float(ratios[0] if (ratios == ratios[0]).all() else ratios.mean())


def corrected_spread(difference: np.ndarray, n_train: Sizes, n_test: Sizes) -> np.ndarray:
    """Standard error of the mean over overlapping splits: sqrt((1/k + n_test/n_train) var(d)).

    Splits of the same stimuli share stimuli, so that var(d)/k is far too small. The correction is that of Nadeau &
    Bengio (2003), Machine Learning 52:239-281: the differences of two splits are taken to correlate by
    n_test / (n_train + n_test). Of splits of unequal sizes n_test/n_train is the mean (`mean_test_ratio`).

    Parameters
    ----------
    difference : ndarray, shape (n_splits, n_rows)
        Differences of scores, paired over splits.
    n_train, n_test : int, or ndarray of shape (n_splits,)
        Numbers of development and test stimuli: of all splits, or of each.

    Returns
    -------
    ndarray, shape (n_rows,)

    Raises
    ------
    DataError
        There are fewer than two splits, or the sizes are not theirs.
    """
    k = len(difference)
    if k < 2:
        raise DataError(f"a spread over splits needs at least 2 splits, given: {k}. Raise splits.n_splits.")
    return np.sqrt((1.0 / k + mean_test_ratio(n_train, n_test, k)) * difference.var(axis=0, ddof=1))


def corrected_ttest(
    difference: np.ndarray, n_train: Sizes, n_test: Sizes, alternative: str = "two-sided"
) -> tuple[np.ndarray, int, np.ndarray]:
    """Corrected resampled t-test: t = mean(d) / sqrt((1/k + n_test/n_train) var(d)) with k - 1 degrees of freedom.

    Splits of the same stimuli overlap, so that the plain paired t-test finds far too much; the correction is that of
    Nadeau & Bengio (2003), Machine Learning 52:239-281.

    Parameters
    ----------
    difference : ndarray, shape (n_splits, n_rows)
        Differences of scores, paired over splits.
    n_train, n_test : int, or ndarray of shape (n_splits,)
        Numbers of development and test stimuli, as in `corrected_spread`.
    alternative : "two-sided", "greater" or "less"
        What the mean difference is under the alternative: not zero, above zero, below zero.

    Returns
    -------
    t : ndarray, shape (n_rows,)
        0 where all differences are zero, NaN where one is NaN.
    df : int
    p : ndarray, shape (n_rows,)
        1 where all differences are zero (whatever the alternative), never 0, NaN where a difference is NaN.

    Raises
    ------
    DataError
        There are fewer than two splits, the sizes are not theirs, or the alternative is another word.
    """
    if alternative not in ALTERNATIVES:
        raise DataError(f"alternative: {alternative!r} is not one of {', '.join(ALTERNATIVES)}.")
    df = len(difference) - 1
    mean, spread = difference.mean(axis=0), corrected_spread(difference, n_train, n_test)
    with np.errstate(divide="ignore", invalid="ignore"):
        t = np.where(mean == 0.0, 0.0, mean / spread)
    if alternative == "two-sided":
        p = 2.0 * student_t.sf(np.abs(t), df)
    else:
        p = student_t.sf(t if alternative == "greater" else -t, df)
    p = np.where((difference == 0.0).all(axis=0), 1.0, p)
    # smallest positive float instead of 0: a t-test never proves that something is impossible
    return t, df, np.where(np.isnan(t), np.nan, np.maximum(p, np.finfo(float).tiny))


def corrected_interval(
    difference: np.ndarray, n_train: Sizes, n_test: Sizes, level: float = 0.95
) -> tuple[np.ndarray, np.ndarray]:
    """Two-sided interval of the mean difference: mean(d) -+ t_((1 + level)/2, k-1) sqrt((1/k + n_test/n_train) var(d)).

    The same standard error as in `corrected_ttest`: 0 lies outside exactly where that test's two-sided p is below
    1 - level.

    Parameters
    ----------
    difference : ndarray, shape (n_splits, n_rows)
    n_train, n_test : int, or ndarray of shape (n_splits,)
    level : float
        Share of studies whose interval holds the true difference.

    Returns
    -------
    low, high : ndarray, shape (n_rows,)
        In units of the score; equal to the mean where all differences are equal.
    """
    mean = difference.mean(axis=0)
    half = student_t.ppf(0.5 + level / 2.0, len(difference) - 1) * corrected_spread(difference, n_train, n_test)
    return mean - half, mean + half


def standardised_effect(difference: np.ndarray, n_train: Sizes, n_test: Sizes) -> np.ndarray:
    """Mean difference in standard deviations of one split's difference: mean(d) / sqrt((1 + n_test/n_train) var(d)).

    Under the correlation rho = n_test / (n_train + n_test) of `corrected_spread` the sample variance over splits
    estimates only (1 - rho) times the variance of one split's difference, and 1 / (1 - rho) = 1 + n_test/n_train.
    Unlike t = effect / sqrt(rho + (1 - rho)/k), the effect does not grow with the number of splits.

    Parameters
    ----------
    difference : ndarray, shape (n_splits, n_rows)
    n_train, n_test : int, or ndarray of shape (n_splits,)

    Returns
    -------
    ndarray, shape (n_rows,)
        0 where all differences are zero; infinite where all are equal and not zero.
    """
    ratio = mean_test_ratio(n_train, n_test, len(difference))
    one_split = np.sqrt((1.0 + ratio) * difference.var(axis=0, ddof=1))
    mean = difference.mean(axis=0)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(mean == 0.0, 0.0, mean / one_split)


def benjamini_hochberg(p: np.ndarray) -> np.ndarray:
    """Adjust p-values for the false discovery rate, by `scipy.stats.false_discovery_control`.

    Benjamini & Hochberg (1995), J. R. Stat. Soc. B 57:289-300: p_(i) * m / i, made monotone from the largest down. NaN
    stays NaN and is not counted, where scipy refuses it.

    Parameters
    ----------
    p : ndarray, any shape
        All of one family, between 0 and 1.

    Returns
    -------
    ndarray, the same shape

    Raises
    ------
    DataError
        A value is below 0 or above 1.
    """
    p = np.asarray(p, dtype=float)
    known = ~np.isnan(p)
    if not ((p[known] >= 0.0) & (p[known] <= 1.0)).all():
        raise DataError(f"p-values lie between 0 and 1, given: from {p[known].min():g} to {p[known].max():g}.")
    adjusted = np.full(p.shape, np.nan)
    if known.any():
        adjusted[known] = false_discovery_control(p[known])
    return adjusted
