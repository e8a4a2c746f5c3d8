"""Sound files to waveforms: reading with every check, mixing down, resampling."""

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from .containers import IncompleteError, check_complete
from .presence import problem_of


class AudioError(ValueError):
    """A sound file cannot be used; the message names the file and the reason."""


class TooShortError(AudioError):
    """A sound has fewer samples than a computation needs."""


@dataclass(frozen=True)
class Recording:
    """A sound as it is in its file.

    Attributes
    ----------
    samples : ndarray, shape (frames, channels), float32
        Integer formats scaled to [-1, 1).
    rate : int
        Sampling rate in Hz.
    bits : int or None
        Of a sample in the file; None where samples are no whole numbers (floats, and codings such as MP3).
    """

    samples: np.ndarray
    rate: int
    bits: int | None


_ALLOWED = "Allowed: WAV, FLAC, AIFF, AU, CAF, W64, RF64, OGG, MP3 and what else libsndfile reads."
# bits of the codings whose samples are whole numbers
_BITS = {"PCM_S8": 8, "PCM_U8": 8, "PCM_16": 16, "PCM_24": 24, "PCM_32": 32} | {
    f"ALAC_{bits}": bits for bits in (16, 20, 24, 32)
}


def read_recording(path: str | Path) -> Recording:
    """Read a sound file with all its channels, after every check of whether it is whole.

    Parameters
    ----------
    path : str or Path
        A file that libsndfile reads: WAV, FLAC, OGG, AIFF, MP3, ...

    Raises
    ------
    AudioError
        There is no such file, or something else at its place; it is empty, truncated, damaged or unreadable, nothing
        tells whether it is whole (see `containers`), or its samples are not finite.
    """
    import soundfile

    path = Path(path)
    problem = problem_of(path)
    if problem is not None:
        raise AudioError(f"{path}: {problem}")
    if path.suffix.lower() == ".raw":
        raise AudioError(f"{path}: a raw file does not say its sampling rate and coding. Write it as WAV or FLAC.")
    try:
        # what follows raises OSError where a disk or a network drive fails
        with soundfile.SoundFile(path) as sound:
            if sound.format == "RAW":  # a guess of libsndfile from endings like .snd, .vox and .gsm
                raise AudioError(f"{path}: not a sound file that can be read (it has no header). {_ALLOWED}")
            check_complete(path, sound.format, sound.frames, sound.channels)
            if sound.seekable():
                sound.seek(0)  # as soundfile.read does: the last bits of MP3 depend on it
            samples = sound.read(frames=sound.frames, dtype="float32", always_2d=True)  # [N, channels]
            announced, rate, subtype = sound.frames, sound.samplerate, sound.subtype
    except IncompleteError as error:
        raise AudioError(f"{path}: {error}") from error
    except soundfile.LibsndfileError as error:
        raise AudioError(
            f"{path}: not a sound file that can be read ({error}), or a damaged one. {_ALLOWED}"
        ) from error
    except OSError as error:
        raise AudioError(f"{path}: the sound file cannot be read: {error.strerror or error}.") from error
    if len(samples) != announced:
        raise AudioError(
            f"{path}: the file is truncated or damaged: {announced} frames are announced, {len(samples)} can be "
            "decoded. Get it again from its source."
        )
    if len(samples) == 0:
        raise AudioError(f"{path}: the file holds no samples (0 frames at {rate} Hz).")
    bad = ~np.isfinite(samples)
    if bad.any():
        frame, channel = (int(i) for i in np.argwhere(bad)[0])
        raise AudioError(
            f"{path}: {int(bad.sum())} samples are not finite (the first at frame {frame} of channel {channel}, "
            f"{samples.shape[1]} channels). Features of it would be undefined; repair or leave out the file."
        )
    return Recording(samples, rate, _BITS.get(subtype))


def read_audio(path: str | Path) -> tuple[np.ndarray, int]:
    """Read a sound file as one channel.

    Parameters
    ----------
    path : str or Path
        As in `read_recording`, and so the errors.

    Returns
    -------
    wave : ndarray, shape (samples,), float32
        Amplitude, integer formats scaled to [-1, 1); the mean over channels.
    rate : int
        Sampling rate in Hz.

    Raises
    ------
    AudioError
    """
    recording = read_recording(path)
    return recording.samples.mean(axis=1), recording.rate


def resample(wave: np.ndarray, rate: int, target_rate: int) -> np.ndarray:
    """Resample with soxr's HQ filter to ceil(N * target_rate / rate) samples.

    The published EnCodecMAE features are made from this filter and this length, whose ceiling is taken in floating
    point: 88200 samples at 44.1 kHz become 48001 at 24 kHz, the last one a zero.

    Parameters
    ----------
    wave : ndarray, shape (samples,), float32
    rate, target_rate : int
        Sampling rates in Hz.

    Returns
    -------
    ndarray, shape (ceil(samples * target_rate / rate),), float32
    """
    if rate == target_rate:
        return wave
    import soxr

    resampled = soxr.resample(wave, rate, target_rate, "HQ")
    length = math.ceil(len(wave) * (float(target_rate) / rate))
    return np.pad(resampled[:length], (0, max(0, length - len(resampled)))).astype(np.float32)
