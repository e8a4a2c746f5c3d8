"""Lasso: scikit-learn at a tight tolerance as oracle, and the optimality conditions themselves."""

import numpy as np
import pytest
from sklearn.linear_model import LassoCV
from sklearn.model_selection import KFold, LeaveOneOut
from sklearn.utils.estimator_checks import check_estimator

from auralign.errors import ConfigError, DataError
from auralign.estimators.lasso import LassoExact, alpha_grid, fit_lasso, fit_lassos, relative_gaps, solve_path
from auralign.estimators.numerics.homotopy import follow_paths


def _data(n: int, p: int, seed: int = 0):
    random = np.random.default_rng(seed)
    x = random.standard_normal((n + 15, p)) / np.sqrt(np.arange(1, p + 1)) + 2.0
    y = 0.005 * (x[:, :4] @ random.standard_normal(4) + random.standard_normal(n + 15)) + 0.01
    return x[:n], y[:n], x[n:]


def _many(n: int, p: int, n_targets: int, seed: int = 0):
    random = np.random.default_rng(seed)
    x = random.standard_normal((n, p)) / np.sqrt(np.arange(1, p + 1))
    return x, x[:, :5] @ random.standard_normal((5, n_targets)) + 0.5 * random.standard_normal((n, n_targets))


@pytest.mark.parametrize(("n", "p"), [(30, 80), (40, 10)])
def test_alpha_and_prediction_equal_scikit_learn(n, p):
    x, y, x_test = _data(n, p)
    fit = fit_lasso(x, y, n_alphas=20, eps=1e-3, cv=5, seed=3)
    folds = KFold(5, shuffle=True, random_state=3)
    reference = LassoCV(eps=1e-3, n_alphas=20, cv=folds, tol=1e-10, max_iter=500_000).fit(x, y)
    assert fit.alpha == pytest.approx(reference.alpha_, rel=1e-10)
    assert np.abs(fit.predict(x_test) - reference.predict(x_test)).max() < 1e-6 * y.std()
    # both chose by the mean over folds of the mean squared error
    error = reference.mse_path_.mean(axis=1).min()
    of_mean = np.mean([((y[test] - y[train].mean()) ** 2).mean() for train, test in folds.split(x)])
    assert fit.r2_dev == pytest.approx(1.0 - error / of_mean, abs=1e-7)


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
    assert np.abs(gaps).max() < 1e-11
    correlation = x.T @ (y[:, None] - x @ coefs) / len(y)
    # stationarity: |correlation| = alpha with the coefficient's sign where it is not 0, at most alpha elsewhere
    assert (np.abs(correlation) <= alphas * (1 + 1e-8)).all()
    active = coefs != 0
    np.testing.assert_allclose((correlation / alphas)[active], np.sign(coefs)[active], atol=1e-8)
    # no more than the rank of centred data, and the path reached it
    assert active.sum(axis=0).max() == 29


def test_paths_of_all_training_sets_and_targets_equal_those_alone():
    """Weights from `solve_path` on the training set itself, residuals from the weights, held-out stimuli included."""
    x, y = _many(24, 40, 3)
    x, y = x - x.mean(axis=0), y - y.mean(axis=0)
    rows = np.ones((3, 24), dtype=bool)
    rows[0, :8] = rows[1, [3, 9, 20]] = False
    alphas = alpha_grid(x, y, 12, 1e-3)
    paths = follow_paths(x, rows, y, alphas)
    for fold, training in enumerate(rows):
        x_mean, y_mean = x[training].mean(axis=0), y[training].mean(axis=0)
        for target in range(3):
            alone, _ = solve_path(x[training] - x_mean, y[training, target] - y_mean[target], alphas[target])
            coefs = paths.coefs(fold, target, 40)
            np.testing.assert_allclose(coefs, alone, atol=1e-9 * np.abs(alone).max())
            expected = (y[:, target] - y_mean[target])[:, None] - (x - x_mean) @ coefs
            np.testing.assert_allclose(paths.residuals[fold, target].T, expected, atol=1e-12)


def test_many_targets_equal_one_at_a_time(monkeypatch):
    monkeypatch.setattr("auralign.estimators.lasso.PROBLEMS", 12)  # two targets at a time
    x, y = _many(30, 50, 5)
    together = fit_lassos(x, y + np.arange(5), n_alphas=15, cv=5, seed=1)
    for fit, column in zip(together, (y + np.arange(5)).T, strict=True):
        alone = fit_lasso(x, column, n_alphas=15, cv=5, seed=1)
        assert fit.alpha == pytest.approx(alone.alpha, rel=1e-12)
        assert fit.r2_dev == pytest.approx(alone.r2_dev, rel=1e-12)
        np.testing.assert_allclose(fit.predict(x), alone.predict(x), atol=1e-12)


def test_a_planted_support_is_recovered():
    random = np.random.default_rng(1)
    x = random.standard_normal((100, 200))
    y = x[:, [3, 50, 120]] @ np.array([3.0, -2.0, 1.0]) + 0.1 * random.standard_normal(100)
    coefs, _ = solve_path(x - x.mean(axis=0), y - y.mean(), alpha_grid(x - x.mean(axis=0), y - y.mean(), 8, 0.1))
    assert np.flatnonzero(coefs[:, -1]).tolist() == [3, 50, 120]
    assert fit_lasso(x, y).r2_dev > 0.99


def test_columns_that_leave_the_path_again():
    """Correlated columns: some weights return to 0 on the way down, which a path that only adds columns misses."""
    random = np.random.default_rng(7)
    x = np.cumsum(random.standard_normal((40, 60)), axis=1)
    y = x[:, [10, 30, 50]] @ np.array([1.0, -1.0, 1.0]) + random.standard_normal(40)
    x, y = x - x.mean(axis=0), y - y.mean()
    coefs, gaps = solve_path(x, y, alpha_grid(x, y, 60, 1e-4))
    left = (coefs[:, :-1] != 0) & (coefs[:, 1:] == 0)
    assert left.any(axis=1).sum() > 5
    assert gaps.max() < 1e-10


def test_the_first_alpha_of_the_grid_is_the_smallest_empty_model():
    x, y, _ = _data(30, 80)
    x, y = x - x.mean(axis=0), y - y.mean()
    largest = alpha_grid(x, y, 5, 1e-3)[0]
    coefs, _ = solve_path(x, y, np.array([largest, 0.999 * largest]))
    assert not coefs[:, 0].any()
    assert coefs[:, 1].any()


def test_equal_and_opposite_columns_share_one_weight_and_zero_columns_get_none():
    x, y, _ = _data(30, 20)
    x = np.c_[x[:, :3], x, -x[:, :2], np.zeros(30)]
    x, y = x - x.mean(axis=0), y - y.mean()
    alphas = alpha_grid(x, y, 20, 1e-3)
    coefs, gaps = solve_path(x, y, alphas)
    distinct, _ = solve_path(x[:, 3:23], y, alphas)
    assert gaps.max() < 1e-11
    assert not coefs[3:6].any() and not coefs[23:].any()
    np.testing.assert_allclose(x @ coefs, x[:, 3:23] @ distinct, atol=1e-12)


def _tied():
    """Columns that are equal on a fold only, sums of others, indicators of groups and responses of whole numbers."""
    random = np.random.default_rng(2)
    x = random.integers(-1, 2, (40, 30)).astype(float)
    groups = np.eye(5)[random.integers(0, 5, 40)]
    x = np.c_[x, groups, x[:, :10] + x[:, 10:20], 1.0 - groups[:, :2]]
    return x, random.integers(0, 3, 40).astype(float)


def _almost_equal(difference: float = 1e-7):
    """Twins whose difference is near the limit of what tells them apart; some join and leave at once."""
    random = np.random.default_rng(2)
    x = random.standard_normal((30, 40))
    x = np.c_[x, x + difference * random.standard_normal(x.shape)]
    return x, x[:, :5].sum(axis=1) + random.standard_normal(30)


def _closer():
    return _almost_equal(1e-10)


def _sums():
    """Sums and differences of the other columns: dependent on the active ones, until one of these is dropped."""
    random = np.random.default_rng(93)
    base = random.standard_normal((12, 4)) @ random.standard_normal((4, 4))
    signs = random.choice([-1.0, 1.0], (4, 6)) * (random.random((4, 6)) < 0.8)
    return np.c_[base, base @ signs], random.standard_normal(12) + base @ random.standard_normal(4)


def _repeated_stimuli():
    x, y, _ = _data(20, 60)
    return np.r_[x, x], np.r_[y, y]


@pytest.mark.parametrize("case", [_tied, _almost_equal, _closer, _sums, _repeated_stimuli])
def test_degenerate_data_are_solved_on_the_path(case, monkeypatch):
    def refuse(*args, **kwargs):
        raise AssertionError("the path was given up")

    monkeypatch.setattr("auralign.estimators.lasso.lasso_path", refuse)
    x, y = case()
    fit = fit_lasso(x, y, n_alphas=20, cv=4)
    assert np.isfinite(fit.coef).all()
    x, y = x - x.mean(axis=0), y - y.mean()
    assert solve_path(x, y, alpha_grid(x, y, 20, 1e-4))[1].max() < 1e-8


def test_where_the_path_fails_coordinate_descent_takes_over(monkeypatch):
    x, y = _many(30, 20, 1)
    expected = fit_lasso(x, y[:, 0], n_alphas=10, eps=1e-2)
    monkeypatch.setattr(
        "auralign.estimators.numerics.homotopy.MAX_EVENTS", 0
    )  # the path is given up before its first column
    fit = fit_lasso(x, y[:, 0], n_alphas=10, eps=1e-2)
    assert expected.coef.any()
    assert fit.alpha == expected.alpha
    assert 1e-15 < fit.gap < 2e-8
    assert fit.r2_dev == pytest.approx(expected.r2_dev, abs=1e-3)
    assert np.abs(x @ (fit.coef - expected.coef)).max() < 1e-3 * y.std()


@pytest.mark.parametrize("scale", [1e-6, 1e-3, 1e6])
def test_the_solution_scales_with_the_response(scale):
    x, y, x_test = _data(30, 80)
    fit, scaled = fit_lasso(x, y), fit_lasso(x, y * scale)
    assert scaled.alpha == pytest.approx(fit.alpha * scale, rel=1e-12)
    assert abs(scaled.gap) < 1e-11
    assert scaled.r2_dev == pytest.approx(fit.r2_dev, rel=1e-10)
    np.testing.assert_allclose(scaled.coef / scale, fit.coef, atol=1e-10 * np.abs(fit.coef).max())
    np.testing.assert_allclose(scaled.predict(x_test) / scale, fit.predict(x_test), rtol=1e-9)


def test_gap_is_large_for_a_wrong_solution():
    x, y, _ = _data(30, 20)
    x, y = x - x.mean(axis=0), y - y.mean()
    assert relative_gaps(x, y, np.zeros((20, 1)), alpha_grid(x, y, 2, 0.1)[1:])[0] > 1e-3


def test_gap_bounds_the_distance_from_the_smallest_loss():
    """Weak duality: of any weights the gap is at least what the loss lies above its minimum."""
    x, y, _ = _data(30, 20)
    x, y = x - x.mean(axis=0), y - y.mean()
    alpha = alpha_grid(x, y, 2, 0.1)[1:]
    best, _ = solve_path(x, y, alpha)
    random = np.random.default_rng(0)
    trials = best + 0.3 * np.abs(best).max() * random.standard_normal((20, 50))

    def losses(coefs):
        return ((y[:, None] - x @ coefs) ** 2).sum(axis=0) / 60 + alpha * np.abs(coefs).sum(axis=0)

    gaps = relative_gaps(x, y, trials, np.repeat(alpha, 50)) * (y @ y) / 60
    assert (gaps >= losses(trials) - losses(best)).all()


@pytest.mark.parametrize("constant", [0.25, 0.1])
def test_a_constant_response_gives_the_empty_model(constant):
    x, _, x_test = _data(30, 20)
    fit = fit_lasso(x, np.full(30, constant))
    assert not fit.coef.any()
    assert (fit.gap, fit.r2_dev) == (0.0, 0.0)
    np.testing.assert_array_equal(fit.predict(x_test), constant)


def test_constant_features_get_no_weight():
    x, y, x_test = _data(30, 20)
    fit, plain = fit_lasso(np.c_[np.full(30, 0.1), x], y), fit_lasso(x, y)
    assert fit.coef[0] == 0
    np.testing.assert_allclose(fit.coef[1:], plain.coef, atol=1e-14)
    nothing = fit_lasso(np.full((30, 3), 0.1), y)
    assert not nothing.coef.any()
    np.testing.assert_allclose(nothing.predict(x_test[:, :3]), y.mean())


@pytest.mark.parametrize(
    ("change", "options", "error", "message"),
    [
        (lambda x, y: (np.where(x == x[3, 2], np.nan, x), y), {}, DataError, "features .* row 3, column 2"),
        (lambda x, y: (x, np.r_[np.inf, y[1:]]), {}, DataError, "responses .* inf in row 0"),
        (lambda x, y: (x[:-1], y), {}, DataError, "19 stimuli and responses to 20"),
        (lambda x, y: (x[:1], y[:1]), {}, DataError, "2 or more"),
        (lambda x, y: (x, y), {"cv": 21}, ConfigError, "from 2 to 20"),
        (lambda x, y: (x, y), {"cv": "five"}, ConfigError, "'five'"),
        (lambda x, y: (x, y), {"eps": 1.0}, ConfigError, "eps=1.0"),
    ],
)
def test_what_cannot_be_fitted_is_refused(change, options, error, message):
    x, y, _ = _data(20, 5)
    with pytest.raises(error, match=message):
        fit_lasso(*change(x, y), **options)


def test_estimator_follows_scikit_learn():
    check_estimator(LassoExact(n_alphas=10))


def test_estimator_gives_what_the_function_gives():
    x, y, x_test = _data(30, 20)
    model, fit = LassoExact(n_alphas=15, cv=4, seed=2).fit(x, y), fit_lasso(x, y, n_alphas=15, cv=4, seed=2)
    assert (model.alpha_, model.dual_gap_, model.r2_dev_) == (fit.alpha, fit.gap, fit.r2_dev)
    np.testing.assert_allclose(model.predict(x_test), fit.predict(x_test), rtol=1e-12)
