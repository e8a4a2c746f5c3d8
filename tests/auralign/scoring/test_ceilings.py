"""Noise correction: the published code path written out, brute force, and planted answers."""

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import RidgeCV
from sklearn.model_selection import ShuffleSplit

from auralign.config.reading import read_config
from auralign.runs.compare import run_comparison
from auralign.scoring.ceilings import (
    critical_correlation,
    median_pairwise_correlation,
    noise_corrected,
    spearman_brown,
)
from auralign.scoring.scores import r2_corr


def planted(n: int, n_targets: int, r: float, n_repetitions: int = 3, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Signals [stimulus, target] and repetitions of them, any two of which correlate r in the population."""
    random = np.random.default_rng(seed)
    signal = np.sqrt(r) * random.standard_normal((n, n_targets))
    noise = np.sqrt(1 - r) * random.standard_normal((n, n_targets, n_repetitions))
    return signal, signal[:, :, None] + noise


# --- published and corrected scores -------------------------------------------------------------------------------


def test_critical_correlations_are_the_published_constants():
    assert critical_correlation(83) == pytest.approx(0.18180, abs=5e-6)
    assert critical_correlation(82) == pytest.approx(0.18292, abs=5e-6)


def published(score, data, prediction):
    """The published noise correction of one target, one correlation at a time."""
    rvs, rv_hats = [], []
    for a, b in ([0, 1], [1, 2], [0, 2]):
        rvs.append(np.corrcoef(data[:, a], data[:, b])[1, 0])
        rv_hats.append(np.corrcoef(prediction[:, a], prediction[:, b])[1, 0])
    rv_med, rv_hat_med = np.nanmedian(rvs), np.nanmedian(rv_hats)
    rv = np.nanmax([3 * rv_med / (1 + 2 * rv_med), 0.182])
    rv_hat = np.nanmax([3 * rv_hat_med / (1 + 2 * rv_hat_med), 0.183])
    return rv, rv_hat, score / (rv * rv_hat)


@pytest.mark.filterwarnings("ignore:invalid value", "ignore:All-NaN", "ignore:divide by zero")
def test_as_published_whatever_is_missing_constant_or_beyond_the_pole():
    random = np.random.default_rng(1)
    signal = random.standard_normal((83, 12, 1))
    data = signal + random.standard_normal((83, 12, 3)) * np.geomspace(0.1, 30, 12)[:, None]
    prediction = random.standard_normal((82, 12, 1)) + random.standard_normal((82, 12, 3))
    data[:, 0, 2] = np.nan  # a third repetition that was never measured
    prediction[:, 0, 2] = np.nan
    data[:, 1, 1:] = np.nan  # no pair at all
    prediction[:, 2] = 0.25  # a model that found nothing
    prediction[:, 3, 1] = 0.25
    data[:, 4] = signal[:, 4] * [1, -1, -1] + 1e-3 * random.standard_normal((83, 3))  # median r about -1
    data[:, 5] = signal[:, 5] * [1, -1, -1] + 0.7 * random.standard_normal((83, 3))
    score = random.random(12)
    score[6] = 0.0
    expected = np.array([published(score[t], data[:, t], prediction[:, t]) for t in range(12)])
    assert (expected[:, 0] > 1).any()  # beyond the pole, and taken for a reliability
    assert (expected[:, :2] == [0.182, 0.183]).any(axis=0).all()
    result = noise_corrected(score, data, prediction)
    np.testing.assert_allclose(result["reliability"], expected[:, 0], rtol=1e-11)
    np.testing.assert_allclose(result["reliability_pred"], expected[:, 1], rtol=1e-11)
    np.testing.assert_allclose(result["r2_corr_c"], expected[:, 2], rtol=1e-11)


def test_a_whole_run_equals_the_published_path_with_four_ridge_fits(tmp_path):
    random = np.random.default_rng(2)
    n, alphas = 40, [0.01, 0.1, 1.0, 10.0, 100.0, 1000.0]
    stimuli = [f"s{i:02d}" for i in range(n)]
    x = random.standard_normal((n, 6))
    signal = x[:, :2] @ random.standard_normal((2, 2))
    y = signal[:, :, None] + random.standard_normal((n, 2, 3)) * np.array([0.5, 2.0])[:, None]
    pd.DataFrame(x, columns=list("abcdef")).assign(stimulus=stimuli).to_csv(tmp_path / "x.tsv", sep="\t", index=False)
    parts = [pd.DataFrame(y[:, :, k], columns=["p", "q"]).assign(stimulus=stimuli, repetition=k) for k in range(3)]
    pd.concat(parts).to_csv(tmp_path / "y.tsv", sep="\t", index=False)
    (tmp_path / "c.yml").write_text(
        "name: c\nfeatures: {net: {table: x.tsv}}\ntargets: {kind: table, table: y.tsv}\n"
        "splits: {kind: shuffle, n_splits: 3, train_size: 22, test_size: 18, seed: 1}\n"
        f"estimators: {{ridge: {{kind: ridge, alphas: {alphas}, unpredictable: published}}}}\nengine: multitarget\n",
        encoding="utf-8",
    )
    scores = run_comparison(read_config(tmp_path / "c.yml"), tmp_path / "out")["scores"]
    splits = ShuffleSplit(3, train_size=22, test_size=18, random_state=1).split(x)
    for number, (train, test) in enumerate(splits):
        train, test = np.sort(train), np.sort(test)
        for t, target in enumerate(["p", "q"]):

            def predict(response, train=train, test=test):
                model = RidgeCV(alphas=alphas).fit(
                    x[train] - x[train].mean(0), response[train] - response[train].mean()
                )
                return model.predict(x[test] - x[train].mean(0))

            mean = y[:, t].mean(axis=1)
            r = np.corrcoef(predict(mean), mean[test])[0, 1]
            single = np.column_stack([predict(y[:, t, k]) for k in range(3)])
            expected = published(max(r, 0) ** 2, y[train, t], single)
            row = scores[(scores["target"] == target) & (scores["split"] == number)].iloc[0]
            assert row[["reliability", "reliability_pred", "r2_corr_c"]].tolist() == pytest.approx(expected, rel=1e-8)


def test_the_corrected_rule_never_reaches_the_pole_of_spearman_brown():
    base = np.random.default_rng(2).standard_normal(83)
    data = np.stack([base, -base, -base + 1e-3 * np.arange(83)], axis=1)[:, None, :]
    prediction = np.random.default_rng(3).standard_normal((82, 1, 1)) + np.zeros((82, 1, 3))
    assert median_pairwise_correlation(data)[0] < -0.5
    corrected = noise_corrected(np.array([0.5]), data, prediction)
    # the published rule takes a strongly negative correlation for a reliability above 1
    assert corrected["r2_corr_c"][0] < 0.5
    floor = spearman_brown(critical_correlation(83), 3)
    assert corrected["r2_corr_c2"][0] == pytest.approx(0.5 / floor, rel=1e-9)


def test_predictions_without_reliability_give_nan_unless_the_score_is_0():
    data = np.random.default_rng(4).standard_normal((83, 2, 1)) + np.zeros((83, 2, 3))
    constant = np.ones((82, 2, 3))
    corrected = noise_corrected(np.array([0.3, 0.0]), data, constant)["r2_corr_c2"]
    assert np.isnan(corrected[0])
    assert corrected[1] == 0.0


def test_the_corrected_rule_counts_the_repetitions_that_are_there():
    _, data = planted(83, 4, 0.5, seed=5)
    _, prediction = planted(82, 4, 0.8, seed=6)
    two = noise_corrected(np.full(4, 0.3), data[:, :, :2], prediction[:, :, :2])
    data[:, :, 2], prediction[:, :, 2] = np.nan, np.nan
    of_three = noise_corrected(np.full(4, 0.3), data, prediction)
    np.testing.assert_allclose(of_three["r2_corr_c2"], two["r2_corr_c2"], rtol=1e-12)
    assert (of_three["r2_corr_c"] < two["r2_corr_c"]).all()  # as published: Spearman-Brown for three


def test_a_planted_r2_is_recovered_by_the_correction_and_not_without():
    """Half of the responses are noise; features explain .8 of the signal."""
    random = np.random.default_rng(7)
    n, n_targets, true, r = 165, 300, 0.8, 0.3
    x = random.standard_normal((n, 4))
    weights = random.standard_normal((4, n_targets))
    weights /= np.linalg.norm(weights, axis=0)
    signal = np.sqrt(true) * x @ weights + np.sqrt(1 - true) * random.standard_normal((n, n_targets))
    y = signal[:, :, None] + np.sqrt((1 - r) / r) * random.standard_normal((n, n_targets, 3))
    columns = np.concatenate([y.mean(axis=2)[:, :, None], y], axis=2)
    results = []
    for _ in range(10):
        order = random.permutation(n)
        train, test = order[:83], order[83:]
        centred = columns[train] - columns[train].mean(axis=0)
        fitted = np.linalg.lstsq(x[train] - x[train].mean(axis=0), centred.reshape(83, -1), rcond=None)[0]
        prediction = (x[test] @ fitted).reshape(82, n_targets, 4)
        score = r2_corr(columns[test, :, 0], prediction[:, :, 0])
        results.append({"r2_corr": score} | noise_corrected(score, y[train], prediction[:, :, 1:]))
    median = {name: np.median(np.median([one[name] for one in results], axis=0)) for name in results[0]}
    assert median["r2_corr"] < true * spearman_brown(r, 3) < 0.5  # the ceiling, and what noise in the fit takes
    assert median["r2_corr_c"] == pytest.approx(true, abs=0.05)
    assert median["r2_corr_c2"] == pytest.approx(true, abs=0.05)
