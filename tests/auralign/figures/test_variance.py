"""Unique variance and optimism."""

import numpy as np
import pandas as pd
import pytest

from auralign.analysis.layer_choice import optimism
from auralign.errors import DataError
from auralign.figures.variance import optimism_gap, unique_variance


@pytest.fixture
def table():
    return pd.DataFrame({
        "features": "both", "without": "bands", "adds": "net", "estimator": "ridge", "layer": [0, 1, 0, 1],
        "target": ["a", "a", "b", "b"], "unique": [0.1, 0.3, -0.1, 0.02], "low": [0.05, 0.1, -0.2, -0.1],
        "high": [0.2, 0.5, 0.0, 0.1], "significant": [True, True, False, False],
    })  # fmt: skip


def test_unique_variance_with_its_intervals(table):
    drawn = unique_variance(table, "ridge", "bands")
    assert [axis.get_title() for axis in drawn.figure.axes] == ["a", "b"]
    axis = drawn.figure.axes[1]
    points = next(c for c in axis.collections if c.get_label() == "net")
    np.testing.assert_allclose(points.get_offsets(), [[0, -0.1], [1, 0.02]])
    ends = axis.containers[0].lines[2][0].get_segments()
    np.testing.assert_allclose([segment[:, 1] for segment in ends], [[-0.2, 0.0], [-0.1, 0.1]])
    assert (points.get_facecolors()[:, :3] == 1.0).all()  # not significant: hollow
    assert "(2 of 4)" in drawn.caption
    assert "Most: +0.300, a, net at layer 1, depth 1.00. 2 of 4 bars lie above 0." in drawn.alt
    with pytest.raises(DataError, match="nothing is added to 'net' with 'ridge'"):
        unique_variance(table, "ridge", "net")


def test_unique_variance_of_many_targets(table):
    many = pd.concat([table.assign(target=f"v{n}", unique=n / 10) for n in range(13)])
    drawn = unique_variance(many, "ridge", "bands")
    row = drawn.data[drawn.data["layer"] == 0].iloc[0]
    assert row[["low", "unique", "high"]].tolist() == pytest.approx([0.3, 0.6, 0.9])
    assert "quartiles over targets" in drawn.caption


def test_optimism_by_three_rules(make_scores):
    scores = make_scores({"net": 4, "other": 3, "plain": 1})
    choice = optimism(scores)
    drawn = optimism_gap(choice, "ridge")
    assert [axis.get_title() for axis in drawn.figure.axes] == ["first", "second"]
    own = choice[choice["target"] == "second"].set_index("features")
    names = [text.get_text() for text in drawn.figure.axes[0].get_yticklabels()]
    assert names == ["net", "other"]  # one layer: no choice
    axis = drawn.figure.axes[1]
    for rule in ("naive", "published", "nested"):
        points = next(c for c in axis.collections if c.get_label() == rule).get_offsets()
        np.testing.assert_allclose(points[:, 0], own.loc[["net", "other"], rule])
    gap = choice[choice["n_layers"] > 1]["gap"]
    assert f"mean optimism {gap.mean():+.3f}" in drawn.caption
    with pytest.raises(DataError, match="no feature set has two layers"):
        optimism_gap(choice[choice["features"] == "plain"], "ridge")


def test_optimism_of_many_targets_is_that_of_all_together(make_scores):
    names = [f"v{n}" for n in range(30)]
    targets = pd.DataFrame({"target": names, "subject": np.arange(30) % 3, "roi": "core"})
    scores = make_scores({"net": 4}, tuple(names), n_splits=4)
    choice = pd.concat([optimism(scores, targets=targets, by=by) for by in ([], ["subject"], ["roi"])])
    drawn = optimism_gap(choice, "ridge")
    assert drawn.data["panel"].tolist() == ["all targets"]
    assert drawn.data["gap"].item() == pytest.approx(optimism(scores, by=[])["gap"].item())
    assert "30 targets" in drawn.caption


def test_layers_left_out_are_not_drawn_twice(make_scores):
    choice = optimism(make_scores({"net": 4}), exclude={"net": [3]})
    assert len(optimism_gap(choice, "ridge").data) == 2
