"""Ranked models: planted orders, honest choice of the layer, intervals."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import t as student_t

from auralign.figures.ranking import model_ranking
from auralign.figures.style import GREYS, feature_looks

ROLES = {"good": "model", "bad": "model", "random": "control", "bands": "baseline"}
LEVELS = {"good": 0.8, "bad": 0.4, "random": 0.1, "bands": 0.5}


@pytest.fixture
def scores(make_scores):
    table = make_scores({"bad": 2, "random": 2, "bands": 1, "good": 2}, ("first", "second"))
    noise = np.random.default_rng(1).normal(0, 0.02, len(table))
    return table.assign(r2_corr=table["features"].map(LEVELS) + noise, r2_dev=0.5 - 0.1 * table["layer"])


def _drawn(axis) -> dict[str, float]:
    return {c.get_label(): c.lines[0].get_xdata()[0] for c in axis.containers}


def test_the_order_is_that_of_the_scores_in_every_panel(scores):
    drawn = model_ranking(scores, "ridge", roles=ROLES)
    assert [axis.get_title() for axis in drawn.figure.axes] == ["mean of 2 targets", "first", "second"]
    labels = [text.get_text() for text in drawn.figure.axes[0].get_yticklabels()]
    assert labels == ["good", "bands", "bad", "random"]
    for axis in drawn.figure.axes:
        places = {c.get_label(): c.lines[0].get_ydata()[0] for c in axis.containers}
        assert places == {name: place for place, name in enumerate(labels)}
        assert axis.get_ylim()[0] > axis.get_ylim()[1]  # the first on top
        for name, score in _drawn(axis).items():
            assert score == pytest.approx(LEVELS[name], abs=0.03)
    assert "First: mean of 2 targets: good 0.8" in drawn.alt


def test_scores_are_read_at_the_layer_that_development_chooses(scores):
    # layer 1 is the better one on the test stimuli only
    leaky = scores.assign(r2_corr=scores["r2_corr"] + 0.15 * (scores["layer"] == 1))
    drawn = model_ranking(leaky, "ridge", roles=ROLES)
    own = scores[(scores["features"] == "good") & (scores["layer"] == 0) & (scores["target"] == "first")]["r2_corr"]
    row = drawn.data[(drawn.data["target"] == "first") & (drawn.data["features"] == "good")].iloc[0]
    assert row["score"] == pytest.approx(own.mean())
    assert row["layer"] == 0
    half = student_t.ppf(0.975, 5) * np.sqrt((1 / 6 + 10 / 20) * own.var(ddof=1))
    assert [row["low"], row["high"]] == pytest.approx([own.mean() - half, own.mean() + half])


def test_the_mean_over_targets_is_taken_in_every_split(scores):
    third = scores[scores["target"] == "first"].assign(target="third", r2_corr=lambda table: table["r2_corr"] / 8)
    three = pd.concat([scores, third])
    drawn = model_ranking(three, "ridge")
    own = three[(three["features"] == "good") & (three["layer"] == 0)]
    means = own.groupby("split")["r2_corr"].mean()
    row = drawn.data[(drawn.data["target"] == "mean of 3 targets") & (drawn.data["features"] == "good")].iloc[0]
    half = student_t.ppf(0.975, 5) * np.sqrt((1 / 6 + 10 / 20) * means.var(ddof=1))
    assert [row["score"], row["high"]] == pytest.approx([means.mean(), means.mean() + half])


def test_baselines_are_a_band_and_controls_grey(scores):
    looks = feature_looks(ROLES, ROLES)
    drawn = model_ranking(scores, "ridge", roles=ROLES, looks=looks)
    axis = drawn.figure.axes[0]
    row = drawn.data[(drawn.data["target"] == "mean of 2 targets") & (drawn.data["features"] == "bands")].iloc[0]
    (band,) = axis.patches
    assert [band.get_x(), band.get_width()] == pytest.approx([row["low"], row["high"] - row["low"]])
    colours = {c.get_label(): c.lines[0].get_color() for c in axis.containers}
    assert colours["random"] in GREYS
    assert colours["good"] not in GREYS
    assert "Black band: the best baseline, bands. Grey: controls." in drawn.caption


def test_over_subjects(scores):
    many = pd.concat([
        scores.assign(target=scores["target"] + str(n), r2_corr=scores["r2_corr"] - 0.03 * n) for n in range(5)
    ])  # fmt: skip
    targets = pd.DataFrame({"target": many["target"].unique()})
    targets["person"] = targets["target"].str[-1]
    drawn = model_ranking(many, "ridge", roles=ROLES, targets=targets, subject="person")
    (axis,) = drawn.figure.axes
    assert axis.get_title() == "mean of 5 subjects"
    medians = many[many["layer"] == 0].groupby(["features", "target"])["r2_corr"].median().unstack("features")
    people = medians.groupby(medians.index.str[-1]).median()
    for name, score in _drawn(axis).items():
        assert score == pytest.approx(people[name].mean())
    normalised = people.sub(people.mean(axis=1), axis=0)
    error = normalised.std(ddof=1) / np.sqrt(5) * np.sqrt(4 / 3)
    row = drawn.data.set_index("features").loc["good"]
    assert row["high"] - row["score"] == pytest.approx(error["good"])
    assert "means over 5 subjects" in drawn.caption
    assert row["layer"] == 0


def test_many_targets_are_one_panel(make_scores):
    scores = make_scores({"a": 1, "b": 2}, tuple(f"v{n}" for n in range(25)))
    drawn = model_ranking(scores, "ridge")
    assert [axis.get_title() for axis in drawn.figure.axes] == ["median of 25 targets"]
    medians = scores[scores["features"] == "a"].groupby("split")["r2_corr"].median()
    assert _drawn(drawn.figure.axes[0])["a"] == pytest.approx(medians.mean())
    # up to 24 targets are averaged, as in the headline, and from 13 on not drawn one by one
    scores = make_scores({"a": 1, "b": 2}, tuple(f"v{n}" for n in range(13)))
    drawn = model_ranking(scores, "ridge")
    assert [axis.get_title() for axis in drawn.figure.axes] == ["mean of 13 targets"]
    assert _drawn(drawn.figure.axes[0])["a"] == pytest.approx(scores[scores["features"] == "a"]["r2_corr"].mean())
