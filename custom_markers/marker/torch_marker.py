"""The base class of markers around any torch network: a network, names of layers, and nothing else to write."""

from __future__ import annotations  # torch is imported when it is used, see `hooks`

import hashlib
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np
from pydantic import PrivateAttr

from ..sounds.audio import AudioError
from .base import AudioMarker
from .devices import full_precision, torch_device
from .hooks import HookError, Stage, record
from .layers import select_layers

if TYPE_CHECKING:
    from torch import Tensor, nn

# sounds in one pass where `batch_size` is auto: a processor gains nothing from more than one
AUTO_BATCH = {"cpu": 1, "gpu": 16}
# s: where a network fails at a sound, whether it takes noise of one of these lengths tells whose fault that is
PROBE_SECONDS = (2.0, 10.0, 30.0)


class NetworkError(RuntimeError):
    """A network fails at every sound; the message holds torch's own."""


class TorchMarker(AudioMarker):
    """Layers of a torch network, averaged over time, all from one pass.

    A subclass gives `SAMPLE_RATE`, `VERSION`, `build` and `stages`, and where needed `forward` and `frames`. It may
    declare parameters of its own as annotated fields. docs/your_network.md shows one.

    Parameters
    ----------
    layers : "all" or list of int, float or str
        Indices, relative depths from 0.0 to 1.0, or names.
    pooling : {"mean", "none"}
        Mean over the time axis (one vector per layer; a layer without time is stored as it is), or all frames (a time
        series per layer).
    device : str
        `auto` (a GPU where there is one), or a torch device.
    batch_size : "auto" or int
        Most sounds in one pass; auto is 1 on the processor and 16 on a GPU.
    """

    _DEPENDENCIES: ClassVar[set] = {"soundfile", "soxr", "torch"}
    VOLATILE: ClassVar[tuple[str, ...]] = ("device", "batch_size")

    layers: Literal["all"] | list[int | float | str] = "all"
    pooling: Literal["mean", "none"] = "mean"
    device: str = "auto"
    batch_size: Literal["auto"] | int = "auto"

    _network: Any = PrivateAttr(None)
    _stages: Any = PrivateAttr(None)  # by layer index
    _identity: Any = PrivateAttr(None)
    _works: Any = PrivateAttr(False)  # the network has taken a sound
    _units: Any = PrivateAttr(default_factory=dict)  # by stage name, of the first sound
    _compared_alone: Any = PrivateAttr(False)

    # ------------------------------------------------------------------ what a subclass gives

    def build(self) -> nn.Module:
        """Make or load the network; called once. `MissingInputs` where its weights cannot be had."""
        raise TypeError(f"{type(self).__name__} does not make a network (build).")

    def stages(self, network: nn.Module) -> list[Stage]:
        """Return all layers that can be stored, in order of depth."""
        raise TypeError(f"{type(self).__name__} does not say where its layers are (stages).")

    def forward(self, network: nn.Module, waves: Tensor) -> Any:
        """Run the network; what it returns is not used.

        Parameters
        ----------
        network : nn.Module
            In evaluation mode, on the device.
        waves : Tensor, shape [B, samples], float32
            Sounds of equal length at `SAMPLE_RATE`, on the device.

        Raises
        ------
        AudioError
            The sounds cannot be used, for example because they are too short.
        """
        return network(waves)

    def frames(self, stage: Stage, n_samples: int) -> int | None:
        """Return how many frames from the start cover a sound of `n_samples`, for networks that pad; None: all."""
        return None

    def weights_identity(self, network: nn.Module) -> dict[str, Any]:
        """Return what identifies the weights, for the metadata: by default a checksum of all parameters and buffers."""
        return {"network_sha256": state_sha256(network)}

    # ------------------------------------------------------------------ what this class makes of it

    def validate_marker_params(self) -> None:
        """Check what can be checked without the network."""
        super().validate_marker_params()
        if self.batch_size != "auto" and self.batch_size < 1:
            raise ValueError(f"batch_size: {self.batch_size} is less than 1. Allowed: auto, or 1, 2, ...")

    def prepare(self) -> None:
        """Make the network and check its layers against the parameters, once.

        Raises
        ------
        ValueError
            The device is not there, there is no such layer, or the parameters do not go with the network.
        """
        if self._network is not None:
            return
        import torch

        device = torch_device(self.device)
        network = self.build()
        if not isinstance(network, torch.nn.Module):
            raise TypeError(f"{type(self).__name__}.build gives a {type(network).__name__}, not a torch.nn.Module.")
        stages = list(self.stages(network))
        names = [stage.name for stage in stages]
        if not names or len(set(names)) != len(names):
            raise HookError(
                f"{type(self).__name__}.stages must give at least one layer, each of another name: {names}."
            )
        chosen = {index: stages[index] for index in select_layers(self.layers, names)}
        timeless = [stage.name for stage in chosen.values() if not stage.has_time]
        if self.pooling == "none" and timeless:
            raise ValueError(
                f"pooling: none stores time series, but these layers of {self.name} have no time axis: "
                f"{', '.join(timeless)}. Leave them out (layers), or write pooling: mean."
            )
        if self.batch_limit() > 1 and (module := _mixes_sounds(network)):
            raise ValueError(
                f"batch_size: {self.batch_size}: {module} of {self.name} normalises with the statistics of the batch "
                "(track_running_stats=False), so that a sound's values would depend on its neighbours. Write "
                "batch_size: 1."
            )
        self._stages = chosen
        self._network = network.to(device).eval()

    def layer_names(self) -> dict[int, str]:
        """Return the names of the selected stages by their index among all stages."""
        self.prepare()
        return {index: stage.name for index, stage in self._stages.items()}

    def identity(self) -> dict[str, Any]:
        """Return what identifies the weights, and where every layer is in the network."""
        self.prepare()
        if self._identity is None:
            self._identity = self.weights_identity(self._network)
        return {"stages": {str(index): str(stage) for index, stage in self._stages.items()}, **self._identity}

    def storage_type(self, input_type: str, output_feature: str) -> str:
        """Return "vector" for time means, "timeseries" for frames."""
        return "vector" if self.pooling == "mean" else "timeseries"

    def batch_limit(self) -> int:
        """Return how many sounds go through the network at once."""
        if self.batch_size != "auto":
            return self.batch_size
        return AUTO_BATCH["cpu" if torch_device(self.device).type == "cpu" else "gpu"]

    def layers_of(self, wave: np.ndarray) -> list[np.ndarray]:
        """Compute the selected layers of one sound: shape (units,), or (frames, units) without pooling."""
        return self.layers_of_batch([wave])[0]

    def layers_of_batch(self, waves: list[np.ndarray]) -> list[list[np.ndarray]]:
        """Compute the selected layers of several sounds of equal length, at most `batch_limit()` in one pass.

        Raises
        ------
        ValueError
            The sounds differ in length.
        AudioError
            The network takes other sounds, but not sounds of this length.
        NetworkError
            The network takes no sound.
        HookError
            A stage does not fit, its units change with the length of the sound or its values with the batch.
        """
        lengths = sorted({len(wave) for wave in waves})
        if len(lengths) > 1:
            raise ValueError(f"{self.name}: the sounds of a batch must be of equal length; given: {lengths} samples.")
        self.prepare()
        limit = self.batch_limit()
        sounds = [sound for start in range(0, len(waves), limit) for sound in self._pass(waves[start : start + limit])]
        if min(limit, len(waves)) > 1:
            self._compare_alone(waves[0], sounds[0])
        return sounds

    def _compare_alone(self, wave: np.ndarray, in_batch: list[np.ndarray]) -> None:
        """Refuse folded axes that are taken apart in the wrong order: shapes do not tell, values mix the sounds.

        Once, with the first batch of several sounds: a sound must have the same values alone.
        """
        if self._compared_alone:
            return
        self._compared_alone = True
        if not any(stage.is_folded for stage in self._stages.values()):
            return
        for stage, alone, together in zip(self._stages.values(), self._pass([wave])[0], in_batch, strict=True):
            difference = float(np.abs(alone - together).max())
            # rounding differs with the size of a batch, by far less
            if stage.is_folded and difference > 1e-3 * float(np.abs(alone).max()):
                raise HookError(
                    f"stage {stage.name!r} ({stage}): a sound has other values in a batch than alone, by up to "
                    f"{difference:.3g}. If the words around `*` are in the wrong order, change it (batch*time where "
                    "the frames of a sound are neighbours, time*batch where the sounds of a frame are); if sounds "
                    "influence each other in the network, write batch_size: 1."
                )

    def activations(self, network: nn.Module, stages: list[Stage], waves: Tensor) -> dict[str, Tensor]:
        """Return a copy of every stage's tensor by its name; a network that runs in several passes overrides it.

        Values that are not finite are found later, sound by sound, so that the right file is named.
        """
        return record(network, stages, lambda: self.forward(network, waves), batch=len(waves), finite=False)

    def _pass(self, waves: list[np.ndarray]) -> list[list[np.ndarray]]:
        """Run one batch and return, for every sound, its pooled layers."""
        import torch

        n_samples = len(waves[0])
        batch = torch.from_numpy(np.stack(waves).astype(np.float32)).to(torch_device(self.device))  # [B, N]
        stages = list(self._stages.values())
        try:
            with torch.inference_mode(), full_precision():
                tensors = self.activations(self._network, stages, batch)
                # [B, units] or [B, T, units] each
                pooled = [self._pooled(stage, tensors.pop(stage.name), n_samples) for stage in stages]
        except RuntimeError as error:
            self._blame(error, n_samples)
        self._works = True
        return [list(sound) for sound in zip(*(layer.cpu().numpy() for layer in pooled), strict=True)]

    def _blame(self, error: RuntimeError, n_samples: int) -> None:
        """Raise what a failed pass means: the sound cannot be used, or the network, or the machine.

        torch has one kind of error for all three. A fault of the sound is its length, since nothing else of it decides
        whether a network runs; so the network is at fault where it fails at noise of any ordinary length, too.

        Raises
        ------
        AudioError, NetworkError
            Or the error itself where memory is short, or it tells of its kind.
        """
        import torch

        exhausted = isinstance(error, torch.cuda.OutOfMemoryError) or "alloc_cpu" in str(error)
        if exhausted or isinstance(error, NotImplementedError | RecursionError):
            raise error
        failure = (
            f"{self.name}: the network fails at a sound of {n_samples} samples "
            f"({n_samples / self.SAMPLE_RATE:.3f} s at {self.SAMPLE_RATE} Hz): {error}"
        )
        if not (self._works or self._takes_noise()):
            lengths = ", ".join(f"{seconds:g}" for seconds in PROBE_SECONDS)
            raise NetworkError(f"{failure}\nIt fails at noise of {lengths} s alike: correct the network.") from error
        raise AudioError(failure) from error

    def _takes_noise(self) -> bool:
        """Tell whether the network runs on noise of one of the ordinary lengths."""
        import torch

        stages = list(self._stages.values())
        for seconds in PROBE_SECONDS:
            noise = np.random.default_rng(0).standard_normal((1, round(seconds * self.SAMPLE_RATE)))
            try:
                with torch.inference_mode(), full_precision():
                    wave = torch.from_numpy(0.1 * noise.astype(np.float32)).to(torch_device(self.device))
                    self.activations(self._network, stages, wave)
            except (RuntimeError, AudioError):
                continue
            return True
        return False

    def _pooled(self, stage: Stage, tensor: Tensor, n_samples: int) -> Tensor:
        """Bring a stage's tensor into its stored form, float32: [B, units], or [B, T, units] without pooling."""
        values = stage.arranged(tensor).float()
        units = self._units.setdefault(stage.name, values.shape[-1])
        if units != values.shape[-1]:
            raise HookError(
                f"stage {stage.name!r} ({stage}): {values.shape[-1]} units for a sound of {n_samples} samples, {units} "
                "for an earlier one. Is one of these axes time?"
            )
        if not stage.has_time:
            return values
        n_frames = self.frames(stage, n_samples)
        if n_frames is not None:
            if not 1 <= n_frames <= values.shape[1]:
                raise HookError(
                    f"stage {stage.name!r} ({stage}): frames() gives {n_frames} for a sound of {n_samples} samples. "
                    f"Allowed: 1 to {values.shape[1]}, the frames of the layer, or None for all."
                )
            values = values[:, :n_frames]
        return values.mean(dim=1) if self.pooling == "mean" else values


def state_sha256(network: nn.Module) -> str:
    """Identify a network by its state: sha256 over name, type, shape and bytes of its sorted parameters and buffers.

    A shared tensor enters once, buffers that are not saved (`persistent=False`) enter, too. Strides, numbers of heads
    and code are no tensors: `VERSION` and the marker's parameters stand for them.
    """
    import torch

    digest = hashlib.sha256()
    for name, tensor in sorted([*network.named_parameters(), *network.named_buffers()], key=lambda item: item[0]):
        digest.update(f"{name} {tensor.dtype} {list(tensor.shape)}\n".encode())
        digest.update(tensor.detach().cpu().flatten().contiguous().view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()


def _mixes_sounds(network: nn.Module) -> str | None:
    """Return the path of a batch normalisation that uses the statistics of the batch also in evaluation mode."""
    from torch.nn.modules.batchnorm import _BatchNorm

    batch_norms = ((name, module) for name, module in network.named_modules() if isinstance(module, _BatchNorm))
    return next((name for name, module in batch_norms if module.running_mean is None), None)
