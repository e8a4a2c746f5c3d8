"""The log-mel front end of Whisper, as a PyTorch module.

Short-time power spectra at 16 kHz, 25-ms periodic Hann windows every 10 ms, in 80 or 128 triangular mel bands of equal
area (Slaney's Auditory Toolbox); logarithm to base 10, cut off 8 decades below the loudest value.
"""

import math

import torch
from torch import Tensor, nn

SAMPLE_RATE = 16_000
N_FFT = 400
HOP = 160
FLOOR = 1e-10  # keeps the logarithm of silence finite
DECADES = 8.0  # dynamic range that is kept below the loudest value

# Slaney's mel scale: linear below 1 kHz, 27 steps per factor of 6.4 above
HERTZ_PER_MEL = 200.0 / 3.0
BREAK_HERTZ = 1000.0
BREAK_MEL = BREAK_HERTZ / HERTZ_PER_MEL
LOG_STEP = math.log(6.4) / 27.0


def mel_to_hertz(mel: Tensor) -> Tensor:
    """Return f = 200/3 m below 15 mel, 1000 exp((m - 15) ln(6.4) / 27) above."""
    return torch.where(mel < BREAK_MEL, HERTZ_PER_MEL * mel, BREAK_HERTZ * torch.exp(LOG_STEP * (mel - BREAK_MEL)))


def mel_filters(n_mels: int) -> Tensor:
    """Triangles over the FFT bins, equidistant in mel from 0 to 8000 Hz, each with an area of 1.

    With the n_mels + 2 edges e in Hz, filter i is max(0, min((f - e_i) / (e_{i+1} - e_i),
    (e_{i+2} - f) / (e_{i+2} - e_{i+1}))) * 2 / (e_{i+2} - e_i).

    Parameters
    ----------
    n_mels : int
        Number of filters; 80 in Whisper, 128 in large-v3 and turbo.

    Returns
    -------
    Tensor
        Float32, shape [n_mels, 201]; column k is the bin at 40 k Hz.

    References
    ----------
    Slaney 1998, Auditory Toolbox version 2, Interval Research technical report 1998-010 (mfcc.m).
    """
    highest = BREAK_MEL + math.log(SAMPLE_RATE / 2 / BREAK_HERTZ) / LOG_STEP
    edges = mel_to_hertz(torch.linspace(0.0, highest, n_mels + 2, dtype=torch.float64))[:, None]  # [M + 2, 1]
    hertz = torch.arange(N_FFT // 2 + 1, dtype=torch.float64) * (SAMPLE_RATE / N_FFT)  # [201]
    left, centre, right = edges[:-2], edges[1:-1], edges[2:]
    triangles = torch.minimum((hertz - left) / (centre - left), (right - hertz) / (right - centre)).clamp_min(0.0)
    return (triangles * 2.0 / (right - left)).float()


class LogMel(nn.Module):
    """Waveform to (max(l, max(l) - 8) + 4) / 4, where l = log10(max(F |stft|^2, 1e-10)).

    Frame t is centred on sample 160 t; the ends of the waveform are mirrored for the frames that reach beyond it, and
    the frame centred on its very end is left out. The inner maximum is over all frames and bands of one waveform.

    Parameters
    ----------
    n_mels : int
        Number of mel bands M.
    """

    window: Tensor
    filters: Tensor

    def __init__(self, n_mels: int):
        super().__init__()
        # made from constants and not in the checkpoints: kept out of the state dict
        self.register_buffer("window", torch.hann_window(N_FFT), persistent=False)
        self.register_buffer("filters", mel_filters(n_mels), persistent=False)

    def forward(self, waves: Tensor) -> Tensor:
        """Compute the frames of waveforms at 16 kHz: float32 [B, N], N at least 201, to [B, M, N // 160]."""
        spectrum = torch.stft(
            waves, N_FFT, HOP, window=self.window, center=True, pad_mode="reflect", return_complex=True
        )[..., :-1]  # [B, 201, T]
        power = spectrum.real.square() + spectrum.imag.square()
        log = (self.filters @ power).clamp_min(FLOOR).log10()  # [B, M, T]
        loudest = log.amax(dim=(1, 2), keepdim=True)
        return (torch.maximum(log, loudest - DECADES) + 4.0) / 4.0
