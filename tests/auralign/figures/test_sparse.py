"""Selected features: numbers, consistency and agreement are those of selection.tsv."""

import numpy as np
import pandas as pd
import pytest

from auralign.analysis.selection import selection_consistency
from auralign.errors import DataError
from auralign.figures.sparse import selected_counts, selection_agreement, selection_stability


def _selection(n_targets: int) -> pd.DataFrame:
    """Selections of two layers drawn at random, measured as a comparison does."""
    random, rows = np.random.default_rng(0), []
    targets = [f"t{n}" for n in range(n_targets)]
    for layer in range(2):
        for target in targets:
            for split in range(4):
                for unit in random.permutation(10)[: random.integers(1, 7)]:
                    rows.append(("net", layer, f"l{layer}", "lasso", target, split, unit, 1.0))
    columns = ["features", "layer", "layer_name", "estimator", "target", "split", "unit", "weight"]
    selected = pd.DataFrame(rows, columns=columns)
    fitted = selected[columns[:6]].drop_duplicates()
    parts = [selection_consistency(selected, fitted, 10, by).assign(across=by) for by in ("split", "target")]
    return pd.concat(parts, ignore_index=True), selected


@pytest.fixture
def tables():
    return _selection(3)


def test_numbers_of_selected_features(tables):
    selection, selected = tables
    drawn = selected_counts(selection, "lasso")
    assert [axis.get_title() for axis in drawn.figure.axes] == ["t0", "t1", "t2"]
    counts = selected[selected["target"] == "t1"].groupby(["layer", "split"]).size().unstack()
    container = drawn.figure.axes[1].containers[0]
    np.testing.assert_allclose(container.lines[0].get_ydata().astype(float), counts.mean(axis=1))
    ends = [segment[:, 1].tolist() for segment in container.lines[2][0].get_segments()]
    assert ends == [[counts.loc[layer].min(), counts.loc[layer].max()] for layer in (0, 1)]
    assert "smallest and largest number of any split" in drawn.caption


def test_stability_with_its_interval_and_chance(tables):
    selection, _ = tables
    drawn = selection_stability(selection, "lasso")
    own = selection[(selection["across"] == "split") & (selection["target"] == "t2")]
    axis = drawn.figure.axes[2]
    solid, dotted = axis.get_lines()
    np.testing.assert_allclose(solid.get_ydata(), own["stability"])
    np.testing.assert_allclose(dotted.get_ydata(), own["stability_chance"])
    assert dotted.get_linestyle() == ":"
    np.testing.assert_allclose(drawn.data.loc[drawn.data["target"] == "t2", "low"], own["stability_low"])
    band = axis.collections[0].get_paths()[0].vertices[:, 1]
    assert [band.min(), band.max()] == pytest.approx([own["stability_low"].min(), own["stability_high"].max()])


@pytest.mark.filterwarnings("error")
def test_where_nothing_is_selected_no_stability_is_named(tables):
    selection = tables[0].copy()
    selection[["stability", "stability_low", "stability_high", "stability_chance"]] = np.nan
    drawn = selection_stability(selection, "lasso")
    assert "None is defined: nothing was selected" in drawn.alt
    assert "6 of 6 points are undefined" in drawn.caption
    assert len(drawn.figure.axes) == 3


def test_many_targets_are_medians(tables):
    selection, _ = _selection(13)
    drawn = selected_counts(selection, "lasso")
    own = selection[(selection["across"] == "split") & (selection["layer"] == 1)]
    assert drawn.data.loc[drawn.data["layer"] == 1, "n_selected"].item() == own["n_selected_mean"].median()
    assert len(drawn.figure.axes) == 1


def test_agreement_between_targets_is_a_symmetric_matrix(tables):
    selection, _ = tables
    drawn = selection_agreement(selection, "lasso")
    image = drawn.figure.axes[0].images[0].get_array().filled(np.nan)
    own = selection[selection["across"] == "target"]
    pair = own[(own["a"] == "t0") & (own["b"] == "t2")]["kuncheva"].mean()  # over both layers
    assert image[0, 2] == image[2, 0] == pytest.approx(pair)
    assert np.isnan(np.diag(image)).all()
    assert f"{drawn.data['kuncheva'].max():.2f}" in drawn.alt


def test_an_estimator_that_selects_nothing_is_refused(tables):
    for draw in (selected_counts, selection_stability, selection_agreement):
        with pytest.raises(DataError, match="'ridge'"):
            draw(tables[0], "ridge")
