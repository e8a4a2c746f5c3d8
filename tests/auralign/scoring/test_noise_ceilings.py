"""Noise ceilings and their intervals: brute force, scipy's bootstrap, planted answers, and how often they cover."""

import numpy as np
import pandas as pd
import pytest
from pydantic import ValidationError
from scipy.stats import bootstrap
from scipy.stats import t as student_t

from auralign.errors import DataError
from auralign.inputs.repetitions import effective_repetitions
from auralign.scoring import ceiling_intervals, noise_ceilings
from auralign.scoring.ceiling_options import Ceiling
from auralign.scoring.ceilings import median_pairwise_correlation, spearman_brown
from auralign.scoring.noise_ceilings import noise_ceiling
from auralign.scoring.scores import r2_corr


def planted(n: int, n_targets: int, r: float, n_repetitions: int = 3, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Signals [stimulus, target] and repetitions of them, any two of which correlate r in the population."""
    random = np.random.default_rng(seed)
    signal = np.sqrt(r) * random.standard_normal((n, n_targets))
    noise = np.sqrt(1 - r) * random.standard_normal((n, n_targets, n_repetitions))
    return signal, signal[:, :, None] + noise


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


def test_the_bootstrap_is_over_stimuli_in_blocks_as_in_one(monkeypatch):
    n, n_draws = 30, 40
    _, y = planted(n, 5, 0.4)
    result = noise_ceiling(y, n_draws, level=0.8, seed=9, interval="bootstrap")
    counts = np.random.default_rng(9).multinomial(n, np.full(n, 1 / n), size=n_draws)
    for target in range(5):
        samples = [by_definition(np.repeat(y[:, target], count, axis=0)) for count in counts]
        expected = np.quantile(samples, [0.1, 0.9])
        found = [result["ceiling_low"][target], result["ceiling_high"][target]]
        np.testing.assert_allclose(found, expected, rtol=1e-9)
    monkeypatch.setattr(noise_ceilings, "TARGETS_AT_ONCE", 2)
    in_blocks = noise_ceiling(y, n_draws, level=0.8, seed=9, interval="bootstrap")
    for name, values in result.items():
        np.testing.assert_allclose(in_blocks[name], values, rtol=1e-9)


def test_the_bootstrap_is_scipys_but_for_the_draws():
    _, y = planted(60, 2, 0.4)
    result = noise_ceiling(y, 20_000, level=0.9, interval="bootstrap")
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


@pytest.mark.parametrize("interval", ["jackknife", "bootstrap"])
def test_absent_and_constant_repetitions_do_not_count(interval):
    _, y = planted(40, 4, 0.5)
    two = noise_ceiling(y[:, :, :2], n_draws=50, interval=interval)
    y[:, 0, 2], y[:, 2, 2] = np.nan, 4.0
    y[:, 3, 1:] = np.nan
    result = noise_ceiling(y, n_draws=50, interval=interval)
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


@pytest.mark.parametrize("interval", ["jackknife", "bootstrap"])
def test_the_ceiling_of_unequal_repetitions_is_that_of_the_pairs_that_are_there(interval):
    _, y = planted(50, 3, 0.4)
    y = unequal(y, 0.3)
    y[:, 2] = np.where(np.isnan(y[:, :1]), np.nan, y[:, 2:])[:, 0]  # lacks more
    y[:, 2, 0] = np.where(np.isnan(y[:, 2]).all(axis=1), 1.0, y[:, 2, 0])
    result = noise_ceiling(y, n_draws=20, interval=interval)
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
    equal = ceiling_intervals.reliability_of_mean(y - y.mean(axis=0), np.full(5, 3), weights)
    with_gaps = ceiling_intervals.reliability_with_gaps(y, np.full((40, 3), True), 40 * weights)
    np.testing.assert_allclose(with_gaps, equal, rtol=1e-9)


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


def drawn(kind: str, random: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    """Numbers of mean 0 and variance 1."""
    if kind == "normal":
        return random.standard_normal(shape)
    return (
        random.standard_t(5, shape) / np.sqrt(5 / 3) if kind == "heavy-tailed" else random.exponential(size=shape) - 1
    )


# share of 800 targets that a 95 % interval covers at least and at most; Monte Carlo error .008 to .010, three of them
EXPECTED = {"normal": (0.92, 0.975), "heavy-tailed": (0.90, 0.975), "skewed": (0.89, 0.97)}


@pytest.mark.parametrize(("n", "n_repetitions"), [(165, 3), (165, 2), (83, 3), (83, 2)])
@pytest.mark.parametrize("kind", EXPECTED)
@pytest.mark.parametrize("r", [0.05, 0.3, 0.7])
def test_the_interval_covers_the_truth_as_often_as_it_says(r, kind, n, n_repetitions):
    random = np.random.default_rng(int(100 * r) + n + n_repetitions)
    signal, noise = drawn(kind, random, (n, 800, 1)), drawn(kind, random, (n, 800, n_repetitions))
    y = np.sqrt(r) * signal + np.sqrt(1 - r) * noise
    true, covered = spearman_brown(r, n_repetitions), {}
    for interval in ("jackknife", "bootstrap"):
        result = noise_ceiling(y, n_draws=300 if interval == "bootstrap" else 1000, interval=interval)
        covered[interval] = np.mean((result["ceiling_low"] <= true) & (true <= result["ceiling_high"]))
    low, high = EXPECTED[kind]
    assert low < covered["jackknife"] < high
    # the same targets: the error of their difference is smaller, about .005
    assert covered["jackknife"] > covered["bootstrap"] - 0.01


@pytest.mark.parametrize("r", [0.05, 0.3, 0.7])
def test_the_bootstrap_covers_the_truth_as_often_as_it_says(r):
    _, y = planted(165, 800, r, seed=int(100 * r))
    result = noise_ceiling(y, n_draws=400, interval="bootstrap")
    true = spearman_brown(r, 3)
    covered = np.mean((result["ceiling_low"] <= true) & (true <= result["ceiling_high"]))
    # Monte Carlo error of a share of .94 of 800: .0084, three of them on either side
    assert 0.915 < covered < 0.965


@pytest.mark.parametrize("r", [0.05, 0.3, 0.7, 0.97])
def test_the_interval_of_unequal_repetitions_covers_it_as_well(r):
    random = np.random.default_rng(5)
    y = np.sqrt(r) * random.standard_normal((83, 800, 1)) + np.sqrt(1 - r) * random.standard_normal((83, 800, 3))
    y = unequal(np.ones((83, 1, 3)), 0.3) * y  # the same gaps in all targets, so that they have one truth
    counts = np.isfinite(y[:, 0]).sum(axis=1)
    true = r / (r + (1 - r) * np.mean(1 / counts))
    result = noise_ceiling(y)
    covered = np.mean((result["ceiling_low"] <= true) & (true <= result["ceiling_high"]))
    assert 0.915 < covered < 0.985


def without_each(y: np.ndarray, ceiling=by_definition) -> np.ndarray:
    return np.array([ceiling(np.delete(y, stimulus, axis=0)) for stimulus in range(len(y))])


def test_the_jackknife_leaves_out_every_stimulus_in_turn():
    n, level = 25, 0.8
    _, y = planted(n, 4, 0.4)
    y[:, 1, 2] = np.nan  # two repetitions
    y[:, 2] = 3.0 * y[:, 2] + 1000.0
    result = noise_ceiling(y, level=level)
    steps = student_t.ppf(0.5 + level / 2, n - 1)
    for target in range(4):
        own = y[:, target, :2] if target == 1 else y[:, target]
        left_out = np.log(1 - without_each(own))
        error = np.sqrt((n - 1) / n * ((left_out - left_out.mean()) ** 2).sum())
        ends = 1 - (1 - by_definition(own)) * np.exp([steps * error, -steps * error])
        assert [result["ceiling_low"][target], result["ceiling_high"][target]] == pytest.approx(ends, rel=1e-6)


def test_the_jackknife_of_unequal_repetitions_is_on_the_scale_of_the_ceiling():
    n = 25
    _, y = planted(n, 2, 0.4)
    y = unequal(y, 0.3)
    y = np.concatenate([y, np.full((1, 2, 3), np.nan)])  # a stimulus that was never measured changes nothing
    result = noise_ceiling(y)

    def pairwise(own: np.ndarray) -> float:
        return noise_ceiling(own[:, None], n_draws=0)["ceiling"][0]

    for target in range(2):
        left_out = without_each(y[:-1, target], pairwise)
        reach = student_t.ppf(0.975, n - 1) * np.sqrt((n - 1) / n * ((left_out - left_out.mean()) ** 2).sum())
        ceiling = pairwise(y[:, target])
        ends = [ceiling - reach, min(ceiling + reach, 1.0)]
        assert [result["ceiling_low"][target], result["ceiling_high"][target]] == pytest.approx(ends, rel=1e-9)


@pytest.mark.parametrize("options", [{}, {"interval": "bootstrap", "n_draws": 40}, {"n_draws": 0}])
def test_parts_of_the_targets_have_the_same_ceilings(options):
    _, y = planted(40, 1200, 0.3)
    y[:, 700, 1] = np.nan
    whole = noise_ceiling(y, **options)
    for own in (slice(0, 512), slice(100, 1101), slice(1199, 1200)):
        part = noise_ceiling(y[:, own], **options)
        for name, values in whole.items():
            if options.get("interval") == "bootstrap" and name != "ceiling":  # products of matrices of other widths
                np.testing.assert_allclose(part[name], values[own], rtol=1e-12)
            else:
                np.testing.assert_array_equal(part[name], values[own])


def test_single_precision_is_computed_in_double_precision():
    _, y = planted(40, 3, 0.3)
    single = y.astype(np.float32)
    for name, values in noise_ceiling(single).items():
        np.testing.assert_array_equal(values, noise_ceiling(single.astype(np.float64))[name])


def test_no_noise_and_hardly_a_stimulus_have_intervals_that_say_so():
    signal, _ = planted(20, 1, 1.0)
    y = np.repeat(signal[:, :, None], 3, axis=2)
    assert [noise_ceiling(y)[name][0] for name in ("ceiling", "ceiling_low", "ceiling_high")] == pytest.approx(
        [1, 1, 1]
    )
    y[0, 0, 0] += 0.5  # all the noise there is, in one stimulus
    result = noise_ceiling(y)
    assert result["ceiling_low"][0] < result["ceiling"][0] < result["ceiling_high"][0] <= 1.0
    few = noise_ceiling(planted(2, 5, 0.5)[1])
    assert np.isfinite(few["ceiling"]).all() and np.isnan(few["ceiling_low"]).all()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"n_draws": 500}, "interval: bootstrap"),
        ({"seed": 1}, "interval: bootstrap"),
        ({"interval": "bootstrap", "n_draws": 10}, "n_draws: 10 samples have no 0.95 interval; give 40 or more"),
        ({"level": 95}, "less than 1"),
        ({"interval": "feldt"}, "jackknife.*bootstrap"),
        ({"draws": 5}, "draws"),
        ({"n_draws": -1}, "greater than or equal to 0"),
    ],
)
def test_options_that_do_not_go_together_are_refused(options, message):
    with pytest.raises(ValidationError, match=message):
        Ceiling.model_validate(options)


def test_what_was_recorded_can_be_read_again():
    for options in ({}, {"n_draws": 0}, {"interval": "bootstrap", "n_draws": 200, "seed": 3}):
        settled = Ceiling.model_validate(options)
        assert Ceiling.model_validate(settled.model_dump(mode="json")) == settled
        assert settled.has_interval == (options.get("n_draws", 1) > 0)


def test_what_is_no_array_of_repetitions_is_refused():
    with pytest.raises(DataError, match=r"shape \(5, 3\).*stimuli, targets, repetitions"):
        noise_ceiling(np.ones((5, 3)))
    with pytest.raises(DataError, match=r"level: 95.*0\.95"):
        noise_ceiling(np.ones((5, 3, 2)), level=95)
    with pytest.raises(DataError, match="interval: 'feldt' is none of jackknife, bootstrap"):
        noise_ceiling(np.ones((5, 3, 2)), interval="feldt")
