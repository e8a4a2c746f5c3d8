"""Procrustes and effective dimensionality: definitions written out, invariances, known truths."""

from itertools import permutations

import numpy as np
import pytest

from auralign.errors import ConfigError, DataError
from auralign.similarity.dimensionality import participation_ratio
from auralign.similarity.procrustes import shape_distance, shape_similarity_held_out
from auralign.similarity.representations import zscored


def test_shape_distance_is_the_best_rotation_of_padded_representations():
    """By SVD of X'Y, the smaller one filled up with zeros, and no rotation does better."""
    random = np.random.default_rng(0)
    x, y = random.standard_normal((12, 3)), random.standard_normal((12, 5))
    a, b = x - x.mean(axis=0), y - y.mean(axis=0)
    a = np.hstack([a, np.zeros((12, 2))])
    size = np.linalg.norm(a) * np.linalg.norm(b)
    u, _, vt = np.linalg.svd(a.T @ b)
    best = np.trace((a @ u @ vt).T @ b) / size
    assert np.cos(shape_distance(x, y)) == pytest.approx(best, abs=1e-12)
    for _ in range(50):
        q = np.linalg.qr(random.standard_normal((5, 5)))[0]
        assert np.trace((a @ q).T @ b) / size <= best


def test_a_turned_moved_and_scaled_copy_is_at_distance_zero():
    random = np.random.default_rng(1)
    x = random.standard_normal((20, 6))
    turned = 5.0 + 0.3 * x @ np.linalg.qr(random.standard_normal((6, 6)))[0]
    assert shape_distance(x, turned) == pytest.approx(0.0, abs=1e-6)  # arccos of 1 - 1e-15


def test_shape_distance_is_a_metric():
    random = np.random.default_rng(2)
    xs = [random.standard_normal((15, q)) for q in (3, 5, 40, 8)]
    d = np.array([[shape_distance(x, y) for y in xs] for x in xs])
    np.testing.assert_allclose(d, d.T, atol=1e-12)
    for i, j, k in permutations(range(4), 3):
        assert d[i, j] <= d[i, k] + d[k, j] + 1e-12


def test_more_units_than_stimuli_look_alike_but_not_on_held_out_stimuli():
    random = np.random.default_rng(3)
    x, y = random.standard_normal((60, 300)), random.standard_normal((60, 400))
    development, test = np.arange(30), np.arange(30, 60)
    assert np.cos(shape_distance(x, y)) > 0.8
    assert abs(shape_similarity_held_out(x, y, development, test)) < 0.05
    turned = x @ np.linalg.qr(random.standard_normal((300, 300)))[0]
    held_out = shape_similarity_held_out(x, turned, development, test)
    along = np.linalg.qr((x[development] - x[development].mean(axis=0)).T)[0][:, :29]
    moved = x[test] - x[development].mean(axis=0)
    expected = np.linalg.norm(moved @ along) ** 2 / np.linalg.norm(moved) ** 2
    assert held_out == pytest.approx(expected, abs=1e-9), "what lies along the development stimuli is found again"


def test_a_constant_representation_has_no_shape():
    x = np.random.default_rng(4).standard_normal((8, 3))
    assert np.isnan(shape_distance(np.full((8, 4), 0.1), x))
    assert np.isnan(shape_similarity_held_out(np.full((8, 4), 0.1), x, np.arange(4), np.arange(4, 8)))


def test_naive_and_published_dimensionality_by_eigenvalues():
    x = np.random.default_rng(5).standard_normal((10, 6)) + 3.0
    centred = x - x.mean(axis=0)
    for estimator, covariance in (("naive", np.cov(x.T)), ("published", np.cov(centred))):
        eigenvalues = np.linalg.eigvalsh(covariance)
        assert participation_ratio(x, estimator) == pytest.approx(
            eigenvalues.sum() ** 2 / (eigenvalues**2).sum(), rel=1e-11
        )


def test_corrected_dimensionality_over_different_stimuli_and_units():
    """Seven stimuli and three units, every combination of different ones written out."""
    random = np.random.default_rng(6)
    x = 2.0 * random.standard_normal((7, 1)) + random.standard_normal((7, 3)) + np.array([0.0, 2.0, -1.0])
    ks = np.einsum("ia,ja->aij", x, x)

    def parts(units):
        a = b = 0.0
        for p, q in units:
            k, m = ks[p], ks[q]
            for i, j, l, r in permutations(range(7), 4):  # noqa: E741
                a += k[i, i] * m[j, j] - k[i, i] * m[j, l] - m[i, i] * k[j, l] + k[i, j] * m[l, r]
                b += k[i, j] * m[i, j] - 2 * k[i, j] * m[j, l] + k[i, j] * m[l, r]
        return a / b

    assert participation_ratio(x, "rows") == pytest.approx(
        parts([(p, q) for p in range(3) for q in range(3)]), rel=1e-9
    )
    assert participation_ratio(x, "both") == pytest.approx(parts(permutations(range(3), 2)), rel=1e-9)


def test_truth_is_found_from_few_stimuli_and_units():
    """100 directions of variance 1/k, seen through few units and stimuli: naive is too small, both about right."""
    random = np.random.default_rng(7)
    variances = 1.0 / np.arange(1, 101)
    truth = variances.sum() ** 2 / (variances**2).sum()
    found = []
    for _ in range(100):
        x = (random.standard_normal((83, 100)) * np.sqrt(variances)) @ random.standard_normal((100, 120))
        found.append([participation_ratio(x, estimator) for estimator in ("naive", "rows", "both")])
    naive, rows, both = np.mean(found, axis=0)
    assert naive < rows < truth and naive < 0.8 * truth
    assert both == pytest.approx(truth, rel=0.1), "a ratio of two estimates without bias keeps a small one"


def test_order_rotation_and_scale_change_no_dimensionality():
    random = np.random.default_rng(8)
    x = random.standard_normal((20, 9)) * np.linspace(1, 4, 9)
    for estimator in ("naive", "rows"):
        turned = 7.0 + 0.1 * x[random.permutation(20)] @ np.linalg.qr(random.standard_normal((9, 9)))[0]
        assert participation_ratio(turned, estimator) == pytest.approx(participation_ratio(x, estimator), rel=1e-8)


def test_what_has_no_dimensionality():
    x = np.random.default_rng(9).standard_normal((6, 1))
    assert participation_ratio(x) == pytest.approx(1.0)
    assert np.isnan(participation_ratio(np.full((6, 3), 0.1)))
    assert np.isnan(participation_ratio(np.full((6, 3), 0.1), "both"))
    with pytest.raises(DataError, match="one unit; the estimator published needs at least 2"):
        participation_ratio(x, "published")
    with pytest.raises(ConfigError, match="use naive, published, rows or both"):
        participation_ratio(x, "row")
    with pytest.raises(DataError, match="3 stimuli; at least 4"):
        participation_ratio(np.ones((3, 5)))


def test_zscored_by_other_stimuli_is_scikit_learns_scaler():
    from sklearn.preprocessing import StandardScaler

    random = np.random.default_rng(10)
    x, by = random.standard_normal((5, 4)), 3.0 + 2.0 * random.standard_normal((9, 4))
    by[:, 2] = 0.1
    np.testing.assert_allclose(zscored(x, by), StandardScaler().fit(by).transform(x), atol=1e-12)
