"""All figures of a comparison, and what holds for every figure."""

from xml.etree import ElementTree

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from matplotlib.text import Text

from auralign.analysis.layer_choice import nested_choice
from auralign.figures import all_figures
from auralign.runs.results import Results

VERTICES = pd.DataFrame(
    {"hemi": np.repeat(["lh", "rh"], 30), "x": 2.0 * (np.arange(60) % 6), "y": 2.0 * (np.arange(60) % 30 // 6)}
)
VERTICES["vertex"] = np.arange(60)


@pytest.fixture(scope="module")
def of_components(components):
    return {figure.name: figure for figure in all_figures(components, predictions=True)}


@pytest.fixture(scope="module")
def of_voxels(voxels):
    return {figure.name: figure for figure in all_figures(voxels, vertices=VERTICES)}


def test_figures_of_components(of_components):
    predicted = [name for name in of_components if name.startswith("predicted_")]
    assert len(predicted) == 1
    assert list(of_components) == [
        *("layers_ridge", "ranking_ridge", "optimism_ridge_r2_corr", "components_ridge"),
        *("layers_lasso", "ranking_lasso", "optimism_lasso_r2_corr", "components_lasso"),
        *("estimators_layers", "ridge_against_lasso", "difference_ridge_lasso"),
        *("selected_lasso", "stability_lasso", "agreement_target_lasso"),
        *predicted,
        *("alphas", "diagnostics"),
    ]


def test_figures_of_voxels(of_voxels):
    names = set(of_voxels)
    assert {"median_ridge_r2_corr_c2", "regions_ridge_r2_corr_c2", "depth_by_region_ridge", "ranking_ridge"} <= names
    assert {"unique_ridge_over_net", "unique_ridge_over_plain", "reliability", "diagnostics", "alphas"} <= names
    assert {"training_steps_run_ridge", "training_heat_run_ridge", "training_surface_run_ridge"} <= names
    assert sum(name.startswith("score_map_") for name in names) == 5  # four feature sets, and subjects of the best
    assert sum(name.startswith("surface_score_") for name in names) == 4
    assert sum(name.startswith("surface_layer_") for name in names) == 3  # one of the four has one layer
    assert not any(name.startswith("layers_") for name in names)  # thirty panels would be too many


def test_of_a_training_series_only_the_last_step_is_among_the_models(of_voxels):
    assert set(of_voxels["ranking_ridge"].data["features"]) == {"net", "plain", "noise", "both", "run-step000200"}


@pytest.fixture(params=["components", "voxels"])
def figures(request, of_components, of_voxels):
    made = of_components if request.param == "components" else of_voxels
    # surfaces take half a second each: those of one feature set stand for all
    return [figure for name, figure in made.items() if not name.startswith("surface_") or "_net_" in name]


def test_every_figure_can_be_read_at_one_columns_width(figures):
    for figure in figures:
        assert figure.figure.get_figwidth() * 25.4 == pytest.approx(89.0), figure.name
        assert figure.figure.get_figheight() * 25.4 < 260, figure.name
        for text in figure.figure.findobj(Text):
            if text.get_text() and text.get_visible():
                assert text.get_fontsize() >= 8.0, (figure.name, text.get_text())
                assert "nan" not in text.get_text().lower(), figure.name


def test_every_figure_says_what_it_shows(figures):
    for figure in figures:
        assert any(character.isdigit() for character in figure.caption), figure.name
        assert any(word in figure.caption for word in ("interval", "bands", "bars", "deviation", "Counts", "(line)")), (
            figure.name
        )
        assert len(figure.alt) > 40, figure.name
        assert "nan" not in f"{figure.caption} {figure.alt}".lower().split(), figure.name
        for text in (figure.caption, figure.alt):
            assert text == text.strip() and text.endswith("."), (figure.name, text)
            assert "  " not in text, (figure.name, text)
        assert not figure.data.empty, figure.name


def test_pyplot_holds_nothing(figures):
    for figure in figures:
        assert figure.figure.canvas.manager is None
    assert plt.get_fignums() == []


def test_saved_tables_are_what_is_drawn(figures, tmp_path):
    for figure in figures:
        svg, png, tsv = figure.save(tmp_path)
        table = pd.read_csv(tsv, sep="\t", keep_default_na=False, na_values=[""])
        assert list(table.columns) == list(figure.data.columns), figure.name
        assert len(table) == len(figure.data), figure.name
        for column in figure.data.select_dtypes("number"):
            np.testing.assert_allclose(
                table[column].astype(float), figure.data[column].astype(float), err_msg=figure.name
            )
        ElementTree.fromstring(svg.read_bytes())
        assert png.stat().st_size < 600_000, figure.name


def test_best_layers_on_the_cortex_are_those_of_the_voxels(voxels, of_voxels):
    drawn = of_voxels["surface_layer_net_ridge"].data
    chosen = nested_choice(voxels.scores, "r2_corr_c2").query("features == 'net'").set_index("target")
    place = VERTICES.set_index("vertex")
    for row in drawn.itertuples():
        x, y, side = place.loc[row.vertex, ["x", "y", "hemi"]]
        voxel = chosen.loc[f"v{int(y / 2 * 6 + x / 2):02d}"]
        assert row.hemi == side
        assert row.value == pytest.approx(voxel["pos"] - 1)
        assert voxel["score"] > 0
    assert len(drawn) == (chosen["score"] > 0).sum()


def test_maps_are_pixels_inside_the_svg(of_voxels):
    for name, figure in of_voxels.items():
        if name.startswith(("score_map_", "surface_score_net")):
            text = figure.svg().decode()
            assert "<image" in text
            assert len(text) < 700_000, name


def test_drawing_again_gives_the_same_bytes(components, of_components):
    again = {figure.name: figure for figure in all_figures(components)}
    for name in ("layers_ridge", "alphas", "ranking_ridge"):
        assert again[name].svg() == of_components[name].svg()


def test_colours_agree_between_figures(of_components):
    colours = {}
    for name in ("layers_ridge", "layers_lasso", "estimators_layers"):
        for axis in of_components[name].figure.axes:
            for line in axis.get_lines():
                colours.setdefault(line.get_label(), set()).add(line.get_color())
    assert len(colours["net"]) == len(colours["plain"]) == 1
    assert colours["net"] != colours["plain"]


def test_roles_and_synthetic_responses_are_said(components):
    roles = {"net": "model", "plain": "baseline"}
    summary = components.summary.assign(synthetic=True)
    results = Results(components.folder, components.provenance, components._read | {"summary": summary})
    made = {figure.name: figure for figure in all_figures(results, roles)}
    assert all(figure.caption.endswith("The responses are synthetic.") for figure in made.values())
    assert "Black band: the best baseline, plain." in made["ranking_ridge"].caption
