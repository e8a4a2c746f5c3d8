"""Contrast counted as WCAG does, and figures for dark pages."""

import re

import numpy as np
import pytest
from matplotlib.colors import to_hex, to_rgb
from matplotlib.text import Text

from auralign.figures import all_figures
from auralign.figures.contrast import (
    DARK_PAGE,
    DARK_TEXT,
    MARK_CONTRAST,
    TEXT_CONTRAST,
    contrast,
    on_dark,
    on_image,
    text_on,
)
from auralign.figures.style import BLACK, COLOURS, GREYS, category_looks


def test_contrast_is_that_of_wcag():
    assert contrast("white", "black") == pytest.approx(21.0)
    assert contrast("#777777", "white") == pytest.approx(4.48, abs=0.005)  # the examples that WebAIM gives
    assert contrast("#767676", "white") == pytest.approx(4.54, abs=0.005)
    assert contrast("red", "white") == contrast("white", "red") == pytest.approx(4.0, abs=0.005)


def test_colours_for_dark_pages():
    assert to_hex(on_dark("white")) == DARK_PAGE
    assert to_hex(on_dark("black")) == DARK_TEXT
    assert on_dark((0.0, 0.0, 0.0, 0.3))[3] == 0.3
    for colour in (*COLOURS, *GREYS, BLACK, *(look.colour for look in category_looks(map(str, range(12))).values())):
        least = min(MARK_CONTRAST, contrast(colour, "white"))
        assert contrast(on_dark(colour)[:3], DARK_PAGE) >= least - 0.02, colour
        assert contrast(on_dark(colour, TEXT_CONTRAST)[:3], DARK_PAGE) >= TEXT_CONTRAST
    assert len({to_hex(on_dark(colour)) for colour in COLOURS}) == len(COLOURS)


@pytest.mark.parametrize("colour", ["black", "white", "0.5", "#7f3b08", "#b35806", "#8073ac", "#f7f7f7", "red"])
def test_a_number_on_a_colour_can_be_read(colour):
    assert contrast(text_on(colour), colour) >= TEXT_CONTRAST


def test_every_text_of_every_figure_has_contrast_on_light_and_on_dark(components, voxels):
    figures = [*all_figures(components), *all_figures(voxels)]
    for figure in figures:
        for drawn, page in ((figure.figure, "white"), (figure.dark_figure, DARK_PAGE)):
            assert to_hex(drawn.get_facecolor()) == to_hex(page), figure.name
            for text in drawn.findobj(Text):
                if text.get_text() and text.get_visible() and not on_image(text):
                    ratio = contrast(text.get_color(), page)
                    assert ratio >= TEXT_CONTRAST, (figure.name, text.get_text(), ratio)


def test_the_dark_figure_has_the_same_content_and_leaves_the_light_one(components):
    for figure in all_figures(components)[:6]:
        before = figure.svg()
        dark = figure.svg(dark=True)
        assert figure.svg() == before
        assert dark != before
        texts = [re.findall(r"<!-- (.*?) -->", content.decode()) for content in (before, dark)]
        assert texts[0] == texts[1]
        for light_axis, dark_axis in zip(figure.figure.axes, figure.dark_figure.axes, strict=True):
            np.testing.assert_array_equal(light_axis.get_position().bounds, dark_axis.get_position().bounds)
            for one, other in zip(light_axis.get_lines(), dark_axis.get_lines(), strict=True):
                np.testing.assert_array_equal(one.get_xydata(), other.get_xydata())


def test_numbers_shown_as_colours_stay(voxels):
    figure = next(one for one in all_figures(voxels) if one.name.startswith("score_map"))
    light, dark = (one.axes[0].images[1] for one in (figure.figure, figure.dark_figure))
    assert light.get_cmap().name == dark.get_cmap().name == "inferno"
    np.testing.assert_array_equal(light.get_array(), dark.get_array())
    assert to_rgb(figure.dark_figure.axes[0].get_facecolor()) != to_rgb(DARK_PAGE)
