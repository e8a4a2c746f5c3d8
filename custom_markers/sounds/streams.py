"""Whether an MP3, Ogg or FLAC stream is whole: every block is walked through, and compared with what is announced."""

import struct
import zlib
from collections.abc import Callable
from pathlib import Path


class Undeclared(Exception):
    """The file does not say how much it should hold; the message says why not."""


# ---------------------------------------------------------------------------------------------- Ogg

_PAGE = struct.Struct("<4sBBqIIIB")  # `OggS`, version, flags, granule position, stream, page number, CRC, segments
_END_OF_STREAM = 0x04
_MIRRORED = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))


def ogg_crc(page: bytes) -> int:
    """CRC-32 of Ogg: polynomial 0x04C11DB7, most significant bit first, begun with 0 (RFC 3533).

    zlib's is the same with the bits of every byte mirrored, begun with all bits set and inverted in the end.
    """
    mirrored = zlib.crc32(page.translate(_MIRRORED), 0xFFFFFFFF) ^ 0xFFFFFFFF
    return int(f"{mirrored:032b}"[::-1], 2)


def ogg_damage(path: Path, samples: int) -> str | None:
    """Check the pages of an Ogg file: their checksums and numbers, and that every stream has an end.

    Parameters
    ----------
    path : Path
    samples : int
        Not used: an Ogg file states its length at its end.

    Returns
    -------
    str or None
        A sentence, where something is wrong.
    """
    content = path.read_bytes()
    at = 0
    number: dict[int, int] = {}  # of the next page, by stream
    open_streams: set[int] = set()
    while at < len(content):
        header = content[at : at + _PAGE.size]
        if len(header) < _PAGE.size or header[:4] != b"OggS":
            reason = "ends inside the header of a page" if header[:4] == b"OggS" else "has no page where one must begin"
            return f"the file is damaged or truncated: at byte {at} of {len(content)} it {reason}."
        _, _, flags, _, stream, page_number, crc, segments = _PAGE.unpack(header)
        lacing = content[at + _PAGE.size : at + _PAGE.size + segments]
        end = at + _PAGE.size + segments + sum(lacing)
        if len(lacing) < segments or end > len(content):
            return f"the file is truncated: it ends at byte {len(content)}, inside a page that goes on to {end}."
        page = content[at : at + 22] + b"\0\0\0\0" + content[at + 26 : end]
        if ogg_crc(page) != crc:
            return f"the file is damaged: the page at byte {at} has not the checksum that it states."
        if page_number != number.get(stream, page_number):
            return f"the file is damaged: before the page at byte {at} some are missing ({page_number} follows)."
        number[stream] = page_number + 1
        (open_streams.discard if flags & _END_OF_STREAM else open_streams.add)(stream)
        at = end
    if open_streams:
        return "the file is truncated: its last page is not marked as the end of the stream."
    return None


# ---------------------------------------------------------------------------------------------- MP3

_KBIT = {  # kbit/s by (MPEG-1, layer)
    (True, 1): (0, 32, 64, 96, 128, 160, 192, 224, 256, 288, 320, 352, 384, 416, 448),
    (True, 2): (0, 32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384),
    (True, 3): (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    (False, 1): (0, 32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256),
    (False, 2): (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
}
_KBIT[False, 3] = _KBIT[False, 2]
_RATES = {3: (44100, 48000, 32000), 2: (22050, 24000, 16000), 0: (11025, 12000, 8000)}  # Hz by the bits of the version


def mp3_frame(head: bytes) -> tuple[int, int] | None:
    """Read the header of an MPEG audio frame.

    Parameters
    ----------
    head : bytes
        The first four of the frame.

    Returns
    -------
    (length in bytes, samples per channel), or None where this is no header or it leaves the length open.
    """
    if len(head) < 4 or head[0] != 0xFF or head[1] & 0xE0 != 0xE0:
        return None
    version, layer = head[1] >> 3 & 3, 4 - (head[1] >> 1 & 3)
    kbit, rate, padding = head[2] >> 4, head[2] >> 2 & 3, head[2] >> 1 & 1
    if version == 1 or layer == 4 or kbit in (0, 15) or rate == 3:
        return None
    first = version == 3
    bits_per_second, hertz = 1000 * _KBIT[first, layer][kbit], _RATES[version][rate]
    if layer == 1:
        return (12 * bits_per_second // hertz + padding) * 4, 384
    samples = 1152 if first or layer == 2 else 576
    return samples // 8 * bits_per_second // hertz + padding, samples


def _announced_frames(first: bytes) -> int | None:
    """Return the number of frames that a header frame (Xing, Info, VBRI) announces; None in any other frame."""
    for name in (b"Xing", b"Info"):
        at = first.find(name, 4, 44)
        if at > 0 and len(first) >= at + 12 and first[at + 7] & 1:
            return int.from_bytes(first[at + 8 : at + 12], "big")
    if first[36:40] == b"VBRI" and len(first) >= 54:
        return int.from_bytes(first[50:54], "big")
    return None


def mp3_damage(path: Path, samples: int) -> str | None:
    """Walk through the frames of an MP3 file, and compare their number with the header frame and with libsndfile's.

    Parameters
    ----------
    path : Path
    samples : int
        Samples per channel that libsndfile announces. Without a header frame it concludes them from the bit rate of
        the first frame, wrongly where that varies, and would read a part of the sound.

    Returns
    -------
    str or None
        A sentence, where something is wrong.
    """
    content = path.read_bytes()
    at, end = _behind_tags(content), _before_tags(content)
    announced, frames, total = None, 0, 0
    while at < end:
        frame = mp3_frame(content[at : at + 4])
        if frame is None:
            return f"the file is damaged: at byte {at} of {len(content)}, behind {frames} frames, no frame begins."
        length, per_frame = frame
        if at + length > end:
            return f"the file is truncated: it ends inside a frame, {at + length - end} of {length} bytes are missing."
        if frames == 0 and announced is None:
            announced = _announced_frames(content[at : at + length])
            if announced is not None:
                at += length
                continue
        frames, total, at = frames + 1, total + per_frame, at + length
    if announced is not None:
        # some programs count the header frame itself
        return (
            f"the file is truncated: its header announces {announced} frames, {frames} are there."
            if frames < announced - 1 or (frames == announced - 1 and not _counts_itself(content, announced))
            else None
        )
    if frames and samples < total - 2 * per_frame:
        return (
            f"its {total} samples cannot be read in full ({samples} would be): it has no header frame (Xing, Info) "
            "that states its length, and its bit rate varies. Write it again as WAV or FLAC."
        )
    return None


def _counts_itself(content: bytes, announced: int) -> bool:
    """Tell whether a file with one frame less than announced has all the bytes that its header frame announces."""
    at = _behind_tags(content)
    first = content[at : at + 64]
    field = max(first.find(b"Xing"), first.find(b"Info"))
    if field < 0 or not first[field + 7] & 2:
        return False
    return int.from_bytes(first[field + 12 : field + 16], "big") <= _before_tags(content) - at


def _behind_tags(content: bytes) -> int:
    """Return where the first frame begins, behind tags of ID3 version 2."""
    at = 0
    while content[at : at + 3] == b"ID3" and len(content) >= at + 10:
        size = 0
        for byte in content[at + 6 : at + 10]:
            size = size << 7 | byte & 0x7F
        at += 10 + size + (10 if content[at + 5] & 0x10 else 0)
    return at


def _before_tags(content: bytes) -> int:
    """Return where the last frame ends, before tags of ID3 version 1, Lyrics3 and APE."""
    end = len(content)
    while True:
        if content[max(0, end - 128) : end][:3] == b"TAG" and end >= 128:
            end -= 128
        elif content[max(0, end - 32) : end][:8] == b"APETAGEX" and end >= 32:
            size, _, flags = struct.unpack("<III", content[end - 20 : end - 8])
            end -= size + (32 if flags >> 31 else 0)
        elif content[max(0, end - 9) : end] == b"LYRICS200":
            digits = content[end - 15 : end - 9]
            end -= int(digits) + 15 if digits.isdigit() else 9
        else:
            return max(end, 0)


# ---------------------------------------------------------------------------------------------- FLAC


def flac_damage(path: Path, samples: int) -> str | None:
    """Compare the length that a FLAC header states with libsndfile's, which checks all frames while it decodes.

    Raises
    ------
    Undeclared
        The header leaves the length open.
    """
    with open(path, "rb") as file:
        head = file.read(10)
        start = _behind_tags(head + bytes(10)) if head[:3] == b"ID3" else 0
        file.seek(start)
        head = file.read(42)
    if head[:4] != b"fLaC" or len(head) < 42:
        return "the file is damaged: it does not begin with the description of a FLAC stream."
    stated = int.from_bytes(head[21:26], "big") & 0xFFFFFFFFF  # 36 bits
    if stated == 0:
        raise Undeclared("its header leaves the length open (a program wrote it while streaming)")
    if stated != samples:
        return f"the file is damaged: its header states {stated} samples, {samples} can be read."
    return None


CHECKS: dict[str, Callable[[Path, int], str | None]] = {"OGG": ogg_damage, "MP3": mp3_damage, "FLAC": flac_damage}
