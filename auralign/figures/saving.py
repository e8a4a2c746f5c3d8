"""A figure with what belongs to it: the data that it shows, its caption, its description in words; how it is saved."""

import io
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import matplotlib
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from ..errors import AuralignError
from .contrast import darken

PNG_DPI = 200


@dataclass(frozen=True, eq=False)
class FigureOf:
    """A figure that is drawn when it is first asked for.

    Attributes
    ----------
    name : str
        Of its files.
    title : str
    caption : str
        What is drawn, n of everything, and what the intervals are.
    alt : str
        What the figure shows, for readers who cannot see it: what is highest, and where.
    data : DataFrame
        Exactly what is drawn.
    draw : callable
        Makes the Figure from `data`.
    appendix : bool
        Whether a report shows it among the diagnostics at its end.
    """

    name: str
    title: str
    caption: str
    alt: str
    data: pd.DataFrame
    draw: Callable[[pd.DataFrame], Figure]
    appendix: bool = False

    @cached_property
    def figure(self) -> Figure:
        """The figure; the same object every time, with the panels at fixed places.

        matplotlib's layout goes on from the last one at each drawing, and its solver rounds differently from one Python
        process to the next. So it is done once, here, and places are rounded to a ten thousandth of a millimetre.
        """
        return _laid_out(self.draw(self.data))

    @cached_property
    def dark_figure(self) -> Figure:
        """The same figure in colours for a dark page (`contrast.darken`), its panels at the same places."""
        figure = self.draw(self.data)
        _keep_places(figure)
        for axis, light in zip(figure.axes, self.figure.axes, strict=True):
            axis.set_position(light.get_position(original=True))
        return darken(figure)

    def turn_dark(self) -> None:
        """Make the dark figure of the light one, which is drawn once more if it is asked for again.

        For whoever has done with the light one: the same bytes without drawing a second time.
        """
        if "dark_figure" not in self.__dict__:
            self.__dict__["dark_figure"] = darken(self.figure)
            del self.__dict__["figure"]

    def noting(self, sentence: str) -> "FigureOf":
        """Return the same with a sentence added to the caption."""
        return replace(self, caption=f"{self.caption} {sentence}")

    def png(self, dpi: int = PNG_DPI, dark: bool = False) -> bytes:
        """Return the figure as a PNG; `dark`: for a dark page."""
        buffer = io.BytesIO()
        metadata = {"Software": None, "Title": self.title, "Description": self.alt}
        self._figure(dark).savefig(buffer, format="png", dpi=dpi, metadata=metadata)
        return buffer.getvalue()

    def svg(self, dark: bool = False) -> bytes:
        """Return the figure as an SVG: equal bytes for equal data; `dark`: for a dark page.

        Text is drawn as paths: labels were laid out with the metrics of matplotlib's own font, which readers' machines
        do not have, and stand in the file as comments beside. Maps and large clouds of points are embedded as pixels.
        """
        buffer = io.BytesIO()
        metadata = {"Date": None, "Title": self.title, "Description": self.alt}
        with matplotlib.rc_context({"svg.hashsalt": self.name, "svg.fonttype": "path"}):
            self._figure(dark).savefig(buffer, format="svg", dpi=PNG_DPI, metadata=metadata)
        return buffer.getvalue()

    def save(self, folder: Path | str) -> list[Path]:
        """Write `<name>.svg`, `<name>.png` (200 dpi) and `<name>.tsv`, the data drawn, into a folder.

        Raises
        ------
        AuralignError
            The folder cannot be written.
        """
        folder = Path(folder)
        paths = [folder / f"{self.name}.{ending}" for ending in ("svg", "png", "tsv")]
        try:
            folder.mkdir(parents=True, exist_ok=True)
            paths[0].write_bytes(self.svg())
            paths[1].write_bytes(self.png())
            self.data.to_csv(paths[2], sep="\t", index=False, lineterminator="\n")
        except OSError as error:
            raise AuralignError(
                f"{error.filename or folder}: figures cannot be written there ({error.strerror or error})."
            ) from error
        return paths

    def _figure(self, dark: bool) -> Figure:
        return self.dark_figure if dark else self.figure

    def _repr_png_(self) -> bytes:
        """Show the figure in a notebook."""
        return self.png()


def _laid_out(figure: Figure) -> Figure:
    """Lay a figure out and fix the places of its panels."""
    figure.draw_without_rendering()
    _keep_places(figure)
    for axis in figure.axes:
        axis.set_position(np.round(axis.get_position(original=True).bounds, 6))
    return figure


def _keep_places(figure: Figure) -> None:
    """Leave a figure without layout, whatever a user's matplotlibrc says.

    Not even one that does nothing (`"none"`): matplotlib would draw twice whenever the figure is saved.
    """
    with matplotlib.rc_context({"figure.autolayout": False, "figure.constrained_layout.use": False}):
        figure.set_layout_engine(None)
