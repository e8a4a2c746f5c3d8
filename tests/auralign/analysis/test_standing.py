"""Scores at nested layers: against the table of layer choices, and against plain counting."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from auralign.analysis.layer_choice import optimism, optimism_rows
from auralign.analysis.nested_layers import at_position, best_position, most_chosen, nested_scores
from auralign.analysis.standing import mean_of_subjects, mean_over_splits, nested_by_subject, nested_values


def _scores(n_targets: int = 3, n_splits: int = 6, seed: int = 0) -> pd.DataFrame:
    random, rows = np.random.default_rng(seed), []
    for features, n_layers in (("net", 4), ("mel", 1)):
        for layer in range(n_layers):
            for target in range(n_targets):
                for split in range(n_splits):
                    rows.append((features, layer, f"l{layer}", f"t{target}", "ridge", split, *random.random(3)))
    names = ["features", "layer", "layer_name", "target", "estimator", "split", "r2_corr", "r2_dev", "r2"]
    return pd.DataFrame(rows, columns=names)


def test_medians_are_nested_of_the_layer_choices():
    scores = _scores()
    table = optimism(scores, "r2_corr").set_index(["features", "target"])
    for one in nested_values(scores, ["r2_corr"]):
        for target, values in zip(one.targets, one.values["r2_corr"].T, strict=True):
            row = table.loc[(one.features, target)]
            assert np.median(values) == row["nested"]
            assert one.layers[one.shares(target).argmax()] == row["nested_layer"]
        assert one.shares().sum() == pytest.approx(1.0)


def test_the_choice_is_one_in_arrays_and_in_rows():
    scores = _scores()
    scores.loc[scores["layer"] == 2, "r2_dev"] = np.nan  # a layer without a score
    tied = (scores["split"] == 1) & (scores["layer"] != 2)
    scores.loc[tied, "r2_dev"] = 0.5  # of equals the first
    for one in nested_values(scores, ["r2_corr"]):
        expected = nested_scores(scores, one.features, one.estimator, "r2_corr")
        np.testing.assert_array_equal(one.values["r2_corr"], expected[one.targets].to_numpy())
        assert (one.position[1] == 0).all()
        often = most_chosen(scores, one.features, one.estimator)
        assert [one.layers[one.shares(target).argmax()] for target in one.targets] == often[one.targets].tolist()


def test_where_no_layer_has_a_score_there_is_no_position():
    values = np.array([[np.nan, 1.0, np.nan, 2.0], [np.nan, 3.0, 0.0, 2.0]])
    position = best_position(values)
    assert position.tolist() == [-1, 1, 1, 0]
    np.testing.assert_array_equal(at_position(10 * values, position), [np.nan, 30.0, 0.0, 20.0])


def test_few_targets_are_averaged_and_many_summarised_by_their_median():
    for n, how in ((24, "mean"), (25, "median")):
        scores = _scores(n)
        net = next(one for one in nested_values(scores, ["r2_corr"]) if one.features == "net")
        own = scores[scores["features"] == "net"]
        chosen = own.loc[own.groupby(["target", "split"])["r2_dev"].idxmax()]
        np.testing.assert_allclose(net.over_targets("r2_corr"), chosen.groupby("split")["r2_corr"].agg(how), rtol=1e-12)


def test_a_target_without_a_score_is_left_out_of_all_feature_sets():
    scores = _scores()
    lost = (scores["features"] == "mel") & (scores["target"] == "t1") & (scores["split"] == 2)
    scores.loc[lost, "r2_corr"] = np.nan
    for one in nested_values(scores, ["r2_corr"]):
        assert one.complete.tolist() == [True, False, True]
        np.testing.assert_allclose(one.over_targets("r2_corr"), one.values["r2_corr"][:, [0, 2]].mean(axis=1))


def test_scores_above_one_count_as_one():
    scores = _scores().assign(r2_corr=lambda table: 2 * table["r2_corr"])
    assert max(one.values["r2_corr"].max() for one in nested_values(scores, ["r2_corr"])) == 1.0


def test_intervals_over_splits_leave_out_missing_ones():
    values = np.random.default_rng(1).random((6, 3))
    values[4, 1] = values[:5, 2] = np.nan
    mean, low, high = mean_over_splits(values, 20, 10)
    for column, known in ((0, np.arange(6) >= 0), (1, np.arange(6) != 4)):
        own = values[known, column]
        half = stats.t(len(own) - 1).ppf(0.975) * np.sqrt((1 / len(own) + 0.5) * own.var(ddof=1))
        expected = [own.mean(), own.mean() - half, own.mean() + half]
        assert [mean[column], low[column], high[column]] == pytest.approx(expected)
    assert np.isnan([mean[2], low[2], high[2]]).all()


@pytest.mark.parametrize("n", [4, 5])
def test_there_is_an_interval_between_subjects_from_five_on(n):
    scores = _scores(30)
    targets = pd.DataFrame({"target": [f"t{k}" for k in range(30)], "subject": np.arange(30) % n})
    row = mean_of_subjects(nested_by_subject(scores, "r2_corr", targets)).set_index("features").loc["net"]
    chosen = scores[scores["features"] == "net"]
    chosen = chosen.loc[chosen.groupby(["target", "split"])["r2_dev"].idxmax()].groupby("target")["r2_corr"].median()
    people = chosen.groupby(targets.set_index("target")["subject"]).median()
    assert row["score"] == pytest.approx(people.mean())
    expected = stats.t.interval(0.95, n - 1, people.mean(), stats.sem(people)) if n > 4 else (np.nan, np.nan)
    assert [row["low"], row["high"]] == pytest.approx(list(expected), nan_ok=True)


def test_optimism_is_read_from_the_same_rows_everywhere():
    table = pd.concat([optimism(_scores(), metric, exclude={"net": [3]}) for metric in ("r2_corr", "r2")])
    rows = optimism_rows(table, "r2_corr")
    assert set(rows["features"]) == {"net"}
    assert len(rows) == 3
    assert rows["gap"].mean() == pytest.approx((rows["naive"] - rows["nested"]).mean())
