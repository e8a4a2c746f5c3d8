"""Running comparisons: tables, resuming, mistakes."""

import json
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from auralign.config.reading import read_config
from auralign.errors import AuralignError, ConfigError, DataError
from auralign.inference.statistics import benjamini_hochberg, corrected_ttest
from auralign.runs import compare
from auralign.runs.compare import run_comparison
from auralign.runs.results import read_results

COLUMNS = ["test", "metric", "a", "b", "target", "difference", "t", "df", "p", "p_fdr", "significant"]


@pytest.fixture
def result(small_config, tmp_path):
    return run_comparison(read_config(small_config), tmp_path / "out")


def test_scores_have_the_columns_and_rows_of_the_contract(result, tmp_path):
    scores = pd.read_parquet(tmp_path / "out" / "scores.parquet")
    identity = {"features", "layer", "layer_name", "target", "estimator", "split"}
    assert set(scores.columns) == identity | {"r2", "r2_corr", "r2_dev", "alpha", "n_train", "n_test"}
    # (2 layers of net + 1 of plain) x 2 targets x 2 estimators x 4 splits
    assert len(scores) == 3 * 2 * 2 * 4
    assert not scores.duplicated(["features", "layer", "target", "estimator", "split"]).any()
    assert set(scores["split"]) == {0, 1, 2, 3}
    assert (scores[["n_train", "n_test"]] == [16, 14]).all(axis=None)


def test_summary_is_the_median_over_splits(result, tmp_path):
    summary = pd.read_csv(tmp_path / "out" / "summary.tsv", sep="\t")
    scores = pd.read_parquet(tmp_path / "out" / "scores.parquet")
    assert len(summary) == 12
    for row in summary.itertuples():
        same = scores[["features", "layer", "target", "estimator"]] == [
            row.features,
            row.layer,
            row.target,
            row.estimator,
        ]
        values = scores[same.all(axis=1)]
        assert row.r2_median == pytest.approx(np.median(values["r2"]), rel=1e-12)
        assert row.r2_corr_sd == pytest.approx(np.std(values["r2_corr"], ddof=1), rel=1e-9)
        assert row.n_splits == 4


def test_comparisons_are_the_corrected_test_of_the_scores(result, tmp_path):
    comparisons = pd.read_csv(tmp_path / "out" / "comparisons.tsv", sep="\t")
    assert list(comparisons.columns)[:11] == (
        ["test", "metric", "a", "b", "target", "difference", "t", "df", "p", "p_fdr", "significant"]
    )
    first = comparisons[comparisons["test"] == 0]
    assert len(first) == 3 * 2  # layers of all features x targets
    scores = result["scores"]
    row = first[(first["a"] == "net/layer01/ridge") & (first["target"] == "second")].iloc[0]
    wide = scores[(scores["features"] == "net") & (scores["layer"] == 1) & (scores["target"] == "second")]
    wide = wide.pivot(index="split", columns="estimator", values="r2")
    t, df, p = corrected_ttest((wide["ridge"] - wide["lasso"]).to_numpy()[:, None], 16, 14)
    assert (row["t"], row["df"], row["p"]) == (pytest.approx(t[0]), df, pytest.approx(p[0]))
    np.testing.assert_allclose(first["p_fdr"], benjamini_hochberg(first["p"].to_numpy()))


def test_best_layer_pairs_each_estimator_and_target_with_its_own_best(result):
    second = result["comparisons"][result["comparisons"]["test"] == 1]
    assert len(second) == 2 * 2  # estimators x targets
    summary = result["summary"]
    for row in second.itertuples():
        own = summary[
            (summary["features"] == "net")
            & (summary["estimator"] == row.a_estimator)
            & (summary["target"] == row.target)
        ]
        assert row.a_layer == own.loc[own["r2_corr_median"].idxmax(), "layer"]
        assert row.a_estimator == row.b_estimator


def test_no_row_is_compared_with_itself(small_config, tmp_path):
    text = small_config.read_text()
    start = text.index("tests:")
    tests = "tests: [{metric: r2, a: {estimator: ridge}, b: {}}, {metric: r2, a: {layer: best}, b: {layer: 0}}]\n"
    small_config.write_text(text[:start] + tests)
    comparisons = run_comparison(read_config(small_config), tmp_path / "out")["comparisons"]
    assert (comparisons["a"] != comparisons["b"]).all()
    assert len(comparisons[comparisons["test"] == 0]) == 3 * 2


def test_a_test_of_a_layer_that_does_not_exist_is_refused_before_anything_runs(small_config, tmp_path):
    text = small_config.read_text().replace("a: {features: net, layer: best}", "a: {features: net, layer: 7}")
    small_config.write_text(text)
    with pytest.raises(ConfigError, match=r"tests\[1\]\.a\.layer: there is no layer 7; there are net: \[0, 1\]"):
        run_comparison(read_config(small_config), tmp_path / "out")
    assert not list((tmp_path / "out" / ".blocks").glob("*.parquet"))


def test_provenance_says_what_went_in(small_config, tmp_path):
    small_config.write_text(small_config.read_text().replace("engine: multitarget\n", ""))
    result = run_comparison(read_config(small_config), tmp_path / "out")
    assert len(result["scores"]) == 48
    provenance = json.loads((tmp_path / "out" / "provenance.json").read_text())
    assert provenance["config"]["name"] == "small"
    assert set(provenance["inputs"]) == {str(tmp_path / name) for name in ("net.tsv", "plain.csv", "y.tsv")}
    assert provenance["versions"]["julearn"] == "0.3.4"
    assert len(provenance["stimuli"]) == 30
    assert provenance["blocks"] == {"all": 6, "computed": 6}
    assert provenance["engines"] == {"ridge": "julearn", "lasso": "julearn"}


def test_a_second_run_computes_nothing_and_gives_the_same(result, tmp_path, small_config):
    again = run_comparison(read_config(small_config), tmp_path / "out")
    assert json.loads((tmp_path / "out" / "provenance.json").read_text())["blocks"]["computed"] == 0
    pd.testing.assert_frame_equal(again["scores"], result["scores"])


def test_only_what_a_change_touches_is_computed_again(result, tmp_path, small_config):
    text = small_config.read_text()
    small_config.write_text(text.replace("n_alphas: 10", "n_alphas: 11"))
    changed = run_comparison(read_config(small_config), tmp_path / "out")
    assert json.loads((tmp_path / "out" / "provenance.json").read_text())["blocks"]["computed"] == 3
    ridge = changed["scores"]["estimator"] == "ridge"
    pd.testing.assert_frame_equal(changed["scores"][ridge], result["scores"][ridge])
    assert not np.allclose(changed["scores"]["alpha"][~ridge], result["scores"]["alpha"][~ridge])


def test_a_changed_response_never_meets_old_scores(result, tmp_path, small_config):
    y = pd.read_csv(tmp_path / "y.tsv", sep="\t")
    y["first"] = y["first"].to_numpy()[::-1]
    y.to_csv(tmp_path / "y.tsv", sep="\t", index=False)
    changed = run_comparison(read_config(small_config), tmp_path / "out")
    assert json.loads((tmp_path / "out" / "provenance.json").read_text())["blocks"]["computed"] == 6
    fresh = run_comparison(read_config(small_config), tmp_path / "elsewhere")
    pd.testing.assert_frame_equal(changed["scores"], fresh["scores"])


def test_damaged_blocks_are_computed_again(result, tmp_path, small_config):
    files = sorted((tmp_path / "out" / ".blocks").glob("*.parquet"))
    block = files[0]
    block.write_bytes(block.read_bytes()[:100])
    key = block.name.split(".")[0]
    other = next(file for file in files if not file.name.startswith(key))  # a sparse block has two files
    pd.DataFrame({"x": [1]}).to_parquet(other)
    again = run_comparison(read_config(small_config), tmp_path / "out")
    assert json.loads((tmp_path / "out" / "provenance.json").read_text())["blocks"]["computed"] == 2
    pd.testing.assert_frame_equal(again["scores"], result["scores"])


def test_processes_change_nothing(result, tmp_path, small_config):
    parallel = run_comparison(read_config(small_config), tmp_path / "parallel", n_jobs=2)
    pd.testing.assert_frame_equal(parallel["scores"], result["scores"], check_exact=True)


def test_an_alpha_at_the_edge_of_the_grid_is_a_warning(small_config, tmp_path, capsys):
    small_config.write_text(small_config.read_text().replace("logspace: [-3, 3, 7]", "logspace: [5, 6, 2]"))
    run_comparison(read_config(small_config), tmp_path / "out")
    warnings = json.loads((tmp_path / "out" / "provenance.json").read_text())["warnings"]
    assert "ridge: 16 of 16 fits on net took the smallest alpha on offer (100000)" in "\n".join(warnings)
    assert warnings[0] in capsys.readouterr().out


def test_replacing_results_of_other_settings_is_said(result, small_config, tmp_path, capsys):
    run_comparison(read_config(small_config), tmp_path / "out")
    assert "replaces" not in capsys.readouterr().out
    small_config.write_text(small_config.read_text().replace("n_splits: 4", "n_splits: 3"))
    run_comparison(read_config(small_config), tmp_path / "out")
    assert "which had other settings (splits)" in capsys.readouterr().out


def test_repetitions_bring_noise_corrected_scores(small_config, tmp_path):
    y = pd.read_csv(tmp_path / "y.tsv", sep="\t")
    random = np.random.default_rng(0)
    noise = [y.assign(repetition=k, first=y["first"] + random.standard_normal(30)) for k in range(3)]
    pd.concat(noise).to_csv(tmp_path / "y.tsv", sep="\t", index=False)
    result = run_comparison(read_config(small_config), tmp_path / "out")
    scores = result["scores"]
    product = scores["reliability"] * scores["reliability_pred"]
    np.testing.assert_allclose(scores["r2_corr_c"] * product, scores["r2_corr"], rtol=1e-12)
    assert {"r2_corr_c_median", "r2_corr_c2_median", "reliability_median"} <= set(result["summary"].columns)
    small_config.write_text(small_config.read_text() + "noise_correction: off\n")
    off = run_comparison(read_config(small_config), tmp_path / "off")
    assert "r2_corr_c" not in off["scores"]
    np.testing.assert_allclose(off["scores"]["r2_corr"], scores["r2_corr"], rtol=1e-9, atol=1e-12)


def test_an_unwritable_folder_is_named(small_config, tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(AuralignError, match=r"file/out: results cannot be written there.*--out"):
        run_comparison(read_config(small_config), tmp_path / "file" / "out")


def _compare(root: Path, *arguments: str, cwd: Path) -> subprocess.CompletedProcess:
    command = [sys.executable, str(root / "scripts" / "compare.py"), *arguments]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True)


def test_the_command_names_its_results_and_tells_usage_from_failure(root, small_config, tmp_path):
    done = _compare(root, str(small_config), "--n-jobs", "1", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "results: results/small" in done.stdout
    assert sorted(p.name for p in (tmp_path / "results" / "small").iterdir() if p.name[0] != ".") == [
        "comparisons.tsv",
        "estimator_differences.parquet",
        "fits.parquet",
        "layer_choice.tsv",
        "layers.tsv",
        "measures.parquet",
        "nested.parquet",
        "provenance.json",
        "scores.parquet",
        "selected.parquet",
        "selection.tsv",
        "summary.tsv",
    ]
    assert _compare(root, cwd=tmp_path).returncode == 2
    wrong = tmp_path / "wrong.yml"
    wrong.write_text("nmae: x")
    refused = _compare(root, str(wrong), cwd=tmp_path)
    assert refused.returncode == 2
    assert "nmae: unknown key" in refused.stderr
    assert "Traceback" not in refused.stderr
    (tmp_path / "plain.csv").unlink()
    failed = _compare(root, str(small_config), cwd=tmp_path)
    assert failed.returncode == 1
    assert "plain.csv: there is no such table" in failed.stderr


# scripts/compare.py in which the first block that is finished sends the signal: whatever the load, it comes then
INTERRUPTED = """
import os, runpy, sys
from auralign.runs import compare

finish = compare.compute_block

def finish_and_interrupt(job):
    finish(job)
    os.kill(os.getpid(), int(how))

script, how, *arguments = sys.argv[1:]
compare.compute_block = finish_and_interrupt
sys.argv = [script, *arguments]
runpy.run_path(script, run_name="__main__")
"""


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_run_goes_on_where_it_stopped(how, root, small_config, tmp_path):
    arguments = [str(root / "scripts" / "compare.py"), str(int(how)), str(small_config), "--n-jobs", "1"]
    stopped = subprocess.run(
        [sys.executable, "-c", INTERRUPTED, *arguments], cwd=tmp_path, capture_output=True, text=True
    )
    assert stopped.returncode == 130, stopped.stderr
    assert "interrupted; what was finished is kept" in stopped.stderr
    blocks = tmp_path / "results" / "small" / ".blocks"
    (kept,) = [path for path in blocks.iterdir() if len(path.stem) == 32]
    assert not list(blocks.glob("inputs-*"))
    assert not (tmp_path / "results" / "small" / "scores.parquet").exists()
    assert _compare(root, str(small_config), "--n-jobs", "1", cwd=tmp_path).returncode == 0
    provenance = json.loads((tmp_path / "results" / "small" / "provenance.json").read_text())
    assert provenance["blocks"] == {"all": 6, "computed": 5}
    assert kept.exists()


def test_a_run_stopped_between_its_tables_leaves_no_result_of_two_runs(result, small_config, tmp_path, monkeypatch):
    out, written = tmp_path / "out", compare.write_atomically

    def stopped(table, path, *scratch):
        written(table, path, *scratch)
        raise KeyboardInterrupt

    monkeypatch.setattr(compare, "write_atomically", stopped)
    small_config.write_text(small_config.read_text(encoding="utf-8").replace("train_size: 16", "train_size: 15"))
    with pytest.raises(KeyboardInterrupt):
        run_comparison(read_config(small_config), out)
    with pytest.raises(DataError, match="not a finished result"):
        read_results(out)
    monkeypatch.undo()
    run_comparison(read_config(small_config), out)
    found = read_results(out)
    assert set(found.scores["n_train"]) == set(found.measures(measure="r2")["n_train"]) == {15}
