"""Selecting layers."""

import pytest

from custom_markers.marker.layers import select_layers


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


NAMES = ["features", "block00", "block01", "norm"]


@pytest.mark.parametrize(
    ("layers", "expected"),
    [
        ("all", [0, 1, 2, 3]),
        (["norm", "features"], [0, 3]),
        (["block01", 0, -1], [0, 2, 3]),
        ([0.5, "norm"], [2, 3]),
        ([1], [1]),
    ],
)
def test_layers_by_name_index_and_depth_together(layers, expected):
    assert select_layers(layers, NAMES) == expected


@pytest.mark.parametrize(
    ("layers", "expected"),
    [
        (["block1"], r"no layer 'block1'\. Did you mean block01 or block00\? Its layers are 0 features, 1 block00"),
        (["x"], r"no layer 'x'\. Its layers are 0 features, 1 block00, 2 block01, 3 norm\."),
        ([4], r"no layer 4; this network has 4, 0 to 3\. Its layers are 0 features"),
        (["norm", -1], "names a layer twice"),
        ("norm", r"names in a list"),
    ],
)
def test_a_name_that_is_not_there_is_refused_with_the_nearest(layers, expected):
    with pytest.raises(ValueError, match=expected):
        select_layers(layers, NAMES)


def test_a_network_without_names_says_so():
    with pytest.raises(
        ValueError, match=r"no layer 'norm'\. The layers of this network have no names; give indices, 0 to 4"
    ):
        select_layers(["norm"], 5)
