"""Nine numbers that describe a sound: level, spectral centroid and bandwidth, harmonicity, onset rate."""

import atexit
import os
import shutil
import tempfile
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from ..marker.base import AudioMarker
from ..marker.registration import register_marker
from ..running.preflight import MissingInputs
from ..sounds.audio import AudioError
from ..weights.record import cache_folder

SAMPLE_RATE = 24_000  # Hz
WINDOW = 1440  # samples, 60 ms: 4.5 periods of the lowest pitch, as Boersma advises for harmonicity
HOP = 240  # samples, 10 ms
N_FFT = 2048  # more than WINDOW + the longest lag: the autocorrelation does not wrap around
SILENT_DB = -160.0  # a sound without any louder frame is silent; the last bit of 24-bit audio is at -144 dB
SILENCE_DB = 60.0  # frames this far below the loudest one are silence
PITCH_RANGE = (75.0, 1000.0)  # Hz; the multiples of a shorter period lie in the range, too
FINER = 4  # the autocorrelation is interpolated to this fraction of a sample
HNR_LIMITS = (-10.0, 40.0)  # dB; the lower one is about what white noise gets
ONSET_DB = 2.0  # rise of the spectrum, mean over mel bands and above its local mean, that makes an onset

UNIT_NAMES = (
    "loudness_mean_db",
    "loudness_sd_db",
    "centroid_mean_hz",
    "centroid_sd_hz",
    "bandwidth_mean_hz",
    "bandwidth_sd_hz",
    "harmonicity_mean_db",
    "harmonicity_sd_db",
    "onset_rate_per_s",
)


def _librosa():
    """Import librosa, whose compiled functions numba would otherwise store inside the installed package.

    numba needs a folder that can be written to, or the import fails: `numba` in auralign's cache folder (or in
    AURALIGN_CACHE), a temporary one where that cannot be. NUMBA_CACHE_DIR, where the user has set it, has precedence.
    """
    if not os.environ.get("NUMBA_CACHE_DIR"):
        folder = cache_folder() / "numba"
        try:
            folder.mkdir(parents=True, exist_ok=True)
            tempfile.TemporaryFile(dir=folder).close()
        except OSError:
            folder = Path(tempfile.mkdtemp(prefix="auralign-numba-"))
            atexit.register(shutil.rmtree, folder, ignore_errors=True)
        os.environ["NUMBA_CACHE_DIR"] = str(folder)
    import numba

    numba.config.reload_config()  # somebody else may have imported numba before the folder was set
    import librosa

    return librosa


def power_spectra(wave: np.ndarray) -> np.ndarray:
    """|X_tk|^2 of Hann-windowed frames of 60 ms every 10 ms, without their means; whole frames only.

    Parameters
    ----------
    wave : ndarray, shape (samples,), float64
        At 24 kHz, at least 1440 samples.

    Returns
    -------
    ndarray, shape (frames, 1025), float64
    """
    frames = np.lib.stride_tricks.sliding_window_view(wave, WINDOW)[::HOP]  # [T, WINDOW]
    frames = frames - frames.mean(axis=1, keepdims=True)
    return np.abs(np.fft.rfft(frames * _hann(), N_FFT)) ** 2


def _hann() -> np.ndarray:
    return 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(WINDOW) / WINDOW)


def a_weighted_levels(power: np.ndarray) -> np.ndarray:
    """L_t = 10 log10(2 * mean over the frame of the A-weighted x^2), floored at 60 dB below the loudest frame.

    0 dB is a sine of full scale at 1 kHz. The weights are those of IEC 61672 (`librosa.A_weighting`), applied to the
    bins of the spectrum; the mean square follows from Parseval's theorem. The floor is relative, so that a gain
    shifts all levels alike, and keeps pauses finite.

    Parameters
    ----------
    power : ndarray, shape (frames, 1025)
        As `power_spectra` gives it.

    Returns
    -------
    ndarray, shape (frames,)
        dB.

    Raises
    ------
    AudioError
        No frame reaches -160 dB.
    """
    weights = np.zeros(power.shape[1])  # none at 0 Hz
    weights[1:] = 10 ** (_librosa().A_weighting(_frequencies()[1:]) / 10)
    weights[1:-1] *= 2  # the negative frequencies
    mean_square = power @ weights / (N_FFT * (_hann() ** 2).sum())
    loudest = mean_square.max()
    if 2 * loudest < 10 ** (SILENT_DB / 10):
        raise AudioError(
            f"the sound is silent: no frame of 60 ms reaches {SILENT_DB:g} dB re full scale. Level, spectral moments "
            "and harmonicity of silence are undefined. Leave it out."
        )
    return 10 * np.log10(2 * np.maximum(mean_square, loudest * 10 ** (-SILENCE_DB / 10)))


def _frequencies() -> np.ndarray:
    return np.arange(N_FFT // 2 + 1) * (SAMPLE_RATE / N_FFT)


def harmonicity(power: np.ndarray) -> np.ndarray:
    """HNR_t = 10 log10(r / (1 - r)), r = max over lags tau of (R_t(tau) / R_t(0)) / (R_w(tau) / R_w(0)).

    R_t is the autocorrelation of the windowed frame, R_w that of the window; tau runs over local maxima from 1 ms to
    13.3 ms (pitch 1000 to 75 Hz). Both are interpolated to a quarter of a sample (zero-padded spectrum) and the maximum
    by a parabola: between samples the peak of a sound with high harmonics is missed otherwise. Limited to -10..40 dB,
    because a maximum over lags is biased upwards: white noise has about -9 dB. A frame without any local maximum, as of
    a hum below 75 Hz, gets the lower limit.

    Parameters
    ----------
    power : ndarray, shape (frames, 1025)
        As `power_spectra` gives it, no frame without power.

    Returns
    -------
    ndarray, shape (frames,)
        dB.

    References
    ----------
    Boersma 1993, "Accurate short-term analysis of the fundamental frequency and the harmonics-to-noise ratio of a
    sampled sound", Proceedings of the Institute of Phonetic Sciences 17, 97-110.
    """
    shortest, longest = (round(FINER * SAMPLE_RATE / pitch) for pitch in reversed(PITCH_RANGE))
    window = _autocorrelation((np.abs(np.fft.rfft(_hann(), N_FFT)) ** 2)[None], longest + 2)
    best = np.full(len(power), -np.inf)
    for start in range(0, len(power), 256):  # the interpolated lags of all frames of a long sound would not fit
        r = _autocorrelation(power[start : start + 256], longest + 2) / window  # [256, lags]
        left, peak, right = r[:, shortest - 1 : -2], r[:, shortest:-1], r[:, shortest + 1 :]
        is_peak = (peak > left) & (peak >= right)
        curvature = np.where(is_peak, 2 * peak - left - right, 1.0)
        top = np.where(is_peak, peak + (right - left) ** 2 / (8 * curvature), -np.inf)
        best[start : start + 256] = top.max(axis=1)
    least, most = (1 / (1 + 10 ** (-limit / 10)) for limit in HNR_LIMITS)
    best = np.clip(best, least, most)
    return 10 * np.log10(best / (1 - best))


def _autocorrelation(power: np.ndarray, n_lags: int) -> np.ndarray:
    """R(tau) / R(0) at the first lags of a quarter of a sample each; [T, 1025] -> [T, n_lags]."""
    r = np.fft.irfft(power, FINER * N_FFT)[:, :n_lags]
    return r / r[:, :1]


def onset_rate(wave: np.ndarray) -> float:
    """Onsets per second: peaks of the rise in dB (mean over mel bands) that exceed their local mean by 2 dB.

    `librosa.onset.onset_strength` and `onset_detect` with hops of 10 ms and a threshold in dB in place of librosa's,
    which is relative to the largest rise and finds onsets in any steady noise. A constant is put before the sound, so
    that its beginning counts whether or not the file begins with silence.

    Parameters
    ----------
    wave : ndarray, shape (samples,), float64
        At 24 kHz, with mean 0 and a root mean square of 1 (librosa's floors are absolute).

    Returns
    -------
    float
        1/s.
    """
    onset = _librosa().onset
    padded = np.pad(wave, (SAMPLE_RATE // 5, 0), mode="edge")  # zeros would make a step where the mean is not 0
    strength = onset.onset_strength(y=padded, sr=SAMPLE_RATE, n_fft=WINDOW, hop_length=HOP)
    onsets = onset.onset_detect(
        onset_envelope=strength, sr=SAMPLE_RATE, hop_length=HOP, normalize=False, delta=ONSET_DB
    )
    return len(onsets) * SAMPLE_RATE / len(wave)


def acoustic_summary(wave: np.ndarray) -> np.ndarray:
    """Compute the nine numbers of `UNIT_NAMES`.

    Means and standard deviations are over frames; centroid, bandwidth and harmonicity over those that are not silence
    (less than 60 dB below the loudest). A gain shifts the loudness and leaves all else as it is.

    Parameters
    ----------
    wave : ndarray, shape (samples,)
        At 24 kHz, full scale 1.

    Returns
    -------
    ndarray, shape (9,), float64

    Raises
    ------
    AudioError
        The sound is shorter than 60 ms, or silent: then no measure is defined.
    """
    feature = _librosa().feature
    wave = np.asarray(wave, dtype=np.float64)
    if len(wave) < WINDOW:
        raise AudioError(
            f"a sound of {len(wave) / SAMPLE_RATE:.3f} s is too short: AcousticSummary needs {WINDOW / SAMPLE_RATE} s, "
            "one frame. Leave it out."
        )
    power = power_spectra(wave)
    levels = a_weighted_levels(power)
    sounding = power[levels > levels.max() - SILENCE_DB]
    magnitude = np.sqrt(sounding).T  # [1025, T], as librosa has it
    centroid = feature.spectral_centroid(S=magnitude, sr=SAMPLE_RATE, n_fft=N_FFT)[0]
    bandwidth = feature.spectral_bandwidth(S=magnitude, sr=SAMPLE_RATE, n_fft=N_FFT)[0]
    series = (levels, centroid, bandwidth, harmonicity(sounding))
    moments = [moment for values in series for moment in (values.mean(), values.std())]
    return np.array([*moments, onset_rate((wave - wave.mean()) / wave.std())])


@register_marker
class AcousticSummary(AudioMarker):
    """Loudness, spectral centroid and bandwidth, harmonicity (mean and standard deviation each), onset rate.

    One layer, `acoustic_summary`, of nine units in the order of `UNIT_NAMES`, which the metadata repeat
    (`unit_names`). Meant as confounds and as the simplest baseline; definitions in docs/acoustics.md. Needs librosa.
    """

    _DEPENDENCIES: ClassVar[set] = {"soundfile", "soxr"}  # librosa: in `prepare`, whose message says how to get it
    SAMPLE_RATE: ClassVar[int] = SAMPLE_RATE

    def prepare(self) -> None:
        """Make sure that librosa is installed."""
        if find_spec("librosa") is None:
            raise MissingInputs(
                f'{self.name}: the marker AcousticSummary needs librosa. Install it: pip install "auralign[acoustics]"'
            )

    def layer_names(self) -> dict[int, str]:
        """Return the one layer, `acoustic_summary`."""
        return {0: "acoustic_summary"}

    def identity(self) -> dict[str, Any]:
        """Return the names of the units, and the version of librosa that computed them."""
        self.prepare()
        return {"unit_names": list(UNIT_NAMES), "librosa": version("librosa")}

    def layers_of(self, wave: np.ndarray) -> list[np.ndarray]:
        """Compute the nine numbers."""
        self.prepare()
        try:
            return [acoustic_summary(wave)]
        except AudioError as error:
            raise AudioError(f"{self.name}: {error}") from error
