"""Ridge: scikit-learn and brute force as oracles."""

import numpy as np
import pytest
from sklearn.linear_model import Ridge, RidgeCV
from sklearn.model_selection import KFold, LeaveOneOut
from sklearn.utils.estimator_checks import check_estimator

from auralign.ridge import RidgeExact, decompose, fit_ridge, loo_errors

ALPHAS = np.logspace(-3, 8, 12)
SHAPES = [(30, 90), (30, 8), (30, 30), (30, 29)]


def _data(n: int, p: int, n_targets: int = 3, seed: int = 0):
    random = np.random.default_rng(seed)
    x = random.standard_normal((n + 20, p)) / np.sqrt(np.arange(1, p + 1)) + 3.0
    y = x[:, : min(p, 4)] @ random.standard_normal((min(p, 4), n_targets)) + random.standard_normal((n + 20, n_targets))
    return x[:n], y[:n], x[n:]


@pytest.mark.parametrize("shape", SHAPES)
def test_leave_one_out_errors_equal_refitting_without_each_stimulus(shape):
    x, y, _ = _data(*shape)
    exact = loo_errors(decompose(x), y, ALPHAS)
    for alpha, errors in zip(ALPHAS, exact, strict=True):
        brute = np.zeros(y.shape[1])
        for train, left_out in LeaveOneOut().split(x):
            brute += ((y[left_out] - Ridge(alpha=alpha).fit(x[train], y[train]).predict(x[left_out])) ** 2)[0] / len(x)
        # scikit-learn's Cholesky solver is the less exact side at the smallest alphas
        np.testing.assert_allclose(errors, brute, rtol=1e-6)


@pytest.mark.parametrize("shape", SHAPES)
def test_alpha_and_prediction_equal_scikit_learn(shape):
    x, y, x_test = _data(*shape)
    fit = fit_ridge(x, y, ALPHAS)
    for column in range(y.shape[1]):
        reference = RidgeCV(alphas=ALPHAS).fit(x, y[:, column])
        assert fit.alpha[column] == reference.alpha_
        assert np.abs(fit.predict(x_test)[:, column] - reference.predict(x_test)).max() < 1e-10


def test_one_alpha_for_all_targets_minimises_the_mean_error():
    x, y, _ = _data(30, 90)
    fit = fit_ridge(x, y, ALPHAS, per_target=False)
    expected = ALPHAS[loo_errors(decompose(x), y, ALPHAS).mean(axis=1).argmin()]
    assert set(fit.alpha) == {expected}


def test_inner_folds_choose_the_alpha_of_a_plain_loop():
    x, y, _ = _data(30, 90)
    fit = fit_ridge(x, y, ALPHAS, cv=5, seed=7)
    errors = np.zeros((len(ALPHAS), y.shape[1]))
    for train, held_out in KFold(5, shuffle=True, random_state=7).split(x):
        for row, alpha in enumerate(ALPHAS):
            errors[row] += ((y[held_out] - Ridge(alpha=alpha).fit(x[train], y[train]).predict(x[held_out])) ** 2).mean(
                0
            )
    np.testing.assert_array_equal(fit.alpha, ALPHAS[errors.argmin(axis=0)])


def test_a_small_alpha_does_not_amplify_the_rounding_of_null_directions():
    x, y, x_test = _data(30, 5)
    tiny = fit_ridge(x, y, [1e-12]).predict(x_test)
    least_squares = np.linalg.lstsq(np.c_[np.ones(30), x], y, rcond=None)[0]
    assert np.abs(tiny - np.c_[np.ones(20), x_test] @ least_squares).max() < 1e-9


@pytest.mark.parametrize("p", [4, 20, 60])
def test_a_unit_that_dwarfs_the_others_hides_none_of_them(p):
    """The Gram matrix squares the range of the units; what it would lose must not be lost."""
    random = np.random.default_rng(1)
    x, x_test = random.standard_normal((30, p)), random.standard_normal((10, p))
    y = x[:, :3] @ random.standard_normal((3, 2)) + 0.01 * random.standard_normal((30, 2))
    x[:, -1] *= 1e9
    x_test[:, -1] *= 1e9
    fit = fit_ridge(x, y, [1e-3])
    centred = x - x.mean(axis=0)
    u, s, vt = np.linalg.svd(centred, full_matrices=False)
    coef = vt.T @ ((s / (s**2 + 1e-3))[:, None] * (u.T @ (y - y.mean(axis=0))))
    expected = (x_test - x.mean(axis=0)) @ coef + y.mean(axis=0)
    assert np.abs(fit.predict(x_test) - expected).max() < 1e-5


@pytest.mark.parametrize("scale", [1e-9, 1e9])
def test_the_scale_of_the_units_only_rescales_alpha(scale):
    x, y, x_test = _data(30, 90)
    fit, scaled = fit_ridge(x, y, ALPHAS), fit_ridge(x * scale, y, ALPHAS * scale**2)
    np.testing.assert_allclose(scaled.alpha, fit.alpha * scale**2, rtol=1e-12)
    np.testing.assert_allclose(scaled.predict(x_test * scale), fit.predict(x_test), rtol=1e-9)


def test_blocks_of_targets_change_nothing(monkeypatch):
    x, y, _ = _data(30, 50, n_targets=7)
    whole = loo_errors(decompose(x), y, ALPHAS)
    monkeypatch.setattr("auralign.ridge.BLOCK", 2)
    np.testing.assert_allclose(loo_errors(decompose(x), y, ALPHAS), whole, rtol=1e-13)


def test_estimator_follows_scikit_learn():
    check_estimator(RidgeExact())
