"""Resampling: bootstrap over subjects, permutation of stimuli."""

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from types import SimpleNamespace

import numpy as np
from scipy.stats import bootstrap

from ..errors import DataError
from ..scoring.scores import r2_corr
from .permutations import permuted_orders
from .statistics import benjamini_hochberg

INTERVALS = ("studentised", "bca", "percentile")
# with fewer, so many draws repeat one subject only that no interval has a finite end
FEWEST_SUBJECTS = 4
# columns that one call of fit_predict gets, unless one target alone has more: bounds the memory
MAX_COLUMNS = 8192
# at which `chance` and p agree
LEVEL = 0.05
# statistics that differ by rounding count as equal
TIE = 1e-12

FitPredict = Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray]
ScoreColumns = Callable[[np.ndarray], np.ndarray]
Metric = Callable[[np.ndarray, np.ndarray], np.ndarray]


@dataclass(frozen=True)
class BootstrapResult:
    """What a bootstrap over subjects says of a - b.

    Attributes
    ----------
    difference, low, high, p : ndarray, shape () or (n_rows,)
        Mean over subjects of a - b, its interval (in units of the values), and the two-sided p.
    effect : ndarray, shape () or (n_rows,)
        The mean over the standard deviation over subjects of a - b (Cohen's d of paired values); 0 where all are zero,
        infinite where all are equal and not zero.
    n_subjects, n_draws : int
    """

    difference: np.ndarray
    low: np.ndarray
    high: np.ndarray
    p: np.ndarray
    effect: np.ndarray
    n_subjects: int
    n_draws: int


def paired_bootstrap(
    values_a: np.ndarray,
    values_b: np.ndarray,
    n_draws: int = 10_000,
    seed: int = 0,
    level: float = 0.95,
    interval: str = "studentised",
) -> BootstrapResult:
    """Bootstrap over subjects of the mean paired difference: p = (1 + #{|t*| >= |t|}) / (1 + n_draws), two-sided.

    Every draw takes n subjects with replacement, the same ones for a and for b. With d = a - b,
    t = mean(d) / se(d) and t* = (mean(d*) - mean(d)) / se(d*); a draw that repeats one value only has an infinite t*.
    Studentising is what makes few subjects usable: the spread of mean(d*) itself is sqrt((n - 1)/n) too small and its
    tails are too light (Efron & Tibshirani 1993, An Introduction to the Bootstrap, chapters 12 and 16).

    Tuckute et al. 2023 draw the subjects of one model only: see `published_bootstrap`.

    Parameters
    ----------
    values_a, values_b : ndarray, shape (n_subjects,) or (n_subjects, n_rows)
        One value per subject, such as the median over the subject's voxels. All rows share the draws.
    n_draws : int
    seed : int
    level : float
        Of the interval.
    interval : "studentised", "bca" or "percentile"
        `studentised`: mean(d) -+ q se(d) with q a quantile of |t*|; 0 lies outside exactly where p <= 1 - level.
        `bca` (Efron 1987, J. Am. Stat. Assoc. 82:171-185) and `percentile`: quantiles of mean(d*), which with few
        subjects hold the truth less often than `level` says.

    Returns
    -------
    BootstrapResult
        Where all differences are zero, p is 1 and the interval is 0. Where all are equal and not zero, draws have no
        spread: p is 2^(1 - n), the chance of n equal signs, and the interval has no width.

    Raises
    ------
    DataError
        Values are not finite, not paired, or none.

    Warns
    -----
    UserWarning
        With fewer than 4 subjects: the interval is then infinite, and no p is below .1.
    """
    difference = _paired_difference(values_a, values_b)  # [subjects, rows]
    if interval not in INTERVALS:
        raise DataError(f"interval: {interval!r} is not one of {', '.join(INTERVALS)}.")
    n = len(difference)
    if n < FEWEST_SUBJECTS:
        warnings.warn(
            f"a bootstrap over {n} subject(s) tells no difference from chance: one draw in {n ** (n - 1)} repeats a "
            f"single subject. At least {FEWEST_SUBJECTS} are needed, 8 or more are advisable.",
            stacklevel=2,
        )
    mean = difference.mean(axis=0)
    weights = np.random.default_rng(seed).multinomial(n, np.full(n, 1.0 / n), size=n_draws) / n  # [draws, subjects]
    deviation = weights @ (difference - mean)  # [draws, rows], mean(d*) - mean(d)
    spread, t, t_draws = _studentise(difference, weights, deviation)
    constant = np.ptp(difference, axis=0) <= TIE * np.abs(difference).max(axis=0)
    p = (1.0 + (t_draws >= t * (1.0 - TIE)).sum(axis=0)) / (1.0 + n_draws)
    p = np.where(constant, np.where(mean == 0.0, 1.0, 2.0 ** (1 - n)), p)
    if n < FEWEST_SUBJECTS:
        low, high = np.full_like(mean, -np.inf), np.full_like(mean, np.inf)
    elif interval == "studentised":
        # the smallest |t| with p <= 1 - level lies above the draw of this rank from the top
        rank = int((1.0 - level) * (1 + n_draws) + TIE)
        critical = np.sort(t_draws, axis=0)[-rank] if rank else np.full_like(mean, np.inf)
        half = spread * np.where(constant, 0.0, critical)
        low, high = mean - half, mean + half
    else:
        low, high = mean + _interval_of_draws(difference - mean, deviation, level, interval, constant)
    sd = np.where(constant, 0.0, spread * np.sqrt(n))
    with np.errstate(divide="ignore", invalid="ignore"):
        effect = np.where(mean == 0.0, 0.0, mean / sd)
    shape = np.shape(values_a)[1:]
    mean, low, high, p, effect = (x.reshape(shape) for x in (mean, low, high, p, effect))
    return BootstrapResult(mean, low, high, p, effect, n_subjects=n, n_draws=n_draws)


def _paired_difference(values_a: np.ndarray, values_b: np.ndarray) -> np.ndarray:
    """Return a - b as [n_subjects, n_rows], or say why the values cannot be paired."""
    a, b = np.asarray(values_a, dtype=float), np.asarray(values_b, dtype=float)
    if a.shape != b.shape or a.ndim not in (1, 2):
        raise DataError(f"a bootstrap over subjects needs paired values: the shapes are {a.shape} and {b.shape}.")
    if not len(a):
        raise DataError("a bootstrap over subjects needs subjects: there is none.")
    if not (np.isfinite(a).all() and np.isfinite(b).all()):
        wrong = np.flatnonzero(~(np.isfinite(a) & np.isfinite(b)).reshape(len(a), -1).all(axis=1))
        raise DataError(f"values of the subjects at {wrong[:5].tolist()} are not finite; leave these subjects out.")
    return (a - b).reshape(len(a), -1)


def _studentise(
    difference: np.ndarray, weights: np.ndarray, deviation: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the standard error of the mean [rows], |t| [rows] and |t*| of every draw [draws, rows]."""
    n, mean = len(difference), difference.mean(axis=0)
    squares = (difference - mean) ** 2
    spread = np.sqrt(squares.sum(axis=0) / (max(n - 1, 1) * n))
    second = weights @ squares
    variance = second - deviation**2
    equal = variance <= TIE * second  # what is left of equal values is rounding
    with np.errstate(divide="ignore", invalid="ignore"):
        t_draws = np.abs(deviation) / np.sqrt(variance / max(n - 1, 1))
        return spread, np.abs(mean) / spread, np.where(equal, np.inf, t_draws)


def _interval_of_draws(
    centred: np.ndarray, deviation: np.ndarray, level: float, interval: str, constant: np.ndarray
) -> np.ndarray:
    """Return the ends [2, rows] of scipy's interval of mean(d*) - mean(d), from the draws of which p is made.

    A draw of every subject once has the mean of all, of which BCa counts half as below: with 4 subjects 9 % of draws,
    so that their rounding is taken off. Rows without spread get 0.
    """
    zero = TIE * np.abs(centred).max(axis=0)  # [rows]

    def mean(values: np.ndarray, axis: int) -> np.ndarray:
        found = values.mean(axis=axis)
        return np.where(np.abs(found) <= TIE * np.abs(values).max(axis=axis), 0.0, found)

    ends = np.zeros((2, centred.shape[1]))
    if not constant.all():
        draws = np.where(np.abs(deviation) <= zero, 0.0, deviation)
        found = bootstrap(
            (centred[:, ~constant],),
            mean,
            axis=0,
            n_resamples=0,
            confidence_level=level,
            method={"bca": "BCa", "percentile": "percentile"}[interval],
            bootstrap_result=SimpleNamespace(bootstrap_distribution=draws[:, ~constant].T),
        ).confidence_interval
        ends[:, ~constant] = found.low, found.high
    return ends


def published_bootstrap(values_a: np.ndarray, values_b: np.ndarray, n_draws: int = 10_000, seed: int = 0) -> float:
    """Share of bootstrap means of b that exceed the mean of a: the test between models of Tuckute et al. 2023.

    One-sided (a better than b), subjects drawn for b only and not in pairs, can be 0. For comparison with published
    p-values; use `paired_bootstrap` otherwise.

    Parameters
    ----------
    values_a, values_b : ndarray, shape (n_subjects,)
    """
    a, b = np.asarray(values_a, dtype=float), np.asarray(values_b, dtype=float)
    means = b[np.random.default_rng(seed).integers(len(b), size=(n_draws, len(b)))].mean(axis=1)
    return float((means > a.mean()).mean())


@dataclass(frozen=True)
class PermutationResult:
    """Scores against chance; L layers, T targets.

    Attributes
    ----------
    score : ndarray, shape (L, T)
        The median over splits.
    chance : ndarray, shape (L, T)
        The permuted score that a score must exceed for p <= .05: of n permutations the floor(.05 (1 + n))-th highest;
        infinite with fewer than 19.
    p : ndarray, shape (L, T)
        Of each layer and target by itself.
    p_layers : ndarray, shape (L, T)
        Corrected for the layers: against the largest permuted score of any layer (family-wise error per target).
    p_best : ndarray, shape (T,)
        Of the best layer: the smallest `p_layers`.
    p_best_fdr : ndarray, shape (T,)
        `p_best`, with the false discovery rate controlled over targets (Benjamini & Hochberg).
    n_permutations : int
    """

    score: np.ndarray
    chance: np.ndarray
    p: np.ndarray
    p_layers: np.ndarray
    p_best: np.ndarray
    p_best_fdr: np.ndarray
    n_permutations: int


def ridge_predictor(
    alphas: np.ndarray, cv: int | str = "loo", seed: int = 0, unpredictable: str = "mean"
) -> FitPredict:
    """Return (x_dev, y_dev, x_test) -> prediction [n_test, n_columns] by `fit_ridge`, one alpha per column."""
    from ..estimators.ridge import fit_ridge  # brings along scikit-learn, which nothing else here needs

    def fit_predict(x_dev: np.ndarray, y_dev: np.ndarray, x_test: np.ndarray) -> np.ndarray:
        return fit_ridge(x_dev, y_dev, alphas, cv, True, seed, unpredictable).predict(x_test)

    return fit_predict


def permutation_test(
    layers: list[np.ndarray],
    y: np.ndarray,
    splits: list[tuple[np.ndarray, np.ndarray]],
    fit_predict: FitPredict,
    metric: Metric = r2_corr,
    n_permutations: int = 1000,
    seed: int = 0,
    groups: np.ndarray | None = None,
) -> PermutationResult:
    """Above chance? p = (1 + #{permuted score >= score}) / (1 + n_permutations), the score a median over splits.

    A permutation assigns the responses of the whole study to other stimuli, once for all splits, layers and targets;
    then everything is done again: the same splits, the choice of alpha, the fit, the prediction. If the responses do
    not depend on the features, permuted and real scores are exchangeable and p is exact, however much splits overlap.
    To permute the test responses of finished predictions is not: the predictions of one split were fitted to the test
    responses of another.

    Parameters
    ----------
    layers : list of ndarray, shape (n_stimuli, n_units)
        One feature set's layers.
    y : ndarray, shape (n_stimuli, n_targets)
    splits : list of (development, test)
        Indices into the stimuli.
    fit_predict : callable
        (x_dev, y_dev, x_test) -> prediction [n_test, n_columns]; each column must be fitted by itself, because permuted
        responses are further columns: see `ridge_predictor`.
    metric : callable
        (y_true, y_pred) -> score per column.
    n_permutations : int
        The smallest possible p is 1 / (1 + n_permutations).
    seed : int
    groups : array-like, shape (n_stimuli,), optional
        Categories; stimuli change places within theirs only. The question is then whether the features explain more
        than the categories do.

    Raises
    ------
    DataError
        `groups` do not fit the stimuli or leave nothing to permute.
    """
    score_layers = [partial(_scores_of, np.asarray(x, dtype=float), splits, fit_predict, metric) for x in layers]
    return permute(score_layers, y, n_permutations, seed, groups)


def permute(
    score_layers: Sequence[ScoreColumns],
    y: np.ndarray,
    n_permutations: int = 1000,
    seed: int = 0,
    groups: np.ndarray | None = None,
    together: np.ndarray | None = None,
) -> PermutationResult:
    """Do the test of `permutation_test` with any way to fit and score: whatever gives the scores of the responses.

    Parameters
    ----------
    score_layers : list of callable
        One per layer: columns of responses [n_stimuli, n_columns] -> their scores [n_splits, n_columns], each column
        fitted by itself.
    y, n_permutations, seed, groups
        As of `permutation_test`, with its errors.
    together : array-like, shape (n_stimuli,), optional
        Groups of related stimuli, which change places as wholes: see `permuted_orders`.
    """
    y = np.asarray(y, dtype=float)
    orders = permuted_orders(len(y), n_permutations, seed, groups, together)  # [1 + n_permutations, n_stimuli]
    per_block = max(1, MAX_COLUMNS // len(orders))
    blocks = []
    for start in range(0, y.shape[1], per_block):
        block = y[:, start : start + per_block]
        columns = block[orders].transpose(1, 0, 2).reshape(len(y), -1)  # [stimuli, permutations * targets]
        scores = [np.median(score(columns), axis=0) for score in score_layers]
        blocks.append(_compare_with_chance(np.reshape(scores, (len(score_layers), len(orders), -1))))
    score, chance, p, p_layers = np.concatenate(blocks, axis=2)
    p_best = p_layers.min(axis=0)
    return PermutationResult(score, chance, p, p_layers, p_best, benjamini_hochberg(p_best), n_permutations)


def _compare_with_chance(scores: np.ndarray) -> np.ndarray:
    """From scores [L, 1 + permutations, T], the real ones first, to [score, chance, p, p_layers], [4, L, T]."""
    real, permuted = scores[:, :1], scores[:, 1:]
    reached = real - TIE * np.abs(real)
    p = (1.0 + (permuted >= reached).sum(axis=1)) / scores.shape[1]
    p_layers = (1.0 + (permuted.max(axis=0) >= reached).sum(axis=1)) / scores.shape[1]
    # the score that has to be exceeded for p <= .05; an interpolated quantile and p would disagree at the edge
    rank = int(LEVEL * scores.shape[1] + TIE)
    chance = np.sort(permuted, axis=1)[:, -rank] if rank else np.full(p.shape, np.inf)
    return np.stack([real[:, 0], chance, p, p_layers])


def _scores_of(x: np.ndarray, splits: list, fit_predict: FitPredict, metric: Metric, columns: np.ndarray) -> np.ndarray:
    """Score every column on every split, [n_splits, n_columns]."""
    return np.stack([metric(columns[test], fit_predict(x[dev], columns[dev], x[test])) for dev, test in splits])
