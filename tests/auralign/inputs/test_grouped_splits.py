"""Splits by groups, folds and tables: what they keep together, and what is refused."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.model_selection import GroupKFold, GroupShuffleSplit, KFold, StratifiedGroupKFold

from auralign.config.reading import read_config
from auralign.errors import ConfigError, DataError
from auralign.inputs.predefined_splits import read_splits
from auralign.inputs.related_stimuli import related_pairs
from auralign.inputs.split_options import Splits
from auralign.inputs.splits import make_splits
from auralign.inputs.study import load_study
from auralign.runs.compare import run_comparison

GROUPS = np.repeat(np.arange(12), [1, 2, 3, 4, 5, 6, 1, 2, 3, 4, 5, 6])


def same(splits, reference) -> None:
    for (development, test), (dev, held) in zip(splits, reference, strict=True):
        np.testing.assert_array_equal(development, np.sort(dev))
        np.testing.assert_array_equal(test, np.sort(held))


def test_each_kind_is_scikit_learns():
    rows = np.zeros(42)
    config = Splits(kind="group_shuffle", groups="g", n_splits=3, train_size=6, test_size=5, seed=7)
    reference = GroupShuffleSplit(3, train_size=6, test_size=5, random_state=7).split(rows, groups=GROUPS)
    same(make_splits(config, 42, None, GROUPS), reference)
    by_chance = {"shuffle": True, "random_state": 2}
    same(make_splits(Splits(kind="kfold", n_splits=4, seed=2), 42), KFold(4, **by_chance).split(rows))
    config = Splits(kind="kfold", groups="g", n_splits=4)
    same(make_splits(config, 42, None, GROUPS), GroupKFold(4).split(rows, groups=GROUPS))
    categories = ["a", "b"] * 21
    config = Splits(kind="stratified_kfold", groups="g", n_splits=3, seed=2)
    reference = StratifiedGroupKFold(3, **by_chance).split(rows, categories, GROUPS)
    same(make_splits(config, 42, categories, GROUPS), reference)
    left_out = make_splits(Splits(kind="leave_one_group_out", groups="g"), 42, None, GROUPS)
    assert [len(test) for _, test in left_out] == np.bincount(GROUPS).tolist()


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        ({"kind": "group_shuffle", "groups": "g", "train_size": 10, "test_size": 5}, r"= 15 groups, but only 12 are"),
        ({"kind": "kfold", "groups": "g", "n_splits": 13}, r"at least 13 groups for 13 folds.*there are 12 in the col"),
        ({"kind": "kfold", "n_splits": 50}, r"at least 50 stimuli for 50 folds"),
        ({"kind": "stratified_kfold", "n_splits": 3}, r"needs `stimuli: \{table: \.\.\.\}` with a category"),
    ],
)
def test_too_few_groups_are_refused_with_the_numbers(keys, expected):
    with pytest.raises(ConfigError, match=expected):
        make_splits(Splits(**keys), 42, None, GROUPS if "groups" in keys else None)


@pytest.mark.parametrize(
    ("splits", "expected"),
    [
        (
            "{kind: shuffle, groups: g, train_size: 20, test_size: 20}",
            "does not keep groups together; use kind: group_",
        ),
        ("{kind: group_shuffle, train_size: 20, test_size: 20}", "kind: group_shuffle needs `groups`"),
        ("{kind: leave_one_group_out, groups: g, n_splits: 5}", "takes no `n_splits`; its keys are groups, allow"),
        ("{kind: predefined}", "kind: predefined needs `table`"),
        ("{kind: kfold, train_size: 20}", "kind: kfold takes no `train_size`"),
        ("{kind: kfold, groups: g}", r"splits.groups: g needs `stimuli"),
        ("{kind: kfold, groups: g, seed: 3}", "kfold with `groups` takes no `seed`"),
        ("{kind: stratified_kfold}", r"stratified_kfold\} needs `stimuli"),
        (
            "{kind: shuffle, train_size: 20, test_size: 9}",
            r"9 test stimuli: .*r2_corr of 0\.062.*`allow_small_test: true`",
        ),
        ("{kind: shuffle, train_size: 2, test_size: 20}", "train_size: 2 development stimuli; at least 3"),
    ],
)
def test_what_the_splits_may_not_say_is_named(small_config, splits, expected):
    text = small_config.read_text().replace(
        "{kind: shuffle, n_splits: 4, train_size: 16, test_size: 14, seed: 1}", splits
    )
    small_config.write_text(text)
    with pytest.raises(ConfigError, match=expected):
        read_config(small_config)


# --- predefined ---------------------------------------------------------------------------------------------------


def write_splits(folder: Path, rows: list[tuple]) -> Path:
    pd.DataFrame(rows, columns=["split", "stimulus", "set"]).to_csv(folder / "splits.tsv", sep="\t", index=False)
    return folder / "splits.tsv"


GOOD = [(2, "b", "train"), (2, "a", "test"), (10, "c", "test"), (10, "a", "development"), (10, "b", "train")]


def test_predefined_splits_are_numbered_in_the_order_of_their_labels(tmp_path):
    splits, warnings = read_splits(write_splits(tmp_path, GOOD[::-1]), ["a", "b", "c", "d"])
    assert [(d.tolist(), t.tolist()) for d, t in splits] == [([1], [0]), ([0, 1], [2])]
    assert warnings == [f"1 stimuli are in no split of {tmp_path / 'splits.tsv'}: d."]
    read_splits(write_splits(tmp_path, [*GOOD, (2, "lost", "test")]), ["a", "b", "c"], {"lost"})


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        ([*GOOD, (2, "x", "test")], r"splits\.tsv: 1 stimuli are not in this study: x"),
        ([*GOOD, (2, "C", "test")], r"'c' is there in the place of 'C': they differ in capitals only"),
        ([*GOOD, (2, "a", "test")], r"line 7: the stimulus 'a' is there more than once of split 2"),
        ([*GOOD, (2, "a", "train")], r"line 7: the stimulus 'a' is in both sets of split 2"),
        ([*GOOD, (2, "c", "validation")], r"line 7: the set 'validation' is none of development \(or train\) and test"),
        ([*GOOD, (3, "c", "test")], r"split 3 has no development stimulus"),
        (GOOD[:2], r"1 split; a spread over splits needs at least 2"),
    ],
)
def test_a_wrong_table_of_splits_is_refused(tmp_path, rows, expected):
    with pytest.raises(ConfigError, match=expected):
        read_splits(write_splits(tmp_path, rows), ["a", "b", "c"])


# --- whole studies ------------------------------------------------------------------------------------------------


@pytest.fixture
def variants(tmp_path) -> Path:
    """A comparison of 4 variants each of 20 sounds, whose responses follow the sound and not its features."""
    random = np.random.default_rng(0)
    names = [f"s{sound:02d}_{variant}" for sound in range(20) for variant in "abcd"]
    x = np.repeat(random.standard_normal((20, 50)), 4, axis=0) + 0.03 * random.standard_normal((80, 50))
    y = np.repeat(random.standard_normal((20, 6)), 4, axis=0) + 0.03 * random.standard_normal((80, 6))
    units, targets = [f"u{i}" for i in range(50)], [f"t{i}" for i in range(6)]
    pd.DataFrame(x, columns=units).assign(stimulus=names).to_csv(tmp_path / "x.tsv", sep="\t", index=False)
    pd.DataFrame(y, columns=targets).assign(stimulus=names).to_csv(tmp_path / "y.tsv", sep="\t", index=False)
    table = pd.DataFrame({"stimulus": names, "sound": [name[:3] for name in names]})
    table.to_csv(tmp_path / "s.tsv", sep="\t", index=False)
    return tmp_path


def configured(folder: Path, splits: str) -> Path:
    path = folder / "c.yml"
    path.write_text(
        "name: c\nfeatures: {net: {table: x.tsv}}\ntargets: {kind: table, table: y.tsv}\nstimuli: {table: s.tsv}\n"
        f"splits: {splits}\nestimators: {{ridge: {{kind: ridge}}}}\nengine: multitarget\n"
    )
    return path


GROUPED = "{kind: group_shuffle, groups: sound, n_splits: 6, train_size: 10, test_size: 10}"


def test_variants_on_both_sides_are_named_and_groups_keep_them_together(variants):
    table = pd.read_csv(variants / "s.tsv", sep="\t")
    table.assign(category="c").to_csv(variants / "s.tsv", sep="\t", index=False)
    ungrouped = read_config(configured(variants, "{kind: shuffle, n_splits: 6, train_size: 40, test_size: 40}"))
    scores = run_comparison(ungrouped, variants / "a")["scores"]
    assert scores["r2_corr"].median() > 0.95
    (warning,) = load_study(ungrouped, variants).warnings
    assert "the features of 80 stimuli (20 families) are the same or correlate above 0.99 in net: " in warning
    assert "s00_a, s00_b, s00_c, s00_d; s01_a" in warning and "and 17 more families" in warning
    assert "splits: {kind: group_shuffle, groups: <the column>" in warning
    table.to_csv(variants / "s.tsv", sep="\t", index=False)  # a table for its groups alone, without categories
    grouped = read_config(configured(variants, GROUPED))
    scores = run_comparison(grouped, variants / "b")["scores"]
    assert scores["r2_corr"].median() < 0.1
    study = load_study(grouped, variants)
    assert study.warnings == []
    assert study.groups.tolist() == np.repeat(np.arange(20), 4).tolist()
    for development, test in study.splits:
        assert not set(study.groups[development]) & set(study.groups[test])


def test_small_tests_are_refused_unless_allowed_and_warned_of(variants):
    one_out = "{kind: leave_one_group_out, groups: sound%s}"
    with pytest.raises(ConfigError, match=r"leave_one_group_out: the smallest test set holds 4 test stimuli"):
        load_study(read_config(configured(variants, one_out % "")), variants)
    study = load_study(read_config(configured(variants, one_out % ", allow_small_test: true")), variants)
    assert len(study.splits) == 20
    assert study.warnings[0].startswith("The smallest test set holds 4 stimuli: a prediction that is pure noise has")


def test_groups_must_be_there_and_suffice(variants):
    path = configured(variants, GROUPED)
    table = pd.read_csv(variants / "s.tsv", sep="\t")
    table.assign(sound=table["sound"].where(table.index != 5)).to_csv(variants / "s.tsv", sep="\t", index=False)
    with pytest.raises(DataError, match=r"s\.tsv: line 7 has no sound"):
        load_study(read_config(path), variants)
    table.iloc[:70].to_csv(variants / "s.tsv", sep="\t", index=False)
    with pytest.raises(DataError, match="no sound for 10 stimuli"):
        load_study(read_config(path), variants)
    table.to_csv(variants / "s.tsv", sep="\t", index=False)
    path.write_text(path.read_text().replace("{kind: ridge}", "{kind: ridge, cv: 11}"))
    with pytest.raises(ConfigError, match=r"ridge\.cv: 11 inner folds of 10 groups of development"):
        run_comparison(read_config(path), variants / "out")


def test_a_group_on_both_sides_of_a_predefined_split_is_refused(variants):
    names = pd.read_csv(variants / "s.tsv", sep="\t")["stimulus"]
    rows = [
        (split, name, "test" if (i // 4 + i * (split == 1)) % 2 else "train")
        for split in (0, 1)
        for i, name in enumerate(names)
    ]
    write_splits(variants, rows)
    with pytest.raises(ConfigError, match="in split 1 20 groups of 'sound' are on both sides"):
        load_study(read_config(configured(variants, "{kind: predefined, table: splits.tsv, groups: sound}")), variants)
    study = load_study(read_config(configured(variants, "{kind: kfold, groups: sound, n_splits: 2}")), variants)
    assert study.warnings == []


# --- related stimuli ----------------------------------------------------------------------------------------------


def test_versions_are_found_and_what_all_sounds_share_is_not_taken_for_likeness():
    random = np.random.default_rng(0)
    x = random.standard_normal((60, 80)) * np.geomspace(0.01, 100, 80) + 1000.0  # every raw correlation is above .99
    assert len(related_pairs(x)) == 0
    x[7] = x[3] + 0.02 * x.std(axis=0) * random.standard_normal(80)
    x[50] = x[20]
    assert related_pairs(x).tolist() == [[3, 7], [20, 50]]


def test_layers_that_say_little_raise_no_alarm():
    random = np.random.default_rng(1)
    assert len(related_pairs(random.standard_normal((165, 2)))) == 0  # .99 by chance
    two = random.standard_normal((165, 2)) @ random.standard_normal((2, 60))  # two dimensions in 60 units
    assert len(related_pairs(two + 0.001 * random.standard_normal(two.shape))) == 0
    assert len(related_pairs(np.eye(11)[random.integers(11, size=165)])) == 0  # one-hot categories
    few = random.standard_normal((165, 4))
    few[9] = few[2]
    assert related_pairs(few).tolist() == [[2, 9]]


def test_the_real_sounds_average_spectra_raise_no_alarm(real_data):
    soundfile = pytest.importorskip("soundfile")
    spectra = []
    for file in sorted((real_data / "wav").rglob("*.wav")):
        samples, _ = soundfile.read(file, always_2d=True)
        frames = samples.mean(axis=1)[: len(samples) // 1024 * 1024].reshape(-1, 1024)
        power = (
            (np.abs(np.fft.rfft(frames * np.hanning(1024), axis=1)) ** 2)[:, 1:].reshape(len(frames), 64, 8).sum(axis=2)
        )
        spectra.append(np.log(power + 1e-10).mean(axis=0))
    assert len(spectra) == 165
    assert len(related_pairs(np.array(spectra))) == 0
