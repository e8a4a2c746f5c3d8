"""The log-mel front end of the ``mel256-*`` networks, as a PyTorch module.

Kaldi's filter bank (``compute-fbank-feats`` without dither and energy) at 24 kHz, with the window, hop and
normalisation that EnCodecMAE was trained with. Frames start at sample 0 and are never padded.
"""

import math

import torch
from torch import Tensor, nn

from ...sounds.audio import TooShortError

SAMPLE_RATE = 24_000
FRAME_LENGTH_MS = 26.56
FRAME_SHIFT_MS = 13.28
WINDOW = int(SAMPLE_RATE * FRAME_LENGTH_MS / 1000)  # 637.44 samples, truncated as Kaldi does
HOP = int(SAMPLE_RATE * FRAME_SHIFT_MS / 1000)  # 318.72 samples, truncated
N_FFT = 1024  # the next power of two
PREEMPHASIS = 0.97
LOWEST_HZ, HIGHEST_HZ = 20.0, 12_000.0
FLOOR = torch.finfo(torch.float32).eps  # 1.1920929e-7, keeps the logarithm of silence finite
NORM_MEAN, NORM_STD = -6.12, 4.82  # of the pretraining data, fixed by the authors


def n_frames(n_samples: int) -> int:
    """Return T = 1 + (N - 637) // 318, the number of whole windows in ``n_samples``; 0 below one window."""
    return 1 + (n_samples - WINDOW) // HOP if n_samples >= WINDOW else 0


def mel_filters(n_mels: int) -> Tensor:
    """Triangular filters, linear in mel(f) = 1127 ln(1 + f / 700), over the FFT bins.

    Filter i rises from edge i to edge i + 1 and falls to edge i + 2; the n_mels + 2 edges are equidistant in
    mel between 20 and 12000 Hz. Filters are not normalised by area. At the low end, a filter narrower than an
    FFT bin can be empty (with 256 filters: 1, 4, 9, 14 and 19).

    Parameters
    ----------
    n_mels : int
        Number of filters, at least 1.

    Returns
    -------
    Tensor
        Float32, shape [513, n_mels]; row k is the bin at k * 24000 / 1024 Hz. The last bin has weight 0.

    Raises
    ------
    ValueError
        If ``n_mels`` is below 1.

    References
    ----------
    Kaldi, ``feat/mel-computations.cc``; the float32 arithmetic follows ``torchaudio.compliance.kaldi``.
    """
    if n_mels < 1:
        raise ValueError(f"the number of mel filters must be at least 1, got {n_mels}")
    lowest = 1127.0 * math.log(1.0 + LOWEST_HZ / 700.0)
    highest = 1127.0 * math.log(1.0 + HIGHEST_HZ / 700.0)
    step = (highest - lowest) / (n_mels + 1)
    index = torch.arange(n_mels)  # [M]
    left, centre, right = (lowest + (index + offset) * step for offset in (0.0, 1.0, 2.0))
    hertz = torch.arange(N_FFT // 2) * (SAMPLE_RATE / N_FFT)
    mel = (1127.0 * (1.0 + hertz / 700.0).log())[:, None]  # [512, 1]
    rising = (mel - left) / (centre - left)
    falling = (right - mel) / (right - centre)
    weights = torch.minimum(rising, falling).clamp_min(0.0)
    return torch.cat([weights, weights.new_zeros(1, n_mels)])


class MelFrontEnd(nn.Module):
    """Waveform to normalised log-mel frames, (ln max(F |rfft(w y)|^2, eps) + 6.12) / 4.82.

    Here y[i] = x[i] - 0.97 x[i - 1], y[0] = 0.03 x[0], for a frame x whose mean was removed; w is the
    symmetric Hann window and F the mel filters. Window and filters are buffers that follow ``.to(device)``;
    they are kept out of the state dict, since the published checkpoints do not hold them.

    Parameters
    ----------
    n_mels : int
        Number of mel filters; 256 in the published networks.
    """

    window: Tensor
    filters: Tensor

    def __init__(self, n_mels: int):
        super().__init__()
        self.n_features = n_mels
        window = torch.hann_window(WINDOW, periodic=False, dtype=torch.float32)
        self.register_buffer("window", window, persistent=False)
        self.register_buffer("filters", mel_filters(n_mels), persistent=False)

    def forward(self, wave: Tensor) -> Tensor:
        """Compute the frames of a batch of waveforms.

        Parameters
        ----------
        wave : Tensor
            Float32, shape [B, N], at 24 kHz, nominally in [-1, 1].

        Returns
        -------
        Tensor
            Float32, shape [B, T, n_mels], T = 1 + (N - 637) // 318.

        Raises
        ------
        ValueError
            If ``wave`` is not [B, N] float32.
        TooShortError
            If it is shorter than one window of 637 samples.
        """
        if wave.ndim != 2 or wave.dtype != torch.float32:
            raise ValueError(
                f"the mel front end takes a float32 tensor of shape [batch, samples], "
                f"got {wave.dtype} of shape {list(wave.shape)}"
            )
        if wave.shape[1] < WINDOW:
            raise TooShortError(
                f"{wave.shape[1]} samples are fewer than one mel window, {WINDOW} samples at {SAMPLE_RATE} Hz"
            )
        frames = wave.unfold(-1, WINDOW, HOP)  # [B, T, 637]
        frames = frames - frames.mean(-1, keepdim=True)
        previous = torch.cat([frames[..., :1], frames[..., :-1]], dim=-1)
        spectrum = torch.fft.rfft((frames - PREEMPHASIS * previous) * self.window, n=N_FFT)
        power = spectrum.real.square() + spectrum.imag.square()  # [B, T, 513]
        energy = power @ self.filters  # [B, T, M]
        return (energy.clamp_min(FLOOR).log() - NORM_MEAN) / NORM_STD


def normalised_mel(wave: Tensor, n_mels: int) -> Tensor:
    """Return ``MelFrontEnd(n_mels)(wave)``, [B, N] float32 at 24 kHz to [B, T, n_mels], on the wave's device.

    To process many waveforms, build one `MelFrontEnd` and call that: it keeps its filters.
    """
    return MelFrontEnd(n_mels).to(wave.device)(wave)
