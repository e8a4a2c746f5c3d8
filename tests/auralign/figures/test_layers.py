"""Scores per layer: lines, bands and ceilings are those of the table."""

import numpy as np
import pytest

from auralign.errors import DataError
from auralign.figures.layers import layer_scores


@pytest.fixture
def summary(make_scores, make_summary):
    return make_summary(make_scores(estimators=("ridge", "lasso")))


def _lines(axis):
    return {line.get_label(): line for line in axis.get_lines()}


def _band(axis, place):
    """Lowest and highest y of a band at every x."""
    points = axis.collections[place].get_paths()[0].vertices
    return {
        x: (points[points[:, 0] == x, 1].min(), points[points[:, 0] == x, 1].max()) for x in np.unique(points[:, 0])
    }


def test_lines_are_medians_and_bands_standard_deviations(summary):
    figure = layer_scores(summary, "ridge").figure
    assert [axis.get_title() for axis in figure.axes] == ["first", "second"]
    for axis in figure.axes:
        own = summary[(summary["estimator"] == "ridge") & (summary["target"] == axis.get_title())]
        net = own[own["features"] == "net"].sort_values("layer")
        line = _lines(axis)["net"]
        np.testing.assert_array_equal(line.get_xdata(), [0, 1, 2])
        np.testing.assert_allclose(line.get_ydata(), net["r2_corr_median"])
        band = _band(axis, 0)
        for row in net.itertuples():
            expected = (row.r2_corr_median - row.r2_corr_sd, row.r2_corr_median + row.r2_corr_sd)
            np.testing.assert_allclose(band[row.layer], expected)
        # one layer: a line across the panel
        plain = own.loc[own["features"] == "plain", "r2_corr_median"].item()
        assert list(_lines(axis)["plain"].get_ydata()) == [plain, plain]


def test_feature_sets_of_one_layer_stand_side_by_side(make_scores, make_summary):
    summary = make_summary(make_scores({"a": 1, "b": 1, "c": 1}))
    axis = layer_scores(summary, "ridge").figure.axes[0]
    assert [text.get_text() for text in axis.get_xticklabels()] == ["a", "b", "c"]
    own = summary[summary["target"] == "first"]
    for place, container in enumerate(axis.containers):
        assert container.lines[0].get_xydata()[0] == pytest.approx([place, own["r2_corr_median"].iloc[place]])
        ends = container.lines[2][0].get_segments()[0][:, 1]
        spread = own["r2_corr_sd"].iloc[place]
        np.testing.assert_allclose(ends, own["r2_corr_median"].iloc[place] + np.array([-spread, spread]))


def test_the_noise_ceiling_is_a_line_with_its_interval(summary):
    known = summary.assign(noise_ceiling=0.7, noise_ceiling_low=0.6, noise_ceiling_high=0.8)
    drawn = layer_scores(known, "ridge")
    axis = drawn.figure.axes[0]
    assert list(_lines(axis)["ceiling"].get_ydata()) == [0.7, 0.7]
    assert axis.patches[-1].get_y() == pytest.approx(0.6)
    assert axis.patches[-1].get_height() == pytest.approx(0.2)
    assert "noise ceiling of the mean response; grey band: its 95 % interval" in drawn.caption
    assert axis.get_ylim()[1] > 0.8
    # a ceiling of r2_corr is none of R²
    assert "ceiling" not in _lines(layer_scores(known, "ridge", "r2").figure.axes[0])
    # the known ceiling of synthetic responses goes before the estimated one
    assert (
        list(_lines(layer_scores(known.assign(ceiling=0.9), "ridge").figure.axes[0])["ceiling"].get_ydata())
        == [0.9] * 2
    )


def test_many_targets_are_one_panel_of_medians(make_scores, make_summary):
    summary = make_summary(make_scores(targets=tuple(f"v{n}" for n in range(13))))
    drawn = layer_scores(summary, "ridge")
    (axis,) = drawn.figure.axes
    net = summary[summary["features"] == "net"]
    expected = [np.median(net.loc[net["layer"] == layer, "r2_corr_median"]) for layer in range(3)]
    np.testing.assert_allclose(_lines(axis)["net"].get_ydata(), expected)
    assert "medians over 13 targets of the medians over 6 splits" in drawn.caption
    assert drawn.data["n_targets"].unique().tolist() == [13]


def test_relative_depth(make_scores, make_summary):
    summary = make_summary(make_scores({"a": 3, "b": 5}))
    axis = layer_scores(summary, "ridge").figure.axes[0]
    np.testing.assert_allclose(_lines(axis)["a"].get_xdata(), [0, 0.5, 1])
    np.testing.assert_allclose(_lines(axis)["b"].get_xdata(), [0, 0.25, 0.5, 0.75, 1])


def test_scores_below_the_axis_are_counted(summary):
    low = summary.assign(r2_median=np.where(summary["features"] == "plain", -3.0, 0.5))
    drawn = layer_scores(low, "ridge", "r2")
    assert "2 of 8 points lie below the axis, which ends at -0.5." in drawn.caption
    assert drawn.figure.axes[0].get_ylim()[0] > -0.7
    assert drawn.data["score"].min() == -3.0  # the table holds what the axis cuts off


def test_numbers_of_layers_and_of_sets_are_not_limited(make_scores, make_summary):
    sets = {f"net{n}": 33 for n in range(9)}
    axis = layer_scores(make_summary(make_scores(sets, ("only",), n_splits=2)), "ridge").figure.axes[0]
    assert len(_lines(axis)) == 9
    assert all(len(line.get_xdata()) == 33 for line in axis.get_lines())
    assert len({(line.get_color(), line.get_marker(), line.get_linestyle()) for line in axis.get_lines()}) == 9


def test_the_words_name_the_highest_and_the_counts(summary):
    drawn = layer_scores(summary, "lasso")
    own = summary[summary["estimator"] == "lasso"]
    best = own.loc[own["r2_corr_median"].idxmax()]
    assert best["features"] == "plain"
    where = (
        f"Highest of all: {best['r2_corr_median']:.2f}, {best['target']}, plain at its only layer. Highest per panel"
    )
    assert where in drawn.alt
    net = own[(own["features"] == "net") & (own["target"] == "first")]
    best = net.loc[net["r2_corr_median"].idxmax()]
    where = f"net at layer {best['layer_name']}, depth {best['layer'] / 2:.2f}"
    assert f"first {best['r2_corr_median']:.2f} ({where})" in drawn.alt
    assert "2 targets, 2 feature sets" in drawn.caption
    assert "medians over 6 splits" in drawn.caption
    assert drawn.name == "layers_lasso"


def test_what_is_not_there_is_refused(summary):
    with pytest.raises(DataError, match="no scores of estimator 'elastic'"):
        layer_scores(summary, "elastic")
    with pytest.raises(DataError, match="no column 'r2_corr_c2_median'"):
        layer_scores(summary, "ridge", "r2_corr_c2")
