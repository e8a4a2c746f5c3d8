"""Consistency of selections: counted by hand, by brute force over pairs, and against simulated random selections."""

from itertools import combinations

import numpy as np
import pandas as pd
import pytest

from auralign.analysis.selection import selection_consistency, selection_frequency
from auralign.errors import DataError

LABELS = {"features": "net", "layer": 0, "layer_name": "first", "estimator": "lasso"}


def _tables(chosen: np.ndarray, **labels) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Make the long tables from bool [n_targets, n_splits, n_units]; weights are unit + 1."""
    target, split, unit = np.nonzero(chosen)
    names = np.array([f"t{number}" for number in range(len(chosen))], dtype=object)
    head = LABELS | labels
    selected = pd.DataFrame({**head, "target": names[target], "split": split, "unit": unit, "weight": unit + 1.0})
    grid = pd.MultiIndex.from_product([names, range(chosen.shape[1])], names=["target", "split"]).to_frame(index=False)
    return selected if len(selected) else selected.astype({"unit": int}), grid.assign(**head)


def _draw(random: np.random.Generator, sizes: list[int], n_units: int) -> np.ndarray:
    """Draw one random selection per size, bool [n_sizes, n_units]."""
    order = random.random((len(sizes), n_units)).argsort(axis=1)
    return order < np.array(sizes)[:, None]


def test_counted_by_hand():
    """Ten units; {0,1,2,3}, {0,1,2,4}, {0,1,5,6}: Kuncheva's (r p - k^2) / (k (p - k)) with r = 3, 2, 2."""
    chosen = np.zeros((1, 3, 10), dtype=bool)
    for split, units in enumerate(([0, 1, 2, 3], [0, 1, 2, 4], [0, 1, 5, 6])):
        chosen[0, split, units] = True
    row = selection_consistency(*_tables(chosen), n_units=10).iloc[0]
    assert row["kuncheva"] == pytest.approx((14 / 24 + 4 / 24 + 4 / 24) / 3)
    assert row["jaccard"] == pytest.approx((3 / 5 + 2 / 6 + 2 / 6) / 3)
    # of equal sizes Nogueira's stability is Kuncheva's index
    assert row["stability"] == pytest.approx(row["kuncheva"])
    assert row["stability_low"] < row["stability"] < row["stability_high"]
    assert row["stability_chance"] == 0
    # P(r) of hypergeometric(10, 4, 4) is (15, 80, 90, 24, 1) / 210, and the Jaccard index r / (8 - r)
    chance = (80 / 7 + 90 * 2 / 6 + 24 * 3 / 5 + 1) / 210
    variance = (80 / 49 + 90 / 9 + 24 * 9 / 25 + 1) / 210 - chance**2
    assert row["jaccard_chance"] == pytest.approx(chance)
    assert row["jaccard_z"] == pytest.approx((row["jaccard"] - chance) * np.sqrt(3 / variance))
    assert row["kuncheva_z"] == pytest.approx(row["kuncheva"] * np.sqrt(3 * 9))
    assert row[["n_splits", "n_empty", "n_selected_min", "n_selected_max", "n_pairs"]].tolist() == [3, 0, 4, 4, 3]


def test_identical_selections_agree_fully():
    chosen = np.zeros((1, 5, 30), dtype=bool)
    chosen[:, :, [2, 7, 11]] = True
    row = selection_consistency(*_tables(chosen), n_units=30).iloc[0]
    assert row[["jaccard", "kuncheva", "stability"]].to_numpy(dtype=float) == pytest.approx(1.0)
    assert row["stability_low"] == pytest.approx(1.0)


def test_chance_equals_simulated_random_selections():
    """Sizes of all kinds: over many draws the means are the expectations, and the z have mean 0 and variance 1."""
    random = np.random.default_rng(0)
    sizes, n_units = [3, 5, 5, 8, 13], 40
    chosen = np.stack([_draw(random, sizes, n_units) for _ in range(4000)])
    table = selection_consistency(*_tables(chosen), n_units=n_units)
    assert table["jaccard_chance"].nunique() == 1
    error = table["jaccard"].std() / np.sqrt(len(table))
    assert abs(table["jaccard"].mean() - table["jaccard_chance"].iloc[0]) < 4 * error
    for z in ("jaccard_z", "kuncheva_z"):
        assert abs(table[z].mean()) < 4 / np.sqrt(len(table))
        assert table[z].var() == pytest.approx(1.0, abs=0.1)
    assert abs(table["kuncheva"].mean()) < 4 * table["kuncheva"].std() / np.sqrt(len(table))
    excess = table["stability"] - table["stability_chance"]
    assert abs(excess.mean()) < 4 * excess.std() / np.sqrt(len(table))
    assert -0.02 < table["stability_chance"].iloc[0] < -0.01


def test_interval_of_stability_covers_the_true_one():
    """Features selected independently with known probabilities q: 1 - mean q (1 - q) / (mean q (1 - mean q))."""
    random = np.random.default_rng(1)
    probability = np.r_[np.full(5, 0.9), np.full(15, 0.2)]
    mean = probability.mean()
    truth = 1.0 - (probability * (1.0 - probability)).mean() / (mean * (1.0 - mean))
    table = selection_consistency(*_tables(random.random((2000, 40, 20)) < probability), n_units=20)
    assert table["stability"].mean() == pytest.approx(truth, abs=0.005)
    covered = ((table["stability_low"] <= truth) & (truth <= table["stability_high"])).mean()
    assert 0.90 < covered < 0.98


def test_error_of_stability_equals_the_jackknife():
    """100 selections of very different sizes; both are of first order, so that they agree to about 1 / 100."""
    random = np.random.default_rng(0)
    probability = np.r_[np.full(5, 0.9), np.full(15, 0.2)] * 1.5 * random.random((100, 1))
    chosen = random.random((100, 20)) < probability.clip(0, 1)

    def stability(rows):
        mean, frequency = rows.mean(), rows.mean(axis=0)
        return 1 - len(rows) / (len(rows) - 1) * (frequency * (1 - frequency)).mean() / (mean * (1 - mean))

    left_out = np.array([stability(np.delete(chosen, i, axis=0)) for i in range(100)])
    row = selection_consistency(*_tables(chosen[None]), n_units=20).iloc[0]
    assert row["stability"] == pytest.approx(stability(chosen))
    error = np.sqrt(99 / 100 * ((left_out - left_out.mean()) ** 2).sum())
    assert row["stability_high"] - row["stability"] == pytest.approx(1.96 * error, rel=0.02)


def test_empty_selections_are_counted_and_leave_their_pairs_out():
    chosen = np.zeros((3, 3, 12), dtype=bool)
    chosen[0, :2, [1, 2]] = True  # the third split selects nothing
    chosen[1, 0, 3] = True  # only one split selects anything
    table = selection_consistency(*_tables(chosen), n_units=12)
    assert table["n_empty"].tolist() == [1, 2, 3]
    assert table["n_pairs"].tolist() == [1, 0, 0]
    assert table["n_selected_mean"].tolist() == pytest.approx([4 / 3, 1 / 3, 0])
    assert table.loc[0, ["jaccard", "kuncheva"]].tolist() == pytest.approx([1.0, 1.0])
    assert table.loc[1:, ["jaccard", "jaccard_chance", "jaccard_z", "kuncheva", "kuncheva_z"]].isna().all(axis=None)
    # an empty selection is a disagreement for the stability, unless there is nothing else
    assert 0 < table.loc[0, "stability"] < 1
    assert table.loc[2, ["stability", "stability_low", "stability_high"]].isna().all()


def test_nothing_selected_anywhere():
    selected, fitted = _tables(np.zeros((2, 3, 8), dtype=bool))
    assert selection_consistency(selected, fitted, 8)["n_empty"].tolist() == [3, 3]
    assert selection_frequency(selected, fitted, 8).empty


def test_pairs_of_targets_equal_brute_force():
    random = np.random.default_rng(2)
    chosen = random.random((4, 3, 25)) < np.array([0.1, 0.3, 0.5, 0.3])[:, None, None]
    chosen[0, 0] = False
    table = selection_consistency(*_tables(chosen), n_units=25, by="target")
    assert list(zip(table["a"], table["b"], strict=True)) == list(combinations(["t0", "t1", "t2", "t3"], 2))
    for row, (a, b) in zip(table.itertuples(), combinations(range(4), 2), strict=True):
        pairs = [(chosen[a, s], chosen[b, s]) for s in range(3) if chosen[a, s].any() and chosen[b, s].any()]
        assert row.n_pairs == len(pairs) == (2 if a == 0 else 3)
        assert row.jaccard == pytest.approx(np.mean([(u & v).sum() / (u | v).sum() for u, v in pairs]))
        assert row.kuncheva == pytest.approx(np.mean([np.corrcoef(u, v)[0, 1] for u, v in pairs]))


def test_regions_pool_the_pairs_of_their_targets(monkeypatch):
    monkeypatch.setattr("auralign.analysis.selection.ROWS_AT_ONCE", 2)  # so that pairs cross blocks
    chosen = np.random.default_rng(3).random((6, 3, 25)) < 0.3
    region = ["A", "A", "B", "B", "B", None]
    targets = pd.DataFrame({"target": [f"t{i}" for i in range(6)], "roi": region})
    table = selection_consistency(*_tables(chosen), n_units=25, by="roi", targets=targets)
    assert table[["a", "b"]].to_numpy().tolist() == [["A", "A"], ["A", "B"], ["B", "B"]]
    for row in table.itertuples():
        pairs = [
            (chosen[i, s], chosen[j, s])
            for i, j in combinations(range(5), 2)
            if {region[i], region[j]} == {row.a, row.b}
            for s in range(3)
        ]
        assert row.n_pairs == len(pairs)
        assert row.jaccard == pytest.approx(np.mean([(u & v).sum() / (u | v).sum() for u, v in pairs]))
        correlation = np.mean([np.corrcoef(u, v)[0, 1] for u, v in pairs])
        assert row.kuncheva == pytest.approx(correlation)
        assert row.kuncheva_z == pytest.approx(correlation * np.sqrt(len(pairs) * 24))


def test_layers_of_different_width_and_models_that_are_not_there():
    random = np.random.default_rng(4)
    narrow, wide = random.random((2, 4, 10)) < 0.4, random.random((2, 4, 50)) < 0.4
    first, second = _tables(narrow), _tables(wide, layer=1, layer_name="second")
    selected, fitted = (pd.concat(parts, ignore_index=True) for parts in zip(first, second, strict=True))
    widths = {("net", 0): 10, ("net", 1): 50}
    both = selection_consistency(selected, fitted, widths)
    alone = selection_consistency(*second, n_units=50)
    pd.testing.assert_frame_equal(both[both["layer"] == 1].reset_index(drop=True), alone)
    # a target that was not fitted in one split is compared over the others
    gone = (fitted["target"] == "t0") & (fitted["split"] == 3)
    kept = ~((selected["target"] == "t0") & (selected["split"] == 3))
    fewer = selection_consistency(selected[kept], fitted[~gone], widths)
    three = selection_consistency(*_tables(narrow[:, :3]), n_units=10)
    pd.testing.assert_series_equal(fewer.iloc[0], three.iloc[0], check_names=False)
    frequency = selection_frequency(selected[kept], fitted[~gone], widths)
    assert frequency[frequency["layer"] == 0].groupby("target")["n_splits"].first().to_dict() == {"t0": 3, "t1": 4}


def test_frequency_and_mean_weight():
    chosen = np.zeros((2, 4, 6), dtype=bool)
    chosen[0, :3, 2] = chosen[0, 0, 5] = chosen[1, 1, 2] = True
    table = selection_frequency(*_tables(chosen), n_units=6).set_index(["target", "unit"])
    assert table["n_selected"].to_dict() == {("t0", 2): 3, ("t0", 5): 1, ("t1", 2): 1}
    assert table["frequency"].to_dict() == {("t0", 2): 0.75, ("t0", 5): 0.25, ("t1", 2): 0.25}
    assert table["weight_mean"].to_dict() == {("t0", 2): 3 * 0.75, ("t0", 5): 6 * 0.25, ("t1", 2): 3 * 0.25}


def test_a_planted_support_is_found_in_every_split():
    """From data to the table: strong features among noise, lasso on half of the stimuli each time."""
    from auralign.estimators.lasso import fit_lassos

    random = np.random.default_rng(5)
    x = random.standard_normal((120, 60))
    y = x[:, [4, 17, 33]] @ np.array([[2.0, 0.0], [-2.0, 0.0], [0.0, 3.0]]) + 0.5 * random.standard_normal((120, 2))
    chosen = np.zeros((2, 5, 60), dtype=bool)
    for split in range(5):
        development = random.permutation(120)[:60]
        for target, fit in enumerate(fit_lassos(x[development], y[development], n_alphas=20, cv=3)):
            chosen[target, split] = fit.coef != 0
    frequency = selection_frequency(*_tables(chosen), n_units=60).set_index(["target", "unit"])["frequency"]
    assert frequency[[("t0", 4), ("t0", 17), ("t1", 33)]].tolist() == [1.0, 1.0, 1.0]
    table = selection_consistency(*_tables(chosen), n_units=60)
    assert (table["kuncheva_z"] > 3).all()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda s, f: (s.drop(columns="unit"), f), "lacks the columns"),
        (lambda s, f: (pd.concat([s, s.iloc[:1]]), f), "row twice"),
        (lambda s, f: (s, pd.concat([f, f.iloc[:1]])), "row twice"),
        (lambda s, f: (s.assign(unit=[*s["unit"][:-1], 5]), f), "'unit': 5"),
        (lambda s, f: (s.assign(split=s["split"] + 7), f), "not of a fitted model"),
        (lambda s, f: (s.assign(estimator="other"), f), "not among the fitted models"),
        (lambda s, f: (s.iloc[:0], f.iloc[:0]), "no sparse models"),
    ],
)
def test_tables_that_do_not_fit_together(change, message):
    chosen = np.zeros((2, 2, 5), dtype=bool)
    chosen[:, :, :2] = True
    with pytest.raises(DataError, match=message):
        selection_consistency(*change(*_tables(chosen)), n_units=5)


def test_what_else_is_refused():
    tables = _tables(np.random.default_rng(6).random((3, 2, 5)) < 0.5)
    with pytest.raises(DataError, match="number of units"):
        selection_consistency(*tables, n_units={("other", 0): 5})
    with pytest.raises(DataError, match="no column 'roi'"):
        selection_consistency(*tables, n_units=5, by="roi", targets=pd.DataFrame({"target": ["t0", "t1", "t2"]}))
    many = _tables(np.ones((201, 2, 5), dtype=bool))
    with pytest.raises(DataError, match="201 groups"):
        selection_consistency(*many, n_units=5, by="target")
