"""Kernel ridge against scikit-learn's, with its centred kernels, on the same folds."""

import numpy as np
import pytest
from sklearn.kernel_ridge import KernelRidge
from sklearn.metrics.pairwise import rbf_kernel
from sklearn.model_selection import KFold, LeaveOneOut
from sklearn.preprocessing import KernelCenterer
from sklearn.utils.estimator_checks import check_estimator

from auralign.errors import ConfigError
from auralign.estimators.kernel_ridge import KernelRidgeExact, fit_kernel_ridge

ALPHAS, GAMMAS = [1e-4, 1e-2, 1.0, 100.0], [0.01, 0.1, 1.0]


@pytest.fixture(scope="module")
def data():
    random = np.random.default_rng(2)
    x = random.standard_normal((55, 3)) * 3.0 + 2.0
    signal = np.column_stack([(x[:, 0] / 3.0 - 0.7) ** 2, x[:, 1], np.sin(0.5 * x[:, 0])])
    y = 0.005 * (signal + 0.1 * random.standard_normal((55, 3))) + 0.01
    return x[:40], y[:40], x[40:]


def _theirs(x, y, x_test, alpha, gamma):
    """Fit scikit-learn's model on a centred kernel and centred responses."""
    centerer = KernelCenterer()
    kernel = centerer.fit_transform(rbf_kernel(x, gamma=gamma))
    model = KernelRidge(alpha=alpha, kernel="precomputed").fit(kernel, y - y.mean())
    return model.predict(centerer.transform(rbf_kernel(x_test, x, gamma=gamma))) + y.mean()


@pytest.mark.parametrize("cv", ["loo", 4])
def test_equal_to_scikit_learn(data, cv):
    x, y, x_test = data
    fit = fit_kernel_ridge(x, y, ALPHAS, GAMMAS, cv, seed=1)
    folds = list((LeaveOneOut() if cv == "loo" else KFold(4, shuffle=True, random_state=1)).split(x))
    gammas = np.array(GAMMAS) / x.var(axis=0).sum()
    for target in range(3):
        own, errors, of_mean = y[:, target], {}, 0.0
        for gamma in gammas:
            for alpha in ALPHAS:
                errors[gamma, alpha] = np.mean(
                    [((own[v] - _theirs(x[t], own[t], x[v], alpha, gamma)) ** 2).mean() for t, v in folds]
                )
        of_mean = np.mean([((own[v] - own[t].mean()) ** 2).mean() for t, v in folds])
        (gamma, alpha), least = min(errors.items(), key=lambda item: item[1])
        assert (fit.alpha[target], fit.params[target]["gamma"]) == (alpha, pytest.approx(gamma, rel=1e-12))
        assert fit.r2_dev[target] == pytest.approx(1 - least / of_mean, abs=1e-8)
        expected = _theirs(x, own, x_test, alpha, gamma)
        assert np.abs(fit.predict(x_test)[:, target] - expected).max() < 1e-8 * y.std()
    # a square is not linear
    assert fit.r2_dev[0] > 0.5 and len({params["gamma"] for params in fit.params}) > 1


def test_many_targets_are_one_target_each(data):
    x, y, x_test = data
    together = fit_kernel_ridge(x, y, ALPHAS, GAMMAS)
    for target in range(3):
        alone = fit_kernel_ridge(x, y[:, [target]], ALPHAS, GAMMAS)
        assert alone.alpha[0] == together.alpha[target]
        assert np.abs(alone.predict(x_test)[:, 0] - together.predict(x_test)[:, target]).max() < 1e-13


def test_scores_do_not_depend_on_centring_or_on_the_scale_of_the_features(data):
    x, y, x_test = data
    here = fit_kernel_ridge(x, y, ALPHAS, GAMMAS).predict(x_test)
    there = fit_kernel_ridge(1e3 * x + 7.0, y - 5.0, ALPHAS, GAMMAS).predict(1e3 * x_test + 7.0)
    assert np.abs(there + 5.0 - here).max() < 1e-9


def test_a_constant_target_and_constant_features(data):
    x, y, x_test = data
    fit = fit_kernel_ridge(x, np.column_stack([y[:, 0], np.full(40, 0.3)]), ALPHAS, GAMMAS)
    assert np.abs(fit.predict(x_test)[:, 1] - 0.3).max() < 1e-15 and fit.r2_dev[1] == 0.0
    nothing = fit_kernel_ridge(np.ones((40, 3)), y, ALPHAS, GAMMAS)
    assert np.abs(nothing.predict(np.ones((2, 3))) - y.mean(axis=0)).max() < 1e-12


def test_scikit_learns_own_checks():
    check_estimator(KernelRidgeExact())


def test_face_equals_function(data):
    x, y, x_test = data
    model, fit = KernelRidgeExact(ALPHAS, GAMMAS).fit(x, y), fit_kernel_ridge(x, y, ALPHAS, GAMMAS)
    assert np.array_equal(model.alpha_, fit.alpha) and model.params_ == fit.params
    assert np.array_equal(model.predict(x_test), fit.predict(x_test))
    assert KernelRidgeExact(ALPHAS, GAMMAS).fit(x, y[:, 0]).predict(x_test).shape == (15,)


@pytest.mark.parametrize("options", [{"alphas": [0.0]}, {"gammas": []}, {"gammas": [np.inf]}])
def test_refuses_other_grids(data, options):
    with pytest.raises(ConfigError, match=r"kernel ridge: (alphas|gammas) must be a list of positive, finite numbers"):
        fit_kernel_ridge(data[0], data[1], **{"alphas": ALPHAS, "gammas": GAMMAS} | options)
