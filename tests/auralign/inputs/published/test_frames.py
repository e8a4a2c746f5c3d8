"""Tables pickled by several versions of pandas."""

import os
import pickle
import runpy
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from auralign.errors import DataError
from auralign.inputs.published.frames import read_frame

PICKLES = Path(__file__).resolve().parent / "pickles"
MAKE = runpy.run_path(str(PICKLES / "make.py"))


@pytest.mark.parametrize("version", ["1.1.4", "1.3.5", "2.3.3"])
@pytest.mark.parametrize("name", ["regions", "output"])
def test_pickles_of_other_versions_are_read(name, version):
    found = read_frame(PICKLES / f"{name}_pandas{version}.pkl")
    pd.testing.assert_frame_equal(found, MAKE[name](), check_index_type=False, check_column_type=False)
    # what was read can be changed
    found.iloc[0, 0] = 7


@pytest.mark.parametrize("protocol", [3, 4, 5])
def test_this_pandas_is_read(tmp_path, protocol):
    many = pd.DataFrame(np.arange(12.0).reshape(3, 4), columns=list("abcd")).assign(t=["x", None, "z"], n=[1, 2, 3])
    scattered = many[["a", "t", "b", "n", "c"]].copy().rename_axis("id")  # blocks at columns 0, 2, 4 and 1 and 3
    for frame in (
        MAKE["regions"](),
        MAKE["output"](),
        many,
        scattered,
        many[["a", "b", "t", "c"]].copy(),
        many[["t", "a"]].iloc[1:],
        many.iloc[:0],
    ):
        frame.to_pickle(tmp_path / "f.pkl", protocol=protocol)
        pd.testing.assert_frame_equal(
            read_frame(tmp_path / "f.pkl"), frame, check_index_type=False, check_column_type=False
        )


@pytest.mark.parametrize(
    ("column", "name"),
    [
        (pd.Categorical(["a", "b"]), r"pandas\._libs\.arrays"),
        (pd.array([1, None], dtype="Int64"), r"pandas\.core\.arrays\.integer\.IntegerArray"),
        (pd.to_datetime(["2020-01-01", "2020-01-02"]), r"pandas\._libs\.arrays"),
    ],
)
def test_other_types_of_columns_are_refused_by_name(tmp_path, column, name):
    pd.DataFrame({"a": column}).to_pickle(tmp_path / "f.pkl")
    with pytest.raises(DataError, match=rf"f\.pkl: refused: it asks for {name}"):
        read_frame(tmp_path / "f.pkl")


class _Runs:
    def __init__(self, command):
        self.command = command

    def __reduce__(self):
        return os.system, (self.command,)


class _PartialOfSystem:
    def __init__(self, command):
        self.command = command

    def __reduce__(self):
        import functools

        return functools.partial, (os.system,), (os.system, (self.command,), {}, None)


@pytest.mark.parametrize("kind", [_Runs, _PartialOfSystem])
def test_a_command_inside_a_table_is_refused_and_not_run(tmp_path, kind):
    mark = tmp_path / "ran"
    pd.DataFrame({"a": [1, kind(f"touch {mark}")]}).to_pickle(tmp_path / "f.pkl")
    with pytest.raises(DataError, match=r"f\.pkl: refused: it asks for posix\.system"):
        read_frame(tmp_path / "f.pkl")
    assert not mark.exists()


def test_what_is_not_a_table_is_refused(tmp_path):
    (tmp_path / "f.pkl").write_bytes(pickle.dumps({"a": 1}))
    with pytest.raises(DataError, match="holds a dict; expected a table"):
        read_frame(tmp_path / "f.pkl")
    pd.Series([1, 2]).to_pickle(tmp_path / "f.pkl")
    with pytest.raises(DataError, match=r"asks for pandas\.core\.series\.Series"):
        read_frame(tmp_path / "f.pkl")


def test_only_what_is_needed_is_admitted():
    from auralign.inputs.published.frames import PANDAS

    real = [
        name for name, stand_in in PANDAS.items() if not stand_in.__module__.startswith("auralign.inputs.published")
    ]
    assert sorted(real) == [("builtins", "slice"), ("collections", "OrderedDict")]
    assert PANDAS["collections", "OrderedDict"] is dict


def test_the_converter_command_writes_a_table(tmp_path, root):
    table = tmp_path / "df_roi_meta.tsv"
    command = [sys.executable, str(root / "scripts" / "convert_regions.py"), str(PICKLES / "regions_pandas1.1.4.pkl")]
    done = subprocess.run([*command, str(table), "--study", "NH2015"], capture_output=True, text=True, check=False)
    assert done.returncode == 0 and "4 rows; target, subj_idx, hemi" in done.stdout, done.stderr
    written = pd.read_csv(table, sep="\t")
    assert written["target"].tolist()[3] == "NH2015_s8_lh_v11064"
    expected = MAKE["regions"]().reset_index(drop=True)
    pd.testing.assert_frame_equal(written.drop(columns="target"), expected, check_dtype=False)
    done = subprocess.run([*command, str(tmp_path / "a.csv")], capture_output=True, text=True, check=False)
    assert done.returncode == 1 and "ends in .tsv" in done.stderr
