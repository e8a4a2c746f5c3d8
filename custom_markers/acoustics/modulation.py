"""Spectrotemporal modulation: the power of a cochleagram in 111 filters tuned to rate, scale and direction.

The filters are those of the SpectroTemporal baseline of Tuckute, Feather, Boebinger & McDermott 2023 (PLoS Biology),
after the cortical model of Chi, Ru & Shamma 2005 (J. Acoust. Soc. Am. 118).
"""

from functools import lru_cache

import numpy as np
import scipy  # which imports its parts when they are used

from .cochleagram import FRAME_RATE, N_CHANNELS

RATES = (0.0, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0)  # Hz
SCALES = (0.0, 0.0625, 0.125, 0.25, 0.5, 1.0, 2.0)  # cycles per ERB
# nominal: the channels lie 6.11 to an ERB
CHANNELS_PER_ERB = 6

# channels and frames of the transforms: as many zeros as channels, and two kernels of zeros, are appended
PADDED_CHANNELS = 2 * N_CHANNELS
KERNEL_FRAMES = 390
PADDING_FRAMES = 2 * KERNEL_FRAMES

FLOOR = 1e-8


def filter_order() -> list[tuple[int, float, float]]:
    """List (direction, scale, rate) of the 111 filters, in the order of the features.

    Direction -1 (rising) has every scale with every rate, those without a direction (scale or rate 0) among them;
    direction +1 (falling) has the others once more.
    """
    rising = [(-1, scale, rate) for scale in SCALES for rate in RATES]
    return rising + [(1, scale, rate) for scale in SCALES[1:] for rate in RATES[1:]]


@lru_cache(maxsize=1)
def temporal_filters(n_frames: int) -> np.ndarray:
    """Build the transfer functions of the nine rates, at the frequencies that are not negative.

    With t = n r / 200 and n = 0..389, the filter of a rate r > 0 has the impulse response

        h[n] = sin(2 pi t) t^2 exp(-3.5 t)

    less its mean; the magnitude of its transform is divided by its maximum and the phase kept, so that it stays
    causal. The fastest rate passes everything above its peak. Rate 0 passes the frequency 0 only and gives a third of
    the mean over the sound, which is a gain of 1 at the published length of 390 frames.

    Kernels and padding (780 frames) have the published lengths for every duration of sound, so that filters are the
    same filters for short and long sounds.

    Parameters
    ----------
    n_frames : int
        Frames of the cochleagram.

    Returns
    -------
    ndarray, shape (9, (n_frames + 780) // 2 + 1), complex, read-only
    """
    length = n_frames + PADDING_FRAMES
    filters = np.zeros((len(RATES), length // 2 + 1), dtype=complex)
    filters[0, 0] = length / (3 * n_frames)
    for row, rate in enumerate(RATES[1:], start=1):
        t = np.arange(KERNEL_FRAMES) * rate / FRAME_RATE
        kernel = np.sin(2 * np.pi * t) * t**2 * np.exp(-3.5 * t)
        transfer = scipy.fft.rfft(kernel - kernel.mean(), n=length)
        magnitude = np.abs(transfer)
        gain = magnitude / magnitude.max()
        if rate == RATES[-1]:
            gain[gain.argmax() :] = 1.0
        filters[row] = gain * np.exp(1j * np.angle(transfer))
    filters.setflags(write=False)
    return filters


def spectral_filters() -> np.ndarray:
    """Build the transfer functions of the seven scales.

    With f in cycles per ERB and R = (f / s)^2, a scale s > 0 has R exp(-R) divided by its maximum, which is real and
    even (no phase). The finest scale passes everything above its peak. Scale 0 passes the frequency 0 only: its output
    is the same in every channel.

    Returns
    -------
    ndarray, shape (7, 422)
        Frequencies in the order of the discrete Fourier transform.
    """
    f = np.abs(scipy.fft.fftfreq(PADDED_CHANNELS)) * CHANNELS_PER_ERB
    filters = np.zeros((len(SCALES), PADDED_CHANNELS))
    filters[0, 0] = 1.0
    for row, scale in enumerate(SCALES[1:], start=1):
        ratio = (f / scale) ** 2
        gain = ratio * np.exp(-ratio)
        filters[row] = gain / gain.max()
        if scale == SCALES[-1]:
            filters[row, f >= f[gain.argmax()]] = 1.0
    return filters


def modulation_power(cochleagram: np.ndarray) -> np.ndarray:
    """Compute the mean over time of the squared output of every filter, in every channel.

    The cochleagram C is padded with zeros at the end of both axes, H = S(f_s) T(f_t) is a scale times a rate with the
    quadrants sgn(f_t) sgn(f_s) = -direction set to 0 (where a frequency is 0 or the highest its sign is 0), and

        feature = mean over time of max(y^2, 1e-8),    y = inverse transform of (H times transform of C), cropped.

    Parameters
    ----------
    cochleagram : ndarray, shape (211, n_frames)

    Returns
    -------
    ndarray, shape (111, 211)
        Filters in the order of `filter_order`, channels from low to high.
    """
    n_frames = cochleagram.shape[1]
    length = n_frames + PADDING_FRAMES
    # real in time: the frequencies f_t >= 0 tell everything
    spectrum = scipy.fft.fft(scipy.fft.rfft(cochleagram, n=length, axis=1), n=PADDED_CHANNELS, axis=0)  # [f_s, f_t]
    sign_s = _signs(np.arange(PADDED_CHANNELS), PADDED_CHANNELS)
    sign_t = _signs(np.arange(spectrum.shape[1]), length)
    quadrant = sign_s[:, None] * sign_t
    temporal = dict(zip(RATES, temporal_filters(n_frames), strict=True))
    spectral = dict(zip(SCALES, spectral_filters(), strict=True))
    power = []
    last = None
    for direction, scale, rate in filter_order():
        if last != (direction, scale):
            last = (direction, scale)
            kept = np.where(quadrant == -direction, 0.0, spectral[scale][:, None])
            by_channel = scipy.fft.ifft(spectrum * kept, axis=0)[:N_CHANNELS]  # [K, f_t]
        output = scipy.fft.irfft(by_channel * temporal[rate], n=length, axis=1)[:, :n_frames]  # [K, T]
        power.append(np.maximum(output**2, FLOOR).mean(axis=1))
    return np.stack(power)


def _signs(index: np.ndarray, length: int) -> np.ndarray:
    """Return the sign of the frequency of each bin of a transform; 0 for the frequency 0 and for the highest one."""
    return np.sign(length - 2 * index) * (index > 0)
