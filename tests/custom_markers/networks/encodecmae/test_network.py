"""The network against a float64 loop of its definition and the published extractor's activations."""

import json
import re
import zlib
from pathlib import Path

import numpy as np
import pytest
import torch

from custom_markers.networks.encodecmae import network as network_module
from custom_markers.networks.encodecmae.checkpoint import load_checkpoint, untrained
from custom_markers.networks.encodecmae.mel import normalised_mel
from custom_markers.networks.encodecmae.network import EncodecMAE, NetworkConfig

SHARED = Path(__file__).resolve().parents[5] / "shared"
GOLDENS = SHARED / "goldens"
needs_goldens = pytest.mark.skipif(not GOLDENS.is_dir(), reason=f"the golden activations are not at {GOLDENS}")
REFERENCE = SHARED / "reference"
TOLERANCE = {"mel": 3e-5, "ec": 5e-4}  # of a layer's standard deviation over frames and features

STIMULI = [
    "stim102_crumpling_paper",
    "stim108_telephone_dialing",
    "stim183_guitar",
    "stim232_man_speaking",
    "stim97_crickets",
]
RULES = [(branch, last_layer) for branch in (0, 1) for last_layer in ("branch", "summed")]
# 5 heads of 12 // 5 = 2 dimensions: as in the large network, the projection (10) is narrower than the model
TINY = NetworkConfig(mel_bins=8, dim=12, heads=5, ff=20, encoder_layers=3, decoder_layers=2)
TINY_CODEC = NetworkConfig(
    front_end="ec", codec_filters=2, codec_dim=6, dim=12, heads=5, ff=20, encoder_layers=3, decoder_layers=2
)


@pytest.fixture(autouse=True, scope="module")
def one_thread():
    """Threads of one network that wait for each other make these tests ten times slower on a busy machine."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def golden_name(branch: int, last_layer: str) -> str:
    return f"rb{branch}_post{int(last_layer == 'summed')}"


def worst(got: list[torch.Tensor], expected: np.ndarray) -> float:
    """Largest difference over the layers, each in units of the expected layer's standard deviation."""
    assert [tuple(layer.shape) for layer in got] == [layer.shape for layer in expected]
    return max(np.abs(g.numpy() - e).max() / np.std(e, dtype=np.float64) for g, e in zip(got, expected, strict=True))


def random_tiny(config: NetworkConfig = TINY) -> EncodecMAE:
    """A network whose every parameter is drawn, norms, biases and scales included, so that each mistake shows."""
    network = EncodecMAE(config)
    generator = torch.Generator().manual_seed(0)
    for name, parameter in network.named_parameters():
        noise = torch.randn(parameter.shape, generator=generator)
        is_norm = "norm" in name and name.endswith("weight")
        is_gain = name.endswith(("scale", "weight_g"))
        parameter.copy_(1 + 0.2 * noise if is_norm or is_gain else 0.5 * noise)
    return network


def noise_wave(samples: int, seed: int = 1) -> torch.Tensor:
    return torch.from_numpy(np.random.default_rng(seed).normal(0, 0.1, samples).astype(np.float32))


def forward_by_loop(network: EncodecMAE, wave: torch.Tensor) -> dict[tuple[int, str], np.ndarray]:
    """The specification of one chunk in float64, attention query by query and head by head: all of RULES."""
    p = {name: value.numpy().astype(np.float64) for name, value in network.state_dict().items()}
    config = network.config
    heads, d = config.heads, config.dim // config.heads
    frames = normalised_mel(wave[None], config.mel_bins)[0].numpy().astype(np.float64)
    n_frames = len(frames)
    visible = [t for t in range(n_frames) if t < len(wave) // 320]

    def norm(x, name):
        x = (x - x.mean(-1, keepdims=True)) / np.sqrt(x.var(-1, keepdims=True) + 1e-5)
        return x * p[f"{name}.weight"] + p[f"{name}.bias"]

    def attention(x, name):
        q, k, v = (x @ p[f"{name}.{w}.weight"].T for w in ("wq", "wk", "wv"))
        merged = np.zeros((n_frames, heads * d))
        for h in range(heads):
            rows = [i * heads + h for i in range(d)]  # dimension i of head h
            for t in range(n_frames):
                logits = np.array([q[t, rows] @ k[s, rows] * d**-0.5 for s in visible])
                weights = np.exp(logits - logits.max())
                weights /= weights.sum()
                merged[t, rows] = weights @ v[visible][:, rows]
        return merged @ p[f"{name}.wo.weight"].T

    def stack(x, name, n_layers):
        x0 = x1 = x
        layers = []
        for index in range(n_layers):
            layer = f"{name}.encoder_layers.{index}"
            a = attention(x0, f"{layer}.att_layer")
            x0, x1 = norm(x0 + a, f"{layer}.norm1"), x1 + a
            hidden = np.maximum(0, x0 @ p[f"{layer}.ff_layer.0.weight"].T + p[f"{layer}.ff_layer.0.bias"])
            f = hidden @ p[f"{layer}.ff_layer.2.weight"].T + p[f"{layer}.ff_layer.2.bias"]
            x0, x1 = norm(x0 + f, f"{layer}.norm2"), x1 + f
            layers.append((x0, x1))
        return layers, x0 + norm(x1, f"{name}.final_norm")

    position = np.zeros((n_frames, config.dim))
    for t in range(n_frames):
        for i in range(0, config.dim, 2):
            angle = t * 10000 ** (-i / config.dim)
            position[t, i], position[t, i + 1] = np.sin(angle), np.cos(angle)

    x = frames @ p["wav_encoder.post_net.weight"].T + p["wav_encoder.post_net.bias"]
    x = x + p["masker.positional_encoder.scale"] * position
    encoded, out = stack(x, "visible_encoder", config.encoder_layers)
    x = out @ p["visible_encoder.post_net.weight"].T + p["visible_encoder.post_net.bias"]
    x[len(visible) :] = 0
    x = x + p["decoder.positional_encoder.scale"] * position
    decoded, decoder_out = stack(x, "decoder", config.decoder_layers)
    results = {}
    for branch in (0, 1):
        plain = [[layer[branch] for layer in layers] for layers in (encoded, decoded)]
        results[branch, "branch"] = np.stack(plain[0] + plain[1])
        results[branch, "summed"] = np.stack([*plain[0][:-1], out, *plain[1][:-1], decoder_out])
    return results


def test_equals_a_float64_loop_with_a_masked_last_frame():
    network, wave = random_tiny(), noise_wave(51_199)
    for (branch, last_layer), expected in forward_by_loop(network, wave).items():
        assert expected.shape == (5, 51_199 // 320 + 1, 12)  # the last frame is no key, but is output
        got = network.activations(wave, branch=branch, last_layer=last_layer, decoder=True)
        assert worst(got, expected) < 1e-5
        assert all(layer.dtype == torch.float32 and not layer.requires_grad for layer in got)


def test_masked_frame_is_no_key():
    """Only the last frame may depend on the last samples, which the mel window of no other frame reaches."""
    network, wave = random_tiny(), noise_wave(51_199)
    other = wave.clone()
    last_window = 159 * 318 + 637 - 318  # samples from here on are in the window of frame 159 only
    other[last_window:] = 0.5
    before, after = network.activations(wave)[-1], network.activations(other)[-1]
    assert torch.equal(before[:159], after[:159])
    assert not torch.allclose(before[159], after[159])


def test_last_codec_frame_is_no_key():
    """The last of 48001 samples reaches frame 150 only; of 48320, where 150 is a key, all frames."""
    sizes = {"dim": 12, "heads": 5, "ff": 20, "encoder_layers": 2, "decoder_layers": 2}
    network = random_tiny(NetworkConfig(front_end="ec", codec_filters=4, codec_dim=6, **sizes))
    for samples, spreads in [(48_001, False), (48_320, True)]:
        wave = noise_wave(samples)
        other = wave.clone()
        other[48_000] = 5.0
        before, after = network.activations(wave)[0], network.activations(other)[0]
        assert before.shape == (151, 12)  # frame 150 is output
        assert not torch.allclose(before[150], after[150])
        assert torch.equal(before[:150], after[:150]) != spreads


def test_heads_of_the_large_network_equal_a_loop():
    """1024 dimensions and 12 heads of 85: head h has rows h, h + 12, h + 24, ... of the projections."""
    attention = EncodecMAE(NetworkConfig(dim=1024, encoder_layers=1, decoder_layers=1)).visible_encoder
    attention = attention.encoder_layers[0].att_layer
    generator = torch.Generator().manual_seed(0)
    for parameter in attention.parameters():
        parameter.normal_(std=1 / 32, generator=generator)
    x = torch.randn(1, 7, 1024, generator=generator)
    keys = torch.tensor([[True] * 6 + [False]])
    wq, wk, wv, wo = (getattr(attention, name).weight.double() for name in ("wq", "wk", "wv", "wo"))
    assert wq.shape == (1020, 1024) and wo.shape == (1024, 1020)
    expected = torch.zeros(7, 1024, dtype=torch.float64)
    for head in range(12):
        q, k, v = (x[0].double() @ w[head::12].T for w in (wq, wk, wv))  # [7, 85]
        for t in range(7):
            weights = torch.stack([q[t] @ k[s] / 85**0.5 for s in range(6)]).softmax(0)
            expected[t] += wo[:, head::12] @ (weights @ v[:6])
    with torch.no_grad():
        got = attention(x, keys)[0]
    assert (got - expected).abs().max() < 1e-5 * expected.std()


def test_encoder_layers_come_first_and_decoder_is_optional():
    network, wave = random_tiny(), noise_wave(5000)
    encoder = network.activations(wave)
    both = network.activations(wave, decoder=True)
    assert len(encoder) == 3 and len(both) == 5
    assert all(torch.equal(a, b) for a, b in zip(encoder, both[:3], strict=True))


def test_last_layer_rule_changes_the_last_entry_of_each_stack_only():
    network, wave = random_tiny(), noise_wave(5000)
    summed = network.activations(wave, last_layer="summed", decoder=True)
    plain = network.activations(wave, last_layer="branch", decoder=True)
    assert [torch.equal(a, b) for a, b in zip(summed, plain, strict=True)] == [True, True, False, True, False]


def test_chunks_are_independent_and_short_tails_dropped():
    config = NetworkConfig(mel_bins=8, dim=12, heads=5, ff=20, encoder_layers=2, decoder_layers=1, chunk_samples=6000)
    network = untrained(config, 0)
    wave = noise_wave(6000 + 6000 + 2049)
    parts = [network.activations(part)[1] for part in wave.split(6000)]
    assert torch.equal(network.activations(wave)[1], torch.cat(parts))
    for tail in (1, 2048):
        assert torch.equal(network.activations(wave[: 6000 + tail])[1], parts[0])


@pytest.mark.parametrize("config", [TINY, TINY_CODEC], ids=["mel", "ec"])
def test_a_batch_gives_what_single_waves_give(config):
    network = random_tiny(config)
    waves = torch.stack([noise_wave(100_000, seed) for seed in (1, 2, 3)])  # two chunks each
    together = network.activations(waves, decoder=True)
    for row, wave in enumerate(waves):
        for alone, batch in zip(network.activations(wave, decoder=True), together, strict=True):
            assert (batch[row] - alone).abs().max() / alone.std() < 1e-5


@pytest.mark.parametrize(
    ("wave", "message"),
    [
        (torch.zeros(2048), "2048 samples is too short: at least 2049 samples"),
        (torch.zeros(0), "0 samples is too short"),
        (torch.zeros(1, 1, 5000), r"shape \[1, 1, 5000\]"),
        (torch.zeros(2, 100), "100 samples is too short"),
        (torch.zeros(5000, dtype=torch.int16), "torch.int16"),
        (torch.full((5000,), float("nan")), "5000 of 5000 samples are not finite"),
    ],
)
def test_wrong_waves_are_refused(wave, message):
    with pytest.raises(ValueError, match=message):
        random_tiny().activations(wave)


@pytest.mark.parametrize(
    ("choice", "message"),
    [({"branch": 2}, "branch: 2"), ({"last_layer": "mean"}, "last_layer: 'mean'.*summed, branch")],
)
def test_unknown_choices_are_refused(choice, message):
    with pytest.raises(ValueError, match=message):
        random_tiny().activations(noise_wave(5000), **choice)


@pytest.mark.parametrize(
    ("sizes", "message"),
    [
        ({"front_end": "stft"}, "front_end: 'stft' is not one of mel, ec"),
        ({"codec_dim": 64}, "codec_dim: 64 has no meaning for the front end 'mel'"),
        ({"front_end": "ec", "mel_bins": 64}, "mel_bins: 64 has no meaning for the front end 'ec'"),
        ({"front_end": "ec", "codec_strides": 320}, "codec_strides: 320 is not a list of integers"),
        ({"front_end": "ec", "codec_strides": [2, 4.0, 40]}, r"codec_strides: 4.0 is not a positive integer"),
        ({"front_end": "ec", "codec_strides": [2, 4, 5]}, r"codec_strides: \(2, 4, 5\) do not multiply to 320"),
        ({"front_end": "ec", "codec_filters": 5}, "codec_filters: 5 is odd"),
        ({"dim": 0}, "dim: 0 is not a positive integer"),
        ({"heads": 2.0}, "heads: 2.0 is not a positive integer"),
        ({"ff": "4096"}, "ff: '4096' is not a positive integer"),
        ({"encoder_layers": True}, "encoder_layers: True"),
        ({"dim": 15}, "dim: 15 is odd"),
        ({"dim": 10, "heads": 12}, "heads: 12 exceeds dim, 10"),
        ({"sample_rate": 16000}, "sample_rate: 16000"),
        ({"chunk_samples": 2048}, "chunk_samples: 2048"),
    ],
)
def test_wrong_sizes_are_refused(sizes, message):
    with pytest.raises(ValueError, match=message):
        NetworkConfig(**sizes)


def test_head_dimension_is_rounded_down():
    assert NetworkConfig().head_dim == 64
    large = NetworkConfig(dim=1024, encoder_layers=1, decoder_layers=1)
    assert large.head_dim == 85
    assert EncodecMAE(large).state_dict()["visible_encoder.encoder_layers.0.att_layer.wq.weight"].shape == (
        1020,
        1024,
    )


def test_a_stack_has_one_feed_forward():
    network = EncodecMAE(TINY)
    for stack in (network.visible_encoder, network.decoder):
        assert len({id(layer.ff_layer) for layer in stack.encoder_layers}) == 1
        assert len({id(layer.att_layer) for layer in stack.encoder_layers}) == len(stack.encoder_layers)
    assert network.visible_encoder.encoder_layers[0].ff_layer is not network.decoder.encoder_layers[0].ff_layer
    assert len([name for name, _ in network.named_parameters() if "ff_layer" in name]) == 2 * 4
    assert len([name for name in network.state_dict() if "ff_layer" in name]) == 5 * 4


def test_parameter_count_of_the_base_encoder():
    """visible_encoder alone: 10 x 4 x 768^2 + (2 x 768 x 4096 + 4096 + 768) + 20 x 2 x 768 + 2 x 768 + 768^2 + 768."""
    encoder = EncodecMAE(NetworkConfig()).visible_encoder
    assert sum(parameter.numel() for parameter in encoder.parameters()) == 30_512_128


@pytest.mark.skipif(not REFERENCE.is_dir(), reason=f"the published key lists are not at {REFERENCE}")
@pytest.mark.parametrize(("name", "front_end"), [("mel256-ec-base", "mel"), ("ec-ec-base", "ec")])
def test_parameter_names_and_shapes_are_the_published_ones(name, front_end):
    lines = (REFERENCE / f"state_dict_keys_{name}.txt").read_text().splitlines()
    rows = [line.split("\t") for line in lines if not line.startswith("#")]
    published = {row[1]: tuple(int(n) for n in re.findall(r"\d+", row[2])) for row in rows if row[0] != "no"}
    network = EncodecMAE(NetworkConfig(front_end=front_end))
    assert {key: tuple(value.shape) for key, value in network.state_dict().items()} == published


def test_both_linear_formulations_agree(monkeypatch):
    """The oneDNN operator is an optimisation: without it the result is the same to float32 rounding."""
    network, wave = random_tiny(), noise_wave(20_000)
    fast = network.activations(wave, decoder=True)
    monkeypatch.setattr(network_module, "_has_onednn_linear", lambda: False)
    plain = network.activations(wave, decoder=True)
    assert worst(fast, np.stack([layer.numpy() for layer in plain])) < 1e-5


def test_a_new_network_draws_no_random_numbers():
    state = torch.get_rng_state()
    network = EncodecMAE(TINY)
    assert torch.equal(torch.get_rng_state(), state)
    assert float(network.wav_encoder["post_net"].weight.abs().sum()) == 0
    assert not network.training


@needs_goldens
@pytest.mark.parametrize("front_end", ["mel", "ec"])
@pytest.mark.parametrize("stimulus", STIMULI)
@pytest.mark.parametrize(("branch", "last_layer"), RULES)
def test_small_network_equals_the_published_extractor(front_end, stimulus, branch, last_layer):
    network, _ = load_checkpoint(GOLDENS / f"small-{front_end}.pt")
    wave = torch.from_numpy(np.load(GOLDENS / "wav24k.npz")[stimulus])
    expected = np.load(GOLDENS / f"small-{front_end}.npz")[f"{stimulus}/{golden_name(branch, last_layer)}"]
    assert expected.shape == (3 + 2, {"mel": 149, "ec": 151}[front_end], 48)
    got = network.activations(wave, branch=branch, last_layer=last_layer, decoder=True)
    assert worst(got, expected) < TOLERANCE[front_end]


@needs_goldens
@pytest.mark.parametrize("samples", [151_200, 95_999, 97_000, 98_048, 60_000, 2049])
def test_edge_lengths_equal_the_published_extractor(samples):
    network, _ = load_checkpoint(GOLDENS / "small-mel.pt")
    waves = np.load(GOLDENS / "wav24k.npz")
    wave = torch.from_numpy(np.concatenate([waves[stimulus] for stimulus in STIMULI])[:samples])
    expected = np.load(GOLDENS / "small-mel_edge.npz")[f"len{samples}/rb0_post1"]
    assert worst(network.activations(wave, decoder=True), expected) < TOLERANCE["mel"]


CODEC_KEY = "wav_encoder.encoder.model.model"


def recipe_network(front_end: str) -> EncodecMAE:
    """The golden base network of a front end."""
    network = EncodecMAE(NetworkConfig(front_end=front_end))
    network.load_state_dict({key: recipe_tensor(key, tuple(v.shape)) for key, v in network.state_dict().items()})
    return network


def recipe_tensor(key: str, shape: tuple[int, ...], seed: int = 20240) -> torch.Tensor:
    """The golden base networks' parameter ``key``: normal numbers seeded by the key's crc32, scaled by its kind."""
    key = re.sub(r"encoder_layers\.\d+\.ff_layer", "encoder_layers.0.ff_layer", key)
    generator = np.random.RandomState((zlib.crc32(key.encode()) + seed) % 2**32)
    z = generator.standard_normal(shape)
    parent, kind = key.split(".")[-2:]
    if kind == "scale":
        value = np.full(shape, {"masker": 0.7, "decoder": 1.3}[key.split(".")[0]])
    elif kind.startswith("bias"):
        value = 0.2 * z
    elif kind == "weight_g":
        value = (10.0 if key.startswith(f"{CODEC_KEY}.0.") else 1.5) * (1 + 0.2 * z)
    elif "norm" in parent:
        value = 1 + 0.2 * z
    else:
        value = (1.5 if parent in ("wq", "wk") else 1.0) * z / np.sqrt(np.prod(shape[1:]))
    return torch.from_numpy(np.asarray(value, dtype=np.float32))


@needs_goldens
def test_base_network_equals_the_published_extractor():
    network = recipe_network("mel")
    shapes = json.loads((GOLDENS / "base-mel_shapes.json").read_text())
    assert all(list(value.shape) == shapes[key] for key, value in network.state_dict().items())
    waves, goldens = np.load(GOLDENS / "wav24k.npz"), np.load(GOLDENS / "base-mel.npz")
    for stimulus in STIMULI:
        for branch, last_layer in RULES:
            wave = torch.from_numpy(waves[stimulus])
            got = network.activations(wave, branch=branch, last_layer=last_layer, decoder=True)
            means = goldens[f"{stimulus}/{golden_name(branch, last_layer)}"]
            for layer, mean in zip(got, means, strict=True):
                assert np.abs(layer.mean(0).numpy() - mean).max() / layer.std().item() < TOLERANCE["mel"]
            frames = f"{stimulus}/{golden_name(branch, last_layer)}_frames0_74_148"
            if frames in goldens.files:
                assert worst([layer[[0, 74, 148]] for layer in got], goldens[frames]) < TOLERANCE["mel"]


def test_full_size_encodec_network_gives_the_specified_frames():
    """ceil(samples / 320) per chunk: 151 of a stimulus; 300 and 7 of a chunk and the shortest tail that is kept."""
    network = recipe_network("ec")
    for samples, frames in [(48_001, 151), (96_000 + 2049, 300 + 7)]:
        layers = network.activations(noise_wave(samples), decoder=True)
        assert [tuple(layer.shape) for layer in layers] == [(frames, 768)] * 12
        assert all(torch.isfinite(layer).all() and layer.std() > 0.5 for layer in layers)
