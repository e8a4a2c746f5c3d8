"""Markers around any torch network: against passes by hand, in batches, in every way in which they can be wrong."""

import re
import runpy
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
import yaml
from junifer.api.decorators import register_marker
from torch import nn

from auralign.config.reading import read_config
from auralign.inputs.features import read_features
from auralign.inputs.options import Features
from custom_markers.marker.devices import torch_device
from custom_markers.marker.hooks import HookError, Stage
from custom_markers.marker.torch_marker import TorchMarker, state_sha256
from custom_markers.running.storing import StaleFeaturesError
from custom_markers.sounds.audio import AudioError, read_audio, resample

from ..conftest import junifer

RATE = 8000
TIME = "batch channel time"


class Network(nn.Module):
    """Two convolutions with batch norm, ReLU in place, dropout; then a spectrogram-like layer and an embedding."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv1d(1, 6, 16, stride=8)
        self.norm = nn.BatchNorm1d(6)
        self.relu = nn.ReLU(inplace=True)
        self.dropout = nn.Dropout(0.5)
        self.plane = nn.Conv2d(2, 4, 1)
        self.embedding = nn.Linear(12, 5)

    def forward(self, waves):
        x = self.dropout(self.relu(self.norm(self.conv(waves[:, None]))))  # [B, 6, T]
        x = self.plane(x.unflatten(1, (2, 3)))  # [B, 4, 3, T]
        return self.embedding(x.mean(dim=-1).flatten(1))  # [B, 5]


def make_network(seed: int) -> Network:
    torch.manual_seed(seed)
    network = Network()
    network.norm.running_mean.uniform_(-0.1, 0.1)
    network.norm.running_var.uniform_(0.5, 2)
    return network.train()


@register_marker
class Small(TorchMarker):
    """A marker on `Network`."""

    SAMPLE_RATE = RATE
    VERSION = "7"

    seed: int = 0

    def build(self):
        return make_network(self.seed)

    def stages(self, network):
        return [
            Stage("conv", "conv", TIME),
            Stage("norm", "norm", TIME),
            Stage("relu", "relu", TIME),
            Stage("plane", "plane", "batch channel frequency time"),
            Stage("embedding", "", "batch unit"),
        ]


def by_hand(waves: np.ndarray, seed: int = 0) -> list[np.ndarray]:
    """The layers of `Small` without hooks: [B, T, units] each, [B, units] for the last."""
    network = make_network(seed).eval()
    with torch.no_grad():
        conv = network.conv(torch.from_numpy(waves)[:, None])
        norm = network.norm(conv)
        relu = norm.clamp(min=0)
        plane = network.plane(relu.unflatten(1, (2, 3)))
        series = [layer.flatten(1, -2).transpose(1, 2).numpy() for layer in (conv, norm, relu, plane)]
        return [*series, network(torch.from_numpy(waves)).numpy()]


@pytest.fixture
def waves() -> np.ndarray:
    return np.random.default_rng(0).standard_normal((3, 1000)).astype(np.float32)


def largest_difference(a, b) -> float:
    return max(float(np.abs(x - y).max()) for x, y in zip(a, b, strict=True))


# ---------------------------------------------------------------------------------------------- values


def test_layers_are_those_of_an_evaluation_pass_by_hand(waves):
    layers = Small().layers_of(waves[0])
    *series, embedding = (layer[0] for layer in by_hand(waves[:1]))
    expected = [layer.astype(np.float64).mean(axis=0) for layer in series] + [embedding]
    assert [layer.shape for layer in layers] == [(6,), (6,), (6,), (12,), (5,)]
    assert all(layer.dtype == np.float32 for layer in layers)
    assert largest_difference(layers, expected) < 1e-6


def test_the_same_sound_gives_the_same_values_twice(waves):
    marker = Small()
    first, second = marker.layers_of(waves[0]), marker.layers_of(waves[0])
    assert largest_difference(first, second) == 0
    assert largest_difference(first, Small().layers_of(waves[0])) == 0


def test_an_in_place_relu_does_not_change_the_layer_before_it(waves):
    norm, relu = Small(layers=["norm", "relu"], pooling="none").layers_of(waves[0])
    assert (norm < 0).any()
    np.testing.assert_array_equal(relu, norm.clip(min=0))


def test_frames_are_stored_without_pooling(waves):
    layers = Small(pooling="none", layers=["conv", "plane"]).layers_of(waves[0])
    assert [layer.shape for layer in layers] == [(124, 6), (124, 12)]
    expected = by_hand(waves[:1])
    assert largest_difference(layers, [expected[0][0], expected[3][0]]) < 1e-6


def test_a_batch_gives_what_single_sounds_give(waves):
    marker = Small(batch_size=3)
    batch = marker.layers_of_batch(list(waves))
    assert len(batch) == 3
    for wave, layers in zip(waves, batch, strict=True):
        assert largest_difference(layers, Small(batch_size=1).layers_of(wave)) < 1e-6
    assert largest_difference(batch[0], batch[1]) > 1e-2


class FoldedNetwork(nn.Module):
    """Cuts sounds into frames and takes each for an item of the batch; `time_first`: frames vary slowest."""

    def __init__(self, time_first: bool):
        super().__init__()
        self.time_first = time_first
        self.layer = nn.Linear(100, 6)
        self.bands = nn.Conv1d(1, 3, 10, stride=10)

    def forward(self, waves):
        frames = waves.unfold(-1, 100, 50)  # [B, T, 100]
        frames = frames.transpose(0, 1) if self.time_first else frames
        frames = frames.flatten(0, 1)
        self.layer(frames)  # [B T, 6] or [T B, 6]
        self.bands(frames[:, None])  # [B T, 3, 10]


@register_marker
class Folded(TorchMarker):
    """A marker on `FoldedNetwork`."""

    SAMPLE_RATE = RATE
    time_first: bool = False
    order: str = "batch*time"

    def build(self):
        torch.manual_seed(0)
        return FoldedNetwork(self.time_first)

    def stages(self, network):
        return [
            Stage("layer", "layer", f"{self.order} unit"),
            Stage("bands", "bands", f"{self.order} channel sample"),
        ]


@pytest.mark.parametrize("pooling", ["mean", "none"])
@pytest.mark.parametrize(("time_first", "order"), [(False, "batch*time"), (True, "time*batch")])
@pytest.mark.parametrize("batch_size", [1, 3, 7])
def test_frames_folded_into_the_batch_are_taken_apart(batch_size, time_first, order, pooling):
    waves = np.random.default_rng(1).standard_normal((7, 1000)).astype(np.float32)
    marker = Folded(time_first=time_first, order=order, batch_size=batch_size, pooling=pooling)
    batches = marker.layers_of_batch(list(waves))
    network = Folded().build()
    for wave, layers in zip(waves, batches, strict=True):
        frames = torch.from_numpy(wave).unfold(-1, 100, 50)  # [19, 100]
        with torch.no_grad():
            expected = [network.layer(frames), network.bands(frames[:, None]).flatten(1)]
        if pooling == "mean":
            expected = [layer.mean(dim=0) for layer in expected]
        assert largest_difference(layers, [layer.numpy() for layer in expected]) < 1e-6


@pytest.mark.parametrize(("time_first", "order"), [(True, "batch*time"), (False, "time*batch")])
def test_a_folded_axis_in_the_wrong_order_is_refused(waves, time_first, order):
    marker = Folded(time_first=time_first, order=order, batch_size=3)
    with pytest.raises(HookError, match="a sound has other values in a batch than alone"):
        marker.layers_of_batch(list(waves))


@pytest.mark.parametrize(("batch_size", "passes"), [("auto", [1, 1, 1]), (2, [2, 1]), (3, [3]), (64, [3])])
def test_no_pass_is_larger_than_batch_size(waves, batch_size, passes, monkeypatch):
    seen = []
    monkeypatch.setattr(Small, "forward", lambda self, network, waves: seen.append(len(waves)) or network(waves))
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)
    marker = Small(batch_size=batch_size)
    assert len(marker.layers_of_batch(list(waves))) == 3
    assert seen == passes


def test_auto_is_sixteen_sounds_on_a_gpu(monkeypatch):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    assert Small().batch_limit() == 16
    assert Small(device="cpu").batch_limit() == 1
    assert Small(batch_size=5).batch_limit() == 5


class Padded(Small):
    """Pads every sound to 2000 samples with a loud tail, as networks with a fixed input do with silence."""

    def forward(self, network, waves):
        network(nn.functional.pad(waves, (0, 2000 - waves.shape[1]), value=100.0))

    def frames(self, stage, n_samples):
        return (n_samples - 16) // 8 + 1


def test_frames_limit_the_mean_to_the_sound(waves):
    layers = ["conv", "norm", "relu", "plane"]
    expected = Small(layers=layers).layers_of(waves[0])
    assert largest_difference(Padded(layers=layers).layers_of(waves[0]), expected) < 1e-6
    series = Padded(layers=layers, pooling="none").layers_of(waves[0])
    assert [layer.shape[0] for layer in series] == [124] * 4


@pytest.mark.parametrize("n_frames", [0, 125])
def test_frames_that_are_not_there_are_an_error(waves, n_frames, monkeypatch):
    monkeypatch.setattr(Small, "frames", lambda self, stage, n_samples: n_frames)
    with pytest.raises(HookError, match=rf"'conv'.*frames\(\) gives {n_frames} for a sound of 1000.*Allowed: 1 to 124"):
        Small().layers_of(waves[0])


def test_transposed_axes_give_another_result_or_an_error(waves, monkeypatch):
    monkeypatch.setattr(Small, "stages", lambda self, network: [Stage("conv", "conv", "batch time channel")])
    marker = Small()
    # sounds of one duration: another result, with as many units as there are frames
    assert marker.layers_of(waves[0])[0].shape == (124,)
    with pytest.raises(HookError, match=r"107 units for a sound of 864 samples, 124 for an earlier one.*axes time\?"):
        marker.layers_of(waves[0][:864])


def test_sounds_of_several_durations_are_fine_with_the_right_axes(waves):
    marker = Small()
    assert [layer.shape for layer in marker.layers_of(waves[0])] == [
        layer.shape for layer in marker.layers_of(waves[0][:864])
    ]


def test_extraction_leaves_the_network_as_it_was(waves):
    marker = Small()
    marker.prepare()
    before = state_sha256(marker._network)
    marker.layers_of(waves[0])
    assert state_sha256(marker._network) == before == state_sha256(make_network(0))
    assert not any(m._forward_hooks or m._forward_pre_hooks for m in marker._network.modules())
    assert all(parameter.requires_grad for parameter in marker._network.parameters())


def test_hooks_are_on_the_selected_layers_only(waves, monkeypatch):
    hooked = []

    def forward(self, network, waves):
        hooked.extend(name for name, m in network.named_modules() if m._forward_hooks or m._forward_pre_hooks)
        network(waves)

    monkeypatch.setattr(Small, "forward", forward)
    Small(layers=["plane", "norm"]).layers_of(waves[0])
    assert hooked == ["norm", "plane"]


def test_a_pass_does_not_round_to_tf32_and_restores_the_switches(waves, monkeypatch):
    seen = []

    def forward(self, network, waves):
        seen.append((torch.backends.cudnn.allow_tf32, torch.backends.cuda.matmul.allow_tf32))
        raise AudioError("no")

    monkeypatch.setattr(Small, "forward", forward)
    before = (torch.backends.cudnn.allow_tf32, torch.backends.cuda.matmul.allow_tf32)
    with pytest.raises(AudioError):
        Small().layers_of(waves[0])
    assert seen == [(False, False)]
    assert (torch.backends.cudnn.allow_tf32, torch.backends.cuda.matmul.allow_tf32) == before == (True, False)


# ---------------------------------------------------------------------------------------------- layers


@pytest.mark.parametrize(
    ("layers", "expected"),
    [
        ("all", {0: "conv", 1: "norm", 2: "relu", 3: "plane", 4: "embedding"}),
        (["plane", "conv"], {0: "conv", 3: "plane"}),
        ([1, -1], {1: "norm", 4: "embedding"}),
        ([0.0, 0.5, 1.0], {0: "conv", 2: "relu", 4: "embedding"}),
        (["norm", 0.5, 0], {0: "conv", 1: "norm", 2: "relu"}),
    ],
)
def test_layers_by_name_index_relative_depth_and_all(waves, layers, expected):
    marker = Small(layers=layers)
    assert marker.layer_names() == expected
    everything = Small().layers_of(waves[0])
    assert largest_difference(marker.layers_of(waves[0]), [everything[index] for index in expected]) == 0


def test_a_wrong_layer_is_answered_with_the_nearest():
    with pytest.raises(ValueError, match=r"no layer 'plan'\. Did you mean plane\? Its layers are 0 conv, 1 norm"):
        Small(layers=["plan"]).prepare()


# ---------------------------------------------------------------------------------------------- what is refused


@pytest.mark.parametrize(
    ("parameters", "expected"),
    [
        ({"batch_size": 0}, "batch_size: 0 is less than 1"),
        ({"batch_size": "many"}, "batch_size"),
        ({"pooling": "max"}, "pooling = 'max'"),
        ({"seeed": 1}, "seeed = 1: Extra inputs.*Allowed parameters: .*layers, pooling, device, batch_size, seed"),
    ],
)
def test_wrong_parameters_are_refused_at_once(parameters, expected):
    with pytest.raises(ValueError, match=re.compile(expected, flags=re.DOTALL)):
        Small(**parameters)


def test_a_device_that_is_not_there_is_answered_with_those_that_are(monkeypatch):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)
    for device in ("cuda", "cuda:0", "gpu"):
        with pytest.raises(ValueError, match=rf"device: '{device}' is not on this machine\. Allowed here: auto, cpu"):
            Small(device=device).prepare()
    assert torch_device("auto") == torch_device("cpu") == torch.device("cpu")
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    assert torch_device("auto") == torch.device("cuda")
    assert torch_device("cuda:1") == torch.device("cuda:1")
    with pytest.raises(ValueError, match=r"'cuda:2' is not on this machine\. .* auto, cpu, cuda, cuda:0, cuda:1"):
        torch_device("cuda:2")


def test_time_series_of_a_layer_without_time_are_refused_before_the_first_sound():
    with pytest.raises(ValueError, match=r"pooling: none .* no time axis: embedding\. Leave them out"):
        Small(pooling="none").prepare()
    Small(pooling="none", layers=["conv"]).prepare()


class Mixing(Small):
    """Normalises over the batch also in evaluation mode."""

    def build(self):
        network = make_network(0)
        network.norm = nn.BatchNorm1d(6, track_running_stats=False)
        return network


def test_a_network_that_mixes_the_sounds_of_a_batch_is_refused_in_batches(waves):
    with pytest.raises(ValueError, match=r"batch_size: 2: norm of Mixing normalises .* Write batch_size: 1"):
        Mixing(batch_size=2).prepare()
    first = Mixing(batch_size=1).layers_of_batch(list(waves))[0]
    assert largest_difference(first, Mixing(batch_size=1).layers_of(waves[0])) == 0


@pytest.mark.parametrize("stages", [[], [Stage("a", "conv", TIME), Stage("a", "norm", TIME)]])
def test_layers_need_names_of_their_own(monkeypatch, stages):
    monkeypatch.setattr(Small, "stages", lambda self, network: stages)
    with pytest.raises(HookError, match=r"Small\.stages must give at least one layer, each of another name: \["):
        Small().prepare()


@pytest.mark.parametrize(("method", "expected"), [("build", "does not make"), ("stages", "does not say where")])
def test_a_marker_that_lacks_a_part_says_which(monkeypatch, method, expected):
    monkeypatch.delattr(Small, method)
    with pytest.raises(TypeError, match=rf"Small {expected}.*\({method}\)"):
        Small().prepare()


def test_what_is_no_network_is_refused(monkeypatch):
    monkeypatch.setattr(Small, "build", lambda self: [nn.Linear(1, 1)])
    with pytest.raises(TypeError, match=r"Small\.build gives a list, not a torch\.nn\.Module"):
        Small().prepare()


def test_a_submodule_that_stays_in_training_mode_is_refused(waves, monkeypatch):
    monkeypatch.setattr(nn.Dropout, "train", lambda self, mode=True: nn.Module.train(self, True))
    with pytest.raises(HookError, match=r"training mode \(dropout\)"):
        Small().layers_of(waves[0])


def test_sounds_of_different_lengths_are_no_batch(waves):
    with pytest.raises(ValueError, match=r"equal length; given: \[900, 1000\] samples"):
        Small(batch_size=2).layers_of_batch([waves[0], waves[1][:900]])


def test_a_sound_that_the_network_cannot_take_is_an_error_of_the_sound(waves):
    with pytest.raises(AudioError, match=r"Small: the network fails at a sound of 9 samples \(0\.001 s at 8000 Hz\)"):
        Small().layers_of(waves[0][:9])


# ---------------------------------------------------------------------------------------------- identity


def test_the_metadata_say_weights_and_places_but_not_device_or_batch_size():
    marker = Small(layers=["norm"], batch_size=3)
    entry = {"meta": {}}
    marker.update_meta(entry, "marker")
    meta = entry["meta"]["marker"]
    assert meta["network_sha256"] == state_sha256(make_network(0))
    assert meta["stages"] == {"1": "output of norm: batch channel time"}
    assert meta["layer_names"] == {"1": "norm"}
    assert (meta["version"], meta["sample_rate"], meta["seed"]) == ("7", RATE, 0)
    assert not {"device", "batch_size"} & set(meta)


def test_the_checksum_is_of_every_parameter_and_buffer():
    reference = state_sha256(make_network(0))
    assert reference == state_sha256(make_network(0))
    seen = {reference, state_sha256(make_network(1))}
    for key in make_network(0).state_dict():
        network = make_network(0)
        with torch.no_grad():
            network.state_dict()[key].add_(1)
        seen.add(state_sha256(network))
    network = make_network(0)
    network.register_buffer("window", torch.ones(3), persistent=False)
    seen.add(state_sha256(network))
    seen.add(state_sha256(make_network(0).half()))
    assert len(seen) == 2 + len(make_network(0).state_dict()) + 2


def test_other_weights_of_the_same_name_are_refused(make_yaml, monkeypatch):
    yaml_file = make_yaml({"name": "net", "kind": "Small"})
    assert junifer("run", yaml_file).exception is None
    monkeypatch.setattr(Small, "build", lambda self: make_network(1))
    result = junifer("run", yaml_file)
    assert isinstance(result.exception, StaleFeaturesError)
    assert "marker.network_sha256" in str(result.exception)


def test_values_that_are_not_finite_name_the_sound(make_yaml, sounds, monkeypatch):
    soundfile.write(sounds / "stim11_louder.wav", np.full(22050, 0.9), 44100)

    def forward(self, network, waves):
        network(torch.where(waves.mean(dim=1, keepdim=True) > 0.5, torch.nan, waves))

    monkeypatch.setattr(Small, "forward", forward)
    result = junifer("run", make_yaml({"name": "net", "kind": "Small", "batch_size": 3}))
    assert isinstance(result.exception, AudioError)
    assert f"{sounds / 'stim11_louder.wav'}: layer 0 (conv) of the marker 'net' is not finite" in str(result.exception)


def test_markers_are_imported_without_torch():
    # junifer commands that compute nothing start without the seconds that it takes
    code = "import sys, custom_markers.networks.wav2vec2; print({'torch', 'transformers'} & {*sys.modules})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


# ---------------------------------------------------------------------------------------------- the documented example


def _blocks(root: Path, language: str) -> list[str]:
    text = (root / "docs" / "your_network.md").read_text(encoding="utf-8")
    return re.findall(rf"```{language}\n(.*?)```", text, flags=re.DOTALL)


@pytest.fixture
def study(root, tmp_path) -> Path:
    """A folder with three sounds, and the documented marker and YAML at their places."""
    sounds = tmp_path / "datalad_dataset" / "phantom" / "sounds" / "wav"
    sounds.mkdir(parents=True)
    for number in (1, 2, 3):
        noise = 0.1 * np.random.default_rng(number).standard_normal(22050 * number)
        soundfile.write(sounds / f"stim{number}_noise.wav", noise, 44100)
    folder = tmp_path / "junifer_yamls"
    folder.mkdir()
    (folder / "my_marker.py").write_text(_blocks(root, "python")[0], encoding="utf-8")
    (folder / "mine.yml").write_text(_blocks(root, "yaml")[0], encoding="utf-8")
    return tmp_path


def _expected_toy(study: Path, seed: int) -> dict[str, np.ndarray]:
    """The documented network by hand: relu2 of every sound, averaged over time."""
    network_class = runpy.run_path(str(study / "junifer_yamls" / "my_marker.py"))["ToyNetwork"]
    torch.manual_seed(seed)
    network = network_class().eval()
    expected = {}
    for path in sorted(study.glob("datalad_dataset/phantom/sounds/wav/*.wav")):
        wave = torch.from_numpy(resample(*read_audio(path), 16000))
        with torch.no_grad():
            expected[path.stem] = network(wave[None])[0].mean(dim=1).numpy()
    return expected


def _stored(study: Path, marker: str):
    return read_features(marker, Features(storage=study / "features" / "mine" / "mine.hdf5", marker=marker))


def test_the_documented_example_runs_as_it_stands_there(study, tmp_path_factory):
    executable = Path(sys.executable).parent / "junifer"
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    command = [executable, "run", study / "junifer_yamls" / "mine.yml", "--verbose", "warning"]
    done = subprocess.run(command, cwd=elsewhere, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert junifer("collect", study / "junifer_yamls" / "mine.yml").exception is None
    toy = _stored(study, "toy")
    assert [layer.attrs["layer_name"] for layer in toy.values()] == ["bands", "conv1", "relu1", "conv2", "relu2"]
    deep = _stored(study, "toy_deep")
    assert [layer.attrs["layer_name"] for layer in deep.values()] == ["conv2", "relu2"]
    for seed, layers in ((0, toy), (1, deep)):
        expected = _expected_toy(study, seed)
        assert len(expected) == 3
        for stimulus, values in expected.items():
            assert np.abs(layers[4].sel(stimulus=stimulus).values - values).max() < 1e-6
    assert (toy[1].values < 0).any() and (toy[2].values >= 0).all()


@pytest.mark.parametrize("entries", [["custom_markers", "../my_marker.py"], ["../my_marker.py"], "{absolute}"])
def test_a_marker_file_may_lie_elsewhere(study, entries, root):
    moved = study / "my_marker.py"
    (study / "junifer_yamls" / "my_marker.py").rename(moved)
    content = yaml.safe_load(_blocks(root, "yaml")[0])
    content["with"] = str(moved) if entries == "{absolute}" else entries
    content["markers"] = content["markers"][1:]
    yaml_file = study / "junifer_yamls" / "mine.yml"
    yaml_file.write_text(yaml.safe_dump(content), encoding="utf-8")
    for command in ("run", "collect"):
        assert junifer(command, yaml_file).exception is None
    moved.rename(study / "junifer_yamls" / "my_marker.py")
    for stimulus, values in _expected_toy(study, 1).items():
        assert np.abs(_stored(study, "toy_deep")[4].sel(stimulus=stimulus).values - values).max() < 1e-6


def test_the_documented_comparison_and_table_are_right(root, tmp_path):
    (tmp_path / "mine.yml").write_text(_blocks(root, "yaml")[1], encoding="utf-8")
    config = read_config(tmp_path / "mine.yml")
    assert config.features["toy"].marker in [m["name"] for m in yaml.safe_load(_blocks(root, "yaml")[0])["markers"]]
    text = (root / "docs" / "your_network.md").read_text(encoding="utf-8")
    for parameter in ("layers", "pooling", "device", "batch_size"):
        assert f"| `{parameter}` |" in text
    assert len(_blocks(root, "python")[0].split("class Toy(TorchMarker)")[1].strip().splitlines()) <= 12
