"""The acoustic summary of sounds whose level, spectrum, periodicity and onsets are known."""

import os
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import soundfile
from junifer.storage import HDF5FeatureStorage

from auralign.inputs.features import read_features
from auralign.inputs.options import Features
from custom_markers.running.preflight import MissingInputs
from custom_markers.sounds.audio import AudioError, read_audio, resample

pytest.importorskip("librosa", reason="librosa (the extra `acoustics`) is not installed")

from custom_markers.acoustics import acoustic_summary as module
from custom_markers.acoustics.acoustic_summary import (
    UNIT_NAMES,
    acoustic_summary,
    harmonicity,
    onset_rate,
    power_spectra,
)

from ..conftest import junifer

RATE = 24_000
SECOND = np.arange(RATE) / RATE
TWO = np.arange(2 * RATE) / RATE
ROOT = Path(__file__).resolve().parents[3]
MARKER = {"name": "acoustics", "kind": "AcousticSummary"}


def summary(wave: np.ndarray) -> dict[str, float]:
    return dict(zip(UNIT_NAMES, acoustic_summary(wave), strict=True))


def tone(hertz: float, amplitude: float = 0.1, time: np.ndarray = TWO) -> np.ndarray:
    return amplitude * np.sin(2 * np.pi * hertz * time)


def noise(samples: int = 2 * RATE, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(samples)


def bursts() -> np.ndarray:
    """Two seconds of noisy tones with pauses: no measure is trivial."""
    envelope = np.repeat([0, 1, 0, 1, 1, 0.2, 0, 0.5], RATE // 4)
    return envelope * (tone(600) + tone(1830, 0.05) + 0.01 * noise())


@pytest.mark.parametrize(("hertz", "weight"), [(100, -19.1), (500, -3.2), (1000, 0.0), (2000, 1.2), (8000, -1.1)])
def test_a_full_scale_tone_has_the_level_of_the_a_weighting_table(hertz, weight):
    """IEC 61672-1, table of A-weightings; a full-scale sine at 1 kHz is 0 dB."""
    found = summary(tone(hertz, 1.0))
    assert found["loudness_mean_db"] == pytest.approx(weight, abs=0.1)
    assert found["loudness_sd_db"] < 0.01


def test_twice_the_amplitude_is_six_decibels_more_and_nothing_else():
    before = acoustic_summary(bursts())
    for factor in (2.0, 1e-6):
        after = acoustic_summary(factor * bursts())
        assert after[0] - before[0] == pytest.approx(20 * np.log10(factor), abs=1e-9)
        np.testing.assert_allclose(after[1:], before[1:], rtol=1e-9)


def test_a_pause_counts_as_sixty_decibels_below_the_loudest_frame():
    """Half of the frames tone, half silence: mean -30, standard deviation 30 dB relative to the tone."""
    found = summary(np.concatenate([tone(1000), np.zeros(2 * RATE)]))
    assert found["loudness_mean_db"] == pytest.approx(-20 - 30, abs=0.5)
    assert found["loudness_sd_db"] == pytest.approx(30, abs=0.5)


@pytest.mark.parametrize("hertz", [440, 5000])
def test_a_tone_is_all_at_its_frequency(hertz):
    found = summary(tone(hertz))
    assert found["centroid_mean_hz"] == pytest.approx(hertz, abs=RATE / 2048)  # one bin of the spectrum
    assert found["centroid_sd_hz"] < 5
    assert found["bandwidth_mean_hz"] < 50  # the window's own: three times its resolution of 1 / 60 ms
    assert found["harmonicity_mean_db"] == pytest.approx(40.0)


def test_silence_does_not_move_the_spectrum():
    sound = np.concatenate([np.zeros(RATE), tone(5000), np.zeros(RATE)])
    found, alone = summary(sound), summary(tone(5000))
    # frames at the tone's edges are broader than those inside: 10 of 206
    assert found["centroid_mean_hz"] == pytest.approx(alone["centroid_mean_hz"], abs=10)
    assert found["harmonicity_mean_db"] > 35


def test_white_noise_has_its_centroid_in_the_middle():
    """E = Nyquist / 2, and its error from the Rayleigh distribution of the magnitudes.

    A frame has 12000 Hz * 60 ms / 1.5 (equivalent noise bandwidth of the Hann window) = 480 independent magnitudes of
    coefficient of variation sqrt(4 / pi - 1): SD(centroid) = that * SD(f) / sqrt(480). At least the 33 frames that do
    not overlap are independent.
    """
    found = summary(0.1 * noise())
    frequency_sd = 12_000 / np.sqrt(12)
    sd = np.sqrt(4 / np.pi - 1) * frequency_sd / np.sqrt(480)
    assert found["centroid_mean_hz"] == pytest.approx(6000, abs=4 * sd / np.sqrt(33))
    assert found["centroid_sd_hz"] == pytest.approx(sd, rel=0.2)
    assert found["bandwidth_mean_hz"] == pytest.approx(frequency_sd, rel=0.01)
    assert -10 < found["harmonicity_mean_db"] < -8


@pytest.mark.parametrize("ratio", [0.0, 10.0, 20.0, 30.0])
@pytest.mark.parametrize("pitch", [110.3, 210.5, 440.7])
def test_a_known_ratio_of_harmonics_to_noise_is_recovered(pitch, ratio):
    """Equal harmonics to 5 kHz in random phases plus white noise; within 1 dB (Boersma's own scatter is as large)."""
    random = np.random.default_rng(int(pitch))
    harmonics = sum(
        np.sin(2 * np.pi * k * pitch * TWO + random.uniform(0, 2 * np.pi)) for k in range(1, int(5000 // pitch) + 1)
    )
    sound = harmonics / harmonics.std() + noise() * 10 ** (-ratio / 20)
    assert summary(sound)["harmonicity_mean_db"] == pytest.approx(ratio, abs=1.0)


def test_harmonicity_equals_the_definition_at_a_known_period():
    """One frame, period 120 samples: sums of products in place of transforms, at that lag."""
    time = np.arange(1440)
    frame = sum(np.cos(2 * np.pi * k * time / 120) for k in (1, 2, 3)) + 0.05 * noise(1440)
    window = 0.5 - 0.5 * np.cos(2 * np.pi * time / 1440)
    x = (frame - frame.mean()) * window

    def normalised(signal):
        return (signal[120:] * signal[:-120]).sum() / (signal**2).sum()

    r = normalised(x) / normalised(window)
    assert harmonicity(power_spectra(frame))[0] == pytest.approx(10 * np.log10(r / (1 - r)), abs=0.1)


def test_every_frame_of_a_long_sound_has_its_own_harmonicity():
    power = power_spectra(np.concatenate([tone(300), noise(3 * RATE)]))
    together = harmonicity(power)
    assert len(together) == len(power) > 256
    np.testing.assert_allclose(together, np.concatenate([harmonicity(frame[None]) for frame in power]), rtol=1e-12)


def test_a_hum_below_the_pitch_range_has_the_lowest_harmonicity():
    assert summary(tone(50))["harmonicity_mean_db"] == pytest.approx(-10.0)


@pytest.mark.parametrize("rate", [2, 4, 8])
@pytest.mark.parametrize("first", [0, 1700])
@pytest.mark.parametrize("offset", [0.0, 0.2])
def test_a_click_train_has_its_rate_of_onsets(rate, first, offset):
    """Within half an onset in two seconds; a constant offset of the recording makes no onset."""
    clicks = np.full(2 * RATE, offset)
    clicks[first :: RATE // rate] += 0.5
    assert summary(clicks)["onset_rate_per_s"] == pytest.approx(rate, abs=0.24)


def test_a_steady_sound_has_one_onset_wherever_it_begins():
    for steady in (noise(), tone(440)):
        assert summary(steady)["onset_rate_per_s"] == 0.5
        later = np.concatenate([np.zeros(RATE // 2), steady[: 3 * RATE // 2]])
        assert summary(later)["onset_rate_per_s"] == 0.5


def test_slow_modulation_of_noise_gives_its_rate():
    sound = noise() * (1 + np.cos(2 * np.pi * 3 * TWO + np.pi))
    assert onset_rate(sound / sound.std()) == pytest.approx(3, abs=0.5)


def test_clipping_is_heard_and_stays_finite():
    clipped = summary(np.clip(tone(440, 3.0), -1, 1))
    assert np.isfinite(list(clipped.values())).all()
    assert clipped["centroid_mean_hz"] > 2 * summary(tone(440))["centroid_mean_hz"]  # the odd harmonics
    assert clipped["harmonicity_mean_db"] == pytest.approx(40.0)


def test_one_frame_is_enough_and_has_no_deviation():
    found = summary(noise(1440))
    assert np.isfinite(list(found.values())).all()
    assert found["loudness_sd_db"] == found["centroid_sd_hz"] == found["harmonicity_sd_db"] == 0.0


@pytest.mark.parametrize(
    ("wave", "message"),
    [
        (np.ones(1439), r"a sound of 0\.060 s is too short: AcousticSummary needs 0\.06 s"),
        (np.zeros(0), r"a sound of 0\.000 s is too short"),
        (np.zeros(RATE), "the sound is silent: no frame of 60 ms reaches -160 dB"),
        (np.full(RATE, 0.25), "the sound is silent"),
        (1e-9 * tone(1000), "the sound is silent"),
    ],
)
def test_short_and_silent_sounds_are_refused(wave, message):
    with pytest.raises(AudioError, match=message):
        acoustic_summary(wave)


def test_the_same_sound_gives_the_same_numbers():
    np.testing.assert_array_equal(acoustic_summary(bursts()), acoustic_summary(bursts()))


def _stored(make_yaml):
    yaml_file = make_yaml(MARKER, name="acoustics")
    for command in ("run", "collect"):
        result = junifer(command, yaml_file)
        if result.exception:
            raise result.exception
    return yaml_file.parent / "acoustics" / "acoustics.hdf5"


def test_junifer_stores_the_numbers_and_the_names(make_yaml, sounds):
    storage = _stored(make_yaml)
    layers = read_features("acoustics", Features(storage=storage, marker="acoustics"))
    assert list(layers) == [0]
    assert layers[0].attrs["layer_name"] == "acoustic_summary"
    wave = resample(*read_audio(sounds / "stim11_louder.wav"), RATE)
    np.testing.assert_allclose(layers[0].sel(stimulus="stim11_louder").values, acoustic_summary(wave), rtol=1e-6)
    meta = next(iter(HDF5FeatureStorage(storage).list_features().values()))["marker"]
    assert meta["unit_names"] == list(UNIT_NAMES)
    assert re.fullmatch(r"\d+\.\d+.*", meta["librosa"])


def test_the_export_of_the_docs_writes_a_confound_table(make_yaml, sounds, monkeypatch):
    storage = _stored(make_yaml)
    code = re.search(r"```python\n(.*?)```", (ROOT / "docs" / "acoustics.md").read_text(encoding="utf-8"), re.S)[1]
    folder = storage.parents[1] / "features" / "acoustics"
    folder.mkdir(parents=True)
    storage.rename(folder / "acoustics.hdf5")
    monkeypatch.chdir(storage.parents[1])
    exec(compile(code, "docs/acoustics.md", "exec"), {})
    table = pd.read_csv("acoustics.tsv", sep="\t").set_index("stimulus")
    assert list(table.columns) == list(UNIT_NAMES)
    assert set(table.index) == {"stim5_noise", "stim11_louder", "stim102_tone"}
    wave = resample(*read_audio(sounds / "stim5_noise.wav"), RATE)
    np.testing.assert_allclose(table.loc["stim5_noise"], acoustic_summary(wave), rtol=1e-6)


def test_a_silent_file_is_refused_by_name(make_yaml, sounds):
    soundfile.write(sounds / "stim1_silence.wav", np.zeros(44100), 44100)
    result = junifer("run", make_yaml(MARKER))
    assert isinstance(result.exception, AudioError)
    assert f"{sounds / 'stim1_silence.wav'}: acoustics: the sound is silent" in str(result.exception)


def test_without_librosa_the_run_says_what_to_install(make_yaml, monkeypatch):
    monkeypatch.setattr(module, "find_spec", lambda name: None)
    result = junifer("run", make_yaml(MARKER))
    assert isinstance(result.exception, MissingInputs)
    assert 'pip install "auralign[acoustics]"' in str(result.exception)


@pytest.mark.parametrize("writable", [True, False])
def test_compiled_functions_are_cached_outside_the_package(tmp_path, monkeypatch, writable):
    monkeypatch.delenv("NUMBA_CACHE_DIR", raising=False)
    own = tmp_path / "cache"
    if not writable:
        own.write_text("a file where the folder should be")
    monkeypatch.setenv("AURALIGN_CACHE", str(own))
    monkeypatch.setattr(module.tempfile, "tempdir", str(tmp_path))
    module._librosa()
    folder = Path(os.environ["NUMBA_CACHE_DIR"])
    assert folder.is_dir()
    assert folder == own / "numba" if writable else folder.name.startswith("auralign-numba-")


def test_a_cache_that_the_user_chose_is_kept(monkeypatch):
    monkeypatch.setenv("NUMBA_CACHE_DIR", "/chosen")
    module._librosa()
    assert os.environ["NUMBA_CACHE_DIR"] == "/chosen"


def test_every_real_stimulus_has_finite_numbers(real_data):
    paths = sorted(real_data.rglob("*.wav"))
    assert len(paths) == 165
    numbers = np.array([acoustic_summary(resample(*read_audio(path), RATE)) for path in paths])
    assert np.isfinite(numbers).all()
    assert (numbers.std(axis=0) > 0).all()
    sd_columns = [i for i, name in enumerate(UNIT_NAMES) if "_sd_" in name]
    assert (numbers[:, sd_columns] >= 0).all()
    assert ((numbers[:, 2] > 0) & (numbers[:, 2] < RATE / 2)).all()
