"""Intracranial components and acoustic features."""

from pathlib import Path

import numpy as np
import pytest
import soundfile
from scipy.io import loadmat, savemat

from auralign.errors import DataError
from auralign.inputs.published.song165 import acoustic_features, read_song165

TIMES = np.arange(75) * 0.04
SOUNDS = ["stim5_a", "stim28_b", "stim102_c"]


@pytest.fixture
def folder(tmp_path):
    names = np.empty((1, 3), dtype=object)
    names.flat = [f"{sound}.wav" for sound in SOUNDS]
    random = np.random.default_rng(0)
    savemat(
        tmp_path / "ecog_component_responses.mat",
        {"R": random.random((3, 75, 15)).astype(np.float32), "t": TIMES[None], "stim_names": names},
    )
    savemat(
        tmp_path / "acoustic_features.mat",
        {
            "F_coch": random.random((3, 6)),
            "F_mod": random.random((3, 7, 9)),
            "coch_freqs": np.array([[200, 400, 800, 1600, 3200, 6400]], dtype=np.uint16),
            "spec_mod_scales": np.array([[0, 0.25, 0.5, 1, 2, 4, 8]]),
            "temp_mod_rates": np.array([[0.5, 1, 2, 4, 8, 16, 32, 64, 128]]),
        },
    )
    return tmp_path


@pytest.fixture(scope="session")
def real_song165(real_data) -> Path:
    folder = real_data.parent / "song165"
    if not folder.is_dir():
        pytest.skip(f"the intracranial components are not at {folder}")
    return folder


def test_components_are_means_over_time(folder):
    responses = loadmat(folder / "ecog_component_responses.mat")["R"].astype(float)
    found = read_song165(folder)
    assert found.dims == ("stimulus", "target", "repetition") and found.shape == (3, 15, 1)
    assert list(found.stimulus.values) == SOUNDS
    assert list(found.target.values) == [f"C{number}" for number in range(1, 16)]
    np.testing.assert_allclose(found.values[:, :, 0], responses.mean(axis=1), rtol=1e-12)
    # both ends are included: 0.4, 0.44, ..., 2.0 s
    part = read_song165(folder, window=(0.4, 2.0))
    np.testing.assert_allclose(part.values[:, :, 0], responses[:, 10:51].mean(axis=1), rtol=1e-12)
    with pytest.raises(DataError, match=r"no time lies from 3.5 to 4 s; there are 0 to 2.96 s"):
        read_song165(folder, window=(3.5, 4))


def test_features_keep_rows_and_name_their_units(folder):
    raw = loadmat(folder / "acoustic_features.mat")
    found = acoustic_features(folder)
    assert {name: array.shape for name, array in found.items()} == {"cochlear": (3, 6), "modulation": (3, 63)}
    np.testing.assert_array_equal(found["cochlear"].values, raw["F_coch"])
    assert float(found["cochlear"].sel(stimulus="stim28_b", unit="1600 Hz")) == raw["F_coch"][1, 3]
    assert float(found["modulation"].sel(stimulus="stim102_c", unit="scale 0.5, rate 8 Hz")) == raw["F_mod"][2, 2, 4]


def test_other_layouts_are_refused(folder):
    content = loadmat(folder / "ecog_component_responses.mat")
    savemat(folder / "ecog_component_responses.mat", {**content, "R": content["R"][:, :, :4]})
    with pytest.raises(DataError, match=r"shape \(3, 75, 4\); expected .* shape \(3, 75, 15\)"):
        read_song165(folder)
    features = loadmat(folder / "acoustic_features.mat")
    savemat(folder / "acoustic_features.mat", {**features, "F_mod": features["F_mod"][:2]})
    with pytest.raises(DataError, match=r"F_mod has the shape \(2, 7, 9\); expected \(3, 7, 9\)"):
        acoustic_features(folder)


def test_the_real_components_are_of_the_165_sounds_and_prefer_what_the_table_says(real_song165, real_data):
    found = read_song165(real_song165)
    assert set(found.stimulus.values) == {path.stem for path in (real_data / "wav").glob("*.wav")}
    info = loadmat(real_song165 / "ecog_component_responses.mat")["C"][0, 0]
    labels = [str(cell.item()) for cell in info["category_labels"].ravel()]
    category = np.array(labels)[info["category_assignments"].ravel() - 1]  # in the file's order, which is ascending
    means = np.stack([found.values[category == label, :, 0].mean(axis=0) for label in labels])
    assert list(found.strongest_category.values) == [labels[row] for row in means.argmax(axis=0)]
    # the component that the study's code takes for its song-selective one
    c11 = means[:, 10]
    assert c11[labels.index("Song")] > 5 * np.delete(c11, labels.index("Song")).max()


def test_the_rows_of_the_real_features_are_the_sounds_they_are_said_to_be(real_song165, real_data):
    cochlear = acoustic_features(real_song165)["cochlear"]
    energy = []
    for stimulus in cochlear.stimulus.values:
        sound, rate = soundfile.read(real_data / "wav" / f"{stimulus}.wav")
        power, frequency = np.abs(np.fft.rfft(sound)) ** 2, np.fft.rfftfreq(len(sound), 1 / rate)
        bands = [200 * 2.0**octave for octave in range(6)]
        inside = [(frequency > band / 2**0.5) & (frequency <= band * 2**0.5) for band in bands]
        energy.append([np.log(power[band].sum() + 1e-12) for band in inside])
    aligned = [np.corrcoef(a, b)[0, 1] for a, b in zip(np.transpose(energy), cochlear.values.T, strict=True)]
    shifted = [
        np.corrcoef(a, np.roll(b, 1))[0, 1] for a, b in zip(np.transpose(energy), cochlear.values.T, strict=True)
    ]
    assert min(aligned) > 0.55 and max(shifted) < 0.3


def test_a_file_that_is_elsewhere_is_named(tmp_path):
    with pytest.raises(DataError, match=r"ecog_component_responses\.mat: there is no such file"):
        read_song165(tmp_path)
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "ecog_component_responses.mat").touch()
    with pytest.raises(DataError, match=r"data/ecog_component_responses\.mat is: name that folder"):
        read_song165(tmp_path)
