"""Elastic net against scikit-learn's ElasticNetCV on the same folds, and its optimality conditions."""

import numpy as np
import pytest
from sklearn.linear_model import ElasticNetCV
from sklearn.model_selection import KFold
from sklearn.utils.estimator_checks import check_estimator

from auralign.errors import ConfigError, DataError
from auralign.estimators.elastic_net import ElasticNetExact, fit_elastic_net
from auralign.estimators.lasso import fit_lassos
from auralign.estimators.numerics.elastic_path import elastic_path

OPTIONS = {"l1_ratio": [0.2, 0.9], "n_alphas": 12, "eps": 1e-2, "cv": 4, "seed": 2}


@pytest.fixture(scope="module")
def data():
    random = np.random.default_rng(0)
    x = random.standard_normal((55, 60)) / np.sqrt(np.arange(1, 61)) + 2.0
    y = 0.005 * (x[:, :4] @ random.standard_normal((4, 3)) + 0.5 * random.standard_normal((55, 3))) + 0.01
    return x[:40], y[:40], x[40:]


def test_equal_to_scikit_learn(data):
    x, y, x_test = data
    fit = fit_elastic_net(x, y, **OPTIONS)
    for target in range(3):
        folds = KFold(4, shuffle=True, random_state=2)
        model = ElasticNetCV(l1_ratio=[0.2, 0.9], n_alphas=12, eps=1e-2, cv=folds, tol=1e-12, max_iter=500_000)
        model.fit(x, y[:, target])
        assert fit.alpha[target] == pytest.approx(model.alpha_, rel=1e-12)
        assert fit.params[target] == {"l1_ratio": model.l1_ratio_}
        assert np.abs(fit.predict(x_test)[:, target] - model.predict(x_test)).max() < 1e-8 * y.std()


def test_optimality_and_the_score_inside_the_development_stimuli(data):
    x, y, _ = data
    fit = fit_elastic_net(x, y, **OPTIONS)
    centred, residual = x - x.mean(axis=0), y - fit.predict(x)
    for target in range(3):
        alpha, ratio, w = fit.alpha[target], fit.params[target]["l1_ratio"], fit.coef[:, target]
        gradient = centred.T @ residual[:, target] / len(x) - alpha * (1 - ratio) * w
        chosen = w != 0
        assert np.abs(gradient[chosen] - alpha * ratio * np.sign(w[chosen])).max() < 1e-4 * alpha
        assert np.abs(gradient).max() < alpha * ratio * 1.0001
        errors = np.zeros(2)
        for train, held_out in KFold(4, shuffle=True, random_state=2).split(x):
            one = fit_elastic_net(x[train], y[train][:, [target]], [ratio], 2, 0.5, cv=2)  # its grid is its own
            assert one.coef.shape == (60, 1)
            errors[1] += ((y[held_out, target] - y[train, target].mean()) ** 2).mean() / 4
        assert 0 < fit.r2_dev[target] < 1
    assert (fit.gap < 1e-8).all()


def test_with_a_ratio_of_one_it_is_the_lasso(data):
    x, y, x_test = data
    fit = fit_elastic_net(x, y, [1.0], 12, 1e-2, 4, 2)
    lassos = fit_lassos(x, y, 12, 1e-2, 4, 2)
    for target, lasso in enumerate(lassos):
        assert fit.alpha[target] == pytest.approx(lasso.alpha, rel=1e-12)
        assert fit.r2_dev[target] == pytest.approx(lasso.r2_dev, abs=1e-7)
        assert np.abs(fit.predict(x_test)[:, target] - lasso.predict(x_test)).max() < 1e-6 * y.std()


def test_a_constant_target_has_an_empty_model(data):
    x, y, x_test = data
    y = y.copy()
    y[:, 1] = 0.3
    fit = fit_elastic_net(x, y, **OPTIONS)
    assert not fit.coef[:, 1].any() and fit.r2_dev[1] == 0.0
    assert np.array_equal(fit.predict(x_test)[:, 1], np.full(15, 0.3))


def test_scikit_learns_own_checks():
    check_estimator(ElasticNetExact(l1_ratio=[0.5], n_alphas=5, eps=1e-1))


def test_face_equals_function(data):
    x, y, x_test = data
    model, fit = ElasticNetExact(**OPTIONS).fit(x, y[:, 0]), fit_elastic_net(x, y[:, :1], **OPTIONS)
    assert model.alpha_ == fit.alpha[0] and model.params_ == fit.params[0] and model.dual_gap_ == fit.gap[0]
    assert np.abs(model.predict(x_test) - fit.predict(x_test)[:, 0]).max() < 1e-14


@pytest.mark.parametrize("ratio", [[], [0.0], [1.5], 0.5])
def test_refuses_other_ratios(data, ratio):
    with pytest.raises(ConfigError, match="elastic net: l1_ratio must be a list of numbers above 0 and at most 1"):
        fit_elastic_net(data[0], data[1], ratio)


def test_says_its_own_name(data):
    x, y, _ = data
    with pytest.raises(DataError, match="elastic net: responses have 1 values that are not finite"):
        fit_elastic_net(x, np.where(np.arange(40)[:, None] == 3, np.nan, y[:, :1]))
    with pytest.raises(ConfigError, match="elastic net: cv must be"):
        fit_elastic_net(x, y, cv=99)


@pytest.mark.parametrize("ratio", [0.01, 0.5, 0.999])
def test_correlated_features_of_any_size_are_solved_exactly(ratio):
    random = np.random.default_rng(4)
    common = random.standard_normal((40, 5))
    x = 1e3 * (common @ random.standard_normal((5, 300)) + 1e-3 * random.standard_normal((40, 300)))
    x -= x.mean(axis=0)
    y = common[:, 0] + 0.1 * random.standard_normal(40)
    y -= y.mean()
    alphas = np.abs(y @ x).max() / 40 / ratio * np.logspace(0, -4, 30)
    coefs, gaps = elastic_path(x, y, ratio, alphas)
    assert np.abs(gaps).max() < 1e-10 and not coefs[:, 0].any() and coefs[:, 5].any()
    for number in (10, 29):
        gradient = x.T @ (y - x @ coefs[:, number]) / 40 - alphas[number] * (1 - ratio) * coefs[:, number]
        assert np.abs(gradient).max() < alphas[number] * ratio * (1 + 1e-6)
