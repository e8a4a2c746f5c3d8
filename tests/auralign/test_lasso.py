"""Lasso: scikit-learn at a tight tolerance as oracle, and the optimality conditions themselves."""

import numpy as np
import pytest
from sklearn.linear_model import LassoCV
from sklearn.model_selection import KFold, LeaveOneOut
from sklearn.utils.estimator_checks import check_estimator

from auralign.lasso import LassoExact, _homotopy, alpha_grid, fit_lasso, relative_gaps, solve_path


def _data(n: int, p: int, seed: int = 0):
    random = np.random.default_rng(seed)
    x = random.standard_normal((n + 15, p)) / np.sqrt(np.arange(1, p + 1)) + 2.0
    y = 0.005 * (x[:, :4] @ random.standard_normal(4) + random.standard_normal(n + 15)) + 0.01
    return x[:n], y[:n], x[n:]


@pytest.mark.parametrize(("n", "p"), [(30, 80), (40, 10)])
def test_alpha_and_prediction_equal_scikit_learn(n, p):
    x, y, x_test = _data(n, p)
    fit = fit_lasso(x, y, n_alphas=20, eps=1e-3, cv=5, seed=3)
    folds = KFold(5, shuffle=True, random_state=3)
    reference = LassoCV(eps=1e-3, n_alphas=20, cv=folds, tol=1e-10, max_iter=500_000).fit(x, y)
    assert fit.alpha == pytest.approx(reference.alpha_, rel=1e-10)
    assert np.abs(fit.predict(x_test) - reference.predict(x_test)).max() < 1e-6 * y.std()


def test_leave_one_out_equals_scikit_learn():
    x, y, _ = _data(20, 30)
    fit = fit_lasso(x, y, n_alphas=8, eps=1e-2, cv="loo")
    reference = LassoCV(eps=1e-2, n_alphas=8, cv=LeaveOneOut(), tol=1e-10, max_iter=500_000).fit(x, y)
    assert fit.alpha == pytest.approx(reference.alpha_, rel=1e-10)


def test_every_point_of_the_path_is_a_solution():
    x, y, _ = _data(30, 80)
    x, y = x - x.mean(axis=0), y - y.mean()
    alphas = alpha_grid(x, y, 30, 1e-4)
    coefs, gaps = solve_path(x, y, alphas)
    assert np.abs(gaps).max() < 1e-10
    correlation = x.T @ (y[:, None] - x @ coefs) / len(y)
    # stationarity: |correlation| = alpha with the coefficient's sign where it is not 0, at most alpha elsewhere
    assert (np.abs(correlation) <= alphas * (1 + 1e-8)).all()
    active = np.abs(coefs) > 1e-9
    np.testing.assert_allclose((correlation / alphas)[active], np.sign(coefs)[active], atol=1e-6)


def test_the_first_alpha_of_the_grid_is_the_smallest_empty_model():
    x, y, _ = _data(30, 80)
    x, y = x - x.mean(axis=0), y - y.mean()
    largest = alpha_grid(x, y, 5, 1e-3)[0]
    coefs, _ = solve_path(x, y, np.array([largest, 0.999 * largest]))
    assert not coefs[:, 0].any()
    assert coefs[:, 1].any()


def test_equal_columns_share_one_weight_and_zero_columns_get_none():
    x, y, _ = _data(30, 20)
    x = np.c_[x[:, :3], x, np.zeros(30)]
    x, y = x - x.mean(axis=0), y - y.mean()
    alphas = alpha_grid(x, y, 20, 1e-3)
    coefs, gaps = solve_path(x, y, alphas)
    distinct, _ = solve_path(x[:, 3:-1], y, alphas)
    assert gaps.max() < 1e-10
    assert not coefs[3:6].any() and not coefs[-1].any()
    np.testing.assert_allclose(x @ coefs, x[:, 3:-1] @ distinct, atol=1e-12)


def test_where_the_path_fails_coordinate_descent_takes_over(monkeypatch):
    x, y, _ = _data(30, 20)
    x, y = x - x.mean(axis=0), y - y.mean()
    alphas = alpha_grid(x, y, 10, 1e-2)
    expected, _ = solve_path(x, y, alphas)
    monkeypatch.setattr("auralign.lasso._homotopy", lambda x, y, alphas: np.zeros((x.shape[1], len(alphas))))
    coefs, gaps = solve_path(x, y, alphas)
    assert gaps.max() <= 2e-10
    assert np.abs(x @ (coefs - expected)).max() < 1e-4 * y.std()


@pytest.mark.parametrize("scale", [1e-6, 1.0, 1e6])
def test_the_path_does_not_depend_on_the_scale_of_the_response(scale):
    """scikit-learn's own path stops too early for small responses: its tolerance is absolute."""
    x, y, _ = _data(30, 80)
    x, y = x - x.mean(axis=0), (y - y.mean()) * scale
    alphas = alpha_grid(x, y, 50, 1e-3)
    assert np.abs(relative_gaps(x, y, _homotopy(x, y, alphas), alphas)).max() < 1e-10


def test_gap_is_large_for_a_wrong_solution():
    x, y, _ = _data(30, 20)
    x, y = x - x.mean(axis=0), y - y.mean()
    assert relative_gaps(x, y, np.zeros((20, 1)), alpha_grid(x, y, 2, 0.1)[1:])[0] > 1e-3


def test_a_constant_response_gives_the_empty_model():
    x, _, x_test = _data(30, 20)
    fit = fit_lasso(x, np.full(30, 0.25))
    assert not fit.coef.any()
    np.testing.assert_array_equal(fit.predict(x_test), 0.25)


def test_estimator_follows_scikit_learn():
    check_estimator(LassoExact(n_alphas=10))
