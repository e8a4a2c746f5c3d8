"""Colours, marks and sizes."""

import numpy as np
import pytest
from matplotlib.colors import to_rgb

from auralign.figures.style import COLOURS, GREYS, category_looks, feature_looks, handle, panels, shorten, surround
from auralign.wording import counted, listed

# Okabe & Ito 2008, as published (RGB 0-255): orange, sky blue, bluish green, yellow, blue, vermillion, reddish purple
OKABE_ITO = [(230, 159, 0), (86, 180, 233), (0, 158, 115), (240, 228, 66), (0, 114, 178), (213, 94, 0), (204, 121, 167)]


def test_colours_are_those_of_okabe_and_ito():
    published = {tuple(np.round(np.array(colour) / 255, 3)) for colour in OKABE_ITO}
    assert {tuple(np.round(to_rgb(colour), 3)) for colour in COLOURS} <= published
    assert len(set(COLOURS)) == len(COLOURS)


@pytest.mark.parametrize("role", ["model", "control", "baseline"])
def test_thirty_feature_sets_of_a_role_all_look_different(role):
    names = [f"set{n}" for n in range(30)]
    looks = feature_looks([*names, "model"], dict.fromkeys(names, role) | {"model": "model"})
    assert len(set(looks.values())) == 31
    # without colours, the first eight still differ by marker
    assert len({looks[name].marker for name in names[:8]}) == 8


def test_a_look_depends_on_the_whole_comparison_and_on_the_role():
    looks = feature_looks(["a", "b", "c", "d"], {"a": "model", "b": "control", "c": "baseline", "d": "model"})
    assert looks["b"].colour in GREYS
    assert looks["c"].colour == "#000000"
    assert (looks["a"].colour, looks["d"].colour) == COLOURS[:2]


def test_controls_and_baselines_have_colours_where_there_is_nothing_else():
    looks = feature_looks(["a", "b"], {"a": "control", "b": "baseline"})
    assert [look.colour for look in looks.values()] == list(COLOURS[:2])


def test_categories_all_look_different():
    looks = category_looks([f"category{n}" for n in range(24)])
    assert len({(look.colour, look.marker) for look in looks.values()}) == 24


@pytest.mark.parametrize("n", [1, 2, 4, 7])
def test_as_many_panels_as_asked_for_in_one_column_of_a_page(n):
    figure, axes = panels(n)
    assert len(axes) == len(figure.axes) == n
    assert figure.get_figwidth() * 25.4 == pytest.approx(89.0)


def test_a_legend_makes_the_figure_higher_and_leaves_the_panels_their_room():
    looks = feature_looks([f"a feature set with quite a long name {n}" for n in range(9)])
    figure, _ = panels(3)
    before = figure.get_figheight()
    surround(figure, "x", "y", {name: handle(look) for name, look in looks.items()})
    figure.draw_without_rendering()
    grown = (figure.get_figheight() - before) * 25.4
    legend = figure.legends[0].get_window_extent()
    assert grown >= legend.height / figure.dpi * 25.4 - 1.5
    assert legend.width <= figure.bbox.width
    lowest = min(axis.get_tightbbox().y0 for axis in figure.axes)
    texts = {text.get_text(): text.get_window_extent() for text in figure.texts}
    assert legend.y1 <= texts["x"].y0 + 1.0  # legend, label and panels do not cover each other
    assert texts["x"].y1 <= lowest + 1.0


def test_words():
    assert counted(1, "target") == "1 target"
    assert counted(7694, "voxel") == "7,694 voxels"
    assert counted(2, "category") == "2 categories"
    assert listed(["a", "b", "c"]) == "a, b and c"
    assert listed(["a"]) == "a"
    assert listed(list("abcd"), 2) == "a, b and 2 more"
    assert shorten("abcdefgh", 8) == "abcdefgh"
    assert shorten("abcdefghij", 7) == "abc…hij"
