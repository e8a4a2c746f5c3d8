"""Resampling: enumeration of all draws and permutations, scipy and scikit-learn loops as oracles."""

from itertools import permutations, product
from types import SimpleNamespace

import numpy as np
import pytest
from scipy.stats import bootstrap
from sklearn.linear_model import RidgeCV

from auralign.errors import DataError
from auralign.inference import resampling
from auralign.inference.resampling import paired_bootstrap, permutation_test, published_bootstrap, ridge_predictor
from auralign.scoring.scores import r2, r2_corr

ALPHAS = np.logspace(-1, 3, 5)


@pytest.fixture
def subjects() -> tuple[np.ndarray, np.ndarray]:
    """Values of five subjects for two networks; subjects differ more than networks do."""
    random = np.random.default_rng(4)
    level = 10 * random.standard_normal(5)
    return level + 0.8 + 0.5 * random.standard_normal(5), level + 0.5 * random.standard_normal(5)


def _studies(n_subjects: int, n_rows: int, effect: float, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    a, b = np.random.default_rng(seed).standard_normal((2, n_subjects, n_rows))
    return (a + effect) / np.sqrt(2), b / np.sqrt(2)


def test_paired_bootstrap_equals_the_enumeration_of_all_draws(subjects):
    d = subjects[0] - subjects[1]
    t = abs(d.mean()) / (d.std(ddof=1) / np.sqrt(5))
    t_draws = []
    for draw in product(d, repeat=5):
        spread = np.std(draw, ddof=1) / np.sqrt(5)
        t_draws.append(np.inf if len(set(draw)) == 1 else abs(np.mean(draw) - d.mean()) / spread)
    exact = np.mean(np.array(t_draws) >= t)
    result = paired_bootstrap(*subjects, n_draws=100_000)
    assert 0.01 < exact < 0.3
    assert result.p == pytest.approx(exact, abs=4 * np.sqrt(exact / 100_000))
    assert result.difference == pytest.approx(d.mean(), rel=1e-12)
    assert result.effect == pytest.approx(d.mean() / d.std(ddof=1), rel=1e-12)
    assert (result.n_subjects, result.n_draws) == (5, 100_000)
    half = np.quantile(t_draws, 0.9) * d.std(ddof=1) / np.sqrt(5)
    wide = paired_bootstrap(*subjects, n_draws=100_000, level=0.9)
    assert d.mean() - wide.low == pytest.approx(half, rel=0.03)
    assert wide.high - d.mean() == pytest.approx(half, rel=0.03)


def test_only_the_paired_differences_count_and_sides_can_be_swapped(subjects):
    a, b = subjects
    plain, offset = paired_bootstrap(a, b), paired_bootstrap(a + 100 * np.arange(5), b + 100 * np.arange(5))
    assert offset.p == plain.p
    assert offset.low == pytest.approx(plain.low, rel=1e-9)
    swapped = paired_bootstrap(b, a)
    assert swapped.p == plain.p
    assert (swapped.low, swapped.high) == pytest.approx((-plain.high, -plain.low))


def test_rows_are_independent_of_each_other():
    a, b = _studies(8, 6, 0.5)
    together = paired_bootstrap(a, b, n_draws=500)
    alone = [paired_bootstrap(a[:, row], b[:, row], n_draws=500) for row in range(6)]
    np.testing.assert_array_equal(together.p, [result.p for result in alone])
    np.testing.assert_allclose(together.low, [result.low for result in alone], rtol=1e-12)


@pytest.mark.parametrize("level", [0.95, 0.9])
def test_studentised_interval_excludes_0_exactly_where_p_is_at_most_its_complement(level):
    result = paired_bootstrap(*_studies(8, 800, 0.9), n_draws=1999, level=level)
    excluded = (result.low > 0) | (result.high < 0)
    np.testing.assert_array_equal(excluded, result.p <= 1 - level + 1e-12)
    assert 0.1 < excluded.mean() < 0.95


@pytest.mark.parametrize(("interval", "method"), [("bca", "BCa"), ("percentile", "percentile")])
def test_other_intervals_equal_scipys(interval, method):
    random = np.random.default_rng(5)
    a, b = (1 + random.exponential(size=20)) ** 2, random.exponential(size=20)
    ours = paired_bootstrap(a, b, n_draws=100_000, interval=interval)
    theirs = bootstrap(
        (a, b),
        lambda a, b, axis: (a - b).mean(axis=axis),
        paired=True,
        method=method,
        n_resamples=50_000,
        random_state=np.random.default_rng(0),
        batch=5000,
    ).confidence_interval
    width = theirs.high - theirs.low
    assert ours.low == pytest.approx(theirs.low, abs=0.01 * width)
    assert ours.high == pytest.approx(theirs.high, abs=0.01 * width)


@pytest.mark.parametrize(("interval", "method"), [("bca", "BCa"), ("percentile", "percentile")])
def test_other_intervals_are_scipys_of_the_draws_that_p_is_made_of(interval, method):
    # whole numbers, of which means are exact: with 4 subjects 9 % of draws have the mean of all
    difference = np.array([[1.0, 0.0], [2.0, 8.0], [5.0, -4.0], [8.0, 4.0]])
    counts = np.random.default_rng(7).multinomial(4, np.full(4, 0.25), size=500)
    means = counts @ difference / 4
    assert (means == difference.mean(axis=0)).mean() > 0.05
    expected = bootstrap(
        (difference,),
        np.mean,
        axis=0,
        n_resamples=0,
        method=method,
        bootstrap_result=SimpleNamespace(bootstrap_distribution=means.T),
    ).confidence_interval
    for scale in (1.0, 0.1, 1 / 3):
        result = paired_bootstrap(scale * difference + 0.7, np.full((4, 2), 0.7), 500, seed=7, interval=interval)
        np.testing.assert_allclose(result.low, scale * expected.low, rtol=1e-12)
        np.testing.assert_allclose(result.high, scale * expected.high, rtol=1e-12)


@pytest.mark.parametrize("interval", ["bca", "percentile"])
def test_rows_without_spread_have_an_interval_without_width(interval):
    a = np.column_stack([np.full(6, 0.3), np.arange(6.0), np.zeros(6)])
    result = paired_bootstrap(a, np.zeros((6, 3)), 99, interval=interval)
    np.testing.assert_allclose(result.low[[0, 2]], [0.3, 0.0])
    np.testing.assert_allclose(result.high[[0, 2]], [0.3, 0.0])
    assert result.low[1] < 2.5 < result.high[1]


def test_p_is_never_0_and_defined_where_draws_have_no_spread():
    strong = paired_bootstrap(np.arange(8) + 1e6, np.zeros(8), n_draws=99)
    assert strong.p == pytest.approx(1 / 100)
    zero = paired_bootstrap(np.ones(8), np.ones(8))
    assert (zero.p, zero.low, zero.high, zero.effect) == (1.0, 0.0, 0.0, 0.0)
    equal = paired_bootstrap(np.arange(8) + 0.1, np.arange(8))
    assert equal.p == 2.0**-7
    assert equal.low == equal.high == pytest.approx(0.1)
    assert equal.effect == np.inf


@pytest.mark.parametrize("n", [1, 2, 3])
@pytest.mark.parametrize("interval", ["studentised", "bca", "percentile"])
def test_few_subjects_are_warned_of_and_decide_nothing(n, interval):
    with pytest.warns(UserWarning, match=rf"over {n} subject\(s\) tells no difference"):
        result = paired_bootstrap(np.arange(n) + 5.0, np.zeros(n), interval=interval)
    assert result.p > 0.1
    assert (result.low, result.high) == (-np.inf, np.inf)
    assert result.difference == 5.0 + (n - 1) / 2


@pytest.mark.parametrize(
    ("a", "b", "interval", "message"),
    [
        (np.ones(4), np.ones(5), "bca", r"paired values: the shapes are \(4,\) and \(5,\)"),
        (np.ones(0), np.ones(0), "bca", "there is none"),
        (np.array([1, 2, np.nan, 4]), np.ones(4), "bca", r"subjects at \[2\] are not finite"),
        (np.ones(4), np.ones(4), "normal", "'normal' is not one of studentised, bca, percentile"),
    ],
)
def test_values_that_cannot_be_paired_are_refused(a, b, interval, message):
    with pytest.raises(DataError, match=message):
        paired_bootstrap(a, b, interval=interval)


def test_published_bootstrap_is_one_sided_unpaired_and_can_be_0():
    a, b = np.array([2.0, 3.0]), np.array([1.0, 2.0, 6.0])
    exact = np.mean([np.mean(draw) > 2.5 for draw in product(b, repeat=3)])
    assert published_bootstrap(a, b, n_draws=100_000) == pytest.approx(exact, abs=0.006)
    assert published_bootstrap(a + 100, b) == 0.0


def _first_unit(x_dev: np.ndarray, y_dev: np.ndarray, x_test: np.ndarray) -> np.ndarray:
    """A prediction without a fit, so that all permutations can be enumerated."""
    return np.repeat(x_test[:, :1], y_dev.shape[1], axis=1)


def test_permutation_test_equals_the_enumeration_of_all_permutations():
    random = np.random.default_rng(6)
    x, y = random.standard_normal((7, 2)), random.standard_normal((7, 1))
    y += 0.8 * x[:, :1]
    splits = [(np.array([0, 1]), np.array([2, 3, 4, 5, 6])), (np.array([5, 6]), np.array([0, 1, 2, 3, 4]))]
    splits.append((np.array([2, 3]), np.array([0, 1, 4, 5, 6])))
    scores = np.array(
        [
            np.median([r2_corr(y[list(order), 0][test], x[test, 0]) for _, test in splits])
            for order in permutations(range(7))
        ]
    )
    exact = np.mean(scores >= scores[0])
    result = permutation_test([x], y, splits, _first_unit, n_permutations=8000)
    assert 0.01 < exact < 0.5
    assert result.score[0, 0] == pytest.approx(scores[0], rel=1e-12)
    assert result.p[0, 0] == pytest.approx(exact, abs=4 * np.sqrt(exact / 8000))
    assert result.chance[0, 0] == pytest.approx(np.quantile(scores, 0.95), abs=0.02)


@pytest.mark.parametrize("n_permutations", [19, 20, 99, 250])
def test_a_score_exceeds_chance_exactly_where_p_is_at_most_five_percent(n_permutations):
    random = np.random.default_rng(n_permutations)
    y = random.standard_normal((20, 400))
    splits = [(np.arange(10), np.arange(10, 20)), (np.arange(10, 20), np.arange(10))]
    result = permutation_test(
        [y[:, :1] + random.standard_normal((20, 1))], y, splits, _first_unit, n_permutations=n_permutations
    )
    assert (result.p <= 0.05).any() and (result.p > 0.05).any()
    np.testing.assert_array_equal(result.score > result.chance, result.p <= 0.05)


@pytest.fixture
def small() -> tuple[list[np.ndarray], np.ndarray, list]:
    """Three layers of 40 stimuli; the first target depends on the second layer, the others are noise."""
    random = np.random.default_rng(7)
    layers = [random.standard_normal((40, 6)) for _ in range(3)]
    y = random.standard_normal((40, 4))
    y[:, 0] += 2 * layers[1][:, 0]
    orders = [random.permutation(40) for _ in range(5)]
    return layers, y, [(np.sort(order[:20]), np.sort(order[20:])) for order in orders]


def test_scores_are_those_of_scikit_learns_ridge_and_the_planted_layer_is_found(small):
    layers, y, splits = small
    predictor = ridge_predictor(ALPHAS, unpredictable="published")
    result = permutation_test(layers, y, splits, predictor, metric=r2, n_permutations=99)
    expected = np.array(
        [
            np.median(
                [
                    r2(y[test], RidgeCV(ALPHAS, alpha_per_target=True).fit(x[dev], y[dev]).predict(x[test]))
                    for dev, test in splits
                ],
                axis=0,
            )
            for x in layers
        ]
    )
    np.testing.assert_allclose(result.score, expected, rtol=0, atol=1e-10)
    assert result.p[1, 0] == result.p_layers[1, 0] == result.p_best[0] == 1 / 100
    assert (result.p_best[1:] > 0.05).all()
    assert (result.p_layers >= result.p).all()
    assert (result.p_layers > result.p).any()
    np.testing.assert_array_equal(result.p_best, result.p_layers.min(axis=0))
    assert result.p_best_fdr[0] == pytest.approx(4 / 100)
    assert result.chance[1, 0] < result.score[1, 0]


def test_blocks_of_targets_change_nothing(small, monkeypatch):
    whole = permutation_test(*small, ridge_predictor(ALPHAS), n_permutations=49)
    monkeypatch.setattr(resampling, "MAX_COLUMNS", 100)
    blocks = permutation_test(*small, ridge_predictor(ALPHAS), n_permutations=49)
    np.testing.assert_array_equal(whole.p_layers, blocks.p_layers)
    np.testing.assert_allclose(whole.score, blocks.score, rtol=1e-9)
    again = permutation_test(*small, ridge_predictor(ALPHAS), n_permutations=49, seed=1)
    assert (again.p != whole.p).any()


class _Recorder:
    """A fit_predict that keeps the responses that it was given."""

    def __init__(self):
        self.y = []

    def __call__(self, x_dev, y_dev, x_test):
        self.y.append(y_dev)
        return np.zeros((len(x_test), y_dev.shape[1]))


def test_one_permutation_serves_all_splits_layers_and_targets(small):
    layers, _, splits = small
    stimulus = np.arange(40.0)
    recorder = _Recorder()
    result = permutation_test(
        layers[:2], np.column_stack([stimulus, 100 + stimulus]), splits, recorder, n_permutations=30
    )
    # stimulus -> response per permutation, put together from what every split got
    merged = np.full((40, 31, 2), np.nan)
    for number, given in enumerate(recorder.y):
        development = splits[number % len(splits)][0]
        given = given.reshape(len(development), 31, 2)
        known = ~np.isnan(merged[development])
        np.testing.assert_array_equal(merged[development][known], given[known])
        merged[development] = given
    np.testing.assert_array_equal(merged[..., 1], merged[..., 0] + 100)
    np.testing.assert_array_equal(merged[:, 0, 0], np.where(np.isnan(merged[:, 0, 0]), np.nan, stimulus))
    # a constant prediction scores 0 in every permutation: nothing is above chance
    np.testing.assert_array_equal(result.p, 1.0)


def test_stimuli_stay_within_their_groups(small):
    layers, _, splits = small
    category = np.repeat([0, 1, 2, 3], 10)
    recorder = _Recorder()
    y = (100 * category + np.arange(40))[:, None]
    permutation_test(layers[:1], y, splits, recorder, n_permutations=30, groups=category)
    for (development, _), given in zip(splits, recorder.y, strict=True):
        np.testing.assert_array_equal(given // 100, np.repeat(category[development][:, None], 31, axis=1))
        assert (given[:, 1:] != given[:, :1]).mean() > 0.5


@pytest.mark.parametrize(
    ("groups", "message"), [(np.zeros(39), "39 categories for 40 stimuli"), (np.arange(40), "alone in its category")]
)
def test_groups_that_cannot_be_permuted_are_refused(small, groups, message):
    with pytest.raises(DataError, match=message):
        permutation_test(*small, ridge_predictor(ALPHAS), groups=groups)
