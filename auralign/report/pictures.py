"""Figures inside the page: as scalable images, or as pixels where that is much smaller."""

import base64
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
    uri : str
        The image itself, as a data URI.
    ending : str
        svg or png.
    width : int
        Of the image at its own size, CSS pixels.
    """

    name: str
    title: str
    caption: str
    alt: str
    uri: str
    ending: str
    width: int


def embed(figure: FigureOf, svg: bytes) -> Picture:
    """Encode a figure for the page; `svg` is what `figure.svg()` gave when the figure was saved."""
    content, ending, kind = svg, "svg", "image/svg+xml"
    if len(content) > LARGE_SVG:
        pixels = figure.png(SCREEN_DPI)
        if len(pixels) < len(content):
            content, ending, kind = pixels, "png", "image/png"
    return Picture(
        name=figure.name,
        title=figure.title,
        caption=figure.caption,
        alt=figure.alt,
        uri=f"data:{kind};base64,{base64.b64encode(content).decode('ascii')}",
        ending=ending,
        width=round(96 * figure.figure.get_figwidth()),
    )
