"""Training series: steps by name, lines, heat map and surface hold the same scores."""

import numpy as np
import pytest

from auralign.errors import DataError
from auralign.figures.dynamics import training_heat, training_lines, training_series, training_surface

STEPS = {"run-step000000": 0, "run-step010000": 10_000, "run-step050000": 50_000}


@pytest.fixture
def summary(make_scores, make_summary):
    # not in the order of the steps
    return make_summary(make_scores({name: 3 for name in reversed(STEPS)} | {"other": 3}))


def _grid(summary, target):
    own = summary[summary["features"].isin(STEPS) & (summary["target"] == target)]
    own = own.assign(step=own["features"].map(STEPS))
    return own.pivot(index="layer", columns="step", values="r2_corr_median")


def test_series_are_found_by_name():
    names = ["b-step10", "a-step000200", "a-step000050", "single-step5", "plain", "a-step-3", "b-step9"]
    series = {"b": {"b-step9": 9, "b-step10": 10}, "a": {"a-step000050": 50, "a-step000200": 200}}
    assert training_series(names) == series
    assert list(training_series(names)["b"]) == ["b-step9", "b-step10"]


def test_a_line_per_layer_over_steps(summary):
    drawn = training_lines(summary, "run", "ridge")
    assert [axis.get_title() for axis in drawn.figure.axes] == ["first", "second"]
    for axis in drawn.figure.axes:
        grid = _grid(summary, axis.get_title())
        assert [line.get_label() for line in axis.get_lines()] == ["0", "1", "2"]
        for line in axis.get_lines():
            np.testing.assert_allclose(line.get_xdata(), [0, 10, 50])  # thousands
            np.testing.assert_allclose(line.get_ydata(), grid.loc[int(line.get_label())])
    own = summary[(summary["features"] == "run-step050000") & (summary["target"] == "first")].iloc[2]
    row = drawn.data.query("target == 'first' and layer == 2 and step == 50000").iloc[0]
    assert row["high"] - row["score"] == pytest.approx(own["r2_corr_sd"])
    assert "3 steps from 0 to 50,000, 3 layers" in drawn.caption


def test_the_heat_map_has_layers_upwards_and_steps_to_the_right(summary):
    drawn = training_heat(summary, "run", "ridge")
    for axis, target in zip(drawn.figure.axes, ("first", "second"), strict=False):
        image = axis.images[0]
        np.testing.assert_allclose(image.get_array(), _grid(summary, target))
        assert image.origin == "lower"
    steps = [text.get_text() for text in drawn.figure.axes[0].get_xticklabels()]
    assert steps == ["0", "10", "50"]


def test_the_surface_has_a_cell_between_any_two_layers_and_steps(summary):
    drawn = training_surface(summary, "run", "ridge")
    axis = drawn.figure.axes[1]
    assert axis.name == "3d"
    grid = _grid(summary, "second").to_numpy()
    (surface,) = axis.collections
    corners = np.stack([grid[:-1, :-1], grid[1:, :-1], grid[:-1, 1:], grid[1:, 1:]])
    assert len(surface.get_facecolors()) == 4
    np.testing.assert_allclose(surface.get_array(), corners.mean(axis=0).ravel())  # colour: mean of a cell's corners
    x_low, x_high = axis.get_xlim()
    assert x_low <= 0
    assert x_high >= 50
    assert axis.get_zlim()[1] > grid.max()


def test_words_name_the_highest(summary):
    drawn = training_lines(summary, "run", "ridge")
    own = summary[summary["features"].isin(STEPS)]
    best = own.loc[own["r2_corr_median"].idxmax()]
    step = f"{STEPS[best['features']]:,}"
    assert f"Highest: {best['r2_corr_median']:.2f}, {best['target']}, at layer l{best['layer']}, depth " in drawn.alt
    assert f"depth {best['layer'] / 2:.2f}, step {step}." in drawn.alt


def test_many_targets_and_many_layers(make_scores, make_summary):
    sets = dict.fromkeys(STEPS, 14)
    summary = make_summary(make_scores(sets, tuple(f"v{n}" for n in range(13)), n_splits=2))
    drawn = training_lines(summary, "run", "ridge")
    axis, colour_bar = drawn.figure.axes
    own = summary[(summary["features"] == "run-step010000") & (summary["layer"] == 4)]["r2_corr_median"]
    assert axis.get_lines()[4].get_ydata()[1] == pytest.approx(np.median(own))
    assert colour_bar.get_ylabel() == "layer"
    named = [
        (text.get_text(), place)
        for text, place in zip(colour_bar.get_yticklabels(), colour_bar.get_yticks(), strict=True)
    ]
    assert named[0] == ("l0", 0) and named[-1] == ("l13", 13) and len(named) <= 6
    assert all(text == f"l{place}" for text, place in named)
    assert "medians over 13 targets" in drawn.caption


def test_what_is_no_series_is_refused(summary, make_scores, make_summary):
    with pytest.raises(DataError, match=r"no training series 'other'.*There are: run"):
        training_lines(summary, "other", "ridge")
    with pytest.raises(DataError, match="no scores 'r2_corr' of estimator 'lasso'"):
        training_heat(summary, "run", "lasso")
    with pytest.raises(DataError, match="a surface over layers and steps needs two layers"):
        training_surface(make_summary(make_scores(dict.fromkeys(STEPS, 1))), "run", "ridge")
