"""What the responses of the built-in study are made of: energies of a sound in bands, and signals from them."""

import numpy as np

RATE = 44100


def band_energies(sound: np.ndarray) -> tuple[np.ndarray, np.ndarray, float]:
    """Log10 energy of one sound in 20 bands from 60 to 7600 Hz, [T, 20]; their centres, [20] Hz; the step in seconds.

    `sound`: int16 [N].
    """
    window = np.hanning(1024)
    power = np.square(np.abs(np.fft.rfft(_frames(sound, 1024, 441) * window)))  # [T, 513]
    bins = np.searchsorted(np.fft.rfftfreq(1024, 1 / RATE), np.geomspace(60, 7600, 21))
    bins = np.maximum(bins, bins[0] + np.arange(21))  # every band holds at least one bin
    energy = np.log10(np.add.reduceat(power[:, : bins[-1]], bins[:-1], axis=1) + 1e-6)
    return energy, bins[:-1] * RATE / 1024, 441 / RATE


def acoustics(sound: np.ndarray) -> np.ndarray:
    """The first five signals of the table of `study` for one sound, before standardisation and category: [5].

    `sound`: int16 [N]. Harmonicity follows Boersma (1993): the autocorrelation of a windowed frame over that
    of the window, its highest value within the lags, averaged over frames with their energy as weight.
    """
    energy, centre, _ = band_energies(sound)
    mean = energy.mean(0)

    modulation = np.square(np.abs(np.fft.rfft(energy - mean, axis=0)))  # [T // 2 + 1, 20]
    rate = np.fft.rfftfreq(len(energy), 441 / RATE)
    syllabic = modulation[np.ix_((rate >= 4) & (rate <= 8), (centre > 300) & (centre < 3500))]

    window = np.hanning(2048)
    frames = _frames(sound, 2048, 1024) * window
    of_frames, of_window = (np.fft.irfft(np.square(np.abs(np.fft.rfft(x, 4096)))) for x in (frames, window))
    lags = slice(int(0.0015 * RATE), int(0.015 * RATE))
    peak = np.max(of_frames[:, lags] / of_window[lags], axis=1) * of_window[0]  # harmonicity x energy
    return np.array([
        mean[centre < 400].mean() - 0.5 * mean.mean(),
        mean[(centre > 3000) & (centre < 7000)].mean() - 0.5 * mean.mean(),
        mean[(centre > 1000) & (centre < 4000)].mean() + energy.std(0).mean(),
        peak.sum() / of_frames[:, 0].sum(),
        np.sqrt(syllabic.sum(0)).mean(),
    ])  # fmt: skip


def _frames(sound: np.ndarray, length: int, hop: int) -> np.ndarray:
    """[frame, length] views of a sound, in units of full scale."""
    return np.lib.stride_tricks.sliding_window_view(sound / 32768, length)[::hop]
