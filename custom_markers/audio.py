"""Sound files to waveforms: reading with every check, mixing down, resampling."""

import math
import os
import struct
from pathlib import Path

import numpy as np


class AudioError(ValueError):
    """A sound file cannot be used; the message names the file and the reason."""


def _missing_bytes(path: Path) -> tuple[int, int] | None:
    """Compare the size of the samples that a WAVE header declares with what follows it.

    libsndfile reads a file that was cut off without complaint and reports the frames that are left, so the header
    itself must be asked. Understands RIFF, RIFX (big-endian) and RF64 (64-bit sizes).

    Returns
    -------
    (declared, present) in bytes where some are missing; None where all are there, or the format or a streamed header
    does not tell.
    """
    length = path.stat().st_size
    with open(path, "rb") as file:
        riff = file.read(12)
        if len(riff) < 12 or riff[:4] not in (b"RIFF", b"RIFX", b"RF64") or riff[8:] != b"WAVE":
            return None
        number = ">I" if riff[:4] == b"RIFX" else "<I"
        long_size = None
        while len(header := file.read(8)) == 8:
            chunk, size = header[:4], struct.unpack(number, header[4:])[0]
            if chunk == b"data":
                declared = long_size if size == 0xFFFFFFFF and long_size is not None else size
                present = length - file.tell()
                # programs that stream write a placeholder near the largest size
                streamed = declared >= 0x7FFFFF00 and long_size is None
                return None if streamed or declared <= present else (declared, present)
            body = file.read(16) if chunk == b"ds64" else b""
            if len(body) == 16:
                long_size = struct.unpack("<Q", body[8:])[0]
            file.seek(size + size % 2 - len(body), 1)
    return None


def read_audio(path: str | Path) -> tuple[np.ndarray, int]:
    """Read a sound file as one channel.

    Parameters
    ----------
    path : str or Path
        A file that libsndfile reads: WAV, FLAC, OGG, AIFF, MP3.

    Returns
    -------
    wave : ndarray, shape (samples,), float32
        Amplitude, integer formats scaled to [-1, 1); the mean over channels.
    rate : int
        Sampling rate in Hz.

    Raises
    ------
    AudioError
        Missing, empty, truncated or unreadable file, or samples that are not finite.
    """
    import soundfile

    path = Path(path)
    if not path.exists():
        kind = "is a link to content that is not here (`datalad get` brings it)" if path.is_symlink() else "is missing"
        raise AudioError(f"{path}: the sound file {kind}.")
    if path.stat().st_size == 0:
        raise AudioError(f"{path}: the file is empty (0 bytes); expected a sound file. Get it again.")
    if not os.access(path, os.R_OK):
        raise AudioError(f"{path}: the sound file cannot be read: no permission.")
    try:
        samples, rate = soundfile.read(path, dtype="float32", always_2d=True)  # [N, channels]
    except soundfile.LibsndfileError as error:
        raise AudioError(
            f"{path}: not a sound file that can be read ({error}). Allowed: {', '.join(soundfile.available_formats())}."
        ) from error
    if len(samples) == 0:
        raise AudioError(f"{path}: the file holds no samples (0 frames at {rate} Hz).")
    missing = _missing_bytes(path)
    if missing is not None:
        raise AudioError(
            f"{path}: the file is truncated: its header declares {missing[0]} bytes of samples, {missing[1]} are "
            "there. Get it again from its source."
        )
    bad = ~np.isfinite(samples)
    if bad.any():
        frame, channel = (int(i) for i in np.argwhere(bad)[0])
        raise AudioError(
            f"{path}: {int(bad.sum())} samples are not finite (the first at frame {frame} of channel {channel}, "
            f"{samples.shape[1]} channels). Features of it would be undefined; repair or leave out the file."
        )
    return samples.mean(axis=1), rate


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
