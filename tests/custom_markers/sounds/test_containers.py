"""Sounds that are not whole, in every container that libsndfile writes: refused; whole ones: read to the bit."""

import hashlib
import re
import struct

import numpy as np
import pytest
import soundfile

from custom_markers.sounds.audio import AudioError, read_audio, read_recording
from custom_markers.sounds.presence import known_checksum
from custom_markers.sounds.streams import mp3_frame, ogg_crc

# the headers of these do not say how long the sound is; RAW has none; XI is an instrument, not a sound
SILENT_ABOUT_LENGTH = {"IRCAM", "PAF", "PVF", "SD2"}
CODINGS = {"CAF": ["PCM_16", "FLOAT", "ALAC_16"], "OGG": ["VORBIS", "OPUS"], "WAV": ["PCM_16", "IMA_ADPCM", "GSM610"]}
FORMATS = [
    (form, subtype)
    for form in soundfile.available_formats()
    if form not in {"RAW", "XI", *SILENT_ABOUT_LENGTH}
    for subtype in CODINGS.get(form, [soundfile.default_subtype(form)])
]
CHECKED_STREAMS = [pair for pair in FORMATS if pair[0] in ("OGG", "MP3", "FLAC")]


def written(path, form, subtype, channels=1, endian=None):
    """Two seconds of noise at 16 kHz; the container is in the header, not in the name."""
    noise = 0.1 * np.random.default_rng(0).standard_normal((32000, channels)).astype(np.float32)
    soundfile.write(path, noise, 16000, format=form, subtype=subtype, endian=endian)
    return path.read_bytes()


@pytest.fixture
def path(tmp_path):
    return tmp_path / "a.sound"


@pytest.mark.parametrize(("form", "subtype"), FORMATS)
def test_a_whole_file_is_read_as_libsndfile_reads_it(path, form, subtype):
    for channels in (1, 2):
        try:
            written(path, form, subtype, channels)
        except soundfile.LibsndfileError:
            assert channels == 2  # some codings have one channel only
            continue
        with soundfile.SoundFile(path) as sound:
            expected = sound.read(sound.frames, dtype="float32", always_2d=True)
        recording = read_recording(path)
        assert len(recording.samples) >= 32000
        assert np.abs(recording.samples - expected).max() < 1e-6
        if soundfile.info(path).format != "MP3":  # the last bit of MP3 depends on where one began to read
            np.testing.assert_array_equal(recording.samples, expected)


@pytest.mark.parametrize("keep", [0.6, 0.9, 0.99])
@pytest.mark.parametrize(("form", "subtype"), FORMATS)
def test_a_file_that_was_cut_off_is_refused(path, form, subtype, keep):
    whole = written(path, form, subtype)
    path.write_bytes(whole[: int(len(whole) * keep)])
    with pytest.raises(AudioError, match=r"a\.sound: .*(truncated|damaged)"):
        read_audio(path)


@pytest.mark.parametrize(("form", "name", "order"), [("WAV", b"data", "<I"), ("AIFF", b"SSND", ">I")])
def test_a_header_that_declares_less_than_there_is_is_refused(path, form, name, order):
    content = bytearray(written(path, form, "PCM_16"))
    struct.pack_into(order, content, content.index(name) + 4, 1280)
    path.write_bytes(content)
    with pytest.raises(AudioError, match=r"declares 1280 bytes of samples, behind which 627\d\d follow that belong to"):
        read_recording(path)


def test_a_long_chunk_behind_short_samples_is_none_of_them(path):
    content = written(path, "WAV", "PCM_16")
    path.write_bytes(content + b"LIST" + struct.pack("<I", 100000) + bytes(100000))
    assert len(read_recording(path).samples) == 32000


def test_a_size_beyond_what_files_can_have_is_an_error_of_the_file(path):
    content = bytearray(written(path, "W64", "PCM_16"))
    content[63] ^= 0xFF  # the highest byte of the size of the chunk `fmt `
    path.write_bytes(content)
    with pytest.raises(AudioError, match="truncated or its header damaged"):
        read_recording(path)


@pytest.mark.parametrize("form", ["WAV", "AIFF", "AU", "W64", "RF64", "NIST"])
def test_the_error_says_how_much_is_missing(path, form):
    whole = written(path, form, "PCM_16")
    path.write_bytes(whole[:-1000])
    with pytest.raises(AudioError, match=r"declares (\d+) bytes of samples, (\d+) are there") as caught:
        read_audio(path)
    declared, present = map(int, re.findall(r"\d{5}", str(caught.value).split("declares")[1]))
    assert declared - present == 1000


@pytest.mark.parametrize(("form", "endian"), [("AIFF", "LITTLE"), ("AU", "LITTLE"), ("WAV", "BIG"), ("MAT5", "BIG")])
def test_both_orders_of_bytes_are_understood(path, form, endian):
    whole = written(path, form, "PCM_16", endian=endian)
    assert len(read_audio(path)[0]) == 32000
    path.write_bytes(whole[: len(whole) * 6 // 10])
    with pytest.raises(AudioError, match="truncated"):
        read_audio(path)


@pytest.mark.parametrize(("form", "subtype"), CHECKED_STREAMS)
def test_4_kib_of_zeros_in_a_stream_are_found(path, form, subtype):
    whole = bytearray(written(path, form, subtype, channels=2))
    middle = len(whole) // 2
    whole[middle : middle + 4096] = bytes(4096)
    path.write_bytes(whole)
    with pytest.raises(AudioError, match=r"a\.sound: .*damaged"):
        read_audio(path)


@pytest.mark.parametrize("form", sorted(SILENT_ABOUT_LENGTH - {"SD2"}))
def test_a_format_that_does_not_tell_its_length_needs_a_known_checksum(tmp_path, path, form):
    whole = written(path, form, "PCM_16")
    with pytest.raises(AudioError, match=rf"cannot be told: the format {form} .* no checksum of it is known"):
        read_audio(path)
    annexed = annex(tmp_path, path, hashlib.md5(whole).hexdigest(), len(whole))
    assert len(read_audio(annexed)[0]) == 32000


def test_a_wave_that_was_streamed_needs_a_known_checksum(tmp_path, path):
    whole = written(path, "WAV", "PCM_16")
    at = whole.index(b"data") + 4
    whole = whole[:at] + b"\xff\xff\xff\xff" + whole[at + 4 :]
    path.write_bytes(whole)
    with pytest.raises(AudioError, match=r"cannot be told: its header holds a placeholder"):
        read_audio(path)
    assert len(read_audio(annex(tmp_path, path, hashlib.md5(whole).hexdigest(), len(whole)))[0]) == 32000


def annex(folder, path, md5, size):
    """Put a file where git-annex would, with a link to it."""
    objects = folder / ".git" / "annex" / "objects" / "XX" / "YY"
    key = f"MD5E-s{size}--{md5}.snd"
    (objects / key).mkdir(parents=True)
    path.rename(objects / key / key)
    link = folder / "b.sound"
    link.symlink_to(objects / key / key)
    return link


def test_damage_that_only_the_checksum_of_git_annex_shows(tmp_path, path):
    whole = written(path, "WAV", "PCM_16")
    zeroed = whole[:20000] + bytes(4096) + whole[24096:]
    path.write_bytes(zeroed)
    assert len(read_audio(path)[0]) == 32000  # nothing in a PCM file tells
    annexed = annex(tmp_path, path, hashlib.md5(whole).hexdigest(), len(whole))
    with pytest.raises(
        AudioError, match=r"b\.sound: the file is damaged: it has not the checksum of its git-annex key"
    ):
        read_audio(annexed)


@pytest.mark.parametrize(
    ("key", "algorithm"),
    [
        ("MD5E-s3--900150983cd24fb0d6963f7d28e17f72.wav", "md5"),
        ("SHA256-s3--ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad", "sha256"),
        ("SHA1E-s3--a9993e364706816aba3e25717850c26c9cd0d89d.tar.gz", "sha1"),
        ("URL--http&c%%example.org%a.wav", None),
        ("WORM-s3-m1700000000--a.wav", None),
    ],
)
def test_checksums_are_taken_from_the_keys_of_git_annex(tmp_path, key, algorithm):
    target = tmp_path / ".git" / "annex" / "objects" / key
    target.parent.mkdir(parents=True)
    target.write_bytes(b"abc")
    (tmp_path / "a.wav").symlink_to(target)
    known = known_checksum(tmp_path / "a.wav")
    assert (known and known.algorithm) == algorithm
    assert known is None or known.fits(target)


# ---------------------------------------------------------------------------------------------- streams


def test_the_checksum_of_ogg_pages_is_that_of_the_definition():
    def by_bits(page: bytes) -> int:
        crc = 0
        for byte in page:
            crc ^= byte << 24
            for _ in range(8):
                crc = (crc << 1 ^ (0x04C11DB7 if crc >> 31 else 0)) & 0xFFFFFFFF
        return crc

    page = np.random.default_rng(0).bytes(500)
    assert ogg_crc(page) == by_bits(page)


def test_an_ogg_without_its_last_or_a_middle_page_is_refused(path):
    whole = written(path, "OGG", "VORBIS", channels=2)
    pages = [whole.index(b"OggS")]
    while (following := whole.find(b"OggS", pages[-1] + 4)) > 0:
        pages.append(following)
    assert len(pages) > 4
    path.write_bytes(whole[: pages[-1]])
    with pytest.raises(AudioError, match="not marked as the end of the stream"):
        read_audio(path)
    path.write_bytes(whole[: pages[-2]] + whole[pages[-1] :])
    with pytest.raises(AudioError, match="some are missing"):
        read_audio(path)


@pytest.mark.parametrize(
    ("head", "expected"),
    [
        ("fffb9064", (417, 1152)),  # MPEG-1 layer III, 128 kbit/s, 44.1 kHz
        ("fffb9264", (418, 1152)),  # the same, padded
        ("fff384c4", (192, 576)),  # MPEG-2 layer III, 64 kbit/s, 24 kHz
        ("ffe348c4", (288, 576)),  # MPEG-2.5 layer III, 32 kbit/s, 8 kHz
        ("fffd9064", (522, 1152)),  # MPEG-1 layer II, 160 kbit/s, 44.1 kHz
        ("00000000", None),
        ("fffbf064", None),  # no such bit rate
        ("fffb0064", None),  # free format: the length is left open
    ],
)
def test_the_length_of_mpeg_frames(head, expected):
    assert mp3_frame(bytes.fromhex(head)) == expected


def frames_of(content: bytes) -> list[int]:
    starts, at = [], 0
    while at < len(content):
        starts.append(at)
        at += mp3_frame(content[at : at + 4])[0]
    return starts


def test_an_mp3_that_ends_between_two_frames_is_refused(path):
    whole = written(path, "MP3", "MPEG_LAYER_III")
    path.write_bytes(whole[: frames_of(whole)[-1]])
    with pytest.raises(AudioError, match=r"its header announces 58 frames, 57 are there"):
        read_audio(path)


def test_tags_around_an_mp3_do_not_matter(path):
    whole = written(path, "MP3", "MPEG_LAYER_III")
    id3 = b"ID3\x04\0\0" + bytes([0, 0, 1, 2]) + bytes(130)
    ape = b"APETAGEX" + struct.pack("<IIII", 2000, 32, 0, 0) + bytes(8)
    path.write_bytes(id3 + whole + ape + b"TAG" + bytes(125))
    assert len(read_audio(path)[0]) == 32000


def test_an_mp3_of_varying_bit_rate_without_its_length_would_be_read_in_part_and_is_refused(path):
    whole = written(path, "MP3", "MPEG_LAYER_III")
    path.write_bytes(whole[frames_of(whole)[1] :])
    assert soundfile.info(path).frames < 32000
    with pytest.raises(AudioError, match=r"its 33408 samples cannot be read in full \(\d+ would be\)"):
        read_audio(path)


def test_a_raw_file_and_an_instrument_are_refused_in_a_sentence(tmp_path, path):
    (tmp_path / "a.raw").write_bytes(bytes(1000))
    with pytest.raises(AudioError, match=r"a\.raw: a raw file does not say its sampling rate"):
        read_audio(tmp_path / "a.raw")
    raw = tmp_path / "a.snd"  # libsndfile guesses from the ending
    raw.write_bytes(np.random.default_rng(0).bytes(1000))
    with pytest.raises(AudioError, match=r"a\.snd: not a sound file that can be read \(it has no header\)"):
        read_audio(raw)
    written(path, "XI", "DPCM_16")
    with pytest.raises(AudioError, match=r"a\.sound: .*XI"):
        read_audio(path)
