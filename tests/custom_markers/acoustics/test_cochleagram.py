"""The cochleagram against direct transforms and convolutions, tones and the published check values."""

import numpy as np
import pytest
from scipy.signal import resample_poly

from custom_markers.acoustics.cochleagram import (
    centres,
    cochleagram,
    cochlear_filters,
    downsampling_kernel,
    erb,
    resample_polyphase,
    slow_envelopes,
)
from custom_markers.sounds.audio import AudioError, read_audio


@pytest.fixture(scope="module")
def noise() -> np.ndarray:
    return np.random.default_rng(1).standard_normal(4200)


@pytest.mark.parametrize("n_samples", [4000, 4201, 40000])
def test_squares_of_the_filters_sum_to_1_at_every_frequency(n_samples):
    filters = cochlear_filters(n_samples)
    assert filters.shape == (211, n_samples // 2 + 1)
    assert np.abs((filters**2).sum(axis=0) - 1).max() < 1e-12


def test_centres_are_the_published_ones():
    centre, distance = centres()
    hertz = 24.7 * 9.265 * (np.exp(centre / 9.265) - 1)
    assert len(centre) == 203
    assert hertz[[0, -1]] == pytest.approx([54.97, 9820.96], abs=0.005)
    assert distance == pytest.approx(0.163605, abs=5e-7)


def test_filters_equal_the_definition_one_by_one():
    filters = cochlear_filters(40000)
    centre, d = centres()

    def band(k, f):
        x = float(erb(f)) - centre[k]
        return np.cos(np.pi * x / (8 * d)) if abs(x) < 4 * d else 0.0

    for f in (0.0, 40.0, 55.0, 61.5, 440.0, 5000.5, 9700.0, 9900.0, 10000.0):
        expected = [np.sqrt(1 - band(i, f) ** 2) if erb(f) < centre[i] else 0.0 for i in range(4)]
        expected += [band(k, f) for k in range(203)]
        expected += [np.sqrt(1 - band(202 - i, f) ** 2) if erb(f) > centre[202 - i] else 0.0 for i in (3, 2, 1, 0)]
        np.testing.assert_allclose(filters[:, int(2 * f)], np.array(expected) / 2, atol=1e-14)


def test_the_downsampling_kernel_keeps_its_half_sample_and_its_sum():
    kernel = downsampling_kernel()
    assert len(kernel) == 1001
    assert kernel.sum() == pytest.approx(1.00094, abs=5e-6)
    expected = np.kaiser(1001, 5)[499] * np.sin(-1.5 * np.pi / 100) / (-1.5 * np.pi)
    assert kernel[499] == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("n_samples", [4200, 4101])
def test_envelopes_equal_a_direct_transform_and_convolution(noise, n_samples):
    wave = noise[:n_samples]
    scaled = 0.1 * (wave - wave.mean()) / wave.std()
    n_bins, time = n_samples // 2 + 1, np.arange(n_samples)
    roots = np.exp(-2j * np.pi / n_samples * time)
    transform = roots[np.outer(np.arange(n_bins), time) % n_samples]  # [bins, samples]
    spectrum = transform @ scaled
    kernel = downsampling_kernel()
    got = slow_envelopes(wave)
    assert got.shape == (211, 1 + (n_samples - 1001) // 100)
    for channel in (0, 100, 210):
        filtered = (cochlear_filters(n_samples)[channel] * spectrum) @ transform.conj() / n_samples
        envelope = np.maximum(np.abs(filtered), 1e-8)
        expected = [sum(kernel * envelope[100 * m : 100 * m + 1001]) for m in range(got.shape[1])]
        np.testing.assert_allclose(got[channel], expected, atol=1e-12)


@pytest.mark.parametrize("hertz", [100.0, 440.0, 3000.0, 9000.0])
def test_a_tone_excites_the_channel_of_its_frequency(hertz):
    tone = np.sin(2 * np.pi * hertz * np.arange(20000) / 20000)
    nearest = np.abs(centres()[0] - erb(hertz)).argmin() + 4
    assert cochleagram(tone).mean(axis=1).argmax() == nearest


def test_level_and_offset_do_not_matter(noise):
    np.testing.assert_allclose(cochleagram(noise), cochleagram(37.0 * noise + 5.0), rtol=1e-9)


def test_compression_is_a_power_of_the_envelope(noise):
    expected = 100 * (np.clip(slow_envelopes(noise), 0, None) + 1e-8) ** 0.3
    np.testing.assert_array_equal(cochleagram(noise), expected)


@pytest.mark.parametrize(
    ("rate", "up", "down"), [(44100, 200, 441), (16000, 5, 4), (20000, 1, 1), (22050, 400, 441), (48000, 5, 12)]
)
def test_resampling_takes_the_reduced_ratio(noise, rate, up, down):
    got = resample_polyphase(noise.astype(np.float32), rate)
    assert got.dtype == np.float64
    np.testing.assert_array_equal(got, resample_poly(noise.astype(np.float32).astype(np.float64), up, down))


def test_what_cannot_be_used_is_refused(noise):
    with pytest.raises(AudioError, match=r"a sound of 0\.200 s is too short .* at least 0\.2 s"):
        slow_envelopes(noise[:3999])
    assert slow_envelopes(noise[:4000]).shape == (211, 30)
    with pytest.raises(AudioError, match="silent: all of its 44100 samples are 0"):
        resample_polyphase(np.zeros(44100), 44100)


def test_envelopes_of_a_real_sound_are_the_check_values(real_data):
    wave = resample_polyphase(*read_audio(real_data / "wav" / "stim5_alarm_clock.wav"))
    envelopes = slow_envelopes(wave)
    assert envelopes.shape == (211, 390)
    assert envelopes[100, [0, 200]] == pytest.approx([9.4907e-4, 9.5143e-4], abs=5e-9)
