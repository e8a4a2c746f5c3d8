"""Fixtures that several test modules use."""

import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

ROOT = Path(__file__).resolve().parent.parent
SHARED = ROOT.parent / "shared"

# before anything imports junifer; that folder says why
os.environ["TEMPLATEFLOW_HOME"] = str(ROOT / "tests" / "no_brain_templates")


@pytest.fixture(scope="session")
def root() -> Path:
    """The checkout."""
    return ROOT


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The real stimuli and responses, which may not be redistributed."""
    folder = SHARED / "data" / "natsound165"
    if not folder.is_dir():
        pytest.skip(f"the real stimuli and responses are not at {folder}")
    return folder


@pytest.fixture
def small_study() -> tuple[pd.DataFrame, pd.DataFrame]:
    """Tables of features (30 stimuli x 40 units) and of two responses that depend on them, in scrambled order."""
    random = np.random.default_rng(3)
    stimuli = [f"stim{n}_sound" for n in range(2, 62, 2)]
    x = random.standard_normal((30, 40)) / np.sqrt(np.arange(1, 41))
    y = x[:, :4] @ random.standard_normal((4, 2)) + 0.3 * random.standard_normal((30, 2)) + 5.0
    features = pd.DataFrame(x, columns=[f"u{i}" for i in range(40)]).assign(stimulus=stimuli)
    responses = pd.DataFrame(y, columns=["first", "second"]).assign(stimulus=stimuli)
    return features, responses.sample(frac=1.0, random_state=1)


@pytest.fixture
def small_config(tmp_path: Path, small_study) -> Path:
    """A comparison of `small_study` in `tmp_path`: two feature sets (one with two layers), ridge and lasso.

    julearn, which `engine: auto` would take for so few targets, needs four times as long for the same scores
    (tests/auralign/questions/encoding/test_engines.py); a test that is about it asks for it.
    """
    features, responses = small_study
    reversed_units = features.drop(columns="stimulus").iloc[:, ::-1].set_axis([f"u{i}" for i in range(40)], axis=1)
    deeper = reversed_units.mul(2.0).assign(stimulus=features["stimulus"], layer=1)
    pd.concat([features.assign(layer=0), deeper]).to_csv(tmp_path / "net.tsv", sep="\t", index=False)
    features[["stimulus", "u0", "u1"]].to_csv(tmp_path / "plain.csv", index=False)
    responses.to_csv(tmp_path / "y.tsv", sep="\t", index=False)
    config = tmp_path / "small.yml"
    config.write_text(
        """
name: small
features:
  net: {table: net.tsv}
  plain: {table: plain.csv}
targets: {kind: table, table: y.tsv}
splits: {kind: shuffle, n_splits: 4, train_size: 16, test_size: 14, seed: 1}
estimators:
  ridge: {kind: ridge, alphas: {logspace: [-3, 3, 7]}}
  lasso: {kind: lasso, n_alphas: 10, eps: 1.0e-2, cv: 4}
engine: multitarget
tests:
  - {metric: r2, a: {estimator: ridge}, b: {estimator: lasso}}
  - {metric: r2_corr, a: {features: net, layer: best}, b: {features: plain, layer: best}}
""",
        encoding="utf-8",
    )
    return config
