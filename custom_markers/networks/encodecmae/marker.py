"""The junifer marker `EncodecMAE`."""

from __future__ import annotations  # torch is imported when it is used, see `hooks`

import logging
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal, cast

from pydantic import PrivateAttr

from ...marker.fields import parameters_of
from ...marker.hooks import Stage
from ...marker.registration import register_marker
from ...marker.torch_marker import TorchMarker
from ...running.preflight import MissingInputs, beside_yaml
from ...sounds.audio import AudioError, TooShortError
from .series import checkpoints_by_step, name_of_step

if TYPE_CHECKING:
    from torch import Tensor, nn

    from .network import EncodecMAE as Network
    from .upstream import UpstreamNetwork

UNTRAINED = "untrained"

logger = logging.getLogger("junifer")


@register_marker
class EncodecMAE(TorchMarker):
    """Layers of an EnCodecMAE network (published, one's own, or untrained), averaged over time.

    Parameters
    ----------
    checkpoint : str, dict or list of str
        A published name (`mel256-ec-base`, `ec-ec-base`), the path of a `.pt` file relative to the YAML file, or
        `untrained`. Or a series along training, `{pattern: runs/step{step}.pt, steps: [50000, 100000]}` or a list of
        such files: it gives one feature set per step, as one marker per step called `<name>-step050000` would.
    config : dict or None
        For `untrained`: fields of `NetworkConfig` that differ from the base model (`front_end`, `dim`, `heads`, `ff`,
        `encoder_layers`, `decoder_layers`; `mel_bins` for the front end `mel`; `codec_filters`, `codec_dim`,
        `codec_strides`, `codec_lstm_layers` for `ec`).
    seed : int
        For `untrained`: seed of the initialisation.
    branch : {0, 1}
        Residual branch that is read: 0 is post-norm, 1 is pre-norm (the running sum).
    last_layer : {"summed", "branch"}
        What the last layer gives: x0 + LayerNorm(x1), as published, or the branch like every other layer.
    decoder : bool
        Append the decoder's layers.
    permute_seed : int or None
        Permute every parameter tensor with this seed: the published "permuted network" control.
    backend : {"auralign", "encodecmae"}
        Whose code computes: this package's, or the upstream package's where that is installed
        (docs/upstream_encodecmae.md), to check one against the other.
    layers, pooling, device, batch_size
        As of every `TorchMarker`.
    """

    # the backend is named in `identity` where it is not ours
    VOLATILE: ClassVar[tuple[str, ...]] = (*TorchMarker.VOLATILE, "backend")

    checkpoint: str | dict[str, Any] | list[str]
    config: dict[str, Any] | None = None
    seed: int = 0
    branch: Literal[0, 1] = 0
    last_layer: Literal["summed", "branch"] = "summed"
    decoder: bool = False
    permute_seed: int | None = None
    backend: Literal["auralign", "encodecmae"] = "auralign"

    _sha256: Any = PrivateAttr(None)
    _revision: Any = PrivateAttr(None)
    _steps: Any = PrivateAttr(default_factory=list)  # the markers of a series, one per step

    def validate_marker_params(self) -> None:
        """Check what can be checked without the weights."""
        super().validate_marker_params()
        if self.config is not None and self.checkpoint != UNTRAINED:
            raise ValueError(
                f"config: {self.config!r} is for checkpoint: untrained; {self.checkpoint!r} brings its own."
            )
        if self.checkpoint == UNTRAINED:
            self._untrained_config()
        if self.backend == "encodecmae" and (self.checkpoint == UNTRAINED or self.permute_seed is not None):
            raise ValueError(
                "backend: encodecmae takes trained checkpoints as they are; `checkpoint: untrained` and permute_seed "
                "are auralign's own. Write backend: auralign."
            )
        if not isinstance(self.checkpoint, str):
            parameters = parameters_of(self)
            self._steps = [
                type(self)(**{**parameters, "name": name_of_step(self.name, step), "checkpoint": checkpoint})
                for step, checkpoint in checkpoints_by_step(self.checkpoint).items()
            ]

    def _untrained_config(self):
        from .network import NetworkConfig

        try:
            return NetworkConfig(**(self.config or {}))
        except TypeError as error:
            allowed = ", ".join(NetworkConfig.__dataclass_fields__)
            raise ValueError(f"config: {self.config!r}: {error}. Allowed keys: {allowed}.") from error

    def _one_checkpoint(self) -> str:
        """Return the checkpoint of a marker that is no series: a series has one such marker per step."""
        return cast(str, self.checkpoint)

    def prepare(self) -> None:
        """Load or make the network, once; of a series all networks."""
        for step in self._steps:
            step.prepare()
        if not self._steps:
            super().prepare()

    def build(self) -> nn.Module:
        """Load the network of the checkpoint, or make one."""
        from ...weights.registry import WeightsError, published_size, remember, resolve
        from .checkpoint import load_checkpoint, permute_parameters, state_sha256, untrained
        from .upstream import UpstreamError, load_upstream

        network: Network | UpstreamNetwork
        if self.checkpoint == UNTRAINED:
            network = untrained(self._untrained_config(), self.seed)
            self._sha256 = state_sha256(network)
        else:
            checkpoint = self._one_checkpoint()
            is_path = checkpoint.endswith(".pt") or "/" in checkpoint
            try:
                name = str(beside_yaml(checkpoint)) if is_path else checkpoint
                weights = resolve(name, network="encodecmae")
                network = (
                    load_upstream(weights.path) if self.backend == "encodecmae" else load_checkpoint(weights.path)[0]
                )
                remember(weights)
            except (WeightsError, UpstreamError) as error:
                raise MissingInputs(str(error)) from error
            size, published = (network.config.encoder_layers, network.config.dim), published_size(weights.name)
            if published is not None and published != size:
                logger.warning(
                    f"{weights.path} has {size[0]} encoder layers of {size[1]} units; the published {weights.name} has "
                    "{} of {}. Name a network of your own by its path.".format(*published)
                )
            self._sha256, self._revision = weights.sha256, weights.revision
        if self.permute_seed is not None:
            permute_parameters(cast("Network", network), self.permute_seed)  # upstream's are refused with a seed
        return network

    def stages(self, network: nn.Module) -> list[Stage]:
        """Return `encoder00`, ..., and with `decoder` also `decoder00`, ...; a summed last layer says `+norm(x1)`."""
        config = cast("Network | UpstreamNetwork", network).config
        stacks = {"encoder": config.encoder_layers}
        if self.decoder:
            stacks["decoder"] = config.decoder_layers
        names = []
        for stack, n_layers in stacks.items():
            names += [f"{stack}{i:02d}" for i in range(n_layers)]
            if n_layers and self.last_layer == "summed":
                names[-1] += "+norm(x1)"
        # all are read by the network itself (`activations`), which knows its branches; no hooks are needed
        return [Stage(name, "", "batch time unit") for name in names]

    def activations(self, network: nn.Module, stages: list[Stage], waves: Tensor) -> dict[str, Tensor]:
        """Return the chosen branch of the selected layers, [B, T, D] each."""
        try:
            layers = cast("Network | UpstreamNetwork", network).activations(
                waves, branch=self.branch, last_layer=self.last_layer, decoder=self.decoder
            )  # each [B, T, D]
        except TooShortError as error:
            raise AudioError(f"{self.name}: {error}") from error
        return {stage.name: layers[index] for index, stage in self._stages.items()}

    def identity(self) -> dict[str, Any]:
        """Return the checksum (and hub revision) of the weights that are used."""
        self.prepare()
        identity = {"checkpoint": Path(self._one_checkpoint()).name, "checkpoint_sha256": self._sha256}
        if self._revision is not None:
            identity["checkpoint_revision"] = self._revision
        if self.backend == "encodecmae":
            from .upstream import upstream_version

            identity["backend"] = f"encodecmae {upstream_version()}"
        return identity

    def _fit_transform(self, input: dict[str, dict], storage: Any = None) -> dict:
        """Compute and store one sound; of a series every step by itself."""
        if not self._steps:
            return super()._fit_transform(input=input, storage=storage)
        merged: dict[str, dict] = {}
        for step in self._steps:
            for data_type, features in step._fit_transform(input=input, storage=storage).items():
                named = {f"{step.name}_{feature}": values for feature, values in features.items()}
                merged.setdefault(data_type, {}).update(named)
        return merged
