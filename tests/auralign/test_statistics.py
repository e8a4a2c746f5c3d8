"""Statistics: julearn and statsmodels as oracles."""

import numpy as np
import pandas as pd
import pytest
from julearn.stats.corrected_ttest import corrected_ttest as julearn_ttest
from statsmodels.stats.multitest import multipletests

from auralign.statistics import benjamini_hochberg, corrected_ttest


def _julearn_scores(values: np.ndarray, model: str) -> pd.DataFrame:
    columns = {"fold": range(10), "repeat": 0, "n_train": 83, "n_test": 82, "cv_mdsum": "x", "test_r2": values}
    return pd.DataFrame({**columns, "model": model})


def test_corrected_ttest_equals_julearns():
    a, b = np.random.default_rng(0).random((2, 10))
    t, df, p = corrected_ttest((a - b)[:, None], 83, 82)
    reference = julearn_ttest(_julearn_scores(a, "a"), _julearn_scores(b, "b"))
    assert t[0] == pytest.approx(reference["t-stat"].iloc[0], rel=1e-12)
    assert p[0] == pytest.approx(reference["p-val"].iloc[0], rel=1e-12)
    assert df == 9


def test_p_is_1_where_all_differences_are_zero_and_never_0():
    difference = np.stack([np.zeros(10), np.full(10, 0.1), np.full(10, 0.1) + 1e-12 * np.arange(10)], axis=1)
    t, _, p = corrected_ttest(difference, 83, 82)
    assert t[0] == 0.0
    assert p[0] == 1.0
    assert (p > 0).all()
    assert p[1] < 1e-10


def test_benjamini_hochberg_equals_statsmodels_and_keeps_missing_values():
    p = np.random.default_rng(1).random(30) ** 3
    np.testing.assert_allclose(benjamini_hochberg(p), multipletests(p, method="fdr_bh")[1], rtol=1e-12)
    with_nan = benjamini_hochberg(np.insert(p, 4, np.nan))
    assert np.isnan(with_nan[4])
    np.testing.assert_allclose(np.delete(with_nan, 4), benjamini_hochberg(p))
