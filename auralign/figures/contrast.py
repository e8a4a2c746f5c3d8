"""Contrast as WCAG 2.2 counts it, and figures drawn for dark pages: the same figure with other colours.

Texts have a contrast of 4.5 : 1 or more to what is behind them (success criterion 1.4.3), marks 3 : 1 or more (1.4.11).
Colour maps stand for numbers and stay as they are.
"""

import numpy as np
from matplotlib.artist import Artist
from matplotlib.collections import Collection
from matplotlib.colors import to_hex, to_rgb, to_rgba
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.text import Text
from mpl_toolkits.mplot3d.art3d import Poly3DCollection
from mpl_toolkits.mplot3d.axes3d import Axes3D

# the report's colours of cards and of text in dark mode (templates/report.css)
DARK_PAGE, DARK_TEXT = "#1d2329", "#e4e8ec"
# behind maps, whose darkest colours are darker than the page
DARK_MAP = "#3a444e"
TEXT_CONTRAST, MARK_CONTRAST = 4.5, 3.0
# colours with less between their largest and smallest channel are greys
GREY = 0.06


def luminance(colour) -> float:
    """Relative luminance of a colour: 0 black, 1 white (WCAG 2.2)."""
    channels = np.array(to_rgb(colour))
    linear = np.where(channels <= 0.04045, channels / 12.92, ((channels + 0.055) / 1.055) ** 2.4)
    return float(linear @ [0.2126, 0.7152, 0.0722])


def contrast(a, b) -> float:
    """Contrast ratio of two opaque colours: 1 the same, 21 black and white."""
    low, high = sorted((luminance(a), luminance(b)))
    return (high + 0.05) / (low + 0.05)


def text_on(colour) -> str:
    """Black or white, whichever has more contrast to a colour: always more than 4.5 : 1."""
    return max(("black", "white"), key=lambda text: contrast(text, colour))


def on_dark(colour, least: float | None = None) -> tuple[float, float, float, float]:
    """Give the colour that stands for another one on a dark page.

    White becomes the page, black the text, greys what lies between; other colours keep their hue and are mixed with
    white. Opacity stays.

    Parameters
    ----------
    colour
        Any of matplotlib's.
    least : float, optional
        Contrast to the page. By default 3, and of greys that have less on white what they have there, so that faint
        lines stay faint.

    Returns
    -------
    tuple of four float
        Red, green, blue, opacity.
    """
    *rgb, opacity = to_rgba(colour)
    page, text, new = np.array(to_rgb(DARK_PAGE)), np.array(to_rgb(DARK_TEXT)), np.array(rgb)
    lightest, grey = np.ones(3), bool(np.ptp(new) < GREY)
    if grey:
        new, lightest = page + (1.0 - new.mean()) * (text - page), text
    if least is None:
        least = min(MARK_CONTRAST, contrast(colour, "white")) if grey else MARK_CONTRAST
    for share in np.linspace(0.0, 1.0, 41):
        mixed = new + share * (lightest - new)
        if contrast(to_hex(mixed), DARK_PAGE) >= least:
            break
    return (*mixed.tolist(), opacity)


def darken(figure: Figure) -> Figure:
    """Change the colours of a figure, in place, to those for a dark page, and return it.

    Texts written on an image, and surfaces whose colours stand for numbers, stay as they are.
    """
    for artist in figure.findobj():
        _darken(artist)
    for axes in figure.axes:
        if axes.images:
            axes.set_facecolor(DARK_MAP)
        if isinstance(axes, Axes3D):
            for axis in (axes.xaxis, axes.yaxis, axes.zaxis):
                axis.set_pane_color((*to_rgba(DARK_TEXT)[:3], 0.06))
                axis.line.set_color(on_dark("0.4"))
                axis._axinfo["grid"]["color"] = on_dark("0.8", 1.0)
    return figure


def _darken(artist: Artist) -> None:
    if isinstance(artist, Text):
        if not on_image(artist):
            artist.set_color(on_dark(artist.get_color(), TEXT_CONTRAST))
    elif isinstance(artist, Line2D):
        face, edge = artist.get_markerfacecolor(), artist.get_markeredgecolor()
        artist.set_color(on_dark(artist.get_color()))
        for setter, colour in ((artist.set_markerfacecolor, face), (artist.set_markeredgecolor, edge)):
            if not (isinstance(colour, str) and colour in ("none", "auto")):
                setter(on_dark(colour))
    elif isinstance(artist, Patch):
        inside, edge = to_rgba(artist.get_facecolor()), to_rgba(artist.get_edgecolor())
        artist.set_facecolor(on_dark(inside) if inside[3] else inside)
        artist.set_edgecolor(on_dark(edge) if edge[3] else edge)
    elif isinstance(artist, Collection) and not isinstance(artist, Poly3DCollection) and artist.get_array() is None:
        artist.set(
            facecolor=[on_dark(colour) for colour in artist.get_facecolor()],
            edgecolor=[on_dark(colour) for colour in artist.get_edgecolor()],
        )


def on_image(text: Text) -> bool:
    """Whether a text is written on an image, at a place in its data."""
    axes = text.axes
    return axes is not None and bool(axes.images) and text.get_transform() == axes.transData
