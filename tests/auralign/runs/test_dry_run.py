"""What a comparison would compute, and how long and how much: said without writing anything."""

import json
import re
from dataclasses import replace

import pandas as pd
import pytest
from click.testing import CliRunner

from auralign.cli.compare import main
from auralign.config.reading import read_config
from auralign.errors import DataError
from auralign.questions.encoding import parts
from auralign.runs import dry_run
from auralign.runs.compare import run_comparison


def _run(config, *arguments: str) -> str:
    done = CliRunner().invoke(main, [str(config), *arguments], prog_name="auralign run")
    if done.exception is not None:
        raise done.exception
    return done.output


def test_nothing_is_written_and_everything_is_told(small_config, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    before = sorted(tmp_path.rglob("*"))
    said = _run(small_config, "--dry-run", "--n-jobs", "2")
    assert sorted(tmp_path.rglob("*")) == before
    assert said.startswith("small: 30 stimuli, 2 targets, 4 splits; results go to results/small\n")
    assert re.search(r"^  net ridge +2 layers: about .* m?s of one process$", said, re.MULTILINE)
    assert re.search(r"^  plain lasso +1 layer: about .* m?s of one process$", said, re.MULTILINE)
    assert "\nto compute: 6 of 6 blocks\ntime: about " in said
    assert "(measured: one split of one block of each line, with this machine as busy as it is)" in said
    assert re.search(r"^disk: about .* of results; while it runs, .* of arrays more$", said, re.MULTILINE)
    assert re.search(r"^memory: about [\d.]+ [MG]B for each process", said, re.MULTILINE)
    assert said.endswith("nothing was written; without --dry-run it is computed\n")


def test_what_is_there_already_is_not_counted_unless_forced(small_config, tmp_path):
    config, out = read_config(small_config), tmp_path / "out"
    run_comparison(config.model_copy(update={"tests": [], "estimators": {"ridge": config.estimators["ridge"]}}), out)
    told = dry_run.dry_run_of(config, out)
    assert [(part.features, part.estimator, part.layers, part.done) for part in told.parts] == [
        ("net", "ridge", 2, 2),
        ("net", "lasso", 2, 0),
        ("plain", "ridge", 1, 1),
        ("plain", "lasso", 1, 0),
    ]
    assert told.missing == 3
    text = dry_run.describe_dry_run(told)
    assert re.search(r"^  net ridge +2 layers, 2 there already$", text, re.MULTILINE)
    assert "to compute: 3 of 6 blocks" in text
    run_comparison(config, out)
    text = dry_run.describe_dry_run(dry_run.dry_run_of(config, out))
    assert text.endswith("to compute: 0 of 6 blocks\ntime: seconds, only tables and tests are made again")
    assert dry_run.dry_run_of(config, out, force=True).missing == 6


def test_time_is_that_of_one_split_times_splits_and_units(small_config, tmp_path, monkeypatch):
    measured = []

    def measure(job, scratch):
        measured.append(job)
        return 6.0, 100.0

    monkeypatch.setattr(dry_run, "_measure", measure)
    told = dry_run.dry_run_of(read_config(small_config), tmp_path / "out", n_jobs=3)
    seconds = {(part.features, part.estimator): part.seconds for part in told.parts}
    # 6 s a block, and the two layers of `net` have 40 units each
    assert seconds == pytest.approx({key: 12.0 if key[0] == "net" else 6.0 for key in seconds})
    assert told.seconds == pytest.approx((12 + 12 + 6 + 6) / 3)
    assert len(measured) == 5  # the first one twice: libraries are loaded


def test_what_there_is_no_patience_to_measure_is_told_by_its_size(small_config, tmp_path, monkeypatch):
    monkeypatch.setattr(dry_run, "PATIENCE", -1.0)
    monkeypatch.setattr(dry_run, "_measure", lambda job, scratch: (2.0, 100.0))
    told = dry_run.dry_run_of(read_config(small_config), tmp_path / "out")
    parts = {(part.features, part.estimator): part for part in told.parts}
    # the small set is measured: 2 units in 2 s; the other has two layers of 40 units
    assert [parts["plain", name].is_measured for name in ("ridge", "lasso")] == [True, True]
    assert not parts["net", "ridge"].is_measured
    assert parts["net", "ridge"].seconds == pytest.approx(80.0)
    text = dry_run.describe_dry_run(told)
    assert re.search(r"^  net ridge +2 layers: about 80 s of one process \(by its size\)$", text, re.MULTILINE)
    assert "(measured: one split of one block of each line but 2, told by the size," in text


def test_of_many_targets_some_are_measured_where_each_takes_long(small_config, tmp_path, monkeypatch):
    monkeypatch.setattr(dry_run, "MEASURED_TARGETS", 1)
    computed = []
    monkeypatch.setattr(dry_run, "compute_block", lambda job: computed.append((job.is_sparse, job.responses.shape[1])))
    dry_run.dry_run_of(read_config(small_config), tmp_path / "out")
    assert set(computed) == {(True, 1), (False, 2)}


def test_more_processes_than_blocks_do_not_help(small_config, tmp_path, monkeypatch):
    monkeypatch.setattr(dry_run, "_measure", lambda job, scratch: (2.0, 100.0))
    told = dry_run.dry_run_of(read_config(small_config), tmp_path / "out", n_jobs=6)
    assert replace(told, n_jobs=100).seconds == told.seconds


def test_inputs_that_do_not_fit_are_refused_as_in_a_run(small_config, tmp_path):
    (tmp_path / "plain.csv").unlink()
    with pytest.raises(DataError, match=r"plain\.csv: there is no such table"):
        _run(small_config, "--dry-run")


def test_noise_ceilings_and_parts_of_layers_are_counted_as_a_run_counts_them(small_config, tmp_path, monkeypatch):
    responses = pd.read_csv(tmp_path / "y.tsv", sep="\t")
    again = responses.drop(columns="stimulus").add(1.0).assign(stimulus=responses["stimulus"], repetition=1)
    again.iloc[0, 0] += 1.0
    pd.concat([responses.assign(repetition=0), again]).to_csv(tmp_path / "y.tsv", sep="\t", index=False)
    monkeypatch.setattr(parts, "PART_TARGETS", 1)
    config = read_config(small_config)
    told = dry_run.dry_run_of(config, tmp_path / "out")
    run_comparison(config, tmp_path / "out")
    blocks = json.loads((tmp_path / "out" / "provenance.json").read_text(encoding="utf-8"))["blocks"]
    assert told.missing == blocks["all"] > len(told.parts)
    text = dry_run.describe_dry_run(told)
    assert re.search(r"^  noise ceilings +1 block: about .* of one process$", text, re.MULTILINE)
    assert re.search(r"^  net ridge +2 layers in 4 blocks: about ", text, re.MULTILINE)
    assert dry_run.dry_run_of(config, tmp_path / "out").missing == 0
