"""What every test finds where there is nothing, and where there is something, over 500 simulated studies.

Rates are printed: `python -m pytest -s tests/auralign/questions/encoding/test_false_positives.py`.
"""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import ttest_1samp

from auralign.analysis.hypotheses import BestOverall, run_hypotheses
from auralign.analysis.paired_test_options import Test as PairedTest
from auralign.analysis.paired_tests import run_tests
from auralign.estimators.ridge import fit_ridge
from auralign.inference.resampling import paired_bootstrap, permutation_test, published_bootstrap, ridge_predictor
from auralign.inference.statistics import benjamini_hochberg, corrected_interval, corrected_ttest
from auralign.scoring.scores import r2, r2_corr

N_STUDIES = 500
N_STIMULI, N_DEV, N_SPLITS = 60, 30, 10
N_TEST = N_STIMULI - N_DEV
NOMINAL = 0.05
# three standard errors of a rate of .05 over 500 studies: .079
HIGHEST = NOMINAL + 3 * np.sqrt(NOMINAL * (1 - NOMINAL) / N_STUDIES)
ALPHAS = np.logspace(0, 4, 5)

Split = tuple[np.ndarray, np.ndarray]


def _rate(what: str, p: np.ndarray) -> float:
    assert len(p) == N_STUDIES
    assert ((p > 0) & (p <= 1)).all()
    rate = float((p <= NOMINAL).mean())
    print(f"\n{what}: {rate:.3f}")
    return rate


def _splits(random: np.random.Generator) -> list[Split]:
    orders = [random.permutation(N_STIMULI) for _ in range(N_SPLITS)]
    return [(np.sort(order[:N_DEV]), np.sort(order[N_DEV:])) for order in orders]


def _predict(x: np.ndarray, y: np.ndarray, splits: list[Split]) -> list[np.ndarray]:
    return [fit_ridge(x[dev], y[dev], ALPHAS).predict(x[test]) for dev, test in splits]


def _scores(metric, x: np.ndarray, y: np.ndarray, splits: list[Split]) -> np.ndarray:
    """Scores [n_splits, n_targets]."""
    return np.array([metric(y[test], p) for (_, test), p in zip(splits, _predict(x, y, splits), strict=True)])


def _both(y_true: np.ndarray, y_pred: np.ndarray) -> np.ndarray:
    return np.stack([r2(y_true, y_pred), r2_corr(y_true, y_pred)])


def _two_networks(noise_a: float, noise_b: float, seed: int) -> dict[str, np.ndarray]:
    """Scores [2 networks, n_splits, n_studies] of two networks that see the same five causes of a response.

    Every study draws its own stimuli, networks and response. A network is 20 units: the causes, mixed alike for both,
    plus noise of its own; with equal noise both are equally good.
    """
    random = np.random.default_rng(seed)
    studies = []
    for _ in range(N_STUDIES):
        causes, mixing = random.standard_normal((N_STIMULI, 5)), random.standard_normal((5, 20)) / np.sqrt(5)
        y = causes @ random.standard_normal((5, 1)) / np.sqrt(5) + 0.5 * random.standard_normal((N_STIMULI, 1))
        splits = _splits(random)
        networks = (causes @ mixing + noise * random.standard_normal((N_STIMULI, 20)) for noise in (noise_a, noise_b))
        studies.append([_scores(_both, x, y, splits)[..., 0] for x in networks])
    r2_scores, r2_corr_scores = np.moveaxis(studies, [3, 1, 2, 0], [0, 1, 2, 3])
    return {"r2": r2_scores, "r2_corr": r2_corr_scores}


@pytest.fixture(scope="module")
def equal_networks() -> dict[str, np.ndarray]:
    return _two_networks(1.0, 1.0, seed=0)


@pytest.mark.parametrize("metric", ["r2", "r2_corr"])
def test_corrected_ttest_of_two_equal_networks(equal_networks, metric):
    a, b = equal_networks[metric]
    p = corrected_ttest(a - b, N_DEV, N_TEST)[2]
    assert _rate(f"corrected resampled t-test, two equal networks, {metric}", p) <= HIGHEST
    low, high = corrected_interval(a - b, N_DEV, N_TEST)
    assert ((low <= 0) & (high >= 0)).mean() >= 1 - HIGHEST
    # these studies would show a test that ignores the overlap of the splits
    assert _rate(f"plain paired t-test, two equal networks, {metric}", ttest_1samp(a - b, 0).pvalue) > 3 * HIGHEST


def test_published_permutation_of_repeats_rejects_too_often(equal_networks):
    # ten medians over random halves of the same ten splits per network, their twenty labels permuted, one-sided
    random = np.random.default_rng(13)
    halves = np.array([random.permutation(N_SPLITS)[: N_SPLITS // 2] for _ in range(20)])
    a, b = equal_networks["r2_corr"]
    values = np.concatenate([np.median(a[halves[:10]], axis=1), np.median(b[halves[10:]], axis=1)])  # [20, studies]
    signs = random.permuted(np.tile(np.repeat([0.1, -0.1], 10), (999, 1)), axis=1)
    true = np.repeat([0.1, -0.1], 10) @ values
    p = (signs @ values > true).mean(axis=0)
    print(f"\npublished permutation of repeats, one-sided: {(p <= NOMINAL).mean():.3f}; p of 0: {(p == 0).mean():.3f}")
    assert (p <= NOMINAL).mean() > 3 * HIGHEST


def test_corrected_ttest_of_networks_that_explain_different_halves():
    # its limit: what one network misses the other one has, and splits correlate by more than the assumed one half
    random = np.random.default_rng(12)
    splits, differences = _splits(random), []
    for _ in range(N_STUDIES):
        a, b = random.standard_normal((2, N_STIMULI, 5))
        weights = random.standard_normal((2, 5, 1))
        weights /= np.linalg.norm(weights, axis=1, keepdims=True)
        y = a @ weights[0] + b @ weights[1] + random.standard_normal((N_STIMULI, 1))
        differences.append((_scores(r2_corr, a, y, splits) - _scores(r2_corr, b, y, splits))[:, 0])
    p = corrected_ttest(np.array(differences).T, N_DEV, N_TEST)[2]
    assert _rate("corrected resampled t-test, networks that explain different halves", p) < 0.12


def test_corrected_ttest_finds_a_better_network():
    a, b = _two_networks(0.5, 3.0, seed=1)["r2_corr"]
    difference = a - b
    print(f"\nmean difference of r2_corr: {difference.mean():.2f}")
    assert _rate("power of the corrected resampled t-test", corrected_ttest(difference, N_DEV, N_TEST)[2]) > 0.6


@pytest.mark.parametrize("n_subjects", [4, 8, 20])
def test_paired_bootstrap_of_two_equal_networks(n_subjects):
    random = np.random.default_rng(2)
    # subjects differ more than networks do
    level = 2 * random.standard_normal((n_subjects, N_STUDIES))
    a, b = level + random.standard_normal((2, n_subjects, N_STUDIES))
    result = paired_bootstrap(a, b, n_draws=1999)
    assert _rate(f"paired bootstrap, {n_subjects} subjects", result.p) <= HIGHEST
    assert ((result.low <= 0) & (result.high >= 0)).mean() >= 1 - HIGHEST
    for interval in ("bca", "percentile"):
        other = paired_bootstrap(a, b, n_draws=1999, interval=interval)
        print(f"\n{interval} interval without 0: {((other.low > 0) | (other.high < 0)).mean():.3f}")


def test_paired_bootstrap_of_depths():
    # the median over 20 voxels of mean relative depths over ten splits and four layers: a coarse grid of values
    random = np.random.default_rng(3)
    depth = np.median(random.integers(0, 4, size=(2, 8, N_STUDIES, 20, 10)).mean(axis=-1) / 3, axis=-1)
    assert _rate("paired bootstrap, 8 subjects, depths", paired_bootstrap(*depth, n_draws=1999).p) <= HIGHEST


def test_paired_bootstrap_finds_a_better_network():
    random = np.random.default_rng(4)
    a, b = random.standard_normal((2, 8, N_STUDIES)) / np.sqrt(2)
    for effect, least in ((1.0, 0.5), (1.5, 0.85)):
        result = paired_bootstrap(a + effect, b, n_draws=1999)
        assert _rate(f"power of the paired bootstrap, 8 subjects, d = {effect}", result.p) > least


@pytest.mark.parametrize("shared", [0.0, 4.0])
def test_published_bootstrap_misses_its_level(shared):
    # too often where the values of a subject are unrelated, too rarely where both networks share its level
    random = np.random.default_rng(5)
    studies = [random.standard_normal((2, 8)) + shared * random.standard_normal(8) for _ in range(N_STUDIES)]
    p = np.array([published_bootstrap(*study, n_draws=999) for study in studies])
    rate = (p <= NOMINAL).mean()
    print(f"\npublished bootstrap, 8 subjects that share {shared}: {rate:.3f}; p of exactly 0: {(p == 0).mean():.3f}")
    assert rate > HIGHEST if shared == 0 else rate < 2 * NOMINAL - HIGHEST


@pytest.fixture(scope="module")
def noise() -> tuple[list[np.ndarray], np.ndarray, list[Split]]:
    """Three layers of noise and 500 noise responses; each response is a study."""
    random = np.random.default_rng(6)
    layers = [random.standard_normal((N_STIMULI, 8)) for _ in range(3)]
    return layers, random.standard_normal((N_STIMULI, N_STUDIES)), _splits(random)


def test_r2_corr_of_noise_has_its_chance_level(noise):
    # without relation to the test responses r is symmetric with E[r^2] = 1 / (n - 1), and its positive half counts
    layers, y, splits = noise
    predictions = _predict(layers[0], y, splits)
    score = np.array([r2_corr(y[test], p) for (_, test), p in zip(splits, predictions, strict=True)])
    share = np.mean([np.ptp(p, axis=0) > 0 for p in predictions])
    expected, error = share / (2 * (N_TEST - 1)), score.mean(axis=0).std(ddof=1) / np.sqrt(N_STUDIES)
    print(f"\nmean r2_corr of noise {score.mean():.4f}, expected {expected:.4f} +- {error:.4f}")
    assert share > 0.05
    assert error < 0.2 * expected
    assert score.mean() == pytest.approx(expected, abs=3 * error)
    assert np.mean([r2(y[test], p).mean() for (_, test), p in zip(splits, predictions, strict=True)]) < 0


def test_permutation_test_of_noise(noise):
    result = permutation_test(*noise, ridge_predictor(ALPHAS, unpredictable="published"), n_permutations=99)
    for layer in range(3):
        assert _rate(f"permutation test, layer {layer}", result.p[layer]) <= HIGHEST
    assert _rate("permutation test, best of three layers", result.p_best) <= HIGHEST
    # the smallest uncorrected p of three layers would be too small
    assert _rate("smallest p of three layers", result.p.min(axis=0)) > HIGHEST


def test_permutation_test_finds_what_is_there(noise):
    layers, y, splits = noise
    y = y + 0.6 * layers[1] @ np.random.default_rng(7).standard_normal((8, N_STUDIES)) / np.sqrt(8)
    result = permutation_test(layers, y, splits, ridge_predictor(ALPHAS), n_permutations=99)
    print(f"\nmean score {result.score[1].mean():.3f}")
    assert _rate("power of the permutation test", result.p[1]) > 0.5
    assert _rate("power of the permutation test, best of three layers", result.p_best) > 0.45


def test_finished_predictions_cannot_be_permuted_instead(noise):
    layers, y, splits = noise
    random = np.random.default_rng(8)
    predictions = [
        fit_ridge(layers[0][dev], y[dev], ALPHAS, unpredictable="published").predict(layers[0][test])
        for dev, test in splits
    ]

    def median_score(order_test):
        return np.median(
            [r2_corr(order_test(y[test]), p) for (_, test), p in zip(splits, predictions, strict=True)], axis=0
        )

    real = median_score(lambda values: values)
    count = sum(median_score(lambda values: values[random.permutation(N_TEST)]) >= real for _ in range(99))
    assert _rate("test responses permuted, predictions kept", (1 + count) / 100) > 2 * HIGHEST


def test_permutation_within_categories_asks_for_more_than_categories():
    # features and responses both differ between three categories, and agree in nothing else
    random = np.random.default_rng(9)
    category = np.repeat([0, 1, 2], 20)
    x = random.standard_normal((3, 8))[category] + random.standard_normal((N_STIMULI, 8))
    y = random.standard_normal((3, N_STUDIES))[category] + random.standard_normal((N_STIMULI, N_STUDIES))
    splits, predictor = _splits(random), ridge_predictor(ALPHAS)
    within = permutation_test([x], y, splits, predictor, n_permutations=99, groups=category)
    freely = permutation_test([x], y, splits, predictor, n_permutations=99)
    assert _rate("permutation within categories", within.p_best) <= HIGHEST
    assert _rate("the same, permuted freely", freely.p_best) > 0.5


def test_number_of_layers_is_no_advantage(noise):
    # ten layers of noise against one: the best on the test stimuli profits, the one chosen on development does not
    random = np.random.default_rng(10)
    _, y, splits = noise
    tables = []
    for features, n_layers in (("deep", 10), ("flat", 1)):
        for layer in range(n_layers):
            x = random.standard_normal((N_STIMULI, 8))
            for number, (dev, test) in enumerate(splits):
                inner = fit_ridge(x[dev[::2]], y[dev[::2]], ALPHAS).predict(x[dev[1::2]])
                score = r2_corr(y[test], fit_ridge(x[dev], y[dev], ALPHAS, unpredictable="published").predict(x[test]))
                columns = {"r2_dev": r2(y[dev[1::2]], inner), "r2_corr": score, "target": np.arange(N_STUDIES)}
                tables.append(pd.DataFrame({**columns, "features": features, "layer": layer, "split": number}))
    scores = pd.concat(tables).assign(estimator="ridge", n_train=N_DEV, n_test=N_TEST)
    hypothesis = BestOverall(name="deep", kind="best_overall", features="deep", against=["flat"])
    rows = run_hypotheses(scores, pd.DataFrame(index=range(N_STUDIES)), [hypothesis])
    single = rows[~rows["decides"].astype(bool)]
    assert _rate("chosen on development, ten layers against one", single["p"].to_numpy()) <= HIGHEST
    overall = rows[rows["decides"].astype(bool)].iloc[0]
    assert overall["verdict"] == "undecided"
    print(f"\nthe same, chosen on development: {overall['estimate']:.3f}")
    assert abs(overall["estimate"]) < 0.005
    median = scores.groupby(["features", "target", "layer"])["r2_corr"].median().groupby(["features", "target"]).max()
    gain = (median["deep"] - median["flat"]).mean()
    print(f"\nr2_corr that ten layers of noise gain over one, best on the test stimuli: {gain:.3f}")
    assert gain > 0.02


def test_ten_equally_good_layers_against_one_are_not_better_where_they_are_nested():
    # every layer sees the causes of the response, with as much noise of its own; depth alone differs between the sets
    random, tables = np.random.default_rng(14), []
    n_worlds, n_responses = 50, N_STUDIES // 50  # stimuli and layers are drawn anew for every ten responses
    for world in range(n_worlds):
        causes, mixing = random.standard_normal((N_STIMULI, 5)), random.standard_normal((5, 20)) / np.sqrt(5)
        y = causes @ random.standard_normal((5, n_responses)) / np.sqrt(5)
        y += 0.5 * random.standard_normal((N_STIMULI, n_responses))
        splits = _splits(random)
        for features, layer in [("flat", 0), *(("deep", layer) for layer in range(10))]:
            x = causes @ mixing + 2.0 * random.standard_normal((N_STIMULI, 20))
            for number, (dev, test) in enumerate(splits):
                fit = fit_ridge(x[dev], y[dev], ALPHAS)
                columns = {"r2_dev": fit.r2_dev, "r2_corr": r2_corr(y[test], fit.predict(x[test]))}
                place = {"target": world * n_responses + np.arange(n_responses), "split": number}
                tables.append(pd.DataFrame({**columns, **place, "features": features, "layer": layer}))
    scores = pd.concat(tables, ignore_index=True).assign(estimator="ridge", n_train=N_DEV, n_test=N_TEST)
    keys = ["features", "layer", "estimator", "target"]
    summary = scores.groupby(keys)["r2_corr"].median().rename("r2_corr_median").reset_index()
    deeper_wins = {}
    for layer in ("nested", "best"):
        sides = {"a": {"features": "deep", "layer": layer}, "b": {"features": "flat", "layer": layer}}
        test = PairedTest.model_validate({"metric": "r2_corr", **sides})
        table = run_tests(scores, summary, [test], NOMINAL)
        rate = _rate(f"ten equally good layers against one, {layer}, two-sided", table["p"].to_numpy())
        deeper_wins[layer] = ((table["p"] <= NOMINAL) & (table["difference"] > 0)).mean()
        print(f"\nthe same, ten layers better: {deeper_wins[layer]:.3f}; mean {table['difference'].mean():+.3f}")
        assert rate <= HIGHEST or layer == "best"
    # nominal on one side is .025
    assert deeper_wins["nested"] <= NOMINAL / 2
    assert deeper_wins["best"] > NOMINAL


def test_false_discovery_rate_of_benjamini_hochberg():
    random = np.random.default_rng(11)
    null = random.random((N_STUDIES, 15))
    real = random.random((N_STUDIES, 5)) / 1000
    any_found = np.array([benjamini_hochberg(row).min() for row in null])
    assert _rate("Benjamini-Hochberg, some discovery among 15 nulls", any_found) <= HIGHEST
    adjusted = np.array([benjamini_hochberg(row) for row in np.concatenate([null, real], axis=1)])
    found = adjusted <= NOMINAL
    rate = (found[:, :15].sum(axis=1) / np.maximum(found.sum(axis=1), 1)).mean()
    print(f"\nfalse discovery rate, 5 of 20 are real: {rate:.3f}")
    assert rate <= HIGHEST
    assert found[:, 15:].all()
