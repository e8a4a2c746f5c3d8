"""How figures begin: rows, medians of many targets, words, looks and panels."""

import numpy as np
import pandas as pd
import pytest

from auralign.errors import DataError
from auralign.figures.heads import (
    estimator_panels,
    looks_of,
    median_of_many,
    named_by,
    of_many,
    rows_of,
    target_panels,
)
from auralign.figures.layer_axis import LayerAxis
from auralign.figures.marks import FLOOR, below_axis
from auralign.figures.style import MAX_PANELS, Look, feature_looks


def _table(n_targets: int) -> pd.DataFrame:
    keys = pd.MultiIndex.from_product([[f"t{i}" for i in range(n_targets)], ["b", "a"], [0, 1]])
    data = keys.to_frame(index=False, name=["target", "features", "layer"])
    return data.assign(score=np.random.default_rng(0).random(len(data)), estimator="ridge", note="text")


def test_rows_are_those_with_all_values_and_none_names_what_there_is():
    table = _table(2).assign(metric=["r2", "r2_corr"] * 4)
    own = rows_of(table, estimator="ridge", metric="r2")
    assert (own["metric"] == "r2").all() and len(own) == 4
    with pytest.raises(DataError, match=r"there are no scores of estimator 'lasso'; there are \['ridge'\]\."):
        rows_of(table, estimator="lasso")
    with pytest.raises(DataError, match=r"no rows of estimator 'ridge' and metric 'r3'; there are \['ridge'\] and"):
        rows_of(table, "rows", estimator="ridge", metric="r3")


def test_few_targets_stay_and_many_are_their_median():
    few, many = _table(MAX_PANELS), _table(MAX_PANELS + 1)
    assert median_of_many(few, ["features", "layer"]) is few
    medians = median_of_many(many, ["features", "layer"])
    assert medians["target"].unique().tolist() == [f"median of {MAX_PANELS + 1} targets"]
    assert medians["features"].tolist() == ["b", "b", "a", "a"]  # in the order of the table
    expected = many.loc[(many["features"] == "a") & (many["layer"] == 1), "score"].median()
    assert medians["score"].iloc[3] == expected
    assert of_many(MAX_PANELS, "medians over {} of the ") == ""
    assert of_many(7694, "medians over {} of the ") == "medians over 7,694 targets of the "


def test_names_and_words_of_captions():
    assert (named_by("layers", "r2_corr"), named_by("layers", "r2")) == ("layers", "layers_r2")
    assert below_axis(pd.Series([0.1, FLOOR, np.nan])) == ""
    assert below_axis(pd.Series([0.1, FLOOR - 1, np.nan])) == "1 of 3 points lie below the axis, which ends at -0.5."


def test_looks_are_those_given_in_the_order_of_appearance():
    given = feature_looks(["a", "b", "c"])
    assert list(looks_of(pd.Series(["c", "a", "c"]), given).items()) == [("c", given["c"]), ("a", given["a"])]
    made = looks_of(pd.Series(["x", "y"]), roles={"y": "baseline"})
    assert all(isinstance(look, Look) for look in made.values())
    assert made["y"].colour == "#000000" != made["x"].colour


def test_panels_have_their_titles_and_their_rows():
    data = _table(3)
    figure, made = target_panels(data, LayerAxis.of(data))
    assert [axis.get_title() for axis, _ in made] == ["t0", "t1", "t2"]
    assert [rows["target"].unique().tolist() for _, rows in made] == [["t0"], ["t1"], ["t2"]]
    assert len(figure.axes) == 3
    both = pd.concat([data, data.assign(estimator="lasso")])
    for own_scale in (False, True):
        figure, made, columns = estimator_panels(both, LayerAxis.of(data), own_scale)
        assert columns == 2
        assert [axis.get_title() for axis, _ in made][:3] == ["t0, ridge", "t0, lasso", "t1, ridge"]
        assert made[1][1]["estimator"].unique().tolist() == ["lasso"]
        shared = made[0][0].get_shared_y_axes().joined(made[0][0], made[1][0])
        assert shared != own_scale
