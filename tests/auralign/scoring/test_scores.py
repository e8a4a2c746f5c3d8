"""Scores: scikit-learn, scipy and hand-made cases."""

import numpy as np
import pytest
from scipy.stats import pearsonr
from sklearn.metrics import r2_score

from auralign.scoring.scores import pearson, r2, r2_corr


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


def test_rounding_takes_no_score_beyond_its_range():
    """Predictions that are the response, stretched and moved: r is 1 or -1, and with rounding nothing more."""
    random = np.random.default_rng(0)
    y = random.standard_normal((3, 20_000))
    prediction = y * random.uniform(0.1, 10, 20_000) + random.standard_normal(20_000)
    assert r2_corr(y, prediction).max() == 1.0
    assert pearson(y, prediction).max() == 1.0 and pearson(y, -prediction).min() == -1.0
    assert r2(y, y).max() == 1.0


def test_r2_corr_of_a_constant_prediction_is_0_even_with_rounding_noise():
    y = np.random.default_rng(0).standard_normal(20)
    noise = 0.01 * (1 + 1e-16 * np.arange(20))
    assert r2_corr(y, np.full(20, 0.01)) == 0.0
    assert r2_corr(y, noise) == 0.0
    assert np.isnan(pearson(y, np.full(20, 0.01)))
