"""CKA: the definition written out, invariances, and what units by number alone do to it."""

from itertools import permutations

import numpy as np
import pytest

from auralign.errors import ConfigError, DataError
from auralign.similarity.cka import cka, cka_features, cka_matrix, hsic


def random_rotation(n: int, random: np.random.Generator) -> np.ndarray:
    return np.linalg.qr(random.standard_normal((n, n)))[0]


def test_unbiased_hsic_is_the_mean_over_different_stimuli():
    """n = 12: k_ij (l_ij + l_qr - 2 l_iq) over all ordered quadruples of different stimuli."""
    random = np.random.default_rng(0)
    x, y = random.standard_normal((12, 7)), random.standard_normal((12, 5))
    k, l = x @ x.T, y @ y.T  # noqa: E741
    quadruples = list(permutations(range(12), 4))
    total = sum(k[i, j] * (l[i, j] + l[q, r] - 2 * l[i, q]) for i, j, q, r in quadruples)
    assert hsic(k, l) == pytest.approx(total / len(quadruples), rel=1e-11)


def test_unbiased_hsic_as_its_source_writes_it():
    random = np.random.default_rng(1)
    n = 9
    x, y = random.standard_normal((n, 4)), random.standard_normal((n, 6))
    k, l = x @ x.T, y @ y.T  # noqa: E741
    np.fill_diagonal(k, 0.0), np.fill_diagonal(l, 0.0)
    one = np.ones(n)
    written = (
        np.trace(k @ l) + (one @ k @ one) * (one @ l @ one) / ((n - 1) * (n - 2)) - 2 / (n - 2) * one @ k @ l @ one
    )
    assert hsic(x @ x.T, y @ y.T) == pytest.approx(written / (n * (n - 3)), rel=1e-11)


def test_biased_cka_is_the_published_ratio():
    random = np.random.default_rng(2)
    x, y = random.standard_normal((20, 4)), random.standard_normal((20, 6))
    a, b = x - x.mean(axis=0), y - y.mean(axis=0)
    expected = np.linalg.norm(a.T @ b) ** 2 / (np.linalg.norm(a.T @ a) * np.linalg.norm(b.T @ b))
    assert cka(x, y, "biased") == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("estimator", ["unbiased", "biased"])
def test_rotation_scale_shift_and_order_of_stimuli_change_nothing(estimator):
    random = np.random.default_rng(3)
    x, y = random.standard_normal((30, 8)), random.standard_normal((30, 50))
    expected, order = cka(x, y, estimator), random.permutation(30)
    assert cka(1e4 + 3.0 * x @ random_rotation(8, random), y, estimator) == pytest.approx(expected, abs=1e-9)
    assert cka(x[order], y[order], estimator) == pytest.approx(expected, abs=1e-12)
    assert cka(y, x, estimator) == pytest.approx(expected, abs=1e-13)
    assert cka(x, x, estimator) == pytest.approx(1.0, abs=1e-13)


def test_noise_has_no_similarity_however_many_units():
    random = np.random.default_rng(4)
    x, y = random.standard_normal((165, 768)), random.standard_normal((165, 7694))
    assert abs(cka(x, y)) < 0.01
    assert cka(x, y, "biased") == pytest.approx(0.90, abs=0.01)


def test_units_that_share_nothing_have_no_corrected_similarity():
    """Every unit alone follows one stimulus of its own: pairs of different units have a negative self-term."""
    assert np.isnan(cka_features(np.eye(8), np.random.default_rng(0).standard_normal((8, 5)), "x"))


def test_two_samples_of_units_of_one_population_are_one_once_corrected():
    """50 and 768 of endless units whose spectrum falls as 1/k: the truth is 1."""
    random = np.random.default_rng(5)
    found = []
    for _ in range(20):
        shared = random.standard_normal((165, 100)) / np.sqrt(np.arange(1, 101))
        x, y = (shared @ random.standard_normal((100, q)) for q in (50, 768))
        found.append([cka(x, y), cka_features(x, y)])
    plain, corrected = np.mean(found, axis=0)
    assert plain < 0.9 and corrected == pytest.approx(1.0, abs=0.03)


def test_the_correction_is_the_sum_over_different_units():
    random = np.random.default_rng(6)
    x, y = random.standard_normal((10, 4)) + random.standard_normal((10, 1)), random.standard_normal((10, 3))
    x[:, 0] += 5.0
    grams = [np.outer(unit, unit) for unit in x.T]
    pairs = [hsic(grams[a], grams[b]) for a, b in permutations(range(4), 2)]
    of_x = np.mean(pairs) * 16
    expected = hsic(x @ x.T, y @ y.T) / np.sqrt(of_x * hsic(y @ y.T, y @ y.T))
    assert cka_features(x, y, "x") == pytest.approx(expected, rel=1e-9)


def test_a_matrix_of_many_is_every_pair():
    random = np.random.default_rng(7)
    xs = [random.standard_normal((15, q)) for q in (3, 20, 1)]
    ys = [xs[0] + random.standard_normal((15, 3)), random.standard_normal((15, 40))]
    both = cka_matrix(xs, ys)
    assert both.shape == (3, 2)
    np.testing.assert_allclose(both, [[cka(x, y) for y in ys] for x in xs], atol=1e-14)
    np.testing.assert_allclose(cka_matrix(xs).diagonal(), 1.0, atol=1e-14)


def test_a_constant_layer_is_undefined_and_loses_no_other():
    random = np.random.default_rng(8)
    constant = np.full((10, 5), 0.1)
    found = cka_matrix([random.standard_normal((10, 4)), constant])
    assert np.isnan(found[1]).all() and np.isnan(found[0, 1]) and found[0, 0] == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("x", "y", "message"),
    [
        (np.ones((3, 2)), np.ones((3, 2)), "3 stimuli; at least 4"),
        (np.ones((5, 2)), np.ones((6, 2)), "5 stimuli, y of 6"),
        (np.ones(5), np.ones((5, 2)), r"the shape is \(5,\)"),
        (np.ones((5, 0)), np.ones((5, 2)), "no units"),
        (np.where(np.eye(5) > 0, np.nan, 1.0), np.ones((5, 2)), "5 values are not finite, the first at stimulus 0"),
    ],
)
def test_what_cannot_be_compared_is_refused(x, y, message):
    with pytest.raises(DataError, match=message):
        cka(x, y)


def test_names_that_are_not_there_are_refused():
    x = np.random.default_rng(9).standard_normal((6, 3))
    with pytest.raises(ConfigError, match="use unbiased or biased"):
        cka(x, x, "debiased")
    with pytest.raises(ConfigError, match="use both, x or y"):
        cka_features(x, x, "none")
    with pytest.raises(DataError, match="one unit is no sample"):
        cka_features(x[:, :1], x)
