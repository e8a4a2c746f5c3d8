"""Maps on fsaverage: vertices are matched by the icosahedron's construction, which is checked here."""

import re

import nibabel
import numpy as np
import pandas as pd
import pytest
from nilearn.datasets import fetch_surf_fsaverage
from nilearn.surface import load_surf_mesh

from auralign.errors import DataError
from auralign.figures.surface import (
    FSAVERAGE,
    FSAVERAGE5,
    match_vertices,
    read_surface,
    read_weight_maps,
    surface_maps,
    view_surface,
    voxels_to_surface,
)


def _cut(triangles: np.ndarray, n_vertices: int) -> np.ndarray:
    """Ends of the edges in the order in which cutting gives their middles numbers from `n_vertices` on."""
    seen: dict[tuple[int, int], int] = {}
    for a, b, c in triangles:
        for edge in ((a, c), (b, c), (a, b)):
            seen.setdefault((min(edge), max(edge)), n_vertices + len(seen))
    return np.array(list(seen))


@pytest.mark.parametrize("hemi", ["left", "right"])
def test_the_first_vertices_of_fsaverage5_are_fsaverage4(hemi):
    sphere, triangles = load_surf_mesh(fetch_surf_fsaverage("fsaverage5")[f"sphere_{hemi}"])
    neighbours = [set() for _ in sphere]
    for a, b, c in triangles:
        neighbours[a] |= {b, c}
        neighbours[b] |= {a, c}
        neighbours[c] |= {a, b}
    degree = np.array([len(own) for own in neighbours])
    np.testing.assert_array_equal(np.flatnonzero(degree == 5), np.arange(12))  # corners of the icosahedron come first
    unit = sphere / np.linalg.norm(sphere, axis=1, keepdims=True)
    for vertex in range(2562, 10242):  # every later vertex is the middle of an edge between earlier ones
        a, b = (near for near in neighbours[vertex] if near < 2562)
        middle = unit[a] + unit[b]
        assert unit[vertex] @ middle / np.linalg.norm(middle) > 1 - 1e-6


@pytest.mark.parametrize(("hemi", "side"), [("left", "lh"), ("right", "rh")])
def test_the_weight_maps_of_fsaverage_fit_fsaverage5(real_data, hemi, side):
    """Vertices 10,242 to 40,961 of the maps are middles of fsaverage5's edges: they have the mean of both ends."""
    maps = read_weight_maps(real_data / "weights_fsaverage")
    assert list(maps) == [f"comp{n}" for n in range(1, 7)]
    _, triangles = load_surf_mesh(fetch_surf_fsaverage("fsaverage5")[f"sphere_{hemi}"])
    ends = _cut(triangles, FSAVERAGE5)
    for values in (own[side] for own in maps.values()):
        assert values.shape == (FSAVERAGE,)
        middle, between = values[FSAVERAGE5 : FSAVERAGE5 + len(ends)], values[ends].mean(axis=1)
        known = np.isfinite(middle) & np.isfinite(between)
        assert known.sum() > 0.99 * np.isfinite(between).sum() > 1900
        assert np.corrcoef(middle[known], between[known])[0, 1] > 0.99
        shuffled = np.random.default_rng(0).permutation(between[known])
        assert abs(np.corrcoef(middle[known], shuffled)[0, 1]) < 0.1
        # what is lost: nothing of the mean, little of the peak
        kept = match_vertices(values)
        assert np.nanmean(kept) == pytest.approx(np.nanmean(values), rel=0.011)
        assert np.nanmax(kept) >= 0.97 * np.nanmax(values)


def test_the_weight_maps_are_drawn_offline(real_data):
    maps = read_weight_maps(real_data / "weights_fsaverage")
    drawn = surface_maps({"comp5": maps["comp5"]}, "weight (arbitrary units)")
    assert len(drawn.figure.axes) == 3  # two brains and the colour bar
    for side in ("lh", "rh"):
        own = drawn.data[drawn.data["hemi"] == side]
        np.testing.assert_allclose(own["value"], maps["comp5"][side][own["vertex"]])
        assert len(own) == np.isfinite(maps["comp5"][side][:FSAVERAGE5]).sum()
    assert "of 163,842 vertices the first 10,242" in drawn.caption


@pytest.fixture
def maps():
    """A patch of 30 vertices, on fsaverage6 for the left and fsaverage5 for the right."""
    sides = {"lh": np.full(40962, np.nan), "rh": np.full(10242, np.nan)}
    sides["lh"][:30], sides["lh"][20000] = np.linspace(0.1, 0.7, 30), 0.9
    sides["rh"][:20] = 0.5
    return {"score": sides}


def test_triangles_have_the_mean_of_their_vertices(maps):
    drawn = surface_maps(maps, "score", limits=(0.0, 1.0))
    table = drawn.data
    assert len(table) == 50  # vertex 20,000 is none of fsaverage5
    assert "score 0.70 (left)" in drawn.alt
    mesh = fetch_surf_fsaverage("fsaverage5")
    _, triangles = load_surf_mesh(mesh["infl_left"])
    values = match_vertices(maps["score"]["lh"])[triangles].mean(axis=1)
    plain = surface_maps(
        {"score": {"lh": np.full(10242, np.nan), "rh": maps["score"]["rh"]}}, "score", limits=(0.0, 1.0)
    )
    assert len(plain.figure.axes) == 2  # a side without values is not drawn
    colours = drawn.figure.axes[0].collections[0].get_facecolors()
    assert len(colours) == len(triangles)
    assert drawn.figure.axes[0].collections[0].get_rasterized()
    grey = np.ptp(colours[:, :3], axis=1) < 0.02  # the sulci, where there is no value
    known = np.isfinite(values)
    assert grey[~known].all()
    assert not grey[known].any()


def test_values_reach_the_vertices_of_their_place():
    values = pd.DataFrame({"target": list("abcde"), "value": [1.0, 3.0, 5.0, np.nan, 7.0]})
    targets = pd.DataFrame({
        "target": list("abcde"), "hemi": ["lh", "lh", "rh", "lh", "rh"], "x": [2.0, 2.0, 2.0, 4.0, 0.0],
        "y": [0.0, 0.0, 0.0, 0.0, 0.0],
    })  # fmt: skip
    vertices = pd.DataFrame({
        "hemi": ["lh", "lh", "rh", "lh", "rh"], "x": [2.0, 2.001, 2.0, 4.0, 8.0], "y": [0.0, 0.0, 0.0, 0.0, 0.0],
        "vertex": [7, 100, 7, 9, 11],
    })  # fmt: skip
    maps = voxels_to_surface(values, targets, vertices, n_vertices=200)
    assert np.flatnonzero(np.isfinite(maps["lh"])).tolist() == [7, 100]  # one place, two vertices; 9 has no value
    assert maps["lh"][[7, 100]].tolist() == [2.0, 2.0]  # median of both voxels
    assert np.flatnonzero(np.isfinite(maps["rh"])).tolist() == [7]
    assert maps["rh"][7] == 5.0


def test_tables_of_places_are_checked():
    values = pd.DataFrame({"target": ["a"], "value": [1.0]})
    targets = pd.DataFrame({"target": ["a"], "hemi": ["lh"], "x": [0.0], "y": [0.0]})
    vertices = targets.drop(columns="target").assign(vertex=3)
    with pytest.raises(DataError, match="table of vertices has no column 'vertex'"):
        voxels_to_surface(values, targets, vertices.drop(columns="vertex"))
    with pytest.raises(DataError, match="vertex 3 does not exist: there are 3"):
        voxels_to_surface(values, targets, vertices, n_vertices=3)
    with pytest.raises(
        DataError, match=r"none of 1 voxels lies at one of the 1 places.*\['lh', 0.0, 0.0\].*\['lh', 50.0"
    ):
        voxels_to_surface(values, targets, vertices.assign(x=50.0))


def test_other_numbers_of_vertices_are_refused(maps):
    assert len(match_vertices(np.zeros(FSAVERAGE))) == FSAVERAGE5
    with pytest.raises(DataError, match="10000 values for 10242 vertices"):
        match_vertices(np.zeros(10000))
    with pytest.raises(DataError, match="a map of 2562 vertices cannot be drawn on 10242"):
        surface_maps({"score": {"lh": np.zeros(2562)}}, "score")


def test_files_of_surfaces(tmp_path):
    values = np.arange(642, dtype=np.float32)
    nibabel.save(nibabel.MGHImage(values.reshape(642, 1, 1), np.eye(4)), tmp_path / "lh.comp1.mgz")
    array = nibabel.gifti.GiftiDataArray(values, intent="NIFTI_INTENT_SHAPE", datatype="NIFTI_TYPE_FLOAT32")
    nibabel.save(nibabel.gifti.GiftiImage(darrays=[array]), tmp_path / "map.gii")
    for name in ("lh.comp1.mgz", "map.gii"):
        np.testing.assert_array_equal(read_surface(tmp_path / name), values)
    with pytest.raises(DataError, match=r"rh\.comp1\.mgz: there is no such file"):
        read_weight_maps(tmp_path)
    with pytest.raises(DataError, match=r"there is no lh\.weight1\.mgh"):
        read_weight_maps(tmp_path, "{side}.weight{n}.mgh")
    (tmp_path / "text.mgz").write_text("no map")
    with pytest.raises(DataError, match=r"text\.mgz: not a surface map"):
        read_surface(tmp_path / "text.mgz")
    nibabel.save(nibabel.MGHImage(np.zeros((7, 1, 1), np.float32), np.eye(4)), tmp_path / "short.mgz")
    with pytest.raises(DataError, match=r"short\.mgz: 7 values"):
        read_surface(tmp_path / "short.mgz")


def test_the_page_that_can_be_turned_holds_all_it_needs(maps, tmp_path):
    view = view_surface(maps["score"], "lh", "score", limits=(0.0, 1.0))
    view.save_as_html(tmp_path / "view.html")
    page = (tmp_path / "view.html").read_text()
    assert 'src="http' not in page
    assert "Plotly" in page
    with pytest.raises(DataError, match=r"'left' is not one of \['lh', 'rh'\]"):
        view_surface(maps["score"], "left")


def test_values_of_zero_and_below_are_shown_on_the_page():
    values = np.full(FSAVERAGE5, np.nan)
    values[:10], values[:5] = 0.0, -1.0
    page = view_surface({"lh": values}, "lh", colours="PuOr_r").get_standalone()
    colours = re.search(r'"vertexcolor_left": \[(.*?)\]', page)[1].replace('"', "").split(", ")
    assert len(colours) == FSAVERAGE5
    assert len(set(colours[:5])) == len(set(colours[5:10])) == 1
    below, zero = (np.array([int(colours[n][1 + k : 3 + k], 16) for k in (0, 2, 4)]) for n in (0, 5))
    assert np.ptp(below) > 60  # the dark end of the scale, not the grey of the sulci
    assert zero.min() > 235  # its light middle
    background = np.array([[int(colour[1 + k : 3 + k], 16) for k in (0, 2, 4)] for colour in colours[10:]])
    assert np.ptp(background, axis=1).max() <= 2
