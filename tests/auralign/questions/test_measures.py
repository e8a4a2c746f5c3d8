"""The long table: what is written is read again, and what is not of the contract is refused with a sentence."""

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from auralign.errors import DataError
from auralign.questions.encoding.measures import of_ceilings, of_chance, of_scores, target_dims
from auralign.questions.measures import (
    COLUMNS,
    SCHEMA,
    SCHEMA_KEY,
    check_measures,
    one_name,
    open_measures,
    read_measures,
    to_long,
    to_wide,
)

DIMS = ("features", "layer", "target", "time", "split", "p")


def block(layer: int, features: str = "net") -> pd.DataFrame:
    """Two measures of one layer, two targets and three splits; one value is not there."""
    random = np.random.default_rng(layer)
    wide = pd.DataFrame(
        {
            "features": one_name(features, 6),
            "layer": layer,
            "target": pd.Categorical.from_codes(np.tile([0, 1], 3), ["NA", "001"]),
            "time": np.tile([0.4, 1.25], 3),
            "split": np.repeat([0, 1, 2], 2),
            "r2": random.standard_normal(6),
            "r2_corr": random.random(6),
        }
    )
    wide.loc[3, "r2"] = np.nan
    return wide


def long(layer: int, features: str = "net") -> pd.DataFrame:
    return to_long(block(layer, features), ["r2", "r2_corr"])


@pytest.fixture
def written(tmp_path):
    path = tmp_path / "measures.parquet"
    with open_measures(path, DIMS) as file:
        for layer in range(3):
            file.write("encoding", long(layer))
        file.write("encoding", long(0, "plain"))
        file.write("other", pd.DataFrame({"measure": ["top1"], "value": [0.5], "p": [0.25], "split": [2]}))
    return path


def test_what_is_written_is_read_again(written):
    found = read_measures(written)
    assert list(found) == ["question", "measure", "value", "features", "layer", "target", "time", "split", "p"]
    own = found[(found["features"] == "net") & (found["layer"] == 1)].reset_index(drop=True)
    expected = long(1).astype({"measure": object, "features": object, "target": object})
    pd.testing.assert_frame_equal(own[expected.columns], expected, check_dtype=False)
    last = found.iloc[-1]
    assert (last["question"], last["value"], last["p"], last["split"]) == ("other", 0.5, 0.25, 2)
    # a name that is not there is no name, and a whole number that is not there no number
    assert pd.isna(last["target"]) and pd.isna(last["layer"])
    assert set(found["target"].dropna()) == {"NA", "001"}
    assert found["layer"].dtype == "Int64" and found["split"].dtype == "int64"


def test_every_block_is_a_row_group_with_names_stored_once(written):
    file = pq.ParquetFile(written)
    assert file.metadata.num_row_groups == 5
    assert file.schema_arrow.metadata[SCHEMA_KEY] == str(SCHEMA).encode()
    assert pa.types.is_dictionary(file.schema_arrow.field("target").type)
    group = file.metadata.row_group(1)
    assert {group.column(number).compression for number in range(group.num_columns)} == {"ZSTD"}
    columns = {group.column(number).path_in_schema: group.column(number) for number in range(group.num_columns)}
    # by which a reader knows that it needs not read the group
    assert (columns["layer"].statistics.min, columns["layer"].statistics.max) == (1, 1)
    assert (columns["features"].statistics.min, columns["features"].statistics.max) == ("net", "net")


def test_filters_choose_rows_and_columns_without_content_go(written):
    assert len(read_measures(written, layer=[0, 2], measure="r2")) == 18
    one = read_measures(written, features="plain", split=np.array([1]), target="001", measure=["r2", "r2_corr"])
    assert one["measure"].tolist() == ["r2", "r2_corr"] and "p" not in one
    assert len(read_measures(written, time=0.4)) == 24
    other = read_measures(written, question="other")
    assert list(other) == ["question", "measure", "value", "split", "p"]
    assert read_measures(written, features="nothing").empty and read_measures(written, layer=[]).empty


def test_the_name_of_a_folder_is_no_column(written, tmp_path):
    folder = tmp_path / "run=1"
    folder.mkdir()
    moved = written.rename(folder / written.name)
    assert list(read_measures(moved, layer=0)) == list(read_measures(moved))[:-1]


@pytest.mark.parametrize(
    ("filters", "message"),
    [
        ({"feature": "net"}, r"there is no column 'feature'\. Did you mean features.* There are question, measure"),
        ({"layer": "one"}, r"the column 'layer' holds whole numbers, not 'one'"),
        ({"target": [1]}, r"the column 'target' holds text, not 1"),
        ({"split": True}, r"the column 'split' holds whole numbers, not True"),
        ({"time": "soon"}, r"the column 'time' holds numbers, not 'soon'"),
    ],
)
def test_wrong_filters_are_explained(written, filters, message):
    with pytest.raises(DataError, match=message):
        read_measures(written, **filters)


def test_each_measure_gets_a_column_of_its_own(written):
    wide = to_wide(read_measures(written, question="encoding", features="net", layer=2))
    expected = block(2).astype({"features": object, "target": object})
    pd.testing.assert_frame_equal(wide[expected.columns], expected, check_dtype=False)
    table = pd.DataFrame(
        {"measure": ["a", "b", "a"], "value": [1.0, 2.0, 3.0], "split": [0, 0, 1], "low": [0, None, 2]}
    )
    expected = {"split": [0, 1], "a": [1, 3], "a_low": [0, 2], "b": [2, -1]}
    assert to_wide(table).fillna(-1).to_dict("list") == expected
    with pytest.raises(DataError, match=r"the measure 'a' is there twice for the same dims \(split 0\)"):
        to_wide(table.assign(split=0))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"layers": 1},
            r"measures of encoding: 'layers' is no dim of the contract\. Did you mean layer.*\? Allowed are measure",
        ),
        ({"question": "encoding"}, r"'question' is no dim"),
        ({"target": 3}, r"the column 'target' holds values of the type integer; expected text"),
        ({"layer": "first"}, r"the column 'layer' holds values of the type string; expected whole numbers"),
        ({"split": 0.5}, r"the column 'split' holds values of the type floating; expected whole numbers"),
        ({"value": "high"}, r"the column 'value' holds values of the type string; expected numbers"),
        ({"value": True}, r"the column 'value' holds values of the type boolean; expected numbers"),
        ({"measure": "r2_cor"}, r"'r2_cor' is none of its measures\. Did you mean r2_corr.*\? They are r2, r2_corr"),
    ],
)
def test_what_is_not_of_the_contract_is_refused(change, message):
    check_measures(long(0), "encoding", ["r2", "r2_corr"])
    with pytest.raises(DataError, match=message):
        check_measures(long(0).assign(**change), "encoding", ["r2", "r2_corr"])


def test_a_table_without_values_is_refused_and_dims_of_ones_own_are_not():
    with pytest.raises(DataError, match="the column 'value' is missing; there are"):
        check_measures(long(0).drop(columns="value"), "encoding", ["r2", "r2_corr"])
    table = pd.DataFrame({"measure": ["cka"], "value": [0.5], "layer_b": [1]})
    check_measures(table, "similarity", ["cka"], {"layer_b": int})
    with pytest.raises(DataError, match="'layer_b' is no dim of the contract"):
        check_measures(table, "similarity", ["cka"])


def test_a_dim_that_was_not_announced_is_not_lost_in_silence(tmp_path):
    path, lists = tmp_path / "measures.parquet", "of encoding: its plan does not list split, time among its dims"
    with open_measures(path, ("features", "layer", "target")) as file, pytest.raises(DataError, match=lists):
        file.write("encoding", long(0))


def test_nothing_is_there_if_writing_fails(tmp_path):
    with pytest.raises(ZeroDivisionError), open_measures(tmp_path / "measures.parquet", DIMS) as file:
        file.write("encoding", long(0))
        _ = 1 / 0
    assert not list(tmp_path.iterdir())


def test_a_newer_schema_and_another_table_are_refused(written, tmp_path):
    table = pq.read_table(written)
    pq.write_table(table.replace_schema_metadata({SCHEMA_KEY: str(SCHEMA + 1).encode()}), written)
    with pytest.raises(
        DataError, match=r"measures\.parquet: written by a newer version of auralign \(tables of schema 2"
    ):
        read_measures(written)
    pd.DataFrame({"r2": [1.0]}).to_parquet(tmp_path / "scores.parquet")
    with pytest.raises(
        DataError, match=r"scores\.parquet: not a table of measures: its metadata name no auralign\.schema"
    ):
        read_measures(tmp_path / "scores.parquet")
    (tmp_path / "broken.parquet").write_bytes(b"no table")
    with pytest.raises(DataError, match=r"broken\.parquet: the file cannot be read"):
        read_measures(tmp_path / "broken.parquet")
    with pytest.raises(DataError, match=r"none\.parquet: the file is missing"):
        read_measures(tmp_path / "none.parquet")


def test_targets_named_by_time_give_component_and_time():
    dims = target_dims(pd.DataFrame({"target": ["C11@0.40", "C2@-1", "plain", "a@b"]}))
    assert dims["component"].tolist()[:2] == ["C11", "C2"] and dims["component"].isna().tolist()[2:] == [True, True]
    np.testing.assert_array_equal(dims["time"], [0.4, -1.0, np.nan, np.nan])
    assert list(target_dims(pd.DataFrame({"target": ["speech", "music"]}))) == ["target"]


def test_metadata_of_targets_are_dims_as_text():
    about = {"target": ["v1", "v2", "v3"], "subject": [1.0, np.nan, 2.0], "roi": ["core", "belt", "core"], "x": 1.0}
    dims = target_dims(pd.DataFrame(about | {"time": [0.1, 0.2, 0.3], "component": ["a", "b", "c"]}))
    assert set(dims) == {"target", "component", "time", "subject", "roi"}
    assert dims["subject"].tolist()[::2] == ["1", "2"] and pd.isna(dims["subject"][1])
    assert dims["time"].tolist() == [0.1, 0.2, 0.3]


def test_scores_and_ceilings_of_encoding_keep_the_contract():
    about = pd.DataFrame({"target": ["a", "b"], "noise_ceiling": [0.5, 0.25]})
    about = about.assign(noise_ceiling_low=[0.4, 0.1], noise_ceiling_high=[0.6, 0.3])
    dims = target_dims(about)
    scores = pd.DataFrame({"target": [0, 1, 0, 1], "split": [0, 0, 1, 1], "r2": range(4), "alpha": 1.0, "n_train": 8})
    names = {"features": "net", "layer": 3, "layer_name": "l3", "estimator": "ridge"}
    made = of_scores(scores.assign(n_test=4, params="{}"), scores["target"].to_numpy(), dims, names)
    assert set(made) <= set(COLUMNS) and len(made) == 8
    assert made.query("measure == 'r2' and target == 'b' and split == 1")["value"].tolist() == [3.0]
    ceilings = of_ceilings(about, dims)
    check_measures(ceilings, "encoding", ["noise_ceiling"])
    assert ceilings["low"].tolist() == [0.4, 0.1] and ceilings["target"].tolist() == ["a", "b"]
    tested = pd.DataFrame(names | {"target": ["b", "a"], "score": [0.3, 0.6], "p": [0.2, 0.001], "chance": 0.1})
    chance = of_chance(tested, target_dims(about.assign(roi=["core", "belt"])))
    check_measures(chance, "encoding", ["above_chance"])
    assert chance[["target", "roi", "value", "p"]].to_numpy().tolist() == [
        ["b", "belt", 0.3, 0.2],
        ["a", "core", 0.6, 0.001],
    ]
    assert set(chance["layer"]) == {3} and set(chance["features"]) == {"net"}
