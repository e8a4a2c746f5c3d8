"""Tests of a comparison: nested layers, splits of unequal sizes, and agreement of p and interval."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import t as student_t

from auralign.analysis.layer_choice import nested_choice
from auralign.analysis.paired_test_options import Test as PairedTest  # pytest collects what is called Test
from auralign.analysis.paired_tests import best_layer_warnings, run_tests
from auralign.errors import DataError
from auralign.inference.statistics import benjamini_hochberg

N_SPLITS = 8
DEPTH = {"deep": 5, "flat": 1}
LAYERS = {name: list(range(n)) for name, n in DEPTH.items()}


@pytest.fixture
def scores() -> pd.DataFrame:
    """Two feature sets of unequal depth, two estimators, three targets, noise everywhere; rows in scrambled order."""
    random = np.random.default_rng(0)
    rows = [
        {"features": name, "layer": layer, "estimator": estimator, "target": target, "split": split}
        for name, n_layers in DEPTH.items()
        for layer in range(n_layers)
        for estimator in ("ridge", "lasso")
        for target in ("low", "mid", "high")
        for split in range(N_SPLITS)
    ]
    table = pd.DataFrame(rows).assign(n_train=83, n_test=82, layer_name="l")
    table["r2_corr"], table["r2_dev"] = random.random((2, len(table)))
    return table.sample(frac=1.0, random_state=1)


def _summary(scores: pd.DataFrame) -> pd.DataFrame:
    keys = ["features", "layer", "estimator", "target"]
    return scores.groupby(keys)["r2_corr"].median().rename("r2_corr_median").reset_index()


def _run(scores: pd.DataFrame, a: dict, b: dict, fdr: float = 0.05) -> pd.DataFrame:
    test = PairedTest.model_validate({"metric": "r2_corr", "a": a, "b": b})
    return run_tests(scores, _summary(scores), [test], fdr)


def _by_hand(scores: pd.DataFrame, features: str, estimator: str, target: str) -> tuple[np.ndarray, list[int]]:
    """Test scores at the layer with the highest r2_dev of every split, and these layers, by a plain loop."""
    values, layers = [], []
    for split in range(N_SPLITS):
        rows = scores[
            (scores["features"] == features)
            & (scores["estimator"] == estimator)
            & (scores["target"] == target)
            & (scores["split"] == split)
        ]
        best = rows.loc[rows["r2_dev"].idxmax()]
        values.append(best["r2_corr"])
        layers.append(int(best["layer"]))
    return np.array(values), layers


def test_nested_layers_are_chosen_split_by_split_and_read_on_the_test_stimuli(scores):
    table = _run(scores, {"features": "deep", "layer": "nested"}, {"features": "flat", "layer": "nested"})
    assert len(table) == 2 * 3  # estimators x targets, each with its own choice
    for row in table.itertuples():
        a, layers = _by_hand(scores, "deep", row.a_estimator, row.target)
        b, _ = _by_hand(scores, "flat", row.b_estimator, row.target)
        assert row.a_estimator == row.b_estimator
        assert len(set(layers)) > 1
        spread = np.sqrt((1 / N_SPLITS + 82 / 83) * np.var(a - b, ddof=1))
        assert (row.difference, row.a_mean, row.b_mean) == pytest.approx(((a - b).mean(), a.mean(), b.mean()))
        assert row.p == pytest.approx(2 * student_t.sf(abs((a - b).mean()) / spread, N_SPLITS - 1))
        counts = np.bincount(layers)
        assert (row.a_layer, row.b_layer) == (counts.argmax(), 0)
        assert (row.a_layer_choice, row.b_layer_choice) == ("nested", "nested")
        assert (row.a, row.b) == (f"deep/nested/{row.a_estimator}", f"flat/nested/{row.b_estimator}")
    np.testing.assert_allclose(table["p_fdr"], benjamini_hochberg(table["p"].to_numpy()))


def test_the_choice_is_that_of_the_table_of_layer_choices(scores):
    table = _run(scores, {"features": "deep", "layer": "nested"}, {"features": "flat"})
    chosen = nested_choice(scores, "r2_corr").set_index(["features", "estimator", "target"])
    for row in table.itertuples():
        values, _ = _by_hand(scores, "deep", row.a_estimator, row.target)
        assert chosen.loc[("deep", row.a_estimator, row.target), "score"] == pytest.approx(np.median(values))
        assert chosen.loc[("deep", row.a_estimator, row.target), "layer"] == row.a_layer


def test_a_nested_side_meets_given_and_best_layers_and_itself_in_another_estimator(scores):
    against_given = _run(scores, {"features": "deep", "layer": "nested"}, {"features": "deep", "layer": 3})
    assert (against_given["b_layer"] == 3).all()
    assert set(against_given["b_layer_choice"]) == {"given"}
    against_best = _run(scores, {"features": "deep", "layer": "nested"}, {"features": "deep", "layer": "best"})
    assert set(against_best["b_layer_choice"]) == {"best"}
    assert (against_best["b_mean"] > against_best["a_mean"]).mean() > 0.5  # the optimism of the best
    estimators = _run(scores, {"layer": "nested", "estimator": "ridge"}, {"layer": "nested", "estimator": "lasso"})
    assert len(estimators) == 2 * 3  # feature sets x targets
    assert (estimators["a_features"] == estimators["b_features"]).all()
    # a set of one layer has no choice: nested, best and given are one
    one = [_run(scores, {"features": "flat", "layer": layer}, {"features": "deep", "layer": 0}) for layer in
           ("nested", "best", 0)]  # fmt: skip
    one = [table.sort_values(["target", "a_estimator"], ignore_index=True) for table in one]
    for other in one[1:]:
        pd.testing.assert_frame_equal(
            one[0].drop(columns=["a", "a_layer_choice"]), other.drop(columns=["a", "a_layer_choice"])
        )


def test_every_split_counts_with_its_own_size_whatever_the_order_of_the_rows(scores):
    n_test = np.array([82, 82, 30, 30, 20, 82, 40, 50])
    scores["n_test"], scores["n_train"] = n_test[scores["split"]], 165 - n_test[scores["split"]]
    sides = {"estimator": "ridge", "features": "deep"}, {"estimator": "lasso", "features": "deep"}
    table = _run(scores, *sides)
    wide = scores.pivot(index="split", columns=["features", "layer", "estimator", "target"], values="r2_corr")
    for row in table.itertuples():
        own = (row.a_features, row.a_layer, row.a_estimator, row.target)
        difference = (wide[own] - wide[(row.b_features, row.b_layer, row.b_estimator, row.target)]).to_numpy()
        spread = np.sqrt((1 / N_SPLITS + np.mean(n_test / (165 - n_test))) * np.var(difference, ddof=1))
        assert row.t == pytest.approx(difference.mean() / spread)
        assert row.high - row.low == pytest.approx(2 * student_t.ppf(0.975, N_SPLITS - 1) * spread)
    first = _run(scores.sort_values("split"), *sides)
    last = _run(scores.sort_values("split", ascending=False), *sides)
    pd.testing.assert_frame_equal(first, last)


def test_rows_of_one_split_with_other_sizes_cannot_be_paired(scores):
    scores.loc[(scores["features"] == "flat") & (scores["split"] == 3), "n_test"] = 40
    with pytest.raises(DataError, match=r"split 3 are of different numbers .* \(83/82 and 83/40\)|83/40 and 83/82"):
        _run(scores, {"features": "deep", "layer": "nested"}, {"features": "flat"})


@pytest.mark.parametrize("fdr", [0.05, 0.7])
def test_an_interval_excludes_0_exactly_where_p_is_below_the_level(scores, fdr):
    table = _run(scores, {"estimator": "ridge"}, {"estimator": "lasso"}, fdr)
    table = pd.concat([table, _run(scores, {"features": "deep", "layer": "best"}, {"features": "flat"}, fdr)])
    excludes = (table["low"] > 0) | (table["high"] < 0)
    assert (excludes == (table["p"] < fdr)).all()
    assert excludes[table["significant"].astype(bool)].all()
    assert excludes.any() or fdr == 0.05
    assert not excludes.all()


@pytest.mark.parametrize(
    ("a", "b", "counts"),
    [
        ({"features": "deep", "layer": "best"}, {"features": "flat", "layer": "best"}, "5 .* deep and of 1 .* flat"),
        ({"features": "flat", "layer": "best"}, {"features": "deep", "layer": "best"}, "1 .* flat and of 5 .* deep"),
        ({"features": "deep", "layer": "best"}, {"features": "deep", "layer": 2}, "5 .* deep and of 1 .* deep"),
        ({"features": "flat"}, {"features": "deep", "layer": "best"}, "1 .* flat and of 5 .* deep"),
        ({"features": "deep", "layer": "best"}, {"features": "deep", "layer": "nested"}, "5 .* deep and of 1 .* deep"),
        ({"layer": "best"}, {"layer": 0}, "5 .* deep and of 1 .* deep"),
    ],
)
def test_best_among_unequal_numbers_of_layers_is_warned_of(a, b, counts):
    test = PairedTest.model_validate({"metric": "r2", "a": a, "b": b})
    (warning,) = best_layer_warnings([test], LAYERS)
    text = warning.replace("on the side of", "")
    parts = counts.split(" and ")
    assert warning.startswith("tests[0]: `layer: best` is the best of ")
    for part in parts:
        number, name = part.removeprefix("of ").split(" .* ")
        assert f"{number}  {name}" in text or f"of {number}  {name}" in text
    assert "Use `layer: nested`" in warning


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ({"features": "deep", "layer": "nested"}, {"features": "flat", "layer": "nested"}),
        ({"features": "deep", "layer": "best", "estimator": "ridge"}, {"features": "deep", "layer": "best"}),
        ({"layer": "best", "estimator": "ridge"}, {"layer": "best", "estimator": "lasso"}),
        ({"features": "flat", "layer": "best"}, {"features": "deep", "layer": 2}),
        ({"features": "deep", "layer": 1}, {"features": "flat", "layer": 0}),
    ],
)
def test_no_warning_where_both_sides_choose_among_as_many(a, b):
    assert best_layer_warnings([PairedTest.model_validate({"metric": "r2", "a": a, "b": b})], LAYERS) == []
