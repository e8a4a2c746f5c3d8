"""`auralign features`: the program of the markers as a process of its own, and the lists that need none."""

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import psutil
import pytest
from click.testing import CliRunner
from scipy.io import wavfile

from auralign.cli import features
from auralign.cli.app import main
from auralign.cli.features import kinds

YAML = """
with: custom_markers
workdir: /tmp
datagrabber: {kind: AudioStimuli, dataset: wavs, pattern: "{stimulus}.wav"}
markers: [{name: mel, kind: LogMel, n_mels: 16}]
storage: {kind: HDF5FeatureStorage, uri: out/mine.hdf5}
"""


def _auralign(*arguments: str, cwd: Path) -> subprocess.CompletedProcess:
    code = "from auralign.cli.app import entry; entry()"
    env = os.environ | {"OMP_NUM_THREADS": "1"}
    return subprocess.run([sys.executable, "-c", code, *arguments], cwd=cwd, env=env, capture_output=True, text=True)


def test_run_extracts_and_collects_with_progress_and_says_where(tmp_path):
    (tmp_path / "wavs").mkdir()
    random = np.random.default_rng(0)
    for name in ("a", "b", "c"):
        wavfile.write(tmp_path / "wavs" / f"{name}.wav", 24000, (3000 * random.standard_normal(24000)).astype(np.int16))
    (tmp_path / "mine.yml").write_text(YAML)
    done = _auralign("features", "run", "mine.yml", "--threads", "1", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    mel, features = done.stdout.splitlines()
    assert mel == "mel: 1 layer of 3 sounds"
    assert re.fullmatch(r"features: out/mine.hdf5 \([\d.]+ kB, .* m?s\)", features)
    assert "3/3" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_typo_in_the_first_line_is_one_sentence(tmp_path):
    """Before `with: custom_markers` is read, nothing of ours is in a `junifer run`."""
    (tmp_path / "mine.yml").write_text(YAML.replace("with: custom_markers", "with: custom_marker"))
    done = _auralign("features", "run", "mine.yml", cwd=tmp_path)
    assert done.returncode == 1
    assert done.stderr == (
        "error: mine.yml: with: there is no module 'custom_marker' in this environment. Did you mean custom_markers?\n"
    )


@pytest.mark.parametrize(
    ("written", "told"),
    [
        ("datagrabber: {kind", "error: mine.yml: line 3 is not YAML: "),
        (None, "error: mine.yml: this is a folder. Name the YAML file itself.\n"),
    ],
)
@pytest.mark.parametrize("subcommand", ["run", "layers"])
def test_what_is_no_yaml_is_wrong_configuration(tmp_path, written, told, subcommand):
    if written is None:
        (tmp_path / "mine.yml").mkdir()
    else:
        (tmp_path / "mine.yml").write_text(f"with: custom_markers\n{written}\n")
    done = _auralign("features", subcommand, "mine.yml", cwd=tmp_path)
    assert done.returncode == 2
    assert done.stderr.startswith(told)
    assert "Traceback" not in done.stderr


def _has_begun_to_import(parent: int) -> bool:
    """Whether the process of a process has come to the imports that take seconds."""
    try:
        maps = [part.path for child in psutil.Process(parent).children() for part in child.memory_maps()]
    except psutil.Error:
        return False  # it is just being started
    return any("numpy" in path for path in maps)


def test_ctrl_c_while_it_starts_is_no_traceback(tmp_path):
    """The imports take seconds, in which nothing of ours could answer."""
    (tmp_path / "mine.yml").write_text(YAML)
    code = "from auralign.cli.app import entry; entry()"
    call = [sys.executable, "-c", code, "features", "layers", "mine.yml"]
    child = subprocess.Popen(call, cwd=tmp_path, stderr=subprocess.PIPE, text=True, start_new_session=True)
    while not _has_begun_to_import(child.pid):
        assert child.poll() is None, "it ended before anybody could interrupt it"
    os.killpg(child.pid, signal.SIGINT)  # as a terminal does
    _, said = child.communicate(timeout=60)
    assert child.returncode == 130
    assert said.strip().startswith("interrupted")
    assert "Traceback" not in said


@pytest.mark.parametrize(
    ("kind", "given", "used"),
    [("AudioStimuli", None, True), ("PatternDataGrabber", None, False), ("AudioStimuli", "/mine", False)],
)
def test_brain_templates_are_looked_through_only_where_something_may_need_them(
    tmp_path, monkeypatch, kind, given, used
):
    if given is None:
        monkeypatch.delenv("TEMPLATEFLOW_HOME", raising=False)
    else:
        monkeypatch.setenv("TEMPLATEFLOW_HOME", given)
    seen = []

    def wait(call, env):
        place = env.get("TEMPLATEFLOW_HOME")
        seen.append((place, [] if place in (None, given) else os.listdir(place)))

    monkeypatch.setattr(features, "_wait", wait)
    (tmp_path / "mine.yml").write_text(YAML.replace("AudioStimuli", kind))
    features._program("run", str(tmp_path / "mine.yml"))
    ((place, held),) = seen
    assert (bool(held), place == given) == (used, not used)
    assert not used or not Path(place).exists()


def test_the_list_names_every_yaml_and_every_kind_of_marker(root):
    import custom_markers

    done = CliRunner().invoke(main, ["features", "list"])
    assert done.exit_code == 0, done.output
    for path in (root / "junifer_yamls").glob("*.yml"):
        assert re.search(rf"^  {path.stem} +\w", done.output, re.MULTILINE)
    assert set(kinds()) == set(custom_markers.__all__) - {"AudioStimuli"}
    assert all(line.endswith(".") for line in kinds().values())


def test_copy_brings_a_yaml_and_the_comparisons_that_read_its_features(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    done = CliRunner().invoke(main, ["features", "list", "--copy", "quickstart"])
    assert done.output.splitlines() == [
        "junifer_yamls/quickstart.yml",
        "julearn_configs/phantom_voxels.yml",
        "julearn_configs/quickstart.yml",
    ]
    Path("junifer_yamls/quickstart.yml").write_text("mine")
    CliRunner().invoke(main, ["features", "list", "--copy", "quickstart"])
    assert Path("junifer_yamls/quickstart.yml").read_text() == "mine"
    refused = CliRunner().invoke(main, ["features", "list", "--copy", "quick"])
    assert refused.exit_code == 2
    assert "--copy quick: no such YAML. Did you mean quickstart?" in refused.output


SLOW = """
import os, signal
from custom_markers.acoustics.logmel import LogMel

def layers_of(self, wave):
    os.kill(os.getppid(), signal.SIGINT)  # as Ctrl-C, while a sound is computed
    signal.pause()

LogMel.layers_of = layers_of
"""


def test_an_interrupted_run_stops_the_markers_and_says_what_is_kept(tmp_path):
    (tmp_path / "wavs").mkdir()
    wavfile.write(tmp_path / "wavs" / "a.wav", 24000, np.arange(24000, dtype=np.int16))
    (tmp_path / "slow.py").write_text(SLOW)
    (tmp_path / "mine.yml").write_text(YAML.replace("with: custom_markers", "with: [custom_markers, slow.py]"))
    done = _auralign("features", "run", "mine.yml", cwd=tmp_path)
    assert done.returncode == 130, done.stderr
    assert done.stderr.count("interrupted; what was finished is kept. Run the same command to go on.") == 1
    assert "Traceback" not in done.stderr
