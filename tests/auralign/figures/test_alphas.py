"""Chosen alphas, per layer and split."""

import numpy as np

from auralign.figures.alphas import alphas


def _dots(axis, name):
    return np.concatenate([np.asarray(c.get_offsets()) for c in axis.collections if c.get_label() == name])


def test_a_dot_per_layer_and_split(make_scores):
    scores = make_scores(estimators=("ridge", "lasso"))
    drawn = alphas(scores)
    titles = [axis.get_title() for axis in drawn.figure.axes]
    assert titles == ["first, ridge", "first, lasso", "second, ridge", "second, lasso"]
    for axis in drawn.figure.axes:
        target, estimator = axis.get_title().split(", ")
        own = scores[(scores["target"] == target) & (scores["estimator"] == estimator) & (scores["features"] == "net")]
        dots = _dots(axis, "net")
        assert len(dots) == 18  # 3 layers, 6 splits
        for layer in range(3):
            at_layer = dots[np.abs(dots[:, 0] - layer) < 0.5, 1]
            np.testing.assert_allclose(np.sort(at_layer), np.sort(own.loc[own["layer"] == layer, "alpha"]))
        assert axis.get_yscale() == "log"


def test_infinite_alphas_stand_above_all_others_and_are_counted(make_scores):
    scores = make_scores(targets=("only",))
    scores.loc[(scores["features"] == "net") & (scores["split"] == 0), "alpha"] = np.inf
    drawn = alphas(scores)
    (axis,) = drawn.figure.axes
    (crosses,) = [c for c in axis.collections if c.get_label() != "net" and len(c.get_offsets()) == 3]
    highest = scores.loc[np.isfinite(scores["alpha"]), "alpha"].max()
    assert (crosses.get_offsets()[:, 1] > highest).all()
    assert "3 infinite alphas" in drawn.caption
    assert len(_dots(axis, "net")) == 15


def test_many_targets_are_medians_over_targets_of_every_split(make_scores):
    scores = make_scores(targets=tuple(f"v{n}" for n in range(13)))
    drawn = alphas(scores)
    dots = _dots(drawn.figure.axes[0], "net")
    own = scores[(scores["features"] == "net") & (scores["layer"] == 2)]
    expected = own.groupby("split")["alpha"].median()
    np.testing.assert_allclose(np.sort(dots[np.abs(dots[:, 0] - 2) < 0.5, 1]), np.sort(expected))
    assert "median over 13 targets" in drawn.caption
