"""`auralign init`: what it writes runs as written, and what does not match is refused in sentences."""

import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from click.testing import CliRunner
from scipy.io import wavfile

from auralign.cli import compare as run
from auralign.cli.init import main
from auralign.config.reading import read_config
from auralign.errors import AuralignError, ConfigError
from auralign.inputs.splits import make_splits


def _folder(tmp_path: Path, n: int, ending: str = ".wav", name: str = "my_wavs", first: int = 1) -> list[str]:
    """A folder of short sounds; the names of their stimuli."""
    (tmp_path / name).mkdir(exist_ok=True)
    stimuli = [f"sound{number:03d}" for number in range(first, first + n)]
    for stimulus in stimuli:
        wavfile.write(tmp_path / name / f"{stimulus}{ending}", 16000, np.zeros(160, np.int16))
    return stimuli


def _responses(tmp_path: Path, stimuli: list[str], n_targets: int = 3, n_repetitions: int = 1) -> Path:
    random, tables = np.random.default_rng(0), []
    for repetition in range(n_repetitions):
        values = random.standard_normal((len(stimuli), n_targets))
        table = pd.DataFrame(values, columns=[f"t{number}" for number in range(n_targets)])
        table.insert(0, "stimulus", stimuli)
        tables.append(table.assign(repetition=repetition) if n_repetitions > 1 else table)
    path = tmp_path / "responses.tsv"
    pd.concat(tables).to_csv(path, sep="\t", index=False)
    return path


@pytest.fixture
def here(tmp_path, monkeypatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def _init(*arguments: str) -> str:
    """What the command prints; its errors are raised."""
    done = CliRunner().invoke(main, ["my_wavs", "responses.tsv", *arguments])
    if done.exception is not None:
        raise done.exception
    return done.output


@pytest.mark.parametrize(("n", "sizes"), [(20, (10, 10)), (41, (21, 20)), (165, (83, 82))])
def test_the_pair_is_valid_and_its_splits_fit_the_sounds(here, n, sizes):
    stimuli = _folder(here, n)
    _responses(here, stimuli)
    said = _init()
    assert said.startswith(f"{n} sounds with 3 targets; {sizes[0]} to fit, {sizes[1]} to test\n")
    config = read_config("julearn_configs/my_wavs.yml")
    assert (config.splits.train_size, config.splits.test_size) == sizes
    splits = make_splits(config.splits, len(stimuli))
    assert [(len(development), len(test)) for development, test in splits] == [sizes] * 10
    assert config.targets.path == here / "responses.tsv"
    features = yaml.safe_load(Path("junifer_yamls/my_wavs.yml").read_text())
    assert [marker["name"] for marker in features["markers"]] == list(config.features)
    storage = (here / "junifer_yamls" / features["storage"]["uri"]).resolve()
    assert {source.path for source in config.features.values()} == {storage}
    assert (here / "junifer_yamls" / features["datagrabber"]["dataset"]).resolve() == here / "my_wavs"
    assert features["datagrabber"]["pattern"] == "{stimulus}.wav"
    # the commands that it names are those of these files
    for file in re.findall(r"auralign (?:features )?run (\S+)", said):
        assert Path(file).is_file()


def test_what_is_commented_out_is_right_once_the_signs_are_taken_away(here):
    _responses(here, _folder(here, 24))
    _init()
    text = Path("junifer_yamls/my_wavs.yml").read_text()
    uncommented = yaml.safe_load(
        re.sub(r"(?m)^  # (- name|  kind|  checkpoint|  context|  compression)", r"  \1", text)
    )
    assert [marker["name"] for marker in uncommented["markers"]] == ["logmel", "untrained", "whisper", "spectemp"]
    assert {marker["kind"] for marker in uncommented["markers"]} == {
        "LogMel",
        "EncodecMAE",
        "Whisper",
        "SpectroTemporal",
    }
    comparison = Path("julearn_configs/my_wavs.yml")
    comparison.write_text(re.sub(r"(?m)^  # (whisper|mine)", r"  \1", comparison.read_text()))
    assert list(read_config(comparison).features) == ["logmel", "untrained", "whisper", "mine"]


def test_many_targets_leave_lasso_out(here):
    _responses(here, _folder(here, 24), n_targets=60)
    _init()
    assert list(read_config("julearn_configs/my_wavs.yml").estimators) == ["ridge"]
    assert "# lasso fits each of the 60 targets separately" in Path("julearn_configs/my_wavs.yml").read_text()


def test_repetitions_and_another_ending_are_seen(here):
    _responses(here, _folder(here, 24, ending=".WAV"), n_repetitions=3)
    assert "24 sounds with 3 targets, 3 repetitions each" in _init()
    assert yaml.safe_load(Path("junifer_yamls/my_wavs.yml").read_text())["datagrabber"]["pattern"] == "{stimulus}.WAV"


def test_awkward_names_of_folders_and_files_are_written_so_that_they_are_read(here):
    stimuli = _folder(here, 24, name="my sounds: (é) #1")
    _responses(here, stimuli).rename(here / "y [1].tsv")
    done = CliRunner().invoke(main, ["my sounds: (é) #1", "y [1].tsv", "--out", "deep/er"])
    assert done.exit_code == 0, done.output
    config = read_config("deep/er/julearn_configs/my_sounds_1.yml")
    assert config.targets.path == here / "y [1].tsv"
    content = yaml.safe_load(Path("deep/er/junifer_yamls/my_sounds_1.yml").read_text())
    assert (here / "deep/er/junifer_yamls" / content["datagrabber"]["dataset"]).resolve() == here / "my sounds: (é) #1"


def _without_sound(here: Path) -> None:
    (here / "my_wavs" / "sound007.wav").unlink()


def _with_endings(here: Path) -> None:
    _responses(here, [f"sound{number:03d}.wav" for number in range(1, 31)])


def _too_few(here: Path) -> None:
    _responses(here, [f"sound{number:03d}" for number in range(1, 13)])
    for number in range(13, 31):
        (here / "my_wavs" / f"sound{number:03d}.wav").unlink()


def _no_sounds(here: Path) -> None:
    (here / "my_wavs").rename(here / "elsewhere")
    (here / "my_wavs").mkdir()
    (here / "elsewhere").rename(here / "my_wavs" / "below")


def _two_endings(here: Path) -> None:
    (here / "my_wavs" / "sound001.wav").rename(here / "my_wavs" / "sound001.flac")


def _no_column(here: Path) -> None:
    (here / "responses.tsv").write_text("sound\tt0\na\t1\n")


def _a_gap(here: Path) -> None:
    table = pd.read_csv(here / "responses.tsv", sep="\t")
    table.loc[3, "t1"] = np.nan
    table.to_csv(here / "responses.tsv", sep="\t", index=False)


def _others(here: Path) -> None:
    _responses(here, [f"tone{number}" for number in range(30)])


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (_without_sound, r"sounds \(my_wavs, .wav\) lack 1 stimuli: sound007\nSupply what is lacking, or .* --drop"),
        (_with_endings, r"not named alike:\n.*'sound001.wav'.*and 29 more alike.*ending of a sound file"),
        (_too_few, r"12 sounds have responses, which are too few: at least 20 are needed"),
        (_no_sounds, r"my_wavs: holds no sound files .*\. There are 30 sound files in my_wavs/below: give that folder"),
        (_two_endings, r"several endings \(29 .wav, 1 .flac\)"),
        (_no_column, r"responses.tsv.*stimulus"),
        (_a_gap, r"responses.tsv.*t1"),
        (_others, r"no sound has a response"),
        (lambda here: (here / "responses.tsv").unlink(), r"responses.tsv: there is no such table"),
        (lambda here: (here / "my_wavs").rename(here / "x"), r"my_wavs: there is no such folder"),
    ],
)
def test_what_does_not_match_is_refused_in_a_sentence_and_nothing_is_written(here, change, told):
    _responses(here, _folder(here, 30))
    change(here)
    with pytest.raises(AuralignError, match=re.compile(told, re.DOTALL)):
        _init()
    assert not (here / "junifer_yamls").exists()


def test_drop_leaves_out_what_lacks_something_and_says_so_in_the_file(here):
    stimuli = _folder(here, 30)
    _responses(here, stimuli)
    _without_sound(here)
    _a_gap(here)
    said = _init("--drop")
    assert "29 sounds with 2 targets; 15 to fit, 14 to test" in said
    config = read_config("julearn_configs/my_wavs.yml")
    assert (config.missing, config.missing_targets, config.targets.missing_repetitions) == ("drop", "drop", "available")


def test_files_that_are_there_are_left_alone_unless_forced(here):
    _responses(here, _folder(here, 24))
    _init()
    Path("julearn_configs/my_wavs.yml").write_text("mine")
    with pytest.raises(AuralignError, match=r"julearn_configs/my_wavs.yml: there already, and left alone.*--name"):
        _init()
    assert Path("julearn_configs/my_wavs.yml").read_text() == "mine"
    assert "other.yml" in _init("--name", "other")
    _init("--force")
    assert read_config("julearn_configs/my_wavs.yml").name == "my_wavs"
    with pytest.raises(AuralignError, match=r"--name a/b: letters, digits"):
        _init("--name", "a/b")


def test_hidden_files_are_no_sounds(here):
    _responses(here, _folder(here, 24))
    for name in (".hidden.wav", "._sound001.wav", ".DS_Store"):
        (here / "my_wavs" / name).write_bytes(b"")
    assert _init().startswith("24 sounds with 3 targets")


def test_one_stimulus_is_too_few_whatever_else_it_is(here):
    _folder(here, 24)
    _responses(here, ["sound001"])
    with pytest.raises(AuralignError, match=r"(?s)lack 23 stimuli.*--drop"):
        _init()
    with pytest.raises(AuralignError, match=r"^1 sounds have responses, which are too few"):
        _init("--drop")


def test_the_way_out_of_a_constant_target_is_an_option_of_this_command(here):
    table = pd.read_csv(_responses(here, _folder(here, 24)), sep="\t")
    table.assign(t1=1.0).to_csv(here / "responses.tsv", sep="\t", index=False)
    with pytest.raises(AuralignError, match=r"(?s)constant over stimuli.*: t1\..*\nWith --drop the files say that\.$"):
        _init()
    assert "24 sounds with 2 targets" in _init("--drop")


@pytest.mark.parametrize("options", [[], ["--dry-run"]])
def test_results_do_not_go_where_a_file_is(here, options):
    _responses(here, _folder(here, 24))
    _init()
    with pytest.raises(ConfigError, match=r"responses.tsv: a file is in the place of the results.*--out"):
        run.main(["julearn_configs/my_wavs.yml", "--out", "responses.tsv", *options], standalone_mode=False)
