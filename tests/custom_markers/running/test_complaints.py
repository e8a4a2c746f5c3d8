"""What the program `junifer` prints when a YAML is wrong: one message, last, that says what is allowed."""

import logging
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from auralign.errors import ConfigError
from custom_markers.running import complaints
from custom_markers.running.complaints import message_of
from custom_markers.running.yaml_shape import check_yaml

from ..conftest import SMALL, junifer

LOGMEL = {"name": "logmel", "kind": "LogMel", "n_mels": 8}
NET = {"name": "net", "kind": "EncodecMAE", "checkpoint": "untrained", "config": SMALL}
GRABBER = {"kind": "AudioStimuli", "dataset": "sounds", "pattern": "{stimulus}.wav"}
STORAGE = {"kind": "HDF5FeatureStorage", "uri": "features/features.hdf5"}
MARKER = """
from junifer.api.decorators import register_marker
from custom_markers.marker.base import AudioMarker

@register_marker
class Mine(AudioMarker):
    def layer_names(self):
        return {0: "only"}

    def layers_of(self, wave):
        return [wave[:1] + not_defined]
"""


def junifer_program(command: str, yaml_file: Path, *arguments: str) -> tuple[int, str]:
    """Run the program as a user does; return its exit status and all that it prints."""
    program = [Path(sys.executable).parent / "junifer", command, yaml_file, "--verbose", "warning", *arguments]
    done = subprocess.run(program, cwd=yaml_file.parent, env=os.environ, capture_output=True, text=True)
    return done.returncode, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        pytest.param(
            {"markers": [{"name": "a", "kind": "EncodecMEA"}]},
            [
                "there is no marker of the kind 'EncodecMEA'. Did you mean EncodecMAE?",
                # among those that other tests have registered in this process
                "Allowed for sounds: ",
                *("AcousticSummary", "EncodecMAE", "LogMel", "SpectroTemporal", "Wav2Vec2", "Whisper"),
                "of junifer's own for brain images.",
            ],
            id="kind of marker",
        ),
        pytest.param(
            {"storage": {**STORAGE, "kind": "HDF5Storage"}},
            ["there is no storage of the kind 'HDF5Storage'. Did you mean HDF5FeatureStorage"],
            id="kind of storage",
        ),
        pytest.param(
            {"datagrabber": {**GRABBER, "kind": "AudioStimulus"}},
            ["there is no data grabber of the kind 'AudioStimulus'. Did you mean AudioStimuli?"],
            id="kind of data grabber",
        ),
        pytest.param(
            {"markers": [{**NET, "seedd": 1}]},
            ["marker 'net': EncodecMAE was given", "seedd = 1:", "Did you mean seed?", "Allowed parameters:"],
            id="parameter",
        ),
        pytest.param({"markers": [{**NET, "pooling": "median"}]}, ["pooling = 'median': Input should be"], id="value"),
        pytest.param(
            {"markers": [{"name": "net", "kind": "EncodecMAE"}]}, ["checkpoint is missing"], id="parameter missing"
        ),
        pytest.param(
            {"storage": {**STORAGE, "singleoutput": True}},
            ["the storage HDF5FeatureStorage does not take 'singleoutput'. Did you mean single_output?"],
            id="parameter of storage",
        ),
        pytest.param(
            {"markers": [{**NET, "layers": ["encoder9"]}]},
            ["marker 'net' (EncodecMAE): layers: there is no layer 'encoder9'. Did you mean encoder0"],
            id="layer",
        ),
        pytest.param(
            {"datagrabber": {**GRABBER, "dataset": "sound"}},
            ["there is no dataset at ", "Did you mean sounds?"],
            id="dataset",
        ),
        pytest.param({"datagrabber": {**GRABBER, "pattern": "{stimulus}.mp3"}}, ["no file of "], id="pattern"),
        pytest.param({"markers": [{"name": "a"}]}, ["a marker lacks the key 'kind'."], id="no kind"),
        pytest.param({"storage": {"uri": "a.hdf5"}}, ["storage lacks the key 'kind'."], id="no kind of storage"),
        pytest.param(
            {"with": ["custom_markers", "mien.py"]}, ["with: there is no file ", "Did you mean mine.py?"], id="file"
        ),
        pytest.param(
            {"with": ["custom_markers", "mine"]},
            ["with: there is no module 'mine' in this environment.", "written with its ending: mine.py."],
            id="module",
        ),
    ],
)
def test_what_is_said_of_a_wrong_yaml(make_yaml, changes, said):
    yaml_file = make_yaml(**{"markers": [LOGMEL], **changes})
    (yaml_file.parent / "mine.py").write_text(MARKER)
    message = message_of(junifer("run", yaml_file).exception, yaml_file)
    assert message.startswith(f"{yaml_file}: ") or f" {yaml_file.parent}/" in message
    assert len(message.splitlines()) <= 5
    for part in said:
        assert part in message


@pytest.mark.parametrize(
    ("changes", "beginning"),
    [
        ({"markers": [{"name": "a", "kind": "EncodecMEA"}]}, "there is no marker of the kind 'EncodecMEA'. Did you"),
        ({"markers": [{**NET, "layers": ["encoder9"]}]}, "marker 'net' (EncodecMAE): layers: there is no layer"),
        ({"datagrabber": {**GRABBER, "dataset": "sound"}}, "this run cannot start, something is missing.\n"),
    ],
    ids=["kind", "layer", "dataset"],
)
def test_the_program_prints_it_once_and_alone(make_yaml, changes, beginning):
    yaml_file = make_yaml(**{"markers": [LOGMEL], **changes})
    status, output = junifer_program("run", yaml_file)
    assert status == 1
    assert "Traceback" not in output
    assert output.startswith(f"error: {yaml_file}: {beginning}")
    assert len(output.splitlines()) <= 6


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"markers": []}, "markers: the list is empty, nothing would be computed; expected a list"),
        ({"markers": None}, "markers: is empty; expected a list"),
        ({"markers": LOGMEL}, "markers: is a mapping; expected a list, each beginning with `- name:`"),
        ({"markers": ["LogMel"]}, "markers: number 1 is 'LogMel'; expected a list"),
        ({"datagrabber": "AudioStimuli"}, "datagrabber: is 'AudioStimuli'; expected `kind:`"),
        ({"storage": "x.hdf5"}, "storage: is 'x.hdf5'; expected `kind:`"),
        ({"storage": {**STORAGE, "uri": 3}}, "storage: uri: is 3; expected the path of a file"),
        ({"storage": {**STORAGE, "uri": "sounds"}}, "/sounds is a folder; the path of a file is needed"),
        ({"storage": {**STORAGE, "uri": "sounds/stim5_noise.wav"}}, "stim5_noise.wav is there and is no HDF5 file"),
        ({"elementss": ["stim5_noise"]}, "elementss: junifer knows no such key. Did you mean elements?"),
    ],
)
def test_parts_of_another_shape_are_named(make_yaml, changes, said):
    yaml_file = make_yaml(**{"markers": [LOGMEL], **changes})
    with pytest.raises(ConfigError) as raised:
        check_yaml(yaml_file, "run")
    assert said in str(raised.value) and str(raised.value).startswith(str(yaml_file))


def test_the_shipped_yamls_have_the_right_shape(root):
    for yaml_file in sorted((root / "junifer_yamls").glob("*.yml")):
        check_yaml(yaml_file, "run")


@pytest.mark.parametrize("uri", ["sounds", "sounds/stim5_noise.wav"])
def test_what_is_no_storage_is_never_moved_away(make_yaml, sounds, uri):
    before = {path.name: path.read_bytes() for path in sounds.iterdir()}
    result = junifer("run", make_yaml(LOGMEL, storage={**STORAGE, "uri": uri}))
    assert result.exit_code == 1 and "storage: uri" in str(result.exception)
    assert {path.name: path.read_bytes() for path in sounds.iterdir()} == before


def test_collecting_before_running_is_an_error(make_yaml):
    yaml_file = make_yaml(LOGMEL)
    status, output = junifer_program("collect", yaml_file)
    assert status == 1
    assert output.startswith(f"error: {yaml_file}: there is nothing to collect: ") and len(output.splitlines()) == 1
    assert f"Run `junifer run {yaml_file}` first" in output
    assert not (yaml_file.parent / "features").exists()


def test_collecting_speaks_alike(make_yaml):
    yaml_file = make_yaml(storage={**STORAGE, "kind": "HDF5Storage"})
    status, output = junifer_program("collect", yaml_file)
    assert status == 1
    assert len(output.splitlines()) == 1
    assert output.startswith(f"error: {yaml_file}: there is no storage of the kind 'HDF5Storage'. Did you mean HDF5F")


def test_a_mistake_in_a_marker_of_ones_own_keeps_the_part_of_the_traceback_that_is_about_it(make_yaml):
    yaml_file = make_yaml({"name": "mine", "kind": "Mine"}, **{"with": ["custom_markers", "mine.py"]})
    mine = yaml_file.parent / "mine.py"
    mine.write_text(MARKER)
    status, output = junifer_program("run", yaml_file)
    assert status == 1
    report = output[output.index("Traceback") :]
    assert report.count("  File ") == 1 and f'File "{mine}", line 11, in layers_of' in report
    assert output.splitlines()[-1] == "NameError: name 'not_defined' is not defined"


@pytest.mark.parametrize("statement", ["int('x')", "[][0]", "numpy.ones(3) + numpy.ones(4)"])
def test_an_error_that_nobody_foresaw_is_no_message(statement):
    with pytest.raises((ValueError, IndexError)) as raised:
        eval(compile(statement, complaints.__file__, "eval"), {"numpy": np})
    assert message_of(raised.value) is None


def test_inside_another_program_nothing_changes(make_yaml):
    before = sys.excepthook, list(logging.getLogger("junifer").filters)
    assert junifer("list-elements", make_yaml(LOGMEL)).exception is None
    assert before == (sys.excepthook, logging.getLogger("junifer").filters)
