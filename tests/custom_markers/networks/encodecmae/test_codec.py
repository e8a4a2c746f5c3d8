"""The EnCodec front end against float64 loops of its definition and the published encoder; its checkpoints."""

import dataclasses
import math
import re
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import torch

from custom_markers.networks.encodecmae.checkpoint import (
    CheckpointError,
    load_checkpoint,
    permute_parameters,
    save_checkpoint,
    state_sha256,
    untrained,
)
from custom_markers.networks.encodecmae.codec import CodecFrontEnd, pad_reflecting
from custom_markers.networks.encodecmae.marker import EncodecMAE as Marker
from custom_markers.networks.encodecmae.network import NetworkConfig

GOLDENS = Path(__file__).resolve().parents[5] / "shared" / "goldens"
needs_goldens = pytest.mark.skipif(not GOLDENS.is_dir(), reason=f"the golden checkpoints are not at {GOLDENS}")

STRIDES = (2, 4, 5, 8)
SIZES = {"codec_filters": 4, "codec_dim": 6, "dim": 12, "heads": 5, "ff": 20, "encoder_layers": 2, "decoder_layers": 1}
TINY = NetworkConfig(front_end="ec", **SIZES)
PREFIX = "wav_encoder.encoder.model.model"


@pytest.fixture(autouse=True, scope="module")
def one_thread():
    """Threads of one network that wait for each other make these tests ten times slower on a busy machine."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def random_codec(filters: int, features: int, strides=STRIDES, lstm_layers: int = 2) -> CodecFrontEnd:
    """A codec whose every parameter is drawn, g and biases included, so that each mistake shows."""
    codec = CodecFrontEnd(filters, features, strides, lstm_layers).requires_grad_(False)
    generator = torch.Generator().manual_seed(0)
    for name, parameter in codec.named_parameters():
        noise = torch.randn(parameter.shape, generator=generator)
        scale = 1 if parameter.ndim < 2 else np.prod(parameter.shape[1:]) ** -0.5
        parameter.copy_(1.5 + 0.3 * noise if name.endswith("weight_g") else scale * noise)
    return codec


def noise(samples: int, seed: int = 1) -> torch.Tensor:
    return torch.from_numpy(np.random.default_rng(seed).normal(0, 0.5, (1, samples)).astype(np.float32))


def run(codec: CodecFrontEnd, wave: torch.Tensor) -> torch.Tensor:
    with torch.no_grad():
        return codec(wave)


def run_in_float64(codec: CodecFrontEnd, wave: torch.Tensor) -> np.ndarray:
    """The layers without the front end's check of the type, which allows float32 only."""
    with torch.no_grad():
        return codec.double().model["model"](wave[:, None].double())[0].T.numpy()


def sigmoid(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-x))


def elu(x: np.ndarray) -> np.ndarray:
    return np.where(x > 0, x, np.expm1(np.minimum(x, 0)))


def encoder_by_loop(codec: CodecFrontEnd, wave: torch.Tensor, strides=STRIDES, lstm_layers: int = 2) -> np.ndarray:
    """The specification in float64, convolutions output by output and the LSTM step by step; [T, features]."""
    p = {name: value.numpy().astype(np.float64) for name, value in codec.state_dict().items()}

    def conv(x, name, stride=1):
        g, v, bias = (p[f"model.model.{name}.conv.conv.{kind}"] for kind in ("weight_g", "weight_v", "bias"))
        weight = np.stack([g[c, 0, 0] * v[c] / np.sqrt((v[c] ** 2).sum()) for c in range(len(v))])
        length, kernel = x.shape[1], v.shape[2]
        frames = math.ceil(length / stride)
        left, right = kernel - stride, frames * stride - length
        extended = max(length, left + 1, right + 1)  # a short input gets zeros to reflect, up to here

        def sample(i):
            i = -i if i < 0 else i
            i = 2 * (extended - 1) - i if i >= extended else i
            return x[:, i] if i < length else np.zeros(len(x))

        return np.stack(
            [
                bias + np.einsum("oik,ki->o", weight, [sample(t * stride - left + j) for j in range(kernel)])
                for t in range(frames)
            ],
            axis=1,
        )

    x = conv(wave[0].numpy()[None].astype(np.float64), "0")
    for index, stride in enumerate(strides):
        block = f"{1 + 3 * index}"
        inner = conv(elu(conv(elu(x), f"{block}.block.1")), f"{block}.block.3")
        x = conv(elu(conv(x, f"{block}.shortcut") + inner), f"{3 + 3 * index}", stride)
    position = 1 + 3 * len(strides)
    sequence = x.T  # [T, C]
    for layer in range(lstm_layers):
        name = f"model.model.{position}.lstm"
        w_ih, w_hh, b_ih, b_hh = (
            p[f"{name}.{kind}_l{layer}"] for kind in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
        )
        h = c = np.zeros(sequence.shape[1])
        outputs = []
        for step in sequence:
            i, f, g, o = np.split(w_ih @ step + b_ih + w_hh @ h + b_hh, 4)
            c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
            h = sigmoid(o) * np.tanh(c)
            outputs.append(h)
        sequence = np.stack(outputs)
    return conv(elu(x + sequence.T), f"{position + 2}").T


@pytest.mark.parametrize("samples", [1, 2, 3, 6, 7, 15, 16, 47, 320, 321, 641, 1500, 2049])
def test_equals_a_float64_loop(samples):
    """Also where a layer's input is shorter than its padding: at 2049 samples, 8 of the last convolution's 7 frames."""
    codec, wave = random_codec(4, 6), noise(samples)
    got, expected = run(codec, wave)[0].numpy(), encoder_by_loop(codec, wave)
    assert got.shape == expected.shape == (math.ceil(samples / 320), 6)
    assert np.abs(got - expected).max() < 1e-5 * np.abs(expected).max()
    assert np.abs(run_in_float64(codec, wave) - expected).max() < 1e-11 * np.abs(expected).max()


def test_other_sizes_equal_a_float64_loop():
    codec, wave = random_codec(2, 3, (4, 80), 3), noise(700)
    expected = encoder_by_loop(codec, wave, (4, 80), 3)
    assert np.abs(run_in_float64(codec, wave) - expected).max() < 1e-11 * np.abs(expected).max()


def test_full_size_equals_a_float64_loop():
    codec, wave = random_codec(32, 128), noise(1300)
    expected = encoder_by_loop(codec, wave)
    assert expected.shape == (5, 128)
    assert np.abs(run(codec, wave)[0].numpy() - expected).max() < 1e-5 * np.abs(expected).max()
    assert np.abs(run_in_float64(codec, wave) - expected).max() < 1e-11 * np.abs(expected).max()


@needs_goldens
def test_equals_the_published_encoder():
    goldens, waves = np.load(GOLDENS / "small-ec.npz"), np.load(GOLDENS / "wav24k.npz")
    names = [name for name in goldens.files if name.endswith("/encodec")]
    assert names
    codec = load_checkpoint(GOLDENS / "small-ec.pt")[0].wav_encoder["encoder"]
    for name in names:
        got = run(codec, torch.from_numpy(waves[name.split("/")[0]])[None])[0].numpy()
        assert got.shape == (151, 16)
        assert np.abs(got - goldens[name]).max() < 2e-5 * goldens[name].std()


def test_one_frame_every_320_samples_begun():
    codec = random_codec(2, 2)
    for samples in [*range(1, 60), *range(318, 324), *range(638, 643), 2048, 2049, 47_999, 48_000, 48_001]:
        assert run(codec, noise(samples)).shape == (1, math.ceil(samples / 320), 2)


def test_frames_do_not_depend_on_later_samples():
    codec, wave = random_codec(4, 6), noise(9000)
    whole, part = run(codec, wave), run(codec, wave[:, :6400])
    assert part.shape[1] == 20
    assert torch.allclose(whole[:, :20], part, atol=1e-4)
    assert whole.std() > 1


def test_reflection():
    x = torch.tensor([[1.0, 2, 3, 4]])
    assert pad_reflecting(x, 2, 1).tolist() == [[3, 2, 1, 2, 3, 4, 3]]
    assert pad_reflecting(x, 0, 0).tolist() == x.tolist()
    assert pad_reflecting(x, 6, 0).tolist() == [[0, 0, 0, 4, 3, 2, 1, 2, 3, 4]]  # 1 2 3 4 0 0 0, reflected at its start
    assert pad_reflecting(x[:, :1], 0, 2).tolist() == [[1, 0, 0]]


def test_waves_of_a_batch_are_independent():
    codec = random_codec(4, 6)
    waves = torch.cat([noise(1000, 1), noise(1000, 2)])
    assert torch.allclose(run(codec, waves), torch.cat([run(codec, wave[None]) for wave in waves]), atol=1e-4)


def test_length_of_v_does_not_matter_and_g_scales():
    codec, wave = random_codec(4, 6), noise(1000)
    before = run(codec, wave)
    last = codec.model["model"][-1].conv["conv"]
    last.weight_v *= 3
    assert torch.allclose(run(codec, wave), before, atol=1e-4)
    last.weight_g *= 2
    assert torch.allclose(run(codec, wave) - last.bias, 2 * (before - last.bias), atol=1e-4)


@pytest.mark.parametrize("wave", [torch.zeros(500), torch.zeros(1, 0), torch.zeros(1, 500, dtype=torch.float64)])
def test_wrong_waves_are_refused(wave):
    with pytest.raises(ValueError, match=re.escape(f"got {wave.dtype} of shape {list(wave.shape)}")):
        random_codec(2, 2)(wave)


def test_a_new_codec_is_zero_and_draws_no_random_numbers():
    state = torch.get_rng_state()
    codec = CodecFrontEnd(2, 3, STRIDES, 2)
    assert torch.equal(torch.get_rng_state(), state)
    assert torch.equal(run(codec, noise(1000)), torch.zeros(1, 4, 3))


def test_untrained_codec_is_drawn_by_its_own_rule():
    """U(-a, a), a = 1 / sqrt(fan-in), biases too; g is the norm of v, so that w = v at the start."""
    config = NetworkConfig(front_end="ec", codec_filters=16, dim=48, heads=4, ff=64, encoder_layers=1, decoder_layers=1)
    state = untrained(config, 0).state_dict()
    for key in state:
        if not key.startswith(PREFIX) or key.endswith("weight_g"):
            continue
        stem = key.rsplit(".", 1)[0]
        fan_in = 256 if "lstm" in key else math.prod(state[f"{stem}.weight_v"].shape[1:])
        bound = fan_in**-0.5
        assert state[key].abs().max() <= bound
        if state[key].numel() > 1000:
            assert state[key].std().item() == pytest.approx(bound / math.sqrt(3), rel=0.1), key
        if key.endswith("weight_v"):
            norm = state[key].double().pow(2).sum((1, 2), keepdim=True).sqrt()
            assert torch.allclose(state[f"{stem}.weight_g"].double(), norm, rtol=1e-6), key


def test_drawing_leaves_the_global_generator_alone_and_identifies_the_network():
    torch.manual_seed(1)
    before = torch.get_rng_state()
    first = untrained(TINY, 3)
    assert torch.equal(torch.get_rng_state(), before)
    others = [untrained(TINY, 4), permute_parameters(untrained(TINY, 3), 0)]
    others.append(untrained(dataclasses.replace(TINY, codec_strides=(4, 2, 5, 8)), 3))
    digests = [state_sha256(network) for network in (first, *others)]
    assert len(set(digests)) == 4 and digests[0] == state_sha256(untrained(TINY, 3))


def test_permuting_keeps_the_values_of_every_tensor():
    original, permuted = untrained(TINY, 0), permute_parameters(untrained(TINY, 0), 5)
    shuffled = dict(permuted.named_parameters())
    for name, before in original.named_parameters():
        assert Counter(shuffled[name].flatten().tolist()) == Counter(before.flatten().tolist())
        if name.startswith(PREFIX) and before.numel() > 7:
            assert not torch.equal(shuffled[name], before), name
    assert all(torch.isfinite(layer).all() for layer in permuted.activations(noise(5000)[0]))


@pytest.fixture
def content(tmp_path):
    """What a valid file holds."""
    save_checkpoint(untrained(TINY, 0), tmp_path / "valid.pt")
    return torch.load(tmp_path / "valid.pt", weights_only=True)


def refused(tmp_path: Path, content, message: str) -> None:
    """The content, written to a file, must raise an error that names the file and matches the message."""
    path = tmp_path / "wrong.pt"
    torch.save(content, path)
    with pytest.raises(CheckpointError, match=re.escape(str(path)) + ": .*" + message):
        load_checkpoint(path)


@pytest.mark.parametrize(
    "changes",
    [{}, {"codec_strides": (4, 80), "codec_lstm_layers": 1}, {"codec_filters": 2, "codec_dim": 9, "heads": 3}],
)
def test_saved_network_is_read_back_bit_by_bit(tmp_path, changes):
    config = dataclasses.replace(TINY, **changes)
    network = untrained(config, 7)
    save_checkpoint(network, tmp_path / "mine.pt")
    back, info = load_checkpoint(tmp_path / "mine.pt")
    assert info.config == back.config == config
    assert state_sha256(back) == state_sha256(network)
    wave = noise(6000)[0]
    for a, b in zip(network.activations(wave), back.activations(wave), strict=True):
        assert torch.equal(a, b)


@needs_goldens
def test_published_checkpoint():
    network, info = load_checkpoint(GOLDENS / "small-ec.pt")
    sizes = {"dim": 48, "heads": 4, "ff": 96, "encoder_layers": 3, "decoder_layers": 2}
    assert info.config == NetworkConfig(front_end="ec", codec_filters=4, codec_dim=16, **sizes)
    state = torch.load(GOLDENS / "small-ec.pt", weights_only=True)["state_dict"]
    assert all(torch.equal(value, state[key]) for key, value in network.state_dict().items())


@pytest.mark.parametrize(
    ("pattern", "message"),
    [
        (r"\.lstm\.weight_ih", r"lacks the tensors .*model\.model\.\*\.lstm\.weight_ih_l\*"),
        (r"\.lstm\.weight_hh_l1", r"lacks the tensors .*13\.lstm\.weight_hh_l1"),
        (r"model\.6\.conv\.conv\.weight_v", r"lacks the tensor .*model\.6\.conv\.conv\.weight_v"),
        (r"model\.4\.shortcut", r"lacks the tensors .*model\.4\.shortcut\.conv\.conv\.bias, .*weight_g"),
        (r"weight_g", r"lacks the tensors .* and 13 more"),
    ],
)
def test_missing_tensors_are_refused(tmp_path, content, pattern, message):
    content["state_dict"] = {k: v for k, v in content["state_dict"].items() if not re.search(pattern, k)}
    refused(tmp_path, content, message)


@pytest.mark.parametrize(
    ("name", "tensor", "message"),
    [
        ("0.conv.conv.weight_v", torch.ones(4, 7), r"shape \[4, 7\], expected \[outputs, inputs, kernel\]"),
        ("0.conv.conv.weight_v", torch.ones(4, 1, 5), r"shape \[4, 1, 5\], expected \[4, 1, 7\]"),
        ("3.conv.conv.weight_v", torch.ones(8, 4, 5), r"shape \[8, 4, 5\], expected \[8, 4, 4\]"),
        ("4.block.1.conv.conv.weight_g", torch.ones(8, 1, 1), r"shape \[8, 1, 1\], expected \[4, 1, 1\]"),
        ("13.lstm.bias_hh_l0", torch.ones(255), r"shape \[255\], expected \[256\]"),
        ("15.conv.conv.weight_v", torch.ones(7, 64, 7), r"bias has shape \[6\], expected \[7\]"),
        ("15.conv.conv.weight_v", torch.zeros(6, 64, 7), "holds a channel of zeros"),
        ("15.conv.conv.bias", torch.full((6,), math.nan), "holds values that are not finite"),
        ("16.conv.conv.bias", torch.ones(6), "unknown to the network"),
        ("6.conv.conv.weight_v", torch.ones(16, 8, 12), r"codec_strides: \(2, 6, 5, 8\) do not multiply to 320"),
    ],
)
def test_wrong_tensors_are_refused(tmp_path, content, name, tensor, message):
    content["state_dict"][f"{PREFIX}.{name}"] = tensor
    refused(tmp_path, content, message)


def test_gin_text_may_leave_the_codecs_values_unset_but_not_contradict_them(tmp_path, content):
    text = re.sub(r"(?m)^WavEncoder.*\n", "", content["config"])
    assert "WavEncoder" not in text and "WavEncoder" in content["config"]
    torch.save(content | {"config": text}, tmp_path / "unset.pt")
    assert load_checkpoint(tmp_path / "unset.pt")[1].config == TINY
    refused(tmp_path, content | {"config": text + "WavEncoder.fs = 16000\n"}, "WavEncoder.fs is 16000")
    refused(tmp_path, content | {"config": text + "WavEncoder.hop_length = 640\n"}, "WavEncoder.hop_length is 640")


def test_untrained_marker_takes_an_encodec_configuration():
    config = {"front_end": "ec", **SIZES, "codec_strides": [2, 4, 5, 8]}
    marker = Marker(name="codec", checkpoint="untrained", config=config, seed=2, pooling="none")
    layers = marker.layers_of(noise(6000)[0].numpy())
    expected = untrained(TINY, 2).activations(noise(6000)[0])
    assert [layer.shape for layer in layers] == [(19, 12)] * 2
    assert all(np.array_equal(a, b.numpy()) for a, b in zip(layers, expected, strict=True))
    with pytest.raises(ValueError, match="codec_filters: 3 is odd"):
        Marker(name="codec", checkpoint="untrained", config=config | {"codec_filters": 3})


def transformers_encoder(codec: CodecFrontEnd, filters: int, features: int, strides=STRIDES, lstm_layers: int = 2):
    """The encoder of the library transformers with a codec's weights."""
    pytest.importorskip("transformers", reason="the extra `networks` is not installed")
    from transformers import EncodecConfig
    from transformers.models.encodec.modeling_encodec import EncodecEncoder

    config = EncodecConfig(
        num_filters=filters, hidden_size=features, upsampling_ratios=list(strides[::-1]), num_lstm_layers=lstm_layers
    )
    encoder = EncodecEncoder(config).eval()
    renamed = {}
    for name, value in codec.state_dict().items():
        name = name.replace("model.model.", "layers.", 1).replace("conv.conv.", "conv.")
        for ours, theirs in (("weight_g", "original0"), ("weight_v", "original1")):
            name = name.replace(f".{ours}", f".parametrizations.weight.{theirs}")
        renamed[name] = value
    encoder.load_state_dict(renamed)
    return encoder


@pytest.mark.parametrize("samples", [1, 7, 47, 320, 641, 1500, 2049])
def test_equals_transformers_encodec_with_the_same_weights(samples):
    codec, wave = random_codec(4, 6), noise(samples)
    with torch.no_grad():
        expected = transformers_encoder(codec, 4, 6).double()(wave[:, None].double())[0].T.numpy()
    got = run_in_float64(codec, wave)
    assert got.shape == expected.shape
    assert np.abs(got - expected).max() < 1e-12 * np.abs(expected).max()


def test_the_full_size_equals_transformers_encodec():
    codec, wave = random_codec(32, 128), noise(3000)
    with torch.no_grad():
        expected = transformers_encoder(codec, 32, 128)(wave[:, None])[0].T.numpy()
    assert np.abs(run(codec, wave)[0].numpy() - expected).max() < 1e-5 * np.abs(expected).max()
