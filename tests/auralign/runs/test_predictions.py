"""Predictions made again from a comparison's inputs."""

import dataclasses

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import Ridge

from auralign.config.models import Comparison
from auralign.errors import DataError
from auralign.runs.compare import run_comparison
from auralign.runs.predictions import stimulus_predictions
from auralign.runs.results import read_results


def test_predictions_are_those_of_scikit_learn(components, inputs):
    made = stimulus_predictions(components, "net", "ridge", layer=1).set_index(["target", "stimulus"])
    x = pd.read_csv(inputs / "net.tsv", sep="\t").query("layer == 1").set_index("stimulus").drop(columns="layer")
    y = pd.read_csv(inputs / "components.tsv", sep="\t").set_index("stimulus")
    stimuli = components.provenance["stimuli"]
    x, y = x.loc[stimuli].to_numpy(), y.loc[stimuli]
    scores = components.scores.query("features == 'net' and layer == 1 and estimator == 'ridge'")
    for target in ("low", "high"):
        predicted = np.full((4, 30), np.nan)
        for number, split in enumerate(components.provenance["splits"]):
            dev, test = split["development"], split["test"]
            alpha = scores.query("target == @target and split == @number")["alpha"].item()
            if np.isinf(alpha):
                predicted[number, test] = y[target].iloc[dev].mean()
                continue
            model = Ridge(alpha=alpha).fit(x[dev], y[target].iloc[dev])
            predicted[number, test] = model.predict(x[test])
        own = made.loc[target].loc[stimuli]
        tested = np.isfinite(predicted).any(axis=0)
        np.testing.assert_allclose(own["predicted"][tested], np.nanmean(predicted[:, tested], axis=0), atol=1e-8)
        np.testing.assert_array_equal(own["n_tests"], np.isfinite(predicted).sum(axis=0))
        np.testing.assert_allclose(own["measured"], y[target])
        often = own["n_tests"].to_numpy() > 1
        spread = np.nanstd(predicted[:, often], axis=0, ddof=1)
        np.testing.assert_allclose(own["high"][often] - own["predicted"][often], spread, atol=1e-8)


def test_the_layer_is_the_one_that_development_chooses(components):
    made = stimulus_predictions(components, "net", "lasso")
    scores = components.scores.query("features == 'net' and estimator == 'lasso'")
    for target, own in made.groupby("target"):
        dev = scores[scores["target"] == target].pivot(index="split", columns="layer", values="r2_dev")
        assert own["layer"].unique().tolist() == [dev.idxmax(axis=1).mode()[0]]
    assert list(made["target"].unique()) == ["low", "high"]
    deeper = components.scores.assign(r2_dev=components.scores["layer"] / 10)
    planted = dataclasses.replace(components, _read=components._read | {"scores": deeper})
    assert stimulus_predictions(planted, "net", "ridge")["layer"].unique().tolist() == [2]


def test_single_splits_are_at_the_layers_of_the_headline(components):
    each = stimulus_predictions(components, "net", "lasso", each_split=True)
    scores = components.scores.query("features == 'net' and estimator == 'lasso'")
    best = scores.loc[scores.groupby(["target", "split"])["r2_dev"].idxmax()].set_index(["target", "split"])
    assert best["layer"].nunique() > 1
    for key, own in each.groupby(["target", "split"]):
        assert own["layer"].unique().tolist() == [best.loc[key, "layer"]]
        tested = components.provenance["splits"][key[1]]["test"]
        assert own["stimulus"].tolist() == [components.provenance["stimuli"][n] for n in sorted(tested)]
        r = np.corrcoef(own["measured"], own["predicted"])[0, 1] if own["predicted"].std() > 0 else 0.0
        assert max(r, 0.0) ** 2 == pytest.approx(best.loc[key, "r2_corr"], abs=1e-6)
    means = each.groupby(["target", "stimulus"])["predicted"].mean()
    over = stimulus_predictions(components, "net", "lasso").set_index(["target", "stimulus"])["predicted"].dropna()
    np.testing.assert_allclose(over, means.loc[over.index])
    assert "category" in each


def test_categories_come_along(components, inputs):
    made = stimulus_predictions(components, "plain", "ridge")
    table = pd.read_csv(inputs / "stimuli.tsv", sep="\t").set_index("stimulus")["category"]
    assert (made["category"].to_numpy() == table.loc[made["stimulus"]].to_numpy()).all()


def test_the_best_predicted_of_many_targets_and_joined_sets(voxels):
    made = stimulus_predictions(voxels, "both", "ridge")
    assert made["target"].nunique() == 6
    # the six best by the primary metric, here corrected for noise
    assert voxels.metric == "r2_corr_c2"
    means = (
        voxels.scores.query("features == 'both'").groupby("target")["r2_corr_c2"].agg(lambda s: s.clip(upper=1).mean())
    )
    assert set(made["target"]) == set(means.nlargest(6).index)
    named = stimulus_predictions(voxels, "net", "ridge", targets=["v07", "v03"])
    assert named["target"].unique().tolist() == ["v07", "v03"]


def test_changed_inputs_are_noticed(components):
    tampered = components.scores.assign(r2_corr=components.scores["r2_corr"] + 0.01)
    changed = dataclasses.replace(components, _read=components._read | {"scores": tampered})
    with pytest.raises(DataError, match=r"differ by 0\.01 from the stored ones, so the inputs have changed"):
        stimulus_predictions(changed, "net", "ridge")


def test_what_is_not_in_the_results_is_named(components):
    with pytest.raises(DataError, match=r"features: 'web' is not in .*; there are net and plain"):
        stimulus_predictions(components, "web", "ridge")
    with pytest.raises(DataError, match="estimator: 'svr' is not"):
        stimulus_predictions(components, "net", "svr")
    with pytest.raises(DataError, match="net has no layer 7"):
        stimulus_predictions(components, "net", "ridge", layer=7)
    with pytest.raises(DataError, match=r"targets: \['middle'\]"):
        stimulus_predictions(components, "net", "ridge", targets=["middle"])


def test_stimuli_that_another_set_lacks_stay_left_out(tmp_path):
    random = np.random.default_rng(0)
    stimuli = [f"s{number:02d}" for number in range(40)]
    x, y = random.normal(size=(40, 3)), random.normal(size=40)
    y[5] = np.nan  # of a stimulus that is left out, so that the target can be used
    for name, values, rows in (("a", x, slice(None)), ("b", x, slice(6, None)), ("y", y[:, None], slice(None))):
        table = pd.DataFrame(values, columns=[f"{name}{unit}" for unit in range(values.shape[1])])
        if name == "y":
            table["other"] = random.normal(size=40)
        table.insert(0, "stimulus", stimuli)
        table[rows].to_csv(tmp_path / f"{name}.tsv", sep="\t", index=False)
    config = Comparison(
        name="left-out",
        features={name: {"table": tmp_path / f"{name}.tsv"} for name in ("a", "b")},
        targets={"kind": "table", "table": tmp_path / "y.tsv"},
        splits={"kind": "shuffle", "n_splits": 2, "train_size": 20, "test_size": 14},
        estimators={"ridge": {"kind": "ridge"}},
        missing="drop",
    )
    run_comparison(config, tmp_path / "out")
    predictions = stimulus_predictions(read_results(tmp_path / "out"), "a", "ridge", each_split=True)
    assert len(predictions) == 2 * 2 * 14
    assert not set(predictions["stimulus"]) & set(stimuli[:6])
