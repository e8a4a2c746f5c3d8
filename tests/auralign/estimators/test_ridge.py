"""Ridge: brute force and scikit-learn as oracles."""

import numpy as np
import pandas as pd
import pytest
from julearn import run_cross_validation
from julearn.models import get_model, register_model
from sklearn.linear_model import Ridge, RidgeCV
from sklearn.model_selection import KFold, LeaveOneOut
from sklearn.utils.estimator_checks import check_estimator

from auralign.errors import ConfigError, DataError
from auralign.estimators.numerics.decomposition import decompose
from auralign.estimators.numerics.ridge_errors import distinct_alphas, kfold_errors, loo_errors
from auralign.estimators.ridge import RidgeExact, fit_ridge, predict_ridge
from auralign.scoring.scores import r2_corr

ALPHAS = np.logspace(-3, 8, 12)
# of the published voxelwise analysis
PUBLISHED_ALPHAS = np.array([10.0**k for k in range(49, -51, -1)])
SHAPES = [(30, 90), (30, 8), (30, 30), (30, 29), (30, 28), (3, 5), (3, 1)]


def _data(n: int, p: int, n_targets: int = 3, seed: int = 0):
    random = np.random.default_rng(seed)
    x = random.standard_normal((n + 20, p)) / np.sqrt(np.arange(1, p + 1)) + 3.0
    y = x[:, : min(p, 4)] @ random.standard_normal((min(p, 4), n_targets)) + random.standard_normal((n + 20, n_targets))
    return x[:n], y[:n], x[n:]


def _awkward(kind: str) -> np.ndarray:
    """30 stimuli whose features are degenerate in one way."""
    x = _data(30, 60)[0]
    if kind == "duplicate features":
        return np.hstack([x[:, :10], x[:, :10]])
    if kind == "constant features":
        x[:, [3, 7]] = 0.1, 1e6
    if kind == "duplicate stimuli":
        x[5:8] = x[4]
    if kind == "more features than rank":
        x = x[:, :5] @ np.random.default_rng(1).standard_normal((5, 60))
    if kind == "a feature of one stimulus":
        x[:, :] = 0.0
        x[11, 0] = 2.0
        x[:, 1:6] = _data(30, 5)[0]
    return x


KINDS = [
    "duplicate features",
    "constant features",
    "duplicate stimuli",
    "more features than rank",
    "a feature of one stimulus",
]


def _refit(x, y, x_test, alpha):
    """Ridge by the singular values of the centred features: an oracle that loses less than normal equations."""
    centred = np.where(np.ptp(x, axis=0) > 0, x - x.mean(axis=0), 0.0)
    u, s, vt = np.linalg.svd(centred, full_matrices=False)
    kept = s > 1e-12 * s.max(initial=1.0)
    coef = vt[kept].T @ ((s[kept] / (s[kept] ** 2 + alpha))[:, None] * (u[:, kept].T @ (y - y.mean(axis=0))))
    return (x_test - x.mean(axis=0)) @ coef + y.mean(axis=0)


def _left_out(x, y, alphas, splitter):
    """Mean squared errors [alpha, target] of models that are fitted again without each fold, averaged over folds."""
    folds = list(splitter.split(x))
    return np.array(
        [
            sum(((y[out] - _refit(x[train], y[train], x[out], alpha)) ** 2).mean(axis=0) for train, out in folds)
            / len(folds)
            for alpha in alphas
        ]
    )


@pytest.mark.parametrize("shape", SHAPES)
def test_leave_one_out_errors_equal_refitting_without_each_stimulus(shape):
    x, y, _ = _data(*shape)
    exact = loo_errors(decompose(x), y, ALPHAS)
    np.testing.assert_allclose(exact, _left_out(x, y, ALPHAS, LeaveOneOut()), rtol=1e-11)
    if len(x) == 3:
        return
    for alpha, errors in zip(ALPHAS, exact, strict=True):
        brute = np.zeros(y.shape[1])
        for train, left_out in LeaveOneOut().split(x):
            brute += ((y[left_out] - Ridge(alpha=alpha).fit(x[train], y[train]).predict(x[left_out])) ** 2)[0] / len(x)
        # scikit-learn's Cholesky solver is the less exact side at the smallest alphas
        np.testing.assert_allclose(errors, brute, rtol=1e-6)


@pytest.mark.parametrize("kind", KINDS)
def test_leave_one_out_errors_of_degenerate_features(kind):
    x, (_, y, x_test) = _awkward(kind), _data(30, 60)
    exact = loo_errors(decompose(x), y, ALPHAS)
    np.testing.assert_allclose(exact, _left_out(x, y, ALPHAS, LeaveOneOut()), rtol=1e-9)
    x_test = x_test[:, : x.shape[1]]
    for alpha in (1e-40, 1e-3, 1e3):
        expected = _refit(x, y, x_test, alpha)
        np.testing.assert_allclose(fit_ridge(x, y, [alpha]).predict(x_test), expected, rtol=0, atol=1e-9)


@pytest.mark.parametrize("p", [29, 60])
@pytest.mark.parametrize("decades", [1, 3, 3.5, 4.5, 6])
def test_small_singular_values_keep_their_digits(p, decades):
    """The Gram matrix squares the range of singular values; what it would lose must not be lost."""
    random = np.random.default_rng(0)
    left = np.linalg.qr(np.c_[np.ones(30), random.standard_normal((30, 29))])[0][:, 1:]
    right = np.linalg.qr(random.standard_normal((p, 29)))[0]
    x, y = left * np.logspace(0, -decades, 29) @ right.T, random.standard_normal((30, 3))
    x_test = x[:10] + 0.1 * x[10:20]
    for alpha in (1e-30, 1e-8, 1e-3):
        errors = loo_errors(decompose(x), y, [alpha])
        np.testing.assert_allclose(errors, _left_out(x, y, [alpha], LeaveOneOut()), rtol=2e-9)
        expected = _refit(x, y, x_test, alpha)
        assert np.abs(fit_ridge(x, y, [alpha]).predict(x_test) - expected).max() < 5e-9 * expected.std()


def test_a_stimulus_that_alone_determines_a_direction_cannot_be_left_out_without_penalty():
    x, y, _ = _data(30, 5)
    for which in range(30):
        x[:, 0] = 0.0
        x[which, 0] = 0.7
        assert np.isinf(loo_errors(decompose(x), y, [1e-20])).all()
        assert fit_ridge(x, y, [1e-20, 1e-3]).alpha.tolist() == [1e-3] * 3


@pytest.mark.parametrize("shape", SHAPES)
def test_the_error_of_the_mean_alone_is_the_limit_of_a_large_alpha(shape):
    x, y, _ = _data(*shape)
    decomposition = decompose(x)
    expected = [np.mean([(y[i, k] - np.delete(y[:, k], i).mean()) ** 2 for i in range(len(y))]) for k in range(3)]
    for alpha in (np.inf, 1e30, 1e300):
        np.testing.assert_allclose(loo_errors(decomposition, y, [alpha])[0], expected, rtol=1e-12)


@pytest.mark.parametrize("shape", SHAPES[:5])
def test_alpha_and_prediction_equal_scikit_learn(shape):
    x, y, x_test = _data(*shape)
    fit = fit_ridge(x, y, ALPHAS)
    for column in range(y.shape[1]):
        reference = RidgeCV(alphas=ALPHAS).fit(x, y[:, column])
        assert fit.alpha[column] == reference.alpha_
        # scikit-learn's eigenvectors of the Gram matrix are the less exact side where its smallest eigenvalues count
        assert np.abs(fit.predict(x_test)[:, column] - reference.predict(x_test)).max() < 1e-9
        exact = _refit(x, y, x_test, fit.alpha[column])[:, column]
        assert np.abs(fit.predict(x_test)[:, column] - exact).max() < 2e-12


@pytest.mark.parametrize("cv", ["loo", 4])
@pytest.mark.parametrize("shape", [(30, 90), (30, 8)])
def test_predicting_block_by_block_equals_fitting_and_predicting(shape, cv, monkeypatch):
    x, y, x_test = _data(*shape, n_targets=7)
    fit = fit_ridge(x, y, ALPHAS, cv=cv)
    monkeypatch.setattr("auralign.estimators.numerics.ridge_errors.BLOCK", 2)
    blocks = predict_ridge(x, y.astype(np.float64), x_test, ALPHAS, cv=cv, decomposition=decompose(x))
    np.testing.assert_array_equal(blocks.alpha, fit.alpha)
    np.testing.assert_allclose(blocks.r2_dev, fit.r2_dev, rtol=0, atol=1e-13)
    np.testing.assert_allclose(blocks.prediction, fit.predict(x_test), rtol=0, atol=1e-12)
    np.testing.assert_allclose(blocks.prediction, (x_test - x.mean(0)) @ fit.coef + y.mean(0), rtol=0, atol=1e-12)


def test_one_alpha_for_all_targets_minimises_the_mean_error(monkeypatch):
    x, y, _ = _data(30, 90)
    monkeypatch.setattr("auralign.estimators.numerics.ridge_errors.BLOCK", 2)
    fit = fit_ridge(x, y, ALPHAS, per_target=False)
    errors = loo_errors(decompose(x), y, [*ALPHAS, np.inf])
    best = errors[:-1].mean(axis=1).argmin()
    assert set(fit.alpha) == {ALPHAS[best]}
    np.testing.assert_allclose(fit.r2_dev, 1 - errors[best] / errors[-1], rtol=1e-12)
    assert RidgeCV(alphas=ALPHAS).fit(x, y).alpha_ == ALPHAS[best]


def test_inner_folds_choose_the_alpha_of_a_plain_loop():
    x, y, _ = _data(30, 90)
    fit = fit_ridge(x, y, ALPHAS, cv=5, seed=7)
    expected = _left_out(x, y, ALPHAS, KFold(5, shuffle=True, random_state=7))
    np.testing.assert_allclose(kfold_errors(x, y, ALPHAS, 5, 7), expected, rtol=1e-11)
    np.testing.assert_array_equal(fit.alpha, ALPHAS[expected.argmin(axis=0)])


@pytest.mark.parametrize(("cv", "splitter"), [("loo", LeaveOneOut()), (5, KFold(5, shuffle=True, random_state=0))])
def test_the_development_score_compares_with_the_mean_of_the_stimuli_that_are_not_left_out(cv, splitter):
    x, y, _ = _data(30, 12)
    errors = _left_out(x, y, ALPHAS, splitter).min(axis=0)
    folds = list(splitter.split(x))
    null = np.mean([((y[out] - y[train].mean(axis=0)) ** 2).mean(axis=0) for train, out in folds], axis=0)
    np.testing.assert_allclose(fit_ridge(x, y, ALPHAS, cv=cv).r2_dev, 1 - errors / null, rtol=1e-10)
    alone = fit_ridge(x, y, ALPHAS[:1], cv=cv)  # of an alpha that was not chosen, too
    np.testing.assert_allclose(
        alone.r2_dev, 1 - _left_out(x, y, ALPHAS[:1], splitter)[0] / null, rtol=1e-10, atol=1e-10
    )


@pytest.mark.parametrize("shape", SHAPES[:5])
@pytest.mark.parametrize("order", [slice(None), slice(None, None, -1)], ids=["descending", "ascending"])
def test_alphas_that_are_left_out_as_equal_would_have_given_the_same_prediction(shape, order):
    """Against the choice among all 100 published alphas, each with its own errors and its own fit."""
    x, y, x_test = _data(*shape, n_targets=20)
    y[:, 10:] = np.random.default_rng(5).standard_normal((len(y), 10))
    alphas = PUBLISHED_ALPHAS[order]
    decomposition = decompose(x)
    kept = distinct_alphas(decomposition.eigenvalues, alphas)
    assert len(kept) < 45
    chosen = loo_errors(decomposition, y, alphas).argmin(axis=0)
    every = np.column_stack(
        [fit_ridge(x, y[:, [k]], alphas[[row]]).predict(x_test)[:, 0] for k, row in enumerate(chosen)]
    )
    collapsed = predict_ridge(x, y, x_test, alphas, unpredictable="published")
    assert np.abs(collapsed.prediction - every).max() < 1e-12 * y.std()
    assert set(collapsed.alpha) <= set(alphas[kept])


def test_only_equal_filter_factors_make_alphas_equal():
    eigenvalues = np.array([1e-3, 1.0, 1e3])
    kept = distinct_alphas(eigenvalues, PUBLISHED_ALPHAS)
    factors = eigenvalues / (eigenvalues + PUBLISHED_ALPHAS[:, None])
    # every alpha has exactly one that stands for it, and those that stand are all different
    same = np.abs(factors[:, None] - factors[kept]).max(axis=2) <= 2 * np.finfo(float).eps
    assert same.any(axis=1).all()
    assert same[kept].sum() == len(kept)
    # the first in the given order: the largest of those without effect, the largest of those that shrink to nothing
    assert PUBLISHED_ALPHAS[kept][0] == 1e49
    assert PUBLISHED_ALPHAS[kept][-1] == pytest.approx(1e-19)
    # a chain of steps below rounding is more than one alpha
    chain = 1.0 + np.arange(20) * 2.3e-16
    assert len(distinct_alphas(eigenvalues, chain)) > 1
    assert distinct_alphas(eigenvalues, np.array([3.0, 1.0, 3.0])).tolist() == [0, 1]
    assert distinct_alphas(np.zeros(0), ALPHAS).tolist() == [0]


def test_alphas_that_differ_in_one_inner_fold_only_are_kept_apart():
    """Without stimulus 0 all that is left of the first feature is tiny: alphas matter there that are else equal."""
    random = np.random.default_rng(2)
    x = random.standard_normal((20, 2))
    x[:, 0] = 1e-10 * random.standard_normal(20)
    x[0, 0] = 1.0
    y = 1e10 * x[:, [0]]
    alphas = np.array([1e-17, 1e-25])
    assert len(distinct_alphas(decompose(x).eigenvalues, alphas)) == 1
    assert kfold_errors(x, y, alphas, 4, 0).argmin() == 1
    assert fit_ridge(x, y, alphas, cv=4).alpha.tolist() == [1e-25]


def _noise(n_targets: int = 200):
    random = np.random.default_rng(11)
    x = random.standard_normal((70, 100)) * 3.0
    return x[:40], random.standard_normal((40, n_targets)) + 7.0, x[40:], random.standard_normal((30, n_targets)) + 7.0


@pytest.mark.parametrize(("cv", "splitter"), [("loo", LeaveOneOut()), (4, KFold(4, shuffle=True, random_state=0))])
def test_targets_that_no_alpha_predicts_better_than_the_mean_get_the_mean(cv, splitter):
    x, y, x_test, y_test = _noise(60)
    folds = list(splitter.split(x))
    null = np.mean([((y[out] - y[train].mean(axis=0)) ** 2).mean(axis=0) for train, out in folds], axis=0)
    nothing = _left_out(x, y, ALPHAS, splitter).min(axis=0) >= (1 - 1e-6) * null
    assert 10 < nothing.sum() < 50
    fit = fit_ridge(x, y, ALPHAS, cv=cv)
    prediction = fit.predict(x_test)
    np.testing.assert_array_equal(np.isinf(fit.alpha), nothing)
    np.testing.assert_array_equal(prediction[:, nothing], np.broadcast_to(y.mean(axis=0)[nothing], (30, nothing.sum())))
    assert (r2_corr(y_test, prediction)[nothing] == 0).all()
    assert (fit.r2_dev[nothing] == 0).all()
    assert (fit.r2_dev[~nothing] > 0).all()
    # the others, and targets that are predictable, are what they are without the rule, to the last bit
    published = fit_ridge(x, y, ALPHAS, cv=cv, unpredictable="published")
    np.testing.assert_array_equal(published.predict(x_test)[:, ~nothing], prediction[:, ~nothing])
    np.testing.assert_array_equal(published.alpha[~nothing], fit.alpha[~nothing])
    np.testing.assert_array_equal(published.r2_dev[~nothing], fit.r2_dev[~nothing])


def test_published_behaviour_is_that_of_scikit_learn():
    x, y, x_test, y_test = _noise(60)
    published = predict_ridge(x, y, x_test, ALPHAS, unpredictable="published")
    with_rule = predict_ridge(x, y, x_test, ALPHAS)
    nothing = np.isinf(with_rule.alpha)
    for column in range(y.shape[1]):
        reference = RidgeCV(alphas=ALPHAS).fit(x, y[:, column])
        assert published.alpha[column] == reference.alpha_
        assert np.abs(published.prediction[:, column] - reference.predict(x_test)).max() < 1e-10
    # what the rule is for: a correlation is left in what is left of the prediction
    assert r2_corr(y_test, published.prediction)[nothing].max() > 0.02
    assert np.ptp(published.prediction[:, nothing], axis=0).max() < 1e-3


def test_with_the_rule_the_end_of_the_grid_decides_nothing():
    x, y, x_test, y_test = _noise()
    grids = (np.logspace(-12, 10, 23), PUBLISHED_ALPHAS)
    short, wide = (predict_ridge(x, y, x_test, alphas) for alphas in grids)
    np.testing.assert_array_equal(np.isinf(short.alpha), np.isinf(wide.alpha))
    assert np.abs(r2_corr(y_test, short.prediction) - r2_corr(y_test, wide.prediction)).max() < 1e-9
    without = [
        r2_corr(y_test, predict_ridge(x, y, x_test, alphas, unpredictable="published").prediction) for alphas in grids
    ]
    assert np.abs(without[0] - without[1]).max() > 0.02


def test_the_rule_with_one_alpha_for_all_targets_asks_the_averaged_errors():
    x, y, x_test, _ = _noise(60)
    errors = loo_errors(decompose(x), y, [*ALPHAS, np.inf]).mean(axis=1)
    assert errors[:-1].min() >= errors[-1]  # this is such a case
    fit = fit_ridge(x, y, ALPHAS, per_target=False)
    assert np.isinf(fit.alpha).all()
    assert np.abs(fit.r2_dev).max() < 1e-13
    np.testing.assert_array_equal(fit.predict(x_test), np.broadcast_to(y.mean(axis=0), (30, 60)))
    assert set(fit_ridge(x, y, ALPHAS, per_target=False, unpredictable="published").alpha) == {ALPHAS[-1]}


def test_a_single_alpha_is_taken_as_it_is():
    x, y, x_test, _ = _noise(20)
    fit = fit_ridge(x, y, [1e-2])
    assert set(fit.alpha) == {1e-2}
    assert (fit.r2_dev < 0).any()
    np.testing.assert_allclose(fit.predict(x_test), _refit(x, y, x_test, 1e-2), rtol=0, atol=1e-10)


@pytest.mark.parametrize("value", [0.0, 0.1, -1e6])
@pytest.mark.parametrize("rule", ["mean", "published"])
def test_constant_targets_are_predicted_by_their_constant(value, rule):
    x, y, x_test = _data(30, 90)
    y[:, 1] = value
    fit = fit_ridge(x, y, ALPHAS, unpredictable=rule)
    np.testing.assert_allclose(fit.predict(x_test)[:, 1], value, rtol=1e-14)
    assert np.ptp(fit.predict(x_test)[:, 1]) == 0
    assert fit.r2_dev[1] == 0
    assert fit.alpha[1] == (np.inf if rule == "mean" else ALPHAS[0])
    others = fit_ridge(x, y[:, [0, 2]], ALPHAS, unpredictable=rule)
    np.testing.assert_array_equal(fit.alpha[[0, 2]], others.alpha)


@pytest.mark.parametrize("n_features", [1, 5, 90])
def test_features_that_are_all_constant_predict_nothing(n_features):
    _, y, _ = _data(30, 5)
    x = np.tile(np.linspace(0.12345, 1e5, n_features), (30, 1))
    assert (x != x.mean(axis=0)).any()  # rounding that could pass for a spread
    for fit in (fit_ridge(x, y, [1e-50]), fit_ridge(x, y, PUBLISHED_ALPHAS)):
        np.testing.assert_array_equal(fit.predict(x[:2] + 1.0), np.broadcast_to(y.mean(axis=0), (2, 3)))
    assert np.isinf(fit.alpha).all()


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_values_that_are_not_finite_are_refused_with_their_place(bad):
    x, y, _ = _data(30, 10, n_targets=7)
    y[4, 5] = bad
    with pytest.raises(DataError, match=r"responses of 1 .*positions 5"), np.errstate(invalid="ignore"):
        fit_ridge(x, y, ALPHAS)
    x[3, 3] = bad
    with pytest.raises(DataError, match="features are not finite"), np.errstate(invalid="ignore"):
        decompose(x)


@pytest.mark.parametrize(
    ("changed", "error", "message"),
    [
        ({"alphas": []}, ConfigError, r"positive, finite numbers, got \[\]"),
        ({"alphas": [1.0, 0.0]}, ConfigError, "positive, finite"),
        ({"alphas": [1.0, np.inf]}, ConfigError, "positive, finite"),
        ({"alphas": 3.0}, ConfigError, "a list"),
        ({"cv": 31}, ConfigError, "from 2 to 30 .* got 31"),
        ({"cv": 1}, ConfigError, "got 1"),
        ({"cv": "gcv"}, ConfigError, "got 'gcv'"),
        ({"unpredictable": "zero"}, ConfigError, "'mean' or 'published', got 'zero'"),
        ({"y": np.zeros((29, 2))}, DataError, "30 stimuli, but responses to 29"),
        ({"x": np.zeros((1, 5)), "y": np.zeros((1, 2))}, DataError, "at least 2"),
        ({"x": np.zeros((30, 0))}, DataError, r"the shape \(30, 0\)"),
    ],
)
def test_what_cannot_be_fitted_is_refused(changed, error, message):
    x, y, _ = _data(30, 5)
    with pytest.raises(error, match=message):
        fit_ridge(**({"x": x, "y": y, "alphas": ALPHAS} | changed))


def test_a_small_alpha_does_not_amplify_the_rounding_of_null_directions():
    x, y, x_test = _data(30, 5)
    tiny = fit_ridge(x, y, [1e-12]).predict(x_test)
    least_squares = np.linalg.lstsq(np.c_[np.ones(30), x], y, rcond=None)[0]
    assert np.abs(tiny - np.c_[np.ones(20), x_test] @ least_squares).max() < 1e-9


@pytest.mark.parametrize("p", [4, 20, 60])
def test_a_unit_that_dwarfs_the_others_hides_none_of_them(p):
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


@pytest.mark.parametrize("shape", [(30, 90), (30, 8)])
def test_an_offset_of_units_and_responses_changes_nothing(shape):
    x, y, x_test = _data(*shape)
    plain, moved = fit_ridge(x, y, ALPHAS), fit_ridge(x + 1e5, y + 1e5, ALPHAS)
    np.testing.assert_array_equal(plain.alpha, moved.alpha)
    np.testing.assert_allclose(moved.predict(x_test + 1e5) - 1e5, plain.predict(x_test), rtol=0, atol=1e-8)


@pytest.mark.parametrize("shape", [(30, 50), (30, 8)])
def test_blocks_of_targets_change_nothing(monkeypatch, shape):
    x, y, _ = _data(*shape, n_targets=7)
    whole, folds = loo_errors(decompose(x), y, ALPHAS), kfold_errors(x, y, ALPHAS, 4, 0)
    monkeypatch.setattr("auralign.estimators.numerics.ridge_errors.BLOCK", 2)
    np.testing.assert_allclose(loo_errors(decompose(x), y, ALPHAS), whole, rtol=1e-13)
    np.testing.assert_allclose(kfold_errors(x, y, ALPHAS, 4, 0), folds, rtol=1e-13)


def test_responses_in_single_precision_are_solved_in_double():
    x, y, x_test = _data(30, 90)
    y = y.astype(np.float32)
    single, double = (predict_ridge(x, values, x_test, ALPHAS) for values in (y, y.astype(np.float64)))
    np.testing.assert_array_equal(single.prediction, double.prediction)


def test_estimator_follows_scikit_learn():
    check_estimator(RidgeExact())


def test_estimator_gives_the_fit_of_the_function_for_one_and_for_many_targets():
    x, y, x_test = _data(30, 90)
    fit = fit_ridge(x, y, ALPHAS, unpredictable="published")
    many = RidgeExact(alphas=ALPHAS, unpredictable="published").fit(x, y)
    one = RidgeExact(alphas=ALPHAS, unpredictable="published").fit(x, y[:, 1])
    np.testing.assert_allclose(many.predict(x_test), fit.predict(x_test), rtol=0, atol=1e-12)
    np.testing.assert_allclose(one.predict(x_test), fit.predict(x_test)[:, 1], rtol=0, atol=1e-12)
    np.testing.assert_array_equal(many.r2_dev_, fit.r2_dev)
    assert (one.alpha_, one.r2_dev_) == (fit.alpha[1], pytest.approx(fit.r2_dev[1], abs=1e-13))


def test_julearn_runs_it_by_name():
    register_model("ridge_exact", regression_cls=RidgeExact, overwrite=True)
    assert isinstance(get_model("ridge_exact", "regression"), RidgeExact)
    x, y, _ = _data(30, 40)
    table = pd.DataFrame(x, columns=[f"f{i}" for i in range(40)]).assign(y=y[:, 0])
    splits = list(KFold(3).split(x))
    scores = run_cross_validation(
        X=["f.*"],
        y="y",
        X_types={"continuous": ["f.*"]},
        data=table,
        model="ridge_exact",
        # one candidate that is a list of alphas: a plain list would become a grid search of julearn's
        model_params={"ridge_exact__alphas": [list(ALPHAS)]},
        problem_type="regression",
        cv=splits,
        scoring="r2",
    )
    for (train, test), score in zip(splits, scores["test_score"], strict=True):
        assert score == pytest.approx(RidgeCV(alphas=ALPHAS).fit(x[train], y[train, 0]).score(x[test], y[test, 0]))
