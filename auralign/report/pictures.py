"""Figures inside the page, for light and for dark pages: scalable images, or pixels where that is much smaller."""

import base64
import math
from dataclasses import dataclass

from ..figures.saving import FigureOf

# an SVG beyond this many bytes becomes a PNG if that is smaller
LARGE_SVG = 400_000
SCREEN_DPI = 300


@dataclass(frozen=True)
class Picture:
    """One figure of the page.

    Attributes
    ----------
    name, title, caption, alt : str
        See `FigureOf`.
    uri, dark_uri : str
        The image itself, as a data URI, and the same in colours for a dark page.
    ending : str
        svg or png.
    width : int
        Of the image at its own size, CSS pixels: the page shows it at this width or wider, so that its type has at
        least its own size in points.
    appendix : bool
        Whether it belongs to the diagnostics at the end of the page.
    """

    name: str
    title: str
    caption: str
    alt: str
    uri: str
    dark_uri: str
    ending: str
    width: int
    appendix: bool = False


def embed(figure: FigureOf, svg: bytes) -> Picture:
    """Encode a figure for the page; `svg` is what `figure.svg()` gave when the figure was saved."""
    light, dark, ending = svg, figure.svg(dark=True), "svg"
    if len(svg) > LARGE_SVG:
        pixels = figure.png(SCREEN_DPI)
        if len(pixels) < len(svg):
            light, dark, ending = pixels, figure.png(SCREEN_DPI, dark=True), "png"
    return Picture(
        name=figure.name,
        title=figure.title,
        caption=figure.caption,
        alt=figure.alt,
        uri=_uri(light, ending),
        dark_uri=_uri(dark, ending),
        ending=ending,
        width=shown_width(figure),
        appendix=figure.appendix,
    )


def shown_width(figure: FigureOf) -> int:
    """Return the least width at which the page shows a figure, CSS pixels: its own."""
    return math.ceil(96 * figure.figure.get_figwidth())


def _uri(content: bytes, ending: str) -> str:
    kind = {"svg": "image/svg+xml", "png": "image/png"}[ending]
    return f"data:{kind};base64,{base64.b64encode(content).decode('ascii')}"
