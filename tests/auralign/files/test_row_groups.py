"""Parquet written part by part: read as one table, names as text, and there as a whole or not at all."""

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

from auralign.files.row_groups import open_row_groups

PARTS = [
    pd.DataFrame({"name": pd.Categorical(["a", "a"]), "n": [1, 2], "x": [0.5, np.nan], "note": [None, None]}),
    pd.DataFrame({"name": pd.Categorical(["001", None]), "n": [3, 4], "x": [1.0, 2.0], "note": ["NA", "{}"]}),
]


def test_parts_are_row_groups_of_one_table(tmp_path):
    with open_row_groups(tmp_path / "t.parquet", ("n",)) as file:
        for part in PARTS:
            file.write(part)
    assert pq.ParquetFile(tmp_path / "t.parquet").num_row_groups == 2
    read = pd.read_parquet(tmp_path / "t.parquet")
    assert read["name"].tolist() == ["a", "a", "001", None] and read["note"].tolist() == [None, None, "NA", "{}"]
    assert read["name"].dtype == object and read["n"].dtype == np.int64
    np.testing.assert_array_equal(read["x"], [0.5, np.nan, 1.0, 2.0])


def test_what_is_interrupted_leaves_nothing(tmp_path):
    with pytest.raises(KeyboardInterrupt), open_row_groups(tmp_path / "t.parquet") as file:
        file.write(PARTS[0])
        raise KeyboardInterrupt
    assert list(tmp_path.iterdir()) == []
