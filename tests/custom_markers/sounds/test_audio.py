"""Reading sound files: every way in which one can be bad, and the published resampling."""

import numpy as np
import pytest
import soundfile
import soxr

from custom_markers.sounds.audio import AudioError, read_audio, resample


def _write(path, samples, rate=44100, subtype=None):
    soundfile.write(path, samples, rate, subtype=subtype)
    return path


def test_integer_samples_are_scaled_and_channels_averaged(tmp_path):
    samples = np.array([[0, 16384], [-32768, 0]], dtype=np.int16)
    wave, rate = read_audio(_write(tmp_path / "a.wav", samples))
    assert rate == 44100
    assert wave.dtype == np.float32
    np.testing.assert_array_equal(wave, np.float32([0.25, -0.5]))


def test_a_missing_file_and_a_link_without_content_are_told_apart(tmp_path):
    with pytest.raises(AudioError, match=r"a\.wav: the sound file is missing"):
        read_audio(tmp_path / "a.wav")
    (tmp_path / "a.wav").symlink_to(tmp_path / "gone")
    with pytest.raises(AudioError, match=r"a\.wav: the sound file is a link to content that is not here"):
        read_audio(tmp_path / "a.wav")


def test_an_empty_file(tmp_path):
    (tmp_path / "a.wav").touch()
    with pytest.raises(AudioError, match=r"a\.wav: the file is empty \(0 bytes\)"):
        read_audio(tmp_path / "a.wav")


def test_a_file_without_samples(tmp_path):
    with pytest.raises(AudioError, match=r"a\.wav: the file holds no samples"):
        read_audio(_write(tmp_path / "a.wav", np.zeros(0)))


@pytest.mark.parametrize("keep", [2000, 50000, 176043])
def test_a_truncated_file_is_refused_with_both_counts(tmp_path, keep):
    path = _write(tmp_path / "a.wav", np.zeros(88200, dtype=np.int16))
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(AudioError, match=rf"a\.wav: the file is truncated: .* 176400 bytes .*, {keep - 44} are there"):
        read_audio(path)


@pytest.mark.parametrize(("form", "endian"), [("RF64", "FILE"), ("WAV", "BIG")])
def test_other_kinds_of_wave_are_checked_for_truncation_too(tmp_path, form, endian):
    path = tmp_path / "a.wav"
    soundfile.write(path, np.zeros(88200, dtype=np.int16), 44100, format=form, subtype="PCM_16", endian=endian)
    assert len(read_audio(path)[0]) == 88200
    path.write_bytes(path.read_bytes()[:20000])
    with pytest.raises(AudioError, match=r"a\.wav: the file is truncated"):
        read_audio(path)


@pytest.mark.parametrize("subtype", ["IMA_ADPCM", "MS_ADPCM", "ULAW", "PCM_U8", "PCM_24", "DOUBLE"])
def test_valid_files_of_any_coding_are_read(tmp_path, subtype):
    samples = 0.5 * np.sin(np.arange(4410) / 10)
    assert len(read_audio(_write(tmp_path / "a.wav", samples, subtype=subtype))[0]) >= 4410


def test_a_file_that_is_no_sound(tmp_path):
    (tmp_path / "a.wav").write_text("this is a text")
    with pytest.raises(AudioError, match=r"a\.wav: not a sound file that can be read .*Allowed: .*WAV"):
        read_audio(tmp_path / "a.wav")


def test_stereo_with_nan_names_frame_and_channel(tmp_path):
    samples = np.zeros((100, 2))
    samples[7, 1] = np.nan
    with pytest.raises(AudioError, match=r"a\.wav: 1 samples are not finite \(the first at frame 7 of channel 1"):
        read_audio(_write(tmp_path / "a.wav", samples, subtype="FLOAT"))


def test_other_chunks_before_the_data_do_not_matter(tmp_path):
    path = _write(tmp_path / "a.wav", np.arange(100, dtype=np.int16))
    riff = path.read_bytes()
    path.write_bytes(riff[:12] + b"LIST" + (3).to_bytes(4, "little") + b"abc\0" + riff[12:])
    assert len(read_audio(path)[0]) == 100


def test_resampling_gives_the_published_length_and_samples():
    wave = np.random.default_rng(0).standard_normal(88200).astype(np.float32)
    resampled = resample(wave, 44100, 24000)
    assert resampled.shape == (48001,)
    assert resampled[-1] == 0.0
    np.testing.assert_array_equal(resampled[:-1], soxr.resample(wave, 44100, 24000, "HQ"))
    assert resample(wave, 24000, 24000) is wave


def test_real_sounds_equal_the_golden_waveforms(real_data):
    goldens = np.load(real_data.parent.parent / "goldens" / "wav24k.npz")
    for name in goldens.files:
        wave, rate = read_audio(real_data / "wav" / f"{name}.wav")
        np.testing.assert_array_equal(resample(wave, rate, 24000), goldens[name])
