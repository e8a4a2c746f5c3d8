"""The choice of a layer: the published loop written out, brute force, and layers whose true scores are planted."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import sem

from auralign.analysis.layer_choice import (
    layer_shares,
    naive_best,
    nested_choice,
    optimism,
    published_choice,
    summed_layers,
)
from auralign.analysis.score_arrays import TableScores
from auralign.errors import DataError
from auralign.scoring.scores import pearson


def table(r2_corr: np.ndarray, r2_dev: np.ndarray, features: str = "net", names: list[str] | None = None):
    """Scores from arrays [layer, split, target]."""
    layer, split, target = (index.ravel() for index in np.indices(r2_corr.shape))
    names = np.array(names or [f"t{number}" for number in range(r2_corr.shape[2])])
    return pd.DataFrame(
        {
            "features": features,
            "layer": layer,
            "layer_name": [f"encoder{number:02d}" for number in layer],
            "target": names[target],
            "estimator": "ridge",
            "split": split,
            "r2_corr": r2_corr.ravel(),
            "r2_dev": r2_dev.ravel(),
        }
    )


def metadata(n_targets: int) -> pd.DataFrame:
    """Three subjects in turns; every seventh target without one."""
    subject = np.arange(n_targets) % 3 + 10.0
    subject[::7] = np.nan
    return pd.DataFrame({"target": [f"t{number}" for number in range(n_targets)], "subject": subject})


def published_loop(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The published scheme on [layer, split, target] with numpy's global generator: scores, positions [10, target]."""
    n_layers, n_splits, n_targets = values.shape
    scores, positions = np.full((10, n_targets), np.nan), np.full((10, n_targets), np.nan)
    for it in range(10):
        np.random.seed(it)  # noqa: NPY002
        choose, read = np.empty((n_targets, n_layers)), np.empty((n_targets, n_layers))
        for layer in range(n_layers):
            m = np.zeros((n_targets, n_splits))
            for target in range(n_targets):
                m[target] = np.tile([0, 1], n_splits // 2)
                np.random.shuffle(m[target])  # noqa: NPY002
            selection, readout = values[layer].T.copy(), values[layer].T.copy()
            selection[m == 0], readout[m == 1] = np.nan, np.nan
            choose[:, layer] = np.nanmedian(selection, axis=1).clip(max=1)
            read[:, layer] = np.nanmedian(readout, axis=1).clip(max=1)
        np.random.seed(0)  # noqa: NPY002
        for target in range(n_targets):
            ties = np.flatnonzero(choose[target] == np.nanmax(choose[target]))
            if len(ties):
                best = np.random.choice(ties)  # noqa: NPY002
                scores[it, target], positions[it, target] = read[target, best], best + 1
    return scores, positions


def awkward(n_layers: int, n_targets: int, seed: int) -> np.ndarray:
    """Scores with many equals: zeros, corrected scores above 1, whole targets of both kinds."""
    random = np.random.default_rng(seed)
    values = random.random((n_layers, 10, n_targets)).round(1) * 1.5
    values[:, :, 1] = 0.0
    values[:, :, 2] += 1.0
    return values


# --- as published -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("n_layers", "n_targets"), [(4, 5), (1, 4), (10, 23)])
def test_equals_the_published_loop_for_components_equals_included(n_layers, n_targets):
    values = awkward(n_layers, n_targets, n_layers)
    scores, positions = published_loop(values)
    result = published_choice(table(values, values))
    assert result["target"].tolist() == [f"t{number}" for number in range(n_targets)]
    np.testing.assert_allclose(result["score"], scores.mean(axis=0), rtol=1e-13)
    np.testing.assert_allclose(result["score_std"], scores.std(axis=0, ddof=1), rtol=1e-12, atol=1e-15)
    np.testing.assert_allclose(result["score_sem"], sem(scores, axis=0, ddof=1), rtol=1e-12, atol=1e-15)
    np.testing.assert_allclose(result["pos"], positions.mean(axis=0), rtol=1e-13)
    if n_layers == 1:
        assert result["rel_pos"].isna().all()
    else:
        np.testing.assert_allclose(result["rel_pos"], (positions.mean(axis=0) - 1) / (n_layers - 1), rtol=1e-13)
    for number, row in enumerate(result.itertuples()):
        layers, counts = np.unique(positions[:, number], return_counts=True)
        assert (row.layer, row.layer_share) == (layers[counts.argmax()] - 1, counts.max() / 10)
        assert row.layer_name == f"encoder{row.layer:02d}"


def test_equals_the_published_loop_for_voxels_by_subject():
    values = awkward(4, 25, 0)
    scores, positions = published_loop(values)  # targets without a subject take part in the draws
    result = published_choice(table(values, values), targets=metadata(25), by=["subject"]).set_index("subject")
    assert sorted(result.index) == [10.0, 11.0, 12.0]
    subject = metadata(25)["subject"].to_numpy()
    for name, row in result.iterrows():
        own = subject == name
        medians = np.median(scores[:, own], axis=1)
        expected = [medians.mean(), medians.std(ddof=1), np.median(positions[:, own], axis=1).mean(), own.sum()]
        assert row[["score", "score_std", "pos", "n_targets"]].tolist() == pytest.approx(expected, rel=1e-12)


def test_the_draws_follow_the_order_of_the_table_and_are_those_of_each_feature_set_alone():
    random = np.random.default_rng(3)
    values = random.random((3, 6, 4))
    names = ["speech", "music", "lowfreq", "pitch"]
    deep = table(values, values, "deep", names)
    shallow = table(values[:1], values[:1], "shallow", names)
    together = published_choice(pd.concat([shallow, deep]))
    assert together["target"].tolist() == names * 2
    np.testing.assert_allclose(together["score"][4:], published_loop(values)[0].mean(axis=0), rtol=1e-13)
    np.testing.assert_allclose(together["score"][:4], published_loop(values[:1])[0].mean(axis=0), rtol=1e-13)
    # rows in another order, but for the first appearances of the targets, change nothing
    shuffled = pd.concat([deep.iloc[:4], deep.iloc[4:].sample(frac=1, random_state=1)])
    pd.testing.assert_frame_equal(published_choice(shuffled), published_choice(deep))
    reordered = published_choice(deep.iloc[::-1])
    assert reordered["target"].tolist() == names[::-1]
    assert reordered["score"].tolist() != together["score"][4:].tolist()[::-1]


@pytest.mark.filterwarnings("ignore:All-NaN")
def test_missing_scores_are_left_out_of_medians_and_nothing_is_chosen_from_nothing():
    values = awkward(3, 6, 5)
    values[0, :8, 3], values[2, :, 4], values[:, :, 5] = np.nan, np.nan, np.nan
    scores, positions = published_loop(values)
    result = published_choice(table(values, values))
    np.testing.assert_allclose(result["score"], scores.mean(axis=0), rtol=1e-13)
    np.testing.assert_allclose(result["pos"], positions.mean(axis=0), rtol=1e-13)
    assert result["layer"].isna().tolist() == [False] * 5 + [True]
    assert result["n_targets"].tolist() == [1] * 5 + [0]


def test_an_odd_number_of_splits_has_no_halves():
    values = np.random.default_rng(0).random((2, 5, 3))
    result = published_choice(table(values, values))
    assert result[["score", "pos", "layer"]].isna().all(axis=None)


# --- inside the development stimuli, and naive ----------------------------------------------------------------------


def test_nested_choice_equals_a_loop():
    random = np.random.default_rng(6)
    values, dev = 1.3 * random.random((4, 5, 9)), random.standard_normal((4, 5, 9))
    dev[:, :, 4] = -np.abs(dev[:, :, 4])  # a missing layer is not better than a poor one
    dev[:, 2, 3], dev[1, :, 4], values[:, :, 5] = np.nan, np.nan, 1.4
    result = nested_choice(table(values, dev)).set_index("target")
    shares = layer_shares(table(values, dev)).set_index(["target", "layer"])
    for target in range(9):
        best = [np.nanargmax(dev[:, s, target]) for s in range(5) if not np.isnan(dev[:, s, target]).all()]
        known = [s for s in range(5) if not np.isnan(dev[:, s, target]).all()]
        expected = min(np.median([values[layer, s, target] for layer, s in zip(best, known, strict=True)]), 1)
        row = result.loc[f"t{target}"]
        assert row["score"] == pytest.approx(expected, rel=1e-13)
        assert row["layer"] == np.bincount(best).argmax()
        for layer in range(4):
            chosen = shares.loc[(f"t{target}", layer)]
            assert (chosen["n_chosen"], chosen["share"]) == (best.count(layer), best.count(layer) / len(best))
    pooled = layer_shares(table(values, dev), by=[])
    assert pooled["n_chosen"].sum() == 5 * 9 - 1
    assert pooled["share"].sum() == pytest.approx(1)


def test_by_subject_it_is_the_median_over_the_targets_of_each_subject():
    random = np.random.default_rng(7)
    values, dev = random.random((3, 4, 20)), random.random((3, 4, 20))
    for rule in (nested_choice, naive_best):
        single = rule(table(values, dev)).merge(metadata(20), on="target").groupby("subject")["score"].median()
        result = rule(table(values, dev), targets=metadata(20), by=["subject"]).set_index("subject")["score"]
        assert result.to_dict() == pytest.approx(single.to_dict())
        everything = rule(table(values, dev), by=[])
        assert everything["score"].tolist() == pytest.approx([rule(table(values, dev))["score"].median()])
        assert everything["n_targets"].tolist() == [20]


def test_naive_best_equals_pandas_and_takes_the_first_of_equals():
    values = 1.8 * np.random.default_rng(8).random((5, 6, 7))
    values[:, :, 0] = 0.5
    scores = table(values, values)
    medians = scores.groupby(["target", "layer"])["r2_corr"].median().unstack()
    result = naive_best(scores).set_index("target")
    pd.testing.assert_series_equal(result["score"], medians.max(axis=1).clip(upper=1), check_names=False)
    assert result["layer"].to_dict() == medians.idxmax(axis=1).to_dict()
    assert result.loc["t0", "layer"] == 0


# --- side by side ---------------------------------------------------------------------------------------------------


def test_optimism_lays_the_three_choices_side_by_side_with_and_without_layers():
    random = np.random.default_rng(9)
    values, dev = random.random((4, 6, 5)), random.random((4, 6, 5))
    scores = pd.concat([table(values, dev), table(values[:2], dev[:2], "other")])
    result = optimism(scores, exclude={"net": [3]})
    assert result["layers"].tolist() == ["all"] * 10 + ["without 3"] * 5
    assert result["n_layers"].tolist() == [4] * 5 + [2] * 5 + [3] * 5
    without = scores[~((scores["features"] == "net") & (scores["layer"] == 3))]
    for part, source in (("all", scores), ("without 3", without[without["features"] == "net"])):
        rows = result[result["layers"] == part].reset_index(drop=True)
        published = published_choice(source)
        for name, choice in (
            ("naive", naive_best(source)), ("published", published), ("nested", nested_choice(source)),
        ):  # fmt: skip
            pd.testing.assert_series_equal(rows[name], choice["score"], check_names=False)
            pd.testing.assert_series_equal(rows[f"{name}_layer"], choice["layer"], check_names=False)
        pd.testing.assert_series_equal(rows["published_sem"], published["score_sem"], check_names=False)
    np.testing.assert_allclose(result["gap"], result["naive"] - result["nested"], rtol=1e-15)


def test_layers_to_leave_out_must_be_there_and_not_all():
    values = np.random.default_rng(0).random((2, 4, 3))
    for wrong in ({"net": [5]}, {"nett": [1]}, {"net": [0, 1]}):
        with pytest.raises(DataError, match=r"leave out.*layers \["):
            optimism(table(values, values), exclude=wrong)
    assert (optimism(table(values, values), exclude={"net": []})["layers"] == "all").all()


def test_summed_layers_are_known_by_their_names():
    values = np.zeros((3, 2, 1))
    scores = table(values, values)
    scores.loc[scores["layer"] == 2, "layer_name"] += "+norm(x1)"
    assert summed_layers(TableScores(pd.concat([scores, table(values, values, "plain")])).models) == {"net": [2]}


def test_a_table_without_the_metric_is_refused_by_name():
    values = np.zeros((2, 2, 1))
    with pytest.raises(DataError, match=r"no column 'r2_dev'.*r2_corr"):
        optimism(table(values, values).drop(columns="r2_dev"))


# --- planted answers --------------------------------------------------------------------------------------------------


def test_layers_that_differ_by_noise_alone_raise_the_naive_score_by_the_expected_maximum_and_the_nested_by_nothing():
    random = np.random.default_rng(10)
    n_layers, n_splits, n_targets, true, spread = 10, 10, 4000, 0.5, 0.05
    values, dev = true + spread * random.standard_normal((2, n_layers, n_splits, n_targets))
    result = optimism(table(values, dev)).mean(numeric_only=True)
    medians = np.median(random.standard_normal((n_splits, 20000, n_layers)), axis=0)
    expected = true + spread * medians.max(axis=1).mean()  # .5 + .05 * .57
    # errors of the means: spread of a median of ten (.019), or of their maximum (.011), over 4000 targets: .0003
    assert result["naive"] == pytest.approx(expected, abs=0.0012)
    assert result["nested"] == pytest.approx(true, abs=0.0012)
    assert result["published"] == pytest.approx(true, abs=0.0012)  # splits independent of each other: halves too
    assert result["gap"] == pytest.approx(expected - true, abs=0.002)


def shared_stimuli(n_targets: int, true: np.ndarray, seed: int) -> pd.DataFrame:
    """Layers of one unit that correlate sqrt(true) with the response; ten splits of the same 164 stimuli in halves."""
    random = np.random.default_rng(seed)
    y = random.standard_normal((164, n_targets))
    r = np.sqrt(true)[:, None, None]
    x = r * y + np.sqrt(1 - r**2) * random.standard_normal((len(true), *y.shape))
    orders = [random.permutation(164) for _ in range(10)]
    squares = [[pearson(y[part], one[part]) ** 2 for one in x] for o in orders for part in (o[:82], o[82:])]
    both = np.array(squares).reshape(10, 2, len(true), n_targets)  # [split, development or test, layer, target]
    return table(*(np.moveaxis(both[:, which], 0, 1) for which in (1, 0)))


def test_where_splits_share_their_stimuli_the_published_choice_is_optimistic_and_the_nested_is_not():
    scores = shared_stimuli(400, np.full(10, 0.5), 11)
    medians = scores.groupby(["target", "layer"])["r2_corr"].median()
    without_choice = medians.mean()
    error = medians.groupby("target").mean().std() / np.sqrt(400)
    assert error < 0.002
    result = optimism(scores).mean(numeric_only=True)
    assert result["naive"] > without_choice + 0.06
    assert result["published"] > without_choice + 0.04
    # the splits of a target read different layers, which moves their median, of a skewed score, by some .004
    assert result["nested"] == pytest.approx(without_choice, abs=0.01)


def test_a_planted_best_layer_is_recovered_by_all_three_with_its_score():
    true = np.full(10, 0.5)
    true[4] = 0.7
    scores = shared_stimuli(200, true, 12)
    result = optimism(scores)
    for name in ("naive", "published", "nested"):
        assert (result[f"{name}_layer"] == 4).mean() > 0.98
        # error of the mean over 200 targets: .04 / sqrt(200) = .003
        assert result[name].mean() == pytest.approx(0.7, abs=0.015)
    assert layer_shares(scores, by=[]).set_index("layer")["share"].idxmax() == 4
