"""The further tables of a comparison: what they hold, and that settings reach them."""

import numpy as np
import pandas as pd
import pytest

from auralign.analysis.score_arrays import TableScores
from auralign.config.reading import read_config
from auralign.errors import AuralignError, ConfigError
from auralign.inference.statistics import benjamini_hochberg, corrected_ttest
from auralign.questions.encoding.tables import layer_choice
from auralign.runs.compare import run_comparison


def run(small_config, tmp_path, extra: str = "", replace: tuple[str, str] = ("", ""), out: str = "out"):
    small_config.write_text(small_config.read_text().replace(*replace) + extra)
    return run_comparison(read_config(small_config), tmp_path / out)


def column(scores, features, layer, estimator, target, score="r2"):
    rows = scores.query("features == @features and layer == @layer and estimator == @estimator and target == @target")
    return rows.sort_values("split")[score].to_numpy()


def ridge_only(small_config):
    lines = small_config.read_text().split("tests:")[0].splitlines()
    small_config.write_text("\n".join(line for line in lines if "lasso" not in line) + "\n")


def test_selected_units_are_consistent_with_themselves(small_config, tmp_path):
    result = run(small_config, tmp_path)
    selected, selection = result["selected"], result["selection"]
    assert set(selected["estimator"]) == {"lasso"}
    assert (selected["weight"] != 0).all()
    across_splits = selection[selection["across"] == "split"]
    counts = selected.groupby(["features", "layer", "target", "split"]).size()
    for row in across_splits.itertuples():
        own = counts[row.features, row.layer, row.target].reindex(range(4), fill_value=0)
        assert row.n_selected_mean == pytest.approx(own.mean())
    assert set(selection.loc[selection["across"] == "target", "a"]) == {"first"}


def test_joined_sets_and_unique_variance(small_config, tmp_path):
    ridge_only(small_config)
    extra = "fdr: 0.05\n"
    change = ("targets:", "  both: {join: [net, plain]}\ntargets:")
    result = run(small_config, tmp_path, extra, change)
    scores, unique = result["scores"], result["unique_variance"]
    assert set(scores.loc[scores["features"] == "both", "layer"]) == {0, 1}
    assert set(scores.loc[scores["features"] == "both", "layer_name"]) == {
        "net:layer00 + plain:layer00",
        "net:layer01 + plain:layer00",
    }
    assert len(unique) == 2 * 2 * 2  # which part is taken away, layers, targets
    adjusted = {}
    for row in unique.itertuples():
        other = row.layer if row.without == "net" else 0
        difference = column(scores, "both", row.layer, "ridge", row.target) - column(
            scores, row.without, other, "ridge", row.target
        )
        t, _, p = corrected_ttest(difference[:, None], 16, 14)
        assert row.unique == pytest.approx(difference.mean(), abs=1e-14)
        assert row.p == pytest.approx(p[0]) and row.t == pytest.approx(t[0])
        assert row.low < row.unique < row.high
        adjusted[row.Index] = p[0]
    np.testing.assert_allclose(unique["p_fdr"], benjamini_hochberg(np.array(list(adjusted.values()))))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("targets:", "  both: {join: [net, nothing]}\ntargets:"), "must name different ones of"),
        (("targets:", "  both: {join: [net, net]}\ntargets:"), "must name different ones of"),
        (("targets:", "  both: {join: [net, plain], layers: [0]}\ntargets:"), "takes no `layers`"),
    ],
)
def test_wrong_joins_are_refused(small_config, tmp_path, change, message):
    ridge_only(small_config)
    with pytest.raises(ConfigError, match=message):
        run(small_config, tmp_path, "", change)


def test_joins_are_for_ridge(small_config, tmp_path):
    with pytest.raises(ConfigError, match=r"`join` is for ridge.*\['lasso'\]"):
        run(small_config, tmp_path, "", ("targets:", "  both: {join: [net, plain]}\ntargets:"))


def test_confounds_are_removed(small_config, tmp_path):
    ridge_only(small_config)
    features = pd.read_csv(tmp_path / "plain.csv")
    features.rename(columns={"u0": "loudness", "u1": "pitch"}).to_csv(tmp_path / "c.tsv", sep="\t", index=False)
    result = run(small_config, tmp_path, "confounds: {table: c.tsv}\n")
    # the set `plain` is the confounds themselves
    assert result["scores"].query("features == 'plain'")["r2_corr"].max() < 0.35
    assert result["summary"].query("features == 'net' and layer == 0")["r2_corr_median"].min() > 0.1
    without = run(small_config, tmp_path, "", ("confounds: {table: c.tsv}", ""), "other")
    assert without["scores"].query("features == 'plain'")["r2_corr"].max() > 0.4


def test_confounds_lack_a_stimulus(small_config, tmp_path):
    pd.read_csv(tmp_path / "plain.csv").iloc[1:].to_csv(tmp_path / "c.tsv", sep="\t", index=False)
    with pytest.raises(AuralignError, match=r"confounds \(.*c\.tsv\) lack 1 stimuli"):
        run(small_config, tmp_path, "confounds: {table: c.tsv}\n")


def test_above_chance_finds_what_is_there(small_config, tmp_path):
    ridge_only(small_config)
    rng = np.random.default_rng(0)
    noise = pd.read_csv(tmp_path / "plain.csv")
    noise[["u0", "u1"]] = rng.standard_normal((30, 2))
    noise.to_csv(tmp_path / "plain.csv", index=False)
    result = run(small_config, tmp_path, "above_chance: {n_permutations: 99}\n")
    table = result["above_chance"].set_index(["features", "layer", "target"])
    assert (table["p"] >= 0.01).all() and (table["p_layers"] >= table["p"]).all()
    assert table.loc["net"]["p"].max() <= 0.05
    assert table.loc["plain"]["p"].min() > 0.05
    medians = result["summary"].set_index(["features", "layer", "target"])["r2_corr_median"]
    np.testing.assert_allclose(table["score"], medians[table.index], atol=1e-9)


@pytest.mark.parametrize(
    ("extra", "message"),
    [
        ("above_chance: {n_permutations: 99, within: category}\n", "needs `stimuli: {table: ...}`"),
        ("above_chance: {n_permutations: 5}\n", r"above_chance\.n_permutations"),
        ("hypotheses: [{name: H, kind: best_overall, features: net}]\n", r"hypotheses\.0\.against"),
        ("hypotheses: [{name: H, kind: best_overall, features: net, against: [plain], nets: 1}]\n", "unknown key"),
        ("tests: [{metric: r2_corr_c2, a: {features: net, layer: 0}, b: {features: plain}}]\n", "needs responses with"),
    ],
)
def test_settings_that_cannot_be_met_are_refused(small_config, tmp_path, extra, message):
    ridge_only(small_config)
    with pytest.raises(ConfigError, match=message):
        run(small_config, tmp_path, extra)


def test_hypotheses_get_a_verdict(small_config, tmp_path):
    ridge_only(small_config)
    entry = "hypotheses: [{{name: H3, kind: best_overall, features: {}, against: [{}]}}]\n"
    table = run(small_config, tmp_path, entry.format("net", "plain"))["hypotheses"]
    assert set(table["hypothesis"]) == {"H3"}
    decides = table["decides"].astype(bool)
    assert set(table.loc[decides, "verdict"]) <= {"supported", "contradicted", "undecided"}
    assert set(table.loc[~decides, "verdict"]) == {"descriptive"}
    change = (entry.format("net", "plain"), entry.format("plain", "net"))
    swapped = run(small_config, tmp_path, "", change)["hypotheses"]
    np.testing.assert_allclose(swapped["estimate"], -table["estimate"], atol=1e-12)


def test_repetitions_bring_a_noise_ceiling(small_config, tmp_path):
    ridge_only(small_config)
    y = pd.read_csv(tmp_path / "y.tsv", sep="\t")
    random = np.random.default_rng(0)
    noisy = [y.assign(repetition=k, first=y["first"] + random.standard_normal(30)) for k in range(3)]
    pd.concat(noisy).to_csv(tmp_path / "y.tsv", sep="\t", index=False)
    ceiling = run(small_config, tmp_path)["summary"].drop_duplicates("target").set_index("target")
    assert ceiling.loc["second", "noise_ceiling"] == pytest.approx(1.0, abs=1e-9)  # repeated without noise
    assert ceiling.loc["first", "noise_ceiling_low"] < ceiling.loc["first", "noise_ceiling"] < 1.0


def test_joint_estimators_treat_repetitions_one_by_one(small_config, tmp_path):
    """The joint lasso of the mean must not see the single repetitions as further targets."""
    text = small_config.read_text().split("estimators:")[0]
    small_config.write_text(text + "estimators:\n  joint: {kind: multitask_lasso, n_alphas: 10, eps: 1.0e-2, cv: 4}\n")
    plain = run(small_config, tmp_path)
    y = pd.read_csv(tmp_path / "y.tsv", sep="\t")
    shifts = [-0.3, 0.0, 0.3]
    pd.concat([y.assign(repetition=k, first=y["first"] + shift) for k, shift in enumerate(shifts)]).to_csv(
        tmp_path / "y.tsv", sep="\t", index=False
    )
    repeated = run(small_config, tmp_path, out="repeated")
    np.testing.assert_allclose(repeated["scores"]["r2"], plain["scores"]["r2"], atol=1e-9)
    assert len(repeated["selected"]) == len(plain["selected"])


def test_a_network_of_one_summed_layer_has_nothing_to_leave_out():
    splits = np.arange(4)
    scores = pd.DataFrame({"split": splits, "r2_corr": 0.5 + 0.01 * splits, "r2_dev": 0.4}).assign(
        features="net", layer=0, layer_name="encoder00+norm(x1)", target="a", estimator="ridge"
    )
    table = layer_choice(TableScores(scores), ["r2_corr"], pd.DataFrame({"target": ["a"]}))
    assert table["layers"].tolist() == ["all"]
    assert table["naive"].item() == pytest.approx(0.515)


def test_a_table_of_an_earlier_run_does_not_stay(small_config, tmp_path):
    run(small_config, tmp_path)
    assert (tmp_path / "out" / "selection.tsv").exists()
    ridge_only(small_config)
    run(small_config, tmp_path)
    assert not (tmp_path / "out" / "selection.tsv").exists()
    assert not list((tmp_path / "out" / ".blocks").glob("inputs-*"))
