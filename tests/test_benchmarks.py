"""The benchmark of everything: its solvers run, its commands are put together, and what is behind its goal is named."""

import json
import sys
from pathlib import Path

import pandas as pd
import pytest
from click.testing import CliRunner

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "benchmarks"))

import everything


@pytest.fixture
def commands(monkeypatch):
    """Every command "takes" 8 s on one process, 4 s on two and 0.5 GiB; what it would write is there afterwards."""
    given = []

    def run(command: list[str]) -> tuple[float, float]:
        given.append(command)
        for option in command:
            name, _, value = option.partition("=")
            if name == "--solve":
                Path(value).write_text("0.5", encoding="utf-8")
            elif name == "--seconds":
                seconds = {"rest": 0.1, "layers_of_batch": 0.3, "collect": 0.05, "sounds": 5}
                Path(value).write_text(json.dumps(seconds), encoding="utf-8")
        return (8.0 if command[-1] == "1" else 4.0), 0.5

    monkeypatch.setattr(everything, "run", run)
    return given


def measured(*options: str) -> tuple[str, pd.DataFrame]:
    with CliRunner().isolated_filesystem():
        result = CliRunner().invoke(everything.main, [*options, "--out", "figures.tsv"], catch_exceptions=False)
        assert result.exit_code == 0, result.output
        return result.output, pd.read_csv("figures.tsv", sep="\t")


def test_solvers_are_timed_beside_others():
    output, figures = measured("--quick", "--only", "ridge", "--only", "lasso")
    assert list(figures["part"]) == ["lasso", "lasso", "ridge", "ridge"]
    assert (figures["seconds"] > 0).all()
    assert (figures["ratio"][figures["part"] == "ridge"] > 0).all()
    assert "scikit-learn RidgeCV, one fit a target, from 6 of them / ours" in output
    assert "celer" in output


def test_a_comparison_is_timed_on_one_and_two_processes_and_beside_its_solver(commands):
    _, figures = measured("--quick", "--repeat", "3", "--only", "voxels")
    assert list(figures["seconds"]) == [8.0, 4.0, 5.0]  # the solver: ten splits
    assert list(figures["ratio"][:2]) == [8 / 5, 2.0]
    assert [command[-1] for command in commands[1:]] == ["1", "1", "1", "2", "2", "2"]  # n_jobs


def test_the_report_is_timed_on_the_results_of_the_comparison(commands):
    _, figures = measured("--quick", "--only", "layers", "--only", "junifer")
    assert list(figures["part"]) == 2 * ["junifer"] + 3 * ["layers"]
    assert list(figures["seconds"][:2]) == [0.1 / 5, 0.05 / 5]
    assert figures["ratio"][0] == pytest.approx(3.0)
    compare, report = commands[-2:]
    assert report[1].endswith("report.py")
    assert report[2] == compare[compare.index("--out") + 1]


@pytest.mark.parametrize(
    ("figure", "missed"),
    [
        (everything.Figure("a", 2.0, 1.0, 3.0, 1.0), []),
        (everything.Figure("a", 4.0, 2.0, 3.0, 1.0), ["time", "memory"]),
        (everything.Figure("a", 1.0, ratio=1.5, of="1 process / 2", goal_ratio=1.8), ["ratio"]),
        (everything.Figure("a", 1.0, ratio=1.5, of="whole / solver", goal_ratio=2.0), []),
        (everything.Figure("a", 1.0, ratio=2.5, of="whole / solver", goal_ratio=2.0), ["ratio"]),
        (everything.Figure("a", 1.0, of="celer is not installed", goal_ratio=2.0), []),
    ],
)
def test_what_is_behind_its_goal_is_named(figure, missed):
    assert figure.missed() == missed
    assert ("missed: " + ", ".join(missed) in everything.line(figure, True)) == bool(missed)
    assert "missed" not in everything.line(figure, False)  # sizes that no goal is meant for
