"""Scores against scores."""

import numpy as np
import pytest

from auralign.errors import DataError
from auralign.figures.scatter import component_scatter, estimators_against


@pytest.fixture
def summary(make_scores, make_summary):
    return make_summary(make_scores(targets=("a", "b", "c", "d", "e"), estimators=("ridge", "lasso")))


def test_a_point_per_feature_set_layer_and_target(summary):
    low = summary.assign(r2_median=np.where(summary["layer"] == 2, -2.0, summary["r2_median"]))
    drawn = estimators_against(low, "ridge", "lasso")
    points = np.asarray(drawn.figure.axes[0].collections[0].get_offsets())
    assert len(points) == 20
    wide = low.pivot(index=["features", "layer", "target"], columns="estimator", values="r2_median")
    expected = wide[["ridge", "lasso"]].clip(lower=-0.5).to_numpy()
    np.testing.assert_allclose(points[np.lexsort(points.T)], expected[np.lexsort(expected.T)])
    assert "5 points with a value below -0.5 are drawn there" in drawn.caption
    above = (wide["lasso"] > wide["ridge"]).sum()
    assert f"lasso is better in {above} of them" in drawn.alt


def test_component_against_component_in_pairs(summary):
    drawn = component_scatter(summary, "ridge")
    axes = drawn.figure.axes
    assert [(axis.get_xlabel(), axis.get_ylabel()) for axis in axes] == [("a", "b"), ("c", "d")]
    own = summary[summary["estimator"] == "ridge"]
    wide = own.pivot(index=["features", "layer"], columns="target", values="r2_corr_median")
    for axis in axes:
        expected = wide[[axis.get_xlabel(), axis.get_ylabel()]].to_numpy()
        points = np.asarray(axis.collections[0].get_offsets())
        np.testing.assert_allclose(points[np.lexsort(points.T)], expected[np.lexsort(expected.T)])
    large = axes[0].collections[0].get_sizes() > 10
    assert large.sum() == 2  # the best layer of each feature set
    best = [wide.loc[name, "b"].max() for name in ("net", "plain")]
    np.testing.assert_allclose(np.sort(axes[0].collections[0].get_offsets()[large][:, 1]), np.sort(best))


def test_pairs_can_be_named_and_must_exist(summary):
    drawn = component_scatter(summary, "lasso", [("e", "a")])
    assert drawn.figure.axes[0].get_xlabel() == "e"
    with pytest.raises(DataError, match=r"\['f'\]; there are a, b, c, d and e"):
        component_scatter(summary, "lasso", [("a", "f")])
    with pytest.raises(DataError, match="none"):
        component_scatter(summary[summary["target"] == "a"], "lasso")
