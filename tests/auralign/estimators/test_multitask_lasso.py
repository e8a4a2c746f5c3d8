"""Multi-task lasso: scikit-learn at a tight tolerance as oracle, and the optimality conditions themselves."""

import numpy as np
import pytest
from pydantic import ValidationError
from sklearn.linear_model import MultiTaskLasso, MultiTaskLassoCV
from sklearn.model_selection import KFold
from sklearn.utils.estimator_checks import check_estimator

from auralign.errors import ConfigError, DataError
from auralign.estimators.lasso import fit_lasso, solve_path
from auralign.estimators.multitask_lasso import (
    MultitaskLasso,
    MultiTaskLassoExact,
    fit_multitask_lasso,
    joint_alpha_grid,
    joint_path,
    relative_joint_gap,
)
from auralign.estimators.numerics import joint_path as joint_path_module
from auralign.estimators.numerics.joint_path import LEAST_TOLERANCE


def _data(n: int = 40, p: int = 60, n_targets: int = 4, seed: int = 0):
    random = np.random.default_rng(seed)
    x = random.standard_normal((n + 15, p)) / np.sqrt(np.arange(1, p + 1)) + 2.0
    signal = x[:, :4] @ random.standard_normal((4, n_targets))
    y = 0.005 * (signal + 0.5 * random.standard_normal((n + 15, n_targets))) + 0.01
    return x[:n], y[:n], x[n:]


def _centred(**options):
    x, y, _ = _data(**options)
    return x - x.mean(axis=0), y - y.mean(axis=0)


def _path(x, y, alphas):
    """The path as a matrix per alpha, and its gaps."""
    coefs, gaps = np.zeros((len(alphas), x.shape[1], y.shape[1])), np.zeros(len(alphas))
    for index, (columns, weights, gap) in enumerate(joint_path(x, y, alphas)):
        coefs[index, columns], gaps[index] = weights, gap
    return coefs, gaps


@pytest.mark.parametrize(("n", "p"), [(40, 60), (50, 10)])
def test_alpha_and_prediction_equal_scikit_learn(n, p):
    x, y, x_test = _data(n, p)
    fit = fit_multitask_lasso(x, y, n_alphas=12, eps=1e-2, cv=4, seed=3)
    folds = KFold(4, shuffle=True, random_state=3)
    reference = MultiTaskLassoCV(eps=1e-2, n_alphas=12, cv=folds, tol=1e-10, max_iter=200_000).fit(x, y)
    assert fit.alpha == pytest.approx(reference.alpha_, rel=1e-10)
    assert np.abs(fit.predict(x_test) - reference.predict(x_test)).max() < 1e-6 * y.std()
    np.testing.assert_array_equal(fit.coef.any(axis=1), reference.coef_.any(axis=0))
    error = reference.mse_path_.mean(axis=1).min()
    of_mean = np.mean([((y[test] - y[train].mean(axis=0)) ** 2).mean(axis=0) for train, test in folds.split(x)], axis=0)
    assert ((1.0 - fit.r2_dev) * of_mean).mean() == pytest.approx(error, rel=1e-6)


def test_every_point_of_the_path_is_a_solution():
    x, y = _centred()
    alphas = joint_alpha_grid(x, y, 20, 1e-3)
    coefs, gaps = _path(x, y, alphas)
    assert np.abs(gaps).max() < 1e-10
    for coef, alpha in zip(coefs, alphas, strict=True):
        assert relative_joint_gap(x, y, coef, alpha) < 2e-10
        correlation = x.T @ (y - x @ coef) / len(y) / alpha
        selected = coef.any(axis=1)
        # stationarity: X_j'R / (n alpha) = w_j / ||w_j|| where a row is selected, at most 1 long elsewhere; to the
        # square root of the gap
        direction = coef[selected] / np.linalg.norm(coef[selected], axis=1, keepdims=True)
        np.testing.assert_allclose(correlation[selected], direction, atol=1e-4)
        assert (np.linalg.norm(correlation, axis=1) <= 1 + 1e-5).all()


@pytest.mark.parametrize("tolerance", [1e-3, 1e-6])
def test_a_looser_tolerance_is_kept_and_takes_fewer_steps(tolerance, monkeypatch):
    x, y = _centred()
    alphas = joint_alpha_grid(x, y, 20, 1e-3)
    solved = {}
    for wanted in (1e-10, tolerance):
        points = []
        original = joint_path_module._Point.hessian
        monkeypatch.setattr(joint_path_module._Point, "hessian", lambda p, o=original, n=points: n.append(1) or o(p))
        gaps = [gap for *_, gap in joint_path(x, y, alphas, wanted)]
        monkeypatch.undo()
        assert max(gaps) <= wanted
        solved[wanted] = len(points), max(gaps)
    assert solved[tolerance][0] < solved[1e-10][0] and solved[tolerance][1] > 1e-10
    fit = fit_multitask_lasso(x, y, 12, 1e-2, 4, tolerance=tolerance)
    exact = fit_multitask_lasso(x, y, 12, 1e-2, 4)
    assert fit.gap <= tolerance and exact.gap <= 1e-10 and fit.alpha == exact.alpha
    np.testing.assert_allclose(fit.coef, exact.coef, rtol=0, atol=0.1 * np.abs(exact.coef).max())


@pytest.mark.parametrize("tolerance", [0.0, 1e-300, 9e-14, -1e-3, 1.0, np.nan])
def test_a_tolerance_that_means_nothing_is_refused(tolerance):
    x, y, _ = _data()
    with pytest.raises(ConfigError, match=r"tolerance must be between 1e-13 \(closer, rounding decides\) and 1"):
        fit_multitask_lasso(x, y, tolerance=tolerance)
    with pytest.raises(
        ValidationError, match=r"tolerance must be between 1e-13 \(closer, rounding decides\) and 0\.01"
    ):
        MultitaskLasso(kind="multitask_lasso", tolerance=tolerance)


def test_the_least_tolerance_is_reached_in_few_steps(monkeypatch):
    x, y = _centred()
    points = []
    original = joint_path_module._Point.hessian
    monkeypatch.setattr(joint_path_module._Point, "hessian", lambda point: points.append(1) or original(point))
    monkeypatch.setattr(joint_path_module, "_coordinate_descent", None)  # is not needed
    alphas = joint_alpha_grid(x, y, 20, 1e-3)
    assert all(gap <= LEAST_TOLERANCE for *_, gap in joint_path(x, y, alphas, LEAST_TOLERANCE))
    assert len(points) < 20 * len(alphas)
    assert MultitaskLasso(kind="multitask_lasso", tolerance=LEAST_TOLERANCE).tolerance == LEAST_TOLERANCE


def test_one_solution_equals_scikit_learn():
    x, y = _centred()
    alpha = joint_alpha_grid(x, y, 2, 0.05)[1]
    coefs, _ = _path(x, y, np.array([alpha]))
    reference = MultiTaskLasso(alpha, fit_intercept=False, tol=1e-13, max_iter=1_000_000).fit(x, y).coef_.T
    np.testing.assert_allclose(coefs[0], reference, atol=1e-7 * np.abs(reference).max())


def test_one_target_is_the_lasso():
    x, y = _centred(n_targets=1)
    alphas = joint_alpha_grid(x, y, 15, 1e-2)
    coefs, _ = _path(x, y, alphas)
    expected, _ = solve_path(x, y[:, 0], alphas)
    np.testing.assert_allclose(coefs[:, :, 0].T, expected, atol=1e-6 * np.abs(expected).max())
    fit, single = fit_multitask_lasso(x, y, n_alphas=15), fit_lasso(x, y[:, 0], n_alphas=15)
    assert fit.alpha == pytest.approx(single.alpha, rel=1e-12)
    assert fit.r2_dev[0] == pytest.approx(single.r2_dev, abs=1e-7)


def test_the_first_alpha_of_the_grid_is_the_smallest_empty_model():
    x, y = _centred()
    largest = joint_alpha_grid(x, y, 5, 1e-3)[0]
    coefs, _ = _path(x, y, largest * np.array([1.0 + 1e-12, 0.999]))
    assert not coefs[0].any()
    assert coefs[1].any()


def test_a_planted_support_is_recovered_for_all_targets_at_once():
    random = np.random.default_rng(1)
    x = random.standard_normal((80, 150))
    weights = np.zeros((150, 5))
    weights[[3, 50, 120]] = random.standard_normal((3, 5))
    y = x @ weights + 0.1 * random.standard_normal((80, 5))
    x, y = x - x.mean(axis=0), y - y.mean(axis=0)
    coefs, _ = _path(x, y, joint_alpha_grid(x, y, 5, 0.2))
    assert np.flatnonzero(coefs[-1].any(axis=1)).tolist() == [3, 50, 120]


def test_more_targets_than_stimuli_equal_scikit_learn():
    x, y = _centred(n=20, p=30, n_targets=50)
    alpha = joint_alpha_grid(x, y, 2, 0.1)[1]
    coefs, gaps = _path(x, y, np.array([alpha]))
    assert gaps[0] < 1e-10
    reference = MultiTaskLasso(alpha, fit_intercept=False, tol=1e-12, max_iter=1_000_000).fit(x, y).coef_.T
    np.testing.assert_allclose(coefs[0], reference, atol=1e-6 * np.abs(reference).max())


@pytest.mark.parametrize("scale", [1e-6, 1e-3, 1e6])
def test_the_solution_scales_with_the_responses(scale):
    x, y, x_test = _data()
    options = {"n_alphas": 10, "eps": 1e-2}
    fit, scaled = fit_multitask_lasso(x, y, **options), fit_multitask_lasso(x, y * scale, **options)
    assert scaled.alpha == pytest.approx(fit.alpha * scale, rel=1e-12)
    assert abs(scaled.gap) < 1e-10
    np.testing.assert_allclose(scaled.r2_dev, fit.r2_dev, rtol=1e-8)
    np.testing.assert_allclose(scaled.predict(x_test) / scale, fit.predict(x_test), rtol=1e-8)


def test_standardised_targets_do_not_depend_on_their_scales():
    x, y, x_test = _data()
    scales = np.array([1.0, 100.0, 0.01, 7.0])
    raw, raw_scaled = (fit_multitask_lasso(x, values, n_alphas=10) for values in (y, y * scales))
    fit, scaled = (fit_multitask_lasso(x, v, n_alphas=10, standardise_targets=True) for v in (y, y * scales))
    np.testing.assert_allclose(scaled.coef / scales, fit.coef, atol=1e-8 * np.abs(fit.coef).max())
    np.testing.assert_allclose(scaled.predict(x_test) / scales, fit.predict(x_test), rtol=1e-8)
    assert scaled.alpha == pytest.approx(fit.alpha, rel=1e-10)
    # it is the plain fit of the standardised targets, in their own units again
    plain = fit_multitask_lasso(x, (y - y.mean(axis=0)) / y.std(axis=0), n_alphas=10)
    np.testing.assert_allclose(fit.coef, plain.coef * y.std(axis=0), rtol=1e-9)
    # and as they are, the target with the large numbers decides
    assert np.abs(raw_scaled.predict(x_test) / scales - raw.predict(x_test)).max() > 0.01 * y.std()


def test_equal_and_opposite_columns_share_one_row_of_weights():
    x, y = _centred(p=20)
    doubled = np.c_[x[:, :3], x, -x[:, :2], np.zeros(len(x))]
    alphas = joint_alpha_grid(x, y, 10, 1e-2)
    (coefs, gaps), (distinct, _) = _path(doubled, y, alphas), _path(x, y, alphas)
    assert gaps.max() < 1e-10
    assert not coefs[:, 3:6].any() and not coefs[:, 23:].any()
    np.testing.assert_allclose(doubled @ coefs, x @ distinct, atol=1e-6 * y.std())


@pytest.mark.parametrize("case", [1e-4, 1e-6, 1e-12, "few dimensions", "repeated stimuli"])
def test_degenerate_data_are_solved_in_few_steps(case, monkeypatch):
    """The Hessian is singular or nearly so, where undamped steps and steps clipped at 0 take hundreds."""

    def refuse(*args):
        raise AssertionError("Newton's method was given up")

    monkeypatch.setattr("auralign.estimators.numerics.joint_path._coordinate_descent", refuse)
    monkeypatch.setattr("auralign.estimators.numerics.joint_path.STEPS", 15)
    monkeypatch.setattr("auralign.estimators.numerics.joint_path.ROUNDS", 5)
    random = np.random.default_rng(0)
    x = random.standard_normal((30, 60))
    y = x[:, :5] @ random.standard_normal((5, 4)) + random.standard_normal((30, 4))
    if case == "few dimensions":
        x = x[:, :5] @ random.standard_normal((5, 100))
    elif case == "repeated stimuli":
        x, y = np.r_[x, x], np.r_[y, y]
    else:
        x = np.c_[x, x + case * random.standard_normal(x.shape)]
    x, y = x - x.mean(axis=0), y - y.mean(axis=0)
    alphas = joint_alpha_grid(x, y, 8, 1e-3)
    coefs, _ = _path(x, y, alphas)
    assert max(relative_joint_gap(x, y, *pair) for pair in zip(coefs, alphas, strict=True)) < 1e-9


def test_where_newton_stops_short_coordinate_descent_takes_over(monkeypatch):
    x, y = _centred(p=20)
    alphas = joint_alpha_grid(x, y, 6, 1e-2)
    expected, _ = _path(x, y, alphas)
    monkeypatch.setattr("auralign.estimators.numerics.joint_path.STEPS", 0)
    coefs, gaps = _path(x, y, alphas)
    assert gaps.max() < 2e-10
    np.testing.assert_allclose(coefs, expected, atol=1e-4 * np.abs(expected).max())


def test_gap_is_large_for_a_wrong_solution():
    x, y = _centred()
    assert relative_joint_gap(x, y, np.zeros((60, 4)), joint_alpha_grid(x, y, 2, 0.1)[1]) > 1e-3


def test_constant_responses_and_features():
    x, y, x_test = _data(p=20)
    fit = fit_multitask_lasso(np.c_[np.full(40, 0.1), x], np.c_[y, np.full(40, 0.1)], n_alphas=10)
    plain = fit_multitask_lasso(x, y, n_alphas=10)
    assert not fit.coef[0].any() and not fit.coef[:, -1].any()
    assert fit.r2_dev[-1] == 0.0
    np.testing.assert_array_equal(fit.predict(np.c_[x_test[:, 0], x_test])[:, -1], 0.1)
    np.testing.assert_array_equal(fit.coef[1:].any(axis=1), plain.coef.any(axis=1))
    nothing = fit_multitask_lasso(x, np.full((40, 2), 0.1), standardise_targets=True)
    assert not nothing.coef.any()
    assert (nothing.gap, nothing.r2_dev.tolist()) == (0.0, [0.0, 0.0])
    assert not fit_multitask_lasso(np.full((40, 3), 0.1), y).coef.any()


def test_what_cannot_be_fitted_is_refused():
    x, y, _ = _data()
    with pytest.raises(DataError, match="not finite"):
        fit_multitask_lasso(x, np.where(y == y[0, 0], np.nan, y))
    with pytest.raises(ConfigError, match="from 2 to 40"):
        fit_multitask_lasso(x, y, cv=1)


def test_estimator_follows_scikit_learn():
    check_estimator(MultiTaskLassoExact(n_alphas=10, eps=1e-2))


def test_estimator_gives_what_the_function_gives():
    x, y, x_test = _data()
    options = {"n_alphas": 8, "eps": 1e-2, "cv": 3, "seed": 2, "standardise_targets": True}
    model, fit = MultiTaskLassoExact(**options).fit(x, y), fit_multitask_lasso(x, y, **options)
    assert (model.alpha_, model.dual_gap_) == (fit.alpha, fit.gap)
    np.testing.assert_array_equal(model.r2_dev_, fit.r2_dev)
    np.testing.assert_allclose(model.predict(x_test), fit.predict(x_test), rtol=1e-12)
    assert MultiTaskLassoExact(**options).fit(x, y[:, 0]).predict(x_test).shape == (15,)
