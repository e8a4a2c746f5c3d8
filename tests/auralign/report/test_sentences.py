"""What a report says: every number in its sentences against planted tables."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from auralign.figures.variance import optimism_gap
from auralign.report.best_found import best_predictions
from auralign.report.caveats import find_caveats
from auralign.report.headline import details, headline
from auralign.report.split_scores import SplitScores
from auralign.report.tests_found import above_chance, comparisons, hypotheses, selected, unique
from auralign.report.wording import MINUS, signed
from auralign.runs.results import Results

N_DEV, N_TEST, K = 20, 10, 4
# r2_corr of each split
SPLITS = {
    ("net", 0, "speech"): [0.30, 0.34, 0.28, 0.36],
    ("net", 1, "speech"): [0.52, 0.50, 0.55, 0.47],
    ("mel", 0, "speech"): [0.40, 0.42, 0.37, 0.41],
    ("net", 0, "music"): [0.00, 0.09, 0.00, 0.02],
    ("net", 1, "music"): [0.00, 0.10, 0.02, 0.00],
    ("mel", 0, "music"): [0.01, 0.00, 0.00, 0.03],
}


def _provenance(**changes) -> dict:
    side = {"features": None, "layer": None, "estimator": None}
    a, b = side | {"features": "net", "layer": "best"}, side | {"features": "mel"}
    test = {"metric": "r2_corr", "a": a, "b": b}
    config = {
        "name": "planted",
        "fdr": 0.05,
        "features": {"net": {}, "mel": {}},
        "estimators": {"ridge": {"kind": "ridge"}},
        "tests": [test],
    }
    split = {"development": list(range(N_DEV)), "test": list(range(N_DEV, N_DEV + N_TEST))}
    return {"config": config, "splits": [split] * K, "stimuli": ["s"] * 30, "features": {}} | changes


def _planted(values: dict = SPLITS, provenance: dict | None = None, **tables: pd.DataFrame) -> Results:
    """Results of one ridge whose scores are `values`, without any file."""
    cells = [(*key, k, value) for key, own in values.items() for k, value in enumerate(own)]
    scores = pd.DataFrame(cells, columns=["features", "layer", "target", "split", "r2_corr"])
    scores = scores.assign(layer_name="block" + scores["layer"].astype(str), estimator="ridge")
    # development always chooses the deepest layer
    scores = scores.assign(r2_dev=0.1 * scores["layer"])
    keys = ["features", "layer", "layer_name", "target", "estimator"]
    summary = scores.groupby(keys, sort=False)["r2_corr"].agg(r2_corr_median="median").reset_index()
    nothing = pd.DataFrame({key: [] for key in ("test", "metric", "target", "difference", "significant")})
    for side in "ab":
        for key in ("features", "layer", "estimator"):
            nothing[f"{side}_{key}"] = []
    held = {"scores": scores, "summary": summary, "comparisons": nothing} | tables
    return Results(Path("nowhere"), provenance or _provenance(), held)


def _interval(values) -> tuple[float, float, float]:
    """Nadeau & Bengio's interval of the mean over splits, written out."""
    values = np.asarray(values)
    error = np.sqrt((1 / len(values) + N_TEST / N_DEV) * values.var(ddof=1))
    half = stats.t(len(values) - 1).ppf(0.975) * error
    return values.mean(), values.mean() - half, values.mean() + half


def _comparison(a: tuple, b: tuple, target: str, p_fdr: float, **more) -> dict:
    row = {"test": 0, "metric": "r2_corr", "target": target, "significant": p_fdr <= 0.05}
    row |= {"p_fdr": p_fdr, "p": p_fdr / 2, "a_layer_choice": "nested", "b_layer_choice": "nested"}
    for side, one in (("a", a), ("b", b)):
        row |= {f"{side}_{key}": value for key, value in zip(("features", "layer", "estimator"), one, strict=True)}
    return row | {"difference": 0.1, "low": -0.1, "high": 0.3} | more


def _said(results: Results) -> dict[str, str]:
    return {one.about: one.text for one in best_predictions(SplitScores(results)).findings}


def test_the_best_layer_is_named_with_its_score_and_interval():
    said = _said(_planted())["speech"]
    mean, low, high = _interval(SPLITS["net", 1, "speech"])
    assert said.startswith(
        f"best predicted by net (most often layer 1, block1, of 2; ridge): r2_corr {mean:.3f} (interval {low:.3f} to "
        f"{high:.3f})."
    )
    assert "Next is mel (ridge) with 0.400" in said
    mean, low, high = _interval(np.subtract(SPLITS["net", 1, "speech"], SPLITS["mel", 0, "speech"]))
    assert low < 0 < high
    assert (
        f"mean difference is +{mean:.3f} (interval {MINUS}{-low:.3f} to +{high:.3f}): the interval includes 0." in said
    )


@pytest.mark.parametrize(
    ("p", "word"), [(0.03, "significant (adjusted p 0.03)"), (0.2, "not significant (adjusted p 0.2)")]
)
def test_a_tested_difference_is_judged_by_its_test(p, word):
    best, other = ("net", 1, "ridge"), ("mel", 0, "ridge")
    for a, b in ((best, other), (other, best)):
        tested = pd.DataFrame([_comparison(a, b, "speech", p), _comparison(a, b, "music", 0.9)])
        assert f"): {word}." in _said(_planted(comparisons=tested))["speech"]
    # the test of a layer that was given, or is best on the test stimuli, says nothing about the nested one
    for choice in ("given", "best"):
        tested = pd.DataFrame([_comparison(best, other, "speech", 0.001, a_layer_choice=choice)])
        assert "the interval includes 0" in _said(_planted(comparisons=tested))["speech"]
    earlier = tested.drop(columns=["a_layer_choice", "b_layer_choice"])
    assert "the interval includes 0" in _said(_planted(comparisons=earlier))["speech"]
    another = pd.DataFrame([_comparison(best, other, "speech", 0.001, metric="r2")])
    assert "the interval includes 0" in _said(_planted(comparisons=another))["speech"]


def test_a_clear_difference_without_a_test_is_said_to_exclude_zero():
    values = SPLITS | {("mel", 0, "speech"): [0.10, 0.09, 0.12, 0.05]}
    assert "the interval excludes 0." in _said(_planted(values))["speech"]


def test_a_target_at_chance_has_no_winner():
    results = _planted()
    said = _said(results)["music"]
    chance = 1 / (2 * (N_TEST - 1))
    assert said.startswith("not clearly above chance in any feature set.")
    assert f"without any relation r2_corr {chance:.3f} is to be expected" in said
    assert "Next" not in said
    caveats = find_caveats(results, SplitScores(results))
    assert any(text.startswith("No feature set predicts music clearly above chance") for text in caveats)
    assert not any("speech" in text for text in caveats)


def test_intervals_of_squared_correlations_stay_between_0_and_1():
    best = SplitScores(_planted(SPLITS | {("mel", 0, "speech"): [0.99, 0.80, 1.0, 0.95]})).by_target()
    assert {one.low for one in best if one.target == "music"} == {0.0}
    assert max(one.high for one in best) == 1.0


def test_joined_sets_are_no_rivals_of_their_parts():
    values = SPLITS | {("both", 0, "speech"): [0.51, 0.50, 0.54, 0.46], ("both", 0, "music"): [0.0] * 4}
    provenance = _provenance()
    provenance["config"]["features"]["both"] = {"join": ["net", "mel"]}
    assert "Next is mel" in _said(_planted(values, provenance))["speech"]


def test_scores_are_set_against_the_noise_ceiling():
    results = _planted()
    results.summary["noise_ceiling"] = 0.68
    assert "75 % of the noise ceiling of 0.680" in _said(results)["speech"]


def _many(n_targets: int = 40) -> dict:
    random = np.random.default_rng(5)
    strength = {("net", 0): 0.2, ("net", 1): 0.4, ("mel", 0): 0.3}
    return {
        (features, layer, f"v{number}"): np.clip(level * (number % 4) / 2 + 0.05 * random.standard_normal(K), 0, 1)
        for (features, layer), level in strength.items()
        for number in range(n_targets)
    }


def test_many_targets_are_summarised_by_their_median():
    values = _many()
    results = _planted(values)
    said = _said(results)
    assert list(said) == ["net", "mel", "First and second"]
    block = np.array([values["net", 1, f"v{number}"] for number in range(40)])  # [targets, splits]
    mean, low, high = _interval(np.median(block, axis=0))
    assert said["net"].startswith(
        f"with ridge, most often at layer 1 (block1, of 2), r2_corr {mean:.3f} (median over 40 targets in every split, "
        f"mean over splits; interval {low:.3f} to {high:.3f})."
    )
    above = np.mean([_interval(row)[1] > 1 / (2 * (N_TEST - 1)) for row in block])
    assert 0 < above < 1
    assert f" {100 * above:.3g} % of 40 targets are predicted above chance" in said["net"]
    other = np.array([values["mel", 0, f"v{number}"] for number in range(40)])
    mean, *_ = _interval(np.median(block, axis=0) - np.median(other, axis=0))
    assert f"the mean difference is +{mean:.3f}" in said["First and second"]


def _people(results: Results, n: int) -> Results:
    """Give the targets of results to n subjects in turn."""
    names = list(dict.fromkeys(results.summary["target"]))
    results.summary["subject"] = results.summary["target"].map({name: k % n + 1 for k, name in enumerate(names)})
    return results


def test_regions_of_many_targets_are_named():
    same = {"features": "net", "estimator": "ridge", "metric": "r2_corr", "layers": "all", "n_layers": 2, "gap": 0.0}
    rows = [same | {"roi": roi, "nested": value} for roi, value in (("A1", 0.5), ("Belt", 0.3), (np.nan, 0.9))]
    rows += [rows[0] | {"roi": "A1", "layers": "without 1", "nested": 0.99}]
    said = _said(_planted(_many(), layer_choice=pd.DataFrame(rows)))
    assert "Of 2 regions it is highest in A1 (0.500) and lowest in Belt (0.300; medians over" in said["net"]
    assert "region" not in said["mel"]


def test_over_five_subjects_scores_and_intervals_are_over_subjects():
    values = _many()
    results = _people(_planted(values), 5)
    medians = [np.median([np.median(values["net", 1, f"v{k}"]) for k in range(s, 40, 5)]) for s in range(5)]
    mean, half = np.mean(medians), stats.t(4).ppf(0.975) * np.std(medians, ddof=1) / np.sqrt(5)
    best = next(one for one in SplitScores(results).overall() if one.features == "net")
    assert [best.score, best.low, best.high] == pytest.approx([mean, max(mean - half, 0), mean + half], abs=1e-12)
    assert "mean over 5 subjects of each one's median" in _said(results)["net"]
    said = headline(SplitScores(results))
    assert f"predicts {100 * mean:.0f} % of the variance in the mean of 5 subjects (95 % interval" in said.sentence
    assert said.people == ""
    assert "between subjects" in said.note
    other = [np.median([np.median(values["mel", 0, f"v{k}"]) for k in range(s, 40, 5)]) for s in range(5)]
    assert (
        f"the mean difference is {signed(np.mean(np.subtract(medians, other)))} " in _said(results)["First and second"]
    )


def test_of_fewer_than_five_subjects_nothing_is_concluded_about_people():
    values = _many()
    results = _people(_planted(values), 4)
    said = headline(SplitScores(results))
    assert said.people.startswith("The responses are of 4 subjects: whether other people's would be predicted as well")
    best = next(one for one in SplitScores(results).overall() if one.features == "net")
    block = np.array([values["net", 1, f"v{number}"] for number in range(40)])
    assert [best.score, best.low, best.high] == pytest.approx(_interval(np.median(block, axis=0)))
    first = np.median([values["net", 1, f"v{k}"] for k in range(0, 40, 4)], axis=0).mean()
    sentence = _said(results)["net"]
    assert f"Subject by subject: 1 {first:.3f}, " in sentence
    assert "standard error" not in sentence


def test_the_headline_is_one_sentence_with_its_interval():
    results = _planted()
    said = headline(SplitScores(results))
    both = np.mean([SPLITS["net", 1, "speech"], SPLITS["net", 1, "music"]], axis=0)
    mean, low, high = (100 * value for value in _interval(both))
    assert said.sentence == (
        f"The best of 2 feature sets, net, predicts {mean:.0f} % of the variance of 2 responses on average "
        f"(95 % interval {low:.0f} to {high:.0f} %)."
    )
    assert "most often layer 1, block1, of 2: in 100 % of the choices" in said.note
    assert "and does not allow for having chosen the best" in said.note
    table = details(SplitScores(results))
    assert list(table.index) == ["speech", "music", "mean of 2 targets"]
    assert table.loc["speech"].tolist() == ["0.510 (layer 1)", "0.400"]
    assert table.loc["mean of 2 targets", "net ridge"] == f"{mean / 100:.3f} (layer 1)"


def test_networks_are_compared_with_each_other_and_better_baselines_are_named():
    values = SPLITS | {("mel", 0, "speech"): [0.82, 0.84, 0.79, 0.83]}
    provenance = _provenance(features={"net": {"class": "Whisper"}, "mel": {"class": "LogMel"}})
    said = headline(SplitScores(_planted(values, provenance))).sentence
    assert said.startswith("net predicts 27 % of the variance of 2 responses on average (95 % interval ")
    assert said.endswith(". mel, an acoustic baseline, predicts more: 42 %.")
    provenance["features"]["mel"] = {"class": "Wav2Vec2"}
    said = headline(SplitScores(_planted(values, provenance))).sentence
    assert said.startswith("The best of 2 networks, mel, predicts 42 % of the variance")
    provenance["features"] = {name: {"checkpoint": "untrained", "class": "Whisper"} for name in ("net", "mel")}
    said = headline(SplitScores(_planted(values, provenance))).sentence
    assert said.startswith("The best of 2 networks, mel, predicts 42 %")


def test_what_is_not_above_chance_is_not_said_to_be_predicted():
    values = {key: own for key, own in SPLITS.items() if key[2] == "music"}
    said = headline(SplitScores(_planted(values))).sentence
    assert said.startswith("None of 2 feature sets predicts the responses clearly above chance: the best, net, reaches")
    assert " 3.0 % of the variance of music (95 % interval 0.0 to " in said


def _noise_corrected(metric: str = "auto") -> Results:
    """Results whose corrected scores order layers and feature sets otherwise than raw ones."""
    factor = {"net": 1.5, "mel": 2.0}
    results = _planted()
    results.provenance["config"]["metric"] = metric
    scores = results.scores.assign(r2_corr_c2=lambda t: t["r2_corr"] * t["features"].map(factor))
    keys = ["features", "layer", "layer_name", "target", "estimator"]
    corrected = scores.groupby(keys, sort=False)["r2_corr_c2"].agg(r2_corr_c2_median="median").reset_index()
    summary = results.summary.merge(corrected, on=keys)
    return Results(results.folder, results.provenance, results._read | {"scores": scores, "summary": summary})


def test_the_primary_metric_is_that_of_every_sentence():
    results = _noise_corrected()
    assert results.metric == "r2_corr_c2"
    splits = SplitScores(results)
    said = headline(splits)
    net = np.minimum(np.mean([SPLITS["net", 1, "speech"], SPLITS["net", 1, "music"]], axis=0) * 1.5, 1).mean()
    mel = np.mean([SPLITS["mel", 0, "speech"], SPLITS["mel", 0, "music"]]) * 2
    assert mel > net
    assert f"mel, predicts {100 * mel:.0f} % of the explainable variance of 2 responses on average" in said.sentence
    assert _said(results)["speech"].startswith("best predicted by mel (ridge): r2_corr_c2 0.800")
    raw = _noise_corrected("r2_corr")
    assert raw.metric == "r2_corr"
    assert "net, predicts 27 % of the variance of" in headline(SplitScores(raw)).sentence
    assert _said(raw)["speech"].startswith("best predicted by net")


def test_tests_are_counted_both_ways():
    net, mel = ("net", 1, "ridge"), ("mel", 0, "ridge")
    rows = [
        _comparison(net, mel, "a", 0.01, difference=0.2),
        _comparison(net, mel, "b", 0.01, difference=-0.1),
        _comparison(net, mel, "c", 0.04, difference=-0.3),
        _comparison(net, mel, "d", 0.06, difference=0.5),
        _comparison(net, mel, "e", np.nan, difference=0.0),
    ]
    (finding,) = comparisons(_planted(comparisons=pd.DataFrame(rows))).findings
    assert finding.about == "net, best layer against mel (r2_corr)"
    assert finding.text == (
        "of 5 pairs 1 is significantly better with net, best layer (a), 2 with mel (b and c), and in 2 no significant "
        f"difference was found. First minus second, the differences are +0.060 on average and lie between {MINUS}0.300 "
        "and +0.500."
    )
    (finding,) = comparisons(_planted(comparisons=pd.DataFrame(rows[3:]))).findings
    assert finding.text.startswith("none of the 2 differences is significant.")
    (finding,) = comparisons(_planted(comparisons=pd.DataFrame(rows[3:4]))).findings
    assert finding.text == f"the difference for d is not significant: +0.500 (interval {MINUS}0.100 to +0.300, p 0.03)."
    assert comparisons(_planted()).findings == []


def test_what_is_the_same_on_both_sides_is_said_once():
    provenance = _provenance()
    provenance["config"]["tests"][0]["b"] |= {"layer": "best"}
    rows = pd.DataFrame([_comparison(("net", 1, "ridge"), ("mel", 0, "ridge"), "a", 0.5)])
    (finding,) = comparisons(_planted(provenance=provenance, comparisons=rows)).findings
    assert finding.about == "net against mel (best layer, r2_corr)"


def test_verdicts_rest_on_the_rows_that_decide():
    rows = pd.DataFrame(
        {
            "hypothesis": ["H1", "H1", "H2", "H2"],
            "statement": ["x beats y", "x beats z", "deep", "deeper"],
            "decides": [True, True, True, False],
            "estimate": [0.2, -0.01, 0.3, 9.9],
            "low": [0.1, -0.2, -np.inf, 0.0],
            "high": [0.3, 0.2, np.inf, 0.0],
            "p_fdr": [0.0004, 0.8, 0.07, 0.0],
            "verdict": ["supported", "undecided", "undecided", "supported"],
        }
    )
    first, second = hypotheses(_planted(hypotheses=rows)).findings
    assert first.about == "H1"
    assert first.text == (
        "undecided. It rests on 2 comparisons: x beats y: +0.200 (+0.100 to +0.300; adjusted p < 0.001; supported); "
        f"x beats z: {MINUS}0.010 ({MINUS}0.200 to +0.200; adjusted p 0.8; undecided)."
    )
    assert second.text == (
        "undecided. It rests on 1 comparison: deep: +0.300 (unbounded (too few subjects); adjusted p 0.07; undecided)."
    )
    assert hypotheses(_planted()) is None


def test_unique_variance_chance_and_selections_are_counted():
    rows = pd.DataFrame(
        {
            "features": "both",
            "adds": ["net", "net", "mel"],
            "without": ["mel", "mel", "net"],
            "estimator": "ridge",
            "layer": [0, 1, 0],
            "target": ["speech", "music", "speech"],
            "unique": [0.11, 0.25, -0.02],
            "low": [0.0, 0.1, -0.1],
            "high": [0.2, 0.4, 0.1],
            "significant": [False, True, False],
        }
    )
    net, mel = unique(_planted(unique_variance=rows)).findings
    assert net.text == (
        "net adds significantly to mel in 1 of 2 rows (targets and layers; ridge). The most it adds is r2 +0.250 "
        "(+0.100 to +0.400), for music, layer 1."
    )
    assert "in 0 of 1 row" in mel.text
    chance = pd.DataFrame(
        {
            "features": "net",
            "estimator": "ridge",
            "target": ["speech", "speech", "music", "music"],
            "layer": [0, 1, 0, 1],
            "p_best_fdr": [0.01, 0.01, 0.2, 0.2],
            "n_permutations": 99,
        }
    )
    (finding,) = above_chance(_planted(above_chance=chance)).findings
    assert "above chance in 1 of 2 targets (99 permutations" in finding.text
    assert finding.text.endswith("Not above chance: music.")
    selection = pd.DataFrame(
        {
            "across": ["split"] * 3 + ["target"],
            "features": "net",
            "estimator": "lasso",
            "n_selected_mean": [3.0, 10.0, 20.0, np.nan],
            "kuncheva": [0.1, 0.3, 0.6, 0.9],
            "n_empty": [2, 0, 0, np.nan],
            "n_splits": [4, 4, 4, np.nan],
        }
    )
    (finding,) = selected(_planted(selection=selection)).findings
    assert "keeps 10.0 units" in finding.text
    assert "by 0.300 " in finding.text
    assert finding.text.endswith("2 of 12 models keep none.")


def test_the_optimism_of_chosen_layers_is_told():
    rows = pd.DataFrame(
        {
            "features": ["net", "net", "mel", "net", "net"],
            "estimator": "ridge",
            "metric": ["r2_corr", "r2_corr", "r2_corr", "r2", "r2_corr"],
            "target": ["speech", "music", "speech", "speech", "speech"],
            "layers": ["all", "all", "all", "all", "without 9"],
            "n_layers": [2, 2, 1, 2, 2],
            "naive": [0.51, 0.02, 0.4, 0.9, 0.9],
            "n_targets": 1,
            "nested": [0.45, 0.00, 0.4, 0.1, 0.1],
            "gap": [0.06, 0.02, 0.0, 0.8, 0.8],
        }
    )
    results = _planted(layer_choice=rows)
    (text,) = [text for text in find_caveats(results, SplitScores(results)) if "layer that is best" in text]
    assert "by 0.040 on average and by 0.060 at most (net on speech, ridge)" in text
    # the figure is drawn of the same table and names the same number
    rules = rows.assign(published=0.5)
    assert "mean optimism +0.040" in optimism_gap(rules, "ridge", results.metric).caption
    single = {key: own for key, own in SPLITS.items() if key[:2] != ("net", 1)}
    results = _planted(single)
    assert not any("is best on" in text for text in find_caveats(results, SplitScores(results)))


def test_of_many_targets_the_optimism_is_that_of_all_together():
    rows = pd.DataFrame(
        {
            "features": "net",
            "estimator": "ridge",
            "metric": "r2_corr",
            "layers": "all",
            "n_layers": 2,
            "subject": [np.nan, 1.0],
            "naive": [0.5, 0.9],
            "nested": [0.4, 0.1],
            "gap": [0.1, 0.8],
        }
    )
    results = _planted(_many(), layer_choice=rows)
    (text,) = [text for text in find_caveats(results, SplitScores(results)) if "layer that is best" in text]
    assert "by 0.100 (net, each target at its own layer, ridge), for" in text


def test_warnings_controls_reliability_and_changed_code_are_told():
    provenance = _provenance(
        warnings=["ridge: 3 of 9 fits took the smallest alpha."],
        features={"net": {"checkpoint": "untrained"}},
        code={"commit": "0123456789abcdef", "clean": False},
    )
    results = _planted(provenance=provenance)
    results.summary["reliability_median"] = np.where(results.summary["target"] == "music", 0.182, 0.6)
    caveats = find_caveats(results, SplitScores(results))
    assert "ridge: 3 of 9 fits took the smallest alpha." in caveats
    assert any(text.startswith("net is a control: a network with random") for text in caveats)
    assert any("responses of 1 of 2 targets hardly repeat" in text for text in caveats)
    assert any("differs from its commit 0123456789ab" in text for text in caveats)
    provenance["code"]["clean"] = True
    assert not any("commit" in text for text in find_caveats(results, SplitScores(results)))
