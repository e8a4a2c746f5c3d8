"""Configurations: what is allowed, and that every mistake is named."""

from pathlib import Path

import numpy as np
import pytest

from auralign.config.reading import read_config
from auralign.errors import ConfigError

MINIMAL = """
name: minimal
features: {a: {table: a.tsv}}
targets: {kind: components, dataset: ../data}
splits: {kind: shuffle, train_size: 83, test_size: 82}
estimators: {ridge: {kind: ridge}}
"""


def _write(folder: Path, text: str) -> Path:
    path = folder / "config.yml"
    path.write_text(text, encoding="utf-8")
    return path


def test_paths_are_relative_to_the_file(tmp_path, monkeypatch):
    monkeypatch.chdir(Path("/"))
    config = read_config(_write(tmp_path, MINIMAL))
    assert config.features["a"].table == tmp_path.resolve() / "a.tsv"
    assert config.targets.dataset == tmp_path.resolve().parent / "data"


def test_logspace_expands_to_alphas(tmp_path):
    text = MINIMAL.replace("{kind: ridge}", "{kind: ridge, alphas: {logspace: [-3, 8, 12]}}")
    np.testing.assert_allclose(read_config(_write(tmp_path, text)).estimators["ridge"].alphas, np.logspace(-3, 8, 12))


def test_the_example_of_the_contract_is_valid(tmp_path):
    text = """
name: components_ridge_vs_lasso
features:
  mixture: {storage: ../features/e/e.hdf5, marker: mixture, layers: all, exclude_layers: []}
  music: {storage: ../features/e/e.hdf5, marker: music}
  mine: {table: my_features.tsv}
targets: {kind: components, dataset: ../datalad_dataset/natsound165}
stimuli: {table: null, by: category}
splits: {kind: shuffle, n_splits: 10, train_size: 83, test_size: 82, seed: 0}
center: {x: true, y: true}
confounds: {table: null, apply_to: [x, y]}
estimators:
  ridge: {kind: ridge, alphas: {logspace: [-3, 8, 12]}, cv: loo, per_target: true}
  lasso: {kind: lasso, n_alphas: 50, eps: 1.0e-3, cv: 5}
noise_correction: auto
missing: error
engine: auto
tests:
  - {metric: r2, a: {estimator: ridge}, b: {estimator: lasso}}
  - {metric: r2_corr, a: {features: mixture, layer: best}, b: {features: music, layer: best}}
fdr: 0.05
"""
    config = read_config(_write(tmp_path, text))
    assert config.estimators["lasso"].cv == 5
    assert config.tests[1].a.layer == "best"


def test_every_shipped_comparison_is_valid(root):
    configs = sorted((root / "julearn_configs").glob("*.yml"))
    assert configs
    for path in configs:
        assert read_config(path).name == path.stem


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (("name: minimal", "name: minimal\nfoo: 1"), r"foo: unknown key; allowed here: features, targets"),
        (("table: a.tsv", "table: a.tsv, layer: 3"), r"features\.a\.layer: unknown key; allowed here: storage, marker"),
        (
            ("kind: ridge", "kind: ridge, alpha: 3"),
            r"estimators\.ridge\.alpha: unknown key; allowed here: kind, alphas",
        ),
        (("kind: ridge", "kind: elastic"), r"'ridge', 'lasso'"),
        (("kind: ridge", "kind: ridge, alphas: [0, 1]"), r"alphas must be positive and finite, got \[0"),
        (("train_size: 83, ", ""), r"needs `train_size` and `test_size`"),
        (("table: a.tsv", "storage: a.hdf5"), r"features\.a: `storage` and `marker`"),
        (("kind: components, dataset", "kind: table, dataset"), r"kind: table needs `table`"),
        (("name: minimal", "name: a/b"), r"name: .*given: 'a/b'"),
        (("ridge: {", "a/b: {"), r"estimators\.a/b"),
        (("name: minimal", "name: minimal\nname: again"), r"the key 'name' is there twice"),
        (("kind: ridge", "kind: ridge, alphas: {logspace: 3}"), r"give a list of numbers, or \{logspace"),
        (("kind: ridge", "kind: ridge, alphas: {logspace: [-3, 8, .inf]}"), r"give a list of numbers"),
        (("kind: ridge", "kind: ridge, cv: 90"), r"estimators\.ridge\.cv: 90 inner folds of 83 development stimuli"),
        (("kind: ridge", "kind: ridge, cv: 5, seed: -1"), r"estimators\.ridge\.seed"),
        (("test_size: 82", "test_size: 82, n_splits: 1000000"), r"splits\.n_splits"),
        (
            ("name: minimal", "name: minimal\ntests: [{metric: r2, a: {layer: 1}, b: {layer: 1}}]"),
            r"both sides",
        ),
        (
            ("name: minimal", "name: minimal\ntests: [{metric: r2, a: {layer: true}, b: {layer: 2}}]"),
            r"tests\.0\.a",
        ),
        (("name: minimal", "name: minimal\nconfounds: {table: c.tsv, apply_to: [z]}"), r"confounds\.apply_to\.0"),
        (
            ("name: minimal", "name: minimal\ntests: [{metric: r2, a: {estimator: ols}, b: {estimator: ridge}}]"),
            r"tests\[0\]\.a\.estimator: 'ols' is not one of this comparison's: \['ridge'\]",
        ),
        (("splits: {kind: shuffle, train_size: 83", "splits: {kind: tuckute2023, train_size: 83"), r"takes no \['test"),
    ],
)
def test_a_mistake_is_named_with_file_and_key(tmp_path, change, expected):
    path = _write(tmp_path, MINIMAL.replace(*change))
    with pytest.raises(ConfigError, match=expected) as error:
        read_config(path)
    assert str(error.value).startswith(str(path))


@pytest.mark.parametrize("text", ["- a\n- b\n", "name: [unclosed", ""])
def test_a_file_that_is_no_comparison_is_refused_by_name(tmp_path, text):
    path = _write(tmp_path, text)
    with pytest.raises(ConfigError, match=str(path)):
        read_config(path)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(ConfigError, match=r"nowhere\.yml: there is no such file"):
        read_config(tmp_path / "nowhere.yml")
