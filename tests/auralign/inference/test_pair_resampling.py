"""Bootstrap and permutation of similarities: drawn stimuli written out, and how often the tests are wrong."""

import numpy as np
import pytest

from auralign.errors import ConfigError, DataError
from auralign.inference.pair_resampling import (
    MEASURES,
    draw_stimuli,
    dual_variance,
    p_of_no_relation,
    permuted,
    resampled,
)
from auralign.inference.permutations import permuted_orders
from auralign.similarity.cka import cka_matrix
from auralign.similarity.comparisons import compare
from auralign.similarity.dissimilarities import dissimilarities

UPPER = np.triu_indices(12, 1)


def lists(random: np.random.Generator, n: int, units: list[int], measure: str) -> np.ndarray:
    """Draw representations with something in common, as what a measure compares."""
    shared = random.standard_normal((n, 3))
    xs = [shared @ random.standard_normal((3, q)) + random.standard_normal((n, q)) for q in units]
    if measure == "cka":
        return np.stack([(x @ x.T)[np.triu_indices(n, 1)] for x in xs])
    return np.stack([np.round(dissimilarities(x), 2) for x in xs])  # rounded, so that some are tied


@pytest.mark.parametrize("measure", MEASURES)
def test_stimuli_as_they_are_give_the_measure_itself(measure):
    random = np.random.default_rng(0)
    a, b = lists(random, 12, [4, 5], measure), lists(random, 12, [6, 7, 8], measure)
    found = resampled(a, b, np.ones((1, 12), dtype=int), measure)[0]
    if measure != "cka":
        np.testing.assert_allclose(found, compare(a, b, measure), atol=1e-12)


def test_cka_of_stimuli_as_they_are():
    random = np.random.default_rng(1)
    xs = [random.standard_normal((12, q)) for q in (4, 5, 6)]
    grams = np.stack([(x @ x.T)[UPPER] for x in xs])
    found = resampled(grams, grams, np.ones((1, 12), dtype=int), "cka")[0]
    np.testing.assert_allclose(found, cka_matrix(xs), atol=1e-12)


@pytest.mark.parametrize("measure", ["spearman", "pearson", "cosine"])
def test_a_draw_is_the_pairs_of_different_stimuli_in_it(measure):
    """Rows drawn, pairs with themselves taken out, and compared."""
    random = np.random.default_rng(2)
    a, b = lists(random, 12, [4, 5], measure), lists(random, 12, [6, 7], measure)
    for counts in draw_stimuli(12, 5, seed=3):
        drawn = np.repeat(np.arange(12), counts)
        i, j = (drawn[side] for side in UPPER)
        position = np.zeros((12, 12), dtype=int)
        position[UPPER] = np.arange(66)
        position += position.T
        taken = position[i, j][i != j]
        expected = compare(a[:, taken], b[:, taken], measure)
        np.testing.assert_allclose(resampled(a, b, counts[None], measure)[0], expected, atol=1e-12)


def test_cka_of_a_draw_is_the_fit_of_stimulus_terms_to_its_pairs():
    """U-centring as least squares: what no sum of two stimulus terms explains of the pairs of different stimuli."""
    random = np.random.default_rng(4)
    a = lists(random, 12, [4, 9], "cka")
    counts = draw_stimuli(12, 1, seed=5)
    weights = counts[0][UPPER[0]] * counts[0][UPPER[1]]
    terms = np.zeros((66, 12))
    terms[np.arange(66), UPPER[0]] = terms[np.arange(66), UPPER[1]] = 1.0
    root = np.sqrt(weights)[:, None]
    rest = root * a.T - root * terms @ np.linalg.lstsq(root * terms, root * a.T, rcond=None)[0]
    expected = rest[:, 0] @ rest[:, 1] / np.prod(np.linalg.norm(rest, axis=0))
    assert resampled(a, a, counts, "cka")[0, 0, 1] == pytest.approx(expected, abs=1e-11)


def test_permuted_stimuli_are_the_representation_in_another_order():
    random = np.random.default_rng(6)
    x, y = random.standard_normal((12, 4)), random.standard_normal((12, 5))
    orders = permuted_orders(12, 3, seed=7)
    for measure in MEASURES:
        if measure == "cka":
            own = [(z @ z.T)[UPPER][None] for z in (x, y)]
            expected = [cka_matrix([x], [y[order]])[0, 0] for order in orders]
        else:
            own = [dissimilarities(z)[None] for z in (x, y)]
            expected = [compare(own[0][0], dissimilarities(y[order]), measure) for order in orders]
        found = [float(value[0, 0]) for value in permuted(*own, orders, measure)]
        np.testing.assert_allclose(found, expected, atol=1e-11)


@pytest.mark.parametrize("measure", ["cka", "spearman"])
def test_no_relation_is_found_no_more_often_than_stated(measure):
    """500 studies of two unrelated representations, one of them with clusters of stimuli."""
    random = np.random.default_rng(8)
    orders = permuted_orders(20, 99, seed=9)
    upper = np.triu_indices(20, 1)
    p = []
    for _ in range(500):
        x = np.repeat(random.standard_normal((4, 30)), 5, axis=0) + random.standard_normal((20, 30))
        y = random.standard_normal((20, 8))
        own = [(z @ z.T)[upper][None] if measure == "cka" else dissimilarities(z)[None] for z in (x, y)]
        p.append(p_of_no_relation(*own, orders, measure)[1][0, 0])
    p = np.array(p)
    error = 2.6 * np.sqrt(0.05 * 0.95 / 500)
    assert (p <= 0.05).mean() <= 0.05 + error and p.min() >= 1 / 100
    assert (p <= 0.5).mean() == pytest.approx(0.5, abs=0.08), "a test that never rejects would pass, too"


def test_a_relation_is_found():
    random = np.random.default_rng(10)
    shared = random.standard_normal((20, 3))
    own = [dissimilarities(shared @ random.standard_normal((3, q)))[None] for q in (30, 40)]
    value, p = p_of_no_relation(*own, permuted_orders(20, 99, seed=0), "spearman")
    assert value[0, 0] == pytest.approx(compare(*own, "spearman")[0, 0], abs=1e-12) and p[0, 0] == 0.01


def test_drawn_stimuli_have_four_different_ones():
    counts = draw_stimuli(4, 200, seed=0)
    assert (counts > 0).all() and counts.sum(axis=1).tolist() == [4] * 200
    assert (draw_stimuli(5, 200, seed=1) > 0).sum(axis=1).min() == 4


def test_a_constant_list_is_undefined_in_every_draw():
    random = np.random.default_rng(11)
    a = np.stack([np.full(66, 0.1), random.uniform(0, 1, 66)])
    for measure in ("spearman", "pearson"):
        found = resampled(a, a[1:], draw_stimuli(12, 4), measure)
        assert np.isnan(found[:, 0]).all() and np.allclose(found[:, 1], 1.0)


def test_dual_variance_is_held_within_its_bounds():
    both, stimuli, subjects = np.array([3.0, 1.0, 9.0]), np.array([1.0, 0.9, 1.0]), np.array([0.5, 0.4, 0.5])
    found = dual_variance(both, stimuli, subjects, 165, 8)
    s, r = 165 / 164, 8 / 7
    plain = r * subjects + s * stimuli - s * r * (both - subjects - stimuli)
    lowest = np.maximum(r * subjects, s * stimuli)
    np.testing.assert_allclose(found, np.minimum(np.maximum(plain, lowest), both))
    assert found[1] < plain[1] and found[2] > plain[2]
    with pytest.raises(DataError, match="at least 2 of each"):
        dual_variance(both, stimuli, subjects, 165, 1)


def test_refused():
    a = np.random.default_rng(12).uniform(0, 1, (2, 66))
    with pytest.raises(DataError, match="12 stimuli have 66 pairs"):
        resampled(a[:, :60], a, draw_stimuli(12, 2), "pearson")
    with pytest.raises(DataError, match="not finite"):
        resampled(np.where(a > 0.9, np.nan, a), a, draw_stimuli(12, 2), "pearson")
    with pytest.raises(ConfigError, match="'kendall' is not allowed; use cka"):
        resampled(a, a, draw_stimuli(12, 2), "kendall")
    with pytest.raises(DataError, match="the order as it is first"):
        p_of_no_relation(a, a, permuted_orders(12, 3)[1:], "pearson")
    with pytest.raises(DataError, match="3 stimuli; at least 4"):
        draw_stimuli(3, 10)
