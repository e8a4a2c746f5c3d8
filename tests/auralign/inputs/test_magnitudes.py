"""Numbers too large or too small to compute with: one sentence that says where they are."""

import subprocess
import sys

import numpy as np
import pandas as pd
import pytest

from auralign.config.reading import read_config
from auralign.errors import DataError
from auralign.estimators.ridge import Ridge
from auralign.inputs.magnitudes import refuse_extreme
from auralign.questions.encoding.engines import ENGINES
from auralign.questions.preparation import Preparation
from auralign.runs.compare import run_comparison


def _spoil(table, column: str, row: int, value: float) -> None:
    separator = "," if table.suffix == ".csv" else "\t"
    content = pd.read_csv(table, sep=separator)
    content.loc[row, column] = value
    content.to_csv(table, sep=separator, index=False)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize(
    ("file", "column", "row", "message"),
    [
        (
            "net.tsv",
            "u3",
            33,
            r"net\.tsv: features net, layer 1 \(layer01\): unit 3 \(from 0\) of stim8_sound is 1e\+160",
        ),
        ("plain.csv", "u1", 2, r"plain\.csv: features plain, layer 0 \(layer00\): unit 1 \(from 0\) of stim6_sound is"),
        (
            "y.tsv",
            "second",
            0,
            r"y\.tsv: 1 targets are outside 1e-75 to 1e\+75, so that no score is defined: second",
        ),
        ("c.tsv", "pitch", 5, r"c\.tsv: confounds: the variable pitch of stim12_sound is 1e\+160, too large to be squ"),
    ],
)
def test_what_overflows_is_named_whatever_computes(engine, file, column, row, message, small_config, tmp_path):
    plain = pd.read_csv(tmp_path / "plain.csv").rename(columns={"u0": "loudness", "u1": "pitch"})
    plain.to_csv(tmp_path / "c.tsv", sep="\t", index=False)
    _spoil(tmp_path / file, column, row, 1e160)
    text = small_config.read_text().replace("engine: multitarget", f"engine: {engine}")
    small_config.write_text(text + "confounds: {table: c.tsv}\n")
    with pytest.raises(DataError, match=message) as raised:
        run_comparison(read_config(small_config), tmp_path / "out")
    assert "\n" not in str(raised.value)
    assert not list((tmp_path / "out" / ".blocks").glob("*.parquet"))


def test_the_command_says_one_line(root, small_config, tmp_path):
    _spoil(tmp_path / "net.tsv", "u3", 33, -1e160)
    command = [sys.executable, str(root / "scripts" / "compare.py"), str(small_config), "--n-jobs", "1"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert line.startswith("error: ") and "of stim8_sound is -1e+160" in line and line.endswith("another unit.")


def test_responses_whose_squares_are_lost_are_named(small_config, tmp_path):
    y = pd.read_csv(tmp_path / "y.tsv", sep="\t")
    y.assign(second=y["second"] * 1e-170).to_csv(tmp_path / "y.tsv", sep="\t", index=False)
    with pytest.raises(DataError, match=r"y\.tsv: 1 targets are outside 1e-75 to 1e\+75"):
        run_comparison(read_config(small_config), tmp_path / "out")


def test_some_units_that_are_almost_zero_do_no_harm():
    x = np.array([[1e-200, 1.0], [3e-200, 2.0]])
    refuse_extreme(x, "features", None, ["a", "b"], str)
    refuse_extreme(np.zeros((2, 2)), "features", None, ["a", "b"], str, each=True)
    refuse_extreme(np.array([[np.nan, 1.0], [2.0, np.nan]]), "features", None, ["a", "b"], str, each=True)
    with pytest.raises(DataError, match="0 of b is 3e-200, the largest there"):
        refuse_extreme(x, "features", None, ["a", "b"], str, each=True)
    with pytest.raises(DataError, match="0 of b is 3e-200, the largest there"):
        refuse_extreme(x[:, :1], "features", None, ["a", "b"], str)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("failing", [1, 2])
def test_an_error_of_a_solver_is_its_own_sentence_through_julearn_too(engine, failing):
    """All splits fail, or one of them, which scikit-learn would turn into a score of NaN."""
    random = np.random.default_rng(0)
    x, y = random.standard_normal((20, 4)), random.standard_normal((20, 2))
    x[3, 1] = 1e160
    splits = [(np.arange(10), np.arange(10, 20)), (np.arange(10, 20), np.arange(10))][:failing]
    with pytest.raises(DataError, match=r"^ridge: features are not finite, or so large that their squares are not"):
        ENGINES[engine](x, y, splits, Ridge(kind="ridge"), Preparation())
