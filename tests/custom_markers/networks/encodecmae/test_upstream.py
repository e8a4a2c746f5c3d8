"""The upstream backend: the adapter on a stand-in with upstream's interface, and on the real package where it is.

The stand-in has the class names, signatures, attributes and dictionary keys of the package; what its modules compute is
taken from our network, so that the adapter is tested here and the two networks are compared in the last tests only.
"""

import sys
import types
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from custom_markers.networks.encodecmae import gin
from custom_markers.networks.encodecmae import upstream as module
from custom_markers.networks.encodecmae.checkpoint import CheckpointError, load_checkpoint, save_checkpoint, untrained
from custom_markers.networks.encodecmae.codec import CodecFrontEnd
from custom_markers.networks.encodecmae.mel import normalised_mel
from custom_markers.networks.encodecmae.network import EncodecMAE, NetworkConfig, PositionalEncoding, TransformerStack
from custom_markers.networks.encodecmae.upstream import CLASSES, UpstreamError, load_upstream, upstream_version
from custom_markers.weights.registry import WeightsError

GOLDENS = Path(__file__).resolve().parents[5] / "shared" / "goldens"
CHUNK = 6000
SMALL = {"dim": 12, "heads": 5, "ff": 20, "encoder_layers": 3, "decoder_layers": 2, "chunk_samples": CHUNK}
CONFIGS = {
    "mel": NetworkConfig(mel_bins=8, **SMALL),
    "ec": NetworkConfig(front_end="ec", codec_filters=4, codec_dim=16, **SMALL),
}
RULES = [
    (branch, last_layer, decoder) for branch in (0, 1) for last_layer in ("summed", "branch") for decoder in (0, 1)
]

TEXT = """
DIM = 12
HEADS = 5
encodecmae.models.EncodecMAE:
    wav_encoder = @encodecmae.models.encoders.WavEncoder
    masker = @encodecmae.models.masks.PatchoutMask
    visible_encoder = @encoder/encodecmae.models.transformers.TransformerEncoder
    decoder = @decoder/encodecmae.models.transformers.TransformerEncoder
    target_encoder = @encodecmae.models.targets.EncodecQuantizer
    head = @encodecmae.models.heads.FrameLevelClassificationHead
    optimizer = @torch.optim.AdamW
encodecmae.models.encoders.WavEncoder.post_net = @wav_encoder_proj/torch.nn.Linear
wav_encoder_proj/torch.nn.Linear.out_features = %DIM
encodecmae.models.masks.PatchoutMask:
    masker = @encodecmae.models.masks.TimeGapMask
    positional_encoder = @encodecmae.models.transformers.SinusoidalPositionalEmbeddings
encodecmae.models.masks.TimeGapMask.gap_size = 15
encodecmae.models.masks.TimeGapMask.p_mask = 0.5
encodecmae.models.transformers.SinusoidalPositionalEmbeddings.embedding_dim = %DIM
encodecmae.models.transformers.TransformerEncoder.ff_dim = 20
encoder/encodecmae.models.transformers.TransformerEncoder:
    model_dim = %DIM
    num_layers = 3
    attention_layer = @encoder/encodecmae.models.transformers.MultiHeadAttention
    key_in = 'visible_tokens'
    key_padding_mask = 'visible_padding_mask'
    key_transformer_out = 'visible_embeddings'
    key_out = 'decoder_in'
    post_net = @decoder_proj/torch.nn.Linear
decoder_proj/torch.nn.Linear.in_features = %DIM
decoder_proj/torch.nn.Linear.out_features = %DIM
decoder/encodecmae.models.transformers.TransformerEncoder:
    model_dim = %DIM
    num_layers = 2
    attention_layer = @decoder/encodecmae.models.transformers.MultiHeadAttention
    key_in = 'decoder_in'
    key_padding_mask = 'feature_padding_mask'
    key_out = 'decoder_out'
    positional_encoder = @encodecmae.models.transformers.SinusoidalPositionalEmbeddings
    compile = False
encoder/encodecmae.models.transformers.MultiHeadAttention.model_dim = %DIM
encoder/encodecmae.models.transformers.MultiHeadAttention.num_heads = %HEADS
decoder/encodecmae.models.transformers.MultiHeadAttention.model_dim = %DIM
decoder/encodecmae.models.transformers.MultiHeadAttention.num_heads = %HEADS
encodecmae.tasks.features.ReadAudioProcessor:
    key_in = 'filename'
    key_out = 'wav'
    max_length = 0.25
"""
FRONT_END_TEXT = {
    "mel": """
encodecmae.tasks.features.SequentialProcessor:
    processors = [@encodecmae.tasks.features.ReadAudioProcessor,
                  @encodecmae.tasks.features.MelspectrogramProcessor]
encodecmae.tasks.features.MelspectrogramProcessor:
    key_in = 'wav'
    key_out = 'wav_features'
    sample_frequency = 24000
    frame_length = 26.56
    frame_shift = 13.28
    htk_compat = True
    use_energy = False
    window_type = 'hanning'
    num_mel_bins = 8
    dither = 0.0
    norm_stats = [-6.12, 4.82]
encodecmae.models.encoders.WavEncoder:
    encoder = @torch.nn.Identity
    key_in = 'wav_features'
    fs = 24000
    hop_length = 320
wav_encoder_proj/torch.nn.Linear.in_features = 8
""",
    "ec": """
encodecmae.tasks.features.SequentialProcessor.processors = [@encodecmae.tasks.features.ReadAudioProcessor]
encodecmae.models.encoders.WavEncoder.encoder = @encodecmae.models.encoders.EncodecEncoder
wav_encoder_proj/torch.nn.Linear.in_features = 16
""",
}


# ---------------------------------------------------------------------- the stand-in


class WavEncoder(nn.Module):
    def __init__(
        self, encoder, pre_net=None, post_net=None, key_in="wav", key_out="wav_features", key_lens="wav_lens",
        make_padding_mask=True, hop_length=None, fs=None,
    ):  # fmt: skip
        super().__init__()
        self.encoder, self.post_net = encoder(), post_net()
        self.key_in, self.key_out = key_in, key_out
        self.hop_length = hop_length or self.encoder.hop_length
        self.fs = fs or self.encoder.fs

    def forward(self, x):
        x[self.key_out] = self.post_net(self.encoder(x[self.key_in]))
        x["features_len"] = x["wav_lens"] // self.hop_length
        x["feature_padding_mask"] = torch.arange(x[self.key_out].shape[1])[None] >= x["features_len"][:, None]


class EncodecEncoder(CodecFrontEnd):
    def __init__(self, frozen=True, scale=1.0, pretrained=True):
        assert not pretrained, "this would download EnCodec"
        super().__init__(4, 16, (2, 4, 5, 8), 2)
        self.hop_length, self.fs = 320, 24_000


class TimeGapMask(nn.Module):
    def __init__(self, p_mask, gap_size):
        super().__init__()


class PatchoutMask(nn.Module):
    def __init__(self, masker, positional_encoder):
        super().__init__()
        self.positional_encoder, self.masker = positional_encoder(), masker()

    def mask(self, x, ignore_mask=False):
        assert ignore_mask and not self.training
        x["visible_tokens"] = self.positional_encoder(x["wav_features"])
        x["visible_padding_mask"] = x["feature_padding_mask"]

    def unmask(self, x, key_in="decoder_in", key_out="decoder_in"):
        x[key_out] = x[key_in] * ~x["visible_padding_mask"][:, :, None]


class SinusoidalPositionalEmbeddings(PositionalEncoding):
    def __init__(self, embedding_dim, learn_scale=True, scale=1.0):
        super().__init__()
        assert embedding_dim == 12


class MultiHeadAttention(nn.Module):
    def __init__(self, model_dim, num_heads, qk_proj_dim=None, v_proj_dim=None, q_bias=False, att_drop=0):
        super().__init__()
        self.num_heads = num_heads


class TransformerEncoder(TransformerStack):
    def __init__(
        self, model_dim, num_layers, attention_layer, ff_layer=None, ff_dim=4096, norm_layer=nn.LayerNorm,
        norm_type="ResiDual", cross_attention_layer=None, drop_path=0, init_values=None, positional_encoder=None,
        compile=True, return_activations=False, key_in=None, key_padding_mask=None, key_out=None,
        key_transformer_in=None, key_transformer_out=None, pre_net=None, post_net=None,
    ):  # fmt: skip
        super().__init__(NetworkConfig(dim=model_dim, heads=attention_layer().num_heads, ff=ff_dim), num_layers)
        self.positional_encoder = positional_encoder and positional_encoder(model_dim)
        self.post_net = post_net and post_net()
        self.compile, self.key_in, self.key_padding_mask = compile, key_in, key_padding_mask
        self.key_out, self.key_transformer_out = key_out, key_transformer_out

    def forward(
        self, xin, padding_mask=None, return_activations=False, postnorm_last_activation=True, residual_branch=0
    ):
        assert not self.compile and not self.training
        x = xin[self.key_in]
        x = self.positional_encoder(x) if self.positional_encoder else x
        activations, out = super().forward(x, ~xin[self.key_padding_mask][:, None, None], residual_branch)
        if postnorm_last_activation:
            activations[-1] = out
        xin[self.key_transformer_out + "_activations"] = activations
        xin[self.key_out] = self.post_net(out) if self.post_net else out
        return xin


class StandIn(nn.Module):
    def __init__(
        self, wav_encoder, target_encoder, visible_encoder, decoder, masker, head, loss=None, optimizer=None,
        lr_scheduler=None,
    ):  # fmt: skip
        super().__init__()
        assert loss is None and optimizer is None
        self.wav_encoder, self.target_encoder, self.masker = wav_encoder(), target_encoder(), masker()
        self.visible_encoder, self.head, self.decoder = visible_encoder(), head(), decoder()
        for parameter in self.parameters():
            nn.init.uniform_(parameter)

    def apply_processors(self, xin, from_idx=1):
        assert isinstance(xin["wav"], np.ndarray) and xin["wav"].dtype == np.float32
        items = [{key: value[i] for key, value in xin.items()} for i in range(len(xin["wav"]))]
        for processor in self.processor._processors[1:]:
            items = [processor(item) for item in items]
        device = self.noted_device
        return {key: torch.stack([torch.as_tensor(i[key]) for i in items]).float().to(device) for key in items[0]}

    def to(self, device):
        """Lightning's modules know their device from this call, not from their parameters."""
        self.noted_device = device
        return super().to(device)

    def extract_activations(
        self, x, detach=True, postnorm_last_activation=True, extract_decoder=False, residual_branch=0
    ):
        rules = {"postnorm_last_activation": postnorm_last_activation, "residual_branch": residual_branch}
        with torch.no_grad():
            self.wav_encoder(x)
            self.masker.mask(x, ignore_mask=True)
            self.visible_encoder(x, return_activations=True, padding_mask=x["visible_padding_mask"], **rules)
            if extract_decoder:
                self.masker.unmask(x)
                self.decoder(x, return_activations=True, **rules)
        return x


class SequentialProcessor:
    def __init__(self, processors):
        self._processors = [processor() for processor in processors]


class ReadAudioProcessor:
    def __init__(self, key_in, key_out, max_length=None, mono=True):
        self.max_length = max_length

    def __call__(self, x):
        raise AssertionError("the adapter reads no files")


class MelspectrogramProcessor:
    def __init__(
        self, key_in="wav", key_out="wav_features", frame_length=25, frame_shift=10, high_freq=0, htk_compat=False,
        low_freq=20, num_mel_bins=23, sample_frequency=16000, window_type="povey", dither=0.0, use_energy=False,
        norm_stats=[0, 1],  # noqa: B006
    ):  # fmt: skip
        assert (frame_length, frame_shift, norm_stats) == (26.56, 13.28, [-6.12, 4.82])
        assert (sample_frequency, htk_compat, window_type) == (24000, True, "hanning")
        self.key_in, self.key_out, self.num_mel_bins = key_in, key_out, num_mel_bins

    def __call__(self, x):
        x[self.key_out] = normalised_mel(torch.from_numpy(x[self.key_in])[None], self.num_mel_bins)[0]
        return x


@pytest.fixture
def stand_in(monkeypatch):
    """Put the stand-in where `import encodecmae...` finds it."""
    for name in ("encodecmae", "encodecmae.tasks"):
        monkeypatch.setitem(sys.modules, name, types.ModuleType(name))
    for name, members in CLASSES.items():
        if name.startswith("encodecmae"):
            package = types.ModuleType(name)
            for member in members:
                setattr(package, member, StandIn if member == "EncodecMAE" else globals()[member])
            monkeypatch.setitem(sys.modules, name, package)


# ---------------------------------------------------------------------- tests


def network_of(front_end: str) -> EncodecMAE:
    """A network in which every parameter matters."""
    network = untrained(CONFIGS[front_end], 0)
    generator = torch.Generator().manual_seed(1)
    for parameter in network.parameters():
        parameter.add_(0.2 * torch.randn(parameter.shape, generator=generator))
    return network


def write(path: Path, front_end: str = "mel", text: str = "") -> Path:
    """A checkpoint with the wiring of the published files."""
    config = TEXT + FRONT_END_TEXT[front_end] + text
    torch.save({"imports": "", "config": config, "state_dict": network_of(front_end).state_dict()}, path)
    return path


def noise(shape: int | tuple[int, int]) -> torch.Tensor:
    return 0.1 * torch.randn(shape, generator=torch.Generator().manual_seed(2))


def difference(got: list[torch.Tensor], expected: list[torch.Tensor]) -> float:
    assert [layer.shape for layer in got] == [layer.shape for layer in expected]
    assert all(layer.dtype == torch.float32 for layer in got)
    return max(float((a - b).abs().max() / b.std()) for a, b in zip(got, expected, strict=True))


@pytest.mark.parametrize("front_end", ["mel", "ec"])
@pytest.mark.parametrize(("branch", "last_layer", "decoder"), RULES)
def test_the_adapter_gives_what_ours_gives(stand_in, tmp_path, front_end, branch, last_layer, decoder):
    path = write(tmp_path / "net.pt", front_end)
    rules = {"branch": branch, "last_layer": last_layer, "decoder": bool(decoder)}
    theirs, (ours, _) = load_upstream(path), load_checkpoint(path)
    assert theirs.config == ours.config == CONFIGS[front_end]
    got, expected = theirs.activations(noise(5000), **rules), ours.activations(noise(5000), **rules)
    assert len(got) == 3 + 2 * decoder
    assert difference(got, expected) < 1e-5


@pytest.mark.parametrize("front_end", ["mel", "ec"])
@pytest.mark.parametrize("samples", [2049, CHUNK, CHUNK + 2048, CHUNK + 5999, 3 * CHUNK + 2049])
def test_every_chunk_has_its_own_valid_length(stand_in, tmp_path, front_end, samples):
    """A last chunk is masked by its own length (ec: one frame in 5999 samples), not by that of the sound."""
    path = write(tmp_path / "net.pt", front_end)
    (ours, _), wave = load_checkpoint(path), noise(samples)
    assert difference(load_upstream(path).activations(wave, decoder=True), ours.activations(wave, decoder=True)) < 1e-5


@pytest.mark.parametrize("front_end", ["mel", "ec"])
def test_a_batch_is_its_sounds(stand_in, tmp_path, front_end):
    network = load_upstream(write(tmp_path / "net.pt", front_end))
    waves = noise(3 * (CHUNK + 5999)).view(3, -1)
    batch = network.activations(waves, branch=1, decoder=True)
    assert [layer.shape[0] for layer in batch] == [3] * 5
    for i, wave in enumerate(waves):
        assert difference([layer[i] for layer in batch], network.activations(wave, branch=1, decoder=True)) < 1e-5


def test_the_module_is_ready_for_extraction(stand_in, tmp_path):
    state = torch.get_rng_state()
    network = load_upstream(write(tmp_path / "net.pt"), "cpu")
    assert torch.equal(torch.get_rng_state(), state)
    model = network.model
    assert model.noted_device == "cpu"
    assert not any(part.training for part in model.modules())
    assert not any(parameter.requires_grad for parameter in model.parameters())
    assert not model.visible_encoder.compile and not model.decoder.compile
    assert isinstance(model.head, nn.Identity) and isinstance(model.target_encoder, nn.Identity)


def test_scoped_bindings_win_and_reach_upstream(stand_in, tmp_path):
    """The decoder's width follows `decoder/`, then no longer fits the tensors."""
    path = write(tmp_path / "net.pt", text="decoder/encodecmae.models.transformers.TransformerEncoder.ff_dim = 24\n")
    with pytest.raises(UpstreamError, match=r"net\.pt: does not fit.*decoder.encoder_layers.*\[12, 24\]"):
        load_upstream(path)


class Inner:
    def __init__(self, size=0, more=0):
        self.size, self.more = size, more


class Outer:
    def __init__(self, inner, inners=()):
        self.inner, self.inners = inner(), [make() for make in inners]


def test_references_are_built_as_gin_builds_them():
    """What gin-config 0.5 gives for this text: a reference without a scope stays in the scope around it."""
    text = """
    SIZE = 4
    Outer.inner = @Inner
    b/Outer.inner = @c/Inner
    Outer.inners = [@Inner, @c/Inner]
    Inner.size = 1
    a/Inner.size = 2
    c/Inner.size = %SIZE
    """
    found = gin.bindings("\n".join(line.strip() for line in text.splitlines()))

    def sizes(reference):
        outer = module._factory(found, {"Outer": Outer, "Inner": Inner}, reference, "")()
        return [outer.inner.size, *(inner.size for inner in outer.inners)]

    assert sizes("@Outer") == [1, 1, 4]
    assert sizes("@a/some.module.Outer") == [2, 2, 4]
    assert sizes("@b/Outer") == [4, 1, 4]
    inner = module._factory(found, {"Inner": Inner}, "@a/Inner", "")(7)
    assert (inner.size, inner.more) == (7, 0)  # the caller's argument, not the binding


def test_an_argument_that_upstream_does_not_know_is_told(stand_in, tmp_path):
    path = write(tmp_path / "net.pt", text="encodecmae.models.masks.TimeGapMask.seed = 1\n")
    with pytest.raises(UpstreamError, match=r"unexpected keyword argument 'seed'.*commit 2dd6759"):
        load_upstream(path)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("encodecmae.models.EncodecMAE.masker = @os.system\n", "@os.system is none of what extraction needs"),
        ("encodecmae.models.EncodecMAE.masker = @PatchoutMask()\n", r"@PatchoutMask\(\) is none of"),
        ("encodecmae.models.masks.TimeGapMask.p_mask = %NOT_SET\n", "the macro %NOT_SET is not defined"),
        ("encodecmae.models.masks.TimeGapMask.p_mask = open('x')\n", "is not a plain value"),
    ],
)
def test_nothing_else_in_the_text_is_called(stand_in, tmp_path, text, message):
    with pytest.raises(UpstreamError, match=rf"net\.pt: upstream's network cannot be built: gin text: .*{message}"):
        load_upstream(write(tmp_path / "net.pt", text=text))


def test_files_of_our_own_are_refused(stand_in, tmp_path):
    save_checkpoint(network_of("mel"), tmp_path / "own.pt")
    with pytest.raises(UpstreamError, match=r"own\.pt.*does not set EncodecMAE.wav_encoder.*take the published ones"):
        load_upstream(tmp_path / "own.pt")


def test_files_that_ours_refuses_are_refused(stand_in, tmp_path):
    with pytest.raises(CheckpointError, match="hop_length is 256"):
        load_upstream(write(tmp_path / "net.pt", text="encodecmae.models.encoders.WavEncoder.hop_length = 256\n"))
    with pytest.raises(WeightsError, match="there is no file"):
        load_upstream(tmp_path / "none.pt")
    with pytest.raises(WeightsError, match=r"'tiny\.en' is neither .* encodecmae, but one of the network whisper"):
        load_upstream("tiny.en")


@pytest.mark.parametrize(
    ("wave", "rules", "message"),
    [
        (torch.zeros(2048), {}, "2048 samples is too short: at least 2049"),
        (torch.zeros(1, 1, 5000), {}, r"shape \[1, 1, 5000\]"),
        (torch.zeros(3, 2048), {}, "2048 samples is too short"),
        (torch.zeros(5000, dtype=torch.int16), {}, "torch.int16"),
        (torch.full((5000,), float("nan")), {}, "5000 values not finite"),
        (torch.zeros(5000), {"branch": 2}, "branch: 2"),
        (torch.zeros(5000), {"last_layer": "mean"}, "last_layer: 'mean'.*summed, branch"),
    ],
)
def test_wrong_waves_and_choices_are_refused(stand_in, tmp_path, wave, rules, message):
    with pytest.raises(ValueError, match=message):
        load_upstream(write(tmp_path / "net.pt")).activations(wave, **rules)


def test_without_the_package_the_error_says_how_to_get_it(monkeypatch, tmp_path):
    for name in CLASSES:
        if name.startswith("encodecmae"):
            monkeypatch.delitem(sys.modules, name, raising=False)
    monkeypatch.setitem(sys.modules, "encodecmae", None)
    with pytest.raises(UpstreamError, match=r"encodecmae\.models cannot be used .*docs/upstream_encodecmae\.md"):
        load_upstream(tmp_path / "any.pt")


def test_an_older_package_is_told_apart(stand_in, monkeypatch, tmp_path):
    monkeypatch.delattr(sys.modules["encodecmae.tasks.features"], "MelspectrogramProcessor")
    with pytest.raises(UpstreamError, match=r"encodecmae\.tasks\.features cannot be used \(AttributeError"):
        load_upstream(tmp_path / "any.pt")


def test_a_package_that_pip_did_not_install_has_no_version(monkeypatch):
    def not_installed(name):
        raise module.PackageNotFoundError(name)

    monkeypatch.setattr(module, "version", not_installed)
    assert upstream_version() == "unknown"


def _real_package():
    pytest.importorskip("encodecmae", reason="the upstream package encodecmae is not installed here")


@pytest.mark.parametrize(("branch", "last_layer", "decoder"), RULES)
def test_the_real_package_agrees_with_ours(tmp_path, branch, last_layer, decoder):
    _real_package()
    path = write(tmp_path / "net.pt")
    theirs, (ours, _) = load_upstream(path), load_checkpoint(path)
    rules = {"branch": branch, "last_layer": last_layer, "decoder": bool(decoder)}
    for samples in (2049, 5999, 2 * CHUNK + 5999, (2, CHUNK + 5999)):
        got, expected = theirs.activations(noise(samples), **rules), ours.activations(noise(samples), **rules)
        assert difference(got, expected) < 3e-5


@pytest.mark.skipif(not GOLDENS.is_dir(), reason=f"the golden activations are not at {GOLDENS}")
@pytest.mark.parametrize(("branch", "last_layer"), [(0, "summed"), (1, "branch")])
def test_the_real_package_gives_the_goldens(branch, last_layer):
    _real_package()
    network, waves = load_upstream(GOLDENS / "small-mel.pt"), np.load(GOLDENS / "wav24k.npz")
    goldens = np.load(GOLDENS / "small-mel.npz")
    for stimulus in waves.files:
        expected = torch.from_numpy(goldens[f"{stimulus}/rb{branch}_post{int(last_layer == 'summed')}"])
        wave = torch.from_numpy(waves[stimulus])
        got = network.activations(wave, branch=branch, last_layer=last_layer, decoder=True)
        assert difference(got, list(expected)) < 3e-5


def test_the_real_package_refuses_a_codec_of_another_size(tmp_path):
    _real_package()
    with pytest.raises(UpstreamError, match="Its EnCodec exists in the published size only"):
        load_upstream(write(tmp_path / "net.pt", "ec"))
