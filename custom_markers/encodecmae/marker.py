"""The junifer marker `EncodecMAE`."""

import logging
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np
from junifer.api.decorators import register_marker
from pydantic import PrivateAttr

from ..audio import AudioError
from ..base import AudioMarker
from ..layers import select_layers
from ..preflight import MissingInputs, beside_yaml

UNTRAINED = "untrained"

logger = logging.getLogger("junifer")


@register_marker
class EncodecMAE(AudioMarker):
    """Layers of an EnCodecMAE network (published, one's own, or untrained), averaged over time.

    Parameters
    ----------
    checkpoint : str
        A published name (`mel256-ec-base`, `ec-ec-base`), the path of a `.pt` file relative to the YAML file, or
        `untrained`.
    config : dict or None
        For `untrained`: fields of `NetworkConfig` that differ from the base model (`front_end`, `dim`, `heads`, `ff`,
        `encoder_layers`, `decoder_layers`; `mel_bins` for the front end `mel`; `codec_filters`, `codec_dim`,
        `codec_strides`, `codec_lstm_layers` for `ec`).
    seed : int
        For `untrained`: seed of the initialisation.
    layers : "all" or list of int or float
        Indices, or relative depths from 0.0 to 1.0.
    branch : {0, 1}
        Residual branch that is read: 0 is post-norm, 1 is pre-norm (the running sum).
    last_layer : {"summed", "branch"}
        What the last layer gives: x0 + LayerNorm(x1), as published, or the branch like every other layer.
    decoder : bool
        Append the decoder's layers.
    pooling : {"mean", "none"}
        Mean over frames (one vector per layer) or all frames (a time series per layer).
    permute_seed : int or None
        Permute every parameter tensor with this seed: the published "permuted network" control.
    device : str
        `auto` (a GPU where there is one), or a torch device.
    """

    _DEPENDENCIES: ClassVar[set] = {"soundfile", "soxr", "torch"}
    VOLATILE: ClassVar[tuple[str, ...]] = ("device",)

    checkpoint: str
    config: dict[str, Any] | None = None
    seed: int = 0
    layers: Literal["all"] | list[int | float] = "all"
    branch: Literal[0, 1] = 0
    last_layer: Literal["summed", "branch"] = "summed"
    decoder: bool = False
    pooling: Literal["mean", "none"] = "mean"
    permute_seed: int | None = None
    device: str = "auto"

    _network: Any = PrivateAttr(None)
    _names: Any = PrivateAttr(None)
    _sha256: Any = PrivateAttr(None)
    _revision: Any = PrivateAttr(None)

    def validate_marker_params(self) -> None:
        """Check what can be checked without the weights."""
        super().validate_marker_params()
        if self.config is not None and self.checkpoint != UNTRAINED:
            raise ValueError(
                f"config: {self.config!r} is for checkpoint: untrained; {self.checkpoint!r} brings its own."
            )
        if self.checkpoint == UNTRAINED:
            self._untrained_config()

    def _untrained_config(self):
        from .network import NetworkConfig

        try:
            return NetworkConfig(**(self.config or {}))
        except TypeError as error:
            allowed = ", ".join(NetworkConfig.__dataclass_fields__)
            raise ValueError(f"config: {self.config!r}: {error}. Allowed keys: {allowed}.") from error

    def prepare(self) -> None:
        """Load or make the network, once."""
        if self._network is not None:
            return
        from ..weights import WeightsError, published_size, remember, resolve
        from .checkpoint import load_checkpoint, permute_parameters, state_sha256, untrained

        if self.checkpoint == UNTRAINED:
            network = untrained(self._untrained_config(), self.seed)
            self._sha256 = state_sha256(network)
        else:
            is_path = self.checkpoint.endswith(".pt") or "/" in self.checkpoint
            try:
                weights = resolve(str(beside_yaml(self.checkpoint)) if is_path else self.checkpoint)
                network, _ = load_checkpoint(weights.path)
                remember(weights)
            except WeightsError as error:
                raise MissingInputs(str(error)) from error
            size = (network.config.encoder_layers, network.config.dim)
            if published_size(weights.name) not in (None, size):
                logger.warning(
                    f"{weights.path} has {size[0]} encoder layers of {size[1]} units; the published {weights.name} has "
                    "{} of {}. Name a network of your own by its path.".format(*published_size(weights.name))
                )
            self._sha256, self._revision = weights.sha256, weights.revision
        if self.permute_seed is not None:
            permute_parameters(network, self.permute_seed)
        self._names = self._select(network.config)
        self._network = network.to(self._torch_device()).eval()

    def _select(self, config) -> dict[int, str]:
        names = [f"encoder{i:02d}" for i in range(config.encoder_layers)]
        if self.last_layer == "summed":
            names[-1] += "+norm(x1)"
        if self.decoder:
            decoder = [f"decoder{i:02d}" for i in range(config.decoder_layers)]
            if decoder and self.last_layer == "summed":
                decoder[-1] += "+norm(x1)"
            names += decoder
        return {index: names[index] for index in select_layers(self.layers, len(names))}

    def _torch_device(self) -> str:
        import torch

        if self.device != "auto":
            return self.device
        return "cuda" if torch.cuda.is_available() else "cpu"

    def identity(self) -> dict[str, Any]:
        """Return the checksum (and hub revision) of the weights that are used."""
        self.prepare()
        identity = {"checkpoint": Path(self.checkpoint).name, "checkpoint_sha256": self._sha256}
        if self._revision is not None:
            identity["checkpoint_revision"] = self._revision
        return identity

    def layer_names(self) -> dict[int, str]:
        """Return `encoder00`, ..., `decoder00`, ...; a summed last layer is marked `+norm(x1)`."""
        self.prepare()
        return self._names

    def storage_type(self, input_type: str, output_feature: str) -> str:
        """Return "vector" for time means, "timeseries" for frames."""
        return "vector" if self.pooling == "mean" else "timeseries"

    def layers_of(self, wave: np.ndarray) -> list[np.ndarray]:
        """Compute the selected layers: shape (dim,), or (frames, dim) without pooling."""
        import torch

        self.prepare()
        sound = torch.from_numpy(wave).to(self._torch_device())
        try:
            layers = self._network.activations(
                sound, branch=self.branch, last_layer=self.last_layer, decoder=self.decoder
            )  # each [T, D]
        except ValueError as error:
            raise AudioError(f"{self.name}: {error}") from error
        chosen = [layers[index] for index in self._names]
        if self.pooling == "mean":
            chosen = [layer.mean(dim=0) for layer in chosen]
        return [layer.float().cpu().numpy() for layer in chosen]
