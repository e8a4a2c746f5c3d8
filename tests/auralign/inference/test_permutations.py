"""Orders of stimuli: freely, within categories, and of whole groups."""

import numpy as np
import pytest

from auralign.errors import DataError
from auralign.inference.permutations import permuted_orders

CATEGORY = np.array(list("aabbbaabbb"))


def test_orders_are_permutations_and_the_first_is_none():
    orders = permuted_orders(10, 200)
    np.testing.assert_array_equal(orders[0], np.arange(10))
    np.testing.assert_array_equal(np.sort(orders, axis=1), np.tile(np.arange(10), (201, 1)))
    # every stimulus comes to every place, about equally often
    counts = np.stack([np.bincount(column, minlength=10) for column in orders[1:].T])
    assert counts.min() > 5
    assert not np.array_equal(permuted_orders(10, 5, seed=1), permuted_orders(10, 5, seed=2))


def test_the_draws_are_those_of_shuffling_each_category_in_turn():
    expected = np.tile(np.arange(10), (31, 1))
    random = np.random.default_rng(7)
    for category in "ab":
        members = np.flatnonzero(category == CATEGORY)
        expected[1:, members] = random.permuted(expected[1:, members], axis=1)
    np.testing.assert_array_equal(permuted_orders(10, 30, 7, CATEGORY), expected)


def test_related_stimuli_stay_together_in_order():
    groups = np.array([5, 2, 5, 2, 9, 9, 4, 4, 1, 1])
    orders = permuted_orders(10, 100, 0, None, groups)
    for order in orders:
        for group in np.unique(groups):
            places = np.flatnonzero(groups == group)
            assert len(set(groups[order[places]])) == 1
            assert (np.diff(order[places]) > 0).all()
    assert len({tuple(order) for order in orders}) > 50


def test_groups_change_places_with_groups_of_their_size_and_categories():
    groups = np.array([0, 0, 1, 1, 2, 3, 3, 4, 5, 6])
    orders = permuted_orders(10, 100, 0, np.array(list("abbaaabbab")), groups)
    # (a, b), (b, a) and (a, b) in pairs; a, b, a, b alone
    assert (orders[:, 2:4] == [2, 3]).all()
    assert {tuple(order[[0, 1]]) for order in orders} == {(0, 1), (5, 6)}
    assert {order[4] for order in orders} == {4, 8}
    assert {order[7] for order in orders} == {7, 9}


@pytest.mark.parametrize(
    ("within", "together", "message"),
    [
        (np.zeros(9), None, "9 categories for 10 stimuli"),
        (None, np.zeros(9), "9 groups for 10 stimuli"),
        (np.arange(10), None, "every stimulus is alone in its category"),
        (None, np.zeros(10), "no two groups have as many stimuli"),
        (None, np.array([0, 0, 0, 0, 1, 1, 1, 2, 2, 3]), "no two groups have as many stimuli"),
    ],
)
def test_what_leaves_nothing_to_permute_is_refused(within, together, message):
    with pytest.raises(DataError, match=message):
        permuted_orders(10, 5, 0, within, together)
