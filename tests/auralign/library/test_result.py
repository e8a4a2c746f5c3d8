"""The result of encode: dims, layers that are chosen, tables and figures."""

import numpy as np
import pandas as pd
import pytest

import auralign as au
from auralign.analysis.layer_choice import nested_choice
from auralign.errors import ConfigError, DataError


@pytest.fixture(scope="module")
def result(inputs):
    features, responses = au.read_features(inputs / "net.tsv"), au.read_responses(inputs / "components.tsv")
    return au.encode(features, responses, au.splits(30, n_splits=4, train_size=18, test_size=12, seed=1))


def test_scores_have_named_dims_and_the_numbers_of_the_table(result):
    assert dict(result.scores.sizes) == {"layer": 3, "target": 2, "split": 4}
    assert list(result.scores.layer_name.values) == ["layer00", "layer01", "layer02"]
    for row in result.to_table().itertuples():
        own = result.scores.sel(layer=row.layer, target=row.target, split=row.split)
        assert (float(own.r2), float(own.alpha), int(own.n_test)) == (row.r2, row.alpha, row.n_test)
    result.to_table()["r2"] = 0.0
    assert (result.to_table()["r2"] != 0).any()


def test_layers_are_chosen_by_the_development_stimuli_unless_it_is_asked_otherwise(result):
    nested, best = result.best_layer(), result.best_layer(layer="best")
    expected = nested_choice(result.to_table(), "r2_corr").set_index("target")
    assert nested.set_index("target")["score"].to_dict() == expected["score"].to_dict()
    medians = result.scores.r2_corr.median("split")
    for row in best.itertuples():
        assert row.score == float(medians.sel(target=row.target).max())
        assert row.layer == int(medians.sel(target=row.target).idxmax("layer"))
    assert len(result.best_layer("r2", "published", by=[])) == 1
    for wrong in ({"layer": "first"}, {"metric": "r2_corr_c2"}, {"metric": "r3"}):
        with pytest.raises(ConfigError, match=r"none of|not among the scores; there are r2_corr, r2"):
            result.best_layer(**wrong)


def test_it_says_what_it_is_of(result):
    assert repr(result).startswith("<Result net, ridge: 3 layers, 2 targets, 4 splits, 30 stimuli; median r2_corr at")
    assert "<table>" in result._repr_html_() and result.ceilings is None
    assert result.warnings == []


def test_figures_are_those_of_the_report(result, components):
    figure = result.plot()
    assert list(figure.data["features"].unique()) == ["net"] and figure.png()[:4] == b"\x89PNG"
    medians = result.scores.r2_corr.median("split")
    for row in figure.data.itertuples():
        np.testing.assert_allclose(row.score, medians.sel(layer=row.layer, target=row.target))
    assert len(result.plot("alphas").data) == 24
    with pytest.raises(ConfigError, match="neither 'layers' nor 'alphas'"):
        result.plot("pie")


def test_targets_are_grouped_by_one_column_or_several(result):
    pd.testing.assert_frame_equal(result.best_layer(by=["target"]), result.best_layer())
    pd.testing.assert_frame_equal(result.best_layer(by="target"), result.best_layer())
    with pytest.raises(DataError, match="no column 'roi'"):
        result.best_layer(by="roi")
