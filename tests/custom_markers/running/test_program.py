"""The program behind `auralign features`: what it prints and what it says of mistakes, inside this process."""

import re
from pathlib import Path

import h5py
import pytest
from click.testing import CliRunner

from auralign.errors import AuralignError, ConfigError
from custom_markers.running.program import main


def _program(*arguments) -> str:
    """What the program prints; its errors are raised."""
    done = CliRunner().invoke(main, [str(argument) for argument in arguments])
    if done.exception is not None:
        raise done.exception
    return done.output


def test_run_and_collect_in_one_keep_what_is_there(make_yaml, untrained, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    file = make_yaml(untrained, {"name": "mel", "kind": "LogMel", "n_mels": 16})
    said = _program("run", file)
    assert "net: 3 layers of 3 sounds\nmel: 1 layer of 3 sounds\nfeatures: features/features.hdf5 (" in said
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "features").glob("element_*")}
    assert len(before) == 3
    assert "net: 3 layers of 3 sounds\n" in _program("run", file)
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "features").glob("element_*")} == before


def test_one_stimulus_alone(make_yaml, tmp_path):
    file = make_yaml({"name": "mel", "kind": "LogMel", "n_mels": 16})
    assert "mel: 1 layer of 1 sound\n" in _program("run", file, "--element", "stim11_louder")
    (only,) = (tmp_path / "features").glob("element_*.hdf5")
    with h5py.File(only) as content:
        assert len(content) > 0


def test_layers_are_listed_with_units_and_cost_before_anything_runs(make_yaml, untrained, tmp_path):
    file = make_yaml({"name": "mel", "kind": "LogMel", "n_mels": 16}, untrained)
    mel, _, net = _program("layers", file).partition("net (EncodecMAE): 3 layers\n")
    assert mel.startswith("mel (LogMel): 1 layer\n")
    assert "parameters" not in mel
    assert re.search(r"^ +0  logmel +32 units$", mel, re.MULTILINE)
    assert re.search(r"^  parameters  [1-9][\d,]+$", net, re.MULTILINE)
    assert re.search(r"^  time        .* m?s for one second of noise, measured$", net, re.MULTILINE)
    assert "  storage     288 B for that\n" in net  # 3 layers of 24 float32
    assert "864 B for 3 sounds of 2 s" in net  # of half a second each
    assert len(re.findall(r"^ +[0-2]  encoder0[0-2]\S* +24 units$", net, re.MULTILINE)) == 3
    assert not list(tmp_path.rglob("*.hdf5"))
    assert "mel" not in _program("layers", file, "net")
    with pytest.raises(ConfigError, match=r"there is no marker 'ne'\. Did you mean net\? It has: mel, net\."):
        _program("layers", file, "ne")


def test_time_series_say_their_frames(make_yaml, untrained):
    said = _program("layers", make_yaml({**untrained, "pooling": "none"}))
    assert len(re.findall(r" 24 units, \d+ frames$", said, re.MULTILINE)) == 3


def test_a_marker_that_cannot_be_made_does_not_hide_the_others(make_yaml, untrained):
    file = make_yaml({**untrained, "name": "wrong", "layers": [7]}, untrained)
    done = CliRunner().invoke(main, ["layers", str(file)])
    assert isinstance(done.exception, AuralignError)
    assert "there is no layer 7" in str(done.exception)
    assert "wrong: its layers cannot be told, see below\n" in done.output
    assert "net (EncodecMAE): 3 layers\n" in done.output


@pytest.mark.parametrize(
    ("right", "wrong", "told"),
    [
        ("with: custom_markers", "with: custom_marker", r"no module 'custom_marker' .* Did you mean custom_markers\?"),
        ("with: custom_markers", "with: nothing.py", r"with: there is no file .*nothing\.py"),
        ("with: custom_markers", "with: [custom_markers", r"line \d+ is not YAML"),
        ("kind: LogMel", "kind: LogMl", r"no marker of the kind 'LogMl'\. Did you mean LogMel"),
        ("n_mels:", "n_mel:", r"n_mel = 16: Extra inputs are not permitted\. Did you mean n_mels"),
        ("dataset: sounds", "dataset: sound", r"there is no dataset at .*Did you mean sounds\?"),
        ("storage:", "storag:", r"storag: junifer knows no such key\. Did you mean storage\?"),
        ("uri:", "url:", r"storage lacks the key 'uri'"),
    ],
)
def test_a_mistake_is_one_of_our_errors_and_names_the_file(make_yaml, tmp_path, right, wrong, told):
    file = make_yaml({"name": "mel", "kind": "LogMel", "n_mels": 16})
    text = file.read_text(encoding="utf-8")
    assert right in text
    file.write_text(text.replace(right, wrong), encoding="utf-8")
    with pytest.raises(AuralignError, match=re.compile(told, re.DOTALL)) as refused:
        _program("run", file)
    assert file.name in str(refused.value)
    assert not list(tmp_path.rglob("*.hdf5"))


def test_a_file_that_is_not_there_or_holds_no_mapping_is_named(tmp_path):
    with pytest.raises(ConfigError, match=r"mine\.yml: there is no such file"):
        _program("run", tmp_path / "mine.yml")
    Path(tmp_path / "mine.yml").write_text("a\n")
    with pytest.raises(ConfigError, match=r"mine\.yml: expected the keys with, datagrabber, markers and storage"):
        _program("run", tmp_path / "mine.yml")
