"""Flat maps: every voxel at its place."""

import numpy as np
import pandas as pd
import pytest

from auralign.errors import DataError
from auralign.figures.layer_axis import LayerAxis
from auralign.figures.maps import best_layer_map, map_data, raster, score_map

CHOSEN = pd.DataFrame({
    "target": ["a", "b", "c", "d", "e"], "score": [0.1, 0.5, 0.9, 0.3, 0.7], "pos": [1.0, 2.0, 5.0, 3.0, 3.0],
    "n_layers": 5,
})  # fmt: skip
TARGETS = pd.DataFrame({
    "target": ["a", "b", "c", "d", "e", "unused"], "subject": [1, 1, 2, 2, 2, 2],
    "hemi": ["lh", "lh", "lh", "rh", "rh", "rh"],
    "x": [0.0, 4.0, 0.0, 2.0, 2.0, 0.0], "y": [0.0, 2.0, 0.0, 2.0, 0.0, 9.0],
})  # fmt: skip


def _image(axis) -> np.ndarray:
    return np.ma.filled(axis.images[1].get_array(), np.nan)


def test_scores_are_at_their_places():
    drawn = score_map(CHOSEN, TARGETS, name="net_ridge")
    assert [axis.get_title() for axis in drawn.figure.axes[:2]] == ["all subjects lh", "all subjects rh"]
    left, right = drawn.figure.axes[:2]
    # rows from low y to high y, columns from low x to high x; a and c share a place
    np.testing.assert_allclose(_image(left), [[0.5, np.nan, np.nan], [np.nan, np.nan, 0.5]])
    np.testing.assert_allclose(_image(right), [[np.nan, 0.7, np.nan], [np.nan, 0.3, np.nan]])
    assert left.images[1].get_extent() == [-1, 5, -1, 3]
    assert left.images[1].origin == "lower"
    assert left.images[1].norm.vmin == 0.0
    assert left.images[1].norm.vmax == 1.0
    assert "5 voxels of 2 subjects" in drawn.caption
    assert "Highest: 0.70 at x 2 mm, y 0 mm, rh" in drawn.alt


def test_a_map_per_subject():
    drawn = score_map(CHOSEN, TARGETS, subjects=True)
    images = {axis.get_title(): _image(axis) for axis in drawn.figure.axes[:4]}
    assert list(images) == ["1 lh", "1 rh", "2 lh", "2 rh"]
    assert images["1 lh"][0, 0] == 0.1
    assert images["2 lh"][0, 0] == 0.9
    assert np.isnan(images["1 rh"]).all()
    assert drawn.name.endswith("_subjects")


def test_best_layers_are_relative_depths_without_names_and_grey_without_a_score():
    drawn = best_layer_map(CHOSEN, TARGETS, min_score=0.1)
    left, right = drawn.figure.axes[:2]
    np.testing.assert_allclose(_image(left), [[4.0, np.nan, np.nan], [np.nan, np.nan, 1.0]])  # a is left out, c is not
    there = np.ma.filled(right.images[0].get_array(), np.nan)
    assert np.isfinite(there).sum() == 2
    assert "grey: 1 voxel that no layer predicts better than 0.1" in drawn.caption
    bar = drawn.figure.axes[-1]
    assert bar.get_yticks().tolist() == [0.0, 2.0, 4.0]
    assert [text.get_text() for text in bar.get_yticklabels()] == ["0", "0.5", "1"]
    assert bar.get_ylabel() == "best layer, relative depth (0 first, 1 last)"


def test_best_layers_have_the_names_of_their_network():
    names = [f"encoder.{kind}" for kind in ("conv1", "conv2", "block1", "block2", "norm")]
    layers = LayerAxis.of(pd.DataFrame({"features": "net", "layer": range(5), "layer_name": names}))
    bar = best_layer_map(CHOSEN, TARGETS, layers=layers).figure.axes[-1]
    assert [text.get_text() for text in bar.get_yticklabels()] == ["conv1", "conv2", "block1", "block2", "norm"]
    assert bar.get_ylabel() == "best layer"


def test_places_are_cells_of_the_grid():
    targets = TARGETS.assign(x=TARGETS["x"] + 0.3, y=TARGETS["y"] - 0.2)
    data = map_data(CHOSEN.rename(columns={"score": "value"}), targets, False, 2.0)
    assert sorted(zip(data["x"], data["y"], strict=True)) == [(0, 0), (2, 0), (2, 2), (4, 2)]
    assert data["n_voxels"].sum() == 5
    assert data.loc[(data["x"] == 0) & (data["y"] == 0), "n_subjects"].item() == 2


def test_pixels_of_a_fine_grid():
    random = np.random.default_rng(0)
    places = pd.DataFrame({"x": 0.1 * random.permutation(50), "y": 0.1 * random.permutation(50)})
    places["value"] = random.random(50)
    values, there = raster(places, (-0.05, 4.95, -0.05, 4.95), 0.1)
    assert there.sum() == 50
    np.testing.assert_array_equal(there, np.isfinite(values))
    for row in places.itertuples():
        assert values[round(row.y * 10), round(row.x * 10)] == row.value


def test_without_hemispheres_or_subjects_there_is_one_map():
    drawn = score_map(CHOSEN, TARGETS.drop(columns=["hemi", "subject"]))
    assert [axis.get_title() for axis in drawn.figure.axes[:-1]] == ["all subjects"]


def test_thirty_three_layers_have_a_continuous_scale():
    chosen = CHOSEN.assign(n_layers=33, pos=[1, 33, 5, 10, 20])
    drawn = best_layer_map(chosen, TARGETS)
    assert drawn.figure.axes[0].images[1].norm.vmax == 32.0


def test_voxels_without_places_are_refused():
    with pytest.raises(
        DataError, match="the targets have no column 'x', which a map needs; they have: target, subject"
    ):
        score_map(CHOSEN, TARGETS.drop(columns=["x"]))
    with pytest.raises(DataError, match="nothing to map"):
        score_map(CHOSEN, TARGETS.assign(x=np.nan))
    with pytest.raises(DataError, match="no column 'subject'"):
        score_map(CHOSEN, TARGETS.drop(columns="subject"), subjects=True)


def test_subjects_that_share_no_place_are_all_counted():
    apart = TARGETS.assign(x=[0.0, 4.0, 20.0, 22.0, 24.0, 0.0])
    drawn = score_map(CHOSEN, apart, name="net_ridge")
    assert "5 voxels of 2 subjects" in drawn.caption
    assert "up to 1 at a place" in drawn.caption
