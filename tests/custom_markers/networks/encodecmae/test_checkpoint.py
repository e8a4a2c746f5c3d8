"""Reading, checking, writing, drawing and permuting checkpoints."""

import dataclasses
import hashlib
import math
import pickle
import re
import zipfile
from collections import Counter
from pathlib import Path

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
from custom_markers.networks.encodecmae.network import NetworkConfig

GOLDENS = Path(__file__).resolve().parents[5] / "shared" / "goldens"
needs_goldens = pytest.mark.skipif(not GOLDENS.is_dir(), reason=f"the golden checkpoints are not at {GOLDENS}")

TINY = NetworkConfig(mel_bins=8, dim=12, heads=5, ff=20, encoder_layers=3, decoder_layers=2)
WQ = "visible_encoder.encoder_layers.0.att_layer.wq.weight"
SHARED_KEY = "visible_encoder.encoder_layers.0.ff_layer.0.weight"
COPY_KEY = "visible_encoder.encoder_layers.2.ff_layer.0.weight"

# Written in the manner of the published files: blocks, macros (one set after its use), comments, references, `+=`.
GIN = """
MAX_AUDIO_DURATION=4
NUM_ENCODER_HEADS=12
WEIGHTS=[0.2, # first, in a value of two lines
         0.1]
encodecmae.models.EncodecMAE:
    wav_encoder = @encodecmae.models.encoders.WavEncoder
encodecmae.models.encoders.WavEncoder:
    encoder = @torch.nn.Identity
    hop_length = 320
    fs = 24000  # Hz
    key_in = 'not # a comment'
encodecmae.tasks.data.DictDataset.out_cols+=['targets']
encodecmae.tasks.features.ReadAudioProcessor:
    max_length = %MAX_AUDIO_DURATION
encodecmae.tasks.features.MelspectrogramProcessor:
    sample_frequency=24000
    frame_shift=13.28
    frame_length=26.56
    htk_compat=True
    use_energy=False
    window_type='hanning'
    num_mel_bins=%NUM_MEL_BINS
    dither=0.0
    norm_stats=[-6.12, 4.82]

encodecmae.models.transformers.MultiHeadAttention.num_heads = 3
encoder/encodecmae.models.transformers.MultiHeadAttention:
    num_heads=%NUM_ENCODER_HEADS
decoder/encodecmae.models.transformers.MultiHeadAttention:
    num_heads=%NUM_DECODER_HEADS
NUM_DECODER_HEADS=%NUM_ENCODER_HEADS
NUM_MEL_BINS=8
NUM_ENCODER_HEADS=5
"""


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


def test_saved_network_is_read_back_bit_by_bit(tmp_path):
    network = untrained(TINY, 7)
    path = tmp_path / "mine.pt"
    save_checkpoint(network, path)
    back, info = load_checkpoint(path)
    assert info.config == back.config == TINY
    assert all(torch.equal(back.state_dict()[key], value) for key, value in network.state_dict().items())
    wave = torch.randn(6000, generator=torch.Generator().manual_seed(0))
    for a, b in zip(network.activations(wave), back.activations(wave), strict=True):
        assert torch.equal(a, b)
    assert info.path == path and info.size == path.stat().st_size
    assert info.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert info.n_parameters == sum(parameter.numel() for parameter in network.parameters())
    assert [entry.name for entry in tmp_path.iterdir()] == ["mine.pt"]  # no partial file is left


def test_saved_file_has_the_published_form(content):
    assert set(content) == {"imports", "config", "state_dict"}
    assert isinstance(content["imports"], str) and isinstance(content["config"], str)
    state = content["state_dict"]
    assert state[COPY_KEY].data_ptr() == state[SHARED_KEY].data_ptr()  # repeated, stored once
    assert not any(key.startswith("wav_encoder.encoder.") for key in state)


def test_other_chunk_lengths_survive_saving(tmp_path):
    config = dataclasses.replace(TINY, chunk_samples=70_001)
    save_checkpoint(untrained(config, 0), tmp_path / "mine.pt")
    assert load_checkpoint(tmp_path / "mine.pt")[1].config == config


def test_gin_text_is_read_as_gin_reads_it(tmp_path, content):
    """Last assignment wins, also of a macro used before; the scoped binding beats the unscoped one."""
    content["config"] = GIN
    torch.save(content, tmp_path / "gin.pt")
    assert load_checkpoint(tmp_path / "gin.pt")[1].config == TINY


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (r"(?m)^.*num_heads.*\n", "", "gin text: does not set encoder/MultiHeadAttention.num_heads"),
        (
            "NUM_ENCODER_HEADS=5",
            "NUM_ENCODER_HEADS=7",
            "wq.weight has 10 rows, which do not divide into the 7 heads",
        ),
        ("NUM_ENCODER_HEADS=5", "NUM_ENCODER_HEADS='5'", "'5' heads"),
        ("NUM_ENCODER_HEADS=5", "NUM_ENCODER_HEADS=1+4", r"'1\+4' is not a plain value"),
        ("NUM_ENCODER_HEADS=5", "NUM_ENCODER_HEADS=%NUM_DECODER_HEADS", "macro %NUM_.* refers to itself"),
        ("num_heads=%NUM_DECODER_HEADS", "num_heads=%ABSENT", "macro %ABSENT is not defined"),
        ("num_heads=%NUM_DECODER_HEADS", "num_heads=2", "is 5 in the encoder, 2 in the decoder"),
        ("NUM_MEL_BINS=8", "NUM_MEL_BINS=64", "num_mel_bins is 64; this version supports 8"),
        ("fs = 24000", "fs = 16000", "WavEncoder.fs is 16000; this version supports 24000"),
        ("hop_length = 320", "hop_length = 300", "WavEncoder.hop_length is 300"),
        ("frame_shift=13.28", "frame_shift=10", "MelspectrogramProcessor.frame_shift is 10"),
        (r".*max_length.*\n", "", "does not set ReadAudioProcessor.max_length"),
        ("AUDIO_DURATION=4", "AUDIO_DURATION=None", "max_length is None"),
        ("AUDIO_DURATION=4", "AUDIO_DURATION=0.05", "chunk_samples: 1200"),
    ],
)
def test_wrong_gin_text_is_refused(tmp_path, content, old, new, message):
    content["config"], replaced = re.subn(old, new, GIN)
    assert replaced
    refused(tmp_path, content, message)


def test_gin_text_is_never_executed(tmp_path, content):
    marker = tmp_path / "executed"
    command = f"__import__('pathlib').Path({str(marker)!r}).touch()"
    content["config"] = GIN.replace("NUM_ENCODER_HEADS=5", f"NUM_ENCODER_HEADS={command}")
    refused(tmp_path, content, "is not a plain value")
    assert not marker.exists()


def test_training_only_tensors_are_ignored(tmp_path, content):
    content["state_dict"]["target_encoder.model.vq.inited"] = torch.ones(1)
    content["state_dict"]["head.layer.weight"] = torch.ones(3, 12)
    torch.save(content, tmp_path / "trained.pt")
    network, _ = load_checkpoint(tmp_path / "trained.pt")
    assert not any(key.startswith(("head.", "target_encoder.")) for key in network.state_dict())


@pytest.mark.parametrize(
    ("prefix", "message"),
    [
        ("wav_encoder.post_net.weight", "the tensor wav_encoder.post_net.weight"),
        (WQ, f"the tensor {WQ}"),
        (COPY_KEY, f"the tensors {COPY_KEY}"),
        ("masker.positional_encoder.scale", "the tensors masker.positional_encoder.scale"),
        ("decoder.", "the tensor decoder.encoder_layers.0.ff_layer.0.weight"),
        ("visible_encoder.encoder_layers.1.", "the tensors visible_encoder.encoder_layers.1.* and 7 more"),
    ],
)
def test_missing_tensors_are_refused(tmp_path, content, prefix, message):
    content["state_dict"] = {k: v for k, v in content["state_dict"].items() if not k.startswith(prefix)}
    refused(tmp_path, content, f"lacks {message}")


def test_surplus_tensors_are_refused(tmp_path, content):
    content["state_dict"]["visible_encoder.pre_net.weight"] = torch.ones(2)
    refused(tmp_path, content, r"holds visible_encoder.pre_net.weight: unknown .*target_encoder\.\*, head\.\*")


@pytest.mark.parametrize(
    ("key", "tensor", "message"),
    [
        (WQ.replace("wq", "wk"), torch.zeros(12, 10), r"shape \[12, 10\], expected \[10, 12\]"),
        ("decoder.encoder_layers.0.ff_layer.0.weight", torch.zeros(24, 12), r"shape \[24, 12\], expected \[20, 12\]"),
        ("wav_encoder.post_net.weight", torch.zeros(12), r"shape \[12\], expected a matrix"),
        ("masker.positional_encoder.scale", torch.ones(1), r"shape \[1\], expected \[\]"),
        (WQ, torch.ones(10, 12, dtype=torch.int64), "type torch.int64, expected floating point"),
    ],
)
def test_wrong_shapes_and_types_are_refused(tmp_path, content, key, tensor, message):
    content["state_dict"][key] = tensor
    refused(tmp_path, content, f"{re.escape(key)} has {message}")


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_values_that_are_not_finite_are_refused(tmp_path, content, value):
    content["state_dict"][WQ][3, 4] = value
    refused(tmp_path, content, f"{re.escape(WQ)} holds values that are not finite")


def test_unequal_copies_of_the_feed_forward_are_refused(tmp_path, content):
    content["state_dict"][COPY_KEY] = content["state_dict"][COPY_KEY] + 1e-6
    refused(tmp_path, content, f"{re.escape(COPY_KEY)} differs from {re.escape(SHARED_KEY)}")


def test_other_contents_are_refused(tmp_path, content):
    for wrong in ([1, 2], {"model": torch.ones(2)}, content | {"state_dict": [1]}, content | {"config": {"heads": 5}}):
        refused(tmp_path, wrong, "not an EnCodecMAE checkpoint, which is a dictionary")
    content["state_dict"]["epoch"] = 3
    refused(tmp_path, content, "'epoch'.* is a int, not a tensor")


@pytest.mark.parametrize("kept", [0, 100, 0.5, "text"])
def test_files_that_are_no_archive_are_refused(tmp_path, kept):
    path = tmp_path / "x.pt"
    save_checkpoint(untrained(TINY, 0), path)
    valid = path.read_bytes()
    path.write_bytes(
        b"<html>404</html>\n" * 40 if kept == "text" else valid[: int(kept * len(valid)) if kept < 1 else kept]
    )
    with pytest.raises(CheckpointError, match=r"x\.pt: not a PyTorch checkpoint, or a truncated one"):
        load_checkpoint(path)


def test_another_archive_is_refused(tmp_path):
    path = tmp_path / "x.pt"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("notes/readme.txt", "nothing")
    with pytest.raises(CheckpointError, match=r"x\.pt: not a PyTorch checkpoint of tensors and text"):
        load_checkpoint(path)


def test_a_single_wrong_bit_is_noticed(tmp_path, content):
    path = tmp_path / "x.pt"
    torch.save(content, path)
    data = bytearray(path.read_bytes())
    data[data.index(content["state_dict"][WQ].numpy().tobytes()) + 2] ^= 1
    path.write_bytes(data)
    with pytest.raises(CheckpointError, match="does not match its checksum"):
        load_checkpoint(path)


class Touch:
    """Unpickling an instance without protection would create a file."""

    def __init__(self, path: Path):
        self.path = path

    def __reduce__(self):
        return (Path.touch, (self.path,))


def test_code_in_a_checkpoint_does_not_run(tmp_path, content):
    marker = tmp_path / "executed"
    content["imports"] = Touch(marker)
    refused(tmp_path, content, "not a PyTorch checkpoint of tensors and text")
    assert not marker.exists()
    pickle.loads(pickle.dumps(content["imports"]))  # the trap works where it is not guarded against
    assert marker.exists()


def test_missing_files_and_folders_are_refused(tmp_path):
    with pytest.raises(CheckpointError, match=r"none\.pt: cannot be read: No such file"):
        load_checkpoint(tmp_path / "none.pt")
    with pytest.raises(CheckpointError, match="cannot be read: Is a directory"):
        load_checkpoint(tmp_path)


def test_untrained_network_is_drawn_as_published():
    config = NetworkConfig(mel_bins=64, dim=96, heads=4, ff=256, encoder_layers=2, decoder_layers=1)
    for name, parameter in untrained(config, 0).named_parameters():
        if parameter.ndim == 2:
            bound = math.sqrt(6 / sum(parameter.shape))
            assert parameter.abs().max() <= bound
            assert parameter.std().item() == pytest.approx(bound / math.sqrt(3), rel=0.05), name
            assert abs(parameter.mean().item()) < 0.05 * bound, name
        else:
            assert torch.all(parameter == (0 if name.endswith("bias") else 1)), name


def test_drawing_and_permuting_leave_the_global_generator_alone():
    digests = set()
    for global_seed in (1, 2):
        torch.manual_seed(global_seed)
        before = torch.get_rng_state()
        digests.add(state_sha256(permute_parameters(untrained(TINY, 3), 4)))
        assert torch.equal(torch.get_rng_state(), before)
    assert len(digests) == 1


def test_permuting_keeps_values_and_shapes_of_every_tensor():
    original, permuted = untrained(TINY, 0), untrained(TINY, 0)
    assert permute_parameters(permuted, 5) is permuted
    shuffled = dict(permuted.named_parameters())
    for name, before in original.named_parameters():
        after = shuffled[name]
        assert after.shape == before.shape
        assert Counter(after.flatten().tolist()) == Counter(before.flatten().tolist())
        assert torch.equal(after, before) == (before.ndim < 2), name  # constant vectors cannot change
    state = permuted.state_dict()
    assert torch.equal(state[COPY_KEY], state[SHARED_KEY])


def test_identity_of_a_network(tmp_path):
    network = untrained(TINY, 0)
    identity = state_sha256(network)
    assert re.fullmatch("[0-9a-f]{64}", identity)
    save_checkpoint(network, tmp_path / "x.pt")
    assert state_sha256(load_checkpoint(tmp_path / "x.pt")[0]) == identity == state_sha256(untrained(TINY, 0))
    sizes = {"mel_bins": 8, "dim": 12, "ff": 20, "encoder_layers": 1, "decoder_layers": 1}
    others = [
        untrained(TINY, 1),
        permute_parameters(untrained(TINY, 0), 0),
        permute_parameters(untrained(TINY, 0), 1),
        untrained(NetworkConfig(heads=2, **sizes), 0),
        untrained(NetworkConfig(heads=3, **sizes), 0),  # the same shapes
    ]
    assert len({identity, *map(state_sha256, others)}) == 6


@needs_goldens
def test_published_mel_checkpoint():
    path = GOLDENS / "small-mel.pt"
    network, info = load_checkpoint(path)
    assert info.config == NetworkConfig(mel_bins=64, dim=48, heads=4, ff=96, encoder_layers=3, decoder_layers=2)
    assert info.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    state = torch.load(path, weights_only=True)["state_dict"]
    assert all(torch.equal(value, state[key]) for key, value in network.state_dict().items())
