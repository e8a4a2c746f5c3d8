"""Spectrotemporal modulation against the written-out filters, modulated noise, ripples and the check values."""

import numpy as np
import pytest

from custom_markers.acoustics.cochleagram import cochleagram, resample_polyphase
from custom_markers.acoustics.modulation import (
    RATES,
    SCALES,
    filter_order,
    modulation_power,
    spectral_filters,
    temporal_filters,
)
from custom_markers.sounds.audio import read_audio


def whole_filter(direction: int, scale: float, rate: float, n_frames: int) -> np.ndarray:
    """The transfer function on the full plane of frequencies, from the definition; frames as published: 390."""
    n_s, n_t = 422, n_frames + 780
    if rate == 0:
        temporal = np.zeros(n_t, complex)
        temporal[0] = n_t / (3 * n_frames)
    else:
        t = np.arange(390) * rate / 200
        h = np.sin(2 * np.pi * t) * t**2 * np.exp(-3.5 * t)
        h = np.concatenate([h - h.mean(), np.zeros(n_t - 390)])
        temporal = np.fft.fft(h)
        gain = np.abs(temporal) / np.abs(temporal).max()
        if rate == 64:
            peak = gain[: n_t // 2].argmax()
            gain[peak : n_t - peak] = 1.0  # to the peak at negative frequencies, which is 1 anyway
        temporal = gain * np.exp(1j * np.angle(temporal))
    if scale == 0:
        half = np.zeros(212)
        half[0] = 1.0
    else:
        r = (6 * np.arange(212) / 422 / scale) ** 2
        half = r * np.exp(-r) / (r * np.exp(-r)).max()
        if scale == 2:
            half[half.argmax() :] = 1.0
    spectral = np.concatenate([half, half[1:-1][::-1]])
    h = np.outer(spectral, temporal)
    sign_s = [0 if s in (0, n_s / 2) else (1 if s < n_s / 2 else -1) for s in range(n_s)]
    sign_t = [0 if t in (0, n_t / 2) else (1 if t < n_t / 2 else -1) for t in range(n_t)]
    h[np.outer(sign_s, sign_t) == -direction] = 0
    return h


@pytest.fixture(scope="module")
def noise() -> np.ndarray:
    return 10 + np.random.default_rng(2).standard_normal((211, 390))


@pytest.fixture(scope="module")
def power(noise) -> dict[int, np.ndarray]:
    """The power of `noise` at the published length, and at an odd and short one."""
    return {n_frames: modulation_power(noise[:, :n_frames]) for n_frames in (390, 31)}


def test_order_and_count_of_the_filters():
    order = filter_order()
    assert len(order) == len(set(order)) == 111
    assert order[:10] == [(-1, 0, rate) for rate in (0, 0.5, 1, 2, 4, 8, 16, 32, 64)] + [(-1, 0.0625, 0)]
    assert order[62:65] == [(-1, 2, 64), (1, 0.0625, 0.5), (1, 0.0625, 1)]
    assert order[-1] == (1, 2, 64)
    assert not any(direction == 1 and 0 in (scale, rate) for direction, scale, rate in order)


@pytest.mark.parametrize(
    "chosen", [(-1, 0, 0), (-1, 0, 64), (-1, 0.25, 0), (-1, 0.5, 0.5), (-1, 2, 4), (1, 0.0625, 8), (1, 2, 64)]
)
@pytest.mark.parametrize("n_frames", [390, 31])
def test_power_equals_a_transform_of_the_whole_plane(noise, power, chosen, n_frames):
    c = noise[:, :n_frames]
    padded = np.zeros((422, n_frames + 780))
    padded[:211, :n_frames] = c
    output = np.fft.ifft2(whole_filter(*chosen, n_frames) * np.fft.fft2(padded))
    assert np.abs(output.imag).max() < 1e-9  # H has the symmetry of a real filter
    expected = np.maximum(output.real[:211, :n_frames] ** 2, 1e-8).mean(axis=1)
    np.testing.assert_allclose(power[n_frames][filter_order().index(chosen)], expected, rtol=1e-9)


def test_a_rate_filter_is_a_causal_convolution(noise, power):
    """Without a scale, the output in every channel is the sum over channels convolved with the impulse response."""
    length = 1170
    response = np.fft.irfft(temporal_filters(390)[RATES.index(4.0)], n=length)
    line = noise.sum(axis=0) / 422
    direct = [sum(response[n] * line[m - n] for n in range(m + 1)) for m in range(390)]
    # the phase is that of a kernel of 390 samples, the gain is scaled only: no energy comes before time 0
    assert np.abs(response[390:]).max() < 1e-12
    expected = np.maximum(np.square(direct), 1e-8).mean()
    np.testing.assert_allclose(power[390][filter_order().index((-1, 0, 4))], expected, rtol=1e-9)


def test_without_a_scale_all_channels_are_the_same(power):
    for row, (_, scale, _) in enumerate(filter_order()):
        assert (np.ptp(power[390][row]) <= 1e-12 * power[390][row].max()) == (scale == 0)


def test_filters_peak_at_their_rate_and_scale():
    f_t = np.arange(586) * 200 / 1170
    for rate, transfer in zip(RATES[1:-1], temporal_filters(390)[1:-1], strict=True):
        assert np.abs(transfer).max() == pytest.approx(1)
        assert f_t[np.abs(transfer).argmax()] == pytest.approx(rate, abs=max(0.35 * rate, 0.2))
    f_s = np.abs(np.fft.fftfreq(422)) * 6
    for scale, gain in zip(SCALES[1:-1], spectral_filters()[1:-1], strict=True):
        assert f_s[gain.argmax()] == pytest.approx(scale, abs=0.008)
    assert (np.abs(temporal_filters(390)[-1][f_t > 70]) > 1 - 1e-12).all()
    assert (spectral_filters()[-1][f_s > 2.01] == 1).all()


@pytest.mark.parametrize("direction", [-1, 1])
@pytest.mark.parametrize(("rate", "scale"), [(4.0, 0.25), (8.0, 1.0), (16.0, 0.5)])
def test_a_ripple_excites_its_rate_scale_and_direction(rate, scale, direction):
    t, x = np.arange(390) / 200, np.arange(211)[:, None] / 6
    ripple = 10 + np.cos(2 * np.pi * (rate * t + direction * scale * x))
    directed = {f: p for f, p in zip(filter_order(), modulation_power(ripple)[:, 105], strict=True) if 0 not in f[1:]}
    assert max(directed, key=directed.get) == (direction, scale, rate)


def test_modulated_noise_excites_its_rate():
    random, t = np.random.default_rng(3), np.arange(40000) / 20000
    carrier = random.standard_normal(40000)
    plain = modulation_power(cochleagram(carrier))
    rows = [filter_order().index((-1, 0, rate)) for rate in RATES[1:]]
    for rate in (4.0, 16.0):
        modulated = modulation_power(cochleagram(carrier * (1 + np.sin(2 * np.pi * rate * t))))
        assert RATES[1:][(modulated[rows, 0] / plain[rows, 0]).argmax()] == rate


@pytest.mark.parametrize("n_frames", [200, 31, 800])
def test_duration_changes_neither_the_filters_nor_the_level(noise, n_frames):
    steady = np.repeat(noise[:, :1], n_frames, axis=1)
    level = modulation_power(steady)[filter_order().index((-1, 0.5, 0))]
    published = modulation_power(np.repeat(noise[:, :1], 390, axis=1))[filter_order().index((-1, 0.5, 0))]
    np.testing.assert_allclose(level, published, rtol=1e-9)
    for row in range(1, 8):
        ours = np.fft.irfft(temporal_filters(n_frames)[row], n=n_frames + 780)[:390]
        theirs = np.fft.irfft(temporal_filters(390)[row], n=1170)[:390]
        assert np.abs(ours - theirs).max() < 0.02 * np.abs(theirs).max()


def test_features_of_a_real_sound_are_the_check_values(real_data):
    wave = resample_polyphase(*read_audio(real_data / "wav" / "stim5_alarm_clock.wav"))
    power, order = modulation_power(cochleagram(wave)), filter_order()
    assert power.shape == (111, 211)
    for chosen, expected in {
        (-1, 0, 0): (2.01950, 2.01950, 2.01950),
        (-1, 0, 4): (0.75497, 0.75497, 0.75497),
        (-1, 0.25, 4): (0.011629, 0.327386, 0.045034),
        (1, 0.25, 4): (0.012916, 0.307470, 0.041050),
    }.items():
        assert power[order.index(chosen)][[20, 100, 180]] == pytest.approx(expected, abs=6e-6, rel=1e-5)
