"""Any scikit-learn regressor by name: equal to scikit-learn itself, and what results note of it."""

import numpy as np
import pytest
from pydantic import ValidationError
from sklearn.cross_decomposition import PLSRegression
from sklearn.ensemble import RandomForestRegressor
from sklearn.linear_model import Ridge
from sklearn.model_selection import GridSearchCV, KFold, ShuffleSplit, cross_val_predict
from sklearn.svm import SVR

from auralign.errors import DataError
from auralign.estimators.registry import abilities, fit, options_of, predict

SVM = {"kind": "sklearn", "estimator": "sklearn.svm.SVR", "grid": {"C": [0.1, 1.0, 10.0], "gamma": ["scale", 0.01]}}


@pytest.fixture(scope="module")
def data():
    random = np.random.default_rng(0)
    x = random.standard_normal((60, 12))
    y = x[:, :3] @ random.standard_normal((3, 2)) + 0.5 * random.standard_normal((60, 2))
    return x[:40], y[:40], x[40:]


def test_a_grid_is_searched_as_scikit_learn_does(data):
    x, y, x_test = data
    found = predict(x, y, x_test, options_of({**SVM, "cv": 4, "seed": 3}))
    folds = list(KFold(4, shuffle=True, random_state=3).split(x))
    for target in range(2):
        search = GridSearchCV(SVR(), SVM["grid"], scoring="neg_mean_squared_error", cv=folds).fit(x, y[:, target])
        assert found.params[target] == search.best_params_
        assert np.array_equal(found.prediction[:, target], search.predict(x_test))
        of_mean = np.mean([((y[v, target] - y[t, target].mean()) ** 2).mean() for t, v in folds])
        assert found.r2_dev[target] == pytest.approx(1 + search.best_score_ / of_mean, abs=1e-12)
    assert np.isnan(found.alpha).all()


@pytest.mark.parametrize("scoring", ["neg_mean_squared_error", "r2"])
def test_the_score_inside_the_development_stimuli_is_that_of_what_was_chosen(data, scoring):
    x, y, x_test = data
    settings = {"kind": "sklearn", "estimator": "sklearn.linear_model.Ridge", "scoring": scoring, "cv": 4}
    found = predict(x, y, x_test, options_of({**settings, "grid": {"alpha": [0.1, 10.0, 1000.0]}}))
    folds = list(KFold(4, shuffle=True, random_state=0).split(x))
    for target in range(2):
        own = y[:, target]
        assert found.params[target] == {"alpha": found.alpha[target]}
        left_out = cross_val_predict(Ridge(found.alpha[target]), x, own, cv=folds)
        error = np.mean([((own[v] - left_out[v]) ** 2).mean() for _, v in folds])
        of_mean = np.mean([((own[v] - own[t].mean()) ** 2).mean() for t, v in folds])
        assert found.r2_dev[target] == pytest.approx(1 - error / of_mean, abs=1e-12)


def test_a_model_without_a_grid_is_taken_as_it_is(data):
    x, y, x_test = data
    settings = {"kind": "sklearn", "estimator": "sklearn.linear_model.RidgeCV", "params": {"alphas": [0.1, 1.0, 10.0]}}
    found = predict(x, y, x_test, options_of(settings))
    assert set(found.alpha) <= {0.1, 1.0, 10.0} and found.params == [{}, {}]


def test_what_is_random_is_drawn_with_the_seed(data):
    x, y, x_test = data
    settings = {"kind": "sklearn", "estimator": "sklearn.ensemble.RandomForestRegressor", "params": {"n_estimators": 5}}
    theirs = RandomForestRegressor(5, random_state=7).fit(x, y[:, 0]).predict(x_test)
    assert np.array_equal(predict(x, y, x_test, options_of({**settings, "seed": 7})).prediction[:, 0], theirs)


def test_one_model_for_all_targets(data):
    x, y, x_test = data
    settings = {"kind": "sklearn", "estimator": "sklearn.cross_decomposition.PLSRegression", "per_target": False}
    options = options_of({**settings, "params": {"n_components": 2}})
    assert abilities(options).joint and not abilities(options_of(SVM)).joint
    theirs = PLSRegression(2).fit(x, y)
    assert np.array_equal(predict(x, y, x_test, options).prediction, theirs.predict(x_test))


def test_any_splitter_may_stand_for_the_inner_folds(data):
    x, y, _ = data
    splitter = ShuffleSplit(3, test_size=10, random_state=1)
    ours = fit(x, y, options_of(SVM), splitter)
    theirs = GridSearchCV(SVR(), SVM["grid"], scoring="neg_mean_squared_error", cv=splitter).fit(x, y[:, 0])
    assert ours.params[0] == theirs.best_params_


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"estimator": "SVR"}, "'SVR' is not a dotted name, such as sklearn.svm.SVR"),
        ({"estimator": ".svm.SVR"}, "the module .svm cannot be imported"),
        ({"scoring": "r2", "cv": "loo"}, "scoring: r2 is not defined for a single stimulus left out"),
        ({"estimator": "sklearn.svn.SVR"}, "the module sklearn.svn cannot be imported"),
        ({"estimator": "sklearn.svm.SVX"}, "sklearn.svm has no class SVX. Did you mean SVR"),
        ({"estimator": "sklearn.svm.SVC", "grid": {}}, "sklearn.svm.SVC is not a regressor"),
        ({"params": {"c": 1}}, "params: sklearn.svm.SVR cannot be made with them"),
        ({"grid": {"c": [1]}}, r"grid.c: sklearn.svm.SVR has no parameter of that name; .* Did you mean C\?"),
        ({"grid": {"C": []}}, "at least 1 item"),
        ({"scoring": "r2_score"}, "'r2_score' is not a scorer of scikit-learn. Did you mean"),
    ],
)
def test_mistakes_are_named(change, message):
    with pytest.raises(ValidationError, match=message):
        options_of({**SVM, **change})


def test_what_a_model_refuses_is_said_in_its_words(data):
    x, y, _ = data
    settings = {"kind": "sklearn", "estimator": "sklearn.cross_decomposition.PLSRegression"}
    with pytest.raises(DataError, match=r"PLSRegression cannot be fitted: .*n_components"):
        fit(x, y, options_of({**settings, "params": {"n_components": 99}}))


def test_the_key_knows_the_version_of_the_package():
    assert "scikit-learn 1." in options_of(SVM).in_key()["code"]
