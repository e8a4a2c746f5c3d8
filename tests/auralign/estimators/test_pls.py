"""PLS against scikit-learn's PLSRegression, its power iterations run to the end, on the same folds."""

import numpy as np
import pytest
from sklearn.cross_decomposition import PLSRegression
from sklearn.model_selection import KFold
from sklearn.utils.estimator_checks import check_estimator

from auralign.errors import ConfigError
from auralign.estimators.pls import PLSExact, fit_pls, pls_weights

COUNTS = [1, 2, 3, 5, 8]


@pytest.fixture(scope="module")
def data():
    random = np.random.default_rng(3)
    x = random.standard_normal((55, 60)) / np.sqrt(np.arange(1, 61)) + 2.0
    y = 0.005 * (x[:, :6] @ random.standard_normal((6, 4)) + 0.5 * random.standard_normal((55, 4))) + 0.01
    return x[:40], y[:40], x[40:]


def _theirs(x, y, count):
    return PLSRegression(count, scale=False, tol=1e-26, max_iter=100_000).fit(x, y)


def _choose(x, y):
    """The number of components that scikit-learn's models choose, and their score on the folds."""
    errors, of_mean = np.zeros(len(COUNTS)), 0.0
    for train, held_out in KFold(4, shuffle=True, random_state=1).split(x):
        for number, count in enumerate(COUNTS):
            predicted = _theirs(x[train], y[train], count).predict(x[held_out]).reshape(len(held_out), -1)
            errors[number] += ((y[held_out] - predicted) ** 2).mean(axis=0).sum() / 4
        of_mean += ((y[held_out] - y[train].mean(axis=0)) ** 2).mean(axis=0).sum() / 4
    return COUNTS[errors.argmin()], 1 - errors.min() / of_mean


@pytest.mark.parametrize("together", [False, True], ids=["per target", "together"])
@pytest.mark.parametrize("count", COUNTS)
def test_every_number_of_components_equals_scikit_learn(data, count, together):
    x, y, x_test = data
    y = y if together else y[:, :1]
    ours = fit_pls(x, y, [count], per_target=not together)
    theirs = _theirs(x, y, count)
    assert np.abs(ours.predict(x_test) - theirs.predict(x_test).reshape(15, -1)).max() < 1e-8 * y.std()
    assert np.abs(ours.coef.T - theirs.coef_).max() < 1e-8 * np.abs(theirs.coef_).max()


def test_the_number_is_chosen_per_target(data):
    x, y, _ = data
    fit = fit_pls(x, y, COUNTS, cv=4, seed=1)
    for target in range(4):
        count, score = _choose(x, y[:, [target]])
        assert fit.params[target] == {"n_components": count}
        assert fit.r2_dev[target] == pytest.approx(score, abs=1e-8)
        alone = fit_pls(x, y[:, [target]], COUNTS, cv=4, seed=1)
        assert np.abs(alone.coef[:, 0] - fit.coef[:, target]).max() < 1e-12


def test_the_number_is_chosen_for_all_together(data):
    x, y, _ = data
    fit = fit_pls(x, y, COUNTS, per_target=False, cv=4, seed=1)
    assert {tuple(params.items()) for params in fit.params} == {(("n_components", _choose(x, y)[0]),)}


def test_more_components_than_the_rank_are_the_least_squares_fit():
    random = np.random.default_rng(1)
    x = random.standard_normal((30, 3)) @ random.standard_normal((3, 8))
    y = x @ random.standard_normal((8, 1)) + 0.1 * random.standard_normal((30, 1))
    rotations, _ = pls_weights(x - x.mean(axis=0), y - y.mean(axis=0), 8)
    assert rotations.shape == (8, 3)
    least_squares = np.linalg.lstsq(x - x.mean(axis=0), y - y.mean(axis=0), rcond=None)[0]
    assert np.abs(fit_pls(x, y, [8]).predict(x) - (x - x.mean(axis=0)) @ least_squares - y.mean()).max() < 1e-10


def test_a_constant_target_is_its_mean(data):
    x, y, x_test = data
    fit = fit_pls(x, np.column_stack([y[:, 0], np.full(40, 0.3)]), COUNTS)
    assert np.array_equal(fit.predict(x_test)[:, 1], np.full(15, 0.3)) and fit.r2_dev[1] == 0.0


def test_leave_one_out_is_what_refitting_gives(data):
    x, y, _ = data
    fit = fit_pls(x[:12], y[:12, :1], [2], cv="loo")
    errors, of_mean = 0.0, 0.0
    for left_out in range(12):
        rest = np.delete(np.arange(12), left_out)
        errors += (y[left_out, 0] - _theirs(x[rest], y[rest, 0], 2).predict(x[[left_out]]).item()) ** 2
        of_mean += (y[left_out, 0] - y[rest, 0].mean()) ** 2
    assert fit.r2_dev[0] == pytest.approx(1 - errors / of_mean, abs=1e-8)


def test_scikit_learns_own_checks():
    check_estimator(PLSExact())


def test_face_equals_function(data):
    x, y, x_test = data
    model, fit = PLSExact(COUNTS).fit(x, y), fit_pls(x, y, COUNTS)
    assert model.params_ == fit.params and np.isnan(model.alpha_)
    assert np.abs(model.predict(x_test) - fit.predict(x_test)).max() < 1e-14


@pytest.mark.parametrize("counts", [[], [0, 1], [1.5]])
def test_refuses_other_numbers(data, counts):
    with pytest.raises(ConfigError, match="pls: n_components must be a list of whole numbers from 1 on"):
        fit_pls(data[0], data[1], counts)
