"""The network of the upstream package `encodecmae`, behind the interface of ours, so that one can check the other.

Upstream's modules are built, loaded and called; its own entry points are not used, because

- `load_model` takes published names only, lists the hub even for cached files, downloads a pretrained EnCodec that
  extraction does not need, lets the gin text of a file call whatever is in the modules that the file names, and
  defaults to `cuda:0`;
- `extract_features_from_file` resamples by itself and does not pass `residual_branch` on;
- `extract_features_from_array` takes the length of the whole sound (less the sound's index in the batch), up to that
  of a chunk, for the length of every chunk: frames past the end of a short last chunk are then not masked.
"""

import importlib
import inspect
import re
from collections.abc import Callable, Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ...sounds.audio import TooShortError
from ...weights.registry import remember, resolve
from . import gin
from .checkpoint import load_checkpoint
from .network import LAST_LAYER_RULES, MIN_CHUNK, NetworkConfig

# What a gin text may build: nothing else that it names is looked up, imported or called.
CLASSES = {
    "encodecmae.models": ("EncodecMAE",),
    "encodecmae.models.encoders": ("WavEncoder", "EncodecEncoder"),
    "encodecmae.models.masks": ("PatchoutMask", "TimeGapMask"),
    "encodecmae.models.transformers": ("TransformerEncoder", "MultiHeadAttention", "SinusoidalPositionalEmbeddings"),
    "encodecmae.tasks.features": ("SequentialProcessor", "ReadAudioProcessor", "MelspectrogramProcessor"),
    "torch.nn": ("Linear", "Identity"),
}
PARTS = ("wav_encoder", "masker", "visible_encoder", "decoder")  # of upstream's EncodecMAE that extraction uses
OVERRIDES = {"EncodecEncoder.pretrained": "False"}  # its weights come from the checkpoint


class UpstreamError(RuntimeError):
    """The upstream package is not there, or cannot do what is asked; the message says why and what to do."""


def load_upstream(name_or_path: str | Path, device: str = "cpu") -> "UpstreamNetwork":
    """Build upstream's modules as the gin text of a checkpoint says, and load its tensors into them.

    The file is found and checked as for our own network (`weights.resolve`, `checkpoint.load_checkpoint`). Upstream's
    global state, gin's registry and PyTorch's random state stay as they are; nothing is downloaded but published
    weights.

    Parameters
    ----------
    name_or_path : str or Path
        A published name or a `.pt` file in the published format.
    device : str
        A torch device.

    Returns
    -------
    UpstreamNetwork

    Raises
    ------
    UpstreamError
        The package cannot be imported; the text does not say how to build the network, or names classes other than
        `CLASSES`; the tensors do not fit what upstream builds.
    WeightsError, CheckpointError
        As for our own network.
    """
    classes = _classes()
    weights = resolve(str(name_or_path), network="encodecmae")
    ours, info = load_checkpoint(weights.path)
    text = torch.load(weights.path, map_location="cpu", weights_only=True, mmap=True)["config"]
    try:
        model = _build(gin.bindings(text) | OVERRIDES, classes)
        model.load_state_dict(ours.state_dict())
    except (gin.GinError, UpstreamError) as error:
        raise UpstreamError(f"{weights.path}: upstream's network cannot be built: gin text: {error}") from error
    except (RuntimeError, TypeError) as error:  # of load_state_dict; of a constructor
        last = str(error).splitlines()[-1].strip()
        raise UpstreamError(
            f"{weights.path}: does not fit the installed upstream package: {last} Its EnCodec exists in the published "
            "size only; its classes are expected as in commit 2dd6759."
        ) from error
    remember(weights)
    return UpstreamNetwork(model, info.config).to(device)


def upstream_version() -> str:
    """Return the version of the installed package, or "unknown" where it was not installed by pip."""
    try:
        return version("encodecmae")
    except PackageNotFoundError:
        return "unknown"


class UpstreamNetwork(nn.Module):
    """Upstream's network with `activations` as `network.EncodecMAE` has them.

    Parameters
    ----------
    model : encodecmae.models.EncodecMAE
        With its `processor`.
    config : NetworkConfig
        Its sizes, as read from the checkpoint.
    """

    # upstream's classes may not be installed, so that nothing is known of them
    model: Any

    def __init__(self, model: Any, config: NetworkConfig):
        super().__init__()
        self.config = config
        self.model = model
        self.requires_grad_(False)
        self.eval()
        for stack in (model.visible_encoder, model.decoder):
            stack.compile = False  # torch.compile would be run again for every number of frames
        model.decoder.key_transformer_out = "decoder_transformer"  # published texts leave it unset

    def to(  # type: ignore[override]  # types are not changed, only the device
        self, device: str | torch.device
    ) -> "UpstreamNetwork":
        """Move the network; upstream's module notes its device (for its inputs) only in its own `to`."""
        self.model.to(device)
        return self

    def activations(
        self, wave: Tensor, *, branch: int = 0, last_layer: str = "summed", decoder: bool = False
    ) -> list[Tensor]:
        """Activations of every layer to one waveform at 24 kHz, or to several of equal length, encoder layers first.

        Parameters, result and errors are those of `network.EncodecMAE.activations`: float waveforms [N] or [B, N] in,
        one float32 tensor [T, D] or [B, T, D] per layer out, chunks of `config.chunk_samples` each by itself, a last
        chunk of 2048 samples or fewer dropped. Frames of a chunk from its length // 320 on are masked, in the last
        chunk as well.

        Raises
        ------
        ValueError
            For an unknown choice, or a waveform of another shape or type, with values that are not finite, or so short
            that no chunk is left.
        """
        if branch not in (0, 1):
            raise ValueError(f"branch: {branch!r} is neither 0 nor 1")
        if last_layer not in LAST_LAYER_RULES:
            raise ValueError(f"last_layer: {last_layer!r} is not one of {', '.join(LAST_LAYER_RULES)}")
        if wave.ndim not in (1, 2) or not wave.is_floating_point() or not torch.isfinite(wave).all():
            raise ValueError(
                f"a waveform is a finite floating point tensor of shape [samples], or [waveforms, samples], got "
                f"{wave.dtype} of shape {list(wave.shape)}, {int((~torch.isfinite(wave)).sum())} values not finite"
            )
        waves = np.atleast_2d(wave.float().cpu().numpy())  # [B, N]: upstream's processors take arrays
        starts = range(0, waves.shape[1], self.config.chunk_samples)
        chunks = [waves[:, start : start + self.config.chunk_samples] for start in starts]
        chunks = [chunk for chunk in chunks if chunk.shape[1] > MIN_CHUNK]
        if not chunks:
            shortest = MIN_CHUNK + 1
            raise TooShortError(f"a waveform of {waves.shape[1]} samples is too short: at least {shortest} are needed")
        per_chunk = [self._chunk_activations(chunk, branch, last_layer == "summed", decoder) for chunk in chunks]
        layers = [torch.cat(layer, dim=1) for layer in zip(*per_chunk, strict=True)]  # each [B, T, D]
        return [layer[0] for layer in layers] if wave.ndim == 1 else layers

    def _chunk_activations(self, chunk: np.ndarray, branch: int, summed: bool, decoder: bool) -> list[Tensor]:
        """Run one chunk, [B, n], through upstream's processors and modules; return [B, T, D] for every layer."""
        batch = self.model.apply_processors({"wav": chunk, "wav_lens": np.full(chunk.shape[0], chunk.shape[1])})
        found = self.model.extract_activations(
            batch, extract_decoder=decoder, postnorm_last_activation=summed, residual_branch=branch
        )
        decoded = found["decoder_transformer_activations"] if decoder else []
        return [*found["visible_embeddings_activations"], *decoded]


def _classes() -> dict[str, type]:
    """Import upstream's classes by their names."""
    classes: dict[str, type] = {}
    for module, names in CLASSES.items():
        try:
            found = importlib.import_module(module)
            classes |= {name: getattr(found, name) for name in names}
        except (ImportError, AttributeError, OSError) as error:  # OSError: a torchaudio for another PyTorch
            raise UpstreamError(
                f"backend: encodecmae needs the upstream package, but {module} cannot be used "
                f"({type(error).__name__}: {error}). Install it from a clone with `pip install -e`, in an environment "
                "of its own (docs/upstream_encodecmae.md); a plain `pip install` leaves its sub-packages out."
            ) from error
    return classes


def _build(found: Mapping[str, str], classes: Mapping[str, type]) -> Any:
    """Build upstream's EncodecMAE and its processor from the bindings of a gin text."""
    parts = {}
    for part in PARTS:
        if f"EncodecMAE.{part}" not in found:
            raise UpstreamError(
                f"does not set EncodecMAE.{part}. Files that auralign wrote hold no text for upstream: take the "
                "published ones."
            )
        parts[part] = _factory(found, classes, found[f"EncodecMAE.{part}"], "")
    with torch.random.fork_rng(devices=[]):  # upstream draws weights, which the checkpoint replaces
        # targets and head are for training
        model = classes["EncodecMAE"](target_encoder=torch.nn.Identity, head=torch.nn.Identity, **parts)
    model.processor = _factory(found, classes, "@SequentialProcessor", "")()
    return model


def _factory(found: Mapping[str, str], classes: Mapping[str, type], reference: str, scope: str) -> Callable:
    """Return what `@[scope/][module.]Class` stands for: a call that builds the class with the bound arguments.

    As in gin, a reference without a scope is built in the scope around it, and arguments of the call override bindings.
    """
    match = re.fullmatch(r"@(?:([\w/]+)/)?(?:[\w.]+\.)?(\w+)", reference.strip())
    if match is None or match[2] not in classes:
        raise UpstreamError(f"{reference} is none of what extraction needs: {', '.join(classes)}")
    scope, name = match[1] or scope, match[2]
    arguments = _arguments(found, classes, name, scope)

    def build(*positional: Any) -> Any:
        given = inspect.signature(classes[name]).bind_partial(*positional).arguments
        return classes[name](*positional, **{key: arguments[key] for key in arguments.keys() - given.keys()})

    return build


def _arguments(found: Mapping[str, str], classes: Mapping[str, type], name: str, scope: str) -> dict[str, Any]:
    """Evaluate the bindings of a class in a scope: literals and macros, references, lists of references."""
    arguments: dict[str, Any] = {}
    for full_key in found:
        key_scope, _, key = full_key.rpartition("/")
        owner, _, parameter = key.partition(".")
        if owner != name or key_scope not in ("", scope):
            continue
        scoped = f"{scope}/{key}"
        text = found[scoped if scoped in found else key]  # scoped before unscoped
        if text.startswith("@"):
            arguments[parameter] = _factory(found, classes, text, scope)
        elif text.startswith("[") and "@" in text:
            items = text.strip("[] ").split(",")
            arguments[parameter] = [_factory(found, classes, item, scope) for item in items]
        else:
            arguments[parameter] = gin.value(found, key, scope)
    return arguments
