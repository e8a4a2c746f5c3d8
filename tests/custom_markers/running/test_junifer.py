"""The markers inside junifer: run, collect, list-elements, queue; and what must never go wrong silently."""

import os
import re
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import h5py
import numpy as np
import pytest
import soundfile
import torch
import yaml
from junifer.storage import HDF5FeatureStorage

from auralign.errors import DataError
from auralign.inputs.features import read_features
from auralign.inputs.options import Features
from custom_markers.networks.encodecmae.checkpoint import save_checkpoint
from custom_markers.networks.encodecmae.checkpoint import untrained as make_untrained
from custom_markers.networks.encodecmae.marker import EncodecMAE
from custom_markers.networks.encodecmae.mel import normalised_mel
from custom_markers.networks.encodecmae.network import NetworkConfig
from custom_markers.running.preflight import MissingInputs
from custom_markers.running.storing import StaleFeaturesError, StorageError
from custom_markers.sounds.audio import AudioError, read_audio, resample

from ..conftest import SMALL, junifer

LOGMEL = {"name": "logmel", "kind": "LogMel", "n_mels": 8}
BASELINE = {"name": "spectemp", "kind": "SpectroTemporal"}  # a program that starts with it needs no torch


def _succeed(command: str, yaml_file: Path, *arguments: str):
    result = junifer(command, yaml_file, *arguments)
    if result.exception:
        raise result.exception
    return result


def _features(yaml_file: Path, marker: str):
    storage = yaml_file.parent / yaml_file.stem / f"{yaml_file.stem}.hdf5"
    return read_features(marker, Features(storage=storage, marker=marker))


def _wave(path: Path) -> torch.Tensor:
    return torch.from_numpy(resample(*read_audio(path), 24000))


def test_run_and_collect_give_the_network_and_the_spectrum(make_yaml, untrained, sounds):
    yaml_file = make_yaml(untrained, LOGMEL)
    _succeed("run", yaml_file)
    _succeed("collect", yaml_file)
    layers = _features(yaml_file, "net")
    assert list(layers) == [0, 1, 2]
    assert [layer.attrs["layer_name"] for layer in layers.values()] == ["encoder00", "encoder01", "encoder02+norm(x1)"]
    network = _network()
    logmel = _features(yaml_file, "logmel")[0]
    for stimulus in ("stim5_noise", "stim11_louder", "stim102_tone"):
        wave = _wave(sounds / f"{stimulus}.wav")
        for index, activation in enumerate(network.activations(wave)):
            stored = layers[index].sel(stimulus=stimulus).values
            assert np.abs(stored - activation.mean(dim=0).numpy()).max() < 1e-6
        mel = normalised_mel(wave[None], 8)[0].double().numpy()
        expected = np.concatenate([mel.mean(axis=0), mel.std(axis=0)])
        assert np.abs(logmel.sel(stimulus=stimulus).values - expected).max() < 1e-6


def _network():
    return make_untrained(NetworkConfig(**SMALL), 3)


def test_features_are_float32_vectors_without_labels_under_the_names_of_the_contract(make_yaml, untrained):
    yaml_file = make_yaml(untrained)
    _succeed("run", yaml_file)
    _succeed("collect", yaml_file)
    storage = HDF5FeatureStorage(uri=yaml_file.parent / "features" / "features.hdf5")
    names = {meta["name"] for meta in storage.list_features().values()}
    assert names == {"Audio_net_layer00", "Audio_net_layer01", "Audio_net_layer02"}
    content = storage.read(feature_name="Audio_net_layer00")
    assert content["data"].dtype == np.float32
    assert content["data"].shape == (24, 3)
    assert content["kind"] == "vector"
    assert content["column_headers"] is None
    meta = next(iter(storage.list_features().values()))["marker"]
    assert len(meta["checkpoint_sha256"]) == 64
    assert meta["sample_rate"] == 24000
    assert meta["seed"] == 3
    assert "device" not in meta


def test_layers_branch_decoder_and_pooling(make_yaml, untrained, sounds):
    frames = {**untrained, "name": "frames", "pooling": "none", "layers": [-1]}
    deep = {**untrained, "name": "deep", "decoder": True, "branch": 1, "last_layer": "branch", "layers": [0.0, 1.0]}
    yaml_file = make_yaml(frames, deep)
    _succeed("run", yaml_file)
    _succeed("collect", yaml_file)
    wave = _wave(sounds / "stim5_noise.wav")
    storage = HDF5FeatureStorage(uri=yaml_file.parent / "features" / "features.hdf5")
    series = storage.read(feature_name="Audio_frames_layer02")
    position = [e["stimulus"] for e in series["element"]].index("stim5_noise")
    expected = _network().activations(wave)[2].numpy()
    assert series["kind"] == "timeseries"
    assert np.abs(np.asarray(series["data"][position]) - expected).max() < 1e-6
    layers = _features(yaml_file, "deep")
    activations = _network().activations(wave, branch=1, last_layer="branch", decoder=True)
    assert list(layers) == [0, len(activations) - 1]
    for index, layer in layers.items():
        assert np.abs(layer.sel(stimulus="stim5_noise").values - activations[index].mean(dim=0).numpy()).max() < 1e-6


def test_batches_give_the_same_features_as_single_sounds(make_yaml, untrained, sounds, monkeypatch):
    random = np.random.default_rng(1)
    for name, samples in (("stim200_short", 15000), ("stim201_noise", 22050), ("stim202_noise", 22050)):
        soundfile.write(sounds / f"{name}.wav", 0.1 * random.standard_normal(samples), 44100)
    batches = []
    original = EncodecMAE.layers_of_batch
    monkeypatch.setattr(
        EncodecMAE, "layers_of_batch", lambda self, waves: batches.append(len(waves)) or original(self, waves)
    )
    single = make_yaml(untrained, name="single")
    batched = make_yaml({**untrained, "batch_size": 4}, LOGMEL, name="batched")
    for yaml_file in (single, batched):
        _succeed("run", yaml_file)
        _succeed("collect", yaml_file)
    # the fourth sound is shorter: it waits for its own turn
    assert batches == [1, 1, 1, 1, 1, 1, 3, 1, 2]
    for index, layer in _features(single, "net").items():
        other = _features(batched, "net")[index]
        assert list(other.stimulus.values) == list(layer.stimulus.values)
        assert np.abs(other.values - layer.values).max() < 1e-6
    # the size of a batch is no part of what features are: nothing is computed again
    _succeed("run", make_yaml({**untrained, "batch_size": 2}, LOGMEL, name="batched"))
    assert len(batches) == 9


def test_a_batch_leaves_out_sounds_that_have_features(make_yaml, untrained, monkeypatch):
    yaml_file = make_yaml({**untrained, "batch_size": 8})
    _succeed("run", yaml_file, "--element", "stim11_louder")
    batches = []
    original = EncodecMAE.layers_of_batch
    monkeypatch.setattr(
        EncodecMAE, "layers_of_batch", lambda self, waves: batches.append(len(waves)) or original(self, waves)
    )
    _succeed("run", yaml_file)
    assert batches == [2]


def test_permuting_changes_the_features(make_yaml, untrained):
    yaml_file = make_yaml(untrained, {**untrained, "name": "permuted", "permute_seed": 1})
    _succeed("run", yaml_file)
    _succeed("collect", yaml_file)
    assert not np.allclose(_features(yaml_file, "net")[0].values, _features(yaml_file, "permuted")[0].values, atol=1e-3)


def test_stock_data_grabber_works(make_yaml, untrained, sounds):
    grabber = {
        "kind": "PatternDataGrabber",
        "types": ["Audio"],
        "patterns": {"Audio": {"pattern": "{stimulus}.wav"}},
        "replacements": ["stimulus"],
        "datadir": str(sounds),
    }
    yaml_file = make_yaml(untrained, datagrabber=grabber)
    _succeed("run", yaml_file)
    _succeed("collect", yaml_file)
    ours = make_yaml(untrained, name="ours")
    _succeed("run", ours)
    _succeed("collect", ours)
    np.testing.assert_array_equal(_features(yaml_file, "net")[1].values, _features(ours, "net")[1].values)


def test_elements_are_listed_in_stimulus_order_and_can_be_run_one_by_one(make_yaml, untrained):
    yaml_file = make_yaml(untrained)
    listed = _succeed("list-elements", yaml_file).output.split()
    assert [name for name in listed if name.startswith("stim") and "_" in name] == [
        "stim5_noise",
        "stim11_louder",
        "stim102_tone",
    ]
    _succeed("run", yaml_file, "--element", "stim11_louder")
    files = sorted(path.name for path in (yaml_file.parent / "features").iterdir())
    assert files == ["element_stim11_louder_features.hdf5", "features.sounds.tsv"]


def test_commands_work_from_any_folder(make_yaml, tmp_path):
    yaml_file = make_yaml(BASELINE)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    executable = Path(sys.executable).parent / "junifer"
    for command in ("run", "collect"):
        subprocess.run([executable, command, "../features.yml"], cwd=elsewhere, check=True, capture_output=True)
    assert [layer.shape for layer in _features(yaml_file, "spectemp").values()] == [(3, 23421)]
    assert not list(elsewhere.iterdir())


def test_queue_writes_jobs_that_run(make_yaml, tmp_path):
    venv = Path(sys.executable).parent.parent
    queue = {"kind": "GNUParallelLocal", "jobname": "job", "env": {"kind": "venv", "name": str(venv), "shell": "bash"}}
    yaml_file = make_yaml(BASELINE, queue=queue)
    executable = Path(sys.executable).parent / "junifer"
    command = [executable, "queue", yaml_file, "--element", "stim5_noise", "--element", "stim102_tone"]
    # another folder with sounds of the same names: the jobs must read those beside the YAML
    elsewhere = tmp_path / "elsewhere"
    shutil.copytree(tmp_path / "sounds", elsewhere / "junifer_jobs" / "sounds")
    subprocess.run(command, cwd=elsewhere, check=True, capture_output=True)
    job = elsewhere / "junifer_jobs" / "job"
    for sound in (elsewhere / "junifer_jobs" / "sounds").iterdir():
        sound.write_text("not a sound")
    assert (job / "elements").read_text().split() == ["stim5_noise", "stim102_tone"]
    # what GNU parallel would start, without the minute that junifer puts between two jobs
    script = (job / "run_job.sh").read_text()
    start = script[script.index(str(job / "run_venv.bash")) :].split()
    for element in ("stim5_noise", "stim102_tone"):
        subprocess.run([*start, element], cwd=Path("/"), check=True, capture_output=True)
    files = sorted(path.name for path in (tmp_path / "features").iterdir())
    expected = ["element_stim102_tone_features.hdf5", "element_stim5_noise_features.hdf5", "features.sounds.tsv"]
    assert files == expected


# ---------------------------------------------------------------------------------------------- nothing stale


def test_a_second_run_computes_nothing_again(make_yaml, untrained, monkeypatch):
    yaml_file = make_yaml(untrained)
    _succeed("run", yaml_file)
    _succeed("collect", yaml_file)
    before = {path.name: path.read_bytes() for path in (yaml_file.parent / "features").iterdir()}
    monkeypatch.setattr("custom_markers.marker.base.AudioMarker.compute", None)
    _succeed("run", yaml_file)
    assert {path.name: path.read_bytes() for path in (yaml_file.parent / "features").iterdir()} == before


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"seed": 4}, r"marker\.seed: 3 -> 4"),
        ({"branch": 1}, r"marker\.branch: 0 -> 1"),
        ({"layers": [0, 1]}, r"marker\.layer_names\.2"),
    ],
)
def test_a_changed_marker_is_refused_and_nothing_is_lost(make_yaml, untrained, change, expected):
    yaml_file = make_yaml(untrained)
    _succeed("run", yaml_file)
    before = {path.name: path.read_bytes() for path in (yaml_file.parent / "features").iterdir()}
    result = junifer("run", make_yaml({**untrained, **change}))
    assert isinstance(result.exception, StaleFeaturesError)
    assert result.exit_code == 1
    message = str(result.exception)
    assert re.search(expected, message)
    assert "rm " in message
    assert {path.name: path.read_bytes() for path in (yaml_file.parent / "features").iterdir()} == before


def test_a_changed_sound_is_refused_by_name(make_yaml, untrained, sounds):
    yaml_file = make_yaml(untrained)
    _succeed("run", yaml_file)
    soundfile.write(sounds / "stim11_louder.wav", np.zeros(22050) + 0.1, 44100)
    result = junifer("run", yaml_file)
    assert isinstance(result.exception, StaleFeaturesError)
    assert "element_stim11_louder_features.hdf5" in str(result.exception)
    assert "the sound file has changed" in str(result.exception)


def test_a_changed_checkpoint_is_refused(make_yaml, tmp_path):
    save_checkpoint(make_untrained(NetworkConfig(**SMALL), 1), tmp_path / "net.pt")
    marker = {"name": "net", "kind": "EncodecMAE", "checkpoint": "net.pt"}
    yaml_file = make_yaml(marker)
    _succeed("run", yaml_file)
    save_checkpoint(make_untrained(NetworkConfig(**SMALL), 2), tmp_path / "net.pt")
    result = junifer("run", yaml_file)
    assert isinstance(result.exception, StaleFeaturesError)
    assert "marker.checkpoint_sha256" in str(result.exception)


def test_a_changed_version_of_the_code_is_refused(make_yaml, untrained, monkeypatch):
    yaml_file = make_yaml(untrained)
    _succeed("run", yaml_file)
    monkeypatch.setattr("custom_markers.networks.encodecmae.marker.EncodecMAE.VERSION", "999")
    result = junifer("run", yaml_file)
    assert "marker.version: '1' -> '999'" in str(result.exception)


def test_a_new_sound_sets_the_collected_file_aside(make_yaml, untrained, sounds):
    yaml_file = make_yaml(untrained)
    _succeed("run", yaml_file)
    _succeed("collect", yaml_file)
    soundfile.write(sounds / "stim7_new.wav", np.zeros(22050) + 0.1, 44100)
    _succeed("run", yaml_file)
    folder = yaml_file.parent / "features"
    assert not (folder / "features.hdf5").exists()
    assert (folder / "features.hdf5.outdated").exists()
    _succeed("collect", yaml_file)
    assert len(_features(yaml_file, "net")[0].stimulus) == 4


def test_a_marker_added_later_leaves_the_others_as_they_are(make_yaml, untrained):
    yaml_file = make_yaml(untrained)
    _succeed("run", yaml_file)
    _succeed("run", make_yaml(untrained, LOGMEL))
    _succeed("collect", yaml_file)
    assert list(_features(yaml_file, "net")) == [0, 1, 2]
    assert list(_features(yaml_file, "logmel")) == [0]


def test_one_sound_run_after_a_change_is_compared_with_the_others(make_yaml, untrained):
    _succeed("run", make_yaml(untrained), "--element", "stim5_noise")
    result = junifer("run", make_yaml({**untrained, "seed": 4}), "--element", "stim11_louder")
    assert isinstance(result.exception, StaleFeaturesError)
    assert "element_stim5_noise_features.hdf5" in str(result.exception)
    assert "marker.seed: 3 -> 4" in str(result.exception)


def test_a_sound_that_was_removed_is_named(make_yaml, untrained, sounds):
    yaml_file = make_yaml(untrained)
    _succeed("run", yaml_file)
    (sounds / "stim11_louder.wav").unlink()
    result = junifer("run", yaml_file)
    assert isinstance(result.exception, StaleFeaturesError)
    file = yaml_file.parent / "features" / "element_stim11_louder_features.hdf5"
    assert f"rm {file}" in str(result.exception)
    file.unlink()
    _succeed("run", yaml_file)


def test_moving_the_sounds_makes_nothing_stale(make_yaml, untrained, sounds, monkeypatch):
    _succeed("run", make_yaml(untrained))
    sounds.rename(sounds.with_name("moved"))
    monkeypatch.setattr("custom_markers.marker.base.AudioMarker.compute", None)
    grabber = {"kind": "AudioStimuli", "dataset": "moved", "pattern": "{stimulus}.wav"}
    _succeed("run", make_yaml(untrained, datagrabber=grabber))


def test_a_storage_that_cannot_be_checked_is_refused(make_yaml, untrained, tmp_path):
    storage = {"kind": "HDF5FeatureStorage", "uri": "features/features.hdf5", "single_output": True}
    result = junifer("run", make_yaml(untrained, storage=storage))
    assert isinstance(result.exception, StorageError)
    assert "single_output" in str(result.exception)


# ---------------------------------------------------------------------------------------------- interruptions


def test_side_files_of_a_killed_process_are_removed(make_yaml, untrained):
    yaml_file = make_yaml(untrained)
    folder = yaml_file.parent / "features"
    folder.mkdir()
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    orphan = folder / f"element_stim5_noise_features.{socket.gethostname()}-{dead.pid}"
    orphan.write_text("half")
    _succeed("run", yaml_file)
    assert not orphan.exists()
    assert len(list(folder.iterdir())) == 3 + 1  # and the table of the sounds


def test_a_storage_that_cannot_be_written_is_named(make_yaml, untrained, monkeypatch):
    yaml_file = make_yaml(untrained)

    def full(*args, **kwargs):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(HDF5FeatureStorage, "store_vector", full)
    result = junifer("run", yaml_file)
    assert isinstance(result.exception, StorageError)
    assert f"{yaml_file.parent / 'features' / 'features.hdf5'}: features cannot be stored" in str(result.exception)
    assert "No space left on device" in str(result.exception)
    assert not list((yaml_file.parent / "features").iterdir())


@pytest.mark.parametrize("keep", [0.3, 0.6, 0.95])
def test_a_half_written_collection_is_refused_until_it_is_collected_again(make_yaml, untrained, keep):
    yaml_file = make_yaml(untrained)
    _succeed("run", yaml_file)
    _succeed("collect", yaml_file)
    collected = yaml_file.parent / "features" / "features.hdf5"
    whole = collected.read_bytes()
    collected.write_bytes(whole[: int(len(whole) * keep)])
    with pytest.raises(DataError, match=r"features\.hdf5: .*junifer collect"):
        _features(yaml_file, "net")


def test_a_collection_without_a_sound_that_lies_beside_it_is_refused(make_yaml, untrained):
    yaml_file = make_yaml(untrained)
    _succeed("run", yaml_file)
    folder = yaml_file.parent / "features"
    away = folder.parent / "element_stim11_louder_features.hdf5"
    (folder / away.name).rename(away)
    _succeed("collect", yaml_file)
    assert len(_features(yaml_file, "net")[0].stimulus) == 2
    away.rename(folder / away.name)
    with pytest.raises(DataError, match="lacks stimuli that were extracted"):
        _features(yaml_file, "net")


def test_a_truncated_stimulus_file_is_set_aside_and_computed_again(make_yaml, untrained):
    yaml_file = make_yaml(untrained)
    _succeed("run", yaml_file)
    broken = yaml_file.parent / "features" / "element_stim5_noise_features.hdf5"
    whole = broken.read_bytes()
    broken.write_bytes(whole[: len(whole) // 2])
    _succeed("run", yaml_file)
    _succeed("collect", yaml_file)
    assert broken.with_name(broken.name + ".unreadable").exists()
    assert len(_features(yaml_file, "net")[0].stimulus) == 3


def test_an_interruption_while_storing_leaves_no_half_written_file(make_yaml, untrained, monkeypatch):
    yaml_file = make_yaml(untrained)
    stored = []
    store = HDF5FeatureStorage.store_vector

    def interrupt(self, *args, **kwargs):
        stored.append(1)
        if len(stored) == 5:  # in the middle of the second sound
            raise KeyboardInterrupt
        return store(self, *args, **kwargs)

    monkeypatch.setattr(HDF5FeatureStorage, "store_vector", interrupt)
    assert junifer("run", yaml_file).exit_code != 0
    folder = yaml_file.parent / "features"
    assert sorted(path.name for path in folder.iterdir()) == [
        "element_stim5_noise_features.hdf5",
        "features.sounds.tsv",
    ]
    monkeypatch.setattr(HDF5FeatureStorage, "store_vector", store)
    _succeed("run", yaml_file)
    _succeed("collect", yaml_file)
    fresh = make_yaml(untrained, name="fresh")
    _succeed("run", fresh)
    _succeed("collect", fresh)
    np.testing.assert_array_equal(_features(yaml_file, "net")[2].values, _features(fresh, "net")[2].values)


# ---------------------------------------------------------------------------------------------- bad input


def test_a_bad_sound_stops_the_run_by_name_and_keeps_what_is_done(make_yaml, untrained, sounds):
    (sounds / "stim11_louder.wav").write_text("not a sound")
    yaml_file = make_yaml(untrained)
    result = junifer("run", yaml_file)
    assert isinstance(result.exception, AudioError)
    assert f"{sounds / 'stim11_louder.wav'}: not a sound file" in str(result.exception)
    assert "AURALIGN_ON_ERROR=skip" in str(result.exception)
    names = sorted(path.name for path in (yaml_file.parent / "features").iterdir())
    assert names == ["element_stim5_noise_features.hdf5", "features.sounds.tsv"]


def test_a_bad_sound_can_be_skipped_and_is_listed_at_the_end(make_yaml, untrained, sounds, tmp_path):
    (sounds / "stim11_louder.wav").write_text("not a sound")
    soundfile.write(sounds / "stim200_short.wav", np.zeros(100), 44100)
    yaml_file = make_yaml(untrained, LOGMEL)
    executable = Path(sys.executable).parent / "junifer"
    environment = {**os.environ, "AURALIGN_ON_ERROR": "skip"}
    command = [executable, "run", yaml_file]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "net: 2 sounds were skipped (AURALIGN_ON_ERROR=skip)" in done.stdout
    assert "logmel: 2 sounds were skipped (AURALIGN_ON_ERROR=skip)" in done.stdout
    assert f"{sounds / 'stim11_louder.wav'}: not a sound file" in done.stdout
    assert str(sounds / "stim200_short.wav") in done.stdout
    assert len(list((tmp_path / "features").glob("element_*.hdf5"))) == 2


@pytest.mark.parametrize(
    ("marker", "expected"),
    [
        ({"seedd": 1}, r"seedd = 1: Extra inputs are not permitted.*Allowed parameters: on, name, .*checkpoint"),
        ({"branch": 2}, r"branch = 2"),
        ({"config": {"dims": 3}}, r"config: .*'dims'.*Allowed keys: front_end, mel_bins, dim"),
        ({"checkpoint": "mel256-ec-base"}, r"config: .* is for checkpoint: untrained"),
    ],
)
def test_a_wrong_parameter_is_named(make_yaml, untrained, marker, expected):
    result = junifer("run", make_yaml({**untrained, **marker}))
    assert isinstance(result.exception, RuntimeError)
    assert re.search(expected, str(result.exception), flags=re.DOTALL)


@pytest.mark.parametrize(
    ("grabber", "expected"),
    [
        ({"dataset": "nowhere"}, r"there is no dataset at .*/nowhere .*auralign data build nowhere"),
        ({"pattern": "*.wav"}, r"must hold \{stimulus\} exactly once"),
        ({"pattern": "set*/{stimulus}.wav"}, r"may hold no wildcard"),
        ({"pattern": "{stimulus}.flac"}, r"no file of .*/sounds matches the pattern '\{stimulus\}\.flac'"),
        ({"patern": "x"}, r"patern = 'x': Extra inputs"),
    ],
)
def test_a_wrong_data_grabber_is_refused(make_yaml, untrained, grabber, expected):
    content = {"kind": "AudioStimuli", "dataset": "sounds", "pattern": "{stimulus}.wav", **grabber}
    result = junifer("run", make_yaml(untrained, datagrabber=content))
    assert isinstance(result.exception, RuntimeError)
    assert re.search(expected, str(result.exception), flags=re.DOTALL)


def test_a_file_that_is_no_checkpoint_is_refused_by_name(make_yaml, tmp_path):
    (tmp_path / "net.pt").write_text("not a checkpoint")
    result = junifer("run", make_yaml({"name": "net", "kind": "EncodecMAE", "checkpoint": "net.pt"}))
    assert str(tmp_path / "net.pt") in str(result.exception)
    assert not list(tmp_path.glob("features/*.hdf5"))


# ---------------------------------------------------------------------------------------------- published weights


@pytest.fixture
def offline(monkeypatch, tmp_path):
    """No hub, no earlier download, no weights folder."""
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
    monkeypatch.setenv("AURALIGN_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("AURALIGN_WEIGHTS", raising=False)


def test_every_missing_file_is_named_at_once(make_yaml, offline, tmp_path):
    markers = [
        {"name": "mixture", "kind": "EncodecMAE", "checkpoint": "mel256-ec-base"},
        {"name": "music", "kind": "EncodecMAE", "checkpoint": "mel256-ec-base-fma"},
    ]
    result = junifer("run", make_yaml(*markers))
    assert isinstance(result.exception, MissingInputs)
    for part in ("mel256-ec-base.pt", "mel256-ec-base-fma.pt", "lpepino/encodecmae-v2", "AURALIGN_WEIGHTS"):
        assert part in str(result.exception)


def test_the_shipped_yaml_runs_offline_with_weights_and_sounds_supplied(root, offline, sounds, tmp_path, monkeypatch):
    """encodecmae.yml as it is shipped, on a checkpoint in the published format and a small dataset in its place."""
    weights = tmp_path / "weights"
    weights.mkdir()
    network = make_untrained(NetworkConfig(**SMALL), 8)
    save_checkpoint(network, weights / "mel256-ec-base.pt")
    monkeypatch.setenv("AURALIGN_WEIGHTS", str(weights))
    study = tmp_path / "study"
    (study / "junifer_yamls").mkdir(parents=True)
    yaml_file = study / "junifer_yamls" / "encodecmae.yml"
    yaml_file.write_text((root / "junifer_yamls" / "encodecmae.yml").read_text())
    dataset = study / "datalad_dataset" / "natsound165" / "sounds" / "wav"
    dataset.parent.mkdir(parents=True)
    sounds.rename(dataset)
    # a network of another size under a published name is used, and said to be another
    warnings = []
    monkeypatch.setattr("custom_markers.networks.encodecmae.marker.logger.warning", warnings.append)
    _succeed("run", yaml_file)
    _succeed("collect", yaml_file)
    storage = study / "features" / "encodecmae" / "encodecmae.hdf5"
    assert any("published mel256-ec-base has 10 of 768" in warning for warning in warnings)
    layers = read_features("mixture", Features(storage=storage, marker="mixture"))
    activations = network.activations(_wave(dataset / "stim5_noise.wav"))
    for index, layer in layers.items():
        assert np.abs(layer.sel(stimulus="stim5_noise").values - activations[index].mean(dim=0).numpy()).max() < 1e-6


def test_every_shipped_yaml_parses_and_names_its_own_storage_folder(root):
    files = sorted((root / "junifer_yamls").glob("*.yml"))
    assert len(files) >= 6
    for file in files:
        content = yaml.safe_load(file.read_text())
        # `junifer reset` deletes every file beside the storage
        assert content["storage"]["uri"] == f"../features/{file.stem}/{file.stem}.hdf5"
        assert content["with"] == "custom_markers"


def test_stored_files_remember_the_sound(make_yaml, untrained, sounds):
    yaml_file = make_yaml(untrained)
    _succeed("run", yaml_file)
    with h5py.File(yaml_file.parent / "features" / "element_stim5_noise_features.hdf5") as file:
        assert len(file.attrs["auralign_stimulus_sha256"]) == 64
