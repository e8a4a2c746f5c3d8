"""Where layers stand along an axis."""

import numpy as np
import pandas as pd
import pytest

from auralign.figures.alphas import alphas
from auralign.figures.estimators import estimator_differences, estimator_layers
from auralign.figures.layer_axis import DEPTH, LayerAxis, short_names, thinned, without_common
from auralign.figures.layers import layer_scores
from auralign.figures.variance import unique_variance


def _rows(**names: list[str]) -> pd.DataFrame:
    return pd.DataFrame(
        [
            {"features": features, "layer": layer, "layer_name": name}
            for features, own in names.items()
            for layer, name in enumerate(own)
        ]
    )


def test_layers_of_several_sets_stand_at_their_relative_depth():
    axis = LayerAxis.of(_rows(seven=[f"a{n}" for n in range(7)], ten=[f"b{n}" for n in range(10)], one=["bands"]))
    assert axis.relative
    assert axis.label == DEPTH == "relative depth of the layer (0 first, 1 last)"
    rows = pd.DataFrame({"features": ["seven", "ten", "seven", "ten", "one"], "layer": [3, 3, 6, 9, 0]})
    np.testing.assert_allclose(axis.place(rows), [0.5, 1 / 3, 1.0, 1.0, 0.0])
    assert axis.at("seven", 3) == "at layer a3, depth 0.50"
    assert axis.at("ten", 3) == "at layer b3, depth 0.33"
    assert axis.at("one", 0) == "at its only layer"
    assert axis.depth_among("one", 0) is None
    assert axis.step == pytest.approx(1 / 9)  # points of one layer never reach those of its neighbour


def test_a_set_alone_has_the_names_of_its_layers_whatever_the_baselines():
    axis = LayerAxis.of(_rows(net=["enc.0.fc", "enc.1.fc", "enc.2.fc"], bands=["bands"]))
    assert not axis.relative
    assert axis.label == "layer of net (enc.….fc)"
    assert axis.labels() == ["0", "1", "2"]
    np.testing.assert_allclose(axis.place(pd.DataFrame({"features": "net", "layer": [2, 0]})), [2, 0])
    unnamed = LayerAxis.of(pd.DataFrame({"features": "net", "layer": [0, 1]}))
    assert unnamed.label == "layer (counted from 0)"


def test_chosen_layers_are_counted_by_place_and_a_layer_without_scores_still_counts():
    rows = _rows(a=["x", "y", "z"], b=["u", "v"]).assign(score=[1.0, np.nan, 2.0, 1.0, 1.0])
    axis = LayerAxis.of(rows)
    assert axis.place(rows.dropna()).tolist() == [0.0, 1.0, 0.0, 1.0]
    some = LayerAxis.of(pd.DataFrame({"features": "net", "layer": [0, 4, 12], "layer_name": ["in", "mid", "out"]}))
    assert some.place(pd.DataFrame({"features": ["net"], "layer": [12]})).tolist() == [2.0]
    assert some.depth("net", 4) == 0.5


def test_names_lose_what_they_share_at_separators_and_stay_different():
    assert without_common(["layers.0.fc", "layers.11.fc"]) == (["0", "11"], "layers.", ".fc")
    assert without_common(["layer00", "layer01"]) == (["layer00", "layer01"], "", "")
    assert without_common(["a.b", "a.b.c"])[0] == ["a.b", "a.b.c"] or "" not in without_common(["a.b", "a.b.c"])[0]
    assert without_common(["only"]) == (["only"], "", "")
    long = [f"averylongname{n}ofalayerofanetwork" for n in range(3)]
    assert len(set(short_names(long))) == 3
    assert all(len(name) <= 14 for name in short_names(long))


@pytest.mark.parametrize(("n", "most"), [(1, 5), (2, 2), (6, 4), (12, 6), (33, 7), (5, 9)])
def test_ticks_hold_both_ends_and_leave_room(n, most):
    kept = thinned(n, most)
    assert (kept[0], kept[-1]) == (0, n - 1)
    assert len(kept) <= max(2, most)
    if len(kept) > 2:
        assert np.diff(kept).min() >= (n - 1) / (most - 1)


def test_every_figure_over_layers_of_two_networks_uses_depth(make_scores, make_summary):
    scores = make_scores({"seven": 7, "ten": 10, "bands": 1}, ("only",), ("ridge", "lasso"), n_splits=3)
    summary = make_summary(scores)
    unique = summary[summary["estimator"] == "ridge"].rename(columns={"features": "adds", "r2_median": "unique"})
    unique = unique.assign(features="joined", without="bands", significant=True)
    unique = unique.assign(low=unique["unique"] - 0.1, high=unique["unique"] + 0.1)
    for drawn in (
        layer_scores(summary, "ridge"),
        estimator_layers(summary),
        estimator_differences(scores, "ridge", "lasso"),
        alphas(scores),
        unique_variance(unique, "ridge", "bands"),
    ):
        texts = [text.get_text() for text in drawn.figure.texts]
        assert DEPTH in texts, drawn.name
        ticks = [text.get_text() for text in drawn.figure.axes[0].get_xticklabels()]
        assert ticks == ["0", "0.5", "1"], drawn.name
        # layer 3 of 7 is in the middle, layer 3 of 10 is not
        low, high = drawn.figure.axes[0].get_xlim()
        assert -0.3 < low <= 0.0 and 1.0 <= high < 1.3, drawn.name
        assert "layer_name" in drawn.data, drawn.name


def test_the_axis_of_one_network_has_its_names(make_scores, make_summary):
    names = {n: f"model.block{n}.out" for n in range(20)}
    scores = make_scores({"net": 20, "bands": 1}, ("only",), n_splits=3)
    scores["layer_name"] = scores["layer"].map(names)
    for drawn in (layer_scores(make_summary(scores), "ridge"), alphas(scores)):
        axis = drawn.figure.axes[0]
        ticks = {place: text.get_text() for place, text in zip(axis.get_xticks(), axis.get_xticklabels(), strict=True)}
        assert 5 <= len(ticks) <= 14
        assert all(text == f"block{place:.0f}" for place, text in ticks.items())
        assert {0, 19} <= set(ticks)
        assert "layer of net (model.….out)" in [text.get_text() for text in drawn.figure.texts]
        boxes = [text.get_window_extent() for text in axis.get_xticklabels()]
        assert min(box.y0 for box in boxes) > 0  # all on the picture
