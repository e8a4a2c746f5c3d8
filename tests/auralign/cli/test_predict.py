"""`auralign predict`: a table on standard output or in a file, and what is wrong in a sentence."""

import pandas as pd
import pytest
from click.testing import CliRunner

import auralign
from auralign.cli.predict import main
from auralign.errors import AuralignError, DataError


class _Model:
    def predict(self, wavs):
        stimuli = pd.Index([wav.stem for wav in wavs], name="stimulus")
        return pd.DataFrame([[0.5, 1.0]] * len(wavs), index=stimuli, columns=pd.Index(["low", "high"], name="target"))


@pytest.fixture
def wavs(tmp_path, monkeypatch) -> list[str]:
    monkeypatch.setattr(auralign, "load_model", lambda path: _Model(), raising=False)
    paths = [tmp_path / "a.wav", tmp_path / "b.wav"]
    for path in paths:
        path.touch()
    return [str(path) for path in paths]


def test_one_line_per_sound_and_one_column_per_target(wavs, tmp_path):
    done = CliRunner().invoke(main, ["model", *wavs])
    assert done.output == "stimulus\tlow\thigh\na\t0.5\t1.0\nb\t0.5\t1.0\n"
    out = tmp_path / "out.tsv"
    assert CliRunner().invoke(main, ["model", *wavs, "--out", str(out)]).output == f"written: {out} (2 x 2)\n"
    assert out.read_text() == done.output


def test_a_sound_or_a_place_that_is_not_there_is_named(wavs, tmp_path):
    missing = CliRunner().invoke(main, ["model", *wavs, str(tmp_path / "c.wav")])
    assert isinstance(missing.exception, DataError)
    assert str(missing.exception).endswith("c.wav: there is no such sound file.")
    nowhere = CliRunner().invoke(main, ["model", *wavs, "--out", str(tmp_path / "no" / "out.tsv")])
    assert "out.tsv: the table cannot be written there (No such file or directory)" in str(nowhere.exception)


def test_a_model_that_is_not_there_is_named(tmp_path):
    (tmp_path / "a.wav").touch()
    done = CliRunner().invoke(main, [str(tmp_path / "model"), str(tmp_path / "a.wav")])
    assert isinstance(done.exception, AuralignError)
    assert "model: there is no such file" in str(done.exception)


def test_a_sound_that_cannot_be_read_is_told_in_the_sentence_of_the_marker(wavs, monkeypatch):
    from custom_markers.sounds.audio import AudioError

    def refuse(self, wavs):
        raise AudioError("a.wav: not a sound file")

    monkeypatch.setattr(_Model, "predict", refuse)
    done = CliRunner().invoke(main, ["model", *wavs])
    assert isinstance(done.exception, DataError)
    assert str(done.exception) == "a.wav: not a sound file"
