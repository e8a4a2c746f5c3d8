"""Figures inside the page, for light and for dark pages: scalable images, or pixels where that is much smaller."""

import base64
import math
from dataclasses import dataclass
from pathlib import Path

from ..figures.saving import FigureOf

# an SVG beyond this many bytes becomes a PNG if that is smaller
LARGE_SVG = 400_000
SCREEN_DPI = 300
# figures from which on several processes are worth their start: it takes as long as four figures
MANY_FIGURES = 12


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


def draw_all(figures: list[FigureOf], folder: Path, n_jobs: int = 1) -> list[Picture]:
    """Save figures in a folder (`FigureOf.save`) and encode them for the page.

    Parameters
    ----------
    figures : list of FigureOf
    folder : Path
    n_jobs : int
        Processes that draw where there are many figures; the bytes are the same with any number.
    """
    jobs = [(number, figure, folder) for number, figure in enumerate(figures)]
    if n_jobs == 1 or len(figures) < MANY_FIGURES:
        return [_draw(job)[1] for job in jobs]
    from ..runs.workers import run_unordered  # brings along what starts processes

    found = dict(run_unordered(_draw, jobs, min(n_jobs, len(figures))))
    return [found[number] for number in range(len(figures))]


def _draw(job: tuple[int, FigureOf, Path]) -> tuple[int, Picture]:
    number, figure, folder = job
    return number, embed(figure, figure.save(folder)[0].read_bytes())


def embed(figure: FigureOf, svg: bytes) -> Picture:
    """Encode a figure for the page, which becomes dark by that; `svg` is what `figure.svg()` gave when it was saved."""
    light, ending, width = svg, "svg", shown_width(figure)
    if len(svg) > LARGE_SVG:
        pixels = figure.png(SCREEN_DPI)
        if len(pixels) < len(svg):
            light, ending = pixels, "png"
    figure.turn_dark()
    dark = figure.svg(dark=True) if ending == "svg" else figure.png(SCREEN_DPI, dark=True)
    return Picture(
        name=figure.name,
        title=figure.title,
        caption=figure.caption,
        alt=figure.alt,
        uri=_uri(light, ending),
        dark_uri=_uri(dark, ending),
        ending=ending,
        width=width,
        appendix=figure.appendix,
    )


def shown_width(figure: FigureOf) -> int:
    """Return the least width at which the page shows a figure, CSS pixels: its own."""
    return math.ceil(96 * figure.figure.get_figwidth())


def _uri(content: bytes, ending: str) -> str:
    kind = {"svg": "image/svg+xml", "png": "image/png"}[ending]
    return f"data:{kind};base64,{base64.b64encode(content).decode('ascii')}"
