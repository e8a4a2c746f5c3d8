"""What can lie at the place of a sound, and what a run then says: each in its own sentence, skipped where allowed."""

import logging
import os
import re

import numpy as np
import pytest
import soundfile

from custom_markers.sounds.audio import AudioError, read_audio
from custom_markers.sounds.presence import is_absent_annexed, problem_of

from ..conftest import junifer

LOGMEL = {"name": "logmel", "kind": "LogMel", "n_mels": 8}
KEY = "MD5E-s3--900150983cd24fb0d6963f7d28e17f72.wav"


def annexed(path):
    path.symlink_to(f".git/annex/objects/XX/YY/{KEY}/{KEY}")


def unlocked(path):
    path.write_text(f"/annex/objects/{KEY}\n")


def denied(path):
    soundfile.write(path, np.zeros(100), 16000)
    path.chmod(0)


PROBLEMS = {
    "missing": (lambda path: None, r"is missing"),
    "dangling": (
        lambda path: path.symlink_to("gone.wav"),
        r"link to content that is not here: there is nothing at gone",
    ),
    "annexed": (annexed, r"it is annexed\. Get it: datalad get .*x\.wav"),
    "absorbed": (lambda path: path.symlink_to(f"../.git/modules/a/annex/objects/{KEY}/{KEY}"), r"it is annexed"),
    "unlocked": (unlocked, r"is annexed and its content is not here\. Get it: datalad get"),
    "folder": (lambda path: path.mkdir(), r"a folder stands in the place of a sound file"),
    "pipe": (os.mkfifo, r"this is no file \(a pipe, socket or device\)"),
    "empty": (lambda path: path.touch(), r"is empty \(0 bytes\)"),
    "loop": (lambda path: path.symlink_to(path.name), r"link to content that is not here"),
}


@pytest.mark.parametrize("make, message", PROBLEMS.values(), ids=PROBLEMS)
def test_each_way_of_having_no_sound_has_its_own_sentence(tmp_path, make, message):
    make(tmp_path / "x.wav")
    with pytest.raises(AudioError, match=rf"x\.wav: .*{message}"):
        read_audio(tmp_path / "x.wav")


@pytest.mark.skipif(os.geteuid() == 0, reason="nothing is forbidden to root")
def test_a_file_and_a_folder_without_permission(tmp_path):
    denied(tmp_path / "x.wav")
    with pytest.raises(AudioError, match=r"x\.wav: .*no permission"):
        read_audio(tmp_path / "x.wav")
    folder = tmp_path / "closed"
    folder.mkdir()
    denied(folder / "x.wav")
    folder.chmod(0)
    try:
        with pytest.raises(AudioError, match=r"x\.wav: .*no permission"):
            read_audio(folder / "x.wav")
    finally:
        folder.chmod(0o700)


def test_a_file_that_must_not_be_read_is_told_also_where_root_runs_the_test(tmp_path, monkeypatch):
    soundfile.write(tmp_path / "x.wav", np.ones(100) / 2, 16000)
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    with pytest.raises(AudioError, match=r"x\.wav: the sound file cannot be read: no permission"):
        read_audio(tmp_path / "x.wav")


def test_a_disk_that_fails_is_a_fault_of_the_sound(tmp_path, monkeypatch):
    soundfile.write(tmp_path / "x.wav", np.ones(100) / 2, 16000)

    def fails(*arguments):
        raise OSError(5, "Input/output error")

    monkeypatch.setattr("custom_markers.sounds.audio.check_complete", fails)
    with pytest.raises(AudioError, match=r"x\.wav: the sound file cannot be read: Input/output error"):
        read_audio(tmp_path / "x.wav")


def test_a_good_file_a_link_to_one_and_an_annexed_one_that_is_here_are_no_problem(tmp_path):
    soundfile.write(tmp_path / "x.wav", np.ones(100) / 2, 16000)
    (tmp_path / "link.wav").symlink_to("x.wav")
    for name in ("x.wav", "link.wav"):
        assert problem_of(tmp_path / name) is None
        assert not is_absent_annexed(tmp_path / name)


@pytest.mark.parametrize("kind", ["dangling", "annexed", "unlocked", "folder", "empty"])
def test_a_run_names_the_sound_and_skipping_applies(make_yaml, sounds, monkeypatch, kind):
    PROBLEMS[kind][0](sounds / "x.wav")
    yaml_file = make_yaml(LOGMEL)
    result = junifer("run", yaml_file)
    assert isinstance(result.exception, AudioError)
    assert f"{sounds / 'x.wav'}: " in str(result.exception)
    monkeypatch.setenv("AURALIGN_ON_ERROR", "skip")
    assert junifer("run", yaml_file).exception is None
    assert len(list((yaml_file.parent / "features").glob("element_*.hdf5"))) == 3


def test_companions_that_macos_leaves_are_left_out_with_one_line(make_yaml, sounds, monkeypatch):
    for name in ("stim5_noise", "stim102_tone"):
        (sounds / f"._{name}.wav").write_bytes(b"\x00\x05\x16\x07" + bytes(100))
    said = []
    monkeypatch.setattr(logging.getLogger("junifer"), "warning", lambda text, *values: said.append(text % values))
    assert junifer("run", make_yaml(LOGMEL)).exception is None
    lines = [line for line in said if "macOS" in line]
    assert len(lines) == 1
    assert lines[0].startswith(f"2 files of {sounds} whose names begin with ._ are left out, ._stim102_tone.wav among")
    assert len(list((sounds.parent / "features").glob("element_*.hdf5"))) == 3


@pytest.mark.parametrize(
    ("names", "says"),
    [
        ([b"\xff.wav"], r"the file name b'\\xff\.wav' is not in UTF-8"),
        (["caf\u00e9.wav".encode(), "cafe\u0301.wav".encode()], r"names of sounds are the same .*\(U\+00E9\)"),
    ],
)
def test_names_that_cannot_be_used_are_told_before_anything_is_computed(make_yaml, sounds, names, says):
    for name in names:
        try:
            with open(os.path.join(os.fsencode(sounds), name), "xb") as file:
                file.write((sounds / "stim5_noise.wav").read_bytes())
        except OSError:
            pytest.skip("this file system has no such names")
    assert re.search(says, str(junifer("run", make_yaml(LOGMEL)).exception))
    assert not list((sounds.parent / "features").glob("*.hdf5"))
