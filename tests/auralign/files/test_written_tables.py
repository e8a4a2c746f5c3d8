"""Large tables that the program wrote: read by pyarrow as pandas reads them, or left to the careful reader."""

import numpy as np
import pandas as pd
import pytest

from auralign.errors import DataError
from auralign.files import written_tables
from auralign.files.written_tables import SAMPLE, read_written

TEXT = ("target", "roi")


@pytest.fixture
def table() -> pd.DataFrame:
    """Names that look like other things, numbers of all sizes, empty cells, and what is metadata of some other kind."""
    n, random = 3 * SAMPLE, np.random.default_rng(0)
    names = ["NA", "001", "1e3", "true", "2026-11-29", "nan", "ä ö", "a,b"]
    table = pd.DataFrame({"target": [names[i % len(names)] for i in range(n)], "layer": np.arange(n) % 12})
    table["r2"] = random.standard_normal(n) * 10.0 ** random.integers(-300, 300, n)
    table["score"] = np.where(np.arange(n) % 5, random.random(n), np.nan)
    table["alpha"] = np.where(np.arange(n) % 7, 10.0 ** (np.arange(n) % 9), np.inf)
    table["empty"] = np.nan
    table["roi"] = np.where(np.arange(n) % 3, "01", None)
    table["synthetic"] = np.arange(n) % 2 == 0
    table["day"] = "2026-11-29"
    table["rank"] = np.where(np.arange(n) < 2 * SAMPLE, np.arange(n) % 4, np.nan)  # whole numbers but for some
    table["code"] = np.where(np.arange(n) % 2, "7", "x")
    table["flag"] = np.where(np.arange(n) % 3, True, None)
    return table.assign(big=2**60 + np.arange(n) % 3)


def _both(path) -> tuple[pd.DataFrame, pd.DataFrame]:
    return read_written(path, TEXT, large=0), read_written(path, TEXT, large=2**60)


def _careful(monkeypatch) -> list:
    """Note which files the careful reader opens."""
    opened, careful = [], written_tables.open_text
    monkeypatch.setattr(written_tables, "open_text", lambda path: opened.append(path) or careful(path))
    return opened


def test_every_value_and_type_is_the_one_that_pandas_reads(table, tmp_path, monkeypatch):
    table.to_csv(tmp_path / "t.tsv", sep="\t", index=False)
    opened = _careful(monkeypatch)
    quick, careful = _both(tmp_path / "t.tsv")
    assert len(opened) == 1  # the careful one alone
    pd.testing.assert_frame_equal(quick, careful, check_exact=True)
    np.testing.assert_array_equal(quick["r2"], table["r2"])
    assert quick["target"].tolist() == table["target"].tolist()
    assert quick["roi"].isna().sum() == SAMPLE and set(quick["roi"].dropna()) == {"01"}
    assert quick["synthetic"].dtype == bool and quick["layer"].dtype == "int64"


@pytest.mark.parametrize(
    "change",
    [
        lambda t: t.replace({"target": {"a,b": 'a "b"'}}),  # quoted
        lambda t: t.replace({"target": {"a,b": "a\tb"}}),  # quoted for its tab
        lambda t: t.replace({"target": {"a,b": "a\nb"}}),  # quoted for its line end
        lambda t: t.assign(r2=[*t["r2"].iloc[:-1].astype(object), "many"]),  # a number that is none, in the last row
        lambda t: t.assign(layer=[*t["layer"].iloc[:-1].astype(str), "2.5"]),  # a whole number that is none
        lambda t: t.assign(big=[*t["big"].iloc[:-1].astype(object), 2**70]),  # too large for one
        lambda t: t.head(0),
    ],
)
def test_what_is_not_plain_is_left_to_the_careful_reader(table, tmp_path, monkeypatch, change):
    change(table).to_csv(tmp_path / "t.tsv", sep="\t", index=False)
    opened = _careful(monkeypatch)
    quick, careful = _both(tmp_path / "t.tsv")
    assert len(opened) == 2 or not len(quick)
    pd.testing.assert_frame_equal(quick, careful, check_exact=True)


@pytest.mark.parametrize("ending", [b"\r\n", b"\n\n"])
def test_other_ends_of_lines_are_read_too(table, tmp_path, ending):
    table.to_csv(tmp_path / "t.tsv", sep="\t", index=False)
    content = (tmp_path / "t.tsv").read_bytes()
    (tmp_path / "t.tsv").write_bytes(content.replace(b"\n", ending))
    pd.testing.assert_frame_equal(*_both(tmp_path / "t.tsv"), check_exact=True)
    (tmp_path / "t.tsv").write_bytes(content.rstrip(b"\n"))  # no end of the last one
    pd.testing.assert_frame_equal(*_both(tmp_path / "t.tsv"), check_exact=True)


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda content: content[:-30], r"line 601 has \d+ values?, but the header has 13 names"),
        (lambda content: content + b"one\t2\n", "line 602 has 2 values, but the header has 13 names"),
        (lambda content: content.replace("ä".encode(), b"\xe4"), "is not text in UTF-8"),
        (lambda content: content.replace(b"a,b", b"a\0b"), "there are zero bytes in it"),
        (lambda content: b"", "the file is empty"),
    ],
)
def test_a_damaged_file_is_told_as_ever(table, tmp_path, damage, message):
    table.to_csv(tmp_path / "t.tsv", sep="\t", index=False)
    (tmp_path / "t.tsv").write_bytes(damage((tmp_path / "t.tsv").read_bytes()))
    with pytest.raises(DataError, match=message):
        read_written(tmp_path / "t.tsv", TEXT, large=0)
