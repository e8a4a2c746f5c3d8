"""Identifiers that look the same are the same, and what stays different is explained."""

import unicodedata
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from auralign.config.reading import read_config
from auralign.errors import DataError
from auralign.files.identifiers import normal_form, normalise, what_is_lacking
from auralign.files.notices import InputWarning, noted
from auralign.inputs.confounds import read_confounds
from auralign.inputs.features import read_features
from auralign.inputs.options import Features, Targets
from auralign.inputs.published.responses import make_responses
from auralign.inputs.responses import read_responses
from auralign.inputs.stimuli import read_categories
from auralign.inputs.study import load_study
from auralign.runs.compare import run_comparison

COMPOSED, APART = "caf\u00e9", "cafe\u0301"


@pytest.mark.parametrize(
    "spelt",
    [APART, COMPOSED + " ", "\u00a0" + COMPOSED, COMPOSED + "\u200b", "\ufeff" + APART, COMPOSED + "\r\t "],
)
def test_one_form_for_what_looks_the_same(spelt):
    assert normal_form(spelt) == COMPOSED


def test_spaces_inside_are_plain_spaces_and_the_rest_stays():
    assert normal_form("a\u00a0b\u2009c") == "a b c"
    assert normal_form("\ufb01le_\u00b2 x--Y") == "\ufb01le_\u00b2 x--Y"


def test_plain_ids_are_left_alone_without_a_word(recwarn):
    assert normalise(["stim1_a", "stim1_a", "NA"], "stimulus", "y.tsv", may_repeat=False) == [
        "stim1_a",
        "stim1_a",
        "NA",
    ]
    assert not recwarn.list


def test_a_change_is_said_with_code_points():
    with pytest.warns(InputWarning) as caught:
        assert normalise([APART, "b"], "stimulus", "y.tsv") == [COMPOSED, "b"]
    message = str(caught[0].message)
    assert message.startswith("y.tsv: 1 name of stimuli was brought to one form")
    assert f"'{APART}' (U+0065 U+0301) to '{COMPOSED}' (U+00E9)" in message


def test_two_ids_that_become_one_are_an_error(tmp_path):
    with pytest.raises(DataError, match=r"y\.tsv: two names of stimuli are the same .*U\+0301.*Rename one"):
        normalise([COMPOSED, APART], "stimulus", "y.tsv", may_repeat=False)
    table = tmp_path / "y.tsv"
    table.write_text("stimulus\ta\nx\t1\nx \t2\n")
    with pytest.raises(DataError, match=r"y\.tsv: two names of stimuli are the same"):
        read_responses(Targets(kind="table", table=table))


@pytest.fixture
def spelt_apart(tmp_path) -> Path:
    """Responses whose stimuli and targets have accents apart and spaces behind; every other input has them composed."""
    random = np.random.default_rng(0)
    names = [f"{COMPOSED}{number}" for number in range(20)]
    apart = [unicodedata.normalize("NFD", name) + " " for name in names]
    values = random.standard_normal((20, 2))
    pd.DataFrame(values, columns=["u", "v"]).assign(stimulus=names).to_csv(tmp_path / "x.tsv", sep="\t", index=False)
    y = pd.DataFrame(values @ [[1, 0], [0, 1]], columns=[APART, "b"]).assign(stimulus=apart)
    y.to_csv(tmp_path / "y.tsv", sep="\t", index=False)
    (tmp_path / "m.tsv").write_text(f"target\troi\n{COMPOSED}\tp\nb\u00a0\tq\n", encoding="utf-8")
    pd.DataFrame({"stimulus": names, "category": ["a", "b"] * 10}).to_csv(tmp_path / "s.tsv", sep="\t", index=False)
    pd.DataFrame({"stimulus": apart, "loud": values[:, 0] ** 2}).to_csv(tmp_path / "c.tsv", sep="\t", index=False)
    config = tmp_path / "c.yml"
    config.write_text(
        "name: accents\nfeatures: {net: {table: x.tsv}}\ntargets: {kind: table, table: y.tsv, target_table: m.tsv}\n"
        "stimuli: {table: s.tsv}\nconfounds: {table: c.tsv}\n"
        "splits: {kind: stratified, train_size: 12, test_size: 8, allow_small_test: true}\n"
        "estimators: {ridge: {kind: ridge}}\nengine: multitarget\n",
        encoding="utf-8",
    )
    return config


def test_every_input_is_joined_in_one_form_and_the_report_knows(spelt_apart, tmp_path, capsys):
    study = load_study(read_config(spelt_apart), tmp_path)
    assert len(study.stimuli) == 20 and study.targets.target.values.tolist() == [COMPOSED, "b"]
    assert study.targets.roi.values.tolist() == ["p", "q"]
    for name in ("y.tsv", "m.tsv", "c.tsv"):
        assert sum("brought to one form" in warning and name in warning for warning in study.warnings) >= 1, name
    run_comparison(read_config(spelt_apart), tmp_path / "out")
    assert "20 names of stimuli were brought to one form" in capsys.readouterr().out
    assert "20 names of stimuli were brought to one form" in (tmp_path / "out" / "provenance.json").read_text()


def test_published_readers_and_storages_use_the_same_form(tmp_path):
    with noted() as notes:
        responses = make_responses([APART, "b"], ["t "], np.zeros((2, 1, 1)), {}, tmp_path / "v.npy")
    assert responses.stimulus.values.tolist() == [COMPOSED, "b"] and responses.target.values.tolist() == ["t"]
    assert len(notes) == 2
    from junifer.storage import HDF5FeatureStorage

    storage = HDF5FeatureStorage(uri=tmp_path / "f.hdf5", single_output=True)
    for number, stimulus in enumerate([APART, "b"]):
        meta = {"element": {"stimulus": stimulus}, "type": "Audio", "marker": {"name": "layer00", "class": "x"}}
        meta.update(dependencies=[], name="Audio_net_layer00", _element_keys=["stimulus"])
        storage.store_metadata("a" * 32, {"stimulus": stimulus}, meta)
        storage.store_vector("a" * 32, {"stimulus": stimulus}, np.array([[float(number), 1.0]]), ["p", "q"])
    with pytest.warns(InputWarning, match=r"f\.hdf5: 1 name of stimuli"):
        layer = read_features("net", Features(storage=tmp_path / "f.hdf5", marker="net"))[0]
    assert layer.stimulus.values.tolist() == ["b", COMPOSED]


@pytest.mark.parametrize(
    ("a", "b", "why"),
    [
        ("7", "007", "responses have '7' where features have '007': leading zeros were lost"),
        ("7.0", "007", "responses have '7.0' where features have '007': leading zeros were lost"),
        ("a.wav", "a", "the ending of a sound file"),
        ("sounds/wav/a.wav", "a", "the ending of a sound file"),
        ("Speech", "speech", "capitals only"),
        ("m\u0430n", "man", "'m\u0430n' (U+0430) where features have 'man' (U+0061): they look alike"),
        ("a\u2013b", "a-b", "'a\u2013b' (U+2013) where features have 'a-b' (U+002D): they look alike"),
        ("\ufb01ne", "fine", "they look alike"),
        ("alarm clock", "alarm_clock", "they differ in spaces, dashes"),
        ("7.0", "7", "a whole number was written with a decimal point"),
        ("fi\u00adle", "file", "'fi\u00adle' (U+00AD) where features have 'file': they look alike"),
        ("a\u200db", "ab", "(U+200D)"),
        ("a\ufe0f", "a", "(U+FE0F)"),
        ("7.WAV", "007", "they differ in zeros, capitals or ending"),
    ],
)  # fmt: skip
def test_names_that_are_meant_to_be_the_same_are_explained(a, b, why):
    spelt, lacking = what_is_lacking({"responses": {a, "x"}, "features": {b, "x"}}, sorted)
    assert len(spelt) == 1 and why in spelt[0] and not lacking


def test_what_is_lacking_beside_them_is_still_listed():
    sources = {"responses": {"1", "2", "x"}, "features a": {"001", "002", "x"}, "features b": {"001", "002", "x", "z"}}
    spelt, lacking = what_is_lacking(sources, sorted)
    assert len(spelt) == 2 and "'1' where features a have '001', and 1 more alike" in spelt[0]
    assert lacking == ["responses lack 1 stimuli: z", "features a lack 1 stimuli: z"]


def test_lost_zeros_are_the_message_instead_of_forty_lacking_stimuli(small_config, tmp_path):
    y = pd.read_csv(small_config.parent / "y.tsv", sep="\t")
    for name, separator in (("net.tsv", "\t"), ("plain.csv", ",")):
        x = pd.read_csv(small_config.parent / name, sep=separator)
        ids = dict(zip(y["stimulus"], [f"{number:03d}" for number in range(1, len(y) + 1)], strict=True))
        x.assign(stimulus=x["stimulus"].map(ids)).to_csv(small_config.parent / name, sep=separator, index=False)
    y.assign(stimulus=range(1, len(y) + 1)).to_csv(small_config.parent / "y.tsv", sep="\t", index=False)
    with pytest.raises(DataError) as error:
        load_study(read_config(small_config), tmp_path)
    message = str(error.value)
    assert "leading zeros were lost" in message and f"and {len(y) - 1} more alike" in message
    assert "lack" not in message and "missing: drop" not in message


def test_tables_of_categories_and_targets_say_what_is_written_there(tmp_path):
    (tmp_path / "s.tsv").write_text("stimulus\tcategory\n7\ta\n")
    with pytest.raises(
        DataError, match=r"no category for 1 stimuli: 007\. '7' is there in the place of '007': leading"
    ):
        read_categories(tmp_path / "s.tsv", "category", ["007"])
    (tmp_path / "y.tsv").write_text("stimulus\ta\nx\t1\ny\t2\n")
    (tmp_path / "m.tsv").write_text("target\troi\nA\tp\n")
    with pytest.raises(DataError, match=r"1 targets are not in the table: a\. 'A' is there .* capitals only"):
        read_responses(Targets(kind="table", table=tmp_path / "y.tsv", target_table=tmp_path / "m.tsv"))


def test_categories_with_spaces_are_one_category(tmp_path):
    (tmp_path / "s.tsv").write_text("stimulus\tcategory\nx\tspeech\ny\tspeech \n")
    with pytest.warns(InputWarning, match="1 name of categories was"):
        assert read_categories(tmp_path / "s.tsv", "category", ["x", "y"]) == ["speech", "speech"]


def test_confounds_may_be_spelt_otherwise(tmp_path):
    (tmp_path / "c.tsv").write_text(f"stimulus\tloud\n{APART}\t1\nb\t2\n", encoding="utf-8")
    with pytest.warns(InputWarning):
        assert list(read_confounds(tmp_path / "c.tsv").index) == [COMPOSED, "b"]
