"""Differences of two tables of scores, against a join by pandas."""

import itertools

import numpy as np
import pandas as pd
import pytest

from auralign.errors import DataError
from auralign.questions.encoding.table_files import TABLES
from auralign.runs.rerun.table_differences import compare_tables

IDENTITY = TABLES["scores"].rows


def scores(seed: int = 0) -> pd.DataFrame:
    """A table of scores: 2 sets x 3 layers x 4 targets x 2 estimators x 5 splits."""
    rows = itertools.product(["net", "plain"], range(3), ["a", "b", "NA", "10"], ["ridge", "lasso"], range(5))
    table = pd.DataFrame(rows, columns=list(IDENTITY))
    random = np.random.default_rng(seed)
    table["layer_name"] = "layer" + table["layer"].astype(str)
    return table.assign(r2=random.normal(size=len(table)), r2_corr=random.random(len(table)), alpha=10.0, n_test=82)


@pytest.fixture
def compare(tmp_path):
    def compared(old: pd.DataFrame, new: pd.DataFrame):
        old.to_parquet(tmp_path / "old.parquet", index=False)
        new.to_parquet(tmp_path / "new.parquet", index=False)
        found = compare_tables(tmp_path / "old.parquet", tmp_path / "new.parquet", IDENTITY, ("alpha",))
        return found, {column.column: column for column in found.columns}

    return compared


def test_a_table_does_not_differ_from_itself_in_another_order(compare):
    found, columns = compare(scores(), scores().sample(frac=1, random_state=1))
    assert found.n_rows == 240
    assert set(columns) == {"layer_name", "r2", "r2_corr", "alpha", "n_test"}
    assert all(column.largest == 0 and column.n_different == 0 and column.where == "" for column in found.columns)
    assert found.rows_only_old == found.rows_only_new == (0, [])


@pytest.mark.parametrize("shuffled", [False, True])
def test_differences_are_those_of_a_join(compare, shuffled):
    old, new = scores(), scores()
    changed = new.index % 7 == 3
    new.loc[changed, "r2"] += np.random.default_rng(2).normal(size=changed.sum())
    if shuffled:
        new = new.sample(frac=1, random_state=3)
    _, columns = compare(old, new)
    joined = old.merge(new, on=list(IDENTITY), suffixes=("", "_new"))
    difference = (joined["r2"] - joined["r2_new"]).abs()
    assert columns["r2"].largest == difference.max()
    assert columns["r2"].n_different == changed.sum()
    row = joined.loc[difference.idxmax()]
    assert columns["r2"].where == f"{row.features}, layer {row.layer}, {row.target}, {row.estimator}, split {row.split}"
    assert columns["r2_corr"].largest == 0


def test_rows_of_one_side_are_counted_and_named(compare):
    old, new = scores(), scores()
    found, columns = compare(old[old["target"] != "NA"], new[(new["split"] < 4) | (new["features"] == "net")])
    expected = old[(old["target"] != "NA") & (old["split"] == 4) & (old["features"] == "plain")]
    assert found.rows_only_old[0] == len(expected) == 18
    assert found.rows_only_new[0] == 240 / 4 - 6
    assert found.n_rows == 180 - 18
    assert all("plain" in name and name.endswith("split 4") for name in found.rows_only_old[1])
    assert all("NA" in name for name in found.rows_only_new[1])
    assert len(found.rows_only_new[1]) == 5
    assert columns["r2"].largest == 0


def test_equal_infinities_and_nans_do_not_differ_and_others_differ_by_infinity(compare):
    old, new = scores(), scores()
    old.loc[:2, "alpha"] = new.loc[:2, "alpha"] = [np.inf, -np.inf, np.nan]
    _, columns = compare(old, new)
    assert columns["alpha"].largest == 0
    for a, b in [(np.inf, 1.0), (np.inf, -np.inf), (np.nan, 1.0), (1.0, np.nan), (np.nan, np.inf)]:
        old.loc[7, "r2"], new.loc[7, "r2"] = a, b
        _, columns = compare(old, new)
        assert columns["r2"].largest == np.inf
        assert columns["r2"].n_different == 1
        assert columns["r2"].where == "net, layer 0, a, lasso, split 2"


def test_alphas_are_compared_by_their_ratio(compare):
    old, new = scores(), scores()
    old.loc[0, "alpha"], new.loc[0, "alpha"] = 1e8, 1e7
    old.loc[1, "alpha"], new.loc[1, "alpha"] = 0.0, 0.0
    _, columns = compare(old, new)
    assert columns["alpha"].largest == pytest.approx(0.9)
    assert columns["alpha"].n_different == 1


def test_a_renamed_layer_is_seen(compare):
    _, columns = compare(scores(), scores().assign(layer_name="another"))
    assert columns["layer_name"].largest == 1
    assert columns["layer_name"].n_different == 240


def test_columns_of_one_side_are_named(compare):
    found, _ = compare(scores().drop(columns="n_test"), scores().drop(columns="alpha"))
    assert (found.only_old, found.only_new) == (["alpha"], ["n_test"])


def test_tables_without_a_common_row_have_no_differences_to_show(compare):
    found, columns = compare(scores().query("split == 0"), scores().query("split == 1"))
    assert (found.n_rows, columns, found.rows_only_old[0], found.rows_only_new[0]) == (0, {}, 48, 48)


def test_ambiguous_tables_are_refused(compare):
    twice = pd.concat([scores(), scores().iloc[[17]]])
    with pytest.raises(
        DataError, match=r"old\.parquet: rows are there more than once.* net, layer 0, b, lasso, split 2"
    ):
        compare(twice, scores())
    with pytest.raises(DataError, match="the column 'target' is text in one and numbers in the other"):
        compare(scores(), scores().assign(target=1))
    with pytest.raises(DataError, match=r"new\.parquet: there is no column 'estimator'"):
        compare(scores(), scores().drop(columns="estimator"))
