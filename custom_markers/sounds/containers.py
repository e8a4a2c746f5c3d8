"""Whether a sound file holds all that its header declares, for every container that libsndfile reads.

libsndfile reads a file that was cut off without complaint and reports the frames that are left, so the header itself
must be asked. MP3, Ogg and FLAC are streams of blocks, see `streams`; the others state a size once, and are asked
here. Damage inside of samples that have no checksum of their own (PCM) cannot be seen in the file: there the checksum
of a DataLad dataset tells.
"""

import struct
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

from . import streams
from .presence import known_checksum
from .streams import Undeclared

# programs that stream write a placeholder near the largest size
_PLACEHOLDER = 0x7FFFFF00


class IncompleteError(ValueError):
    """A sound file lacks something, or nothing tells that it does not; the message goes on after the path."""


def check_complete(path: Path, form: str, samples: int, channels: int) -> None:
    """Compare what a sound file declares with what it holds.

    Parameters
    ----------
    path : Path
    form : str
        The container as libsndfile names it: "WAV", "AIFF", ...
    samples : int
        Frames that libsndfile announces.
    channels : int

    Raises
    ------
    IncompleteError
        Bytes are missing or damaged; or the container does not tell, and neither does a checksum.
    """
    known = known_checksum(path)
    if known is not None and not known.fits(path):
        raise IncompleteError(
            f"the file is damaged: it has not the checksum of its git-annex key {known.key}. Get it again: "
            "datalad drop --reckless availability, then datalad get."
        )
    try:
        if form in streams.CHECKS:
            damage = streams.CHECKS[form](path, samples)
            if damage is not None:
                raise IncompleteError(f"{damage} Get it again from its source.")
            return
        missing = _missing_bytes(path, form, channels)
    except Undeclared as reason:
        if known is None:
            known = known_checksum(path, ask_git=True)
            if known is None or not known.fits(path):
                raise IncompleteError(
                    f"whether the file is whole cannot be told: {reason} and no checksum of it is known. Write it "
                    "again as WAV or FLAC with its length, or keep it in a DataLad dataset, which knows a checksum."
                ) from reason
        return
    if missing is not None:
        raise IncompleteError(
            f"the file is truncated: its header declares {missing[0]} bytes of samples, {missing[1]} are there. Get it "
            "again from its source."
        )


def _missing_bytes(path: Path, form: str, channels: int) -> tuple[int, int] | None:
    """Return (declared, present) bytes of samples where some are missing, None where all are there.

    Raises
    ------
    Undeclared
    """
    reader = _READERS.get(form)
    if reader is None:
        raise Undeclared(f"the format {form} does not declare the length of a sound")
    length = path.stat().st_size
    with open(path, "rb") as file:
        try:
            declared, start = reader(file, channels)
        except (struct.error, ValueError, OverflowError):  # the header is cut off, or leads to where no file reaches
            raise IncompleteError(
                f"the file is truncated or its header damaged: no samples are found in its {length} bytes. Get it "
                "again from its source."
            ) from None
        if reader in (_riff, _form) and length - start > 2 * declared + 1:
            file.seek(start + declared + declared % 2)
            following = file.read(4)
            if not (following.isascii() and following.decode("ascii").isprintable()):
                raise IncompleteError(
                    f"the file is damaged: its header declares {declared} bytes of samples, behind which "
                    f"{length - start - declared} follow that belong to nothing. Get it again from its source."
                )
    present = max(0, length - start)
    return (declared, present) if declared > present else None


def _unpack(file: BinaryIO, layout: str) -> tuple:
    return struct.unpack(layout, file.read(struct.calcsize(layout)))


# Each of the following reads a header and returns the declared bytes of samples and where they begin.


def _riff(file: BinaryIO, channels: int) -> tuple[int, int]:
    """RIFF, RIFX (big-endian) and RF64 (64-bit sizes in the chunk ds64)."""
    kind, _, _ = _unpack(file, "<4s4s4s")
    number = ">I" if kind == b"RIFX" else "<I"
    long_size = None
    while True:
        chunk, raw = _unpack(file, "<4s4s")
        size = struct.unpack(number, raw)[0]
        if chunk == b"data":
            start = file.tell()
            if long_size is not None and size == 0xFFFFFFFF:
                return long_size, start
            if size >= _PLACEHOLDER or (size == 0 and file.read(1)):
                raise Undeclared("its header holds a placeholder for the length (a program wrote it while streaming)")
            return size, start
        body = file.read(16) if chunk == b"ds64" else b""
        if len(body) == 16:
            long_size = struct.unpack("<Q", body[8:])[0]
        file.seek(size + size % 2 - len(body), 1)


def _form(file: BinaryIO, channels: int) -> tuple[int, int]:
    """AIFF, AIFC (samples in SSND, behind offset and block size) and 8SVX, 16SV (in BODY)."""
    file.seek(12)
    while True:
        chunk, size = _unpack(file, ">4sI")
        if chunk in (b"SSND", b"BODY"):
            if size >= _PLACEHOLDER or (size == 0 and file.read(1)):
                raise Undeclared("its header holds a placeholder for the length (a program wrote it while streaming)")
            return size, file.tell()
        file.seek(size + size % 2, 1)


def _wave64(file: BinaryIO, channels: int) -> tuple[int, int]:
    """Sony Wave64: chunks named by 16 bytes, 64-bit sizes that include the 24 bytes of their header, steps of 8."""
    file.seek(40)  # `riff`, its size, `wave`
    while True:
        chunk, size = _unpack(file, "<16sQ")
        if chunk[:4] == b"data":
            return size - 24, file.tell()
        if size < 24:
            raise struct.error
        file.seek((size - 24 + 7) // 8 * 8, 1)


def _caf(file: BinaryIO, channels: int) -> tuple[int, int]:
    """Core Audio: 64-bit sizes, -1 for data that go on to the end of the file."""
    file.seek(8)
    while True:
        chunk, size = _unpack(file, ">4sq")
        if chunk == b"data":
            if size < 0:
                raise Undeclared("its header leaves the length open (a program wrote it while streaming)")
            return size, file.tell()
        file.seek(size, 1)


def _au(file: BinaryIO, channels: int) -> tuple[int, int]:
    """Sun/NeXT audio, either byte order; 0xFFFFFFFF for a length that is not known."""
    order = "<" if file.read(4) == b"dns." else ">"
    start, size = _unpack(file, f"{order}II")
    if size >= _PLACEHOLDER:
        raise Undeclared("its header holds a placeholder for the length (a program wrote it while streaming)")
    return size, start


def _nist(file: BinaryIO, channels: int) -> tuple[int, int]:
    """NIST/SPHERE: a text header whose second line is its own size."""
    lines = file.read(1024).split(b"\n")
    try:
        start = int(lines[1])
        file.seek(0)
        fields = [line.split(maxsplit=2) for line in file.read(start).split(b"\n")[2:]]
        values = {field[0]: field[2].strip() for field in fields if len(field) == 3}
        count = int(values[b"sample_count"])
        return count * int(values.get(b"channel_count", channels)) * int(values[b"sample_n_bytes"]), start
    except (IndexError, KeyError, ValueError):
        raise Undeclared("its header does not say how many samples there are (sample_count, sample_n_bytes)") from None


def _voc(file: BinaryIO, channels: int) -> tuple[int, int]:
    """Creative Voice: blocks of a kind and a 24-bit size; a byte 0, where it is written, ends the file."""
    file.seek(20)
    start = _unpack(file, "<H")[0]
    file.seek(start)
    declared = 0
    while file.read(1) not in (b"", b"\0"):
        size = int.from_bytes(_unpack(file, "<3s")[0], "little")
        declared += 4 + size
        file.seek(size, 1)
    return declared, start


def _avr(file: BinaryIO, channels: int) -> tuple[int, int]:
    """Audio Visual Research: bits of a sample at byte 14, frames at byte 26."""
    file.seek(14)
    bits = _unpack(file, ">H")[0]
    file.seek(26)
    return _unpack(file, ">I")[0] * channels * (bits // 8), 128


def _mpc(file: BinaryIO, channels: int) -> tuple[int, int]:
    """Akai MPC 2000: frames at byte 30, samples of 16 bits."""
    file.seek(30)
    return _unpack(file, "<I")[0] * channels * 2, 42


def _wve(file: BinaryIO, channels: int) -> tuple[int, int]:
    """Psion: bytes at byte 18."""
    file.seek(18)
    return _unpack(file, ">I")[0], 32


def _htk(file: BinaryIO, channels: int) -> tuple[int, int]:
    """Hidden Markov Toolkit: samples, period, bytes of a sample."""
    count, _, size = _unpack(file, ">IIH")
    return count * size, 12


def _mat4(file: BinaryIO, channels: int) -> tuple[int, int]:
    """MATLAB 4: matrices one behind the other, the last one is the sound."""
    declared = start = 0
    while head := file.read(4):
        order = "<" if head[:2] != b"\0\0" or head == b"\0\0\0\0" else ">"
        kind = struct.unpack(f"{order}I", head)[0]
        rows, columns, _, length = _unpack(file, f"{order}4I")
        file.seek(length, 1)
        declared, start = rows * columns * (8, 4, 4, 2, 2, 1)[min(kind // 10 % 10, 5)], file.tell()
        file.seek(declared, 1)
    return declared, start


def _mat5(file: BinaryIO, channels: int) -> tuple[int, int]:
    """MATLAB 5: elements of a kind and a size; the last one, a matrix, holds flags, sizes, a name and the samples.

    The size of the matrix as a whole is eight bytes too large in files that libsndfile wrote: that of its samples
    counts.
    """
    file.seek(126)
    order = "<" if file.read(2) == b"IM" else ">"
    matrix = size = 0
    while head := file.read(8):
        size, matrix = struct.unpack(f"{order}4xI", head)[0], file.tell()
        file.seek(size, 1)
    file.seek(matrix)
    for _ in range(3):
        kind, size = _unpack(file, f"{order}II")
        if not kind >> 16:  # short elements keep their content in the place of their size
            file.seek((size + 7) // 8 * 8, 1)
    _, size = _unpack(file, f"{order}II")
    return size, file.tell()


def _sds(file: BinaryIO, channels: int) -> tuple[int, int]:
    """MIDI sample dump: bits, then the length in three times seven bits; packets of 127 bytes, 120 of them samples."""
    file.seek(6)
    bits = _unpack(file, "<B")[0]
    file.seek(10)
    low, middle, high = _unpack(file, "<3B")
    per_packet = 120 // max(1, (bits + 6) // 7)
    return -(-(low | middle << 7 | high << 14) // per_packet) * 127, 21


# not here, because their headers hold no length: IRCAM, PAF, PVF, SD2, XI
_READERS: dict[str, Callable[[BinaryIO, int], tuple[int, int]]] = {
    **dict.fromkeys(("WAV", "WAVEX", "RF64"), _riff),
    **dict.fromkeys(("AIFF", "SVX"), _form),
    "W64": _wave64,
    "CAF": _caf,
    "AU": _au,
    "NIST": _nist,
    "VOC": _voc,
    "AVR": _avr,
    "MPC2K": _mpc,
    "WVE": _wve,
    "HTK": _htk,
    "MAT4": _mat4,
    "MAT5": _mat5,
    "SDS": _sds,
}
