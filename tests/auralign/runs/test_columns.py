"""Columns of parquet tables, and the checksum of a table's values."""

import numpy as np
import pandas as pd
import pytest

from auralign.errors import DataError
from auralign.runs.columns import read_column, values_sha256


@pytest.fixture
def table() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "name": ["b", "a", "b", "NA", ""],
            "split": np.arange(5),
            "r2": [0.1, np.nan, -np.inf, np.inf, 1 / 3],
            "flag": [True, False, True, True, False],
        }
    )


@pytest.fixture
def sha256(table, tmp_path):
    table.to_parquet(tmp_path / "first.parquet", index=False)
    return values_sha256(tmp_path / "first.parquet")


def test_columns_are_read_as_they_were_written(table, tmp_path):
    table.to_parquet(tmp_path / "t.parquet", index=False)
    name = read_column(tmp_path / "t.parquet", "name")
    assert list(name.labels) == ["", "NA", "a", "b"]
    assert [name.labels[code] for code in name.values] == list(table["name"])
    np.testing.assert_array_equal(read_column(tmp_path / "t.parquet", "r2").values, table["r2"])
    assert read_column(tmp_path / "t.parquet", "split").labels is None


def test_text_without_a_value_is_minus_one(tmp_path):
    pd.DataFrame({"name": ["b", None, "a"]}).to_parquet(tmp_path / "t.parquet", index=False)
    assert list(read_column(tmp_path / "t.parquet", "name").values) == [1, -1, 0]


@pytest.mark.parametrize(
    "storing",
    [
        {"compression": "gzip"},
        {"row_group_size": 2},
        {"version": "1.0", "use_dictionary": False},
        {"write_statistics": False},
    ],
)
def test_the_checksum_does_not_depend_on_how_values_are_stored(table, tmp_path, sha256, storing):
    table.to_parquet(tmp_path / "t.parquet", index=False, **storing)
    assert (tmp_path / "t.parquet").read_bytes() != (tmp_path / "first.parquet").read_bytes()
    assert values_sha256(tmp_path / "t.parquet") == sha256


def test_the_checksum_does_not_depend_on_types_of_equal_values_and_the_order_of_columns(table, tmp_path, sha256):
    other = table[["r2", "flag", "split", "name"]].astype({"split": np.int16, "name": "category"})
    other["name"] = other["name"].cat.add_categories(["never used"])
    other.to_parquet(tmp_path / "t.parquet", index=False)
    assert values_sha256(tmp_path / "t.parquet") == sha256


@pytest.mark.parametrize(
    "change",
    [
        lambda t: t.assign(r2=t["r2"].where(t.index != 4, np.nextafter(1 / 3, 1))),
        lambda t: t.assign(r2=t["r2"].where(t.index != 1, 0.0)),
        lambda t: t.assign(name=t["name"].replace("NA", "N")),
        lambda t: t.assign(name=["a", "b", "b", "NA", ""]),
        lambda t: t.rename(columns={"r2": "r3"}),
        lambda t: t.iloc[::-1],
        lambda t: t.iloc[:-1],
        lambda t: t.drop(columns="flag"),
        lambda t: t.assign(flag=~t["flag"]),
    ],
)
def test_the_checksum_sees_every_change_of_values(table, tmp_path, sha256, change):
    change(table).to_parquet(tmp_path / "t.parquet", index=False)
    assert values_sha256(tmp_path / "t.parquet") != sha256


def test_what_is_no_table_is_named(tmp_path):
    (tmp_path / "t.parquet").write_text("no table")
    with pytest.raises(DataError, match=r"t\.parquet: not a parquet table"):
        values_sha256(tmp_path / "t.parquet")
    with pytest.raises(DataError, match=r"absent\.parquet: the file is missing"):
        values_sha256(tmp_path / "absent.parquet")
    pd.DataFrame({"r2": [1.0]}).to_parquet(tmp_path / "t.parquet")
    with pytest.raises(DataError, match=r"there is no column 'r3'; there are \['r2'\]"):
        read_column(tmp_path / "t.parquet", "r3")
