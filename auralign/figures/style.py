"""What all figures share: their width, type sizes, colours and marks, and the frame around the panels.

Figures are made without pyplot and without its settings, so that nothing is left behind and nothing of a reader's own
settings is changed.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import cycle, islice
from typing import Any, Literal, cast

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colorbar import Colorbar
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.lines import Line2D

MM = 1 / 25.4  # inches
# one column of a journal page, mm
WIDTH = 89.0
# points: labels and legends, titles of panels; nothing is smaller, and no page shows a figure narrower than it is
SMALL, TITLE = 8.0, 8.5
# mm; a line of small type
LINE = 4.0
PANEL_COLUMNS = 2
# more targets or regions than this are not drawn one by one
MAX_PANELS = 12
# the eight colours of Okabe & Ito (2008), "Color universal design", without yellow, which is too light for lines on
# white, and with black kept for baselines; in an order in which neighbours also differ in lightness
COLOURS = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00")
BLACK = "#000000"
GREYS = ("#8C8C8C", "#B3B3B3", "#6B6B6B")
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*")
LINES = ("-", "--", "-.", ":")
BAND = 0.18  # opacity

# role of a feature set -> palette; any other role has the colours of models
_KIND = {"control": "control", "baseline": "baseline"}

METRICS = {
    "r2_corr": "r² of prediction and response",
    "r2": "R² (coefficient of determination)",
    "r2_corr_c2": "r², corrected for noise",
    "r2_corr_c": "r², corrected for noise as published",
}

# what of the axes the panels of a figure may share, as matplotlib says it
Share = Literal["none", "all", "row", "col"] | bool


@dataclass(frozen=True)
class Look:
    """How a feature set is drawn: no two of one figure look alike, even without colours."""

    colour: str
    marker: str
    line: str


def feature_looks(features: Iterable[str], roles: dict[str, str] | None = None) -> dict[str, Look]:
    """Give each feature set a colour, a marker and a line style, by its place and its role.

    Parameters
    ----------
    features : iterable of str
        All feature sets of a comparison, also those that a figure does not show: looks then agree between figures.
    roles : dict of str to str, optional
        `Results.roles`. Controls are grey and baselines black, unless there is nothing else.

    Returns
    -------
    dict of str to Look
        All different, for at least 30 feature sets of each role.
    """
    features = list(dict.fromkeys(features))
    kinds = {name: _KIND.get((roles or {}).get(name, "model"), "model") for name in features}
    if "model" not in kinds.values():
        kinds = dict.fromkeys(features, "model")  # nothing to tell controls and baselines from
    looks = {}
    for kind, colours in (("model", COLOURS), ("control", GREYS), ("baseline", (BLACK,))):
        for place, name in enumerate(name for name in features if kinds[name] == kind):
            looks[name] = Look(
                colours[place % len(colours)],
                MARKERS[(place + place // np.lcm(len(colours), len(MARKERS))) % len(MARKERS)],
                LINES[(place // len(colours)) % len(LINES)],
            )
    return {name: looks[name] for name in features}


def category_looks(categories: Iterable[str]) -> dict[str, Look]:
    """Give each category of stimuli a colour (seaborn's colour-blind ten and two) and a marker; up to 24 differ."""
    from seaborn import color_palette  # brings along pyplot, which nothing else needs

    names = list(dict.fromkeys(categories))
    colours = islice(cycle((*color_palette("colorblind").as_hex(), BLACK, GREYS[2])), len(names))
    return {
        name: Look(colour, MARKERS[(number + number // 8) % len(MARKERS)], "-")
        for number, (name, colour) in enumerate(zip(names, colours, strict=True))
    }


def panels(
    n: int,
    columns: int | None = None,
    height: float = 30.0,
    share: tuple[Share, Share] = (True, True),
    extra: float = 10.0,
) -> tuple[Figure, list[Axes]]:
    """Make a figure of one column's width with n panels, row by row.

    Parameters
    ----------
    n : int
    columns : int, optional
        At most 2 by default.
    height : float
        Of a row of panels, mm.
    share : tuple of two
        matplotlib's `sharex` and `sharey`.
    extra : float
        Height for tick labels and what else is around the rows, mm; `surround` adds that of the legend.

    Returns
    -------
    figure : Figure
    axes : list of Axes
        The n panels; surplus places of the grid are not there.
    """
    columns = min(columns or PANEL_COLUMNS, n)
    rows = -(-n // columns)
    figure = Figure(figsize=(WIDTH * MM, (rows * height + extra) * MM), layout="constrained")
    layout_of(figure).set(w_pad=1 * MM, h_pad=1 * MM, wspace=0.03, hspace=0.03)
    grid = figure.subplots(rows, columns, sharex=share[0], sharey=share[1], squeeze=False)
    for axis in grid.flat[n:]:
        figure.delaxes(axis)
    axes = list(grid.flat[:n])
    for number, axis in enumerate(axes):
        frame(axis)
        # the last panel of each column has the labels below it, also where the last row is short
        if number + columns >= n:
            axis.tick_params(labelbottom=True)
    return figure, axes


def grid_columns(n: int) -> int:
    """Columns of a grid of panels with n of them to a target: n side by side if these are up to three, else two."""
    return n if n <= 3 else 2


def frame(axis: Axes, sides: Sequence[str] = ("left", "bottom")) -> None:
    """Set the size of tick labels and the lines around a panel."""
    axis.tick_params(labelsize=SMALL, width=0.5, length=2, pad=1.5)
    for side, spine in axis.spines.items():
        spine.set_visible(side in sides)
        spine.set_linewidth(0.5)


def title(axis: Axes, text: str, most: int = 24) -> None:
    """Write a panel's title, shortened in the middle if it is too long for the panel."""
    axis.set_title(shorten(str(text), most), fontsize=TITLE, pad=2)


def shorten(text: str, most: int) -> str:
    """Cut a text in the middle to at most `most` characters."""
    if len(text) <= most:
        return text
    kept = most - 1
    return f"{text[: kept - kept // 2]}…{text[len(text) - kept // 2 :]}"


def surround(
    figure: Figure, x: str | None = None, y: str | None = None, entries: dict[str, Line2D] | None = None
) -> None:
    """Label the axes that all panels share, and put a legend below, in as many columns as its longest text allows.

    The panels keep their size: the figure grows by the rows of the legend. To be called when all panels are there.
    """
    entries = entries or {}
    names = [shorten(name, 44) for name in entries]
    rows = 0
    if names:
        columns = int(np.clip(60 // (max(map(len, names)) + 6), 1, min(4, len(names))))
        rows = -(-len(names) // columns)
        figure.legend(
            handles=list(entries.values()), labels=names, loc="lower center", ncols=columns, frameon=False,
            fontsize=SMALL,
            handlelength=2.2, columnspacing=1.0, handletextpad=0.5, borderaxespad=0.1, labelspacing=0.3,
        )  # fmt: skip
    height = figure.get_figheight() / MM + rows * LINE
    figure.set_figheight(height * MM)
    below, left = rows * LINE + (LINE if x else 0.0), LINE if y else 0.0
    layout_of(figure).set(rect=(left / WIDTH, below / height, 1 - left / WIDTH, 1 - below / height))
    if x:
        figure.text(0.5 + left / WIDTH / 2, (rows + 0.2) * LINE / height, x, fontsize=SMALL, ha="center", va="bottom")
    if y:
        middle = 0.5 + below / height / 2
        figure.text(0.6 / WIDTH, middle, y, fontsize=SMALL, rotation=90, ha="left", va="center")


def layout_of(figure: Figure) -> ConstrainedLayoutEngine:
    """Return what places the panels of a figure made by `panels`."""
    return cast(ConstrainedLayoutEngine, figure.get_layout_engine())


def handle(look: Look, line: bool = True) -> Line2D:
    """Make a legend's entry of a feature set or category."""
    return Line2D(
        [], [], color=look.colour, marker=look.marker, linestyle=cast(Any, look.line if line else "none"),
        linewidth=1.0, markersize=3,
    )  # fmt: skip


def colour_bar(figure: Figure, drawn, axes: list[Axes], text: str, **options) -> Colorbar:
    """Put a colour bar beside the panels that share it."""
    bar = figure.colorbar(drawn, ax=axes, **{"shrink": 0.8, "aspect": 25, "pad": 0.02} | options)
    bar.set_label(text, fontsize=SMALL)
    bar.ax.tick_params(labelsize=SMALL, width=0.5, length=2, pad=1.5)
    bar.outline.set_linewidth(0.5)
    return bar


def number(value: float) -> str:
    """Write a score: two digits after the point."""
    return "undefined" if not np.isfinite(value) else f"{value:.2f}"
