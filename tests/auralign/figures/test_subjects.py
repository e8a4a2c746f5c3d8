"""Medians over targets, means over subjects, regions."""

import numpy as np
import pandas as pd
import pytest

from auralign.analysis.aggregate import by_region, by_subject
from auralign.errors import DataError
from auralign.figures.subjects import median_layers, region_layers

TARGETS = pd.DataFrame({
    "target": [f"v{n}" for n in range(24)],
    "subject": np.arange(24) % 6,
    "roi": np.where(np.arange(24) < 12, "core", "belt"),
})  # fmt: skip


@pytest.fixture
def scores(make_scores):
    return make_scores(targets=tuple(TARGETS["target"]))


def _line(axis, name):
    return next(line for line in axis.get_lines() if line.get_label() == name)


def _of_subjects(scores, rows) -> np.ndarray:
    """Median over a subject's targets of the median over splits: [subject, layer]."""
    own = scores[(scores["features"] == "net") & scores["target"].isin(TARGETS["target"][rows])]
    medians = own.groupby(["target", "layer"])["r2_corr"].median().unstack()
    subject = TARGETS.set_index("target")["subject"].loc[medians.index]
    return medians.groupby(subject.to_numpy()).median().to_numpy()


def test_means_over_subjects_with_within_subject_errors(scores):
    layers = by_subject(scores, "r2_corr", TARGETS)
    drawn = median_layers(layers, "ridge")
    (axis,) = drawn.figure.axes
    values = _of_subjects(scores, np.ones(24, dtype=bool))
    np.testing.assert_allclose(_line(axis, "net").get_ydata(), values.mean(axis=0))
    # Cousineau's normalisation, Morey's correction: by hand
    normalised = values - values.mean(axis=1, keepdims=True)
    error = normalised.std(axis=0, ddof=1) / np.sqrt(6) * np.sqrt(3 / 2)
    own = drawn.data[drawn.data["features"] == "net"]
    np.testing.assert_allclose(own["high"] - own["score"], error)
    np.testing.assert_allclose(own["score"] - own["low"], error)
    top = axis.collections[0].get_paths()[0].vertices[:, 1].max()
    assert top == pytest.approx(own["high"].max())
    assert "means over 6 subjects" in drawn.caption
    assert "24 targets" in drawn.caption


def test_without_subjects_the_band_is_the_quartiles_over_targets(scores, make_summary):
    summary = make_summary(scores)
    drawn = median_layers(by_subject(scores, "r2_corr", subject=None), "ridge", summary=summary)
    own = summary[(summary["features"] == "net") & (summary["layer"] == 1)]["r2_corr_median"]
    row = drawn.data[(drawn.data["features"] == "net") & (drawn.data["layer"] == 1)].iloc[0]
    assert row[["low", "score", "high"]].tolist() == pytest.approx(np.quantile(own, [0.25, 0.5, 0.75]))
    assert "quartiles over targets" in drawn.caption
    alone = median_layers(by_subject(scores, "r2_corr", subject=None), "ridge")
    assert alone.data["low"].isna().all()
    assert "no interval" in alone.caption


def test_a_panel_per_region(scores):
    drawn = region_layers(by_region(scores, "r2_corr", TARGETS), "ridge", error="sem")
    assert [axis.get_title() for axis in drawn.figure.axes] == ["core", "belt"]
    for axis, rows in zip(drawn.figure.axes, (TARGETS["roi"] == "core", TARGETS["roi"] == "belt"), strict=True):
        np.testing.assert_allclose(_line(axis, "net").get_ydata(), _of_subjects(scores, rows).mean(axis=0))
    assert "core: 12 targets and belt: 12 targets" in drawn.caption
    assert "as published" in drawn.caption


@pytest.mark.parametrize("n_subjects", [2, 4])
def test_fewer_than_five_subjects_are_points_without_any_error(scores, make_summary, n_subjects):
    targets = TARGETS.assign(subject=np.arange(24) % n_subjects)
    summary = make_summary(scores).merge(targets, on="target")
    drawn = median_layers(by_subject(scores, "r2_corr", targets), "ridge", summary=summary)
    assert drawn.data[["low", "high"]].isna().all(axis=None)
    (axis,) = drawn.figure.axes
    own = summary[summary["features"] == "net"]
    people = own.groupby(["layer", "subject"])["r2_corr_median"].median().unstack()
    points = next(p for p in axis.collections if p.get_label() == "subjects" and len(p.get_offsets()) > n_subjects)
    expected = {(layer, round(value, 12)) for layer, row in people.iterrows() for value in row}
    assert {(x, round(y, 12)) for x, y in points.get_offsets()} == expected
    np.testing.assert_allclose(_line(axis, "net").get_ydata(), own.groupby("layer")["r2_corr_median"].median())
    assert f"points: each subject's median over its targets; no interval: {n_subjects} subjects" in drawn.caption
    assert "standard error" not in drawn.caption
    drawn = region_layers(by_region(scores, "r2_corr", targets), "ridge", summary=summary)
    for axis, region in zip(drawn.figure.axes, ("core", "belt"), strict=True):
        own = summary[(summary["features"] == "net") & (summary["roi"] == region) & (summary["layer"] == 1)]
        people = own.groupby("subject")["r2_corr_median"].median()
        drawn_at = np.concatenate([p.get_offsets() for p in axis.collections if p.get_label() == "subjects"])
        assert set(people.round(12)) <= set(drawn_at[drawn_at[:, 0] == 1][:, 1].round(12))
    assert drawn.data["low"].isna().all()
    assert "standard error" not in drawn.caption


def test_of_many_regions_those_with_most_targets(make_scores):
    names = [f"v{n}" for n in range(2 * 14 + 1)]
    regions = [f"r{n // 2}" for n in range(28)] + ["r13"]
    targets = pd.DataFrame({"target": names, "roi": regions, "subject": 0})
    drawn = region_layers(by_region(make_scores(targets=tuple(names)), "r2_corr", targets), "ridge")
    titles = [axis.get_title() for axis in drawn.figure.axes]
    assert len(titles) == 12
    assert "r13" in titles
    assert "Not shown, with fewer targets: r11 and r12." in drawn.caption
    assert "no interval: 1 subject, of at least 5" in drawn.caption


def test_unknown_rows_are_refused(scores):
    layers = by_subject(scores, "r2_corr", TARGETS)
    with pytest.raises(DataError, match="no rows of estimator 'ridge' and metric 'r2'"):
        median_layers(layers, "ridge", "r2")
    with pytest.raises(DataError, match="error: 'sd' is not one of sem_morey"):
        median_layers(layers, "ridge", error="sd")
