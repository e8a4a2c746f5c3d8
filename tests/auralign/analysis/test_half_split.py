"""The half-split statistic against the published loop, written out."""

import numpy as np
import pandas as pd
import pytest

from auralign.analysis.half_split import draw_halves, half_split
from auralign.config.reading import read_config
from auralign.runs.compare import run_comparison


def by_loop(scores: np.ndarray) -> np.ndarray:
    """The definition with numpy's global generator, target by target."""
    n_splits, n_targets = scores.shape
    draws = []
    for i in range(10):
        np.random.seed(i)  # noqa: NPY002
        row = []
        for target in range(n_targets):
            m = np.array([0, 1] * (n_splits // 2))
            np.random.shuffle(m)  # noqa: NPY002
            row.append(np.median([scores[k, target] for k in range(n_splits) if m[k] == 0]))
        draws.append(row)
    return np.mean(draws, axis=0)


@pytest.mark.parametrize(("n_splits", "n_targets"), [(10, 6), (4, 3), (2, 1), (10, 40)])
def test_equals_the_loop(n_splits, n_targets):
    scores = np.random.default_rng(n_targets).random((n_splits, n_targets))
    np.testing.assert_allclose(half_split(scores), by_loop(scores), rtol=1e-14)


def test_halves_are_drawn_layer_by_layer_and_in_it_target_by_target():
    halves = draw_halves(10, 4, 3)
    assert halves.shape == (10, 3, 4, 10)
    assert (halves.sum(axis=3) == 5).all()
    for i in range(10):
        np.random.seed(i)  # noqa: NPY002
        for layer in range(3):
            for target in range(4):
                m = np.tile([0, 1], 5).astype(float)
                np.random.shuffle(m)  # noqa: NPY002
                np.testing.assert_array_equal(halves[i, layer, target], m == 1)


def test_fewer_layers_get_the_halves_of_the_first_of_many():
    np.testing.assert_array_equal(draw_halves(4, 5, 2), draw_halves(4, 5, 6)[:, :2])
    with pytest.raises(ValueError, match="read-only"):
        draw_halves(4, 5, 2)[0, 0, 0, 0] = True


def test_equal_scores_give_themselves_and_targets_get_draws_of_their_own():
    assert half_split(np.full((10, 3), 0.25)) == pytest.approx([0.25] * 3)
    same = np.repeat(np.arange(10.0)[:, None], 3, axis=1)
    assert len(set(half_split(same))) == 3


def test_an_odd_number_of_splits_has_no_halves():
    assert np.isnan(half_split(np.ones((5, 2)))).all()


def test_an_undefined_score_stays_undefined_for_its_target_only():
    scores = np.random.default_rng(0).random((10, 2))
    scores[:, 1] = np.nan
    result = half_split(scores)
    assert result[0] == pytest.approx(by_loop(scores[:, :1])[0])
    assert np.isnan(result[1])


def test_the_summary_has_it_for_every_layer_by_itself_in_the_order_of_the_targets(small_config, tmp_path):
    # a third target whose name sorts before the others: the order of the draws is that of the table
    y = pd.read_csv(tmp_path / "y.tsv", sep="\t")
    y["aside"] = y["second"].to_numpy() + np.random.default_rng(5).standard_normal(len(y))
    y.to_csv(tmp_path / "y.tsv", sep="\t", index=False)
    order = [column for column in y.columns if column != "stimulus"]
    assert order != sorted(order)
    result = run_comparison(read_config(small_config), tmp_path / "out")
    scores, summary = result["scores"], pd.read_csv(tmp_path / "out" / "summary.tsv", sep="\t")
    assert len(summary) == 3 * 3 * 2  # layers of all features x targets x estimators
    for key, rows in summary.groupby(["features", "layer", "estimator"]):
        own = scores[(scores[["features", "layer", "estimator"]] == list(key)).all(axis=1)]
        values = [[own[(own["split"] == k) & (own["target"] == t)]["r2_corr"].item() for t in order] for k in range(4)]
        expected = dict(zip(order, by_loop(np.array(values)), strict=True))
        for row in rows.itertuples():
            assert row.r2_corr_half_split == pytest.approx(expected[row.target], rel=1e-12)
