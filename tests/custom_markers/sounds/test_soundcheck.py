"""Doubtful sounds: what is found in one, what is found in a set, and that run and report say so."""

import logging
from collections import Counter

import numpy as np
import pytest
import soundfile
import yaml

from auralign.config.reading import read_config
from auralign.errors import DataError
from auralign.inputs.sounds import Finding, Sound, describe, read_sounds, sound_warnings, sounds_path, write_sound
from auralign.inputs.study import load_study
from custom_markers.sounds.audio import read_recording
from custom_markers.sounds.soundcheck import findings

from ..conftest import junifer

LOGMEL = {"name": "logmel", "kind": "LogMel", "n_mels": 8}
RATE = 16000
TIME = np.arange(RATE) / RATE
NOISE = 0.1 * np.random.default_rng(0).standard_normal(RATE)


def tone(hertz: float, amplitude: float) -> np.ndarray:
    return amplitude * np.sin(2 * np.pi * hertz * TIME)


def found(path, samples, subtype="PCM_16") -> set[Finding]:
    soundfile.write(path, samples, RATE, subtype=subtype)
    return set(findings(read_recording(path)))


DITHER = np.random.default_rng(1).integers(-1, 2, RATE) / 2**15
CASES = {
    "noise": (NOISE, "PCM_16", set()),
    "stereo noise": (np.stack([NOISE, NOISE[::-1]], axis=1), "PCM_16", set()),
    "one channel silent": (np.stack([NOISE, 0 * NOISE], axis=1), "PCM_16", set()),
    "zeros": (0 * NOISE, "PCM_16", {Finding.SILENT}),
    "constant": (0 * NOISE + 0.2, "PCM_16", {Finding.SILENT}),
    "dithered silence": (DITHER, "PCM_16", {Finding.SILENT}),
    "quiet": (NOISE * 1e-2, "PCM_16", set()),
    "anti-phase": (np.stack([NOISE, -NOISE], axis=1), "PCM_16", {Finding.CANCELLING}),
    "anti-phase, not quite": (np.stack([NOISE, -0.99 * NOISE], axis=1), "PCM_16", {Finding.CANCELLING}),
    "four channels that cancel": (
        np.stack([NOISE, -NOISE, 0.5 * NOISE, -0.5 * NOISE], axis=1),
        "PCM_16",
        {Finding.CANCELLING},
    ),
    "clipped": (np.clip(tone(440, 1.2), -1, 1), "PCM_16", {Finding.CLIPPED}),
    "clipped a little": (np.clip(tone(440, 1.02), -1, 1), "PCM_24", {Finding.CLIPPED}),
    "clipped, then made quieter": (np.clip(tone(440, 1.2), -1, 1) / 2, "PCM_16", set()),  # not looked for
    "clipped in one channel": (np.stack([NOISE, np.clip(tone(440, 2), -1, 1)], axis=1), "PCM_16", {Finding.CLIPPED}),
    "clipped float": (np.clip(tone(440, 2), -1, 1), "FLOAT", {Finding.CLIPPED}),
    "clipped in 8 bits": (np.clip(tone(440, 2), -1, 1), "PCM_U8", {Finding.CLIPPED}),
    "one peak at full scale": (np.where(np.arange(RATE) == 100, 1.0, NOISE), "PCM_16", set()),
    "full scale, not clipped": (tone(440, 1.0), "PCM_16", set()),
    "full scale, low": (tone(20, 1.0), "PCM_16", set()),
    "over-range": (tone(440, 1.5), "FLOAT", {Finding.OVER_RANGE}),
    "offset": (0.1 * NOISE + 0.3, "PCM_16", {Finding.OFFSET}),
    "offset below the signal": (NOISE + 0.05, "PCM_16", set()),
}


@pytest.mark.parametrize(("samples", "subtype", "expected"), CASES.values(), ids=CASES)
def test_what_is_doubtful_about_one_sound(tmp_path, samples, subtype, expected):
    assert found(tmp_path / "a.wav", samples, subtype) == expected


def sound(stimulus, seconds=2.0, rate=44100, sha256=None, found=()) -> Sound:
    return Sound(stimulus, sha256 or stimulus, round(seconds * rate), rate, 1, tuple(found))


def test_a_set_without_doubts_has_no_sentences():
    assert describe([sound(f"stim{n}_a") for n in range(165)], {"net": 24000}, "features") == []
    assert describe([], {"net": 24000}, "features") == []


def test_sentences_name_the_first_sounds_in_order_and_count_the_others():
    sounds = [sound(f"stim{n}_a", found=[Finding.CLIPPED] * (n != 3)) for n in range(12)]
    (sentence,) = describe(sounds, {}, "speech")
    assert sentence == (
        "Sounds of speech: stim0_a, stim1_a, stim2_a, stim4_a, stim5_a and 6 more are clipped: "
        "runs of samples stand at full scale."
    )
    (sentence,) = describe([sound("a", found=[Finding.SILENT])], {}, "speech")
    assert sentence == "Sounds of speech: a is silent: features of silence are constant."


@pytest.mark.parametrize(
    ("seconds", "far"),
    [
        ([2.0] * 20 + [1.2], ["1.2 s"]),  # cut off at 60 %
        ([2.0] * 20 + [2.2], []),
        ([2.0] * 20 + [9.0], ["9 s"]),
        (list(np.linspace(0.3, 0.9, 30)), []),  # words are of many lengths
        ([*np.linspace(0.5, 0.9, 30), 0.01], ["0.01 s"]),
        ([2.0, 1.0], []),  # two are no set
    ],
)
def test_lengths_far_from_the_others(seconds, far):
    sentences = describe([sound(f"s{n}", value) for n, value in enumerate(seconds)], {}, "x")
    assert len(sentences) == len(far)
    assert all(length in sentence for length, sentence in zip(far, sentences, strict=True))


def test_a_sampling_rate_below_the_networks():
    sounds = [sound(f"s{n}", rate=8000) for n in range(4)]
    (sentence,) = describe(sounds, {"net": 16000, "old": 8000}, "x")
    assert sentence.startswith("Sounds of x: all 4 (8000 Hz) are below the sampling rate of net (16000 Hz);")
    (sentence,) = describe([*sounds[:1], sound("t", rate=44100), sound("u", rate=44100)], {"net": 16000}, "x")
    assert sentence.startswith("Sounds of x: s0 (8000 Hz) is below the sampling rate of net (16000 Hz);")


def test_the_same_recording_twice_is_named_with_the_split_that_helps():
    sounds = [
        sound("stim2_b", sha256="x"),
        sound("stim1_a", sha256="x"),
        sound("stim3_c"),
        sound("stim10_d", sha256="x"),
    ]
    (sentence,) = describe(sounds, {}, "x")
    assert "stim1_a = stim2_b = stim10_d" in sentence
    assert "splits: {kind: group_shuffle, groups: <column>}" in sentence


# ---------------------------------------------------------------------------------------------- the table


def test_the_last_line_of_a_sound_counts_and_half_a_line_is_removed(tmp_path):
    storage = tmp_path / "a" / "a.hdf5"
    assert read_sounds(storage) == {}
    write_sound(storage, sound("s1"))
    write_sound(storage, sound("s2", found=[Finding.CLIPPED, Finding.OFFSET]))
    before = sounds_path(storage).read_text()
    write_sound(storage, sound("s1"))  # nothing new
    assert sounds_path(storage).read_text() == before
    with open(sounds_path(storage), "a") as file:
        file.write("s3\tabc\t12")  # killed while it wrote
    write_sound(storage, sound("s1", seconds=1.0))
    assert read_sounds(storage) == {"s1": sound("s1", seconds=1.0), "s2": sound("s2", found=["clipped", "offset"])}


def test_names_with_tabs_quotes_and_accents_come_back(tmp_path):
    names = ['a"b', "c\td", "é", "x y"]
    for name in names:
        write_sound(tmp_path / "a.hdf5", sound(name))
    assert list(read_sounds(tmp_path / "a.hdf5")) == names


def test_a_damaged_table_is_refused_with_file_and_line(tmp_path):
    write_sound(tmp_path / "a.hdf5", sound("s1"))
    with open(sounds_path(tmp_path / "a.hdf5"), "a") as file:
        file.write("s2\tabc\n")
    with pytest.raises(DataError, match=r"a\.sounds\.tsv, line 3: not as `junifer run` writes it"):
        sound_warnings(tmp_path / "a.hdf5")


def test_a_storage_without_a_table_has_no_warnings(make_yaml):
    yaml_file = make_yaml(LOGMEL)
    junifer("run", yaml_file)
    junifer("collect", yaml_file)
    storage = yaml_file.parent / "features" / "features.hdf5"
    sounds_path(storage).unlink()
    assert sound_warnings(storage) == []


# ---------------------------------------------------------------------------------------------- in a run


def test_run_warns_and_the_warnings_outlive_collect(make_yaml, sounds, monkeypatch):
    noise = soundfile.read(sounds / "stim5_noise.wav")[0]
    soundfile.write(sounds / "stim1_anti.wav", np.stack([noise, -noise], axis=1), 44100)
    soundfile.write(sounds / "stim2_clip.wav", np.clip(20 * noise, -1, 1), 44100)
    (sounds / "stim6_again.wav").write_bytes((sounds / "stim5_noise.wav").read_bytes())
    soundfile.write(sounds / "stim7_low.wav", noise[:4000], 8000)
    said = []
    monkeypatch.setattr(logging.getLogger("junifer"), "warning", lambda text, *values: said.append(text))
    yaml_file = make_yaml(LOGMEL, {**LOGMEL, "name": "fine", "n_mels": 9})
    assert junifer("run", yaml_file).exception is None
    expected = [
        "Sounds of features: stim1_anti is silent once the channels are averaged, because they cancel (opposite "
        "phase).",
        "Sounds of features: stim2_clip is clipped: runs of samples stand at full scale.",
    ]
    for sentence in expected:
        assert said.count(sentence) == 1
    assert any("stim5_noise = stim6_again" in line for line in said)
    assert any(
        "stim7_low (8000 Hz) is below the sampling rate of logmel (24000 Hz), fine (24000 Hz)" in line for line in said
    )
    assert junifer("collect", yaml_file).exception is None
    storage = yaml_file.parent / "features" / "features.hdf5"
    warnings = sound_warnings(storage)
    assert warnings[:2] == expected
    assert len(warnings) == 4
    # each sound with its checksum, length, rate and channels, once
    table = read_sounds(storage)
    assert len(table) == 7
    assert (table["stim1_anti"].n_samples, table["stim1_anti"].sample_rate, table["stim1_anti"].channels) == (
        22050,
        44100,
        2,
    )
    assert Counter(sounds_path(storage).read_text().split()).most_common(1)[0][1] <= 7
    # a sound that is gone is not warned of any more
    (sounds / "stim2_clip.wav").unlink()
    (storage.parent / "element_stim2_clip_features.hdf5").unlink()
    storage.unlink()
    assert junifer("collect", yaml_file).exception is None
    assert len(sound_warnings(storage)) == 3


def test_a_study_carries_the_warnings_once_for_every_storage(make_yaml, sounds, tmp_path):
    random = np.random.default_rng(0)
    for path in sounds.iterdir():
        path.unlink()
    for number in range(60):
        soundfile.write(sounds / f"stim{number}_a.wav", 0.1 * random.standard_normal(4800) * (number != 7), 24000)
    yaml_file = make_yaml(LOGMEL, {**LOGMEL, "name": "fine", "n_mels": 9})
    assert junifer("run", yaml_file).exception is None
    assert junifer("collect", yaml_file).exception is None
    rows = "".join(f"stim{number}_a\t{random.standard_normal()}\n" for number in range(60))
    (tmp_path / "y.tsv").write_text("stimulus\tvoxel\n" + rows)
    storage = {"storage": "features/features.hdf5"}
    comparison = {
        "name": "x",
        "features": {name: {**storage, "marker": name} for name in ("logmel", "fine")},
        "targets": {"kind": "table", "table": "y.tsv"},
        "splits": {"kind": "shuffle", "n_splits": 2, "train_size": 30, "test_size": 30},
        "estimators": {"ridge": {"kind": "ridge"}},
    }
    (tmp_path / "x.yml").write_text(yaml.safe_dump(comparison))
    study = load_study(read_config(tmp_path / "x.yml"), tmp_path)
    silent = "Sounds of features: stim7_a is silent: features of silence are constant."
    assert study.warnings.count(silent) == 1


def test_skipping_does_not_apply_to_doubts(make_yaml, sounds, monkeypatch):
    soundfile.write(sounds / "stim1_silent.wav", np.zeros(22050), 44100)
    monkeypatch.setenv("AURALIGN_ON_ERROR", "skip")
    yaml_file = make_yaml(LOGMEL)
    assert junifer("run", yaml_file).exception is None
    assert len(list((yaml_file.parent / "features").glob("element_*"))) == 4
    assert "stim1_silent is silent" in sound_warnings(yaml_file.parent / "features" / "features.hdf5")[0]


def test_none_of_the_165_published_sounds_is_doubtful(real_data):
    # an independent look: 2 s at 44.1 kHz each, none reaches full scale, none is quiet or shifted
    sounds = []
    for path in sorted((real_data / "wav").glob("*.wav")):
        recording = read_recording(path)
        samples, rate = soundfile.read(path)
        assert (len(samples), rate, samples.ndim) == (88200, 44100, 1)
        assert np.abs(samples).max() < 1 - 2**-15
        assert samples.std() > 0.001
        assert abs(samples.mean()) < samples.std()
        sounds.append(Sound(path.stem, path.stem, len(recording.samples), rate, 1, tuple(findings(recording))))
    assert len(sounds) == 165
    assert describe(sounds, {"mixture": 24000}, "encodecmae") == []


@pytest.mark.parametrize("stimulus", ["a", "ab", "b", 'with "quotes"', "with\ttab", "with\nline", "Ä"])
def test_a_sound_has_one_line_until_something_of_it_changes(tmp_path, stimulus):
    storage = tmp_path / "features.hdf5"
    names = ["b", stimulus, "ab", "line", f"{stimulus} too"]
    for n_samples in (1, 2, 1):
        for name in (*names, *names):
            write_sound(storage, Sound(name, "sum", n_samples, 8000, 1))
        kept = sounds_path(storage).read_bytes()
        write_sound(storage, Sound(stimulus, "sum", n_samples, 8000, 1))
        assert sounds_path(storage).read_bytes() == kept
        assert read_sounds(storage)[stimulus].n_samples == n_samples
    assert kept.count(b"\tsum\t") == 3 * len(set(names))
