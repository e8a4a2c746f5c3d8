"""Both engines against a plain scikit-learn loop, and the absence of leakage."""

import numpy as np
import pytest
from sklearn.linear_model import LassoCV, RidgeCV
from sklearn.metrics import r2_score
from sklearn.model_selection import KFold, ShuffleSplit

from auralign.config import Center, Lasso, Ridge
from auralign.engines import ENGINES, choose_engine
from auralign.errors import ConfigError

RIDGE = Ridge(kind="ridge", alphas=list(np.logspace(-3, 8, 12)))
LASSO = Lasso(kind="lasso", n_alphas=15, eps=1e-2, cv=4, seed=2)


@pytest.fixture(scope="module")
def study():
    """60 stimuli x 100 units, 3 responses of the size of the real components, 4 splits."""
    random = np.random.default_rng(0)
    x = random.standard_normal((60, 100)) / np.sqrt(np.arange(1, 101)) + 1.0
    y = 0.005 * (x[:, :4] @ random.standard_normal((4, 3)) + random.standard_normal((60, 3))) + 0.01
    return x, y, list(ShuffleSplit(4, train_size=31, test_size=29, random_state=0).split(x))


@pytest.mark.parametrize("engine", ENGINES)
def test_ridge_equals_a_plain_scikit_learn_loop(study, engine):
    x, y, splits = study
    worst = 0.0
    for result, (development, test) in zip(ENGINES[engine](x, y, splits, RIDGE, Center()), splits, strict=True):
        x_mean = x[development].mean(axis=0)
        for target in range(3):
            y_mean = y[development, target].mean()
            model = RidgeCV(alphas=np.logspace(-3, 8, 12)).fit(x[development] - x_mean, y[development, target] - y_mean)
            prediction = model.predict(x[test] - x_mean) + y_mean
            r = np.corrcoef(prediction, y[test, target])[0, 1]
            assert result.alpha[target] == model.alpha_
            worst = max(
                worst,
                np.abs(prediction - result.prediction[:, target]).max(),
                abs(r2_score(y[test, target], prediction) - result.r2[target]),
                abs(max(r, 0.0) ** 2 - result.r2_corr[target]),
            )
    assert worst < 1e-10


@pytest.mark.parametrize("engine", ENGINES)
def test_lasso_equals_a_plain_scikit_learn_loop(study, engine):
    x, y, splits = study
    for result, (development, test) in zip(ENGINES[engine](x, y, splits, LASSO, Center()), splits, strict=True):
        for target in range(3):
            folds = KFold(4, shuffle=True, random_state=2)
            model = LassoCV(eps=1e-2, n_alphas=15, cv=folds, tol=1e-10, max_iter=500_000)
            model.fit(x[development], y[development, target])
            assert result.alpha[target] == pytest.approx(model.alpha_, rel=1e-10)
            assert abs(r2_score(y[test, target], model.predict(x[test])) - result.r2[target]) < 1e-6


@pytest.mark.parametrize("estimator", [RIDGE, LASSO], ids=["ridge", "lasso"])
def test_engines_agree(study, estimator):
    x, y, splits = study
    results = [engine(x, y, splits, estimator, Center()) for engine in ENGINES.values()]
    for a, b in zip(*results, strict=True):
        assert np.abs(a.prediction - b.prediction).max() < 1e-10 * y.std()
        assert np.abs(a.r2 - b.r2).max() < 1e-10
        assert np.abs(a.r2_corr - b.r2_corr).max() < 1e-10
        np.testing.assert_allclose(a.alpha, b.alpha, rtol=1e-12)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("estimator", [RIDGE, LASSO], ids=["ridge", "lasso"])
def test_test_stimuli_do_not_leak_into_the_model(study, engine, estimator):
    """Shift and scale the test stimuli's X and y: alpha must not change, and predictions move by the shift alone."""
    x, y, splits = study
    _, test = splits[0]
    shift = np.linspace(-50.0, 70.0, x.shape[1])
    x_shifted, y_shifted = x.copy(), y.copy()
    x_shifted[test] += shift
    y_shifted[test] = 1000.0 - 300.0 * y[test]
    before = ENGINES[engine](x, y, splits[:1], estimator, Center())[0]
    after = ENGINES[engine](x_shifted, y_shifted, splits[:1], estimator, Center())[0]
    np.testing.assert_array_equal(after.alpha, before.alpha)
    moved = after.prediction - before.prediction
    # a linear model that is unchanged moves every test prediction by the same shift' w
    assert np.ptp(moved, axis=0).max() < 1e-9
    assert np.abs(moved).max() > 1e-3
    assert not np.allclose(after.r2, before.r2)


def test_centring_in_the_configuration_changes_nothing_for_models_with_an_intercept(study):
    x, y, splits = study
    with_centring = ENGINES["julearn"](x, y, splits, RIDGE, Center())
    without = ENGINES["julearn"](x, y, splits, RIDGE, Center(x=False, y=False))
    for a, b in zip(with_centring, without, strict=True):
        assert np.abs(a.prediction - b.prediction).max() < 1e-12


def test_auto_takes_julearn_for_few_targets_and_multitarget_for_many():
    shared = Ridge(kind="ridge", per_target=False)
    assert choose_engine("auto", RIDGE, 6) == "julearn"
    assert choose_engine("auto", RIDGE, 600) == "multitarget"
    assert choose_engine("auto", shared, 6) == "multitarget"
    with pytest.raises(ConfigError, match="per_target"):
        choose_engine("julearn", shared, 6)
