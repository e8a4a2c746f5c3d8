"""Whisper's encoder: two convolutions over log-mel frames, then pre-norm transformer blocks.

Parameters have OpenAI's names, so that the encoder's part of a checkpoint loads as it is. The two GELUs behind the
convolutions are modules of their own (without parameters), so that their outputs are layers that can be recorded.
"""

import math
from dataclasses import dataclass, fields

import torch
from torch import Tensor, nn
from torch.nn import functional

from .mel import HOP, LogMel

POSITION = 2 * HOP  # samples that one position of the transformer stands for: 20 ms


@dataclass(frozen=True)
class WhisperDims:
    """Sizes of an encoder under OpenAI's names; the defaults are those of tiny.

    Raises
    ------
    ValueError
        A size is no whole number above 0, or the heads do not divide the state evenly.
    """

    n_mels: int = 80
    n_audio_ctx: int = 1500  # positions of 20 ms: 30 s
    n_audio_state: int = 384
    n_audio_head: int = 6
    n_audio_layer: int = 4

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if type(value) is not int or value < 1:
                raise ValueError(f"{field.name} is {value!r}; a whole number from 1 is needed")
        if self.n_audio_state % self.n_audio_head or self.n_audio_state % 2 or self.n_audio_state < 4:
            raise ValueError(
                f"n_audio_state is {self.n_audio_state}; an even number from 4 that is a multiple of n_audio_head "
                f"({self.n_audio_head}) is needed"
            )

    @property
    def window(self) -> int:
        """Samples that the encoder takes at once, 480,000 (30 s) in the published networks."""
        return self.n_audio_ctx * POSITION


def n_positions(n_samples: int) -> int:
    """Return ceil(N / 320), the number of positions that cover N samples at 16 kHz."""
    return math.ceil(n_samples / POSITION)


def sinusoids(length: int, channels: int) -> Tensor:
    """Return the fixed positions [sin(t w_i) | cos(t w_i)], w_i = 10000^(-i / (channels/2 - 1)), [length, channels]."""
    rates = torch.exp(-math.log(10000.0) / (channels // 2 - 1) * torch.arange(channels // 2))
    angles = torch.arange(length)[:, None] * rates
    return torch.cat([angles.sin(), angles.cos()], dim=1)


class Attention(nn.Module):
    """Self-attention of all positions to all: softmax(Q K' / sqrt(d)) V per head; the keys have no bias."""

    def __init__(self, n_state: int, n_head: int):
        super().__init__()
        self.n_head = n_head
        self.query = nn.Linear(n_state, n_state)
        self.key = nn.Linear(n_state, n_state, bias=False)
        self.value = nn.Linear(n_state, n_state)
        self.out = nn.Linear(n_state, n_state)

    def forward(self, x: Tensor) -> Tensor:
        """[B, T, D] to [B, T, D]."""
        heads = (x.shape[0], x.shape[1], self.n_head, -1)
        query, key, value = (part(x).view(heads).transpose(1, 2) for part in (self.query, self.key, self.value))
        merged = functional.scaled_dot_product_attention(query, key, value)  # [B, heads, T, D / heads]
        return self.out(merged.transpose(1, 2).flatten(2))


class Block(nn.Module):
    """x + attention(norm(x)), then x + MLP(norm(x)): the output is the running sum, not normalised."""

    def __init__(self, n_state: int, n_head: int):
        super().__init__()
        self.attn = Attention(n_state, n_head)
        self.attn_ln = nn.LayerNorm(n_state)
        self.mlp = nn.Sequential(nn.Linear(n_state, 4 * n_state), nn.GELU(), nn.Linear(4 * n_state, n_state))
        self.mlp_ln = nn.LayerNorm(n_state)

    def forward(self, x: Tensor) -> Tensor:
        """[B, T, D] to [B, T, D]."""
        x = x + self.attn(self.attn_ln(x))
        return x + self.mlp(self.mlp_ln(x))


class WhisperEncoder(nn.Module):
    """Waveforms at 16 kHz to one vector every 20 ms.

    Parameters
    ----------
    dims : WhisperDims
    """

    positional_embedding: Tensor

    def __init__(self, dims: WhisperDims):
        super().__init__()
        self.dims = dims
        n_state = dims.n_audio_state
        self.log_mel = LogMel(dims.n_mels)
        self.conv1 = nn.Conv1d(dims.n_mels, n_state, kernel_size=3, padding=1)
        self.gelu1 = nn.GELU()
        self.conv2 = nn.Conv1d(n_state, n_state, kernel_size=3, stride=2, padding=1)
        self.gelu2 = nn.GELU()
        self.register_buffer("positional_embedding", sinusoids(dims.n_audio_ctx, n_state))
        self.blocks = nn.ModuleList(Block(n_state, dims.n_audio_head) for _ in range(dims.n_audio_layer))
        self.ln_post = nn.LayerNorm(n_state)

    def forward(self, waves: Tensor, context: str = "full") -> Tensor:
        """Encode waveforms of equal length.

        Parameters
        ----------
        waves : Tensor
            Float32, shape [B, N], N from 1 to `dims.window`, nominally in [-1, 1].
        context : {"full", "cut"}
            full: zeros follow the sound up to `dims.window`, and all positions attend to each other, as in training.
            cut: the positions that do not cover the sound are removed before the first block. Their number apart,
            log-mel frames and convolutions are the same; only what the blocks attend to differs.

        Returns
        -------
        Tensor
            Float32, shape [B, T, n_audio_state]: T = n_audio_ctx (full) or ceil(N / 320) (cut).

        Raises
        ------
        ValueError
            The waveforms are empty or longer than `dims.window`.
        """
        n_samples, window = waves.shape[1], self.dims.window
        if not 1 <= n_samples <= window:
            raise ValueError(f"a waveform of {n_samples} samples; the encoder takes 1 to {window} at once")
        kept = self.dims.n_audio_ctx if context == "full" else n_positions(n_samples)
        # one more position holds every frame that the sound reaches and that a convolution at a kept position sees
        padded = min((kept + 1) * POSITION, window)
        mel = self.log_mel(functional.pad(waves, (0, padded - n_samples)))  # [B, M, 2 T]
        x = self.gelu1(self.conv1(mel))  # [B, D, 2 T]
        x = self.gelu2(self.conv2(x)).transpose(1, 2)[:, :kept]  # [B, T, D]
        x = x + self.positional_embedding[:kept]
        for block in self.blocks:
            x = block(x)
        return self.ln_post(x)
