"""Checkpoints of EnCodecMAE: read and write the published file format, draw untrained and permuted networks.

A checkpoint is ``torch.save({"imports": str, "config": str, "state_dict": OrderedDict})``. ``config`` is gin
text: it is read (`gin`) for the few values that tensor shapes cannot tell, never executed. The feed-forward module
of a stack is one module of the network; the state dict repeats its tensors under every layer.
"""

import hashlib
import math
import os
import re
import zipfile
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import torch
from torch import Tensor, nn

from . import codec, gin, mel
from .network import MASK_HOP, EncodecMAE, NetworkConfig

TRAINING_ONLY = ("target_encoder.", "head.")  # key prefixes that feature extraction does not need
STACKS = ("visible_encoder", "decoder")

# What the gin text must say for a front end to be the right one: key, value. Published `ec` texts leave them unset.
BINDINGS = {"WavEncoder.fs": mel.SAMPLE_RATE, "WavEncoder.hop_length": MASK_HOP}
MEL_BINDINGS = BINDINGS | {
    "MelspectrogramProcessor.sample_frequency": mel.SAMPLE_RATE,
    "MelspectrogramProcessor.frame_shift": mel.FRAME_SHIFT_MS,
    "MelspectrogramProcessor.frame_length": mel.FRAME_LENGTH_MS,
    "MelspectrogramProcessor.htk_compat": True,
    "MelspectrogramProcessor.use_energy": False,
    "MelspectrogramProcessor.window_type": "hanning",
    "MelspectrogramProcessor.dither": 0.0,
    "MelspectrogramProcessor.norm_stats": [mel.NORM_MEAN, mel.NORM_STD],
}
MEL_BINS_KEY = "MelspectrogramProcessor.num_mel_bins"
SECONDS_KEY = "ReadAudioProcessor.max_length"
HEADS_KEY = "MultiHeadAttention.num_heads"


class CheckpointError(ValueError):
    """A file that is not a usable checkpoint; the message names the file and the key."""


@dataclass(frozen=True)
class CheckpointInfo:
    """Where a network came from: file, sha256, size in bytes, configuration, number of parameters."""

    path: Path
    sha256: str
    size: int
    config: NetworkConfig
    n_parameters: int  # of encoder and decoder, the shared feed-forward counted once


def load_checkpoint(path: str | Path) -> tuple[EncodecMAE, CheckpointInfo]:
    """Read a checkpoint in the published format, checking every tensor.

    Front end, layers and dimensions come from the tensors' names and shapes; heads and chunk length from the gin
    text, which must also agree with the front ends that `mel` and `codec` implement.

    Parameters
    ----------
    path : str or Path
        The ``.pt`` file. It is read with ``weights_only=True``: no code in it can run.

    Returns
    -------
    network : EncodecMAE
        On the CPU, float32, in evaluation mode.
    info : CheckpointInfo
        Its sha256 is of the bytes that were loaded.

    Raises
    ------
    CheckpointError
        If the file is damaged or no such checkpoint, describes another front end, lacks tensors or has unknown
        ones, or if a tensor has a wrong shape, is not finite, or differs from one that it should equal.
    """
    path = Path(path).absolute()
    try:
        with path.open("rb") as file:
            sha256 = hashlib.file_digest(file, "sha256").hexdigest()
            size = file.tell()
            state, bindings = _read(path, file)
    except OSError as error:
        raise CheckpointError(f"{path}: cannot be read: {error.strerror or error}") from error
    config = _config(path, state, bindings)
    network = EncodecMAE(config)
    expected = network.state_dict()
    _check_tensors(path, state, expected)
    network.load_state_dict({key: state[key] for key in expected})
    n_parameters = sum(parameter.numel() for parameter in network.parameters())
    return network, CheckpointInfo(path, sha256, size, config, n_parameters)


def save_checkpoint(network: EncodecMAE, path: str | Path) -> None:
    """Write a network in the published file format, so that `load_checkpoint` reads it back bit by bit.

    The file holds encoder and decoder, nothing of the training; it replaces an existing one in one step.
    """
    config = network.config
    lines = [
        *(f"{key} = {value!r}" for key, value in _bindings_of(config.front_end, config.mel_bins).items()),
        f"{SECONDS_KEY} = {config.chunk_samples / config.sample_rate!r}",
        *(f"{scope}/{HEADS_KEY} = {config.heads}" for scope in ("encoder", "decoder")),
    ]
    content = {
        "imports": "",
        "config": "\n".join(lines) + "\n",
        "state_dict": OrderedDict(network.state_dict()),
    }
    path = Path(path)
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        torch.save(content, partial)
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def untrained(config: NetworkConfig, seed: int) -> EncodecMAE:
    """Draw a network as before training: W ~ U(-a, a), a = sqrt(6 / (fan_in + fan_out)), as published.

    This is Xavier-uniform (Glorot and Bengio 2010); biases are 0, norm weights and positional scales 1. An EnCodec
    front end, which the published training takes over trained, is drawn by the codec's own rule (see `codec`). The
    numbers come from a generator of their own: PyTorch's global random state is neither used nor changed, and
    the same config and seed give the same network.
    """
    network = EncodecMAE(config)
    generator = torch.Generator().manual_seed(seed)
    for module in network.modules():  # yields the shared feed-forward of a stack once
        if isinstance(module, nn.Linear):
            bound = math.sqrt(6 / (module.in_features + module.out_features))
            module.weight.uniform_(-bound, bound, generator=generator)
        elif isinstance(module, codec.WeightNormed | codec.LSTM):
            module.draw(generator)
    return network


def permute_parameters(network: EncodecMAE, seed: int) -> EncodecMAE:
    """Shuffle the values inside every parameter tensor, in place: the published permuted-network control.

    Each tensor keeps its shape and its set of values; a shared one is shuffled once. Tensors come in the
    order of ``parameters()``, the numbers from a generator of their own. Returns the same network.
    """
    generator = torch.Generator().manual_seed(seed)
    for parameter in network.parameters():
        order = torch.randperm(parameter.numel(), generator=generator).to(parameter.device)
        parameter.copy_(parameter.flatten()[order].view_as(parameter))
    return network


def state_sha256(network: EncodecMAE) -> str:
    """Identify a network that has no file: sha256 over heads, then name, shape, bytes of sorted parameters.

    Heads are included because no tensor shows them; a shared tensor enters once. The device does not matter.
    """
    digest = hashlib.sha256(f"heads {network.config.heads}\n".encode())
    for name, parameter in sorted(network.named_parameters()):
        digest.update(f"{name} {list(parameter.shape)}\n".encode())
        digest.update(parameter.detach().cpu().contiguous().numpy().astype("<f4").tobytes())
    return digest.hexdigest()


def _read(path: Path, file: BinaryIO) -> tuple[Mapping[str, Tensor], dict[str, str]]:
    """Unpack an open checkpoint into its tensors and its gin bindings."""
    if not zipfile.is_zipfile(file):
        raise CheckpointError(f"{path}: not a PyTorch checkpoint, or a truncated one: it is no zip archive")
    try:
        damaged = zipfile.ZipFile(file).testzip()  # torch.load does not look at the checksums
        file.seek(0)
        content = None if damaged else torch.load(file, map_location="cpu", weights_only=True)
    except Exception as error:  # torch.load documents no exception type: unexpected bytes raise many
        raise CheckpointError(
            f"{path}: not a PyTorch checkpoint of tensors and text, or a damaged one ({type(error).__name__})"
        ) from error
    if damaged:
        raise CheckpointError(f"{path}: damaged: {damaged} in it does not match its checksum; get it again")
    entries: Mapping[str, Any] = content if isinstance(content, Mapping) else {}
    if not (isinstance(entries.get("config"), str) and isinstance(entries.get("state_dict"), Mapping)):
        raise CheckpointError(
            f"{path}: not an EnCodecMAE checkpoint, which is a dictionary of `imports`, `config` (gin text) "
            f"and `state_dict` (tensors by name)"
        )
    state = entries["state_dict"]
    for key, value in state.items():
        if not isinstance(value, Tensor):
            raise CheckpointError(f"{path}: state_dict[{key!r}] is a {type(value).__name__}, not a tensor")
    return state, gin.bindings(entries["config"])


def _bindings_of(front_end: str, mel_bins: int) -> dict[str, Any]:
    """Return the bindings that the gin text of a front end is to agree with."""
    return MEL_BINDINGS | {MEL_BINS_KEY: mel_bins} if front_end == "mel" else BINDINGS


def _config(path: Path, state: Mapping[str, Tensor], bindings: Mapping[str, str]) -> NetworkConfig:
    """Find front end and sizes of a network in its tensors and its gin bindings."""
    front_end = "ec" if any(key.startswith("wav_encoder.encoder.") for key in state) else "mel"
    layers = [f"{stack}.encoder_layers" for stack in STACKS]
    dim, n_features = _shape(path, state, "wav_encoder.post_net.weight")
    ff, _ = _shape(path, state, f"{layers[0]}.0.ff_layer.0.weight")
    projection, _ = _shape(path, state, f"{layers[0]}.0.att_layer.wq.weight")
    _shape(path, state, f"{layers[1]}.0.ff_layer.0.weight")

    for key, expected in _bindings_of(front_end, n_features).items():
        if front_end == "ec" and key not in bindings:
            continue
        value = _gin_value(path, bindings, key)
        if value != expected:
            raise CheckpointError(f"{path}: gin text: {key} is {value!r}; this version supports {expected!r}")
    heads, decoder_heads = (_gin_value(path, bindings, HEADS_KEY, scope) for scope in ("encoder", "decoder"))
    if heads != decoder_heads:
        raise CheckpointError(
            f"{path}: gin text: {HEADS_KEY} is {heads!r} in the encoder, {decoder_heads!r} in the decoder; "
            f"this version supports equal numbers"
        )
    if type(heads) is not int or heads < 1 or heads * (dim // heads) != projection:
        raise CheckpointError(
            f"{path}: {layers[0]}.0.att_layer.wq.weight has {projection} rows, which do not divide into the "
            f"{heads!r} heads of the gin text with {dim} // heads rows each"
        )
    seconds = _gin_value(path, bindings, SECONDS_KEY)
    if type(seconds) not in (int, float) or not 0 < seconds < 3600:
        raise CheckpointError(f"{path}: gin text: {SECONDS_KEY} is {seconds!r}, not a usable number of seconds")
    try:
        return NetworkConfig(
            front_end=front_end,
            **(codec.sizes_of(state) if front_end == "ec" else {"mel_bins": n_features}),
            dim=dim,
            heads=heads,
            ff=ff,
            encoder_layers=_n_layers(state, layers[0]),
            decoder_layers=_n_layers(state, layers[1]),
            chunk_samples=round(seconds * mel.SAMPLE_RATE),
        )
    except ValueError as error:
        raise CheckpointError(f"{path}: {error}") from error


def _gin_value(path: Path, bindings: Mapping[str, str], key: str, scope: str = "") -> Any:
    """Evaluate a binding, naming the file where that fails."""
    try:
        return gin.value(bindings, key, scope)
    except gin.GinError as error:
        raise CheckpointError(f"{path}: gin text: {error}") from error


def _n_layers(state: Mapping[str, Tensor], prefix: str) -> int:
    """Count layers as 1 + the highest index in the keys; a gap then shows as missing tensors."""
    return 1 + max(int(match[1]) for key in state if (match := re.match(rf"{prefix}\.(\d+)\.", key)))


def _shape(path: Path, state: Mapping[str, Tensor], key: str) -> tuple[int, int]:
    """Return the shape of a matrix that a configuration cannot do without."""
    if key not in state:
        raise CheckpointError(f"{path}: lacks the tensor {key}; is it an EnCodecMAE checkpoint?")
    if state[key].ndim != 2:
        raise CheckpointError(f"{path}: {key} has shape {list(state[key].shape)}, expected a matrix")
    rows, columns = state[key].shape
    return rows, columns


def _check_tensors(path: Path, state: Mapping[str, Tensor], expected: Mapping[str, Tensor]) -> None:
    """Check for missing and surplus tensors, wrong shapes and types, values not finite, unequal copies."""
    missing = [key for key in expected if key not in state]
    if missing:
        raise CheckpointError(f"{path}: lacks the tensors {_names(missing)}")
    surplus = [key for key in state if key not in expected and not key.startswith(TRAINING_ONLY)]
    if surplus:
        raise CheckpointError(
            f"{path}: holds {_names(surplus)}: unknown to the network and not of its training "
            f"({', '.join(f'{prefix}*' for prefix in TRAINING_ONLY)})"
        )
    for key, own in expected.items():
        tensor = state[key]
        if tensor.shape != own.shape:
            raise CheckpointError(f"{path}: {key} has shape {list(tensor.shape)}, expected {list(own.shape)}")
        if not tensor.is_floating_point():
            raise CheckpointError(f"{path}: {key} has type {tensor.dtype}, expected floating point")
        if not torch.isfinite(tensor).all():
            raise CheckpointError(f"{path}: {key} holds values that are not finite")
        if key.endswith(".weight_v") and not tensor.flatten(1).any(dim=1).all():
            raise CheckpointError(f"{path}: {key} holds a channel of zeros, which no norm can be divided by")
        first = re.sub(r"encoder_layers\.\d+\.ff_layer", "encoder_layers.0.ff_layer", key)
        if first != key and not torch.equal(tensor, state[first]):
            raise CheckpointError(
                f"{path}: {key} differs from {first}; all layers of a stack share one feed-forward module"
            )


def _names(keys: list[str]) -> str:
    """Spell the first five of some tensor names, and how many more there are."""
    return ", ".join(keys[:5]) + f" and {len(keys) - 5} more" * (len(keys) > 5)
