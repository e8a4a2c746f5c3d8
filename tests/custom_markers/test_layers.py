"""Selecting layers."""

import pytest

from custom_markers.layers import select_layers


@pytest.mark.parametrize(
    ("layers", "expected"),
    [("all", [0, 1, 2, 3, 4]), ([4, 0], [0, 4]), ([-1], [4]), ([0.0, 0.5, 1.0], [0, 2, 4]), ([0.3], [1])],
)
def test_layers_by_index_and_by_depth(layers, expected):
    assert select_layers(layers, 5) == expected


@pytest.mark.parametrize(
    ("layers", "expected"),
    [
        ([5], "there is no layer 5; this network has 5, 0 to 4"),
        ([-6], "there is no layer -6"),
        ([1.5], r"relative depth 1\.5 is not between"),
        ([0, 0.0], "names a layer twice"),
        ([], "selects nothing"),
        ("first", "selects nothing"),
    ],
)
def test_a_selection_that_is_impossible_is_refused(layers, expected):
    with pytest.raises(ValueError, match=expected):
        select_layers(layers, 5)
