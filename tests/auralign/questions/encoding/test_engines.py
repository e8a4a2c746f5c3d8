"""Both engines against a plain scikit-learn loop, and the absence of leakage."""

import numpy as np
import pytest
from sklearn.linear_model import LassoCV, RidgeCV
from sklearn.metrics import r2_score
from sklearn.model_selection import KFold, ShuffleSplit

from auralign.errors import ConfigError
from auralign.estimators.lasso import Lasso
from auralign.estimators.multitask_lasso import MultitaskLasso
from auralign.estimators.numerics import ridge_solver
from auralign.estimators.registry import of_single_repetition, options_of
from auralign.estimators.ridge import Ridge
from auralign.questions.encoding import engines
from auralign.questions.encoding.engines import ENGINES, choose_engine
from auralign.questions.preparation import Preparation, Removal

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
    for result, (development, test) in zip(ENGINES[engine](x, y, splits, RIDGE, Preparation()), splits, strict=True):
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
    for result, (development, test) in zip(ENGINES[engine](x, y, splits, LASSO, Preparation()), splits, strict=True):
        for target in range(3):
            folds = KFold(4, shuffle=True, random_state=2)
            model = LassoCV(eps=1e-2, n_alphas=15, cv=folds, tol=1e-10, max_iter=500_000)
            model.fit(x[development], y[development, target])
            assert result.alpha[target] == pytest.approx(model.alpha_, rel=1e-10)
            assert abs(r2_score(y[test, target], model.predict(x[test])) - result.r2[target]) < 1e-6


@pytest.mark.parametrize("estimator", [RIDGE, LASSO], ids=["ridge", "lasso"])
def test_engines_agree(study, estimator):
    x, y, splits = study
    results = [engine(x, y, splits, estimator, Preparation()) for engine in ENGINES.values()]
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
    before = ENGINES[engine](x, y, splits[:1], estimator, Preparation())[0]
    after = ENGINES[engine](x_shifted, y_shifted, splits[:1], estimator, Preparation())[0]
    np.testing.assert_array_equal(after.alpha, before.alpha)
    moved = after.prediction - before.prediction
    # a linear model that is unchanged moves every test prediction by the same shift' w
    assert np.ptp(moved, axis=0).max() < 1e-9
    assert np.abs(moved).max() > 1e-3
    assert not np.allclose(after.r2, before.r2)


def test_centring_in_the_configuration_changes_nothing_for_models_with_an_intercept(study):
    x, y, splits = study
    with_centring = ENGINES["julearn"](x, y, splits, RIDGE, Preparation())
    without = ENGINES["julearn"](x, y, splits, RIDGE, Preparation(center_x=False, center_y=False))
    for a, b in zip(with_centring, without, strict=True):
        assert np.abs(a.prediction - b.prediction).max() < 1e-12


def test_auto_takes_julearn_for_few_targets_and_multitarget_for_many():
    shared = Ridge(kind="ridge", per_target=False)
    assert choose_engine("auto", RIDGE, 6) == "julearn"
    assert choose_engine("auto", RIDGE, 600) == "multitarget"
    assert choose_engine("auto", shared, 6) == "multitarget"
    with pytest.raises(ConfigError, match="per_target"):
        choose_engine("julearn", shared, 6)


@pytest.mark.parametrize("estimator", [RIDGE, LASSO], ids=["ridge", "lasso"])
@pytest.mark.parametrize("apply_to", [("x",), ("y",), ("x", "y")], ids="+".join)
@pytest.mark.parametrize("widths", [None, (30, 70)], ids=["one", "two"])
@pytest.mark.parametrize("zscore", [False, True], ids=["", "zscore"])
def test_engines_agree_on_confounds_joined_sets_and_scaling(study, estimator, apply_to, widths, zscore):
    if estimator is LASSO and widths is not None:
        pytest.skip("joined sets are for ridge")
    x, y, splits = study
    removal = Removal(np.random.default_rng(5).standard_normal((60, 2)) + x[:, :2], apply_to)
    preparation = Preparation(removal=removal, widths=widths, zscore=zscore)
    ours, theirs = (ENGINES[name](x, y, splits[:2], estimator, preparation) for name in ("multitarget", "julearn"))
    for a, b in zip(ours, theirs, strict=True):
        assert np.abs(a.prediction - b.prediction).max() < 1e-10 * y.std()
        for score in ("r2", "r2_corr", "r2_dev"):
            assert np.abs(getattr(a, score) - getattr(b, score)).max() < 1e-8


def test_confounds_are_removed_with_the_development_stimuli_only(study):
    """Features that are nothing but a confound predict nothing once it is removed."""
    _, y, splits = study
    confound = y[:, :1] + 0.001 * np.random.default_rng(1).standard_normal((60, 1))
    with_it = ENGINES["multitarget"](confound, y, splits, RIDGE, Preparation())
    without = ENGINES["multitarget"](confound, y, splits, RIDGE, Preparation(removal=Removal(confound, ("x", "y"))))
    assert min(result.r2_corr[0] for result in with_it) > 0.8
    assert max(result.r2_corr[0] for result in without) < 0.2


@pytest.mark.parametrize("estimator", [RIDGE, LASSO], ids=["ridge", "lasso"])
def test_z_scored_units_are_those_of_the_development_stimuli(study, estimator):
    x, y, splits = study
    x = x * np.linspace(1, 50, 100)
    x[:, 7] = 3.0  # a constant unit stays out
    development, _ = splits[0]
    by_hand = x / np.where(x[development].std(axis=0) > 0, x[development].std(axis=0), 1.0)
    expected = ENGINES["multitarget"](by_hand, y, splits[:1], estimator, Preparation())[0]
    for engine in ENGINES.values():
        result = engine(x, y, splits[:1], estimator, Preparation(zscore=True))[0]
        assert np.abs(result.prediction - expected.prediction).max() < 1e-10 * y.std()


def test_development_score_is_the_leave_one_out_score(study):
    x, y, splits = study
    for engine in ENGINES.values():
        result = engine(x, y, splits[:1], RIDGE, Preparation())[0]
        development = splits[0][0]
        for target in range(3):
            model = RidgeCV(alphas=[result.alpha[target]], store_cv_results=True)
            model.fit(x[development], y[development, target])
            # scikit-learn stores squared errors of the stimulus left out; the mean of the others is the other model
            values, n = y[development, target], len(development)
            null = ((values - values.mean()) ** 2).sum() * n / (n - 1) ** 2
            loo = []
            for left_out in range(n):
                rest = np.delete(np.arange(n), left_out)
                fold = RidgeCV(alphas=[result.alpha[target]]).fit(x[development][rest], values[rest])
                loo.append((values[left_out] - fold.predict(x[development][[left_out]])[0]) ** 2)
            assert result.r2_dev[target] == pytest.approx(1 - np.mean(loo) / null, abs=1e-9)


def test_selected_units_and_weights_make_the_prediction(study):
    x, y, splits = study
    development, test = splits[0]
    joint = MultitaskLasso(kind="multitask_lasso", n_alphas=15, eps=1e-2, cv=4)
    runs = [(name, ENGINES[name], LASSO) for name in ENGINES] + [("joint", ENGINES["multitarget"], joint)]
    for name, engine, estimator in runs:
        result = engine(x, y, splits[:1], estimator, Preparation())[0]
        for target, (units, weights) in enumerate(result.selected):
            assert 0 < len(units) < 40
            centred = x[test][:, units] - x[development][:, units].mean(axis=0)
            by_hand = centred @ weights + y[development, target].mean()
            assert np.abs(by_hand - result.prediction[:, target]).max() < 1e-12
        if name == "joint":
            assert all(np.array_equal(units, result.selected[0][0]) for units, _ in result.selected)


def test_joint_estimators_need_the_multitarget_engine():
    joint = MultitaskLasso(kind="multitask_lasso")
    assert choose_engine("auto", joint, 1) == "multitarget"
    assert choose_engine("auto", RIDGE, 6, confounds=True) == "multitarget"
    with pytest.raises(ConfigError, match="multitask_lasso fit all together"):
        choose_engine("julearn", joint, 1)


def test_the_mean_and_its_repetitions_share_the_decomposition_of_a_split(monkeypatch):
    """And are what each gives by itself."""
    random = np.random.default_rng(0)
    x, y = random.standard_normal((30, 8)), random.standard_normal((30, 5, 3))
    y[:, 2] = 1.0  # a constant target
    splits = [(np.arange(18), np.arange(18, 30)), (np.arange(12, 30), np.arange(12))]
    estimator, calls = options_of("ridge"), []
    original = ridge_solver.decompose
    monkeypatch.setattr(ridge_solver, "decompose", lambda x: calls.append(1) or original(x))
    found = list(engines.run_repetitions(x, y, splits, estimator, Preparation()))
    assert len(calls) == len(splits)
    of_mean = engines.run_multitarget(x, y.mean(axis=2), splits, estimator, Preparation())
    for number, (result, data, predicted) in enumerate(found):
        np.testing.assert_allclose(result.prediction, of_mean[number].prediction, rtol=0, atol=1e-13)
        np.testing.assert_array_equal(data, y[splits[number][0]])
        for repetition in range(3):
            single = of_single_repetition(estimator)
            alone = engines.run_multitarget(x, y[:, :, repetition], splits, single, Preparation())[number]
            np.testing.assert_allclose(predicted[:, :, repetition], alone.prediction, rtol=0, atol=1e-13)
