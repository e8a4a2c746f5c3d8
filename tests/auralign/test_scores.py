"""Scores: scikit-learn, scipy and hand-made cases."""

import numpy as np
import pytest
from scipy.stats import pearsonr
from sklearn.metrics import r2_score

from auralign.ceilings import critical_correlation, median_pairwise_correlation, noise_corrected, spearman_brown
from auralign.scores import pearson, r2, r2_corr


def test_r2_equals_scikit_learn_for_every_column():
    random = np.random.default_rng(0)
    y, prediction = random.standard_normal((2, 20, 5))
    np.testing.assert_allclose(r2(y, prediction), r2_score(y, prediction, multioutput="raw_values"), rtol=1e-13)


@pytest.mark.parametrize("prediction", [[1.0, 1.0, 1.0], [1.0, 2.0, 3.0]])
def test_r2_of_a_constant_response_follows_scikit_learn(prediction):
    y = np.ones(3)
    assert r2(y, np.array(prediction)) == r2_score(y, prediction)


def test_r2_corr_is_the_square_of_a_positive_correlation_and_0_of_a_negative():
    y = np.array([1.0, 2.0, 4.0, 3.0])
    prediction = np.array([0.1, 0.2, 0.3, 0.5])
    r = pearsonr(y, prediction).statistic
    assert r2_corr(y, prediction) == pytest.approx(r**2, rel=1e-13)
    assert r2_corr(y, -prediction) == 0.0


def test_r2_corr_of_a_constant_prediction_is_0_even_with_rounding_noise():
    y = np.random.default_rng(0).standard_normal(20)
    noise = 0.01 * (1 + 1e-16 * np.arange(20))
    assert r2_corr(y, np.full(20, 0.01)) == 0.0
    assert r2_corr(y, noise) == 0.0
    assert np.isnan(pearson(y, np.full(20, 0.01)))


def test_critical_correlations_are_the_published_constants():
    assert critical_correlation(83) == pytest.approx(0.18180, abs=5e-6)
    assert critical_correlation(82) == pytest.approx(0.18292, abs=5e-6)


def _plain_correction(score, data, prediction):
    """The published formula, written out for one target."""
    pairs = [(0, 1), (1, 2), (0, 2)]
    rv = np.nanmedian([np.corrcoef(data[:, a], data[:, b])[0, 1] for a, b in pairs])
    rvh = np.nanmedian([np.corrcoef(prediction[:, a], prediction[:, b])[0, 1] for a, b in pairs])
    return score / (np.nanmax([3 * rv / (1 + 2 * rv), 0.182]) * np.nanmax([3 * rvh / (1 + 2 * rvh), 0.183]))


def test_published_noise_correction_equals_the_formula_written_out():
    random = np.random.default_rng(1)
    signal = random.standard_normal((83, 6, 1))
    data = signal + random.standard_normal((83, 6, 3)) * np.linspace(0.2, 30, 6)[:, None]
    prediction = random.standard_normal((82, 6, 1)) + 0.5 * random.standard_normal((82, 6, 3))
    score = random.random(6)
    corrected = noise_corrected(score, data, prediction)
    for target in range(6):
        expected = _plain_correction(score[target], data[:, target], prediction[:, target])
        assert corrected["r2_corr_c"][target] == pytest.approx(expected, rel=1e-12)
    product = corrected["reliability"] * corrected["reliability_pred"]
    np.testing.assert_allclose(corrected["r2_corr_c"] * product, score, rtol=1e-12)


def test_the_corrected_rule_never_reaches_the_pole_of_spearman_brown():
    base = np.random.default_rng(2).standard_normal(83)
    data = np.stack([base, -base, -base + 1e-3 * np.arange(83)], axis=1)[:, None, :]
    prediction = np.random.default_rng(3).standard_normal((82, 1, 1)) + np.zeros((82, 1, 3))
    assert median_pairwise_correlation(data)[0] < -0.5
    corrected = noise_corrected(np.array([0.5]), data, prediction)
    # the published rule takes a strongly negative correlation for a reliability above 1
    assert corrected["r2_corr_c"][0] < 0.5
    floor = spearman_brown(critical_correlation(83), 3)
    assert corrected["r2_corr_c2"][0] == pytest.approx(0.5 / floor, rel=1e-9)


def test_predictions_without_reliability_give_nan_unless_the_score_is_0():
    data = np.random.default_rng(4).standard_normal((83, 2, 1)) + np.zeros((83, 2, 3))
    constant = np.ones((82, 2, 3))
    corrected = noise_corrected(np.array([0.3, 0.0]), data, constant)["r2_corr_c2"]
    assert np.isnan(corrected[0])
    assert corrected[1] == 0.0
