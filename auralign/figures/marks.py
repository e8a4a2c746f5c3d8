"""Marks that several figures share: curves with bands, points by feature set, ends of the score axis."""

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.collections import PathCollection
from matplotlib.markers import MarkerStyle

from .style import BAND, Look, shorten

# R² has no lower end; axes do not go below this
FLOOR = -0.5
# more points than this are smaller, and pixels inside an SVG
MANY_POINTS = 2000


def score_limits(data: pd.DataFrame) -> tuple[float, float]:
    """Ends of the score axis that hold 0, all scores with their intervals, and the ceiling; not below `FLOOR`."""
    values = data[[c for c in ("score", "low", "high", "ceiling", "ceiling_high") if c in data]].to_numpy(dtype=float)
    values = values[np.isfinite(values)]
    low, high = max(min(0.0, values.min(initial=0.0)), FLOOR), values.max(initial=0.05)
    return low - 0.03 * (high - low), high + 0.05 * (high - low)


def draw_curve(
    axis: Axes, curve: pd.DataFrame, name: str, look: Look, place: int | None = None, band: float = BAND
) -> None:
    """Draw one feature set in one panel, from columns x, score, low and high, ascending.

    A curve of one layer is a horizontal line across the panel, or with `place` a point there with its interval. `band`:
    opacity of the band between low and high.
    """
    x, score = curve["x"].to_numpy(dtype=float), curve["score"].to_numpy(dtype=float)
    low, high = curve["low"].to_numpy(dtype=float), curve["high"].to_numpy(dtype=float)
    style: dict[str, Any] = {"color": look.colour, "label": name, "linewidth": 1.0}
    if place is not None:
        axis.errorbar([place], score, yerr=between(score, low, high), marker=look.marker, markersize=3.5, **style)
    elif len(curve) == 1:
        axis.axhline(score[0], linestyle=look.line if look.line != "-" else "--", **style)
        if np.isfinite([low[0], high[0]]).all():
            axis.axhspan(low[0], high[0], color=look.colour, alpha=0.6 * band, linewidth=0)
    else:
        size = 3.0 if len(curve) <= 16 else 1.8
        axis.plot(x, score, marker=look.marker, markersize=size, linestyle=look.line, **style)
        axis.fill_between(x, low, high, color=look.colour, alpha=band, linewidth=0)


def band_opacity(n: int) -> float:
    """Opacity of n bands that may lie on each other: many opaque ones would hide the lines."""
    return BAND * min(1.0, 4.0 / n)


def name_sets(axis: Axes, features: list[str]) -> None:
    """Name feature sets that stand side by side along the x axis."""
    axis.set_xticks(range(len(features)), [shorten(name, 16) for name in features], rotation=40, ha="right")
    axis.set_xlim(-0.5, len(features) - 0.5)


def between(middle: pd.Series, low: pd.Series, high: pd.Series) -> np.ndarray:
    """Lengths of bars below and above the middle, as matplotlib takes them: [2, n]; 0 where an end is unknown."""
    middle, low, high = (np.asarray(values, dtype=float) for values in (middle, low, high))
    return np.nan_to_num(np.stack([middle - low, high - middle]), nan=0.0, posinf=0.0, neginf=0.0)


def dodge(place: int, n: int) -> float:
    """Shift of the feature set at a place of n along the x axis, so that points of one layer do not cover others."""
    return 0.6 * ((place + 0.5) / n - 0.5)


def scatter_by(axis: Axes, x: pd.Series, y: pd.Series, looks: list[Look], size: float = 12.0) -> PathCollection:
    """Draw points, each with the colour and the marker of its own look, as one collection; pixels if they are many."""
    drawn = axis.scatter(
        x, y, s=size if len(x) <= MANY_POINTS else 3.0, c=[look.colour for look in looks], alpha=0.8, linewidths=0,
        rasterized=len(x) > MANY_POINTS,
    )  # fmt: skip
    shapes = {look.marker: MarkerStyle(look.marker) for look in looks}
    paths = {name: shape.get_path().transformed(shape.get_transform()) for name, shape in shapes.items()}
    drawn.set_paths([paths[look.marker] for look in looks])
    return drawn
