"""Noise ceilings of similarities."""

import numpy as np
import pytest
from scipy.stats import rankdata, spearmanr

from auralign.errors import ConfigError, DataError
from auralign.similarity.ceilings import similarity_ceilings
from auralign.similarity.comparisons import METHODS, compare


def shared_rdms(n_subjects: int = 6, noise: float = 1.0, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    truth = random.uniform(0, 1, 190)
    scale = random.uniform(0.1, 10, (n_subjects, 1))
    return truth, scale * (truth + noise * 0.3 * random.standard_normal((n_subjects, 190)) + 2.0)


def test_written_out_for_ranks():
    _, rdms = shared_rdms()
    lower, upper = similarity_ceilings(rdms, "spearman")
    ranks = rankdata(rdms, axis=1)
    for subject in range(6):
        others = np.delete(ranks, subject, axis=0).mean(axis=0)
        assert lower[subject] == pytest.approx(spearmanr(rdms[subject], others).statistic, abs=1e-12)
        assert upper[subject] == pytest.approx(spearmanr(rdms[subject], ranks.mean(axis=0)).statistic, abs=1e-12)


@pytest.mark.parametrize("method", METHODS)
def test_lower_is_below_upper_and_a_scale_is_nothing(method):
    _, rdms = shared_rdms()
    lower, upper = similarity_ceilings(rdms, method)
    assert lower.mean() < upper.mean()
    scaled, _ = similarity_ceilings(rdms * np.arange(1, 7)[:, None], method)
    np.testing.assert_allclose(scaled, lower, atol=1e-10)


@pytest.mark.parametrize("method", ["pearson", "cosine"])
def test_no_rdm_beats_the_upper_ceiling(method):
    _, rdms = shared_rdms()
    _, upper = similarity_ceilings(rdms, method)
    random = np.random.default_rng(1)
    best = (rdms / rdms.mean(axis=1, keepdims=True)).mean(axis=0)
    for _ in range(50):
        other = best + 0.05 * random.standard_normal(190)
        assert compare(rdms, other, method).mean() < upper.mean()


def test_the_truth_lies_between_lower_and_upper_on_average():
    found = []
    for seed in range(30):
        truth, rdms = shared_rdms(seed=seed)
        lower, upper = similarity_ceilings(rdms, "pearson")
        found.append([lower.mean(), compare(rdms, truth, "pearson").mean(), upper.mean()])
    low, model, high = np.mean(found, axis=0)
    assert low < model < high


def test_refused():
    with pytest.raises(DataError, match="2 subjects or more"):
        similarity_ceilings(np.ones((1, 10)))
    with pytest.raises(DataError, match="not finite"):
        similarity_ceilings(np.full((2, 10), np.nan))
    with pytest.raises(ConfigError, match="'kendall' is no comparison"):
        similarity_ceilings(np.ones((2, 10)), "kendall")
