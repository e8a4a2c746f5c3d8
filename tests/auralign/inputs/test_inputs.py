"""Reading features and responses, and joining them."""

import numpy as np
import pandas as pd
import pytest
from scipy.io import savemat

from auralign.config.reading import read_config
from auralign.errors import DataError
from auralign.inputs.features import read_features
from auralign.inputs.options import Features, Targets
from auralign.inputs.responses import read_responses
from auralign.inputs.study import load_study
from auralign.inputs.usable_targets import usable_targets


def _cells(values: list[str], shape: tuple[int, int]) -> np.ndarray:
    cells = np.empty(shape, dtype=object)
    cells.flat = values
    return cells


@pytest.fixture
def components(tmp_path):
    """A dataset with components.mat in the published layout, four stimuli in scrambled order."""
    (tmp_path / "data").mkdir()
    content = {
        "R": np.arange(8.0).reshape(4, 2),
        "stim_names": _cells(["stim28_b", "stim5_a", "stim102_c", "stim33_d"], (1, 4)),
        "component_names": _cells(["lowfreq", "speech"], (2, 1)),
        "W": np.zeros((2, 3)),
    }
    savemat(tmp_path / "data" / "components.mat", content)
    return tmp_path


def test_components_come_in_stimulus_order_by_id(components):
    targets = read_responses(Targets(kind="components", dataset=components))
    assert list(targets.stimulus.values) == ["stim5_a", "stim28_b", "stim33_d", "stim102_c"]
    assert list(targets.target.values) == ["lowfreq", "speech"]
    np.testing.assert_array_equal(targets.values[:, :, 0], [[2, 3], [0, 1], [6, 7], [4, 5]])


def test_metadata_of_the_targets_become_coordinates(components):
    (components / "data" / "targets.tsv").write_text("target\tceiling\nspeech\t0.9\nlowfreq\t0.8\n")
    targets = read_responses(Targets(kind="components", dataset=components))
    assert list(targets.ceiling.values) == [0.8, 0.9]
    (components / "data" / "targets.tsv").write_text("target\tceiling\nspeech\t0.9\n")
    with pytest.raises(DataError, match=r"targets\.tsv: 1 targets are not in the table: lowfreq"):
        read_responses(Targets(kind="components", dataset=components))


def test_a_file_that_is_not_components_is_refused(components):
    (components / "data" / "components.mat").write_bytes(b"not a mat file" * 20)
    with pytest.raises(DataError, match=r"components\.mat: not the components file"):
        read_responses(Targets(kind="components", dataset=components))


def test_the_real_components_have_the_published_facts(real_data, tmp_path):
    (tmp_path / "data").symlink_to(real_data)
    targets = read_responses(Targets(kind="components", dataset=tmp_path))
    assert list(targets.target.values) == ["lowfreq", "highfreq", "envsounds", "pitch", "speech", "music"]
    assert targets.stimulus.values[0] == "stim5_alarm_clock"
    np.testing.assert_allclose(targets.values.max(axis=(0, 2)), 0.019099, atol=5e-7)
    means = [0.01138, 0.01185, 0.01185, 0.01062, 0.00112, 0.00544]
    np.testing.assert_allclose(targets.values.mean(axis=(0, 2)), means, atol=1.0001e-5)


def test_voxels_keep_their_repetitions(tmp_path):
    for folder in ("data", "sounds"):
        (tmp_path / folder).mkdir()
    values = np.random.default_rng(0).random((3, 2, 3)).astype(np.float32)
    np.save(tmp_path / "data" / "voxels.npy", values)
    (tmp_path / "data" / "voxels.tsv").write_text("target\tsubject\nv0\t1\nv1\t2\n")
    (tmp_path / "sounds" / "stimuli.tsv").write_text("stimulus\nstim9_a\nstim10_b\nstim11_c\n")
    targets = read_responses(Targets(kind="voxels", dataset=tmp_path))
    assert targets.sizes == {"stimulus": 3, "target": 2, "repetition": 3}
    np.testing.assert_array_equal(targets.values.astype(np.float32), values)
    assert list(targets.subject.values) == [1, 2]


def test_a_table_of_responses_may_have_repetitions(tmp_path):
    table = tmp_path / "y.tsv"
    table.write_text("stimulus\trepetition\ta\nx\t0\t1\ny\t0\t2\ny\t1\t3\nx\t1\t4\n")
    targets = read_responses(Targets(kind="table", table=table))
    np.testing.assert_array_equal(targets.values[:, 0], [[1, 4], [2, 3]])
    table.write_text("stimulus\trepetition\ta\nx\t0\t1\ny\t0\t2\ny\t1\t3\n")
    with pytest.raises(DataError, match=r"repetition 1 has other stimuli than repetition 0: \['x'\]"):
        usable_targets(read_responses(Targets(kind="table", table=table)), table)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("sound\ta\nx\t1\n", "the column 'stimulus' is missing"),
        ("stimulus\ta\nx\tloud\n", "must be a number; not so: \\['a'\\]"),
        ("stimulus\ta\nx\t1\nx\t2\n", "the stimulus 'x' is there more than once"),
        ("stimulus\ta\nx\t1\ny\t\n", "not finite for 1 stimuli: y"),
        ("stimulus\ta\tb\nx\t1\t7\ny\t2\t7\n", "1 targets are constant over stimuli.*: b"),
        ("stimulus\ta\nx\t1e-160\ny\t2e-160\n", "1 targets are outside 1e-75 to 1e\\+75"),
        ("\tstimulus\ta\n0\tx\t1\n1\ty\t2\n", r"column 1 has no name \(an index"),
        ("stimulus\ta\ta\nx\t1\t2\ny\t2\t3\n", "the column 'a' is there more than once"),
        ("stimulus\ta\nx\t1\n\t2\n", "line 3 has no stimulus"),
    ],
)
def test_a_bad_table_of_responses_is_refused(tmp_path, text, expected):
    (tmp_path / "y.tsv").write_text(text)
    with pytest.raises(DataError, match=expected):
        usable_targets(read_responses(Targets(kind="table", table=tmp_path / "y.tsv")), tmp_path / "y.tsv")


def test_ids_stay_what_they_are(tmp_path):
    (tmp_path / "y.csv").write_text("stimulus,NA,001\nNA,1,5\n007,2,6\nnull,3,9\n")
    targets = read_responses(Targets(kind="table", table=tmp_path / "y.csv"))
    assert list(targets.stimulus.values) == ["007", "NA", "null"]
    assert list(targets.target.values) == ["NA", "001"]


def test_damaged_arrays_are_refused_by_name(tmp_path, components):
    for content in (
        b"",
        (components / "data" / "components.mat").read_bytes()[:300],
        b"/annex/objects/MD5E-s1--x.mat\n",
    ):
        (components / "data" / "components.mat").write_bytes(content)
        with pytest.raises(DataError):
            read_responses(Targets(kind="components", dataset=components))
    for folder in ("data", "sounds"):
        (tmp_path / folder).mkdir(exist_ok=True)
    (tmp_path / "data" / "voxels.tsv").write_text("target\nv0\n")
    (tmp_path / "sounds" / "stimuli.tsv").write_text("stimulus\na\n")
    (tmp_path / "data" / "voxels.npy").write_bytes(b"")
    with pytest.raises(DataError, match=r"voxels\.npy: not an array file"):
        read_responses(Targets(kind="voxels", dataset=tmp_path))
    np.save(tmp_path / "data" / "voxels.npy", np.ones((1, 1, 1)) * 1j)
    with pytest.raises(DataError, match="complex"):
        read_responses(Targets(kind="voxels", dataset=tmp_path))


def test_metadata_may_not_take_the_names_of_results(components):
    (components / "data" / "targets.tsv").write_text("target\talpha_median\nspeech\t0.9\nlowfreq\t0.8\n")
    with pytest.raises(DataError, match=r"targets\.tsv: the column 'alpha_median' would collide"):
        read_responses(Targets(kind="components", dataset=components))


def test_a_table_of_features_may_have_layers(tmp_path):
    (tmp_path / "x.csv").write_text("stimulus,layer,u,v\nb,0,1,2\na,0,3,4\nb,2,5,6\na,2,7,8\n")
    layers = read_features("x", Features(table=tmp_path / "x.csv"))
    assert list(layers) == [0, 2]
    np.testing.assert_array_equal(layers[2].values, [[7, 8], [5, 6]])
    assert list(read_features("x", Features(table=tmp_path / "x.csv", exclude_layers=[2]))) == [0]
    with pytest.raises(DataError, match=r"there is no layer \[1\]; there are \[0, 2\]"):
        read_features("x", Features(table=tmp_path / "x.csv", layers=[1]))


def test_features_that_are_not_finite_are_refused_by_stimulus(tmp_path):
    (tmp_path / "x.csv").write_text("stimulus,u\na,1\nb,inf\n")
    with pytest.raises(DataError, match="layer 0 of 'x' is not finite for b"):
        read_features("x", Features(table=tmp_path / "x.csv"))


def test_missing_storages_are_all_named_with_the_commands_that_make_them(tmp_path, small_config):
    (tmp_path / "junifer_yamls").mkdir()
    (tmp_path / "junifer_yamls" / "net.yml").touch()
    (tmp_path / "features" / "deep").mkdir(parents=True)
    (tmp_path / "features" / "deep" / "element_a_deep.hdf5").touch()
    text = small_config.read_text().replace("{table: net.tsv}", "{storage: features/net/net.hdf5, marker: m}")
    small_config.write_text(text.replace("{table: plain.csv}", "{storage: features/deep/deep.hdf5, marker: m}"))
    with pytest.raises(DataError) as error:
        load_study(read_config(small_config), tmp_path)
    yaml_file = tmp_path / "junifer_yamls" / "net.yml"
    assert "net: " in str(error.value) and "(nothing was extracted)" in str(error.value)
    assert f"junifer run {yaml_file} && junifer collect {yaml_file}" in str(error.value)
    assert "deep.hdf5 is not there (1 stimuli were extracted but not collected): junifer collect" in str(error.value)


def test_a_stimulus_without_features_or_responses_is_named_both_ways(small_config, tmp_path):
    folder = small_config.parent
    y = pd.read_csv(folder / "y.tsv", sep="\t")
    y[y["stimulus"] != "stim8_sound"].to_csv(folder / "y.tsv", sep="\t", index=False)
    plain = pd.read_csv(folder / "plain.csv")
    plain[plain["stimulus"] != "stim10_sound"].to_csv(folder / "plain.csv", index=False)
    with pytest.raises(DataError) as error:
        load_study(read_config(small_config), tmp_path)
    assert f"responses ({folder / 'y.tsv'}) lack 1 stimuli: stim8_sound" in str(error.value)
    assert f"features plain ({folder / 'plain.csv'}) lack 1 stimuli: stim10_sound" in str(error.value)
    small_config.write_text(small_config.read_text() + "missing: drop\n")
    small_config.write_text(small_config.read_text().replace("train_size: 16", "train_size: 14"))
    study = load_study(read_config(small_config), tmp_path)
    assert len(study.stimuli) == 28
    assert len(study.warnings) == 3
    assert all(warning.startswith("Left out (missing: drop): ") for warning in study.warnings[:2])
    assert study.warnings[2].startswith("The smallest test set holds 14 stimuli: ")
