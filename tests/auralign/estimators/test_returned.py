"""What an estimator of somebody else gives back is looked at before it becomes a score."""

from types import SimpleNamespace

import numpy as np
import pytest

from auralign.errors import DataError
from auralign.estimators import registry
from auralign.estimators.face import PluginFace
from auralign.estimators.options import EstimatorOptions
from auralign.estimators.plugin import Can, LinearFit, Plugin

N, UNITS, TARGETS = 12, 4, 3
WRONG = {
    "nothing": ("NoneType without alpha", Can()),
    "no_score": ("without r2_dev", Can()),
    "score_of_others": (r"r2_dev of the shape \(\d,\); expected \(\d,\), a number per target", Can()),
    "transposed": (r"coef of the shape \(\d, 4\); expected \(4, \d\), units x targets", Can()),
    "no_weights": ("without coef", Can(sparse=True)),
    "no_params": ("without params", Can(params=True)),
    "params_of_one": ("params that are no list of . dictionaries", Can(params=True)),
    "not_a_number": (r"predicted \d+ of \d+ values as NaN or infinite", Can()),
    "wide": (r"a prediction of the shape \(12, \d\)", Can()),
    "short": (r"a prediction of the shape \(11, \d\)", Can()),
    "fails": ("failed: KeyError: 'gone'", Can()),
    "fails_to_predict": ("failed: ZeroDivisionError: no", Can()),
}


class Options(EstimatorOptions):
    how: str = ""


def _fit(x, y, options, cv, widths=None):
    n_targets = y.shape[1]
    coef = np.ones((UNITS, n_targets))
    good = LinearFit(coef, x.mean(axis=0), y.mean(axis=0), np.zeros(n_targets))

    def fail(x):
        raise ZeroDivisionError("no")

    def found(predict, **other):
        return SimpleNamespace(predict=predict, alpha=np.nan, r2_dev=np.zeros(n_targets), **other)

    if options.how == "fails":
        raise KeyError("gone")
    return {
        "nothing": None,
        "no_score": SimpleNamespace(predict=good.predict, alpha=1.0),
        "score_of_others": LinearFit(coef, good.x_mean, good.y_mean, np.zeros(n_targets + 1)),
        "transposed": found(good.predict, coef=coef.T, intercept=good.intercept),
        "no_weights": found(good.predict),
        "no_params": good,
        "params_of_one": LinearFit(coef, good.x_mean, good.y_mean, good.r2_dev, params={"k": 1}),
        "not_a_number": LinearFit(np.nan * coef, good.x_mean, good.y_mean, good.r2_dev),
        "wide": found(lambda x: np.tile(good.predict(x), 2)),
        "short": found(lambda x: good.predict(x)[1:]),
        "fails_to_predict": found(fail),
        "right": good,
    }[options.how]


@pytest.fixture
def make(monkeypatch):
    def made(how, can):
        plugin = Plugin("odd", Options, _fit, can)
        monkeypatch.setattr(registry, "plugin_of", lambda options: plugin)
        return Options(kind="odd", how=how)

    return made


@pytest.fixture
def data():
    random = np.random.default_rng(0)
    return random.standard_normal((N, UNITS)), random.standard_normal((N, TARGETS))


@pytest.mark.parametrize("how", WRONG)
def test_what_is_no_fit_is_refused_by_name(make, data, how):
    message, can = WRONG[how]
    x, y = data
    with pytest.raises(DataError, match=f"the estimator odd .*{message}"):
        registry.predict(x, y, x, make(how, can))


@pytest.mark.parametrize("how", WRONG)
def test_julearn_and_scikit_learn_are_not_given_it_either(make, data, how):
    message, can = WRONG[how]
    x, y = data
    options = make(how, can)
    face = PluginFace(registry.plugin_of(options), options)
    with pytest.raises(DataError, match=f"the estimator odd .*{message}"):
        face.fit(x, y[:, 0]).predict(x)


def test_what_is_right_passes(make, data):
    x, y = data
    options = make("right", Can())
    found = registry.predict(x, y, x, options)
    face = PluginFace(registry.plugin_of(options), options)
    np.testing.assert_allclose(face.fit(x, y).predict(x), found.prediction)
    assert face.fit(x, y[:, 0]).predict(x).shape == (N,)


def test_predictions_of_several_responses_are_counted(monkeypatch, data):
    def several(x, fits, x_test, cv, widths=None):
        return [SimpleNamespace(prediction=np.zeros(fits[0][0].shape), alpha=np.nan, r2_dev=0.0)]

    plugin = Plugin("odd", Options, _fit, Can(), several=several)
    monkeypatch.setattr(registry, "plugin_of", lambda options: plugin)
    x, y = data
    options = Options(kind="odd", how="right")
    assert len(registry.predict_several(x, [(y, options)], x)) == 1
    with pytest.raises(DataError, match="the estimator odd: `several` gave 1 predictions for 2 responses; it"):
        registry.predict_several(x, [(y, options), (y, options)], x)
