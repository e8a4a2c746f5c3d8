"""The mel front end against a float64 loop, hand-computed facts and the published extractor's output."""

from pathlib import Path

import numpy as np
import pytest
import torch

from custom_markers.networks.encodecmae.mel import HOP, WINDOW, MelFrontEnd, mel_filters, n_frames, normalised_mel

GOLDENS = Path(__file__).resolve().parents[5] / "shared" / "goldens"
needs_goldens = pytest.mark.skipif(not GOLDENS.is_dir(), reason=f"the golden activations are not at {GOLDENS}")


def mel_by_loop(wave: np.ndarray, n_mels: int) -> np.ndarray:
    """The definition, frame by frame, sample by sample and filter by filter, in float64."""
    hann = [0.5 - 0.5 * np.cos(2 * np.pi * i / 636) for i in range(637)]

    def mel(hertz):
        return 1127 * np.log(1 + hertz / 700)

    step = (mel(12000) - mel(20)) / (n_mels + 1)
    rows = []
    for start in range(0, len(wave) - 637 + 1, 318):
        x = wave[start : start + 637].astype(np.float64)
        x = x - x.mean()
        y = [0.03 * x[0]] + [x[i] - 0.97 * x[i - 1] for i in range(1, 637)]
        power = np.abs(np.fft.rfft(np.array(y) * hann, 1024)) ** 2
        row = []
        for m in range(n_mels):
            left = mel(20) + m * step
            energy = 0.0
            for k in range(512):
                position = (mel(k * 24000 / 1024) - left) / step  # 0 at the left edge, 1 at the top, 2 at the right
                energy += power[k] * max(0.0, min(position, 2 - position))
            row.append((np.log(max(energy, 1.1920929e-7)) + 6.12) / 4.82)
        rows.append(row)
    return np.array(rows)


@pytest.mark.parametrize("n_mels", [24, 64])
def test_equals_a_float64_loop(n_mels):
    wave = np.random.default_rng(3).normal(0, 0.1, 637 + 3 * 318 + 200).astype(np.float32)
    expected = mel_by_loop(wave, n_mels)
    got = normalised_mel(torch.from_numpy(wave)[None], n_mels)[0].numpy()
    assert got.shape == expected.shape == (4, n_mels)
    assert np.abs(got - expected).max() < 1e-5


def test_batch_is_the_stack_of_its_waves():
    waves = torch.from_numpy(np.random.default_rng(4).normal(0, 0.1, (3, 2000)).astype(np.float32))
    front_end = MelFrontEnd(32)
    assert torch.allclose(front_end(waves), torch.cat([front_end(w[None]) for w in waves]), atol=1e-6)


def test_silence_and_constants_give_the_floor():
    floor = (np.log(2.0**-23) + 6.12) / 4.82  # -2.0378
    for level in (0.0, 0.25):
        mel = normalised_mel(torch.full((1, 1000), level), 64)
        assert np.allclose(mel.numpy(), floor, atol=1e-6)
    assert floor == pytest.approx(-2.0378, abs=5e-5)


def test_published_filter_bank_has_the_known_empty_filters():
    filters = mel_filters(256)
    assert filters.shape == (513, 256) and filters.dtype == torch.float32
    assert torch.nonzero(filters.sum(0) == 0).ravel().tolist() == [1, 4, 9, 14, 19]
    assert float(filters[512].sum()) == 0
    assert float(filters.min()) >= 0 and float(filters.max()) <= 1


def test_a_tone_excites_the_filter_around_it():
    n_mels, hertz = 64, 1000.0
    tone = torch.sin(2 * torch.pi * hertz * torch.arange(4000) / 24000)[None]
    step = 1127 * (np.log(1 + 12000 / 700) - np.log(1 + 20 / 700)) / (n_mels + 1)
    nearest = round(1127 * (np.log(1 + hertz / 700) - np.log(1 + 20 / 700)) / step) - 1  # centre i is edge i + 1
    assert normalised_mel(tone, n_mels)[0].mean(0).argmax().item() == nearest


@pytest.mark.parametrize(("samples", "frames"), [(636, 0), (637, 1), (954, 1), (955, 2), (48001, 149), (96000, 300)])
def test_frames_are_whole_windows(samples, frames):
    assert (WINDOW, HOP) == (637, 318)
    assert n_frames(samples) == frames
    if frames:
        assert normalised_mel(torch.zeros(1, samples), 4).shape == (1, frames, 4)


def test_nothing_is_added_to_the_state_dict():
    assert MelFrontEnd(8).state_dict() == {}


@pytest.mark.parametrize(
    ("wave", "message"),
    [
        (torch.zeros(1, 636), "636 samples are fewer than one mel window"),
        (torch.zeros(1000), r"float32 tensor of shape \[batch, samples\]"),
        (torch.zeros(1, 1000, dtype=torch.float64), "got torch.float64"),
    ],
)
def test_wrong_waves_are_refused(wave, message):
    with pytest.raises(ValueError, match=message):
        normalised_mel(wave, 8)


def test_no_filters_are_refused():
    with pytest.raises(ValueError, match="at least 1, got 0"):
        mel_filters(0)


@needs_goldens
@pytest.mark.parametrize(("file", "n_mels"), [("small-mel", 64), ("base-mel", 256)])
def test_equals_the_published_extractor(file, n_mels):
    waves, goldens = np.load(GOLDENS / "wav24k.npz"), np.load(GOLDENS / f"{file}.npz")
    stimuli = [key.split("/")[0] for key in goldens.files if key.endswith("/mel")]
    assert stimuli
    for stimulus in stimuli:
        got = normalised_mel(torch.from_numpy(waves[stimulus])[None], n_mels)[0].numpy()
        expected = goldens[f"{stimulus}/mel"]
        assert got.shape == expected.shape
        assert np.abs(got - expected).max() < 1e-6


@pytest.mark.parametrize("n_mels", [64, 256])
def test_equals_torchaudios_kaldi_filter_bank(n_mels):
    """An optional oracle: torchaudio is no dependency."""
    try:
        from torchaudio.compliance import kaldi
    except (ImportError, OSError) as error:  # OSError: a torchaudio for another PyTorch
        pytest.skip(f"torchaudio, an optional oracle, cannot be imported: {error}")
    wave = torch.from_numpy(np.random.default_rng(5).normal(0, 0.1, (1, 24_000)).astype(np.float32))
    expected = kaldi.fbank(
        wave,
        sample_frequency=24_000.0,
        frame_length=1000 * (WINDOW + 0.5) / 24_000,  # whole samples are cut off
        frame_shift=1000 * (HOP + 0.5) / 24_000,
        num_mel_bins=n_mels,
        low_freq=20.0,
        high_freq=12_000.0,
        window_type="hanning",
        dither=0.0,
        use_energy=False,
    )
    got = normalised_mel(wave, n_mels)[0]
    assert got.shape == expected.shape
    assert torch.abs(got - (expected + 6.12) / 4.82).max() < 1e-5
