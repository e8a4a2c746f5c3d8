"""Tables of text that users bring: read rightly, or refused with file, line and remedy."""

import gzip
import re
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from auralign.errors import DataError
from auralign.files.notices import InputWarning
from auralign.files.number_tables import whole_numbers
from auralign.files.tabular import read_table
from auralign.files.text_tables import open_text
from auralign.inputs.confounds import read_confounds
from auralign.inputs.features import read_features
from auralign.inputs.options import Features, Targets
from auralign.inputs.published.results import read_output
from auralign.inputs.responses import read_responses
from auralign.inputs.stimuli import read_categories
from auralign.inputs.usable_targets import usable_targets


def _file(folder: Path, name: str, content: str | bytes) -> Path:
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def _responses(path: Path) -> xr.DataArray:
    return read_responses(Targets(kind="table", table=path))


def _refused(path: Path, *names: str, **options) -> str:
    with pytest.raises(DataError) as error:
        read_table(path, *(names or ("stimulus",)), **options)
    assert str(path) in str(error.value)
    return str(error.value)


# what R writes: write.table(data, "y.tsv", sep = "\t", quote = FALSE)
FROM_R = "stimulus\ta\tb\n1\tx\t0.5\t10\n2\ty\t0.25\t20\n"


def test_row_names_of_r_are_refused_and_named(tmp_path):
    message = _refused(_file(tmp_path, "y.tsv", FROM_R))
    assert "y.tsv: line 2 has 4 values, but the header has 3 names; so it is in every line" in message
    assert "R's write.table" in message and "row.names = FALSE" in message
    with pytest.raises(DataError, match=r"row\.names = FALSE"):
        read_responses(Targets(kind="table", table=tmp_path / "y.tsv"))
    with pytest.raises(DataError, match=r"row\.names = FALSE"):
        read_features("x", Features(table=tmp_path / "y.tsv"))
    with pytest.raises(DataError, match=r"row\.names = FALSE"):
        read_confounds(tmp_path / "y.tsv")


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        (
            "y.tsv",
            "stimulus\ta\tb\nx\t1\t2\ny\t1\n",
            "line 3 has 2 values, but the header has 3 names (nothing for `b`)",
        ),
        ("y.tsv", "stimulus\ta\tb\n\nx\t1\t2\ny\t1\t2\t3\n", "line 4 has 4 values, but the header has 3 names"),
        ("y.tsv", "stimulus\ta\nx\t1\t\ny\t2\t\n", "Every line ends in a separator"),
        ("y.tsv", 'stimulus\ta\n"x\ny"\t1\nz\t1\t2\n', "line 4 has 3 values"),
        ("y.csv", "stimulus,a,b\nx,0,5,1,5\ny,0,7,2,5\n", "line 2 has 5 values, but the header has 3 names"),
        ("y.csv", "stimulus,a,b\nx,0,5,1,5\ny,0,7,2,5\n", "decimal comma (1,5)"),
        ("y.csv", "stimulus,a,b\nx,1,2\ny,0,7,2\n", "Are numbers written with a decimal comma (7,2)"),
        ("y.csv", "stimulus,a,b\n1,x,5,2\n2,y,7,2\n", "row.names = FALSE"),
        ("y.tsv", "stimulus\ta", "there is a header (stimulus, a), but no line below it"),
        ("y.csv", 'stimulus,a\n"x,1\ny,2\n', "line 2 has 1 value, but the header has 2 names. A quoted value goes on"),
        ("y.csv", "sep=;\nstimulus;a\nx;1\n", "the first line ('sep=;') is not the header; take it out"),
        ("y.csv", "# made by hand\nstimulus,a\nx,1\n", "the first line ('# made by hand') is not the header"),
        ("y.tsv", "", "the file is empty"),
        ("y.tsv", "\n \n", "the file is empty"),
    ],
)
def test_the_values_of_every_line_are_counted(tmp_path, name, text, expected):
    assert expected in _refused(_file(tmp_path, name, text))


def test_published_tables_are_counted_too(tmp_path):
    text = ",source_model,source_layer,target,randnetw\n0,AST,1,NH2015,False,7\n"
    with pytest.raises(DataError, match="line 2 has 6 values, but the header has 5 names"):
        read_output(_file(tmp_path, "df_output.csv", text))


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("y.tsv", "stimulus;a;b\nx;1;2\n", "parted by semicolons, but a file of this name by tabs; name it .csv"),
        ("y.tsv", "stimulus,a,b\nx,1,2\n", "parted by commas, but a file of this name by tabs; name it .csv"),
        ("y.csv", "stimulus\ta\tb\nx\t1\t2\n", "parted by tabs, but a file of this name by commas or semicolons"),
        ("y.csv", "stimulus|a|b\nx|1|2\n", "parted by bars"),
        ("y.tsv", "stimulus a b\nx 1 2\n", "parted by spaces"),
        (
            "y.tsv",
            "Stimulus\ta\nx\t1\n",
            "the column 'stimulus' is missing; there are ['Stimulus', 'a']. 'Stimulus' differs",
        ),
        ("y.tsv", "stimulus \tstimulus\na\tb\n", "'stimulus' is there more than once when names are written alike"),
    ],
)
def test_a_wrong_separator_or_header_is_named(tmp_path, name, text, expected):
    assert expected in _refused(_file(tmp_path, name, text))


def test_semicolons_and_decimal_commas_are_read_and_said(tmp_path):
    path = _file(tmp_path, "y.csv", "stimulus;a;b\nx;0,5;1\ny;-1,25e-3;1234\n")
    with pytest.warns(InputWarning, match=r"y\.csv: semicolons part the values and numbers have a decimal comma"):
        table = read_table(path, "stimulus")
    assert table["a"].tolist() == [0.5, -1.25e-3]
    assert table["b"].tolist() == [1, 1234]
    with pytest.warns(InputWarning, match="numbers have a decimal comma"):
        assert read_table(_file(tmp_path, "y.tsv", "stimulus\ta\nx\t0,5\ny\t12,125\n"), "stimulus")["a"][3] == 12.125
    with pytest.warns(InputWarning, match="numbers have a decimal comma"):  # R: write.csv with OutDec = ","
        assert read_table(_file(tmp_path, "q.csv", 'stimulus,a\nx,"0,5"\ny,"2"\n'), "stimulus")["a"][2] == 0.5


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        (
            "y.tsv",
            "stimulus\ta\tb\nx\t0,5\t0.5\ny\t1\t2\n",
            "'0,5' in the column 'a'), others a decimal point (in the column 'b')",
        ),
        ("y.csv", "stimulus;a\nx;0,5\ny;0.7\n", "decimal point (in the column 'a')"),
        ("y.tsv", "stimulus\ta\nx\t1,234\ny\t2,345\n", "may have a decimal comma, or commas between thousands"),
        ("y.tsv", "stimulus\ta\nx\t1,234,567\ny\t0,5\n", "'1,234,567' in the column 'a' may have"),
    ],
)
def test_numbers_that_can_be_read_in_two_ways_are_refused(tmp_path, name, text, expected):
    assert expected in _refused(_file(tmp_path, name, text))


def test_numbers_are_rounded_to_the_nearest(tmp_path):
    numbers = [str(n) for n in np.random.default_rng(0).standard_normal(500) * 10.0 ** np.arange(-250, 250)]
    path = _file(tmp_path, "x.tsv", "stimulus\tu\n" + "".join(f"s{i}\t{n}\n" for i, n in enumerate(numbers)))
    assert read_table(path, "stimulus")["u"].tolist() == [float(number) for number in numbers]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_what_excel_writes_as_unicode_is_read(tmp_path, encoding):
    path = _file(tmp_path, "y.tsv", "stimulus\ta\r\nübung\t1\r\n".encode(encoding))
    assert read_table(path, "stimulus")["stimulus"].tolist() == ["übung"]


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        (
            "y.tsv",
            "stimulus\ta\nx\t1\né\t2\n".encode("latin-1"),
            "line 3 is not text in UTF-8 (byte 0xe9, in Latin-1 'é'). Save",
        ),
        ("y.tsv", "stimulus\ta\nx\t1\n".encode("utf-16-le"), "Save it as UTF-8"),
        ("y.csv", b"PK\x03\x04rest", "an Excel workbook"),
        ("y.xlsx", b"PK\x03\x04rest", "a workbook"),
        ("y.tsv", gzip.compress(b"stimulus\ta\n", mtime=0), "ends in .tsv.gz"),
        ("y.tsv.gz", b"stimulus\ta\n", "cannot be read"),
        ("y.tsv", b"/annex/objects/MD5E-s1--x.tsv\n", "datalad get"),
    ],
)
def test_other_encodings_and_formats_are_named(tmp_path, name, content, expected):
    assert expected in _refused(_file(tmp_path, name, content))


def test_compressed_text_and_parquet_hold_the_same(tmp_path):
    text = "stimulus\tlayer\tu\n007\t0\t0.1\nNA\t0\t-3\n"
    plain = read_features("x", Features(table=_file(tmp_path, "x.tsv", text)))[0]
    assert plain.stimulus.values.tolist() == ["007", "NA"]
    packed = read_features("x", Features(table=_file(tmp_path, "x.tsv.gz", gzip.compress(text.encode()))))[0]
    commas = gzip.compress(text.replace("\t", ",").encode())
    commas = read_features("x", Features(table=_file(tmp_path, "x.csv.gz", commas)))[0]
    frame = pd.DataFrame({"stimulus": ["NA", "007"], "layer": [0, 0], "u": [-3.0, 0.1]})
    frame.to_parquet(tmp_path / "x.parquet")
    frame.set_index("stimulus").to_parquet(tmp_path / "i.parquet")
    for other in (packed, commas, *(read_features("x", Features(table=tmp_path / f"{n}.parquet"))[0] for n in "xi")):
        assert plain.identical(other)


def test_metadata_categories_and_confounds_may_be_parquet(tmp_path):
    frame = pd.DataFrame({"stimulus": ["x", "y"], "category": pd.Categorical(["b", "a"]), "loud": [1.5, 2.0]})
    frame.to_parquet(tmp_path / "t.parquet")
    assert read_categories(tmp_path / "t.parquet", "category", ["y", "x"]) == ["a", "b"]
    frame[["stimulus", "loud"]].to_parquet(tmp_path / "c.parquet")
    assert read_confounds(tmp_path / "c.parquet")["loud"].to_dict() == {"x": 1.5, "y": 2.0}
    pd.DataFrame({"stimulus": [1.0, 2.5], "a": [1, 2]}).to_parquet(tmp_path / "f.parquet")
    assert "names must be text" in _refused(tmp_path / "f.parquet")
    _file(tmp_path, "bad.parquet", "PAR1 and no more")
    assert "not a parquet table" in _refused(tmp_path / "bad.parquet")


@pytest.mark.parametrize(
    ("value", "says"),
    [
        ("", "has no repetition"), (" ", "has no repetition"), ("1.5", "has the repetition '1.5'"),
        ("two", "has the repetition 'two'"), ("-1", "has the repetition '-1'"), ("NA", "has the repetition 'NA'"),
    ],
)  # fmt: skip
def test_an_empty_or_odd_repetition_is_named_with_its_line(tmp_path, value, says):
    text = f"stimulus\trepetition\ta\nx\t1\t1\ny\t1\t2\n\nx\t2\t3\ny\t{value}\t4\n"
    path = _file(tmp_path, "y.tsv", text)
    with pytest.raises(DataError) as error:
        read_responses(Targets(kind="table", table=path))
    assert f"{path}: line 6 {says}; the column `repetition` must hold whole numbers from 0" in str(error.value)


@pytest.mark.parametrize(("value", "says"), [("", "has no layer"), ("0.5", "the layer '0.5'"), ("deep", "'deep'")])
def test_an_empty_or_odd_layer_is_named_with_its_line(tmp_path, value, says):
    path = _file(tmp_path, "x.csv", f"stimulus,layer,u\nx,0,1\ny,{value},2\n")
    with pytest.raises(DataError, match=rf"x\.csv: line 3 .*{says}"):
        read_features("x", Features(table=path))


def test_whole_numbers_may_have_a_point(tmp_path):
    table = read_table(_file(tmp_path, "s.tsv", "stimulus\tsplit\nx\t0\ny\t1.0\n"), "stimulus")
    np.testing.assert_array_equal(whole_numbers(table, "split", tmp_path / "s.tsv"), [0, 1])


def test_messages_have_the_tables_own_repetition_numbers(tmp_path):
    path = _file(tmp_path, "y.tsv", "stimulus\trepetition\ta\nx\t1\t1\ny\t1\t2\ny\t5\t3\n")
    with pytest.raises(DataError, match=r"repetition 5 has other stimuli than repetition 1: \['x'\]"):
        usable_targets(read_responses(Targets(kind="table", table=path)), path)
    path = _file(tmp_path, "y.tsv", "stimulus\trepetition\ta\nx\t1\t1\nx\t2\t2\ny\t1\t3\nx\t2\t4\n")
    with pytest.raises(DataError, match=r"the stimulus 'x' is there more than once in repetition 2 \(lines 3, 5\)"):
        read_responses(Targets(kind="table", table=path))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("stimulus\nx\ny\n", "there is no target: every column beside `stimulus`"),
        ("stimulus\trepetition\nx\t0\n", "there is no target"),
        ("stimulus\ta\nx\t1\ny\tloud\n", r"not so: \['a'\] \(line 3 has 'loud'\)"),
        ("stimulus\ta\nx\tTrue\ny\tFalse\n", r"not so: \['a'\] \(line 2 has True\)"),
        ("stimulus\tlayer\ta\nx\t1\t1\n", "the column `layer` is no target"),
        ("stimulus\ttime\ta\nx\t1\t1\n", "the column `time` is no target"),
    ],
)
def test_columns_of_responses_are_numbers(tmp_path, text, expected):
    with pytest.raises(DataError, match=expected):
        read_responses(Targets(kind="table", table=_file(tmp_path, "y.tsv", text)))


def test_large_whole_numbers_are_numbers(tmp_path):
    path = _file(tmp_path, "y.tsv", "stimulus\ta\nx\t99999999999999999999999\ny\t9007199254740993\n")
    assert read_responses(Targets(kind="table", table=path)).values.ravel().tolist() == [
        float("99999999999999999999999"),
        2.0**53,
    ]


def test_a_key_of_responses_is_no_unit(tmp_path):
    with pytest.raises(DataError, match="the column `repetition` is no unit"):
        read_features("x", Features(table=_file(tmp_path, "x.tsv", "stimulus\trepetition\tu\nx\t0\t1\n")))


def test_an_empty_category_is_named_with_its_line(tmp_path):
    path = _file(tmp_path, "s.tsv", "stimulus\tcategory\nx\ta\ny\t\n")
    with pytest.raises(DataError, match="line 3 has no category"):
        read_categories(path, "category", ["x", "y"])


def test_pandas_warnings_are_errors(tmp_path, monkeypatch):
    def warn(*args, **kwargs):
        warnings.warn("Length of header or names does not match length of data.", pd.errors.ParserWarning, stacklevel=2)
        return pd.DataFrame()

    monkeypatch.setattr(pd, "read_csv", warn)
    assert "does not match length" in _refused(_file(tmp_path, "y.tsv", "stimulus\ta\nx\t1\n"))


def test_many_numbers_are_read_as_pandas_reads_them(tmp_path):
    values = np.random.default_rng(0).normal(size=(30, 40)) * 10.0 ** np.arange(-200, 200, 10)
    frame = pd.DataFrame(values, columns=[f"v{number}" for number in range(40)])
    frame.insert(3, "stimulus", [f"a_{number}" for number in range(30)])
    frame.loc[4, "v1"] = np.nan
    frame.to_csv(tmp_path / "y.tsv", sep="\t", index=False)
    quick = open_text(tmp_path / "y.tsv").numbers([3], ["", "NA"])
    pd.testing.assert_frame_equal(quick, open_text(tmp_path / "y.tsv").frame(), check_exact=True)
    read = _responses(tmp_path / "y.tsv").sel(stimulus=frame["stimulus"].to_list())
    np.testing.assert_array_equal(read.to_numpy()[:, :, 0], frame.drop(columns="stimulus").to_numpy())


@pytest.mark.parametrize("value", ["1_000", "\u0665", "1e400", "NAN", "-nan", "0x10", "1D3", "\u00a05"])
def test_what_only_some_programs_take_for_a_number_is_refused(tmp_path, value):
    path = _file(tmp_path, "y.tsv", f"stimulus\ta\nx\t{value}\ny\t2\n")
    with pytest.raises(DataError, match="line 2 has") as error:
        _responses(path)
    assert ("a missing number is an empty cell, NA or NaN" in str(error.value)) == ("n" in value.lower())


def test_a_quote_that_swallows_a_line_is_no_name(tmp_path):
    message = _refused(_file(tmp_path, "y.tsv", 'stimulus\ta\n"x\t1\ny"\t2\nz\t3\n'))
    assert "line 2 has a stimulus with a tab or a line break in it" in message and "quote" in message


@pytest.mark.parametrize("name", ["Repetition", "LAYER", "Time", "Stimulus"])
def test_a_key_in_capitals_is_no_target(tmp_path, name):
    path = _file(tmp_path, "y.tsv", f"stimulus\t{name}\ta\nx\t1\t1\ny\t1\t2\n")
    with pytest.raises(DataError, match=f"the column `{name}`"):
        _responses(path)


@pytest.mark.parametrize(
    ("columns", "expected"),
    [
        ({"stimulus": ["x"], "a": pd.to_datetime(["2020-01-01"])}, "must be a number"),
        ({"stimulus": ["x"], "a": pd.to_timedelta([1], unit="s")}, "must be a number"),
        ({"stimulus": [True], "a": [1.0]}, "holds True (bool); names must be text or whole numbers"),
        ({"stimulus": [b"x"], "a": [1.0]}, "names must be text or whole numbers"),
        ({"stimulus": [], "a": []}, "no line below it"),
        ({"stimulus": ["x"], "repetition": [True], "a": [1.0]}, "row 1 has the repetition 'True'"),
    ],
)
def test_parquet_of_other_kinds_is_refused(tmp_path, columns, expected):
    pd.DataFrame(columns).to_parquet(tmp_path / "y.parquet")
    with pytest.raises(DataError, match=re.escape(expected)):
        _responses(tmp_path / "y.parquet")


@pytest.mark.parametrize("ending", ["tsv", "parquet", "npy", "npz", "nc"])
def test_a_link_to_nothing_says_so(tmp_path, ending):
    path = tmp_path / f"y.{ending}"
    path.symlink_to("elsewhere/y")
    with pytest.raises(DataError, match="a link to elsewhere/y, where there is nothing"):
        _responses(path)
    path.unlink()
    path.symlink_to(".git/annex/objects/aa/bb/key/key")
    with pytest.raises(DataError, match=f"datalad get {path}"):
        _responses(path)
