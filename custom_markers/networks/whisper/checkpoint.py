"""Checkpoints of Whisper in OpenAI's format, and untrained encoders.

A checkpoint is ``torch.save({"dims": {sizes by name}, "model_state_dict": {tensors by name}})``, in half precision.
The tensors ``encoder.*`` are used and must be exactly those of the encoder; the decoder's are not looked at.
"""

import math
import zipfile
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from .network import WhisperDims, WhisperEncoder

PREFIX = "encoder."


class CheckpointError(ValueError):
    """A file that is not a usable checkpoint; the message names the file and the key."""


def load_encoder(path: str | Path) -> WhisperEncoder:
    """Read the encoder of a checkpoint, checking every tensor.

    Parameters
    ----------
    path : str or Path
        The ``.pt`` file. It is read with ``weights_only=True``: no code in it can run.

    Returns
    -------
    WhisperEncoder
        On the CPU, float32 whatever the file holds, in evaluation mode.

    Raises
    ------
    CheckpointError
        If the file is damaged or no such checkpoint, if a size is missing or unusable, if the encoder's tensors are
        not the expected ones, or if one has a wrong shape or type or is not finite.
    """
    path = Path(path).absolute()
    content = _read(path)
    sizes, state = content["dims"], content["model_state_dict"]
    names = [field.name for field in fields(WhisperDims)]
    missing = [name for name in names if name not in sizes]
    if missing:
        raise CheckpointError(f"{path}: dims lacks {', '.join(missing)}")
    try:
        encoder = WhisperEncoder(WhisperDims(**{name: sizes[name] for name in names}))
    except ValueError as error:
        raise CheckpointError(f"{path}: dims: {error}") from error
    own = {key.removeprefix(PREFIX): value for key, value in state.items() if key.startswith(PREFIX)}
    _check_tensors(path, own, encoder.state_dict())
    encoder.load_state_dict(own)  # copies, and so makes half precision float32
    return encoder.eval()


def untrained(dims: WhisperDims, seed: int) -> WhisperEncoder:
    """Draw an encoder as PyTorch initialises it: W, b ~ U(-a, a), a = 1 / sqrt(fan_in), norms 1 and 0.

    OpenAI's code gives no other rule. The numbers come from a generator of their own: PyTorch's global random state is
    not changed, and the same sizes and seed give the same network.
    """
    with torch.random.fork_rng(devices=[]):  # PyTorch's modules draw when they are made
        encoder = WhisperEncoder(dims)
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for module in encoder.modules():
            if isinstance(module, nn.Linear | nn.Conv1d):
                bound = 1 / math.sqrt(module.weight[0].numel())
                module.weight.uniform_(-bound, bound, generator=generator)
                if module.bias is not None:
                    module.bias.uniform_(-bound, bound, generator=generator)
    return encoder.eval()


def _read(path: Path) -> Mapping[str, Any]:
    """Unpack a checkpoint; tensors stay in the file until they are used."""
    try:
        with path.open("rb") as file:
            if not zipfile.is_zipfile(file):
                raise CheckpointError(f"{path}: not a PyTorch checkpoint, or a truncated one: it is no zip archive")
            damaged = zipfile.ZipFile(file).testzip()  # torch.load does not look at the checksums
        content = None if damaged else torch.load(path, map_location="cpu", weights_only=True, mmap=True)
    except CheckpointError:
        raise
    except OSError as error:
        raise CheckpointError(f"{path}: cannot be read: {error.strerror or error}") from error
    except Exception as error:  # torch.load documents no exception type: unexpected bytes raise many
        raise CheckpointError(
            f"{path}: not a PyTorch checkpoint of tensors and numbers, or a damaged one ({type(error).__name__})"
        ) from error
    if damaged:
        raise CheckpointError(f"{path}: damaged: {damaged} in it does not match its checksum; get it again")
    entries: Mapping[str, Any] = content if isinstance(content, Mapping) else {}
    if not all(isinstance(entries.get(key), Mapping) for key in ("dims", "model_state_dict")):
        raise CheckpointError(
            f"{path}: not a Whisper checkpoint of OpenAI's, which is a dictionary of `dims` (sizes by name) and "
            "`model_state_dict` (tensors by name)"
        )
    return entries


def _check_tensors(path: Path, state: Mapping[str, Any], expected: Mapping[str, Tensor]) -> None:
    """Check for missing and surplus tensors, wrong shapes and types, values not finite."""
    for what, keys in (
        ("lacks the tensors", expected.keys() - state),
        ("has unknown tensors", state.keys() - expected),
    ):
        if keys:
            named = ", ".join(f"{PREFIX}{key}" for key in sorted(keys)[:5])
            raise CheckpointError(f"{path}: {what} {named}{f' and {len(keys) - 5} more' if len(keys) > 5 else ''}")
    for key, own in expected.items():
        tensor = state[key]
        if not isinstance(tensor, Tensor) or not tensor.is_floating_point():
            kind = tensor.dtype if isinstance(tensor, Tensor) else type(tensor).__name__
            raise CheckpointError(f"{path}: {PREFIX}{key} has type {kind}, expected a floating point tensor")
        if tensor.shape != own.shape:
            raise CheckpointError(f"{path}: {PREFIX}{key} has shape {list(tensor.shape)}, expected {list(own.shape)}")
        if not torch.isfinite(tensor).all():
            raise CheckpointError(f"{path}: {PREFIX}{key} holds values that are not finite")
