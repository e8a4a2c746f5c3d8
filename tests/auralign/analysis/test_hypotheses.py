"""Hypotheses: planted answers, scipy and statsmodels as oracles, and every mistake in their configuration."""

import numpy as np
import pandas as pd
import pytest
import yaml
from pydantic import TypeAdapter, ValidationError
from scipy.stats import t as student_t
from statsmodels.stats.multitest import multipletests

from auralign.analysis.hypotheses import (
    OVERALL,
    BestOverall,
    DepthByRegion,
    DomainMatch,
    Hypothesis,
    check_hypotheses,
    run_hypotheses,
    verdicts,
)
from auralign.analysis.nested_layers import choose_layers
from auralign.errors import ConfigError, DataError

N_SPLITS = 10
COMPONENTS = pd.DataFrame(index=pd.Index(["speech", "music", "pitch"], name="target"))
LAYERS = {"mixture": [0, 1, 2], "music": [0, 1, 2], "speech": [0, 1, 2]}
H2 = DomainMatch(name="H2", kind="domain_match", of={"music": "music", "speech": "speech"}, against=["mixture"])
H3 = BestOverall(name="H3", kind="best_overall", features="mixture", against=["music", "speech"])
H1 = DepthByRegion(
    name="H1", kind="depth_by_region", features="mixture", primary=["Primary"], other=["Anterior", "Lateral"]
)


def _table(level: dict[str, float], targets: list[str], best: int = 1, seed: int = 0) -> pd.DataFrame:
    """Scores of three layers per network about its level; layer `best` is the best one on the development stimuli."""
    random = np.random.default_rng(seed)
    index = pd.MultiIndex.from_product(
        [level, range(3), targets, range(N_SPLITS)], names=["features", "layer", "target", "split"]
    )
    scores = index.to_frame(index=False).assign(estimator="ridge", n_train=83, n_test=82)
    scores["r2_corr"] = scores["features"].map(level) + 0.01 * random.standard_normal(len(scores))
    scores["r2_dev"] = 0.5 - 0.1 * (scores["layer"] - best).abs() + 0.001 * random.standard_normal(len(scores))
    return scores


@pytest.fixture
def scores() -> pd.DataFrame:
    """Mixture is best everywhere, then music, then speech."""
    return _table({"mixture": 0.8, "music": 0.7, "speech": 0.5}, ["speech", "music", "pitch"])


def _voxels(n_subjects: int, shift: int, seed: int = 0) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Voxels of three regions; those outside Primary have their best of eleven layers `shift` layers deeper."""
    random = np.random.default_rng(seed)
    targets = pd.DataFrame(
        [
            {"subject": subject, "roi": roi, "best": 4 + (shift if roi != "Primary" else 0)}
            for subject in range(n_subjects)
            for roi in ("Primary", "Anterior", "Lateral", "outside")
            for _ in range(9)
        ]
    )
    targets.index = pd.Index([f"v{i}" for i in range(len(targets))], name="target")
    rows = []
    for split in range(N_SPLITS):
        peak = targets["best"].to_numpy() + random.integers(-2, 3, len(targets))
        for layer in range(11):
            columns = {
                "target": targets.index,
                "layer": layer,
                "split": split,
                "r2_dev": 2.0 - np.abs(layer - peak) / 10.0,
            }
            rows.append(pd.DataFrame(columns))
    scores = pd.concat(rows, ignore_index=True).assign(features="mixture", estimator="ridge", n_train=83, n_test=82)
    return scores, targets.drop(columns="best")


def test_layers_are_chosen_without_the_test_stimuli():
    table = pd.DataFrame(
        {
            "features": "net",
            "estimator": "ridge",
            "target": "y",
            "layer": [2, 1, 0] * 2,
            "split": [0, 0, 0, 1, 1, 1],
            "r2_dev": [0.3, 0.5, 0.5, np.nan, np.nan, -0.2],
            "r2_corr": [0.9, 0.2, 0.1, 0.9, 0.8, 0.3],
        }
    )
    other = table.assign(estimator="lasso", r2_dev=9.0)
    chosen = choose_layers(pd.concat([table, other]), "net", "ridge").sort_values("split")
    # of equal ones the first layer; a layer without a value is not chosen
    assert chosen["layer"].tolist() == [0, 0]
    assert chosen["r2_corr"].tolist() == [0.1, 0.3]
    with pytest.raises(DataError, match=r"net, ridge: `r2_dev` is undefined in every layer for 1 pairs .* split 1"):
        choose_layers(table[table["layer"] > 0], "net", "ridge")
    with pytest.raises(DataError, match=r"no column `r2_dev`.*Run `auralign run` again"):
        choose_layers(table.drop(columns="r2_dev"), "net", "ridge")


def _by_hand(difference: np.ndarray) -> tuple[float, float, float, float]:
    """Estimate, interval and p of the corrected resampled t-test with 83 and 82 stimuli."""
    spread = np.sqrt((1 / N_SPLITS + 82 / 83) * np.var(difference, ddof=1))
    half = student_t.ppf(0.975, N_SPLITS - 1) * spread
    mean = difference.mean()
    return mean, mean - half, mean + half, 2 * student_t.sf(abs(mean) / spread, N_SPLITS - 1)


def test_best_overall_over_splits(scores):
    rows = run_hypotheses(scores, COMPONENTS, [H3])
    assert rows["decides"].sum() == 2
    assert len(rows) == 2 * (1 + 3)
    layer1 = scores[scores["layer"] == 1].pivot(index="split", columns=["features", "target"], values="r2_corr")
    for row in rows.itertuples():
        difference = layer1[row.a] - layer1[row.b]
        column = difference.mean(axis=1) if row.target == OVERALL else difference[row.target]
        assert (row.estimate, row.low, row.high, row.p) == pytest.approx(_by_hand(column.to_numpy()), rel=1e-9)
        assert row.decides == (row.target == OVERALL)
        assert row.verdict == ("supported" if row.decides else "descriptive")
        assert (row.n, row.metric) == (N_SPLITS, "r2_corr")
        assert row.statement == f"mixture predicts {row.target} better than {row.b}"
    decides = rows["decides"].to_numpy(dtype=bool)
    expected = multipletests(rows["p"][decides], method="fdr_bh")[1]
    np.testing.assert_allclose(rows["p_fdr"][decides], expected, rtol=1e-12)
    assert rows["p_fdr"][~decides].isna().all()
    assert verdicts(rows).to_dict("records") == [
        {"hypothesis": "H3", "verdict": "supported", "supported": 2, "contradicted": 0, "undecided": 0}
    ]


def test_domain_match_is_contradicted_where_another_network_is_better(scores):
    rows = run_hypotheses(scores, COMPONENTS, [H2])
    assert rows[["target", "a", "b"]].to_numpy().tolist() == [
        ["music", "music", "mixture"],
        ["speech", "speech", "mixture"],
    ]
    assert rows["verdict"].tolist() == ["contradicted", "contradicted"]
    assert rows["decides"].all()
    assert rows["estimate"].to_numpy() == pytest.approx([-0.1, -0.3], abs=0.02)
    assert (rows["effect"] < -2).all()
    # the matching network is not compared with itself
    wider = H2.model_copy(update={"against": ["mixture", "music", "speech"]})
    assert len(run_hypotheses(scores, COMPONENTS, [wider])) == 4


def test_a_hypothesis_needs_all_of_its_rows(scores):
    better = scores["features"].eq("music") & scores["target"].eq("music")
    scores.loc[better, "r2_corr"] += 0.3
    rows = run_hypotheses(scores, COMPONENTS, [H2, H3])
    assert rows.set_index(["hypothesis", "target"])["verdict"]["H2"].tolist() == ["supported", "contradicted"]
    summary = verdicts(rows).set_index("hypothesis")
    assert summary.loc["H2", "verdict"] == "contradicted"
    # mixture still wins on average; what a single component says does not decide H3
    music = rows[(rows["hypothesis"] == "H3") & (rows["target"] == "music")].iloc[0]
    assert (music["estimate"] < 0, music["verdict"]) == (True, "descriptive")
    assert summary.loc["H3", ["verdict", "contradicted"]].tolist()[1] == 0


def test_rows_that_only_describe_change_no_verdict(scores):
    # one rival, p of .03 over all targets by construction: with six descriptive rows in its family it was undecided
    difference = np.linspace(-1, 1, N_SPLITS)
    spread = np.sqrt((1 / N_SPLITS + 82 / 83) * np.var(difference, ddof=1))
    difference += student_t.isf(0.015, N_SPLITS - 1) * spread
    targets = list("abcdef")
    swing = np.where(np.arange(6)[:, None] % 2 == np.arange(N_SPLITS) % 2, 40.0, -40.0)  # cancels over targets
    rows = [
        {"features": name, "layer": 0, "target": target, "split": split, "r2_dev": 0.5, "r2_corr": value}
        for position, target in enumerate(targets)
        for split in range(N_SPLITS)
        for name, value in (("a", difference[split] + swing[position, split]), ("b", 0.0))
    ]
    table = pd.DataFrame(rows).assign(estimator="ridge", n_train=83, n_test=82)
    hypothesis = BestOverall(name="H", kind="best_overall", features="a", against=["b"])
    found = run_hypotheses(table, pd.DataFrame(index=targets), [hypothesis])
    deciding, others = found[found["decides"]], found[~found["decides"]]
    assert deciding["p"].tolist() == deciding["p_fdr"].tolist() == [pytest.approx(0.03, rel=1e-9)]
    assert deciding["verdict"].tolist() == ["supported"]
    assert (others["p"] > 0.5).all()
    assert set(others["verdict"]) == {"descriptive"}
    assert others[["low", "high"]].notna().all(axis=None)
    assert others["p_fdr"].isna().all()
    assert verdicts(found)["verdict"].tolist() == ["supported"]


def test_a_target_without_a_score_in_some_split_has_no_part_in_the_mean_over_targets(scores):
    gaps = scores.copy()
    gaps.loc[(gaps["target"] == "pitch") & (gaps["split"] == 3), "r2_corr"] = np.nan
    whole = scores[scores["target"] != "pitch"]
    found, expected = (
        run_hypotheses(table, COMPONENTS.loc[table["target"].unique()], [H3]).set_index(["target", "b"])["estimate"]
        for table in (gaps, whole)
    )
    np.testing.assert_array_equal(found.loc[OVERALL], expected.loc[OVERALL])


@pytest.mark.parametrize("hypothesis", [H1, H2, H3], ids=["depth_by_region", "domain_match", "best_overall"])
def test_false_discoveries_are_controlled_over_the_deciding_rows_of_every_kind(scores, hypothesis):
    table, targets = _voxels(6, shift=0) if hypothesis is H1 else (scores, COMPONENTS)
    rows = run_hypotheses(table, targets, [hypothesis])
    decides = rows["decides"].to_numpy(dtype=bool)
    assert decides.any()
    np.testing.assert_allclose(
        rows["p_fdr"][decides], multipletests(rows["p"][decides], method="fdr_bh")[1], rtol=1e-12
    )
    assert rows["p_fdr"][~decides].isna().all()
    assert (rows["verdict"] == "descriptive").tolist() == (~decides).tolist()


def test_splits_of_unequal_sizes_count_each_with_its_own(scores):
    n_test = np.array([82, 20] * (N_SPLITS // 2))
    scores["n_test"], scores["n_train"] = n_test[scores["split"]], 165 - n_test[scores["split"]]
    rows = run_hypotheses(scores, COMPONENTS, [H2])
    layer1 = scores[scores["layer"] == 1].pivot(index="split", columns=["features", "target"], values="r2_corr")
    for row in rows.itertuples():
        difference = layer1[row.a][row.target] - layer1[row.b][row.target]
        spread = np.sqrt((1 / N_SPLITS + np.mean(n_test / (165 - n_test))) * np.var(difference, ddof=1))
        assert row.p == pytest.approx(2 * student_t.sf(abs(difference.mean()) / spread, N_SPLITS - 1), rel=1e-9)
    # the rows' order is no matter
    shuffled = run_hypotheses(scores.sample(frac=1.0, random_state=0), COMPONENTS, [H2])
    pd.testing.assert_frame_equal(shuffled, rows)


def test_equal_networks_leave_hypotheses_undecided():
    equal = _table({"mixture": 0.7, "music": 0.7, "speech": 0.7}, ["speech", "music", "pitch"])
    same = equal.copy()
    same["r2_corr"] = 0.7
    for table in (equal, same):
        rows = run_hypotheses(table, COMPONENTS, [H2, H3])
        assert set(rows.loc[rows["decides"].astype(bool), "verdict"]) == {"undecided"}
        assert set(verdicts(rows)["verdict"]) == {"undecided"}
    assert (rows["p"] == 1.0).all()
    assert (rows[["estimate", "low", "high", "effect"]] == 0.0).all(axis=None)


def test_best_overall_over_subjects():
    random = np.random.default_rng(1)
    targets = pd.DataFrame({"subject": np.repeat(list("abcdefgh"), 4)}, index=[f"v{i}" for i in range(32)])
    table = _table({"mixture": 0.7, "music": 0.6, "speech": 0.7}, list(targets.index)).assign(r2_corr_c2=np.nan)
    per_subject = targets["subject"].map({name: 0.02 * random.standard_normal() for name in "abcdefgh"})
    mixture = table["features"] == "mixture"
    table["r2_corr_c2"] = table["r2_corr"] + np.where(mixture, table["target"].map(per_subject), 0.0)
    # a voxel without a corrected score in one network is left out of both
    table.loc[(table["target"] == "v0") & (table["features"] == "music"), "r2_corr_c2"] = np.nan
    hypothesis = H3.model_copy(update={"over": "subjects", "metric": "r2_corr_c2"})
    rows = run_hypotheses(table, targets, [hypothesis]).set_index("b")
    layer1 = table[table["layer"] == 1].groupby(["features", "target"])["r2_corr_c2"].median().unstack("features")
    known = layer1.dropna(subset=["mixture", "music"])
    medians = known.groupby(targets["subject"].loc[known.index]).median()
    difference = medians["mixture"] - medians["music"]
    assert rows.loc["music", "estimate"] == pytest.approx(difference.mean(), rel=1e-12)
    assert rows.loc["music", "effect"] == pytest.approx(difference.mean() / difference.std(ddof=1), rel=1e-9)
    assert rows["n"].tolist() == [8, 8]
    assert rows["verdict"].tolist() == ["supported", "undecided"]
    assert rows["test"].unique().tolist() == ["paired bootstrap over subjects"]


def test_depth_by_region_finds_the_planted_shift():
    table, targets = _voxels(n_subjects=8, shift=2)
    rows = run_hypotheses(table, targets, [H1])
    assert rows["a"].tolist() == ["Anterior, Lateral", "Anterior", "Lateral"]
    assert rows["decides"].tolist() == [True, False, False]
    # two layers of eleven are 0.2 of the depth
    assert rows["estimate"].to_numpy() == pytest.approx(np.full(3, 0.2), abs=0.03)
    assert (rows["low"] > 0.1).all()
    assert (rows["n"] == 8).all()
    assert verdicts(rows)["verdict"].tolist() == ["supported"]
    # by hand: the depth of the best layer, mean over splits, median over voxels, mean over subjects
    best = table.loc[table.groupby(["target", "split"])["r2_dev"].idxmax()]
    depth = targets.assign(depth=best.groupby("target")["layer"].mean() / 10)
    medians = depth.groupby(["subject", "roi"])["depth"].median().unstack()
    assert rows["estimate"].iloc[1] == pytest.approx((medians["Anterior"] - medians["Primary"]).mean(), rel=1e-12)


@pytest.mark.parametrize(("shift", "verdict"), [(-2, "contradicted"), (0, "undecided")])
def test_depth_by_region_without_the_shift(shift, verdict):
    assert verdicts(run_hypotheses(*_voxels(8, shift), [H1]))["verdict"].tolist() == [verdict]


def test_a_subject_without_voxels_of_a_region_is_left_out_and_few_subjects_decide_nothing():
    table, targets = _voxels(n_subjects=6, shift=2)
    targets.loc[(targets["subject"] == 0) & (targets["roi"] == "Anterior"), "roi"] = None
    assert run_hypotheses(table, targets, [H1])["n"].tolist() == [6, 5, 6]
    table, targets = _voxels(n_subjects=3, shift=2)
    with pytest.warns(UserWarning, match="3 subject"):
        rows = run_hypotheses(table, targets, [H1])
    assert verdicts(rows)["verdict"].tolist() == ["undecided"]


def test_a_voxel_that_no_layer_predicts_has_no_depth():
    table, targets = _voxels(n_subjects=5, shift=2)
    expected = run_hypotheses(table, targets, [H1])
    silent = targets.groupby(["subject", "roi"]).head(1).index
    doubled = pd.concat(
        [table, table[table["target"].isin(silent)].assign(r2_dev=0.0, target=lambda t: t["target"] + "s")]
    )
    more = pd.concat([targets, targets.loc[silent].rename(lambda name: name + "s")])
    pd.testing.assert_frame_equal(run_hypotheses(doubled, more, [H1]), expected)
    rows = run_hypotheses(table.assign(r2_dev=0.0), targets, [H1])
    assert (rows["n"] == 0).all()
    assert (rows["p"] == 1.0).all()
    assert verdicts(rows)["verdict"].tolist() == ["undecided"]


def test_only_layers_that_were_used_count_for_depth():
    table, targets = _voxels(n_subjects=4, shift=2)
    even = run_hypotheses(table, targets, [H1])
    renamed = run_hypotheses(table.assign(layer=100 + 3 * table["layer"]), targets, [H1])
    pd.testing.assert_frame_equal(even, renamed)


VOXELS = _voxels(4, 2)[1]


@pytest.mark.parametrize(
    ("hypothesis", "targets", "message"),
    [
        (
            H3.model_copy(update={"features": "mixtur"}),
            COMPONENTS,
            r"hypotheses\[0\] \(H3\): no feature set .*'mixtur'",
        ),
        (H3.model_copy(update={"against": ["mixture"]}), COMPONENTS, r"against: \['mixture'\] must name other"),
        (H3.model_copy(update={"estimator": "lars"}), COMPONENTS, r"no estimator is called 'lars'; known: ridge"),
        (H3.model_copy(update={"over": "subjects"}), COMPONENTS, r"no column of the table.*'subject'; known: there is"),
        (H2.model_copy(update={"of": {"musik": "music"}}), COMPONENTS, r"no target is called 'musik'; known: speech"),
        (H2.model_copy(update={"of": {"music": "mixture"}}), COMPONENTS, r"must name other feature sets than"),
        (H1, COMPONENTS, r"H1\)\.roi: no column of the table of targets is called 'roi'"),
        (H1.model_copy(update={"other": ["Posterior"]}), VOXELS, r"no region \(column roi\) is called 'Posterior'"),
        (H1.model_copy(update={"other": ["Primary"]}), VOXELS, r"\['Primary'\] cannot be primary and other"),
        (H1.model_copy(update={"features": "flat"}), VOXELS, r"flat has one layer"),
        (H1, VOXELS.assign(subject=np.where(VOXELS["roi"] == "Primary", 1, 2)), r"no subject has targets both in"),
    ],
)
def test_what_is_not_there_is_refused_before_anything_is_computed(hypothesis, targets, message):
    with pytest.raises(ConfigError, match=message):
        check_hypotheses([hypothesis], {**LAYERS, "flat": [0]}, ["ridge"], targets)


def test_estimators_and_names_must_be_unambiguous(scores):
    with pytest.raises(ConfigError, match=r"add `estimator:`, one of \['ridge', 'lasso'\]"):
        check_hypotheses([H3], LAYERS, ["ridge", "lasso"], COMPONENTS)
    with pytest.raises(ConfigError, match=r"hypotheses\[1\] \(H3\): an earlier hypothesis has the same name"):
        check_hypotheses([H3, H3], LAYERS, ["ridge"], COMPONENTS)
    check_hypotheses([H2, H3, H1], LAYERS, ["ridge"], VOXELS.rename({"v0": "music", "v1": "speech"}))
    both = pd.concat([scores, scores.assign(estimator="lasso", r2_corr=0.1)])
    rows = run_hypotheses(both, COMPONENTS, [H3.model_copy(update={"estimator": "lasso"})])
    assert set(rows["estimator"]) == {"lasso"}
    assert (rows["estimate"] == 0).all()


def test_a_metric_that_was_not_computed_is_refused(scores):
    with pytest.raises(DataError, match=r"no column 'r2_corr_c2'; those corrected for noise need repetitions"):
        run_hypotheses(scores, COMPONENTS, [H3.model_copy(update={"metric": "r2_corr_c2"})])


def test_no_hypotheses_give_an_empty_table(scores):
    rows = run_hypotheses(scores, COMPONENTS, [])
    assert rows.empty
    assert verdicts(rows).empty


@pytest.mark.parametrize("name", ["hypotheses", "hypotheses_voxels"])
def test_shipped_hypotheses_are_valid_and_about_features_that_are_there(root, name):
    content = yaml.safe_load((root / "julearn_configs" / f"{name}.yml").read_text(encoding="utf-8"))
    hypotheses = TypeAdapter(list[Hypothesis]).validate_python(content["hypotheses"])
    kinds = {"hypotheses": {"domain_match", "best_overall"}, "hypotheses_voxels": {"depth_by_region", "best_overall"}}
    assert {hypothesis.kind for hypothesis in hypotheses} == kinds[name]
    components = ["lowfreq", "highfreq", "envsounds", "pitch", "speech", "music"]
    regions = ["Primary", "Anterior", "Lateral", "Posterior"]
    targets = pd.DataFrame({"subject": 0, "roi": regions + ["Primary"] * 2}, index=components)
    check_hypotheses(
        hypotheses, {key: list(range(10)) for key in content["features"]}, list(content["estimators"]), targets
    )
    for features in content["features"].values():
        recipe = root / "junifer_yamls" / f"{features['storage'].split('/')[-1].removesuffix('.hdf5')}.yml"
        markers = yaml.safe_load(recipe.read_text(encoding="utf-8"))["markers"]
        assert features["marker"] in [marker["name"] for marker in markers]


def test_unknown_keys_and_kinds_are_refused():
    adapter = TypeAdapter(list[Hypothesis])
    for wrong in ({"kind": "best"}, {"kind": "best_overall", "features": "a", "against": ["b"], "layer": 3}):
        with pytest.raises(ValidationError):
            adapter.validate_python([{"name": "H", **wrong}])
