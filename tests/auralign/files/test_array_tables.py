"""Arrays with their names as tables: the same values as text, and nothing that has to be run."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from auralign.config.reading import read_config
from auralign.errors import DataError
from auralign.inputs.confounds import read_confounds
from auralign.inputs.features import read_features
from auralign.inputs.options import Features, Targets
from auralign.inputs.responses import read_targets
from auralign.inputs.stimuli import read_categories
from auralign.runs.input_files import input_files

STIMULI, TARGETS = ["stim10_b", "stim9_a", "stim11_c"], ["v1", "v2"]
VALUES = np.random.default_rng(0).standard_normal((3, 2, 4))


def _write_npy(path: Path, values: np.ndarray, columns: str, names: list[str] | None) -> Path:
    np.save(path, values)
    stem = path.with_suffix("")
    pd.DataFrame({"stimulus": STIMULI}).to_csv(f"{stem}.stimuli.tsv", sep="\t", index=False)
    if names is not None:
        pd.DataFrame({columns: names, "roi": "p"}).to_csv(f"{stem}.{columns}s.tsv", sep="\t", index=False)
    return path


def _array(values: np.ndarray, columns: str, third: str | None = None) -> xr.DataArray:
    dims = ("stimulus", columns, third)[: values.ndim]
    return xr.DataArray(values, dims=dims, coords={"stimulus": STIMULI, columns: TARGETS}, name="values")


@pytest.fixture(params=["npy", "npz", "nc", "nc3"])
def responses(request, tmp_path) -> Path:
    """Responses with four repetitions."""
    path = tmp_path / f"y.{request.param.rstrip('3')}"
    if request.param == "npy":
        _write_npy(path, VALUES, "target", TARGETS)
    elif request.param == "npz":
        np.savez(path, values=VALUES, stimulus=STIMULI, target=TARGETS)
    elif request.param == "nc":
        _array(VALUES, "target", "repetition").transpose("repetition", "target", "stimulus").to_netcdf(
            path, engine="h5netcdf"
        )
    else:
        _array(VALUES, "target", "repetition").to_netcdf(path, engine="scipy")
    return path


def test_responses_are_those_of_the_array(responses):
    targets = read_targets(Targets(kind="table", table=responses))
    assert targets.stimulus.values.tolist() == ["stim9_a", "stim10_b", "stim11_c"]
    assert targets.target.values.tolist() == TARGETS
    np.testing.assert_array_equal(targets.values, VALUES[[1, 0, 2]])


@pytest.mark.parametrize("ending", ["npy", "npz", "nc"])
def test_features_may_have_layers_and_need_no_names_of_units(tmp_path, ending):
    path = tmp_path / f"x.{ending}"
    if ending == "npy":
        _write_npy(path, VALUES, "unit", None)
    elif ending == "npz":
        np.savez(path, values=VALUES, stimulus=STIMULI)
    else:
        _array(VALUES, "unit", "layer").drop_vars("unit").to_netcdf(path, engine="h5netcdf")
    layers = read_features("x", Features(table=path))
    assert list(layers) == [0, 1, 2, 3]
    np.testing.assert_array_equal(layers[3].values, VALUES[[1, 0, 2], :, 3])


def test_layers_and_repetitions_may_be_given_by_row_or_by_number(tmp_path):
    rows = VALUES[:, :, :2].transpose(2, 0, 1).reshape(6, 2)
    np.savez(tmp_path / "x.npz", values=rows, stimulus=STIMULI * 2, layer=[3] * 3 + [7] * 3)
    np.savez(tmp_path / "z.npz", values=VALUES[:, :, :2], stimulus=STIMULI, layer=[3, 7])
    by_row, by_number = (read_features("x", Features(table=tmp_path / f"{name}.npz")) for name in "xz")
    assert list(by_row) == list(by_number) == [3, 7]
    assert all(by_row[index].identical(by_number[index]) for index in (3, 7))


def test_the_same_values_as_text_give_the_same_numbers(tmp_path):
    path = _write_npy(tmp_path / "c.npy", VALUES[:, :, 0], "variable", TARGETS)
    frame = pd.DataFrame(VALUES[:, :, 0], columns=TARGETS).assign(stimulus=STIMULI)
    frame.to_csv(tmp_path / "c.csv", index=False)
    pd.testing.assert_frame_equal(read_confounds(path), read_confounds(tmp_path / "c.csv"), check_exact=True)


def test_the_names_beside_an_array_are_inputs_of_the_run(tmp_path):
    _write_npy(tmp_path / "y.npy", VALUES[:, :, 0], "target", TARGETS)
    _write_npy(tmp_path / "x.npy", VALUES[:, :, 0], "unit", None)
    config = tmp_path / "c.yml"
    config.write_text(
        "name: arrays\nfeatures: {net: {table: x.npy}}\n"
        "targets: {kind: table, table: y.npy, target_table: y.targets.tsv}\n"
        "splits: {train_size: 3, test_size: 2, allow_small_test: true}\nestimators: {ridge: {kind: ridge}}\n"
    )
    names = {"x.npy", "x.stimuli.tsv", "y.npy", "y.stimuli.tsv", "y.targets.tsv"}
    assert {file.name for file in input_files(read_config(config))} == names
    assert read_targets(read_config(config).targets).roi.values.tolist() == ["p", "p"]


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ({"values": VALUES, "stimulus": STIMULI}, "there are no names of targets: save them as the array `target`"),
        ({"values": VALUES, "target": TARGETS}, "no names of stimuli"),
        ({"values": VALUES, "stimulus": STIMULI[:2], "target": TARGETS}, "2 names of stimuli, but 3 in the array"),
        ({"values": VALUES, "stimulus": STIMULI, "target": ["a", "a"]}, "the target 'a' is there more than once"),
        ({"values": VALUES, "stimulus": STIMULI, "target": ["a", "a "]}, "two names of targets are the same"),
        (
            {"values": VALUES, "stimulus": ["x", "x", "y"], "target": TARGETS},
            "'x' is there more than once in repetition 0",
        ),
        ({"y": VALUES, "stimulus": STIMULI}, r"it holds the arrays \['stimulus', 'y'\]; expected `values`, `stimulus`"),
        ({"values": VALUES[0, 0], "stimulus": STIMULI, "target": TARGETS}, r"the shape is \(4,\); expected \[stimulus"),
        ({"values": VALUES * 1j, "stimulus": STIMULI, "target": TARGETS}, "complex128; expected real numbers"),
        ({"values": VALUES.astype(str), "stimulus": STIMULI, "target": TARGETS}, "expected real numbers"),
        ({"values": VALUES.astype(object), "stimulus": STIMULI, "target": TARGETS}, "without running it"),
        ({"values": VALUES, "stimulus": STIMULI, "target": TARGETS, "repetition": [0, 1]}, "repetition names 2, but"),
        ({"values": VALUES, "stimulus": STIMULI, "target": TARGETS, "repetition": [0, 1, 1, 2]}, "one number twice"),
        ({"values": VALUES, "stimulus": STIMULI, "target": TARGETS, "repetition": [0, 1, 1.5, 2]}, "repetition 1.5"),
        ({"values": VALUES, "stimulus": STIMULI, "target": TARGETS, "repetition": [1j, 1, 2, 3]}, "repetition '1j'"),
        ({"values": VALUES, "stimulus": STIMULI, "target": ["a", ""]}, "target 2 has no name"),
        ({"values": VALUES, "stimulus": np.array([b"\xfc", b"x", b"y"]), "target": TARGETS}, "not in UTF-8"),
        ({"values": VALUES, "stimulus": ["x", "", "y"], "target": TARGETS}, "row 2 has no stimulus"),
        ({"values": VALUES, "stimulus": [1.0, 2.0, 3.0], "target": TARGETS}, "expected a list of text"),
    ],
)
def test_an_archive_that_does_not_fit_is_refused(tmp_path, content, expected):
    np.savez(tmp_path / "y.npz", **content)
    with pytest.raises(DataError, match=expected) as error:
        read_targets(Targets(kind="table", table=tmp_path / "y.npz"))
    assert "y.npz" in str(error.value)


def test_names_beside_an_array_come_from_one_column(tmp_path):
    path = _write_npy(tmp_path / "y.npy", VALUES, "target", TARGETS)
    (tmp_path / "y.stimuli.tsv").write_text("stimulus\tstimulus\na\t1\nb\t2\nc\t3\n")
    with pytest.raises(DataError, match=r"y\.stimuli\.tsv: the column 'stimulus' is there more than once"):
        read_targets(Targets(kind="table", table=path))
    (tmp_path / "y.stimuli.tsv").write_text("stimulus \nb\na\nc\n")
    assert read_targets(Targets(kind="table", table=path)).sel(stimulus="b").values.tolist() == VALUES[0].tolist()


def test_files_that_are_missing_damaged_or_pickled_are_named(tmp_path):
    np.save(tmp_path / "y.npy", VALUES)
    with pytest.raises(
        DataError, match=r"no names of stimuli: write y\.stimuli\.tsv beside it, with the column `stimulus`"
    ):
        read_targets(Targets(kind="table", table=tmp_path / "y.npy"))
    np.save(tmp_path / "o.npy", np.array([{}, 1], dtype=object), allow_pickle=True)
    with pytest.raises(DataError, match="never unpickled"):
        read_targets(Targets(kind="table", table=tmp_path / "o.npy"))
    for name in ("a.npy", "a.npz", "a.nc"):
        with pytest.raises(DataError, match="there is no such file"):
            read_targets(Targets(kind="table", table=tmp_path / name))
        for content in (b"", b"nothing like it", b"\x89HDF\r\n\x1a\n", b"CDF\x01"):
            (tmp_path / name).write_bytes(content)
            with pytest.raises(DataError, match=name):
                read_targets(Targets(kind="table", table=tmp_path / name))
    np.savez(tmp_path / "z.npz", values=VALUES)
    (tmp_path / "z.npz").rename(tmp_path / "z.npy")
    with pytest.raises(DataError, match=r"ends in \.npz"):
        read_targets(Targets(kind="table", table=tmp_path / "z.npy"))


def test_a_netcdf_without_the_dimensions_is_refused(tmp_path):
    xr.DataArray(VALUES, dims=("a", "b", "c"), name="r").to_netcdf(tmp_path / "y.nc", engine="h5netcdf")
    with pytest.raises(DataError, match=r"dimensions stimulus, target, repetition .*'r': \['a', 'b', 'c'\]"):
        read_targets(Targets(kind="table", table=tmp_path / "y.nc"))


def test_names_cannot_come_from_an_array(tmp_path):
    _write_npy(tmp_path / "s.npy", VALUES[:, :, 0], "target", TARGETS)
    with pytest.raises(DataError, match=r"s\.npy: an array holds numbers only, but here a table with the column 'stim"):
        read_categories(tmp_path / "s.npy", "category", STIMULI)
