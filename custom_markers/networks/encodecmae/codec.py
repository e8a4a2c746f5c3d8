"""The EnCodec front end of the ``ec-*`` networks: the encoder of the neural codec, as a PyTorch module.

A waveform at 24 kHz becomes one frame every 320 samples. Parameter names are those of the published checkpoints,
weight normalisation (g, v) included. Source: Defossez et al. 2022, "High fidelity neural audio compression",
arXiv 2210.13438, in the causal form that the 24 kHz model has.
"""

import math
import re
from collections.abc import Mapping
from typing import Any, cast

import torch
import torch.nn.functional as F
from torch import Generator, Tensor, nn

OUTER_KERNEL, RESIDUAL_KERNEL = 7, 3  # of the first and the last convolution; of the residual blocks
PREFIX = "wav_encoder.encoder.model.model."  # of the encoder's tensors in a checkpoint


def pad_reflecting(x: Tensor, left: int, right: int) -> Tensor:
    """Pad x, [..., L], to [..., left + L + right]: x[left], ..., x[1] before it, x[L - 2], ... after it.

    Where L is not above both widths there is nothing to reflect: as published, x is first extended by zeros on the
    right until it is, and the result is cut after the wanted length.
    """
    wanted = left + x.shape[-1] + right
    lacking = max(left, right) + 1 - x.shape[-1]
    if lacking > 0:
        x = F.pad(x, (0, lacking))
    return F.pad(x, (left, right), mode="reflect")[..., :wanted]


class WeightNormed(nn.Module):
    """Weights w = g v / ||v|| of a convolution, the norm taken per output channel, and its bias.

    A new instance is zero, without drawing random numbers: g and bias are 0, v is 1.
    """

    def __init__(self, inputs: int, outputs: int, kernel: int):
        super().__init__()
        self.bias = nn.Parameter(torch.zeros(outputs))
        self.weight_g = nn.Parameter(torch.zeros(outputs, 1, 1))
        self.weight_v = nn.Parameter(torch.ones(outputs, inputs, kernel))

    def weight(self) -> Tensor:
        """Return w, [outputs, inputs, kernel]; computed anew, so that it always belongs to the parameters."""
        return self.weight_v * (self.weight_g / self._norm())

    def _norm(self) -> Tensor:
        return torch.linalg.vector_norm(self.weight_v, dim=(1, 2), keepdim=True)

    @torch.no_grad()
    def draw(self, generator: Generator) -> None:
        """Draw weight and bias from U(-a, a), a = 1 / sqrt(inputs * kernel): PyTorch's rule, EnCodec's start."""
        bound = 1 / math.sqrt(self.weight_v[0].numel())
        self.weight_v.uniform_(-bound, bound, generator=generator)
        self.bias.uniform_(-bound, bound, generator=generator)
        self.weight_g.copy_(self._norm())


class CausalConv(nn.Module):
    """A convolution, [B, inputs, L] to [B, outputs, ceil(L / stride)], reflecting at both ends.

    The padding is kernel - stride samples before the first one, and at the end what completes the last stride: away
    from the borders no output depends on later samples.
    """

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int = 1):
        super().__init__()
        self.left, self.stride = kernel - stride, stride
        self.conv = nn.ModuleDict({"conv": WeightNormed(inputs, outputs, kernel)})  # the published nesting

    def forward(self, x: Tensor) -> Tensor:
        """Convolve x, [B, inputs, L]."""
        parameters = cast(WeightNormed, self.conv["conv"])
        padded = pad_reflecting(x, self.left, -x.shape[-1] % self.stride)
        return F.conv1d(padded, parameters.weight(), parameters.bias, stride=self.stride)


class ResidualBlock(nn.Module):
    """S x + K1 ELU(K3 ELU(x)), [B, C, L] to the same: S and K1 pointwise, K3 of kernel 3 to C / 2 channels."""

    def __init__(self, channels: int):
        super().__init__()
        hidden = channels // 2
        narrow, widen = CausalConv(channels, hidden, RESIDUAL_KERNEL), CausalConv(hidden, channels, 1)
        self.block = nn.Sequential(nn.ELU(), narrow, nn.ELU(), widen)
        self.shortcut = CausalConv(channels, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Apply both paths to x."""
        return self.shortcut(x) + self.block(x)


class LSTM(nn.LSTM):
    """PyTorch's LSTM, zero until its weights are set: building it draws no random numbers."""

    def reset_parameters(self) -> None:
        """Set weights and biases to zero."""
        for parameter in self.parameters():
            nn.init.zeros_(parameter)

    @torch.no_grad()
    def draw(self, generator: Generator) -> None:
        """Draw all from U(-a, a), a = 1 / sqrt(channels): PyTorch's rule, EnCodec's start."""
        bound = 1 / math.sqrt(self.hidden_size)
        for parameter in self.parameters():
            parameter.uniform_(-bound, bound, generator=generator)


class SkipLSTM(nn.Module):
    """x + LSTM(x) along time, [B, C, T] to the same."""

    def __init__(self, channels: int, layers: int):
        super().__init__()
        self.lstm = LSTM(channels, channels, layers, batch_first=True)

    def forward(self, x: Tensor) -> Tensor:
        """Run from a zero state."""
        y, _ = self.lstm(x.transpose(1, 2))  # [B, T, C]
        return x + y.transpose(1, 2)


class CodecFrontEnd(nn.Module):
    """Convolution, then for every stride s a residual block and a convolution by s, then LSTM and convolution.

    Parameters
    ----------
    filters : int
        Channels C of the first convolution, even; every stride doubles them. 32 in the published networks.
    n_features : int
        Channels of the output, 128.
    strides : tuple of int
        From the waveform on, (2, 4, 5, 8): a stride of s has a kernel of 2 s.
    lstm_layers : int
        2.
    """

    def __init__(self, filters: int, n_features: int, strides: tuple[int, ...], lstm_layers: int):
        super().__init__()
        self.n_features = n_features
        layers: list[nn.Module] = [CausalConv(1, filters, OUTER_KERNEL)]
        channels = filters
        for stride in strides:
            layers += [ResidualBlock(channels), nn.ELU(), CausalConv(channels, 2 * channels, 2 * stride, stride)]
            channels *= 2
        layers += [SkipLSTM(channels, lstm_layers), nn.ELU(), CausalConv(channels, n_features, OUTER_KERNEL)]
        self.model = nn.ModuleDict({"model": nn.Sequential(*layers)})  # the published nesting

    def forward(self, wave: Tensor) -> Tensor:
        """Compute the frames of a batch of waveforms.

        Parameters
        ----------
        wave : Tensor
            Float32, shape [B, N], at 24 kHz, nominally in [-1, 1]; used as it is, without normalisation.

        Returns
        -------
        Tensor
            Float32, shape [B, T, n_features], T = ceil(N / product of the strides).

        Raises
        ------
        ValueError
            If ``wave`` is not [B, N] float32, or has no samples.
        """
        if wave.ndim != 2 or wave.dtype != torch.float32 or wave.shape[1] == 0:
            raise ValueError(
                f"the EnCodec front end takes a float32 tensor of shape [batch, samples], with samples, "
                f"got {wave.dtype} of shape {list(wave.shape)}"
            )
        # On a GPU, cuDNN would by default round the factors of convolutions and LSTM to 10 bits (TF32).
        with torch.backends.cudnn.flags(enabled=True, allow_tf32=False):
            return self.model["model"](wave[:, None]).transpose(1, 2)


def sizes_of(state: Mapping[str, Tensor]) -> dict[str, Any]:
    """Read the codec's sizes from a checkpoint's tensors, as fields of `network.NetworkConfig`.

    Raises
    ------
    ValueError
        Naming the tensor that is missing or has the wrong number of axes.
    """
    found = [
        match for key in state if (match := re.fullmatch(rf"{re.escape(PREFIX)}(\d+)\.lstm\.weight_ih_l(\d+)", key))
    ]
    if not found:
        raise ValueError(f"lacks the tensors {PREFIX}*.lstm.weight_ih_l* of EnCodec's encoder")
    position = int(found[0][1])  # the LSTM stands behind the first convolution and three modules for each stride
    first, *downsampling, last = (
        f"{PREFIX}{index}.conv.conv.weight_v" for index in (0, *range(3, position, 3), position + 2)
    )
    for key in (first, *downsampling, last):
        if key not in state:
            raise ValueError(f"lacks the tensor {key}")
        if state[key].ndim != 3:
            raise ValueError(f"{key} has shape {list(state[key].shape)}, expected [outputs, inputs, kernel]")
    return {
        "codec_filters": state[first].shape[0],
        "codec_dim": state[last].shape[0],
        "codec_strides": tuple(state[key].shape[2] // 2 for key in downsampling),
        "codec_lstm_layers": 1 + max(int(match[2]) for match in found),
    }
