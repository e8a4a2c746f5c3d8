"""Statistics: numbers by hand, julearn, scipy and statsmodels as oracles."""

import numpy as np
import pandas as pd
import pytest
from julearn.stats.corrected_ttest import corrected_ttest as julearn_ttest
from scipy.stats import false_discovery_control
from statsmodels.stats.multitest import multipletests

from auralign.errors import DataError
from auralign.inference.statistics import (
    benjamini_hochberg,
    corrected_interval,
    corrected_spread,
    corrected_ttest,
    mean_test_ratio,
    standardised_effect,
)

BY_HAND = np.array([[0.1], [0.2], [0.3]])


def _julearn_scores(values: np.ndarray, model: str) -> pd.DataFrame:
    """A table as julearn makes it; values [n_splits, n_rows], every row another score."""
    scores = {f"test_{row}": column for row, column in enumerate(values.T)}
    columns = {"fold": range(len(values)), "repeat": 0, "n_train": 83, "n_test": 82, "cv_mdsum": "x", "model": model}
    return pd.DataFrame({**columns, **scores})


def test_corrected_ttest_by_hand():
    # mean .2, variance .01, (1/3 + 1/2) * .01 = 1/120, t = .2 * sqrt(120); with 2 degrees of freedom
    # P(|T| > t) = 1 - t / sqrt(2 + t^2)
    t, df, p = corrected_ttest(BY_HAND, n_train=2, n_test=1)
    assert df == 2
    assert t[0] == pytest.approx(np.sqrt(4.8), rel=1e-12)
    assert p[0] == pytest.approx(1 - np.sqrt(4.8 / 6.8), rel=1e-12)
    assert corrected_ttest(BY_HAND, 2, 1, "greater")[2][0] == pytest.approx(p[0] / 2, rel=1e-12)
    assert corrected_ttest(BY_HAND, 2, 1, "less")[2][0] == pytest.approx(1 - p[0] / 2, rel=1e-12)


@pytest.mark.parametrize("alternative", ["two-sided", "greater", "less"])
def test_corrected_ttest_equals_julearns(alternative):
    a, b = np.random.default_rng(0).random((2, 10, 300))
    t, df, p = corrected_ttest(a - b, 83, 82, alternative)
    reference = julearn_ttest(_julearn_scores(a, "a"), _julearn_scores(b, "b"), alternative=alternative)
    assert df == 9
    np.testing.assert_allclose(t, reference["t-stat"], rtol=0, atol=1e-12)
    np.testing.assert_allclose(p, reference["p-val"], rtol=0, atol=1e-12)


@pytest.mark.parametrize("alternative", ["two-sided", "greater", "less"])
def test_p_is_1_where_all_differences_are_zero_and_julearns_is_missing(alternative):
    zero = np.zeros((10, 1))
    t, _, p = corrected_ttest(zero, 83, 82, alternative)
    assert (t[0], p[0]) == (0.0, 1.0)
    with np.errstate(invalid="ignore"):
        reference = julearn_ttest(_julearn_scores(zero, "a"), _julearn_scores(zero, "b"), alternative=alternative)
    assert reference["p-val"].isna().all()


def test_p_is_never_0_and_missing_where_a_difference_is():
    difference = np.stack([np.full(10, 0.5), np.full(10, 0.1) + 1e-12 * np.arange(10), np.ones(10)], axis=1)
    difference[3, 2] = np.nan
    _, _, p = corrected_ttest(difference, 83, 82)
    assert (p[:2] > 0).all()
    assert (p[:2] < 1e-10).all()
    assert np.isnan(p[2])


def test_interval_by_hand_and_excludes_0_where_p_is_below_the_level():
    # the 97.5 % quantile of t with 2 degrees of freedom is .95 / sqrt(.5 * (1 - .95^2)) = 4.3027
    low, high = corrected_interval(BY_HAND, 2, 1)
    half = 0.95 / np.sqrt(0.5 * (1 - 0.95**2)) / np.sqrt(120)
    assert low[0] == pytest.approx(0.2 - half, rel=1e-9)
    assert high[0] == pytest.approx(0.2 + half, rel=1e-9)
    difference = np.random.default_rng(1).standard_normal((10, 2000)) + 1.5
    for level in (0.95, 0.8):
        low, high = corrected_interval(difference, 83, 82, level)
        p = corrected_ttest(difference, 83, 82)[2]
        excluded = (low > 0) | (high < 0)
        np.testing.assert_array_equal(excluded, p < 1 - level)
        assert 0.1 < excluded.mean() < 0.9


def test_interval_is_a_point_where_all_differences_are_equal():
    low, high = corrected_interval(np.array([[0.0, 0.5], [0.0, 0.5]]), 83, 82)
    np.testing.assert_array_equal(low, [0.0, 0.5])
    np.testing.assert_array_equal(high, [0.0, 0.5])


def test_standardised_effect_by_hand_and_degenerate():
    assert standardised_effect(BY_HAND, 2, 1)[0] == pytest.approx(2 / np.sqrt(1.5), rel=1e-12)
    np.testing.assert_array_equal(standardised_effect(np.array([[0, 0.5, -0.5]] * 2), 1, 1), [0, np.inf, -np.inf])


def test_spread_and_effect_estimate_what_they_say_under_the_assumed_correlation():
    # differences with mean 1, standard deviation 2 and correlation n_test / (n_train + n_test) between splits
    n_train, n_test, k = 30, 20, 10
    rho = n_test / (n_train + n_test)
    random = np.random.default_rng(2)
    shared, own = random.standard_normal((1, 20_000)), random.standard_normal((k, 20_000))
    difference = 1 + 2 * (np.sqrt(rho) * shared + np.sqrt(1 - rho) * own)
    true_variance = difference.mean(axis=0).var(ddof=1)
    assert (corrected_spread(difference, n_train, n_test) ** 2).mean() == pytest.approx(true_variance, rel=0.03)
    one_split = difference.mean(axis=0) / standardised_effect(difference, n_train, n_test)
    assert (one_split**2).mean() == pytest.approx(4.0, rel=0.03)


def test_equal_sizes_give_the_ratio_to_the_last_digit_however_they_are_given():
    difference = np.random.default_rng(3).standard_normal((10, 50))
    each = np.full(10, 83), np.full(10, 82)
    # the plain mean of ten equal ratios is not that ratio
    assert np.mean(each[1] / each[0]) != 82 / 83
    assert mean_test_ratio(*each, 10) == mean_test_ratio(83, 82, 10) == 82 / 83
    for function in (corrected_spread, corrected_interval, corrected_ttest, standardised_effect):
        one, per_split = (np.array(function(difference, *sizes), dtype=object) for sizes in ((83, 82), each))
        for a, b in zip(one, per_split, strict=True):
            np.testing.assert_array_equal(a, b)


def test_splits_of_unequal_sizes_by_hand():
    # ratios 1/2, 1/2, 2: their mean is 1; variance .01, mean .2
    n_train, n_test = np.array([40, 40, 20]), np.array([20, 20, 40])
    assert mean_test_ratio(n_train, n_test, 3) == 1.0
    assert corrected_spread(BY_HAND, n_train, n_test)[0] == pytest.approx(np.sqrt((1 / 3 + 1) * 0.01), rel=1e-12)
    t, _, p = corrected_ttest(BY_HAND, n_train, n_test)
    assert t[0] == pytest.approx(2 / np.sqrt(4 / 3), rel=1e-12)
    assert p[0] == pytest.approx(1 - t[0] / np.sqrt(2 + t[0] ** 2), rel=1e-12)
    low, high = corrected_interval(BY_HAND, n_train, n_test)
    assert (
        high[0] - 0.2 == pytest.approx(0.2 - low[0]) == pytest.approx(4.302652729911275 * np.sqrt(0.04 / 3), rel=1e-9)
    )
    assert standardised_effect(BY_HAND, n_train, n_test)[0] == pytest.approx(2 / np.sqrt(2), rel=1e-12)
    order = [2, 0, 1]
    assert mean_test_ratio(n_train[order], n_test[order], 3) == 1.0


def test_the_mean_ratio_is_cautious_under_unequal_correlations():
    # splits i and j correlate by the mean of rho_i and rho_j: the spread is then sqrt(1/k + R / (1 - R)), R = mean(rho)
    n_train, n_test = np.array([80, 70] * 5), np.array([20, 30] * 5)
    rho = n_test / (n_train + n_test)
    covariance = (rho[:, None] + rho) / 2
    np.fill_diagonal(covariance, 1.0)
    random = np.random.default_rng(4)
    difference = np.linalg.cholesky(covariance) @ random.standard_normal((10, 40_000))
    derived = 0.1 + rho.mean() / (1 - rho.mean())
    ours = 0.1 + mean_test_ratio(n_train, n_test, 10)
    variance = difference.mean(axis=0).var(ddof=1)
    assert derived * difference.var(axis=0, ddof=1).mean() == pytest.approx(variance, rel=0.03)
    assert derived < ours < 1.02 * derived


def test_sizes_that_are_not_those_of_the_splits_are_refused():
    with pytest.raises(DataError, match=r"n_test: numbers of stimuli of shape \(4,\) for 3 splits"):
        corrected_interval(BY_HAND, 83, np.full(4, 82))
    with pytest.raises(DataError, match=r"n_train: every split needs at least 1 stimulus, given: 0"):
        corrected_ttest(BY_HAND, np.array([83, 0, 83]), 82)


def test_one_split_and_an_unknown_alternative_are_refused():
    with pytest.raises(DataError, match=r"at least 2 splits, given: 1"):
        corrected_ttest(np.ones((1, 3)), 83, 82)
    with pytest.raises(DataError, match=r"'both' is not one of two-sided, greater, less"):
        corrected_ttest(BY_HAND, 83, 82, "both")


def test_benjamini_hochberg_equals_statsmodels_and_keeps_missing_values():
    p = np.random.default_rng(1).random(30) ** 3
    np.testing.assert_allclose(benjamini_hochberg(p), multipletests(p, method="fdr_bh")[1], rtol=1e-12)
    with_nan = benjamini_hochberg(np.insert(p, 4, np.nan))
    assert np.isnan(with_nan[4])
    np.testing.assert_allclose(np.delete(with_nan, 4), benjamini_hochberg(p))


def test_benjamini_hochberg_is_scipys_in_any_shape_with_ties_and_ends():
    random = np.random.default_rng(2)
    for p in (random.random(1), np.repeat(random.random(7), 3), np.append(random.random(20) ** 4, [0.0, 1.0, 1.0])):
        np.testing.assert_allclose(benjamini_hochberg(p), false_discovery_control(p), rtol=0, atol=1e-15)
    table = random.random((3, 4))
    np.testing.assert_array_equal(benjamini_hochberg(table).ravel(), benjamini_hochberg(table.ravel()))
    assert benjamini_hochberg(np.array([])).shape == (0,)
    assert np.isnan(benjamini_hochberg(np.full(2, np.nan))).all()


@pytest.mark.parametrize("wrong", [-0.1, 1.5, np.inf])
def test_what_is_no_p_is_refused(wrong):
    with pytest.raises(DataError, match=r"p-values lie between 0 and 1, given: from "):
        benjamini_hochberg(np.array([0.5, wrong, np.nan]))
