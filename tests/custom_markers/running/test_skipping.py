"""AURALIGN_ON_ERROR=skip: sounds that cannot be used are left out, faults of the marker are not."""

import numpy as np
import pytest
import soundfile
import torch
from junifer.api.decorators import register_marker
from torch import nn

from custom_markers.marker.hooks import Stage
from custom_markers.marker.torch_marker import NetworkError, TorchMarker
from custom_markers.running.skipping import ENOUGH, TooManySkipped
from custom_markers.sounds.audio import AudioError

from ..conftest import junifer

LOGMEL = {"name": "logmel", "kind": "LogMel", "n_mels": 8}
RATE = 8000


@register_marker
class Wrong(TorchMarker):
    """A network whose second part does not fit the first: torch says so with a RuntimeError at every sound."""

    SAMPLE_RATE = RATE

    def build(self):
        return nn.Sequential(nn.Conv1d(1, 6, 16, stride=8), nn.Conv1d(5, 4, 1))

    def stages(self, network):
        return [Stage("conv", "0", "batch channel time")]

    def forward(self, network, waves):
        network(waves[:, None])


@register_marker
class Right(Wrong):
    """The same network with parts that fit."""

    def build(self):
        return nn.Sequential(nn.Conv1d(1, 6, 16, stride=8), nn.Conv1d(6, 4, 1))


@register_marker
class NotWritten(Right):
    """A network that is not finished."""

    def forward(self, network, waves):
        raise NotImplementedError("to be written")


@pytest.fixture
def skip(monkeypatch):
    monkeypatch.setenv("AURALIGN_ON_ERROR", "skip")


def test_a_fault_of_the_network_stops_the_run_although_sounds_may_be_skipped(make_yaml, skip):
    result = junifer("run", make_yaml({"name": "net", "kind": "Wrong"}))
    assert isinstance(result.exception, NetworkError)
    assert "expected input[1, 6," in str(result.exception)  # torch's own words
    assert "It fails at noise of 2, 10, 30 s alike: correct the network." in str(result.exception)


def test_what_is_not_implemented_stops_the_run(make_yaml, skip):
    result = junifer("run", make_yaml({"name": "net", "kind": "NotWritten"}))
    assert isinstance(result.exception, NotImplementedError)


@pytest.mark.parametrize("first", [True, False])
def test_a_sound_that_the_network_cannot_take_is_skipped(make_yaml, sounds, skip, first):
    soundfile.write(sounds / f"stim{1 if first else 200}_short.wav", np.full(9, 0.1), RATE)
    yaml_file = make_yaml({"name": "net", "kind": "Right"})
    assert junifer("run", yaml_file).exception is None
    assert len(list((yaml_file.parent / "features").glob("element_*"))) == 3


@pytest.mark.parametrize(
    "message", ["[enforce fail at alloc_cpu.cpp:117] data. DefaultCPUAllocator: can't allocate memory", None]
)
def test_a_lack_of_memory_is_no_fault_of_the_sound(monkeypatch, message):
    error = torch.cuda.OutOfMemoryError("CUDA out of memory") if message is None else RuntimeError(message)

    def forward(self, network, waves):
        raise error

    monkeypatch.setattr(Right, "forward", forward)
    with pytest.raises(RuntimeError) as caught:
        Right().layers_of(np.ones(1000, dtype=np.float32))
    assert caught.value is error


def test_a_wrong_type_given_to_a_front_end_is_no_fault_of_the_sound(make_yaml, untrained, skip, monkeypatch):
    # whole kind: markers that turned any ValueError into an error of the sound
    def wrong(*arguments, **options):
        raise ValueError("a fault of the code")

    monkeypatch.setattr("custom_markers.networks.encodecmae.network.EncodecMAE.activations", wrong)
    result = junifer("run", make_yaml(untrained))
    assert type(result.exception) is ValueError
    monkeypatch.setattr("custom_markers.networks.encodecmae.mel.MelFrontEnd.forward", wrong)
    result = junifer("run", make_yaml(LOGMEL, name="mel"))
    assert type(result.exception) is ValueError


def bad(folder, count: int, first: int = 1000) -> None:
    for number in range(first, first + count):
        (folder / f"stim{number}_bad.wav").write_text("not a sound")


def test_a_run_stops_where_most_sounds_fail_alike(make_yaml, sounds, skip):
    bad(sounds, 20)
    result = junifer("run", make_yaml(LOGMEL))
    assert isinstance(result.exception, TooManySkipped)
    tried = ENOUGH if ENOUGH - 3 > ENOUGH / 2 else None
    assert f"logmel: {tried - 3} of the {tried} sounds that were tried fail alike" in str(result.exception)
    assert "stim1000_bad.wav: not a sound file" in str(result.exception)
    assert "in spite of AURALIGN_ON_ERROR=skip" in str(result.exception)


def test_a_short_run_is_judged_at_its_end(make_yaml, sounds, skip):
    bad(sounds, 3)
    assert junifer("run", make_yaml(LOGMEL, name="half")).exception is None  # three of six are not more than half
    bad(sounds, 1, first=2000)
    result = junifer("run", make_yaml(LOGMEL, name="most"))
    assert isinstance(result.exception, TooManySkipped)
    assert "4 of the 7 sounds" in str(result.exception)


def test_sounds_with_names_of_one_letter_fail_alike_too(make_yaml, sounds, skip):
    for name in "adno":
        (sounds / f"{name}.wav").write_text("not a sound")
    result = junifer("run", make_yaml(LOGMEL))
    assert isinstance(result.exception, TooManySkipped)
    assert "4 of the 7 sounds that were tried fail alike" in str(result.exception)


def test_one_bad_sound_alone_in_its_job_is_skipped(make_yaml, sounds, skip):
    bad(sounds, 1)
    assert junifer("run", make_yaml(LOGMEL), "--element", "stim1000_bad").exception is None


def test_sounds_of_an_earlier_run_count_as_good(make_yaml, sounds, skip):
    yaml_file = make_yaml(LOGMEL)
    assert junifer("run", yaml_file).exception is None
    bad(sounds, 3)
    assert junifer("run", yaml_file).exception is None


def test_sounds_that_fail_in_different_ways_do_not_stop_a_run(make_yaml, sounds, skip):
    bad(sounds, 3)
    for number in range(3):
        (sounds / f"stim{2000 + number}_empty.wav").touch()
    assert junifer("run", make_yaml(LOGMEL)).exception is None


def test_without_skipping_the_first_bad_sound_stops_the_run(make_yaml, sounds, monkeypatch):
    monkeypatch.delenv("AURALIGN_ON_ERROR", raising=False)
    bad(sounds, 3)
    result = junifer("run", make_yaml(LOGMEL))
    assert isinstance(result.exception, AudioError)
    assert "stim1000_bad.wav" in str(result.exception)
