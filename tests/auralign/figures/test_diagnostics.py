"""Reliability and problems of fits: counted as planted."""

import numpy as np
import pandas as pd
import pytest

from auralign.analysis.aggregate import by_subject
from auralign.errors import DataError
from auralign.figures.diagnostics import excluded_targets, fit_problems, reliability

ALPHAS = [0.01, 0.1, 1.0, 10.0, 100.0]
PROVENANCE = {"config": {"estimators": {"ridge": {"kind": "ridge", "alphas": ALPHAS}, "lasso": {"kind": "lasso"}}}}


def test_histograms_hold_every_target_once(make_scores, make_summary):
    summary = make_summary(make_scores(targets=tuple(f"v{n}" for n in range(40))))
    values = dict(zip(summary["target"].unique(), np.linspace(-0.1, 0.9, 40), strict=True))
    summary = summary.assign(noise_ceiling=summary["target"].map(values), reliability_median=0.5, subject=1)
    drawn = reliability(summary)
    first, second = drawn.figure.axes
    counts = first.patches[0].get_data()
    assert counts.values.sum() == 40
    edges = counts.edges
    np.testing.assert_array_equal(counts.values, np.histogram(list(values.values()), edges)[0])
    assert first.get_lines()[0].get_xdata()[0] == pytest.approx(0.4)  # the median
    assert second.patches[0].get_data().values.max() == 40
    assert "40 targets of 1 subject" in drawn.caption
    with pytest.raises(DataError, match="the responses have no repetitions"):
        reliability(summary.drop(columns=["noise_ceiling", "reliability_median"]))


@pytest.fixture
def scores(make_scores):
    table = make_scores({"net": 2}, estimators=("ridge", "lasso"), n_splits=10)
    ridge = np.flatnonzero(table["estimator"] == "ridge")
    table["alpha"] = 1.0
    table.loc[ridge[:3], "alpha"] = 0.01
    table.loc[ridge[3:5], "alpha"] = 100.0
    table.loc[ridge[5:12], "alpha"] = np.inf
    table.loc[ridge[20], "r2_corr"] = np.nan
    return table


def test_problems_are_counted(scores):
    keys = ["features", "layer", "layer_name", "estimator", "target", "split"]
    fitted = scores.loc[scores["estimator"] == "lasso", keys]
    # four fits select nothing, one of the others two units
    selected = pd.concat([fitted.iloc[4:], fitted.iloc[[4]]]).assign(unit=0, weight=1.0)
    drawn = fit_problems(scores, PROVENANCE, selected)
    counts = drawn.data.set_index(["problem", "estimator"])["n"]
    assert counts.to_dict() == {
        ("smallest_alpha", "ridge"): 3,
        ("largest_alpha", "ridge"): 2,
        ("constant", "ridge"): 7,
        ("undefined", "ridge"): 1,
        ("constant", "lasso"): 4,
        ("undefined", "lasso"): 0,
    }
    assert (drawn.data["total"] == 40).all()
    axes = {axis.get_title(): axis for axis in drawn.figure.axes}
    assert list(axes) == ["smallest alpha", "largest alpha", "constant prediction", "undefined score"]
    widths = [bar.get_width() for bar in axes["constant prediction"].patches]
    assert widths == pytest.approx([100 * 7 / 40, 100 * 4 / 40])
    assert "not known" in axes["largest alpha"].texts[0].get_text()
    assert "constant prediction: 11 of 80 fits" in drawn.caption
    assert "Largest: 17.5%, constant prediction, net, ridge" in drawn.alt


def test_what_cannot_be_known_is_not_counted(scores):
    data = fit_problems(scores, PROVENANCE).data
    assert "constant" not in data.loc[data["estimator"] == "lasso", "problem"].to_numpy()
    single = {
        "config": {"estimators": {**PROVENANCE["config"]["estimators"], "ridge": {"kind": "ridge", "alphas": [1.0]}}}
    }
    problems = fit_problems(scores, single).data["problem"].unique().tolist()
    assert problems == ["constant", "undefined"]


def test_excluded_targets_are_counted(make_scores):
    names = [f"v{n}" for n in range(6)]
    scores = make_scores({"net": 2}, tuple(names))
    scores.loc[(scores["target"] == "v0") & (scores["layer"] == 1), "r2_corr"] = np.nan
    targets = pd.DataFrame({"target": names, "subject": ["a", "a", "b", "b", "", np.nan]})
    table = excluded_targets(by_subject(scores, "r2_corr", targets))
    row = table.iloc[0]
    assert [row["n_targets"], row["n_without_score"], row["n_left_out"]] == [6, 1, 2]
    drawn = fit_problems(scores, PROVENANCE, layers=by_subject(scores, "r2_corr", targets))
    row = drawn.data[drawn.data["problem"] == "left_out"].iloc[0]
    assert [row["n"], row["total"], row["of"]] == [3, 6, "targets"]
    assert "targets left out: 3 of 6 targets" in drawn.caption


def test_more_estimators_than_colours_are_drawn():
    labels = [f"e{number}" for number in range(12)]
    scores = pd.DataFrame({"features": "net", "layer": 0, "target": "a", "split": 0, "estimator": labels})
    scores = scores.assign(alpha=1.0, r2_corr=0.5)
    provenance = {"config": {"estimators": {label: {"kind": "ridge", "alphas": [1.0, 10.0]} for label in labels}}}
    drawn = fit_problems(scores, provenance)
    assert set(drawn.data["estimator"]) == set(labels)
    assert drawn.figure.axes
