"""Best layer by region: planted depths, and the tests are those of the statistics."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from auralign.errors import DataError
from auralign.figures.collection import _in_all_regions
from auralign.figures.depth import ALL_MODELS, best_layer_by_region
from auralign.inference.resampling import paired_bootstrap

N_SUBJECTS, N_LAYERS = 6, 5
TARGETS = pd.DataFrame([
    {"target": f"{roi}{subject}", "roi": roi, "subject": subject}
    for roi in ("core", "belt") for subject in range(N_SUBJECTS)
])  # fmt: skip
MODELS = ("m0", "m1", "m2", "m3")


def _best(model: int, roi: str, subject: int) -> int:
    """Planted: layer 1 in the core, deeper in the belt, by subject and model."""
    return 1 if roi == "core" else 2 + (subject + model) % 3


@pytest.fixture
def scores(make_scores):
    table = make_scores(dict.fromkeys(MODELS, N_LAYERS) | {"flat": 1}, tuple(TARGETS["target"]), n_splits=4)
    place = TARGETS.set_index("target")
    for model, name in enumerate(MODELS):
        own = table["features"] == name
        best = [_best(model, *place.loc[target, ["roi", "subject"]]) for target in table.loc[own, "target"]]
        table.loc[own, "r2_dev"] = np.where(table.loc[own, "layer"] == best, 0.9, 0.1)
    return table


def _depths(model: int, roi: str) -> np.ndarray:
    return np.array([_best(model, roi, subject) for subject in range(N_SUBJECTS)]) / (N_LAYERS - 1)


def test_points_are_means_over_subjects_and_bars_within_subject_errors(scores):
    drawn = best_layer_by_region(scores, TARGETS, "ridge")
    axis = drawn.figure.axes[0]
    assert [text.get_text() for text in axis.get_xticklabels()] == ["core", "belt"]
    for model, name in enumerate(MODELS):
        points = next(c for c in axis.containers if c.get_label() == name)
        expected = [_depths(model, roi).mean() for roi in ("core", "belt")]
        np.testing.assert_allclose(points.lines[0].get_ydata().astype(float), expected)
        values = np.column_stack([_depths(model, roi) for roi in ("core", "belt")])
        error = (values - values.mean(axis=1, keepdims=True)).std(axis=0, ddof=1) / np.sqrt(N_SUBJECTS) * np.sqrt(2)
        ends = points.lines[2][0].get_segments()[1][:, 1]
        np.testing.assert_allclose(ends, expected[1] + np.array([-error[1], error[1]]))
    assert "flat" not in drawn.data["features"].to_numpy()  # one layer: no depth


def test_tests_over_subjects_and_over_models(scores):
    drawn = best_layer_by_region(scores, TARGETS, "ridge")
    table = drawn.data.set_index(["features", "region"])
    over_subjects = paired_bootstrap(_depths(0, "belt"), _depths(0, "core"))
    assert table.loc[("m0", "belt"), "p"] == pytest.approx(over_subjects.p)
    assert table.loc[("m0", "belt"), "difference"] == pytest.approx(over_subjects.difference)
    assert table.loc[("m0", "belt"), "n_tested"] == N_SUBJECTS
    means = [[_depths(model, roi).mean() for model in range(4)] for roi in ("belt", "core")]
    row = table.loc[(ALL_MODELS, "belt")]
    assert row["p"] == pytest.approx(paired_bootstrap(*map(np.array, means)).p)
    assert row["n_tested"] == 4
    assert np.isnan(table.loc[(ALL_MODELS, "core"), "p"])  # a region is not tested against itself
    assert f"belt: p = {row['p']:.3f} (n = 4 models)" in drawn.caption
    assert f"p = {row['p']:.3f}" in [text.get_text() for text in drawn.figure.axes[0].texts]
    assert "Deepest" in drawn.alt


def test_points_are_filled_at_the_false_discovery_rate(scores):
    for fdr, filled in ((1.0, 4), (1e-9, 0)):
        drawn = best_layer_by_region(scores, TARGETS, "ridge", fdr=fdr)
        faces = [c.get_facecolors() for c in drawn.figure.axes[0].collections if len(c.get_offsets()) == 2]
        assert sum(not (face[1, :3] == 1).all() for face in faces) == filled
        assert f"{filled} of 4 at a false discovery rate of {fdr:g} (filled)" in drawn.caption


def test_the_reference_can_be_named(scores):
    table = best_layer_by_region(scores, TARGETS, "ridge", reference="belt").data.set_index(["features", "region"])
    assert table.loc[("m0", "core"), "difference"] < 0
    with pytest.raises(DataError, match=r"'outside' is not one of the regions \['core', 'belt'\]"):
        best_layer_by_region(scores, TARGETS, "ridge", reference="outside")


def test_three_subjects_are_drawn_but_not_tested(scores):
    few = TARGETS[TARGETS["subject"] < 3]
    drawn = best_layer_by_region(scores[scores["target"].isin(few["target"])], few, "ridge")
    own = drawn.data[drawn.data["features"] != ALL_MODELS]
    assert own["p"].isna().all()
    assert own["low"].notna().all()


def test_one_layer_has_no_depth(scores):
    with pytest.raises(DataError, match="no feature set has two layers"):
        best_layer_by_region(scores[scores["features"] == "flat"], TARGETS, "ridge")


def test_subjects_of_one_region_each_cannot_be_compared(scores):
    apart = TARGETS.assign(subject=range(len(TARGETS)))
    with pytest.raises(DataError, match="no subject has targets in every region"):
        best_layer_by_region(scores, apart, "ridge")
    assert not _in_all_regions(SimpleNamespace(targets=apart), "subject")
    assert _in_all_regions(SimpleNamespace(targets=TARGETS), "subject")
