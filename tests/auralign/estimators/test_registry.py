"""Estimators by name, by entry point and by file."""

import pickle
import subprocess
import sys
import tomllib
from importlib.metadata import EntryPoint

import numpy as np
import pytest
from pydantic import ValidationError
from sklearn.base import clone

from auralign.errors import ConfigError
from auralign.estimators import registry
from auralign.estimators.options import EstimatorOptions
from auralign.estimators.plugin import Can, Plugin
from auralign.questions.fingerprint import fingerprint

MINE = '''
"""The mean of the nearest development stimuli."""

from typing import Literal

import numpy as np

from auralign.estimators.numerics.decomposition import EPS
from auralign.estimators.options import EstimatorOptions
from auralign.estimators.plugin import Can, LinearFit, Plugin


class Scaled(EstimatorOptions):
    kind: Literal["scaled_mean"]
    factor: float = 1.0


def fit(x, y, options, cv, widths=None):
    n_units, n_targets = x.shape[1], y.shape[1]
    mean = options.factor * y.mean(axis=0)
    return LinearFit(np.zeros((n_units, n_targets)), x.mean(axis=0), mean, np.zeros(n_targets))


PLUGIN = Plugin("scaled_mean", Scaled, fit, Can())
'''


@pytest.fixture
def mine(tmp_path):
    file = tmp_path / "mine.py"
    file.write_text(MINE, encoding="utf-8")
    return {"kind": "scaled_mean", "file": "mine.py", "factor": 2.0}


def test_pyproject_registers_what_is_shipped(root):
    project = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))
    file = project["tool"]["setuptools"]["dynamic"]["entry-points"]["file"]
    assert root / file == root / "auralign" / "estimators" / registry.SHIPPED_FILE
    assert "entry-points" in project["project"]["dynamic"]


@pytest.mark.parametrize("kind", registry.shipped())
def test_everything_shipped_can_be_had_and_says_what_it_does(kind):
    plugin = registry.get(kind)
    assert plugin.name == kind and plugin.options.__doc__ and plugin.words is not None
    settings = {"sklearn": {"estimator": "sklearn.svm.SVR"}, "julearn": {"model": "svm"}}.get(kind, {})
    options = registry.options_of({"kind": kind, **settings})
    assert registry.options_of(options.model_dump(mode="json")) == options
    assert plugin.words(options) and isinstance(registry.abilities(options), Can)
    clone(registry.face(options))
    assert pickle.loads(pickle.dumps(options)) == options


def test_a_name_alone_gives_the_defaults():
    assert registry.options_of("lasso").n_alphas == 50


def test_models_of_other_libraries_may_be_given_in_short():
    long = {"kind": "sklearn", "estimator": "sklearn.svm.SVR", "grid": {"C": [0.1, 1.0]}}
    assert registry.options_of({"sklearn": "sklearn.svm.SVR", "grid": {"C": [0.1, 1.0]}}) == registry.options_of(long)
    named = registry.options_of({"julearn": "svm", "cv": 3})
    assert named == registry.options_of({"kind": "julearn", "model": "svm", "cv": 3})
    with pytest.raises(ValidationError, match="of one library: give sklearn or julearn"):
        registry.options_of({"sklearn": "sklearn.svm.SVR", "julearn": "svm"})
    with pytest.raises(ValidationError, match="says the same as `julearn`"):
        registry.options_of({"julearn": "svm", "model": "ridge"})


@pytest.mark.parametrize(
    ("settings", "place", "message"),
    [
        ({"kind": "rigde"}, ("kind",), "'rigde' is not an estimator; there are 'ridge', .* Did you mean ridge"),
        ({"kind": 3}, ("kind",), "must be a name"),
        ({"alphas": [1]}, ("kind",), "an estimator needs `kind`, its name"),
        (3, (), "an estimator is a mapping with the key `kind`"),
        ({"kind": "lasso", "alpha": 1}, ("alpha",), "Extra inputs"),
    ],
)
def test_mistakes_have_a_place(settings, place, message):
    with pytest.raises(ValidationError, match=message) as error:
        registry.options_of(settings)
    assert error.value.errors()[0]["loc"] == place


def test_a_package_registers_its_own(monkeypatch):
    plugin = Plugin("theirs", EstimatorOptions, lambda x, y, options, cv, widths: None)
    monkeypatch.setitem(sys.modules, "their_package", type(sys)("their_package"))
    sys.modules["their_package"].PLUGIN = plugin
    entries = [EntryPoint("theirs", "their_package:PLUGIN", registry.GROUP)]
    monkeypatch.setattr(registry, "entry_points", lambda group: entries)
    look = registry.registered.__wrapped__
    known = look()
    assert known["theirs"] == "their_package:PLUGIN" and known["ridge"] == "auralign.estimators.ridge:PLUGIN"
    monkeypatch.setattr(registry, "registered", lambda: known)
    assert registry.get.__wrapped__("theirs") is plugin
    entries.append(EntryPoint("ridge", "other:PLUGIN", registry.GROUP))
    with pytest.raises(ConfigError, match="two packages register kind: ridge"):
        look()


@pytest.mark.parametrize(
    ("place", "message"), [("no_such_module:PLUGIN", "cannot be had"), ("auralign.errors:did_you_mean", "no Plugin")]
)
def test_a_registration_that_leads_nowhere_is_named(monkeypatch, place, message):
    monkeypatch.setattr(registry, "registered", lambda: {"odd": place})
    with pytest.raises(ConfigError, match=f"kind: odd is registered as {place}, which .*{message}"):
        registry.get.__wrapped__("odd")


def test_a_file_brings_an_estimator(mine, tmp_path):
    options = registry.options_of(mine, tmp_path)
    assert options.file == tmp_path / "mine.py" and options.factor == 2.0
    found = registry.predict(np.ones((4, 3)), np.full((4, 2), 1.5), np.ones((2, 3)), options)
    assert np.array_equal(found.prediction, np.full((2, 2), 3.0)) and np.isnan(found.alpha).all()
    assert registry.options_of(options.model_dump(mode="json")) == options


def test_the_key_of_a_file_is_its_content(mine, tmp_path):
    options = registry.options_of(mine, tmp_path)
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "mine.py").write_text(MINE, encoding="utf-8")
    assert fingerprint(registry.options_of(mine, tmp_path / "elsewhere")) == fingerprint(options)
    (tmp_path / "mine.py").write_text(MINE.replace("np.zeros(n_targets)", "np.ones(n_targets)"), encoding="utf-8")
    other = registry.options_of(mine, tmp_path)
    assert fingerprint(other) != fingerprint(options)
    assert registry.fit(np.ones((4, 3)), np.ones((4, 2)), other).r2_dev.tolist() == [1.0, 1.0]


def test_another_process_loads_the_file(mine, tmp_path):
    (tmp_path / "options.pkl").write_bytes(pickle.dumps(registry.options_of(mine, tmp_path)))
    code = "import pickle, sys; print(pickle.load(open(sys.argv[1], 'rb')).factor)"
    command = [sys.executable, "-c", code, str(tmp_path / "options.pkl")]
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip() == "2.0"
    (tmp_path / "mine.py").write_text(MINE + "\n", encoding="utf-8")
    failed = subprocess.run(command, capture_output=True, text=True, check=False).stderr
    assert "mine.py: the file has changed since the run began. Start the run again." in failed


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (None, "cannot be read: No such file"),
        ("x = 1", "has no Plugin of the name 'scaled_mean'; there is none"),
        (MINE.replace('Plugin("scaled', 'Plugin("scald'), "there are 'scald_mean'. Did you mean scald_mean"),
        ("import nothing_of_that_name", "cannot be run: ModuleNotFoundError"),
        ("def", "cannot be run: SyntaxError"),
    ],
)
def test_mistakes_of_a_file_are_named(mine, tmp_path, text, message):
    if text is None:
        (tmp_path / "mine.py").unlink()
    else:
        (tmp_path / "mine.py").write_text(text, encoding="utf-8")
    with pytest.raises(ValidationError, match=message) as error:
        registry.options_of(mine, tmp_path)
    assert error.value.errors()[0]["loc"] == ("file",)


def test_a_file_does_not_take_the_name_of_what_is_registered(mine, tmp_path):
    with pytest.raises(ValidationError, match=r"kind: ridge is registered as auralign.estimators.ridge:PLUGIN; give"):
        registry.options_of({"kind": "ridge", "file": "mine.py"}, tmp_path)
