"""Aggregation against pandas, group by group, and against errors that are planted."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import sem

from auralign.analysis.aggregate import (
    by_region,
    by_subject,
    known_median,
    over_subjects,
    subject_scores,
    within_subject_errors,
)
from auralign.analysis.layer_choice import published_choice
from auralign.analysis.score_arrays import TableScores
from auralign.errors import DataError

N_TARGETS = 60


def long_table(seed: int = 0, n_layers: int = 4, n_splits: int = 6, features: str = "net") -> pd.DataFrame:
    """Corrected scores, some above 1, in scrambled order; layers are numbered from 2."""
    random = np.random.default_rng(seed)
    layer, split, target = (index.ravel() for index in np.indices((n_layers, n_splits, N_TARGETS)))
    scores = pd.DataFrame(
        {
            "features": features,
            "layer": layer + 2,
            "layer_name": [f"encoder{number:02d}" for number in layer + 2],
            "target": [f"v{number}" for number in target],
            "estimator": "ridge",
            "split": split,
            "r2_corr_c": 1.6 * random.random(len(layer)),
        }
    )
    return scores.sample(frac=1, random_state=seed)


def voxels() -> pd.DataFrame:
    """Five subjects, of which one has no target in `Anterior`; areas of which one target in six has none."""
    number = np.arange(N_TARGETS)
    area = np.array(["Primary", "Anterior", "Lateral"], dtype=object)[number % 3]
    area[number % 6 == 5], area[11] = np.nan, " "
    subject = number // 3 % 5 + 1
    area[(area == "Anterior") & (subject == 4)] = ""
    return pd.DataFrame({"target": [f"v{n}" for n in number], "subject": subject, "area": area})


def oracle(scores: pd.DataFrame, targets: pd.DataFrame, clip: bool) -> pd.DataFrame:
    """Subject x layer: median over targets of the median over splits, clipped or not."""
    medians = scores.groupby(["target", "layer"])["r2_corr_c"].median().reset_index().merge(targets, on="target")
    if clip:
        medians["r2_corr_c"] = medians["r2_corr_c"].clip(upper=1)
    return medians.groupby(["subject", "layer"])["r2_corr_c"].median().unstack()


# --- arrays ---------------------------------------------------------------------------------------------------------


def test_a_table_is_read_with_every_score_in_its_cell():
    scores = pd.concat([long_table(0), long_table(1, n_layers=2, features="other").assign(estimator="lasso")])
    scores = scores.drop(scores.index[[3, 77]])
    read = TableScores(scores)
    net, other = read.models
    assert (net.features, net.estimator, net.layers.tolist()) == ("net", "ridge", [2, 3, 4, 5])
    assert (other.features, other.estimator) == ("other", "lasso")
    assert other.layer_names.tolist() == ["encoder02", "encoder03"]
    assert read.targets.tolist() == list(dict.fromkeys(scores["target"]))
    cells, empty = 0, 0
    for one in (net, other):
        own, values = scores[scores["features"] == one.features], read.read(one, ["r2_corr_c"])["r2_corr_c"]
        places = [dict(zip(names, range(len(names)), strict=True)) for names in (one.layers, range(6), read.targets)]
        for row in own.itertuples():
            place = tuple(of[name] for of, name in zip(places, (row.layer, row.split, row.target), strict=True))
            assert values[place] == row.r2_corr_c
            cells += 1
        empty += np.isnan(values).sum()
        some = read.read(one, ["r2_corr_c"], slice(5, 9), [3])["r2_corr_c"]
        np.testing.assert_array_equal(some, values[[1], :, 5:9])
    assert (cells, empty) == (len(scores), 6 * N_TARGETS * 6 - len(scores))


def test_a_score_that_is_there_twice_a_missing_metric_and_an_empty_table_are_refused():
    scores = long_table()
    twice = pd.concat([scores, scores[(scores["target"] == "v7") & (scores["layer"] == 3) & (scores["split"] == 2)]])
    with pytest.raises(DataError, match=r"'layer': 3, 'target': 'v7', 'split': 2\} more than once"):
        by_subject(twice, "r2_corr_c", subject=None)
    with pytest.raises(DataError, match=r"no column 'r2'; they have: features.*r2_corr_c"):
        by_subject(scores, "r2", subject=None)
    with pytest.raises(DataError, match="empty"):
        by_subject(scores.iloc[:0], "r2_corr_c", subject=None)


@pytest.mark.filterwarnings("ignore:All-NaN")
def test_known_median_equals_numpys():
    values = np.random.default_rng(2).standard_normal((9, 4, 50))
    values[np.random.default_rng(3).random(values.shape) < 0.5] = np.nan
    values[:, 0, 0] = np.nan
    np.testing.assert_array_equal(known_median(values), np.nanmedian(values, axis=0))


@pytest.mark.parametrize("n", [1, 2, 3, 4, 5, 6, 7, 9, 10, 16, 31, 32, 33])
def test_medians_of_few_and_of_many_values_are_those_of_numpy(n):
    values = np.random.default_rng(n).standard_normal((n, 3, 200)).round(1)
    values[0, 0, 0], values[-1, 0, 1] = np.inf, -np.inf
    before = values.copy()
    np.testing.assert_array_equal(known_median(values), np.median(values, axis=0))
    np.testing.assert_array_equal(values, before)


# --- subjects -------------------------------------------------------------------------------------------------------


def test_by_subject_equals_pandas_and_the_published_error():
    scores, targets = long_table(), voxels()
    clipped, raw = oracle(scores, targets, True), oracle(scores, targets, False)
    result = by_subject(scores, "r2_corr_c", targets)
    assert result["layer"].tolist() == [2, 3, 4, 5]
    np.testing.assert_allclose(result["score"], clipped.mean(), rtol=1e-12)
    np.testing.assert_allclose(result["score_unclipped"], raw.mean(), rtol=1e-12)
    assert (result["score"] != result["score_unclipped"]).any()
    # as published: the grand mean is added back, which changes nothing
    demeaned = clipped.subtract(clipped.mean(axis=1).values, axis=0)
    published = np.std(demeaned.values.T + clipped.mean().mean(), axis=1) / np.sqrt(len(clipped) - 1)
    np.testing.assert_allclose(result["sem"], published, rtol=1e-12)
    np.testing.assert_allclose(result["sem_morey"], published * np.sqrt(4 / 3), rtol=1e-12)
    np.testing.assert_allclose(result["sem_between"], sem(clipped), rtol=1e-12)
    pooled = scores.groupby(["target", "layer"])["r2_corr_c"].median().groupby("layer").median()
    np.testing.assert_allclose(result["pooled"], pooled, rtol=1e-12)
    assert result[["n_subjects", "n_targets", "n_left_out"]].drop_duplicates().to_numpy().tolist() == [[5, 60, 0]]
    single = subject_scores(scores, "r2_corr_c", targets).pivot(index="subject", columns="layer", values="score")
    pd.testing.assert_frame_equal(single, clipped)


def test_scores_are_clipped_after_the_median_over_splits():
    scores = long_table(n_layers=1, n_splits=2)
    scores["r2_corr_c"] = np.where(scores["split"] == 0, 0.4, 1.4)  # median .9; clipped before, .7
    row = by_subject(scores, "r2_corr_c", voxels()).iloc[0]
    assert (row["score"], row["score_unclipped"]) == pytest.approx((0.9, 0.9))
    scores["r2_corr_c"] += 0.3
    row = by_subject(scores, "r2_corr_c", voxels()).iloc[0]
    assert (row["score"], row["score_unclipped"], row["pooled"]) == pytest.approx((1.0, 1.2, 1.2))


def test_components_have_no_subjects_and_one_subject_no_error():
    scores = long_table()
    medians = scores.groupby(["target", "layer"])["r2_corr_c"].median().unstack()
    nobody = by_subject(scores, "r2_corr_c", subject=None)
    np.testing.assert_allclose(nobody["score"], medians.clip(upper=1).median(), rtol=1e-12)
    np.testing.assert_allclose(nobody["pooled"], medians.median(), rtol=1e-12)
    one = by_subject(scores, "r2_corr_c", voxels().assign(subject="s1"))
    np.testing.assert_allclose(one["score"], nobody["score"], rtol=1e-12)
    for result, n_subjects in ((nobody, 0), (one, 1)):
        assert result[["sem", "sem_morey", "sem_between"]].isna().all(axis=None)
        assert (result["n_subjects"] == n_subjects).all()


def test_targets_and_subjects_without_a_score_are_left_out():
    scores, targets = long_table(), voxels()
    second = targets["target"][targets["subject"] == 2]
    scores.loc[scores["target"].isin(second) & (scores["layer"] == 4), "r2_corr_c"] = np.nan
    targets["subject"] = targets["subject"].where(targets["subject"] != 3)
    result = by_subject(scores, "r2_corr_c", targets)
    clipped = oracle(scores, targets, True).drop(index=2.0)
    assert len(clipped) == 3
    np.testing.assert_allclose(result["score"], clipped.mean(), rtol=1e-12)
    np.testing.assert_allclose(result["sem_between"], sem(clipped), rtol=1e-12)
    assert result["n_targets"].tolist() == [60, 60, 48, 60]
    assert result[["n_subjects", "n_left_out"]].drop_duplicates().to_numpy().tolist() == [[3, 12]]


# --- errors ---------------------------------------------------------------------------------------------------------


def test_moreys_error_is_right_and_the_published_one_too_small_by_a_known_factor():
    random = np.random.default_rng(4)
    n_subjects, n_conditions, spread, n_runs = 8, 4, 0.05, 4000
    runs = [
        0.5 * random.standard_normal((n_subjects, 1)) + spread * random.standard_normal((n_subjects, n_conditions))
        for _ in range(n_runs)
    ]
    squares = {name: np.mean([within_subject_errors(run)[name] ** 2 for run in runs]) for name in ("sem", "sem_morey")}
    true = spread**2 / n_subjects
    # relative Monte Carlo error of the mean of 4000 x 4 variances of 7 degrees of freedom: below .005
    assert squares["sem_morey"] == pytest.approx(true, rel=0.015)
    assert squares["sem"] == pytest.approx(true * 3 / 4, rel=0.015)


def test_one_condition_has_no_error_within_subjects():
    errors = within_subject_errors(np.array([[1.0], [2.0], [4.0]]))
    assert np.isnan(errors["sem"]) and np.isnan(errors["sem_morey"])
    assert errors["sem_between"] == pytest.approx(sem([1.0, 2.0, 4.0]))


# --- regions --------------------------------------------------------------------------------------------------------


def test_by_region_is_by_subject_on_the_targets_of_each_label_of_any_column():
    scores = pd.concat([long_table(0), long_table(1, features="other")])
    targets = voxels()
    result = by_region(scores, "r2_corr_c", targets, region="area")
    named = targets["area"].fillna("").str.strip() != ""
    assert sorted(result["region"].unique()) == ["Anterior", "Lateral", "Primary"]
    assert (result["region_of"] == "area").all()
    assert (result["n_left_out"] == (~named).sum()).all()
    for (features, region), rows in result.groupby(["features", "region"]):
        inside = targets[targets["area"] == region]
        own = scores[(scores["features"] == features) & scores["target"].isin(inside["target"])]
        expected = by_subject(own, "r2_corr_c", inside)
        same = ["layer", "score", "score_unclipped", "sem", "sem_morey", "pooled", "n_subjects", "n_targets"]
        pd.testing.assert_frame_equal(rows[same].reset_index(drop=True), expected[same])
        assert (rows["n_subjects"] == (4 if region == "Anterior" else 5)).all()
        assert rows["n_targets"].iloc[0] == len(inside)
    assert (result["score"] != result["pooled"]).all()


def test_regions_without_subjects_are_medians_over_their_targets():
    scores, targets = long_table(), voxels()
    result = by_region(scores, "r2_corr_c", targets, "area", subject=None).set_index(["region", "layer"])
    medians = scores.groupby(["target", "layer"])["r2_corr_c"].median().reset_index().merge(targets, on="target")
    expected = medians.assign(score=medians["r2_corr_c"].clip(upper=1)).groupby(["area", "layer"])["score"].median()
    for key, row in result.iterrows():
        assert row["score"] == pytest.approx(expected[key])
    assert (result["n_subjects"] == 0).all()


def test_a_region_where_nobody_has_a_score_at_every_layer_is_there_and_empty():
    scores, targets = long_table(), voxels()
    primary = targets["target"][targets["area"] == "Primary"]
    scores.loc[scores["target"].isin(primary) & (scores["layer"] == 5), "r2_corr_c"] = np.nan
    targets["subject"] = targets["subject"].where(targets["area"] != "Lateral")
    result = by_region(scores, "r2_corr_c", targets, "area").set_index("region")
    assert (result.loc[["Primary", "Lateral"], "n_subjects"] == 0).all()
    assert result.loc[["Primary", "Lateral"], ["score", "sem"]].isna().all(axis=None)
    assert result.loc["Lateral", "pooled"].notna().all()
    assert (result.loc["Anterior", "n_subjects"] == 4).all()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda table: table.drop(columns="area"), r"no column 'area', only: target, subject.*Name one of these"),
        (lambda table: table.iloc[3:], r"lack 3 targets: \['v"),
        (lambda table: pd.concat([table, table.iloc[:1]]), "hold 'v0' more than once"),
        (lambda table: table.assign(area=np.nan), "no target has a label in the metadata's area"),
    ],
)
def test_metadata_that_do_not_fit_are_refused(change, message):
    with pytest.raises(DataError, match=message):
        by_region(long_table(), "r2_corr_c", change(voxels()), "area")


# --- other conditions -----------------------------------------------------------------------------------------------


def test_networks_as_conditions_as_in_the_published_comparison():
    scores = pd.concat([long_table(0), long_table(1, features="other"), long_table(2, features="third")])
    table = published_choice(scores, "r2_corr_c", voxels(), ["subject"])
    result = over_subjects(table, "features", ["estimator"])
    wide = table.pivot(index="subject", columns="features", values="score")[["net", "other", "third"]]
    demeaned = wide.sub(wide.mean(axis=1), axis=0)
    assert result["features"].tolist() == ["net", "other", "third"]
    np.testing.assert_allclose(result["score"], wide.mean(), rtol=1e-12)
    np.testing.assert_allclose(result["sem"], demeaned.std(ddof=0) / np.sqrt(4), rtol=1e-12)
    assert (result["n_subjects"] == 5).all()
