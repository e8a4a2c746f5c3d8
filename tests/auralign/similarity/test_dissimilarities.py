"""Dissimilarities and comparisons: scipy, invariances, and what has none."""

import numpy as np
import pytest
from scipy.spatial.distance import pdist
from scipy.stats import kendalltau, spearmanr

from auralign.errors import ConfigError, DataError
from auralign.similarity.cka import cka
from auralign.similarity.comparisons import METHODS, compare
from auralign.similarity.dissimilarities import crossnobis, dissimilarities
from auralign.similarity.noise import noise_precision


@pytest.mark.parametrize(
    ("kind", "theirs", "scale"),
    [("correlation", "correlation", 1), ("cosine", "cosine", 1), ("euclidean", "sqeuclidean", 7)],
)
def test_equal_to_scipy_in_its_order(kind, theirs, scale):
    x = np.random.default_rng(0).standard_normal((10, 7)) + 100.0
    np.testing.assert_allclose(dissimilarities(x, kind), pdist(x, theirs) / scale, atol=1e-10)


def test_a_stimulus_without_spread_has_no_correlation():
    x = np.random.default_rng(1).standard_normal((5, 4))
    x[2] = 0.1
    found = dissimilarities(x)
    pairs = np.argwhere(np.triu(np.ones((5, 5)), 1))
    assert (np.isnan(found) == (pairs == 2).any(axis=1)).all()
    assert np.isfinite(dissimilarities(x, "cosine")).all()


def test_one_unit_has_no_correlation_and_is_told_what_has():
    x = np.random.default_rng(2).standard_normal((5, 1))
    with pytest.raises(DataError, match="Use euclidean"):
        dissimilarities(x)
    assert len(dissimilarities(x, "euclidean")) == 10


def test_noise_alone_is_at_distance_zero_cross_validated():
    """Two stimuli that evoke the same response: the plain distance is the noise, the cross-validated one is about 0."""
    random = np.random.default_rng(3)
    y = random.standard_normal((40, 60, 3)) * np.linspace(0.2, 3.0, 60)[:, None]
    plain, held_out = dissimilarities(y.mean(axis=2), "euclidean"), crossnobis(y)
    normalised = crossnobis(y, noise_precision(y))
    assert plain.mean() > 1.0
    for found in (held_out, normalised):
        assert abs(found.mean()) < 4 * found.std() / np.sqrt(20)  # pairs share stimuli: forty stimuli, not 780 pairs
        assert 0.25 < (found < 0).mean() < 0.75


def test_noise_normalisation_is_the_inverse_of_the_shrunk_covariance():
    """Written out with the matrix of units x units."""
    random = np.random.default_rng(4)
    y = np.einsum("sur,uv->svr", random.standard_normal((8, 6, 3)), np.eye(6) + 0.8)  # noise that units share
    noise = noise_precision(y)
    e = np.moveaxis(y - y.mean(axis=2, keepdims=True), 2, 1).reshape(-1, 6)
    covariance = e.T @ e / (8 * 2)
    shrunk = np.where(np.eye(6) > 0, covariance, (1 - noise.shrinkage) * covariance)
    x = random.standard_normal((5, 6))
    assert 0 < noise.shrinkage < 1
    np.testing.assert_allclose(noise.inner_products(x), x @ np.linalg.inv(shrunk) @ x.T, atol=1e-11)


def test_comparisons_equal_scipy():
    random = np.random.default_rng(5)
    a, b = random.integers(0, 5, (2, 45)).astype(float)
    assert compare(a, b) == pytest.approx(spearmanr(a, b).statistic, abs=1e-13)
    assert compare(a, b, "pearson") == pytest.approx(np.corrcoef(a, b)[0, 1], abs=1e-13)
    distinct = random.permutation(45).astype(float), random.permutation(45).astype(float)
    assert compare(*distinct, "tau_a") == pytest.approx(kendalltau(*distinct).statistic, abs=1e-13)
    assert compare(*distinct, "rho_a") == pytest.approx(compare(*distinct, "spearman"), abs=1e-13)


def test_tau_a_counts_pairs_of_pairs():
    random = np.random.default_rng(6)
    a, b = random.integers(0, 4, (2, 15))
    signs = [np.sign(a[i] - a[j]) * np.sign(b[i] - b[j]) for i in range(15) for j in range(i)]
    assert compare(a, b, "tau_a") == pytest.approx(np.mean(signs), abs=1e-13)


def test_whitened_cosine_of_euclidean_distances_is_the_biased_cka():
    random = np.random.default_rng(7)
    x = random.standard_normal((12, 5))
    y = x @ random.standard_normal((5, 9)) + random.standard_normal((12, 9))
    rdms = (dissimilarities(own, "euclidean") for own in (x, y))
    assert compare(*rdms, "whitened_cosine") == pytest.approx(cka(x, y, "biased"), abs=1e-13)


@pytest.mark.parametrize("method", METHODS)
def test_shapes_and_itself(method):
    random = np.random.default_rng(8)
    a, b = random.uniform(1, 2, (3, 21)), random.uniform(1, 2, (2, 21))
    assert compare(a, b, method).shape == (3, 2)
    assert compare(a[0], b, method).shape == (2,) and compare(a, b[0], method).shape == (3,)
    assert compare(a[0], b[0], method).shape == ()
    np.testing.assert_allclose(np.diag(compare(a, a, method)), 1.0, atol=1e-12)
    assert compare(a[1], b[0], method) == pytest.approx(compare(a, b, method)[1, 0], abs=1e-14)


@pytest.mark.parametrize("method", ["spearman", "rho_a", "pearson", "tau_a", "whitened_pearson"])
def test_a_constant_list_has_no_correlation(method):
    random = np.random.default_rng(9)
    assert np.isnan(compare(np.full(15, 0.1), random.uniform(0, 1, 15), method))


def test_missing_pairs_are_left_out_everywhere_or_refused():
    random = np.random.default_rng(10)
    a, b = random.uniform(0, 1, (2, 15)), random.uniform(0, 1, 15)
    a[1, 3], b[7] = np.nan, np.nan
    kept = np.delete(np.arange(15), [3, 7])
    np.testing.assert_allclose(compare(a, b), compare(a[:, kept], b[kept]), atol=0)
    with pytest.raises(DataError, match="2 of 15 are missing"):
        compare(a, b, "whitened_cosine")
    layers = np.stack([np.full(15, np.nan), a[0]])
    for method in ("spearman", "whitened_cosine"):
        found = compare(layers, a[0], method)
        assert np.isnan(found[0]) and found[1] == pytest.approx(1.0), "a layer without any loses no other"


def test_what_is_no_dissimilarity_or_comparison_is_named():
    x = np.random.default_rng(11).standard_normal((5, 4))
    with pytest.raises(ConfigError, match="'manhattan' is not allowed; use correlation"):
        dissimilarities(x, "manhattan")
    with pytest.raises(ConfigError, match="'kendall' is not allowed"):
        compare(dissimilarities(x), dissimilarities(x), "kendall")
    with pytest.raises(DataError, match="lists of as many pairs"):
        compare(np.ones(10), np.ones(6))
    with pytest.raises(DataError, match="two repetitions or more"):
        crossnobis(x[:, :, None])
    with pytest.raises(DataError, match="repetition 1: 1 values are not finite"):
        y = np.stack([x, x + 1.0], axis=2)
        y[0, 0, 1] = np.nan
        crossnobis(y)
    with pytest.raises(DataError, match="the first is unit 2"):
        y = np.random.default_rng(12).standard_normal((5, 4, 2))
        y[:, 2] = 1.0
        noise_precision(y)
