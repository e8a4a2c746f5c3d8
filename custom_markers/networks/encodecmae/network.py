"""The EnCodecMAE network: waveform at 24 kHz to the activations of every transformer layer.

Parameter names are those of the published checkpoints. Transformer blocks follow ResiDual (Xie et al. 2023,
arXiv 2304.14802): branch 0 is normalised after every sub-block, branch 1 is the plain sum of all of them.
"""

import functools
import math
from collections.abc import Callable
from dataclasses import dataclass, fields

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ...sounds.audio import TooShortError
from .codec import CodecFrontEnd
from .mel import SAMPLE_RATE, MelFrontEnd

MASK_HOP = 320  # a frame whose index reaches len(chunk) // 320 is no key: the codec's hop, also with the mel front end
MIN_CHUNK = 2048  # a chunk of this many samples or fewer is dropped
LAST_LAYER_RULES = ("summed", "branch")


@dataclass(frozen=True)
class NetworkConfig:
    """Sizes of a network; the defaults are those of ``mel256-ec-base`` and, with ``front_end="ec"``, ``ec-ec-base``.

    Raises
    ------
    ValueError
        For a size that is no positive integer, an odd ``dim`` or ``codec_filters``, more heads than dimensions, strides
        that do not multiply to 320, a size of the front end that is not used, or a front end or sampling rate that
        does not exist.
    """

    front_end: str = "mel"
    mel_bins: int = 256
    dim: int = 768
    heads: int = 12
    ff: int = 4096
    encoder_layers: int = 10
    decoder_layers: int = 2
    sample_rate: int = SAMPLE_RATE
    chunk_samples: int = 96_000
    codec_filters: int = 32
    codec_dim: int = 128
    codec_strides: tuple[int, ...] = (2, 4, 5, 8)
    codec_lstm_layers: int = 2

    def __post_init__(self) -> None:
        if self.front_end not in FRONT_ENDS:
            raise ValueError(f"front_end: {self.front_end!r} is not one of {', '.join(FRONT_ENDS)}")
        if not isinstance(self.codec_strides, tuple | list):  # a list as YAML gives it
            raise ValueError(f"codec_strides: {self.codec_strides!r} is not a list of integers")
        object.__setattr__(self, "codec_strides", tuple(self.codec_strides))
        unused = {"mel": "codec_", "ec": "mel_"}[self.front_end]
        for field in fields(self)[1:]:
            size = getattr(self, field.name)
            for number in size if field.name == "codec_strides" else (size,):
                if type(number) is not int or number < 1:
                    raise ValueError(f"{field.name}: {number!r} is not a positive integer")
            if field.name.startswith(unused) and size != field.default:
                raise ValueError(f"{field.name}: {size!r} has no meaning for the front end {self.front_end!r}")
        if math.prod(self.codec_strides) != MASK_HOP:
            raise ValueError(f"codec_strides: {self.codec_strides} do not multiply to {MASK_HOP} samples a frame")
        if self.codec_filters % 2:
            raise ValueError(f"codec_filters: {self.codec_filters} is odd; the residual blocks halve it")
        if self.dim % 2:
            raise ValueError(f"dim: {self.dim} is odd; the positional encoding pairs its columns")
        if self.heads > self.dim:
            raise ValueError(f"heads: {self.heads} exceeds dim, {self.dim}: a head needs at least one dimension")
        if self.sample_rate != SAMPLE_RATE:
            raise ValueError(f"sample_rate: {self.sample_rate}; the front ends are defined at {SAMPLE_RATE} Hz")
        if self.chunk_samples <= MIN_CHUNK:
            raise ValueError(f"chunk_samples: {self.chunk_samples}; chunks must be longer than {MIN_CHUNK} samples")

    @property
    def head_dim(self) -> int:
        """Dimensions of one head, dim // heads: 64 in the base network, 1024 // 12 = 85 in the large one."""
        return self.dim // self.heads


# A front end maps waveforms [B, N] to frames [B, T, n_features] and says its n_features.
FRONT_ENDS: dict[str, Callable[[NetworkConfig], MelFrontEnd | CodecFrontEnd]] = {
    "mel": lambda config: MelFrontEnd(config.mel_bins),
    "ec": lambda config: CodecFrontEnd(
        config.codec_filters, config.codec_dim, config.codec_strides, config.codec_lstm_layers
    ),
}


@functools.cache
def _has_onednn_linear() -> bool:
    """Whether this PyTorch can run a float32 linear layer through oneDNN, found by trying.

    Where MKL makes little use of the processor (measured on AMD EPYC with AVX-512) this halves the time of
    the whole network, in true float32. The operator is internal to PyTorch: its absence or change costs only
    speed.
    """
    if not torch.backends.mkldnn.is_available() or not hasattr(torch.ops.mkldnn, "_linear_pointwise"):
        return False
    x, weight, bias = torch.ones(2, 3), torch.ones(4, 3), torch.ones(4)
    try:
        y = torch.ops.mkldnn._linear_pointwise(x, weight, bias, "none", [], "")
    except (RuntimeError, TypeError):
        return False
    return torch.equal(y, F.linear(x, weight, bias))


class Linear(nn.Linear):
    """y = x W' + b, with weights of zero until they are set: building a network draws no random numbers."""

    def reset_parameters(self) -> None:
        """Set weights and bias to zero."""
        nn.init.zeros_(self.weight)
        if self.bias is not None:
            nn.init.zeros_(self.bias)

    def forward(self, x: Tensor) -> Tensor:
        """Map [..., in_features] to [..., out_features]."""
        plain = x.device.type == "cpu" and x.dtype == torch.float32 and not torch.is_grad_enabled()
        if plain and _has_onednn_linear():
            return torch.ops.mkldnn._linear_pointwise(x, self.weight, self.bias, "none", [], "")
        return F.linear(x, self.weight, self.bias)


class PositionalEncoding(nn.Module):
    """x + scale * PE, PE[t, 2i] = sin(t w_i), PE[t, 2i + 1] = cos(t w_i), w_i = 10000^(-2i / D), t from 0."""

    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.tensor(1.0))  # learned

    def forward(self, x: Tensor) -> Tensor:
        """Add the encoding to x, [B, T, D]."""
        n_frames, dim = x.shape[1:]
        position = torch.arange(n_frames, dtype=torch.float32, device=x.device)[:, None]
        columns = torch.arange(0, dim, 2, dtype=torch.float32, device=x.device)
        angle = position * torch.exp(columns * -(math.log(10_000.0) / dim))  # [T, D / 2]
        encoding = torch.stack([angle.sin(), angle.cos()], dim=-1).flatten(1)  # interleaved, [T, D]
        return x + self.scale * encoding


class Attention(nn.Module):
    """softmax(Q K' / sqrt(d)) V per head, without biases.

    The projections are laid out as (d, H), not (H, d): row i * H + h of wq, wk and wv is dimension i of head
    h, and wo reads the merged heads in the same order.
    """

    def __init__(self, config: NetworkConfig):
        super().__init__()
        self.split = (config.head_dim, config.heads)
        projection = config.head_dim * config.heads
        self.wq = Linear(config.dim, projection, bias=False)
        self.wk = Linear(config.dim, projection, bias=False)
        self.wv = Linear(config.dim, projection, bias=False)
        self.wo = Linear(projection, config.dim, bias=False)

    def forward(self, x: Tensor, keys: Tensor | None) -> Tensor:
        """Attend over x, [B, T, D], at frames where ``keys`` [1, T] is true, or at all when it is None."""
        q, k, v = (
            w(x).unflatten(-1, self.split).permute(0, 3, 1, 2).contiguous()  # [B, T, d, H] -> [B, H, T, d]
            for w in (self.wq, self.wk, self.wv)
        )
        y = F.scaled_dot_product_attention(q, k, v, attn_mask=keys)
        return self.wo(y.permute(0, 2, 3, 1).flatten(2))  # [B, H, T, d] -> [B, T, d * H]


class TransformerLayer(nn.Module):
    """One ResiDual layer on the two branches (x0, x1); see `forward`. ``ff_layer`` is shared by its stack."""

    def __init__(self, config: NetworkConfig, ff_layer: nn.Module):
        super().__init__()
        self.att_layer = Attention(config)
        self.ff_layer = ff_layer
        self.norm1 = nn.LayerNorm(config.dim)
        self.norm2 = nn.LayerNorm(config.dim)

    def forward(self, x0: Tensor, x1: Tensor, keys: Tensor | None) -> tuple[Tensor, Tensor]:
        """a = att(x0); x0, x1 = LN1(x0 + a), x1 + a; f = ff(x0); (LN2(x0 + f), x1 + f). All [B, T, D]."""
        a = self.att_layer(x0, keys)
        x0, x1 = self.norm1(x0 + a), x1 + a
        f = self.ff_layer(x0)
        return self.norm2(x0 + f), x1 + f


class TransformerStack(nn.Module):
    """Layers that share one feed-forward module, W2 relu(W1 x + b1) + b2, and a final normalisation."""

    def __init__(self, config: NetworkConfig, n_layers: int):
        super().__init__()
        ff = nn.Sequential(Linear(config.dim, config.ff), nn.ReLU(inplace=True), Linear(config.ff, config.dim))
        self.encoder_layers = nn.ModuleList(TransformerLayer(config, ff) for _ in range(n_layers))
        self.final_norm = nn.LayerNorm(config.dim)

    def forward(self, x: Tensor, keys: Tensor | None, branch: int) -> tuple[list[Tensor], Tensor]:
        """Return the chosen branch after every layer, and x0 + final_norm(x1) of the last; all [B, T, D]."""
        branches = (x, x)
        activations = []
        for layer in self.encoder_layers:
            branches = layer(*branches, keys)
            activations.append(branches[branch])
        return activations, branches[0] + self.final_norm(branches[1])


class EncodecMAE(nn.Module):
    """Front end, linear projection, positional encoding, encoder; and the decoder of the masked autoencoder.

    A new instance has zero weights: use `checkpoint.load_checkpoint` or `checkpoint.untrained`.

    Parameters
    ----------
    config : NetworkConfig
        Sizes.

    References
    ----------
    Pepino, Riera and Ferrer 2023, "EnCodecMAE: leveraging neural codecs for universal audio representation
    learning", arXiv 2309.07391.
    """

    def __init__(self, config: NetworkConfig):
        super().__init__()
        self.config = config
        front_end = FRONT_ENDS[config.front_end](config)
        projection = Linear(front_end.n_features, config.dim)
        # The nesting below, ModuleDicts included, spells the published parameter names.
        self.wav_encoder = nn.ModuleDict({"encoder": front_end, "post_net": projection})
        self.masker = nn.ModuleDict({"positional_encoder": PositionalEncoding()})
        self.visible_encoder = TransformerStack(config, config.encoder_layers)
        self.visible_encoder.post_net = Linear(config.dim, config.dim)
        self.decoder = TransformerStack(config, config.decoder_layers)
        self.decoder.positional_encoder = PositionalEncoding()
        self.requires_grad_(False)
        self.eval()

    @torch.no_grad()
    def activations(
        self, wave: Tensor, *, branch: int = 0, last_layer: str = "summed", decoder: bool = False
    ) -> list[Tensor]:
        """Activations of every layer to one waveform, or to several of equal length, encoder layers first.

        The waveform is cut into chunks of ``config.chunk_samples`` without overlap; each is processed by
        itself, positions restarting, and the frames are concatenated. A last chunk of 2048 samples or fewer
        is dropped.

        Parameters
        ----------
        wave : Tensor
            Floating point, shape [N] or [B, N], at 24 kHz, nominally in [-1, 1].
        branch : {0, 1}
            Which residual branch is the activation of a layer: 0 normalised, 1 the sum of all sub-blocks.
        last_layer : {"summed", "branch"}
            What the last entry of each stack holds: its output x0 + final_norm(x1) (as published), or the
            chosen branch as for every other layer.
        decoder : bool
            Append the decoder's layers.

        Returns
        -------
        list of Tensor
            Float32, shape [T, D] each ([B, T, D] for a batch), on the device of the network. What the others of a
            batch are changes the values by rounding only.

        Raises
        ------
        ValueError
            For an unknown choice, or a waveform of another shape or type, or with values that are not finite.
        TooShortError
            For a waveform so short that no chunk is left.
        """
        if branch not in (0, 1):
            raise ValueError(f"branch: {branch!r} is neither 0 nor 1")
        if last_layer not in LAST_LAYER_RULES:
            raise ValueError(f"last_layer: {last_layer!r} is not one of {', '.join(LAST_LAYER_RULES)}")
        per_chunk = []
        for chunk in self._chunks(wave):
            per_chunk.append(self._chunk_activations(chunk, branch, last_layer == "summed", decoder))
        layers = [torch.cat(layer, dim=1) for layer in zip(*per_chunk, strict=True)]  # each [B, T, D]
        return [layer[0] for layer in layers] if wave.ndim == 1 else layers

    def _chunks(self, wave: Tensor) -> list[Tensor]:
        """Check waveforms and cut them, on the network's device, into the chunks to be processed, [B, n] each."""
        if wave.ndim not in (1, 2) or not wave.is_floating_point():
            raise ValueError(
                f"a waveform is a floating point tensor of shape [samples], or [waveforms, samples], "
                f"got {wave.dtype} of shape {list(wave.shape)}"
            )
        if not torch.isfinite(wave).all():
            raise ValueError(f"{int((~torch.isfinite(wave)).sum())} of {wave.numel()} samples are not finite")
        n_samples = wave.shape[-1]
        wave = wave.to(self.masker.get_parameter("positional_encoder.scale"))  # device and float32
        wave = wave if wave.ndim == 2 else wave[None]  # [B, N]
        chunks = [chunk for chunk in wave.split(self.config.chunk_samples, dim=1) if chunk.shape[1] > MIN_CHUNK]
        if not chunks:
            shortest = MIN_CHUNK + 1
            raise TooShortError(
                f"a waveform of {n_samples} samples is too short: at least {shortest} samples "
                f"({shortest / self.config.sample_rate:.4f} s at {self.config.sample_rate} Hz) are needed"
            )
        return chunks

    def _chunk_activations(self, chunk: Tensor, branch: int, summed: bool, decoder: bool) -> list[Tensor]:
        """Run one chunk, [B, n], through the network; return [B, T, D] for every layer."""
        x = self.wav_encoder["post_net"](self.wav_encoder["encoder"](chunk))
        valid = torch.arange(x.shape[1], device=x.device) < chunk.shape[1] // MASK_HOP  # [T]
        keys = None if valid.all() else valid[None, :]  # [1 for every query, T]
        x = self.masker["positional_encoder"](x)
        activations, out = self.visible_encoder(x, keys, branch)
        if summed:
            activations[-1] = out
        if decoder:
            x = self.visible_encoder.get_submodule("post_net")(out) * valid[:, None]
            x = self.decoder.get_submodule("positional_encoder")(x)
            decoded, out = self.decoder(x, keys, branch)
            if summed:
                decoded[-1] = out
            activations += decoded
        return activations
