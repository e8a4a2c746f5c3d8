"""Ceilings and noise correction: the published code path written out, brute force, and planted answers."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import bootstrap
from sklearn.linear_model import RidgeCV
from sklearn.model_selection import ShuffleSplit

from auralign.config.reading import read_config
from auralign.errors import DataError
from auralign.inputs.repetitions import effective_repetitions
from auralign.runs.compare import run_comparison
from auralign.scoring import ceilings
from auralign.scoring.ceilings import (
    critical_correlation,
    median_pairwise_correlation,
    noise_ceiling,
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


# --- noise ceiling ------------------------------------------------------------------------------------------------


def by_definition(y: np.ndarray) -> float:
    """Mean covariance of two repetitions over the variance of their mean, of one target [stimulus, repetition]."""
    covariance = np.cov(y.T)
    n = len(covariance)
    pairs = [covariance[a, b] for a in range(n) for b in range(a)]
    return np.mean(pairs) / np.var(y.mean(axis=1), ddof=1)


@pytest.mark.parametrize("n_repetitions", [2, 3, 5])
def test_the_ceiling_is_the_covariance_over_the_variance_of_the_mean(n_repetitions):
    _, y = planted(50, 7, 0.4, n_repetitions)
    y = y * np.geomspace(0.001, 100, 7)[:, None] + 1000.0
    result = noise_ceiling(y, n_draws=0)
    np.testing.assert_allclose(result["ceiling"], [by_definition(y[:, t]) for t in range(7)], rtol=1e-6)
    assert np.isnan(result["ceiling_low"]).all()
    assert (result["n_repetitions"] == n_repetitions).all()


def test_for_standardised_repetitions_it_is_spearman_brown_of_the_mean_correlation():
    _, y = planted(60, 1, 0.4)
    y = (y - y.mean(axis=0)) / y.std(axis=0)
    mean = np.corrcoef(y[:, 0].T)[np.triu_indices(3, 1)].mean()
    assert noise_ceiling(y, n_draws=0)["ceiling"][0] == pytest.approx(spearman_brown(mean, 3), rel=1e-12)


def test_the_interval_is_the_bootstrap_over_stimuli_in_blocks_as_in_one(monkeypatch):
    n, n_draws = 30, 40
    _, y = planted(n, 5, 0.4)
    result = noise_ceiling(y, n_draws, level=0.8, seed=9)
    counts = np.random.default_rng(9).multinomial(n, np.full(n, 1 / n), size=n_draws)
    for target in range(5):
        samples = [by_definition(np.repeat(y[:, target], count, axis=0)) for count in counts]
        expected = np.quantile(samples, [0.1, 0.9])
        found = [result["ceiling_low"][target], result["ceiling_high"][target]]
        np.testing.assert_allclose(found, expected, rtol=1e-9)
    monkeypatch.setattr(ceilings, "BOOTSTRAP_BLOCK", 2)
    in_blocks = noise_ceiling(y, n_draws, level=0.8, seed=9)
    for name, values in result.items():
        np.testing.assert_allclose(in_blocks[name], values, rtol=1e-9)


def test_the_interval_is_scipys_but_for_the_draws():
    _, y = planted(60, 2, 0.4)
    result = noise_ceiling(y, 20_000, level=0.9)
    for target in range(2):
        theirs = bootstrap(
            tuple(y[:, target].T),
            lambda *repetitions: by_definition(np.stack(repetitions, axis=1)),
            paired=True,
            vectorized=False,
            confidence_level=0.9,
            n_resamples=2000,
            method="percentile",
            random_state=np.random.default_rng(1),
        ).confidence_interval
        width = theirs.high - theirs.low
        assert result["ceiling_low"][target] == pytest.approx(theirs.low, abs=0.05 * width)
        assert result["ceiling_high"][target] == pytest.approx(theirs.high, abs=0.05 * width)


def test_absent_and_constant_repetitions_do_not_count():
    _, y = planted(40, 4, 0.5)
    two = noise_ceiling(y[:, :, :2], n_draws=50)
    y[:, 0, 2], y[:, 2, 2] = np.nan, 4.0
    y[:, 3, 1:] = np.nan
    result = noise_ceiling(y, n_draws=50)
    assert result["n_repetitions"].tolist() == [2, 3, 2, 1]
    for name in ("ceiling", "ceiling_low", "ceiling_high"):
        np.testing.assert_allclose(result[name][[0, 2]], two[name][[0, 2]], rtol=1e-12)
        assert np.isnan(result[name][3])


def unequal(y: np.ndarray, share: float, seed: int = 0) -> np.ndarray:
    """The repetitions [stimulus, target, repetition] with a share of them missing; every stimulus keeps one."""
    random = np.random.default_rng(seed)
    missing = random.random(y.shape) < share
    # of stimuli that would keep none, one repetition comes back
    back = random.integers(y.shape[2], size=y.shape[:2])
    missing &= ~(missing.all(axis=2, keepdims=True) & (np.arange(y.shape[2]) == back[:, :, None]))
    return np.where(missing, np.nan, y)


def test_the_ceiling_of_unequal_repetitions_is_that_of_the_pairs_that_are_there():
    _, y = planted(50, 3, 0.4)
    y = unequal(y, 0.3)
    y[:, 2] = np.where(np.isnan(y[:, :1]), np.nan, y[:, 2:])[:, 0]  # lacks more
    y[:, 2, 0] = np.where(np.isnan(y[:, 2]).all(axis=1), 1.0, y[:, 2, 0])
    result = noise_ceiling(y, n_draws=20)
    for t in range(3):
        table = pd.DataFrame(y[:, t])
        n = [table[[a, b]].dropna().shape[0] for a, b in ([0, 1], [0, 2], [1, 2])]
        covariance = table.cov()  # pairwise complete
        mean = np.average([covariance.loc[a, b] for a, b in ([0, 1], [0, 2], [1, 2])], weights=n)
        assert result["ceiling"][t] == pytest.approx(mean / table.mean(axis=1).var(), rel=1e-9)
        assert result["n_repetitions"][t] == pytest.approx(len(table) / (1 / table.count(axis=1)).sum(), rel=1e-12)
    assert (result["ceiling_low"] < result["ceiling"]).all() and (result["ceiling"] < result["ceiling_high"]).all()


def test_where_nothing_is_missing_the_rule_for_unequal_repetitions_gives_the_same():
    _, y = planted(40, 5, 0.3)
    weights = np.random.default_rng(1).multinomial(40, np.full(40, 1 / 40), size=20) / 40
    equal = ceilings._reliability_of_mean(y - y.mean(axis=0), np.full(5, 3), weights)
    np.testing.assert_allclose(ceilings._unequal_reliability(y, np.full((40, 3), True), weights), equal, rtol=1e-9)


def test_unequal_repetitions_leave_ceiling_and_reliability_unbiased():
    _, complete = planted(165, 1500, 0.3)
    y = unequal(complete, 0.3)
    n = effective_repetitions(y)
    true = np.median(spearman_brown(0.3, n))  # .48 where .56 is that of three repetitions
    assert np.median(noise_ceiling(y, n_draws=0)["ceiling"]) == pytest.approx(true, abs=0.008)
    assert np.median(median_pairwise_correlation(y)) == pytest.approx(0.3, abs=0.008)
    reached = r2_corr(np.nanmean(y, axis=2), planted(165, 1500, 0.3)[0])
    assert np.median(reached) == pytest.approx(true, abs=0.008)


def test_the_perfect_model_reaches_the_ceiling():
    signal, y = planted(165, 1500, 0.2)
    reached = r2_corr(y.mean(axis=2), signal)
    ceiling = noise_ceiling(y, n_draws=0)["ceiling"]
    true = spearman_brown(0.2, 3)
    # Monte Carlo error of a median over 1500 targets: about .002; the mean of so skewed an estimate is .006 too low
    assert np.median(reached) == pytest.approx(true, abs=0.006)
    assert np.median(ceiling) == pytest.approx(true, abs=0.006)


def test_repetitions_of_unequal_noise_leave_it_unbiased():
    random = np.random.default_rng(8)
    noise = np.array([0.5, 1.0, 2.0])
    y = random.standard_normal((165, 1500, 1)) + noise * random.standard_normal((165, 1500, 3))
    true = 1 / (1 + (noise**2).sum() / 9)
    assert np.median(noise_ceiling(y, n_draws=0)["ceiling"]) == pytest.approx(true, abs=0.01)
    by_correlation = spearman_brown(median_pairwise_correlation(y), 3)
    assert abs(np.median(by_correlation) - true) > 0.02


@pytest.mark.parametrize("r", [0.05, 0.3, 0.7])
def test_the_interval_covers_the_truth_as_often_as_it_says(r):
    _, y = planted(165, 800, r, seed=int(100 * r))
    result = noise_ceiling(y, n_draws=400)
    true = spearman_brown(r, 3)
    covered = np.mean((result["ceiling_low"] <= true) & (true <= result["ceiling_high"]))
    # Monte Carlo error of a share of .94 of 800: .0084, three of them on either side
    assert 0.915 < covered < 0.965


def test_what_is_no_array_of_repetitions_is_refused():
    with pytest.raises(DataError, match=r"shape \(5, 3\).*stimuli, targets, repetitions"):
        noise_ceiling(np.ones((5, 3)))
    with pytest.raises(DataError, match=r"level: 95.*0\.95"):
        noise_ceiling(np.ones((5, 3, 2)), level=95)
