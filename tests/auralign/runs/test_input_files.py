"""Which files a comparison reads, and finding them again."""

import hashlib
import os
from pathlib import Path

import pytest

from auralign.config.reading import read_config
from auralign.runs.input_files import (
    config_paths,
    describe_inputs,
    input_files,
    locate,
    relocate,
    relocate_file,
    why_missing,
)


def test_every_path_of_a_configuration_has_its_place(small_config):
    found = {place: path.name for place, path in config_paths(read_config(small_config))}
    assert found == {
        ("features", "net", "table"): "net.tsv",
        ("features", "plain", "table"): "plain.csv",
        ("targets", "table"): "y.tsv",
    }


def test_every_table_of_a_comparison_is_an_input(small_config, tmp_path):
    extra = {
        "targets: {kind: table, table: y.tsv}": "targets: {kind: table, table: y.tsv, target_table: m.tsv}\n"
        "stimuli: {table: categories.tsv}\nconfounds: {table: confounds.tsv}"
    }
    text = small_config.read_text()
    for old, new in extra.items():
        assert old in text
        text = text.replace(old, new)
    small_config.write_text(text)
    for name in ("m.tsv", "categories.tsv", "confounds.tsv"):
        (tmp_path / name).write_text("x")
    names = {"net.tsv", "plain.csv", "y.tsv", "m.tsv", "categories.tsv", "confounds.tsv"}
    assert set(input_files(read_config(small_config))) == {tmp_path / name for name in names}


def _with_targets(small_config: Path, targets: str, files: list[str]) -> list[str]:
    """The inputs beside the features of a comparison with other targets, relative to the folder `d`."""
    folder = small_config.parent / "d"
    for file in files:
        (folder / file).parent.mkdir(parents=True, exist_ok=True)
        (folder / file).write_text("x")
    text = small_config.read_text().replace("targets: {kind: table, table: y.tsv}", f"targets: {targets}")
    small_config.write_text(text)
    found = input_files(read_config(small_config))
    return [str(file.relative_to(folder)) for file in found if file.is_relative_to(folder)]


@pytest.mark.parametrize(
    ("targets", "read", "other"),
    [
        ("{kind: components, dataset: d}", ["data/components.mat", "data/targets.tsv"], ["data/voxels.npy"]),
        ("{kind: components, dataset: d}", ["data/components.mat"], ["sounds/wav/a.wav"]),
        ("{kind: voxels, dataset: d}", ["data/voxels.npy", "data/voxels.tsv", "sounds/stimuli.tsv"], ["sounds/b.csv"]),
        (
            "{kind: published_voxels, folder: d, study: B2021}",
            ["B2021/stim_info_v4.mat", "B2021/voxel_features_array.npy", "NH2015/neural_stim_meta.npy"],
            ["NH2015/voxel_features_array.npy"],
        ),
        ("{kind: published_components, folder: d}", ["NH2015comp/components.mat"], ["NH2015/x.npy"]),
        ("{kind: song165, folder: d}", ["ecog_component_responses.mat"], ["acoustic_features.mat"]),
    ],
)
def test_of_a_folder_the_files_that_are_read_are_inputs(small_config, targets, read, other):
    assert _with_targets(small_config, targets, read + other) == read


def test_of_published_activations_the_files_of_the_network_are_inputs(small_config, tmp_path):
    for name in ("AST/a_activations.pkl", "AST/a_activations_randnetw.pkl", "other/a_activations.pkl"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("x")
    text = small_config.read_text()
    small_config.write_text(text.replace("plain: {table: plain.csv}", "plain: {activations: ., network: ast}"))
    assert tmp_path / "AST/a_activations.pkl" in input_files(read_config(small_config))
    assert len(input_files(read_config(small_config))) == 3
    small_config.write_text(
        text.replace("plain: {table: plain.csv}", "plain: {activations: ., network: AST, permuted: true}")
    )
    assert tmp_path / "AST/a_activations_randnetw.pkl" in input_files(read_config(small_config))


def test_inputs_are_recorded_with_checksum_size_and_relative_path(small_config, tmp_path):
    record = describe_inputs(read_config(small_config), tmp_path / "results" / "small")
    content = (tmp_path / "y.tsv").read_bytes()
    expected = {"sha256": hashlib.sha256(content).hexdigest(), "size": len(content)}
    assert record["inputs"][str(tmp_path / "y.tsv")] == expected
    assert record["paths"] == {str(tmp_path / n): f"../../{n}" for n in ("net.tsv", "plain.csv", "y.tsv")}


def test_recorded_paths_are_found_beside_moved_results_first(tmp_path):
    old, new = tmp_path / "old", tmp_path / "new"
    provenance = {"paths": {str(old / "a.tsv"): "../a.tsv", str(old / "data"): "../data", str(old / "c"): "../c"}}
    for folder in (old, new):
        (folder / "results").mkdir(parents=True)
        (folder / "a.tsv").write_text("x")
    (old / "data").mkdir()
    located = locate(provenance, new / "results")
    # moved along; left behind; nowhere
    assert located == {str(old / "a.tsv"): new / "a.tsv", str(old / "data"): old / "data", str(old / "c"): new / "c"}
    config = {"features": [{"table": str(old / "a.tsv"), "layers": "all"}], "n": 3}
    assert relocate(config, located) == {"features": [{"table": str(new / "a.tsv"), "layers": "all"}], "n": 3}
    assert relocate_file(str(old / "data" / "sub" / "x.mat"), located) == old / "data" / "sub" / "x.mat"
    assert relocate_file(str(old / "a.tsv"), located) == new / "a.tsv"
    assert relocate_file("/elsewhere/z", located) == Path("/elsewhere/z")


def test_it_is_said_how_a_missing_file_is_got(tmp_path):
    there = tmp_path / "there"
    there.write_text("x")
    assert why_missing(there) is None
    locked, unlocked = tmp_path / "locked.mat", tmp_path / "unlocked.mat"
    os.symlink(".git/annex/objects/nowhere", locked)
    unlocked.write_text("/annex/objects/MD5E-s3--900150983cd24fb0d6963f7d28e17f72.mat\n")
    assert why_missing(locked) == f"its content is not here: datalad get {locked}"
    assert why_missing(unlocked) == f"its content is not here: datalad get {unlocked}"
    (tmp_path / "phantom").mkdir()
    assert "auralign data build phantom" in why_missing(tmp_path / "phantom" / "data" / "components.mat")
    assert "datalad get" in why_missing(tmp_path / "phantom" / "data" / "components.mat")
    assert "junifer collect" in why_missing(tmp_path / "features" / "net" / "net.hdf5")
    assert str(tmp_path) in why_missing(tmp_path / "y.tsv")
