"""Several processes that store into one storage at the same time."""

import multiprocessing
import os
import socket
import threading
from pathlib import Path

import h5py
import numpy as np
import pytest
import torch
from junifer.storage import HDF5FeatureStorage

from auralign.inputs.features import read_features
from auralign.inputs.options import Features
from auralign.inputs.sounds import Sound, read_sounds, sounds_path, write_sound
from custom_markers.running.locks import LockError, exclusive
from custom_markers.running.storing import StimulusFile

from ..conftest import junifer

LOGMEL = {"name": "logmel", "kind": "LogMel", "n_mels": 8}
FORK = multiprocessing.get_context("fork")


def storage_in(folder: Path) -> HDF5FeatureStorage:
    storage = HDF5FeatureStorage(uri=folder / "features.hdf5", single_output=False)
    storage.uri.parent.mkdir(exist_ok=True)
    return storage


def _hold(folder: Path, holding, go_on) -> None:
    file = StimulusFile(storage_in(folder), {"stimulus": "a"})
    with file.locked():
        partial = file.open_partial()
        with h5py.File(partial, "w") as content:
            content["x"] = 1
        holding.set()
        go_on.wait(30)
        file.commit()


def test_the_side_file_of_a_process_that_works_is_never_deleted(tmp_path, monkeypatch):
    # as if this process were in a container, where the other has another number or none
    holding, go_on = FORK.Event(), FORK.Event()
    other = FORK.Process(target=_hold, args=(tmp_path, holding, go_on))
    other.start()
    assert holding.wait(30)
    (side,) = tmp_path.glob(f"element_a_features.{socket.gethostname()}-*")
    monkeypatch.setattr(Path, "exists", lambda path, real=Path.exists: "/proc/" not in str(path) and real(path))
    mine = StimulusFile(storage_in(tmp_path), {"stimulus": "a"})
    opened = []

    def work():
        with mine.locked():
            opened.append(mine.path.exists())  # the other has finished
            mine.open_partial()

    thread = threading.Thread(target=work)
    thread.start()
    thread.join(0.5)
    assert not opened  # it waits
    assert side.exists()
    go_on.set()
    thread.join(30)
    other.join(30)
    assert opened == [True]
    assert other.exitcode == 0
    assert not list(tmp_path.glob("*.lock"))


def _die(folder: Path, holding) -> None:
    file = StimulusFile(storage_in(folder), {"stimulus": "a"})
    with file.locked():
        file.open_partial().write_text("half")
        holding.set()
        os._exit(9)  # as if killed


def test_what_a_killed_process_left_is_removed(tmp_path):
    holding = FORK.Event()
    other = FORK.Process(target=_die, args=(tmp_path, holding))
    other.start()
    other.join(30)
    assert len(list(tmp_path.glob("element_a_features.*-*"))) == 1
    mine = StimulusFile(storage_in(tmp_path), {"stimulus": "a"})
    with mine.locked():
        mine.open_partial()
    assert not list(tmp_path.iterdir())


def _count(folder: Path, times: int) -> None:
    for _ in range(times):
        with exclusive(folder / "number"):
            number = int((folder / "number").read_text())
            (folder / "number").write_text(str(number + 1))


def test_a_lock_lets_in_one_at_a_time_and_leaves_nothing(tmp_path):
    (tmp_path / "number").write_text("0")
    others = [FORK.Process(target=_count, args=(tmp_path, 100)) for _ in range(3)]
    for other in others:
        other.start()
    for other in others:
        other.join(60)
    assert (tmp_path / "number").read_text() == "300"
    assert [path.name for path in tmp_path.iterdir()] == ["number"]


def test_a_lock_that_cannot_be_had_is_an_error_with_its_reason(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(LockError, match=r"file/x\.lock: cannot be locked: "), exclusive(tmp_path / "file" / "x"):
        pass


def _append(storage: Path, first: int) -> None:
    for number in range(first, first + 30):
        with exclusive(sounds_path(storage)):
            write_sound(storage, Sound(f"stim{number}", "sum", 1, 2, 3))


def test_no_line_of_the_sounds_is_lost(tmp_path):
    others = [FORK.Process(target=_append, args=(tmp_path / "a.hdf5", 30 * n)) for n in range(3)]
    for other in others:
        other.start()
    for other in others:
        other.join(60)
    assert len(read_sounds(tmp_path / "a.hdf5")) == 90


def _run(yaml_file: Path, start) -> None:
    # a forked process would wait for ever for the threads that its parent had
    torch.set_num_threads(1)
    start.wait(30)
    result = junifer("run", yaml_file)
    if result.exception is not None:
        print(result.exception, flush=True)
        os._exit(1)


def test_two_runs_of_different_markers_into_one_storage_lose_nothing(make_yaml, tmp_path):
    first = make_yaml(LOGMEL, name="features")
    second = tmp_path / "second.yml"
    second.write_text(first.read_text().replace("name: logmel", "name: other").replace("n_mels: 8", "n_mels: 9"))
    assert junifer("run", first, "--element", "stim5_noise").exception is None
    # a collected file, which both find out of date
    assert junifer("collect", first).exception is None
    start = FORK.Barrier(2)
    runs = [FORK.Process(target=_run, args=(yaml_file, start)) for yaml_file in (first, second)]
    for run in runs:
        run.start()
    for run in runs:
        run.join(120)
    assert [run.exitcode for run in runs] == [0, 0]
    storage = tmp_path / "features" / "features.hdf5"
    assert storage.with_name("features.hdf5.outdated").exists()
    assert junifer("collect", first).exception is None
    for marker, units in (("logmel", 16), ("other", 18)):
        layer = read_features(marker, Features(storage=storage, marker=marker))[0]
        assert layer.shape == (3, units)
        assert np.isfinite(layer.values).all()
    assert len(read_sounds(storage)) == 3


def test_a_collected_file_that_another_job_has_set_aside_is_no_error(tmp_path, monkeypatch):
    file = StimulusFile(storage_in(tmp_path), {"stimulus": "a"})
    with file.locked():
        with h5py.File(file.open_partial(), "w") as content:
            content["x"] = 1
        # the other job moves it between the look and the move
        monkeypatch.setattr(Path, "exists", lambda path: True)
        file.commit()
    assert file.path.is_file()
