"""`junifer run` leaves a dataset as it found it."""

import hashlib
from pathlib import Path

import pytest

from auralign.datasets import annex
from auralign.datasets import building as datasets
from auralign.datasets.recipes import read_recipe
from custom_markers.running.preflight import MissingInputs

from ..conftest import junifer

LOGMEL = {"name": "logmel", "kind": "LogMel", "n_mels": 8}
YML = """
{name: small, title: Small, description: Small., licence: CC0-1.0, citation: nobody, table: small.tsv,
 id: 11111111-2222-3333-4444-555555555555, date: 2020-02-02T00:00:00Z}
"""


@pytest.fixture
def clone(tmp_path, sounds) -> Path:
    """The sounds as a dataset `clone`, of which only one file is here, and whose origin has all."""
    rows = "path\tsize\tmd5\turl\n"
    for path in sorted(sounds.glob("*.wav")):
        content = path.read_bytes()
        rows += f"{path.name}\t{len(content)}\t{hashlib.md5(content).hexdigest()}\thttp://127.0.0.1:1/{path.name}\n"
    (tmp_path / "small.tsv").write_text(rows)
    (tmp_path / "small.yml").write_text(YML)
    datasets.build(read_recipe(tmp_path / "small.yml"), tmp_path / "small")
    assert datasets.supply(tmp_path / "small", sounds) == (3, [])
    annex.call("datalad", "clone", str(tmp_path / "small"), str(tmp_path / "clone"), cwd=tmp_path)
    datasets.fetch(tmp_path / "clone", ["stim11_louder.wav"])
    return tmp_path / "clone"


def _here(dataset: Path) -> list[str]:
    assert annex.call("git", "status", "--porcelain", cwd=dataset) == ""
    return [path.stem for path in dataset.glob("*.wav") if path.exists()]


def test_what_a_run_fetches_is_dropped_and_what_was_there_stays(make_yaml, clone):
    grabber = {"kind": "AudioStimuli", "dataset": "clone", "pattern": "{stimulus}.wav"}
    yaml_file = make_yaml(LOGMEL, datagrabber=grabber)
    result = junifer("run", yaml_file)
    assert result.exception is None, result.exception
    assert len(list((yaml_file.parent / "features").glob("element_*"))) == 3
    assert _here(clone) == ["stim11_louder"]


def test_a_run_that_fails_before_it_begins_drops_too(make_yaml, clone, tmp_path, monkeypatch):
    monkeypatch.setenv("AURALIGN_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    grabber = {"kind": "AudioStimuli", "dataset": "clone", "pattern": "{stimulus}.wav"}
    net = {"name": "net", "kind": "EncodecMAE", "checkpoint": "mel256-ec-base"}
    result = junifer("run", make_yaml(LOGMEL, net, datagrabber=grabber))
    assert isinstance(result.exception, MissingInputs)
    assert _here(clone) == ["stim11_louder"]


def test_what_its_origin_lost_stays(make_yaml, clone, monkeypatch, tmp_path):
    from custom_markers import stimuli

    fetch, said = stimuli.fetch, []
    monkeypatch.setattr(stimuli.logger, "warning", lambda *args: said.append(args[0] % args[1:]))

    def fetch_then_lose(folder, paths):
        fetch(folder, paths)
        annex.call("git", "annex", "drop", "--force", "stim5_noise.wav", cwd=tmp_path / "small")

    monkeypatch.setattr(stimuli, "fetch", fetch_then_lose)
    grabber = {"kind": "AudioStimuli", "dataset": "clone", "pattern": "{stimulus}.wav"}
    assert junifer("run", make_yaml(LOGMEL, datagrabber=grabber)).exception is None
    assert sorted(_here(clone)) == ["stim11_louder", "stim5_noise"]
    assert len(said) == 1 and "stim5_noise.wav" in said[0]
