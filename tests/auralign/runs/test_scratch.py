"""Folders of runs: kept while their run lives, removed once it does not."""

import signal
import subprocess
import sys

import pytest
from filelock import FileLock

from auralign.config.reading import read_config
from auralign.runs.compare import run_comparison
from auralign.runs.scratch import GATE, OWNER, owned_folder

# makes a folder with content in it, and ends without having cleaned up
KILLED = """
import os, signal, sys
from pathlib import Path
from auralign.runs.scratch import owned_folder
with owned_folder(Path(sys.argv[1])) as folder:
    (folder / "array.npy").write_bytes(b"0" * 1000)
    print(folder, flush=True)
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_folder_is_gone_after_its_run(tmp_path):
    with owned_folder(tmp_path) as folder:
        (folder / "array.npy").write_bytes(b"0")
        assert folder.parent == tmp_path and folder.name.startswith("inputs-")
    assert [path.name for path in tmp_path.iterdir()] in ([], [GATE])


def test_a_run_that_fails_leaves_nothing(tmp_path):
    with pytest.raises(ZeroDivisionError), owned_folder(tmp_path):
        _ = 1 / 0
    assert not list(tmp_path.glob("inputs-*"))


def test_what_a_killed_run_left_is_removed_by_the_next(tmp_path):
    done = subprocess.run([sys.executable, "-c", KILLED, str(tmp_path)], capture_output=True, text=True)
    assert done.returncode == -signal.SIGKILL, done.stderr
    (left,) = tmp_path.glob("inputs-*")
    assert str(left) == done.stdout.strip() and (left / "array.npy").exists()
    with owned_folder(tmp_path) as folder:
        assert list(tmp_path.glob("inputs-*")) == [folder]


def test_what_a_living_run_owns_is_left_alone(tmp_path):
    with owned_folder(tmp_path) as first:
        (first / "array.npy").write_bytes(b"0")
        with owned_folder(tmp_path) as second:
            assert first != second and (first / "array.npy").exists()
        assert (first / "array.npy").exists()


def test_a_comparison_removes_folders_without_an_owner_only(small_config, tmp_path):
    """Of a version that had no locks, of a killed run, of a living one."""
    blocks = tmp_path / "out" / ".blocks"
    for name in ("inputs-old", "inputs-killed", "inputs-living"):
        (blocks / name).mkdir(parents=True)
        (blocks / name / "array.npy").write_bytes(b"0")
    (blocks / "inputs-killed" / OWNER).touch()
    with FileLock(blocks / "inputs-living" / OWNER):
        run_comparison(read_config(small_config), tmp_path / "out")
    assert [folder.name for folder in blocks.glob("inputs-*")] == ["inputs-living"]


def test_without_locks_nothing_is_removed_but_what_is_ones_own(tmp_path, monkeypatch):
    def none(lock):
        raise NotImplementedError("FileSystem does not appear to support flock")

    monkeypatch.setattr(FileLock, "_acquire", none)
    (tmp_path / "inputs-other").mkdir()
    with owned_folder(tmp_path) as folder:
        assert folder.is_dir()
    assert [path.name for path in tmp_path.glob("inputs-*")] == ["inputs-other"]
