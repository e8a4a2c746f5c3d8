"""Banded ridge against ridge on features scaled by hand, and what a useless band may cost."""

import numpy as np
import pytest
from sklearn.linear_model import Ridge
from sklearn.model_selection import GroupKFold, KFold, ShuffleSplit

from auralign.estimators.banded_ridge import (
    BandedRidgeExact,
    band_scales,
    fit_banded_ridge,
    predict_banded_ridge,
    shares,
)
from auralign.estimators.ridge import predict_ridge
from auralign.scoring.scores import r2

ALPHAS = np.logspace(-3, 4, 8)
WIDTHS = (30, 200)


@pytest.fixture
def data():
    random = np.random.default_rng(0)
    x = random.standard_normal((100, sum(WIDTHS)))
    x[:, :30] *= 1e-3  # units of the two bands differ by far
    y = np.column_stack(
        [
            1e3 * x[:, :5].sum(axis=1) + random.standard_normal(100),  # of the first band
            x[:, 30:40].sum(axis=1) + random.standard_normal(100),  # of the second
            1e3 * x[:, 0] + x[:, 30] + 0.3 * random.standard_normal(100),  # of both
            random.standard_normal(100),  # of none
        ]
    )
    return x[:60], y[:60], x[60:], y[60:]


def test_shares_are_the_lattice_with_its_corners():
    two, three = shares(2), shares(3)
    assert two[:, 0].tolist() == [i / 6 for i in range(7)]
    assert len(three) == 28  # 8 choose 2
    np.testing.assert_allclose(three.sum(axis=1), 1.0, atol=1e-15)
    assert np.isclose(three, [0, 1, 0]).all(axis=1).any()


def test_a_band_has_total_variance_one_after_scaling(data):
    x = data[0]
    scales = band_scales(x, WIDTHS)
    for part, scale in zip(np.split(x, [30], axis=1), scales, strict=True):
        assert (part * scale).var(axis=0).sum() == pytest.approx(1.0, abs=1e-12)
    assert band_scales(np.ones((5, 3)), (1, 2)).tolist() == [0.0, 0.0]


def test_equals_the_best_of_ridges_on_features_scaled_by_hand(data):
    x, y, x_test, _ = data
    got = predict_banded_ridge(x, y, x_test, WIDTHS, ALPHAS)
    candidates = []
    for share in [(i / 6, 1 - i / 6) for i in range(7)]:
        factors = np.repeat(np.sqrt(share) / [np.sqrt(b.var(axis=0).sum()) for b in np.split(x, [30], axis=1)], WIDTHS)
        candidates.append((predict_ridge(x * factors, y, x_test * factors, ALPHAS), factors))
    for target in range(4):
        best, factors = max(candidates, key=lambda candidate: candidate[0].r2_dev[target])
        assert got.r2_dev[target] == pytest.approx(best.r2_dev[target], abs=1e-12)
        if np.isfinite(best.alpha[target]):
            model = Ridge(alpha=best.alpha[target]).fit(x * factors, y[:, target])
            assert np.abs(model.predict(x_test * factors) - got.prediction[:, target]).max() < 1e-8


def test_finds_what_either_band_predicts(data):
    x, y, x_test, y_test = data
    joint = r2(y_test, predict_banded_ridge(x, y, x_test, WIDTHS, ALPHAS).prediction)
    first = r2(y_test, predict_ridge(x[:, :30] * 1e3, y, x_test[:, :30] * 1e3, ALPHAS).prediction)
    second = r2(y_test, predict_ridge(x[:, 30:], y, x_test[:, 30:], ALPHAS).prediction)
    # what one band alone predicts is not lost by the other beside it; what needs both is better than either
    assert joint[0] > first[0] - 0.05 > second[0]
    assert joint[1] > second[1] - 0.05 > first[1]
    assert joint[2] > max(first[2], second[2])


def test_units_of_a_band_do_not_matter(data):
    x, y, x_test, _ = data
    factors = np.repeat([1e5, 1e-4], WIDTHS)
    before = predict_banded_ridge(x, y, x_test, WIDTHS, ALPHAS).prediction
    after = predict_banded_ridge(x * factors, y, x_test * factors, WIDTHS, ALPHAS).prediction
    assert np.abs(after - before).max() < 1e-9


def test_weights_give_the_predictions(data):
    x, y, x_test, _ = data
    for per_target in (True, False):
        fit = fit_banded_ridge(x, y, WIDTHS, ALPHAS, per_target=per_target)
        prediction = predict_banded_ridge(x, y, x_test, WIDTHS, ALPHAS, per_target=per_target)
        assert np.abs(x_test @ fit.coef + fit.intercept - prediction.prediction).max() < 1e-10
        assert len(np.unique(fit.alpha)) > 1 or not per_target
    model = BandedRidgeExact(list(WIDTHS), ALPHAS).fit(x, y[:, 0])
    single = predict_banded_ridge(x, y[:, :1], x_test, WIDTHS, ALPHAS).prediction[:, 0]
    assert np.abs(model.predict(x_test) - single).max() < 1e-10


@pytest.mark.parametrize("cv", ["loo", "folds"])
def test_one_alpha_and_one_choice_of_shares_minimise_the_same_pooled_error(cv):
    # a loud target that the first band predicts, three quiet ones of the second: by the mean r2_dev the second band
    # would win, by the pooled squared error, which chooses alpha, the first
    random = np.random.default_rng(1)
    widths, n = (8, 12), 24
    x = random.standard_normal((n, sum(widths)))
    quiet = x[:, 8:] @ random.standard_normal((12, 3)) + 0.1 * random.standard_normal((n, 3))
    y = np.column_stack([20 * x[:, :8].sum(axis=1) + 20 * random.standard_normal(n), quiet])
    alphas = np.array([1e-2, 1e-1, 1.0, 10.0])
    folds = list(KFold(n).split(x)) if cv == "loo" else list(GroupKFold(4).split(x, groups=np.arange(n) ** 2 % 11))
    candidates = []
    for share in shares(2):
        factors = np.repeat(np.sqrt(share) * band_scales(x, widths), widths)
        for alpha in alphas:
            errors = [
                ((Ridge(alpha=alpha).fit(x[a] * factors, y[a]).predict(x[b] * factors) - y[b]) ** 2).mean(axis=0)
                for a, b in folds
            ]
            candidates.append((np.mean(errors, axis=0), alpha, factors))
    null = np.mean([((y[b] - y[a].mean(axis=0)) ** 2).mean(axis=0) for a, b in folds], axis=0)
    error, alpha, factors = min(candidates, key=lambda candidate: candidate[0].sum())
    by_r2, *_ = max(candidates, key=lambda candidate: (1 - candidate[0] / null).mean())
    assert by_r2.sum() > 1.05 * error.sum()  # the two criteria disagree here
    options = {"per_target": False, "cv": cv if cv == "loo" else folds}
    fit = fit_banded_ridge(x, y, widths, alphas, **options)
    prediction = predict_banded_ridge(x, y, x, widths, alphas, **options)
    assert set(fit.alpha) == {alpha}
    np.testing.assert_allclose(fit.error, error, rtol=1e-8)
    np.testing.assert_allclose(fit.r2_dev, 1 - error / null, rtol=1e-8)
    model = Ridge(alpha=alpha).fit(x * factors, y)
    np.testing.assert_allclose(fit.coef, (model.coef_ * factors).T, atol=1e-8)
    np.testing.assert_allclose(prediction.prediction, model.predict(x * factors), atol=1e-8)
    np.testing.assert_array_equal(prediction.error, fit.error)


def test_all_shares_meet_the_same_folds(data):
    x, y, x_test, _ = data
    folds = list(ShuffleSplit(3, test_size=20, random_state=4).split(x))
    expected = predict_banded_ridge(x, y, x_test, WIDTHS, ALPHAS, cv=folds)
    for cv in (iter(folds), ShuffleSplit(3, test_size=20, random_state=np.random.RandomState(4))):
        got = predict_banded_ridge(x, y, x_test, WIDTHS, ALPHAS, cv=cv)
        np.testing.assert_array_equal(got.prediction, expected.prediction)
        np.testing.assert_array_equal(got.r2_dev, expected.r2_dev)
