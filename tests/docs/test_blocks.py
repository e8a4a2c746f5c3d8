"""The comparison of shown and printed output."""

import pytest

from .blocks import difference

PRINTED = "built in 1.0 s\n\ncolumn   ridge\nspeech   0.394 (layer 1)\nmusic    0.001 (layer 3)\n\nreport: a.html\n"


@pytest.mark.parametrize(
    "shown", ["column ridge\nspeech 0.395 (layer 1)", "speech 0.394 (layer 1)\n...\nreport: a.html"]
)
def test_output_within_the_tolerance_is_the_same(shown):
    assert difference(shown, PRINTED, 0.002) is None


@pytest.mark.parametrize(
    "shown",
    ["speech 0.397 (layer 1)", "speech 0.394 (layer 2)", "music 0.001 (layer 3)\nspeech 0.394 (layer 1)", "pitch"],
)
def test_other_output_is_named(shown):
    assert "the page shows" in difference(shown, PRINTED, 0.002)
