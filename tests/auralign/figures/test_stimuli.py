"""Predicted against measured responses."""

import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_rgb

from auralign.errors import DataError
from auralign.figures.stimuli import predicted_against_measured
from auralign.figures.style import category_looks


@pytest.fixture
def predictions():
    random, parts = np.random.default_rng(0), []
    for target in ("a", "b"):
        measured = random.standard_normal(12)
        predicted = 0.5 * measured + 0.1 * random.standard_normal(12)
        predicted[3] = np.nan  # never a test stimulus
        table = {
            "target": target,
            "stimulus": [f"s{n}" for n in range(12)],
            "measured": measured,
            "predicted": predicted,
        }
        table |= {"low": predicted - 0.1, "high": predicted + 0.1, "n_tests": [0 if n == 3 else 2 for n in range(12)]}
        parts.append(pd.DataFrame(table | {"category": ["music", "speech", "noise"] * 4}))
    return pd.concat(parts, ignore_index=True)


def test_a_point_per_stimulus_coloured_by_category(predictions):
    drawn = predicted_against_measured(predictions, "net_ridge")
    assert len(drawn.figure.axes) == 2
    looks = category_looks(["music", "noise", "speech"])
    for axis, target in zip(drawn.figure.axes, ("a", "b"), strict=True):
        own = predictions[predictions["target"] == target].dropna()
        points = axis.collections[-1]
        np.testing.assert_allclose(points.get_offsets(), own[["measured", "predicted"]])
        expected = [to_rgb(looks[category].colour) for category in own["category"]]
        np.testing.assert_allclose(points.get_facecolors()[:, :3], expected)
        bars = axis.collections[0].get_segments()
        np.testing.assert_allclose([bar[:, 1] for bar in bars], own[["low", "high"]])
        r = np.corrcoef(own["measured"], own["predicted"])[0, 1]
        assert axis.get_title() == f"{target}, r = {r:.2f}"
    assert "11 stimuli in 3 categories, 2 targets, net_ridge" in drawn.caption
    assert "1 stimulus never tested are left out" in drawn.caption
    assert drawn.name == "predicted_net_ridge"


def test_categories_are_not_needed(predictions):
    drawn = predicted_against_measured(predictions.drop(columns="category"))
    assert not drawn.figure.legends
    assert "categor" not in drawn.caption


def test_panels_at_most(predictions):
    drawn = predicted_against_measured(predictions, most=1)
    assert drawn.data["target"].unique().tolist() == ["a"]


def test_nothing_predicted_is_refused(predictions):
    with pytest.raises(DataError, match="no stimulus is a test stimulus"):
        predicted_against_measured(predictions.assign(predicted=np.nan))
