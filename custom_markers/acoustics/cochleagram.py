"""The cochleagram: what the ear passes on, as smoothed and compressed envelopes of 211 cochlear channels.

The channels, their order, the downsampling kernel and the compression are those of the SpectroTemporal baseline of
Tuckute, Feather, Boebinger & McDermott 2023 (PLoS Biology). For two seconds of sound the result has 390 frames.
"""

import math
from functools import lru_cache

import numpy as np
import scipy  # which imports its parts when they are used

from ..sounds.audio import AudioError

SAMPLE_RATE = 20000  # Hz
FRAME_RATE = 200  # Hz
HOP = SAMPLE_RATE // FRAME_RATE

LOWEST, HIGHEST = 50.0, 10000.0  # Hz
N_BANDS = 203
# the filters overlap so that every frequency lies in 2 * OVERLAP bands; as many filters close the bank at either end
OVERLAP = 4
N_CHANNELS = N_BANDS + 2 * OVERLAP

KERNEL_LENGTH = 1001  # samples of the downsampling kernel, 50 ms
MIN_SAMPLES = SAMPLE_RATE // 5
FLOOR = 1e-8
EXPONENT = 0.3

# channels whose envelopes are computed at once: bounds the memory at 16 bytes * samples * CHANNEL_BLOCK
CHANNEL_BLOCK = 32


def erb(hertz: float | np.ndarray) -> np.ndarray:
    """E(f) = 9.265 ln(1 + f / (24.7 * 9.265)): frequency in Hz to the scale of equivalent rectangular bandwidths."""
    return 9.265 * np.log1p(np.asarray(hertz) / (24.7 * 9.265))


def centres() -> tuple[np.ndarray, float]:
    """Return the centres of the 203 bands in ERB, and their distance.

    They are the interior points of 205 equally spaced ones from E(50 Hz) to E(10000 Hz): 54.97 Hz to 9820.96 Hz.
    """
    points = np.linspace(erb(LOWEST), erb(HIGHEST), N_BANDS + 2)
    return points[1:-1], float(points[1] - points[0])


@lru_cache(maxsize=1)
def cochlear_filters(n_samples: int) -> np.ndarray:
    """Build the magnitudes of the 211 cochlear filters; their squares sum to 1 at every frequency.

    With E the ERB scale, c_k the centres and d their distance, the 203 bands are, between four filters for what lies
    below the first ones and four for what lies above the last ones,

        B_k(f) = cos(pi (E(f) - c_k) / (8 d))         where |E(f) - c_k| < 4 d, else 0
        low_i  = sqrt(1 - B_i(f)^2)                   where E(f) < c_i, else 0                 i = 0, 1, 2, 3
        high_i = sqrt(1 - B_(202-i)(f)^2)             where E(f) > c_(202-i), else 0           i = 3, 2, 1, 0

    all divided by 2.

    Parameters
    ----------
    n_samples : int
        Length of the sound, at 20 kHz.

    Returns
    -------
    ndarray, shape (211, n_samples // 2 + 1), read-only
        At the frequencies 0, 20000 / n_samples, ... of the discrete Fourier transform.
    """
    position = erb(np.arange(n_samples // 2 + 1) * (SAMPLE_RATE / n_samples))  # [F]
    centre, distance = centres()
    offset = position - centre[:, None]  # [203, F]
    inside = np.abs(offset) < OVERLAP * distance
    bands = np.where(inside, np.cos(np.pi * offset / (2 * OVERLAP * distance)), 0.0)
    below = np.where(offset[:OVERLAP] < 0, np.sqrt(1 - bands[:OVERLAP] ** 2), 0.0)
    above = np.where(offset[-OVERLAP:] > 0, np.sqrt(1 - bands[-OVERLAP:] ** 2), 0.0)
    filters = np.concatenate([below, bands, above]) / math.sqrt(OVERLAP)
    filters.setflags(write=False)
    return filters


def downsampling_kernel() -> np.ndarray:
    """Return h[n] = kaiser(1001, 5)[n] sinc(t / 100) / 100 with t = n - 500.5, which smooths before every 100th sample.

    The offset of half a sample is part of the published features, and so is a sum of 1.00094.
    """
    t = np.arange(KERNEL_LENGTH) - KERNEL_LENGTH / 2
    return np.kaiser(KERNEL_LENGTH, 5.0) * np.sinc(t / HOP) / HOP


def resample_polyphase(wave: np.ndarray, rate: int) -> np.ndarray:
    """Resample to 20 kHz with scipy's polyphase filter and its default window, by the reduced ratio.

    Parameters
    ----------
    wave : ndarray, shape (samples,)
    rate : int
        Sampling rate in Hz.

    Returns
    -------
    ndarray, shape (ceil(samples * 20000 / rate),), float64

    Raises
    ------
    AudioError
        The sound is constant: it cannot be scaled to a level.
    """
    wave = np.asarray(wave, dtype=np.float64)
    if np.ptp(wave) == 0:
        raise AudioError(f"the sound is silent: all of its {len(wave)} samples are {wave[0]:g}. Leave it out.")
    return scipy.signal.resample_poly(wave, SAMPLE_RATE, rate)


def slow_envelopes(wave: np.ndarray) -> np.ndarray:
    """Compute the envelopes of all channels at 200 Hz, before compression.

    The sound is freed of its mean and scaled to a root mean square of 0.1. With X its Fourier transform and W_k a
    cochlear filter, e = max(|inverse transform of (W_k X at the frequencies from 0 up, 0 at negative ones)|, 1e-8) and
    v[m] = sum over n of h[n] e[100 m + n], for every m at which the kernel lies inside the sound.

    Parameters
    ----------
    wave : ndarray, shape (n_samples,), float64
        At 20 kHz.

    Returns
    -------
    ndarray, shape (211, 1 + (n_samples - 1001) // 100)

    Raises
    ------
    AudioError
        The sound is shorter than 0.2 s.
    """
    n_samples = len(wave)
    if n_samples < MIN_SAMPLES:
        raise AudioError(
            f"a sound of {n_samples / SAMPLE_RATE:.3f} s is too short for spectrotemporal features: at least "
            f"{MIN_SAMPLES / SAMPLE_RATE:g} s are needed. Leave it out, or pad it knowingly."
        )
    wave = wave - wave.mean()
    wave = wave * (0.1 / np.sqrt((wave**2).mean()))
    spectrum = scipy.fft.rfft(wave)  # [F]
    filters = cochlear_filters(n_samples)  # [K, F]
    reversed_kernel = downsampling_kernel()[::-1]  # upfirdn convolves, the definition correlates
    first, n_frames = (KERNEL_LENGTH - 1) // HOP, 1 + (n_samples - KERNEL_LENGTH) // HOP
    envelopes = np.empty((N_CHANNELS, n_frames))
    for start in range(0, N_CHANNELS, CHANNEL_BLOCK):
        block = slice(start, start + CHANNEL_BLOCK)
        # `n` fills up with zeros: the analytic signal at half its usual size
        envelope = np.maximum(np.abs(scipy.fft.ifft(filters[block] * spectrum, n=n_samples)), FLOOR)  # [block, samples]
        envelopes[block] = scipy.signal.upfirdn(reversed_kernel, envelope, 1, HOP)[:, first : first + n_frames]
    return envelopes


def cochleagram(wave: np.ndarray) -> np.ndarray:
    """Compute the cochleagram C = 100 (max(v, 0) + 1e-8)^0.3 of the envelopes v of `slow_envelopes`.

    Parameters
    ----------
    wave : ndarray, shape (n_samples,), float64
        At 20 kHz.

    Returns
    -------
    ndarray, shape (211, 1 + (n_samples - 1001) // 100)
        Channels from low to high, 200 frames a second; 390 frames for 2 s.

    Raises
    ------
    AudioError
        The sound is shorter than 0.2 s.
    """
    return 100.0 * (np.maximum(slow_envelopes(wave), 0.0) + FLOOR) ** EXPONENT
