"""Confound removal against residuals of scikit-learn's regression, and its table."""

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LinearRegression

from auralign.errors import DataError
from auralign.inputs.confounds import read_confounds, remove_confounds


def test_equals_residuals_of_a_regression_on_the_development_stimuli():
    random = np.random.default_rng(0)
    confounds = random.standard_normal((40, 3)) * [1.0, 1e6, 1e-6] + [0, 1e7, 5e-6]
    values = random.standard_normal((40, 7)) + confounds[:, :1] @ random.standard_normal((1, 7)) + 3.0
    development, test = np.arange(0, 40, 2), np.arange(1, 40, 2)
    standardised = (confounds - confounds[development].mean(axis=0)) / confounds[development].std(axis=0)
    model = LinearRegression().fit(standardised[development], values[development])
    got = remove_confounds(values, confounds, development, test)
    for part, rows in zip(got, (development, test), strict=True):
        assert np.abs(part - (values[rows] - model.predict(standardised[rows]))).max() < 1e-11
    assert np.abs(confounds[development].T @ got[0] / [[1], [1e6], [1]]).max() < 1e-8


def test_test_stimuli_do_not_enter_the_fit():
    random = np.random.default_rng(1)
    confounds, values = random.standard_normal((20, 2)), random.standard_normal((20, 3))
    development, test = np.arange(12), np.arange(12, 20)
    before = remove_confounds(values, confounds, development, test)
    values[15] += 100.0
    after = remove_confounds(values, confounds, development, test)
    np.testing.assert_array_equal(before[0], after[0])
    np.testing.assert_allclose(after[1][3] - before[1][3], 100.0)


def test_confounds_that_depend_on_each_other_do_no_harm():
    random = np.random.default_rng(2)
    confounds, values = random.standard_normal((20, 2)), random.standard_normal((20, 3))
    twice = np.column_stack([confounds, confounds.sum(axis=1), np.r_[np.zeros(15), np.ones(5)]])  # constant within
    rows = np.arange(15), np.arange(15, 20)
    one, other = remove_confounds(values, confounds, *rows), remove_confounds(values, twice, *rows)
    assert np.abs(one[0] - other[0]).max() < 1e-11
    # a confound that does not vary over the development stimuli has no slope there
    assert np.abs(one[1] - other[1]).max() < 1e-11


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ({"stimulus": ["a", "a"], "loud": [1.0, 2.0]}, "'a' is there more than once"),
        ({"stimulus": ["a", "b"], "loud": ["x", "y"]}, r"must be a number; not so: \['loud'\]"),
        ({"stimulus": ["a", "b"]}, "must be a number"),
        ({"stimulus": ["a", "b"], "loud": [1.0, np.nan]}, r"finite and vary over stimuli; not so: \['loud'\]"),
        ({"stimulus": ["a", "b"], "loud": [1.0, 1.0]}, "vary over stimuli"),
    ],
)
def test_a_wrong_table_is_refused(tmp_path, table, message):
    path = tmp_path / "c.tsv"
    pd.DataFrame(table).to_csv(path, sep="\t", index=False)
    with pytest.raises(DataError, match=message):
        read_confounds(path)
