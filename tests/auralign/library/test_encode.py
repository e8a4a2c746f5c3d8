"""encode: the scores of the YAML runner, and of scikit-learn, from whatever form the arrays have."""

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from sklearn.linear_model import RidgeCV
from sklearn.model_selection import GroupKFold, KFold
from sklearn.neighbors import KNeighborsRegressor
from sklearn.preprocessing import StandardScaler

import auralign as au
from auralign.config.reading import read_config
from auralign.errors import ConfigError, DataError
from auralign.files.notices import InputWarning
from auralign.runs.compare import run_comparison

ALPHAS = {"logspace": [-2, 3, 6]}
SHUFFLE = {"kind": "shuffle", "n_splits": 4, "train_size": 18, "test_size": 12, "seed": 1}
rng = np.random.default_rng(0)
X = rng.standard_normal((40, 6))
Y = X[:, :2] @ rng.standard_normal((2, 3)) + 0.5 * rng.standard_normal((40, 3))
IDS = [f"s{number:02d}" for number in range(40)]


def _same(result: au.Result, scores: pd.DataFrame) -> None:
    """The result's table is that of scores.parquet: the same columns, rows and numbers, to the last bit."""
    own = result.to_table()
    keys = ["layer", "target", "split"]
    own, scores = (t.sort_values(keys).reset_index(drop=True) for t in (own, scores))
    pd.testing.assert_frame_equal(own, scores[own.columns], check_exact=True, check_dtype=False)
    assert set(own.columns) == set(scores.columns)


@pytest.mark.parametrize(
    "label, options",
    [("ridge", {"kind": "ridge", "alphas": ALPHAS}), ("lasso", {"kind": "lasso", "n_alphas": 10, "cv": 3})],
)
def test_scores_are_those_of_the_yaml_runner(inputs, components, label, options):
    features, responses = au.read_features(inputs / "net.tsv"), au.read_responses(inputs / "components.tsv")
    splits = au.splits(30, n_splits=4, train_size=18, test_size=12, seed=1)
    result = au.encode(features, responses, splits, options)
    scores = components.scores
    _same(result, scores[(scores["features"] == "net") & (scores["estimator"] == label)])


def test_repetitions_joined_sets_and_metadata_are_those_of_the_yaml_runner(inputs, voxels):
    responses = au.read_responses(inputs / "voxels.tsv", target_table=inputs / "targets.tsv")
    both = [au.read_features(inputs / "net.tsv"), au.read_features(inputs / "plain.tsv")]
    result = au.encode(both, responses, SHUFFLE, {"kind": "ridge", "alphas": ALPHAS}, name="both", n_jobs=2)
    scores = voxels.scores[voxels.scores["features"] == "both"]
    own = result.to_table().drop(columns="layer_name")
    assert result.layers[1] == "layer01 + layer00"
    keys = ["layer", "target", "split"]
    own, scores = (t.sort_values(keys).reset_index(drop=True) for t in (own, scores))
    pd.testing.assert_frame_equal(own, scores[own.columns], check_exact=True, check_dtype=False)
    assert result.metric == "r2_corr_c2" and set(result.scores.roi.values) == {"core", "belt"}
    summary = voxels.summary[voxels.summary["features"] == "both"].set_index(["layer", "target"])
    found = result.summary.set_index(["layer", "target"])
    np.testing.assert_allclose(found["r2_corr_c2_median"], summary["r2_corr_c2_median"].loc[found.index], rtol=1e-12)
    np.testing.assert_allclose(
        result.ceilings.noise_ceiling, summary.loc[0, "noise_ceiling"].loc[result.targets], rtol=1e-12
    )


def test_groups_confounds_and_zscore_are_those_of_the_yaml_runner(inputs, tmp_path):
    stimuli = [f"stim{n}_sound" for n in range(1, 31)]
    groups = np.arange(30) // 3
    pd.DataFrame({"stimulus": stimuli, "family": groups, "category": "x"}).to_csv(
        tmp_path / "stimuli.tsv", sep="\t", index=False
    )
    confounds = pd.DataFrame({"stimulus": stimuli, "level": rng.standard_normal(30)})
    confounds.to_csv(tmp_path / "confounds.tsv", sep="\t", index=False)
    (tmp_path / "c.yml").write_text(f"""
name: c
features: {{net: {{table: {inputs / "net.tsv"}, zscore: true}}}}
targets: {{kind: table, table: {inputs / "components.tsv"}}}
stimuli: {{table: stimuli.tsv}}
splits: {{kind: kfold, n_splits: 2, groups: family}}
confounds: {{table: confounds.tsv}}
estimators: {{ridge: {{kind: ridge, alphas: [0.1, 10.0], cv: 3}}}}
""")
    run_comparison(read_config(tmp_path / "c.yml"), tmp_path / "out")
    result = au.encode(
        au.read_features(inputs / "net.tsv"),
        au.read_responses(inputs / "components.tsv"),
        {"kind": "kfold", "n_splits": 2},
        {"kind": "ridge", "alphas": [0.1, 10.0], "cv": 3},
        groups=groups,
        confounds=confounds,
        zscore=True,
    )
    _same(result, pd.read_parquet(tmp_path / "out" / "scores.parquet"))


FORMS = {
    "numpy": (X, Y),
    "pandas": (pd.DataFrame(X, index=IDS), pd.DataFrame(Y, index=pd.Index(IDS, name="stimulus"), columns=list("abc"))),
    "columns": (pd.DataFrame(X).assign(stimulus=IDS), pd.DataFrame(Y).assign(stimulus=IDS)),
    "xarray": (
        xr.DataArray(X, dims=("stimulus", "unit"), coords={"stimulus": IDS}),
        xr.DataArray(Y.T, dims=("target", "stimulus"), coords={"stimulus": IDS}),
    ),
    "lists": (X.tolist(), Y.tolist()),
    "ids of one": (X, pd.DataFrame(Y, index=IDS)),
    "another order": (pd.DataFrame(X[::-1], index=IDS[::-1]), pd.DataFrame(Y, index=IDS)),
}


@pytest.mark.parametrize("form", FORMS)
def test_every_form_of_the_same_numbers_gives_the_same_scores(form):
    expected = au.encode(X, Y, "shuffle").scores.r2_corr.to_numpy()
    np.testing.assert_array_equal(au.encode(*FORMS[form], "shuffle").scores.r2_corr.to_numpy(), expected)


def test_positions_are_those_of_the_rows_as_given():
    order = rng.permutation(40)
    splits = [(np.arange(20), np.arange(20, 40)), (np.arange(20, 40), np.arange(20))]
    plain = au.encode(X[order], Y[order], splits)
    x, y = (pd.DataFrame(v[order], index=[IDS[row] for row in order]) for v in (X, Y))
    named = au.encode(x, y, splits)
    assert named.stimuli == IDS
    assert {named.stimuli[row] for row in named.splits[0][0]} == {IDS[row] for row in order[:20]}
    np.testing.assert_allclose(named.scores.r2.to_numpy(), plain.scores.r2.to_numpy(), rtol=1e-9)
    masks = [(np.arange(40) < 20, np.arange(40) >= 20), (np.arange(40) >= 20, np.arange(40) < 20)]
    np.testing.assert_array_equal(au.encode(x, y, masks).scores.r2.to_numpy(), named.scores.r2.to_numpy())
    with pytest.raises(ConfigError, match="different orders"):
        au.encode(x, y.iloc[::-1], splits)


def test_a_regressor_scores_as_scikit_learn_fits_it():
    alphas = np.logspace(-2, 2, 5)
    result = au.encode(X, Y, KFold(4, shuffle=True, random_state=0), RidgeCV(alphas), predictions=True, weights="split")
    for number, (development, test) in enumerate(KFold(4, shuffle=True, random_state=0).split(X)):
        for target in range(3):
            model = RidgeCV(alphas).fit(X[development], Y[development, target])
            own = result.predictions.isel(layer=0, split=number, target=target)
            np.testing.assert_allclose(own.to_numpy()[test], model.predict(X[test]), atol=1e-10)
            assert np.isnan(own.to_numpy()[development]).all()
            np.testing.assert_allclose(result.weights[0].isel(split=number, target=target), model.coef_, atol=1e-10)
    assert result.estimator == "RidgeCV"
    assert au.encode(X, Y, "shuffle", KNeighborsRegressor()).scores.r2_dev.notnull().all()


def test_weights_make_the_predictions_also_of_scaled_units():
    scaled = X * 10.0 ** np.arange(6)
    result = au.encode(scaled, Y, SHUFFLE, zscore=True, predictions=True, weights="split")
    mean = au.encode(scaled, Y, SHUFFLE, zscore=True, weights="mean").weights[0]
    np.testing.assert_allclose(mean, result.weights[0].mean("split"), rtol=1e-12)
    for number, (development, test) in enumerate(result.splits):
        weights = result.weights[0].isel(split=number).to_numpy()
        expected = (scaled[test] - scaled[development].mean(axis=0)) @ weights + Y[development].mean(axis=0)
        found = result.predictions.isel(layer=0, split=number).to_numpy()[test]
        np.testing.assert_allclose(found, expected, atol=1e-10)


def test_groups_are_kept_together_in_splits_and_refused_across():
    groups = np.repeat(list("abcdefgh"), 5)
    result = au.encode(X, Y, GroupKFold(4), groups=groups)
    for development, test in result.splits:
        assert not set(groups[development]) & set(groups[test])
    with pytest.raises(ConfigError, match="8 groups are on both sides, such as 'a'"):
        au.encode(X, Y, [(np.arange(0, 40, 2), np.arange(1, 40, 2))], groups=groups)


def test_stimuli_that_lack_something_are_named_or_left_out():
    x, y = pd.DataFrame(X, index=IDS), pd.DataFrame(Y, index=IDS)
    with pytest.raises(DataError, match=r"features \(X\) lack 1 stimuli: s03"):
        au.encode(x.drop("s03"), y, "shuffle")
    with pytest.warns(InputWarning, match="Left out"):
        result = au.encode(x.drop("s03"), y, "shuffle", missing="drop")
    assert len(result.stimuli) == 39 and "s03" not in result.stimuli and result.warnings


@pytest.mark.parametrize(
    "x, y, options, problem",
    [
        (X[:30], Y, {}, r"X\) \(30, 6\); responses \(Y\) \(40, 3, 1\)"),
        (X[:, 0], Y, {}, r"stimuli x units, but the shape is \(40,\)"),
        ({}, Y, {}, "no layer"),
        ({0: X, "a": X}, Y, {}, "one of both"),
        (np.where(X[3, 2] == X, np.nan, X), Y, {}, "not finite for row 3"),
        (X, np.where(Y[3, 2] == Y, np.nan, Y), {}, "responses are not finite for 1 stimuli"),
        (X, Y * 0 + 1, {}, "constant"),
        (X * 1e80, Y, {}, "too large"),
        (X.astype(str), Y.astype(object) * 1j, {}, "complex"),
        (X, Y, {"estimator": "rigde"}, "Did you mean ridge"),
        (X, Y, {"estimator": {"kind": "ridge", "alpha": 1}}, "no such option; there are .*alphas"),
        (X, Y, {"estimator": RidgeCV}, "is a class"),
        (X, Y, {"estimator": {"kind": "ridge", "cv": 30}}, "30 inner folds of 20 development stimuli"),
        ([X, X], Y, {"estimator": "lasso"}, "cannot weigh"),
        (X, Y, {"splits": "tuckute2023"}, "divides 165 stimuli, here are 40"),
        (X, Y, {"splits": []}, "no split"),
        (X, Y, {"splits": 3.5}, "no list of"),
        (X, Y, {"splits": [(np.arange(30) < 20, np.arange(30) >= 20)]}, "a mask has 30 entries; there are 40 rows"),
        (X, Y, {"n_jobs": 0}, "n_jobs: 0"),
        (X, Y, {"splits": [([0, 1, 2], [2, 3, 4])]}, "both in development and in the test"),
        (X, Y, {"splits": [([0, 1, 1], [2, 3, 4])]}, "twice"),
        (X, Y, {"splits": [([0, 1, 2], [38, 39, 40])]}, "no usable stimulus at position 40"),
        (X, Y, {"splits": [([0, 1], [2, 3])]}, "at least 3"),
        (X, Y, {"groups": ["a"] * 39}, "numbers of stimuli differ"),
        (X, Y, {"apply_to": ["z"], "confounds": X[:, :1]}, "apply_to"),
        (X, Y, {"weights": "all"}, "neither 'mean' nor 'split'"),
        (X, Y, {"weights": "mean", "estimator": KNeighborsRegressor()}, "no weighted sum"),
        (X, Y, {"missing": "ignore"}, "neither 'error' nor 'drop'"),
    ],
)
def test_what_cannot_be_used_is_said_in_a_sentence(x, y, options, problem):
    with pytest.raises(au.AuralignError, match=problem):
        au.encode(x, y, **{"splits": "shuffle", **options})


def test_what_was_not_kept_says_how_to_keep_it(monkeypatch):
    result = au.encode(X, Y, "shuffle")
    with pytest.raises(DataError, match="predictions=True"):
        _ = result.predictions
    with pytest.raises(DataError, match="weights='mean'"):
        _ = result.weights
    monkeypatch.setattr("auralign.library.encode.MOST_BYTES", 1000)
    with pytest.raises(ConfigError, match="1 layers x 10 splits x 40 stimuli x 3 targets"):
        au.encode(X, Y, "shuffle", predictions=True)
    with pytest.raises(ConfigError, match="6 units x 3 targets x 10"):
        au.encode(X, Y, "shuffle", weights="split")


def test_a_scaler_of_scikit_learn_is_the_one_of_zscore():
    development, test = au.splits(40, n_splits=2)[0]
    scaler = StandardScaler().fit(X[development])
    by_hand = au.encode(scaler.transform(X), Y, [(development, test)]).scores.r2.to_numpy()
    own = au.encode(X * 3.0, Y, [(development, test)], zscore=True).scores.r2.to_numpy()
    np.testing.assert_allclose(own, by_hand, rtol=1e-10)


def test_what_a_masked_array_hides_is_missing():
    hidden = np.zeros(Y.shape, dtype=bool)
    hidden[3, 1] = True
    with pytest.raises(DataError, match="1 missing for some stimuli"):
        au.encode(X, np.ma.masked_array(Y, hidden), SHUFFLE)
    with pytest.raises(DataError, match="not finite for row 3"):
        au.encode(np.ma.masked_array(X, np.arange(40)[:, None] + np.zeros(6, int) == 3), Y, SHUFFLE)
    np.testing.assert_array_equal(
        au.encode(np.ma.masked_array(X), Y, SHUFFLE).scores.r2, au.encode(X, Y, SHUFFLE).scores.r2
    )


def test_tables_without_ids_whose_rows_have_other_numbers_are_refused():
    x, y = pd.DataFrame(X), pd.DataFrame(Y)
    with pytest.raises(DataError, match="their indices differ, so that rows may not belong together"):
        au.encode(x, y.sample(frac=1, random_state=0), SHUFFLE)
    with pytest.raises(DataError, match=r"responses \(Y\) and groups|features \(X\) and groups"):
        au.encode(x, y, GroupKFold(4), groups=pd.Series(np.repeat(range(8), 5)).iloc[::-1])
    some = np.arange(40) % 4 > 0  # the same rows of both, and rows beside arrays, are matched by their position
    expected = au.encode(X[some], Y[some], SHUFFLE).scores.r2
    for pair in ((x[some], y[some]), (X[some], y[some]), (x[some], Y[some])):
        np.testing.assert_array_equal(au.encode(*pair, SHUFFLE).scores.r2, expected)
    named = au.encode(x.rename_axis("stimulus"), y.rename_axis("stimulus").iloc[::-1], "shuffle")
    assert named.scores.r2.equals(au.encode(x.rename_axis("stimulus"), y.rename_axis("stimulus"), "shuffle").scores.r2)


def test_rows_without_any_response_can_be_left_out():
    y = Y.copy()
    y[[2, 7]] = np.nan
    kept = np.setdiff1d(np.arange(40), [2, 7])
    splits = [(kept[:20], kept[20:]), (kept[18:], kept[:18])]
    with pytest.warns(InputWarning, match="no response to 2 stimuli: 2, 7"):
        found = au.encode(X, y, splits, missing="drop")
    assert found.stimuli == [str(row) for row in kept]
    plain = au.encode(X[kept], Y[kept], [(np.arange(20), np.arange(20, 38)), (np.arange(18, 38), np.arange(18))])
    np.testing.assert_allclose(found.scores.r2, plain.scores.r2, rtol=1e-9)
    with pytest.raises(ConfigError, match="no usable stimulus at position 2"):
        au.encode(X, y, [(np.arange(20), np.arange(20, 40))], missing="drop")


@pytest.mark.parametrize(
    "options, problem",
    [
        ({"engine": "mulitarget"}, "engine: 'mulitarget' is none of .* Did you mean multitarget?"),
        ({"missing_targets": "dorp"}, "missing_targets: 'dorp' is neither 'error' nor 'drop'. Did you mean drop?"),
        ({"missing_repetitions": "drop"}, "missing_repetitions: 'drop' is neither 'error' nor 'available'"),
        ({"n_jobs": None}, "n_jobs: None is no number of processes"),
        ({"n_jobs": 1.5}, "n_jobs: 1.5 is no number of processes"),
        ({"groups": pd.DataFrame({"group": range(40)})}, "groups: one label per stimulus is needed, not a table"),
    ],
)
def test_options_that_mean_nothing_are_refused(options, problem):
    with pytest.raises(au.AuralignError, match=problem):
        au.encode(X, Y, SHUFFLE, **options)


@pytest.mark.parametrize("name", [None, np.nan, ""])
def test_a_stimulus_without_a_name_is_refused(name):
    table = pd.DataFrame(X, index=pd.Index([*IDS[:-1], name], name="stimulus"))
    with pytest.raises(DataError, match="the stimulus at position 39"):
        au.encode(table, Y, SHUFFLE)


def test_a_table_of_repetitions_needs_the_names_of_stimuli():
    table = pd.concat([pd.DataFrame(Y).assign(repetition=number) for number in range(2)], ignore_index=True)
    with pytest.raises(DataError, match="needs the column `stimulus`"):
        au.encode(X, table, SHUFFLE)
