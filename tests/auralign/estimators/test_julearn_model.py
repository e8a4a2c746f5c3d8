"""julearn's models by name: equal to julearn's own cross-validation with the same words."""

import numpy as np
import pandas as pd
import pytest
from julearn import run_cross_validation
from julearn.models import get_model
from pydantic import ValidationError
from sklearn.model_selection import KFold, ShuffleSplit

from auralign.estimators.registry import options_of, predict
from auralign.estimators.ridge import RidgeExact
from auralign.questions.encoding.engines import ENGINES
from auralign.questions.preparation import Preparation

WORDS = {
    "model": "svm",
    "preprocess": ["zscore", "pca"],
    "model_params": {"svm__C": [0.1, 1.0, 10.0], "svm__kernel": "rbf", "pca__n_components": [2, 6]},
}


@pytest.fixture(scope="module")
def data():
    random = np.random.default_rng(0)
    x = random.standard_normal((60, 8)) * np.arange(1, 9) + 2.0
    y = x[:, :3] @ random.standard_normal((3, 2)) + 0.5 * random.standard_normal((60, 2))
    return x, y, list(ShuffleSplit(2, train_size=40, test_size=20, random_state=0).split(x))


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize(
    "search",
    [{"kind": "grid", "scoring": "neg_mean_squared_error"}, {"kind": "random", "n_iter": 3, "random_state": 1}],
)
def test_equal_to_julearn(data, engine, search):
    x, y, splits = data
    options = options_of({"kind": "julearn", **WORDS, "search_params": {**search, "cv": 4}, "seed": 5})
    # without steps that centre, which a support vector machine feels within its tolerance
    ours = ENGINES[engine](x, y, splits, options, Preparation(center_x=False, center_y=False))
    table = pd.DataFrame(x, columns=[f"f{n}" for n in range(8)]).assign(response=y[:, 0])
    for split, result in zip(splits, ours, strict=True):
        theirs = run_cross_validation(
            X=["f.*"],
            y="response",
            X_types={"continuous": ["f.*"]},
            data=table,
            problem_type="regression",
            **WORDS,
            search_params={**search, "cv": KFold(4, shuffle=True, random_state=5)},
            cv=[split],
            scoring=["r2"],
            return_estimator="cv",
        )
        assert result.r2[0] == pytest.approx(theirs["test_r2"].iloc[0], abs=1e-12)
        best = theirs["estimator"].iloc[0].best_params_
        assert result.params[0] == f'{{"pca__n_components": {best["pca__n_components"]}, "svm__C": {best["svm__C"]}}}'
        assert np.isnan(result.alpha).all() and (result.r2_dev > 0).all()


def test_our_own_solvers_are_known_to_julearn(data):
    x, y, splits = data
    assert isinstance(get_model("ridge_exact", "regression"), RidgeExact)
    settings = {"kind": "julearn", "model": "ridge_exact", "model_params": {"ridge_exact__alphas": [[0.1, 10.0, 1e3]]}}
    development, test = splits[0]
    found = predict(x[development], y[development], x[test], options_of(settings))
    model = RidgeExact([0.1, 10.0, 1e3]).fit(x[development], y[development])
    assert np.array_equal(found.alpha, model.alpha_)
    assert np.abs(found.prediction - model.predict(x[test])).max() < 1e-12


def test_a_penalty_that_was_searched_is_the_alpha(data):
    x, y, _ = data
    settings = {"kind": "julearn", "model": "ridge", "model_params": {"ridge__alpha": [0.1, 10.0]}, "cv": "loo"}
    options = options_of({**settings, "search_params": {"scoring": "neg_mean_squared_error"}})
    found = predict(x[:30], y[:30], x[30:], options)
    assert [{"ridge__alpha": alpha} for alpha in found.alpha] == list(found.params)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"model": "svn"}, "model: 'svn' is not known to julearn. Did you mean svm"),
        ({"preprocess": ["zscre"]}, "preprocess: 'zscre' is not known to julearn. Did you mean zscore"),
        (
            {"model_params": {"C": [1, 2]}},
            "give STEP__PARAMETER with one of the steps zscore, pca, svm, such as svm__C",
        ),
        ({"model_params": {"svm__c": 2}}, "julearn cannot make this model: "),
        ({"model_params": {"svm__c": [1, 2]}}, r"svm__c: there is no parameter .* Did you mean svm__C"),
        ({"model_params": {"svm__C": []}}, "svm__C: an empty list"),
        ({"search_params": {"kind": "gird"}}, "julearn cannot make this model: "),
        ({"search_params": {"cv": 3}, "cv": 4}, "given twice, here and in search_params"),
        ({"cv": "loo"}, "r2 .* is not defined for a single stimulus left out"),
    ],
)
def test_mistakes_are_named(change, message):
    with pytest.raises(ValidationError, match=message):
        options_of({"kind": "julearn", **WORDS, **change})


def test_the_folds_of_search_params_are_the_inner_folds():
    options = options_of({"kind": "julearn", **WORDS, "search_params": {"cv": 3, "kind": "grid"}})
    assert (options.cv, options.search_params) == (3, {"kind": "grid"})
    assert options_of(options.model_dump()) == options
