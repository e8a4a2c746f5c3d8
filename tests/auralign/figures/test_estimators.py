"""Estimators side by side and their paired differences."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import t as student_t

from auralign.errors import DataError
from auralign.figures.estimators import estimator_differences, estimator_layers


@pytest.fixture
def scores(make_scores):
    return make_scores(estimators=("ridge", "lasso"))


def test_a_row_per_target_and_a_column_per_estimator(scores, make_summary):
    summary = make_summary(scores)
    drawn = estimator_layers(summary)
    titles = [axis.get_title() for axis in drawn.figure.axes]
    assert titles == ["first, ridge", "first, lasso", "second, ridge", "second, lasso"]
    places = [axis.get_subplotspec().get_geometry()[:2] for axis in drawn.figure.axes]
    assert set(places) == {(2, 2)}
    for axis in drawn.figure.axes:
        target, estimator = axis.get_title().split(", ")
        rows = (summary["target"] == target) & (summary["estimator"] == estimator) & (summary["features"] == "net")
        line = next(line for line in axis.get_lines() if line.get_label() == "net")
        np.testing.assert_allclose(line.get_ydata(), summary.loc[rows, "r2_corr_median"])
    limits = {axis.get_ylim() for axis in drawn.figure.axes}
    assert len(limits) == 1  # one axis: the columns can be compared


def test_differences_and_intervals_are_those_of_the_corrected_t_test(scores):
    drawn = estimator_differences(scores, "ridge", "lasso", "r2", level=0.9)
    wide = scores.pivot(index="split", columns=["estimator", "features", "layer", "target"], values="r2")
    assert len(drawn.data) == 8
    for row in drawn.data.itertuples():
        cell = (row.features, row.layer, row.target)
        d = (wide[("ridge", *cell)] - wide[("lasso", *cell)]).to_numpy()
        error = np.sqrt((1 / 6 + 10 / 20) * d.var(ddof=1))
        assert row.difference == pytest.approx(d.mean())
        assert row.low == pytest.approx(d.mean() - student_t.ppf(0.95, 5) * error)
        assert row.high == pytest.approx(d.mean() + student_t.ppf(0.95, 5) * error)
    assert "90% interval of the corrected resampled t-test" in drawn.caption


def test_points_are_at_the_differences_and_filled_where_the_interval_excludes_zero(scores):
    better = (scores["estimator"] == "ridge") & (scores["features"] == "net") & (scores["target"] == "first")
    drawn = estimator_differences(scores.assign(r2=scores["r2"] + 5.0 * better), "ridge", "lasso")
    axis = drawn.figure.axes[0]
    own = drawn.data[(drawn.data["target"] == "first") & (drawn.data["features"] == "net")]
    points = next(c for c in axis.collections if c.get_label() == "net")
    np.testing.assert_allclose(points.get_offsets()[:, 1], own["difference"])
    assert (np.abs(np.asarray(points.get_offsets())[:, 0] - own["layer"].to_numpy()) < 0.5).all()
    assert (points.get_facecolors()[:, :3] != 1.0).any(axis=1).all()
    others = drawn.data[drawn.data["difference"].abs() < 1]
    zero_inside = ((others["low"] <= 0) & (others["high"] >= 0)).sum()
    assert f"it excludes 0 ({8 - zero_inside} of 8)" in drawn.caption
    hollow = next(c for c in drawn.figure.axes[1].collections if c.get_label() == "net").get_facecolors()
    own = drawn.data[(drawn.data["target"] == "second") & (drawn.data["features"] == "net")]
    white = (hollow[:, :3] == 1.0).all(axis=1)
    np.testing.assert_array_equal(white, (own["low"] <= 0) & (own["high"] >= 0))


def test_many_targets_take_the_median_in_every_split(make_scores):
    scores = make_scores(targets=tuple(f"v{n}" for n in range(13)), estimators=("ridge", "lasso"))
    drawn = estimator_differences(scores, "ridge", "lasso", "r2_corr")
    wide = scores.pivot(index="split", columns=["estimator", "features", "layer", "target"], values="r2_corr")
    d = (wide["ridge"]["net"][1] - wide["lasso"]["net"][1]).median(axis=1)
    row = drawn.data[(drawn.data["features"] == "net") & (drawn.data["layer"] == 1)].iloc[0]
    assert row["difference"] == pytest.approx(d.mean())
    assert row["n_targets"] == 13
    assert len(drawn.figure.axes) == 1


def test_what_cannot_be_paired_is_refused(scores):
    with pytest.raises(DataError, match="both 'ridge' and 'lasso'"):
        lonely = pd.concat([
            scores[(scores["estimator"] == "ridge") & (scores["features"] == "net")],
            scores[(scores["estimator"] == "lasso") & (scores["features"] == "plain")],
        ])  # fmt: skip
        estimator_differences(lonely, "ridge", "lasso")
    with pytest.raises(DataError, match="have not the same layers"):
        estimator_differences(scores[(scores["estimator"] == "ridge") | (scores["layer"] < 2)], "ridge", "lasso")
