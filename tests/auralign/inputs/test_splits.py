"""Splits and the order of stimuli."""

import numpy as np
import pytest
from sklearn.model_selection import ShuffleSplit

from auralign.errors import ConfigError
from auralign.inputs.split_options import Splits
from auralign.inputs.splits import make_splits
from auralign.inputs.stimuli import stimulus_order


def test_stimulus_numbers_sort_as_numbers():
    assert stimulus_order(["stim11_b", "stim5_z", "stim102_a"]) == ["stim5_z", "stim11_b", "stim102_a"]


def test_without_a_number_everywhere_the_names_sort():
    assert stimulus_order(["stim11_b", "stim5_z", "other"]) == ["other", "stim11_b", "stim5_z"]


def test_tuckute2023_reproduces_the_published_draws():
    splits = make_splits(Splits(kind="tuckute2023"), 165)
    assert [len(splits), *map(len, splits[0])] == [10, 83, 82]
    assert splits[0][0].sum() == 7304
    assert splits[9][0].sum() == 6573
    for development, test in splits:
        assert sorted([*development, *test]) == list(range(165))


def test_tuckute2023_refuses_another_number_of_stimuli():
    with pytest.raises(ConfigError, match="165 stimuli, here are 164"):
        make_splits(Splits(kind="tuckute2023"), 164)


def test_shuffle_is_scikit_learns_in_ascending_order():
    splits = make_splits(Splits(n_splits=3, train_size=20, test_size=10, seed=5), 40)
    reference = ShuffleSplit(3, train_size=20, test_size=10, random_state=5).split(np.zeros(40))
    for (development, test), (reference_development, reference_test) in zip(splits, reference, strict=True):
        np.testing.assert_array_equal(development, np.sort(reference_development))
        np.testing.assert_array_equal(test, np.sort(reference_test))


def test_sizes_that_do_not_fit_are_refused_with_the_numbers():
    with pytest.raises(ConfigError, match=r"83 \+ test_size 82 = 165 stimuli, but only 160"):
        make_splits(Splits(train_size=83, test_size=82), 160)


def test_stratified_splits_keep_the_shares_of_the_categories():
    categories = ["a"] * 30 + ["b"] * 10
    config = Splits(kind="stratified", n_splits=4, train_size=20, test_size=20)
    for development, test in make_splits(config, 40, categories):
        assert np.isin(development, np.arange(30)).sum() == 15
        assert np.isin(test, np.arange(30)).sum() == 15
    with pytest.raises(ConfigError, match="needs `stimuli"):
        make_splits(config, 40)
