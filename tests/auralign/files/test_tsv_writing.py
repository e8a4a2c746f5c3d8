"""Tables of text: letter by letter what pandas writes, whatever the names and numbers."""

import numpy as np
import pandas as pd
import pytest

from auralign.files import tsv_writing
from auralign.files.atomic import write_atomically
from auralign.files.tsv_writing import open_tsv, write_tsv

NASTY = [
    "x",
    'q"uote',
    "tab\tin",
    "new\nline",
    "",
    "NA",
    "001",
    None,
    "é☃",
    " lead ",
    '"all"',
    "cr\rx",
    "a,b",
    "'",
    "1",
]
NUMBERS = [0.0, -0.0, 1.0, -1.5, np.nan, np.inf, -np.inf, 1e9, 1e10, 1e15, 1e16, 123456789012345678.0, 1e-4, 1e-5,
           9.9999e-5, 0.1, 1 / 3, 5e-324, 1.7e308, 999999999999999.0, 55000.0, 2.0**53]  # fmt: skip


def _table(n_rows: int) -> pd.DataFrame:
    random = np.random.default_rng(0)
    text = np.resize(np.array(NASTY, dtype=object), n_rows)
    whole = pd.Series(random.integers(0, 5, n_rows))
    return pd.DataFrame(
        {
            "bits": random.integers(0, 2**63, n_rows, dtype=np.int64).view(float),
            "usual": random.standard_normal(n_rows),
            "powers": 10.0 ** random.uniform(-8, 20, n_rows),
            "special": np.resize(NUMBERS, n_rows),
            "text": text,
            "strings": pd.Series(text).astype("string"),
            "names": pd.Categorical(text),
            "whole": whole - 2,
            "gaps": whole.astype("Int64").where(whole > 1),
            "flags": random.random(n_rows) > 0.5,
            "mixed": np.resize(np.array([1, "b", 2.5, None, True, np.nan], dtype=object), n_rows),
            "small": random.random(n_rows).astype(np.float32),
            "empty": np.nan,
            'odd "name"\t': whole.astype(np.uint8),
        }
    )


@pytest.mark.parametrize("at_once", [7, 10_000])
def test_text_is_that_of_pandas(tmp_path, monkeypatch, at_once):
    monkeypatch.setattr(tsv_writing, "ROWS_AT_ONCE", at_once)
    table = _table(3000)
    with open_tsv(tmp_path / "t.tsv") as file:
        for start in range(0, len(table), 1100):
            file.write(table.iloc[start : start + 1100])
    assert (tmp_path / "t.tsv").read_bytes() == table.to_csv(sep="\t", index=False).encode()


@pytest.mark.parametrize(
    "table",
    [
        pd.DataFrame({"x y": ["a", "", None, '"']}),
        pd.DataFrame({"a": [], "b\tc": []}),
        pd.DataFrame({"x": [np.nan, 1.0]}),
        pd.DataFrame(),
    ],
)
def test_small_tables_are_written_as_pandas_does(tmp_path, table):
    write_tsv(table, tmp_path / "t.tsv")
    assert (tmp_path / "t.tsv").read_bytes() == table.to_csv(sep="\t", index=False).encode()


def test_a_table_that_cannot_be_written_leaves_the_old_one(tmp_path, monkeypatch):
    path = tmp_path / "t.tsv"
    write_atomically(pd.DataFrame({"a": [1]}), path)

    def full(*args):
        raise OSError("no space left")

    monkeypatch.setattr(tsv_writing, "_lines", full)
    with pytest.raises(OSError, match="no space left"):
        write_atomically(pd.DataFrame({"a": [2]}), path)
    assert path.read_text() == "a\n1\n"
    assert list(tmp_path.iterdir()) == [path]
