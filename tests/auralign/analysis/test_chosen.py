"""Tables of the scores that reports read: the same numbers as all scores give."""

import numpy as np
import pandas as pd
import pytest

from auralign.analysis.chosen import ChosenScores, nested_table
from auralign.analysis.estimator_pairs import differences_table, paired_differences
from auralign.analysis.fits import fits_table
from auralign.analysis.layer_choice import nested_choice
from auralign.analysis.score_arrays import TableScores, as_scores
from auralign.analysis.standing import nested_values
from auralign.errors import DataError

SETS = {"net": 4, "plain": 1}
MANY = tuple(f"v{n:02d}" for n in range(30))
KEYS = ["features", "layer", "estimator", "split"]


class Parts(TableScores):
    """Scores of a table, read seven targets at a time."""

    def __init__(self, table: pd.DataFrame) -> None:
        super().__init__(table)
        self.parts = [slice(start, min(start + 7, len(self.targets))) for start in range(0, len(self.targets), 7)]


def _layers(scores: pd.DataFrame) -> pd.DataFrame:
    return scores[["features", "layer", "layer_name"]].drop_duplicates()


@pytest.fixture
def scores(make_scores) -> pd.DataFrame:
    """Thirty targets; one without any `r2_dev`, and a score that is not defined."""
    table = make_scores(SETS, MANY, ("ridge", "lasso"))
    table["r2_corr_c2"] = 1.9 * table["r2_corr"]  # some are beyond 1
    table.loc[(table["target"] == "v03") & (table["split"] == 2), "r2_dev"] = np.nan
    table.loc[(table["target"] == "v05") & (table["layer"] == 1), "r2_corr"] = np.nan
    return table


def test_chosen_scores_are_the_rows_with_the_highest_score_inside_development(scores):
    table = nested_table(scores)
    assert len(table) == 2 * 2 * 30 * 6
    expected = scores.sort_values("r2_dev", ascending=False, kind="stable").dropna(subset="r2_dev")
    keys = ["features", "estimator", "target", "split"]
    expected = expected.drop_duplicates(keys).set_index(keys).sort_index()
    found = table.dropna(subset="layer").set_index(keys).sort_index()
    assert len(found) == len(table) - 4
    for column in ("layer", "layer_name", "r2", "r2_corr", "r2_corr_c2", "r2_dev", "n_train", "n_test"):
        np.testing.assert_array_equal(found[column].to_numpy(), expected.loc[found.index, column].to_numpy())
    absent = table[table["layer"].isna()]
    assert set(absent["target"]) == {"v03"} and set(absent["split"]) == {2}
    assert absent[["layer_name", "r2", "r2_corr", "r2_dev"]].isna().all(axis=None)


@pytest.mark.parametrize("kind", [as_scores, Parts])
def test_what_is_made_of_chosen_scores_is_what_is_made_of_all(scores, kind, tmp_path):
    # in any order of the rows, and as parquet keeps them
    nested_table(kind(scores)).sample(frac=1.0, random_state=2).to_parquet(tmp_path / "nested.parquet")
    table = pd.read_parquet(tmp_path / "nested.parquet").sort_values(["features", "target"], kind="stable")
    chosen = ChosenScores(table, _layers(scores))
    people = pd.DataFrame({"target": MANY, "subject": [f"s{n % 3}" for n in range(30)]})
    for metric in ("r2_corr", "r2_corr_c2", "r2"):
        for by in (None, [], ["subject"]):
            expected = nested_choice(scores, metric, people, by)
            found = nested_choice(chosen, metric, people, by)
            order = ["features", "estimator", *("target",) * (by is None), *(by or [])]
            expected, found = (one.sort_values(order).reset_index(drop=True) for one in (expected, found))
            pd.testing.assert_frame_equal(found, expected, check_exact=True)
    everything = {(one.features, one.estimator): one for one in nested_values(scores, ["r2_corr", "r2"])}
    for one in nested_values(chosen, ["r2_corr", "r2"]):
        whole = everything[one.features, one.estimator]
        np.testing.assert_array_equal(one.shares(), whole.shares())
        for metric in ("r2_corr", "r2"):
            np.testing.assert_array_equal(one.over_targets(metric), whole.over_targets(metric))


def test_a_study_without_any_choice_keeps_its_rows(scores, tmp_path):
    nested_table(scores.assign(r2_dev=np.nan)).to_parquet(tmp_path / "nested.parquet")
    table = pd.read_parquet(tmp_path / "nested.parquet")
    assert table["layer"].isna().all() and len(table) == 720
    (first, *_) = nested_values(ChosenScores(table, _layers(scores)), ["r2_corr"])
    assert (first.position == -1).all() and np.isnan(first.values["r2_corr"]).all()


def test_chosen_scores_that_do_not_fit_are_refused(scores):
    table, layers = nested_table(scores), _layers(scores)
    with pytest.raises(DataError, match="lasso are there more than once"):
        ChosenScores(pd.concat([table, table[table["estimator"] == "lasso"]]), layers)
    with pytest.raises(DataError, match="are of layers of net that no other table has"):
        ChosenScores(table, layers[layers["layer"] < 2])
    with pytest.raises(DataError, match="is empty"):
        ChosenScores(table.head(0), layers)
    chosen = ChosenScores(table, layers)
    with pytest.raises(DataError, match="no column 'r2_corr_c'"):
        nested_choice(chosen, "r2_corr_c")
    with pytest.raises(DataError, match="there are no scores of estimator 'pls'; there are"):
        chosen.of(estimator="pls")
    assert [one.features for one in chosen.of(estimator="ridge", without={"net"}).models] == ["plain"]


@pytest.mark.parametrize("targets", [("first", "second"), MANY])
def test_fits_are_counted(make_scores, targets):
    scores = make_scores(SETS, targets, ("ridge", "lasso"))
    random = np.random.default_rng(4)
    scores["alpha"] = random.choice([0.01, 1.0, 1.0 + 1e-8, 100.0, np.inf, np.nan], len(scores))
    scores.loc[::7, "r2_corr"] = np.nan
    table = fits_table(scores, {"ridge": [0.01, 1.0, 100.0], "lasso": None})
    by = KEYS + (["target"] if len(targets) == 2 else [])
    groups = scores.groupby(by)
    found = table.set_index(by).sort_index()
    assert table["target"].isna().all() == (len(targets) > 2)
    np.testing.assert_array_equal(found["alpha"], groups["alpha"].median())
    np.testing.assert_array_equal(found["n_fits"], groups.size())
    np.testing.assert_array_equal(found["n_alphas"], groups["alpha"].count())
    np.testing.assert_array_equal(found["n_infinite"], groups["alpha"].agg(lambda own: np.isinf(own).sum()))
    np.testing.assert_array_equal(found["n_undefined"], groups["r2_corr"].agg(lambda own: own.isna().sum()))
    ridge = (found.index.get_level_values("estimator") == "ridge").astype(int)
    for column, edge in (("n_smallest", 0.01), ("n_largest", 100.0)):
        count = groups["alpha"].agg(lambda own, edge=edge: np.isclose(own, edge, rtol=1e-9).sum())
        np.testing.assert_array_equal(found[column], count * ridge)
    assert fits_table(table) is table


def test_fits_that_were_not_made_are_not_counted(make_scores):
    scores = make_scores(SETS, MANY)
    table = fits_table(scores[~((scores["target"] == "v07") & (scores["layer"] == 1))])
    counts = table.groupby(["features", "layer"])["n_fits"].unique()
    assert counts["net", 1].tolist() == [29] and counts["net", 0].tolist() == [30]


@pytest.mark.parametrize("targets", [("first", "second"), MANY])
def test_differences_are_paired(make_scores, targets):
    scores = make_scores(SETS, targets, ("ridge", "lasso", "pls"))
    table = differences_table(as_scores(scores), ["ridge", "lasso", "pls"], "r2")
    assert table[["a", "b"]].drop_duplicates().to_numpy().tolist() == [["ridge", "lasso"], ["ridge", "pls"]]
    wide = scores.pivot(index=["features", "layer", "split", "target"], columns="estimator", values="r2")
    for other in ("lasso", "pls"):
        own, difference = table[table["b"] == other], wide["ridge"] - wide[other]
        if len(targets) == 2:
            found = own.set_index(["features", "layer", "split", "target"])["difference"].sort_index()
        else:
            assert own["target"].isna().all()
            found = own.set_index(["features", "layer", "split"])["difference"].sort_index()
            difference = difference.groupby(["features", "layer", "split"]).median()
        np.testing.assert_allclose(found, difference.sort_index(), rtol=1e-14)
        assert set(own["n_targets"]) == {len(targets)}
        pd.testing.assert_frame_equal(paired_differences(scores, "ridge", other, "r2"), own.reset_index(drop=True))
    assert differences_table(scores[scores["estimator"] == "ridge"], ["ridge"], "r2") is None
