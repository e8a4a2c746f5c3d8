"""The junifer marker `Whisper`."""

from __future__ import annotations  # torch is imported when it is used

import math
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal, cast

from pydantic import PrivateAttr

from ...marker.hooks import Stage, record
from ...marker.registration import register_marker
from ...marker.torch_marker import TorchMarker, state_sha256
from ...running.preflight import MissingInputs, beside_yaml

if TYPE_CHECKING:
    from torch import Tensor, nn

    from .network import WhisperDims

UNTRAINED = "untrained"


@register_marker
class Whisper(TorchMarker):
    """Layers of a Whisper encoder (published, one's own, or untrained), averaged over the time of the sound.

    Layers, in order: `conv1+gelu`, `conv2+gelu` (before the positions are added), `block00`, `block01`, ... (the output
    of a block, its running sum), and the last block once more behind the encoder's final norm, as in `block03+norm`.
    Averages are over the frames that cover the sound: ceil(N / 160) of the first convolution and ceil(N / 320) of all
    other layers, for N samples at 16 kHz, never over the silence that is appended.

    Parameters
    ----------
    checkpoint : str
        A published name (`tiny.en`, `large-v3`), the path of a `.pt` file in OpenAI's format relative to the YAML file,
        or `untrained`.
    config : dict or None
        For `untrained`: sizes under OpenAI's names that differ from tiny (`n_mels`, `n_audio_ctx`, `n_audio_state`,
        `n_audio_head`, `n_audio_layer`).
    seed : int
        For `untrained`: seed of the initialisation.
    context : {"full", "cut"}
        full: silence follows the sound up to 30 s, as in training. cut: the blocks see only the positions that cover
        the sound, which takes a fraction of the time. A longer sound is cut into pieces of 30 s that are processed by
        themselves, and their frames are joined.
    layers, pooling, device, batch_size
        As for every network, see `TorchMarker`.
    """

    SAMPLE_RATE: ClassVar[int] = 16000

    checkpoint: str
    config: dict[str, Any] | None = None
    seed: int = 0
    context: Literal["full", "cut"] = "full"

    _sha256: Any = PrivateAttr(None)

    def validate_marker_params(self) -> None:
        """Check what can be checked without the weights."""
        super().validate_marker_params()
        if self.config is not None and self.checkpoint != UNTRAINED:
            raise ValueError(
                f"config: {self.config!r} is for checkpoint: untrained; {self.checkpoint!r} brings its own."
            )
        if self.checkpoint == UNTRAINED:
            self._untrained_dims()

    def _untrained_dims(self):
        from .network import WhisperDims

        try:
            return WhisperDims(**(self.config or {}))
        except (TypeError, ValueError) as error:
            allowed = ", ".join(WhisperDims.__dataclass_fields__)
            raise ValueError(f"config: {self.config!r}: {error}. Allowed keys: {allowed}.") from error

    def build(self) -> nn.Module:
        """Load the published or own encoder, or draw an untrained one."""
        from ...weights.registry import WeightsError, resolve
        from .checkpoint import load_encoder, untrained

        if self.checkpoint == UNTRAINED:
            return untrained(self._untrained_dims(), self.seed)
        is_path = self.checkpoint.endswith(".pt") or "/" in self.checkpoint
        try:
            weights = resolve(str(beside_yaml(self.checkpoint)) if is_path else self.checkpoint, network="whisper")
        except WeightsError as error:
            raise MissingInputs(str(error)) from error
        self._sha256 = weights.sha256
        return load_encoder(weights.path)

    def weights_identity(self, network: nn.Module) -> dict[str, Any]:
        """Return name and checksum of the checkpoint; for an untrained network the checksum of its tensors."""
        return {
            "checkpoint": Path(self.checkpoint).name,
            "checkpoint_sha256": self._sha256 or state_sha256(network),
        }

    def stages(self, network: nn.Module) -> list[Stage]:
        """Return the convolutions, the blocks, and the last block behind the final norm."""
        convolutions = [Stage(f"conv{i}+gelu", f"gelu{i}", axes="batch unit time") for i in (1, 2)]
        blocks = [
            Stage(f"block{i:02d}", f"blocks.{i}", axes="batch time unit") for i in range(_dims(network).n_audio_layer)
        ]
        return [*convolutions, *blocks, replace(blocks[-1], name=f"{blocks[-1].name}+norm", module="ln_post")]

    def activations(self, network: nn.Module, stages: list[Stage], waves: Tensor) -> dict[str, Tensor]:
        """Run the network on every piece of 30 s and join the frames of each stage."""
        import torch

        pieces = [
            record(network, stages, partial(network, piece, self.context), batch=len(waves), finite=False)
            for piece in waves.split(_dims(network).window, dim=1)
        ]
        return {
            stage.name: torch.cat([piece[stage.name] for piece in pieces], dim=stage.axes.split().index("time"))
            for stage in stages
        }

    def frames(self, stage: Stage, n_samples: int) -> int:
        """Return ceil(N / 160) for the first convolution, whose stride is 1, and ceil(N / 320) behind the second."""
        from .mel import HOP

        return math.ceil(n_samples / (HOP if stage.name == "conv1+gelu" else 2 * HOP))


def _dims(network: nn.Module) -> WhisperDims:
    """Return the sizes of a `WhisperEncoder`."""
    return cast("WhisperDims", network.dims)
