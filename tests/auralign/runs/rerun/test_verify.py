"""Computing a result again: what is found equal, what is found changed, and by how much."""

import hashlib
import importlib.util
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner, Result

from auralign.config.reading import read_config
from auralign.errors import DataError
from auralign.runs.compare import run_comparison
from auralign.runs.rerun.changes import check, describe_check
from auralign.runs.rerun.verify import describe_verification, recompute

KEY = ["features", "layer", "target", "estimator", "split"]


@pytest.fixture
def results(small_config, tmp_path) -> Path:
    """Results of a small comparison, in a folder `study` with all its inputs."""
    study = tmp_path / "study"
    (study / "code").mkdir(parents=True)
    for name in ("net.tsv", "plain.csv", "y.tsv"):
        (tmp_path / name).rename(study / name)
    text = small_config.read_text().replace("net.tsv", "../net.tsv").replace("plain.csv", "../plain.csv")
    config = study / "code" / "small.yml"
    config.write_text(text.replace("y.tsv", "../y.tsv"))
    out = study / "results" / "small"
    run_comparison(read_config(config), out, config_file=config)
    return out


def _edit(path: Path, change) -> None:
    """Change the record of a result."""
    record = json.loads(path.read_text())
    change(record)
    path.write_text(json.dumps(record))


def _run(root: Path, *arguments) -> subprocess.CompletedProcess:
    """Run the command as a user does."""
    command = [sys.executable, str(root / "scripts" / "verify.py"), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True)


def _verify(root: Path, *arguments) -> Result:
    """Run the command in this process, which is faster."""
    spec = importlib.util.spec_from_file_location("verify_command", root / "scripts" / "verify.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return CliRunner().invoke(module.main, [*map(str, arguments), "--n-jobs", "1"])


def _checksums(folder: Path) -> dict:
    files = [path for path in sorted(folder.rglob("*")) if path.is_file()]
    return {path: (hashlib.sha256(path.read_bytes()).hexdigest(), path.stat().st_mtime_ns) for path in files}


def test_an_untouched_result_is_reproduced_to_the_last_bit_and_stays_as_it_is(results, root):
    before = _checksums(results.parents[1])
    done = _run(root, results, "--n-jobs", 1, "--tolerance", 0)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "unchanged: inputs, tables, code and versions" in done.stdout
    assert done.stdout.splitlines()[-1] == "REPRODUCED"
    assert _checksums(results.parents[1]) == before


def test_one_changed_byte_of_an_input_is_named_and_the_scores_move_by_what_a_new_run_says(results, tmp_path, root):
    y = results.parents[1] / "y.tsv"
    old = y.read_bytes()
    # the last digit before the point of the first response of the first line
    position = old.index(b".", old.index(b"\n")) - 1
    new = old[:position] + (b"9" if old[position : position + 1] != b"9" else b"1") + old[position + 1 :]
    y.write_bytes(new)
    done = _verify(root, results)
    assert done.exit_code == 1, done.output
    sums = [hashlib.sha256(content).hexdigest() for content in (old, new)]
    assert f"y.tsv: sha256 {sums[0]} -> {sums[1]} ({len(old)} -> {len(new)} bytes)" in done.stdout
    assert "net.tsv" not in done.stdout
    assert done.stdout.splitlines()[-1] == "NOT REPRODUCED"
    fresh = run_comparison(read_config(results.parents[1] / "code" / "small.yml"), tmp_path / "fresh")["scores"]
    both = pd.read_parquet(results / "scores.parquet").merge(fresh, on=KEY, suffixes=("", "_new"))
    for score in ("r2", "r2_corr"):
        difference = (both[score] - both[f"{score}_new"]).abs()
        row = both.loc[difference.idxmax()]
        where = f"{row.features}, layer {row.layer}, {row.target}, {row.estimator}, split {row.split}"
        line = next(line for line in done.stdout.splitlines() if line.split()[:1] == [score])
        assert f"largest difference {difference.max():.3g} (BEYOND) at {where}; {(difference > 0).sum()} rows" in line


def test_a_tolerance_decides_about_scores(results):
    scores = pd.read_parquet(results / "scores.parquet")
    scores.loc[3, "r2"] += 1e-7
    scores.to_parquet(results / "scores.parquet", index=False)
    strict = recompute(check(results), 5e-8)
    assert strict.beyond == ["r2"]
    assert not strict.is_reproduced
    loose = recompute(check(results), 1e-6)
    assert loose.beyond == []
    assert loose.is_reproduced
    assert "1e-07 (within)" in describe_verification(loose)


def test_another_alpha_of_equal_scores_is_told_and_no_difference(results):
    scores = pd.read_parquet(results / "scores.parquet")
    scores.loc[0, "alpha"] *= 10
    scores.to_parquet(results / "scores.parquet", index=False)
    found = recompute(check(results))
    assert found.is_reproduced
    assert "largest relative difference 0.9 (a choice, not a score)" in describe_verification(found)


def test_lost_rows_and_columns_are_told(results):
    scores = pd.read_parquet(results / "scores.parquet")
    scores.drop(index=[0, 1]).to_parquet(results / "scores.parquet", index=False)
    found = recompute(check(results))
    assert not found.is_reproduced
    assert "only recomputed: 2 rows, such as net, layer 0," in describe_verification(found)
    scores.assign(r2_other=0.0).drop(columns="r2_dev").to_parquet(results / "scores.parquet", index=False)
    found = recompute(check(results))
    assert not found.is_reproduced
    assert "only recorded: columns r2_other" in describe_verification(found)
    assert "only recomputed: columns r2_dev" in describe_verification(found)


def test_tables_that_were_changed_after_the_run_are_told(results, root):
    summary = results / "summary.tsv"
    summary.write_text(summary.read_text().replace("first", "fjrst", 1))
    (results / "comparisons.tsv").unlink()
    assert check(results).tables == ["comparisons.tsv: is not there any more", "summary.tsv: was changed after the run"]
    done = _verify(root, results)
    assert done.exit_code == 1
    assert "summary.tsv: other text in target" in done.stdout
    assert "comparisons.tsv: only recomputed" in done.stdout
    # the same values, stored in another way, are no change
    pd.read_parquet(results / "scores.parquet").to_parquet(results / "scores.parquet", compression="gzip")
    assert not any("scores" in line for line in check(results).tables)
    pd.read_parquet(results / "scores.parquet").assign(r2=np.nan).to_parquet(results / "scores.parquet")
    assert "scores.parquet: was changed after the run" in check(results).tables


def test_a_moved_study_is_verified_on_its_own_inputs(results, tmp_path):
    moved = tmp_path / "elsewhere" / "deep" / "study"
    shutil.copytree(results.parents[1], moved)
    (results.parents[1] / "y.tsv").write_text("the original is of no interest")
    checked = check(moved / "results" / "small")
    assert checked.inputs == []
    assert checked.config.targets.table == moved / "y.tsv"
    assert recompute(checked, 0.0).is_reproduced


def test_results_moved_alone_are_verified_on_the_inputs_left_behind(results, tmp_path):
    results.rename(tmp_path / "alone")
    checked = check(tmp_path / "alone")
    assert checked.inputs == []
    assert recompute(checked, 0.0).is_reproduced


def test_missing_inputs_are_all_named(results, root):
    study = results.parents[1]
    (study / "y.tsv").unlink()
    (study / "plain.csv").unlink()
    (study / "plain.csv").symlink_to(".git/annex/objects/nowhere")
    with pytest.raises(DataError, match=r"2 of its inputs are missing") as error:
        check(results)
    assert f"{study / 'plain.csv'}: its content is not here: datalad get {study / 'plain.csv'}" in str(error.value)
    assert f"{study / 'y.tsv'}: there is no such file" in str(error.value)
    done = _run(root, results)
    assert done.returncode == 1
    assert done.stderr.startswith("error: ")
    assert "Traceback" not in done.stderr


def test_other_versions_code_and_settings_are_told(results):
    def older(record):
        record["versions"]["numpy"] = "1.0"
        record["python"] = "3.1"
        record["code"], record["code_sha256"] = {"commit": "0" * 40, "clean": False}, "1" * 64
        for library in record["linear_algebra"]:
            library["architecture"] = "Katmai"

    _edit(results / "provenance.json", older)
    config = results.parents[1] / "code" / "small.yml"
    config.write_text(config.read_text() + "fdr: 0.01\n")
    checked = check(results)
    assert f"numpy: 1.0 -> {np.__version__}" in checked.environment
    assert any(line.startswith("Python: 3.1 -> ") for line in checked.environment)
    code = r"auralign: [\d.]+ \(commit 000000000000, with changes, files 111111111111\) -> "
    assert any(re.match(code, line) for line in checked.environment)
    assert any(line.startswith("linear algebra: ") and "(Katmai)" in line for line in checked.environment)
    assert len(checked.environment) == 4
    assert len(checked.inputs) == 1
    assert "small.yml: the settings were changed; what is verified are the recorded ones" in checked.inputs[0]
    assert checked.config.fdr == 0.05
    assert "unchanged: tables" in describe_check(checked)


def test_records_without_checksums_of_tables_and_relative_paths_can_be_verified(results):
    def first_version(record):
        for key in ("tables", "paths", "config_file", "linear_algebra", "command", "code_sha256"):
            del record[key]
        record["code"] = {"commit": "0" * 40, "clean": True}

    _edit(results / "provenance.json", first_version)
    checked = check(results)
    assert checked.inputs == checked.tables == []
    assert "no checksums of the tables were recorded" in describe_check(checked)
    assert recompute(checked, 0.0).is_reproduced


def test_a_configuration_of_another_version_is_refused(results):
    _edit(results / "provenance.json", lambda record: record["config"].update(engine="quantum"))
    with pytest.raises(DataError, match=r"configuration of auralign .* cannot be read by this version"):
        check(results)


def test_other_features_are_told_by_what_their_markers_recorded(results):
    _edit(results / "provenance.json", lambda record: record["features"].update(net={"seed": 0, "config": {"dim": 96}}))
    assert recompute(check(results)).features == ["net.config: {'dim': 96} -> None", "net.seed: 0 -> None"]


def test_what_is_no_result_is_an_error(tmp_path, root, results):
    with pytest.raises(DataError, match=r"provenance\.json: the file is missing"):
        check(tmp_path)
    (results / "scores.parquet").unlink()
    with pytest.raises(DataError, match=r"scores\.parquet: the file is missing"):
        check(results)
    assert _verify(root, results, "--tolerance", "-1").exit_code == 2
