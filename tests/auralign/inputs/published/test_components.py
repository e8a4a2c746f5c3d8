"""components.mat as published."""

import numpy as np
import pytest
from scipy.io import loadmat, savemat

from auralign.errors import DataError
from auralign.inputs.published.components import read_components


def _cells(values, shape):
    cells = np.empty(shape, dtype=object)
    cells.flat = values
    return cells


@pytest.fixture
def content():
    return {
        "R": np.arange(8.0).reshape(4, 2),
        "W": np.zeros((2, 5)),
        "stim_names": _cells(["stim28_b", "stim5_a", "stim102_c", "stim33_d"], (1, 4)),
        "component_names": _cells(["lowfreq", "speech"], (2, 1)),
    }


def test_rows_are_ordered_by_id(tmp_path, content):
    savemat(tmp_path / "components.mat", content)
    found = read_components(tmp_path / "components.mat")
    assert list(found.stimulus.values) == ["stim5_a", "stim28_b", "stim33_d", "stim102_c"]
    assert list(found.target.values) == ["lowfreq", "speech"]
    np.testing.assert_array_equal(found.values[:, :, 0], [[2, 3], [0, 1], [6, 7], [4, 5]])


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"R": np.zeros((4, 3))}, r"shape is \(4, 3, 1\), but there are 4 stimuli and 2 targets"),
        ({"R": np.full((4, 2), np.nan)}, "responses of 2 targets are not finite: lowfreq, speech"),
        ({"R": np.ones((4, 2)) * 1j}, "R is complex128"),
        ({"stim_names": _cells(["a", "b", "a", "c"], (1, 4))}, "the stimulus 'a' is there more than once"),
        ({"R": None}, "the variable 'R' is missing"),
    ],
)
def test_other_contents_are_refused(tmp_path, content, change, expected):
    content |= change
    savemat(tmp_path / "components.mat", {name: value for name, value in content.items() if value is not None})
    with pytest.raises(DataError, match=rf"components\.mat: .*{expected}"):
        read_components(tmp_path / "components.mat")
    (tmp_path / "components.mat").write_bytes(b"MATLAB 5.0" * 30)
    with pytest.raises(DataError, match="not a MATLAB file"):
        read_components(tmp_path / "components.mat")


def test_the_real_components_are_in_another_order_than_the_file(real_data):
    found = read_components(real_data / "components.mat")
    raw = loadmat(real_data / "components.mat")
    names = [str(cell.item()) for cell in raw["stim_names"].ravel()]
    assert names[0] == "stim28_big_band_music" and found.stimulus.values[0] == "stim5_alarm_clock"
    assert names != list(found.stimulus.values)
    for position, name in enumerate(names):
        np.testing.assert_array_equal(found.sel(stimulus=name).values[:, 0], raw["R"][position])
