"""Whatever fits a layer again prepares it as the scores were made."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import Ridge

from auralign.config.reading import read_config
from auralign.inputs.repetitions import mean_response
from auralign.questions.preparation import Preparation
from auralign.runs.compare import run_comparison
from auralign.runs.predictions import stimulus_predictions
from auralign.runs.rerun.changes import check
from auralign.runs.rerun.verify import recompute
from auralign.runs.results import read_results
from auralign.scoring.scores import r2_corr

CONFIG = """
name: loud
features:
  net: {table: net.tsv, zscore: %(zscore)s}
  plain: {table: plain.tsv}%(join)s
targets: {kind: table, table: y.tsv}
splits: {kind: shuffle, n_splits: 4, train_size: 20, test_size: 20, seed: 1}
center: {x: %(center)s, y: %(center)s}
engine: %(engine)s
estimators:
  ridge: {kind: ridge, alphas: {logspace: [-1, 4, 6]}, cv: %(cv)s}
above_chance: {n_permutations: 19}
"""
PLAIN = {"zscore": "true", "join": "", "center": "true", "engine": "auto", "cv": "loo"}


@pytest.fixture
def tables(tmp_path) -> Path:
    """40 stimuli; two layers of 12 units of which one is a thousand times louder and noise; two repetitions."""
    random = np.random.default_rng(0)
    stimuli = [f"stim{n}_sound" for n in range(1, 41)]
    x = random.standard_normal((40, 12))
    signal = x[:, :4] @ random.standard_normal((4, 2))
    x[:, 7] *= 1000.0
    layers = [x, x + 0.5 * random.standard_normal(x.shape)]
    net = pd.concat(
        [pd.DataFrame(layer).add_prefix("u").assign(stimulus=stimuli, layer=k) for k, layer in enumerate(layers)]
    )
    net.to_csv(tmp_path / "net.tsv", sep="\t", index=False)
    pd.DataFrame(x[:, :2] + random.standard_normal((40, 2))).add_prefix("u").assign(stimulus=stimuli).to_csv(
        tmp_path / "plain.tsv", sep="\t", index=False
    )
    for name, repetitions in (("once", 1), ("twice", 2)):
        parts = [
            pd.DataFrame(signal + random.standard_normal((40, 2)), columns=["low", "high"]).assign(
                stimulus=stimuli, repetition=r
            )
            for r in range(repetitions)
        ]
        pd.concat(parts).to_csv(tmp_path / f"{name}.tsv", sep="\t", index=False)
    return tmp_path


def _run(tables: Path, responses: str = "once", **changes: str) -> dict[str, pd.DataFrame]:
    config = tables / "loud.yml"
    config.write_text((CONFIG % (PLAIN | changes)).replace("y.tsv", f"{responses}.tsv"), encoding="utf-8")
    return run_comparison(read_config(config), tables / "out", config_file=config)


@pytest.mark.parametrize("responses", ["once", "twice"])
@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"zscore": "false"},
        {"center": "false"},
        {"cv": "3"},
        {"engine": "multitarget"},
        {"engine": "julearn", "join": "\n  both: {join: [plain, net]}"},
    ],
    ids=lambda changes: "+".join(changes),
)
def test_above_chance_tests_the_model_that_is_scored(tables, responses, changes):
    result = _run(tables, responses, **changes)
    keys = ["features", "layer", "estimator", "target"]
    tested = result["above_chance"].set_index(keys)["score"].sort_index()
    scored = result["scores"].groupby(keys)["r2_corr"].median().sort_index()
    assert set(tested.index) == set(scored.index)
    assert tested.min() > 0
    np.testing.assert_allclose(tested, scored[tested.index], rtol=0, atol=1e-12)


def test_scaling_changes_the_score_that_is_tested(tables):
    scaled, loud = (
        _run(tables, zscore=zscore)["above_chance"].set_index("features").loc["net"] for zscore in ("true", "false")
    )
    assert (np.abs(scaled["score"] - loud["score"]) > 0.01).all()


def test_estimators_that_above_chance_leaves_out_are_named(tables, capsys):
    config = tables / "loud.yml"
    text = CONFIG % PLAIN + "  "
    text = text.replace("y.tsv", "once.tsv").replace(
        "above_chance:", "  lasso: {kind: lasso, n_alphas: 3}\nabove_chance:"
    )
    config.write_text(text, encoding="utf-8")
    result = run_comparison(read_config(config), tables / "out", config_file=config)
    assert set(result["above_chance"]["estimator"]) == {"ridge"}
    assert "above_chance: lasso not tested. Permuted responses are fitted as further columns" in capsys.readouterr().out
    assert any("lasso not tested" in line for line in read_results(tables / "out").provenance["warnings"])


@pytest.mark.parametrize("features", ["net", "both"])
def test_predictions_of_single_stimuli_are_of_scaled_features(tables, features):
    result = _run(tables, join="\n  both: {join: [plain, net]}")
    results = read_results(tables / "out")
    made = stimulus_predictions(results, features, "ridge", layer=0).set_index(["target", "stimulus"])
    if features == "both":
        return  # it compares its scores with the stored ones, and says so where they differ
    stimuli = results.provenance["stimuli"]
    x = pd.read_csv(tables / "net.tsv", sep="\t").query("layer == 0").set_index("stimulus").drop(columns="layer")
    y = pd.read_csv(tables / "once.tsv", sep="\t").set_index("stimulus").loc[stimuli]
    x = x.loc[stimuli].to_numpy()
    scores = result["scores"].query("features == 'net' and layer == 0")
    for target in ("low", "high"):
        predicted = np.full((4, 40), np.nan)
        for number, split in enumerate(results.provenance["splits"]):
            dev, test = split["development"], split["test"]
            row = scores.query("target == @target and split == @number")
            scaled = x / x[dev].std(axis=0)
            model = Ridge(alpha=row["alpha"].item()).fit(scaled[dev], y[target].iloc[dev])
            predicted[number, test] = model.predict(scaled[test])
            assert r2_corr(y[target].to_numpy()[test], predicted[number, test]) == pytest.approx(row["r2_corr"].item())
        tested = np.isfinite(predicted).any(axis=0)
        own = made.loc[target].loc[stimuli]
        np.testing.assert_allclose(own["predicted"][tested], np.nanmean(predicted[:, tested], axis=0), atol=1e-8)


def test_a_result_of_scaled_features_is_verified(tables):
    _run(tables)
    assert recompute(check(tables / "out")).is_reproduced


def test_a_unit_that_is_constant_in_development_is_left_as_it_is():
    x = np.array([[0.1, 1.0], [0.1, 2.0], [0.1, 6.0], [0.7, 3.0]])
    development, test = Preparation(zscore=True).features(x, (np.arange(3), np.array([3])))
    np.testing.assert_array_equal(development[:, 0], [0.1, 0.1, 0.1])
    assert test[0, 0] == 0.7
    np.testing.assert_allclose(development[:, 1], x[:3, 1] / x[:3, 1].std(), rtol=1e-15)


def test_the_mean_response_is_that_over_repetitions():
    y = np.arange(12.0).reshape(2, 3, 2)
    np.testing.assert_array_equal(mean_response(y), [[0.5, 2.5, 4.5], [6.5, 8.5, 10.5]])
