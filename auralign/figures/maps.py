"""Flat maps of voxels: best layer and score, of every subject and of all together."""

from functools import partial

import numpy as np
import pandas as pd
from matplotlib.cm import ScalarMappable
from matplotlib.colors import BoundaryNorm, Normalize
from matplotlib.figure import Figure

from ..errors import DataError
from ..wording import counted
from .layer_axis import LayerAxis, text_width, thinned
from .saving import FigureOf
from .style import SMALL, WIDTH, colour_bar, frame, number, panels, surround, title

# mm; the grid of the published voxels
CELL = 2.0
GROUP = "all subjects"
SCORES_MAP, LAYERS_MAP = "inferno", "viridis"


def score_map(
    chosen: pd.DataFrame, targets: pd.DataFrame, subjects: bool = False, cell: float = CELL, name: str = ""
) -> FigureOf:
    """Draw the score of every voxel at its best layer on a flat map.

    Parameters
    ----------
    chosen : DataFrame
        `layer_choice.nested_choice` (or another rule) of one feature set and estimator, per target: `target`, `score`.
    targets : DataFrame
        `target`, `x`, `y` (mm on the flattened cortex: x_ras, y_ras), and where known `hemi` and `subject`.
    subjects : bool
        A map per subject instead of one of all subjects.
    cell : float
        Width of a place on the map, mm; a place shows the median of the voxels in it.
    name : str
        What the scores are of, for title and files, such as `mixture_ridge`.

    Returns
    -------
    FigureOf
        Scores above 1 have the colour of 1.

    Raises
    ------
    DataError
        Voxels have no places.
    """
    data = map_data(chosen.rename(columns={"score": "value"}), targets, subjects, cell)
    top = data.loc[data["value"].idxmax()]
    return _figure(
        data, chosen, subjects, cell, f"score_map_{name}", f"Score per voxel, {name}",
        f"Score per voxel at its best layer, {name}, medians over splits",
        f"Highest: {number(top.value)} at x {top.x:g} mm, y {top.y:g} mm, {top.hemi}; median over places "
        f"{number(data['value'].median())}.",
        partial(_draw, what="score at the best layer", limits=(0.0, 1.0), n_layers=None),
    )  # fmt: skip


def best_layer_map(
    chosen: pd.DataFrame,
    targets: pd.DataFrame,
    subjects: bool = False,
    cell: float = CELL,
    name: str = "",
    min_score: float = 0.0,
    layers: LayerAxis | None = None,
) -> FigureOf:
    """Draw the best layer of every voxel on a flat map.

    Parameters
    ----------
    chosen : DataFrame
        As in `score_map`, with `pos`: position of the chosen layer from 1 (mean over splits), and `n_layers`.
    targets, subjects, cell, name
        As in `score_map`.
    min_score : float
        Voxels that no layer predicts better than this are grey: their best layer means nothing.
    layers : LayerAxis, optional
        Of the feature set, for the names of its layers; without it the colours are relative depths.

    Returns
    -------
    FigureOf
        Layers by name, or by relative depth (0 first, 1 last); a place shows the median of the voxels in it.

    Raises
    ------
    DataError
    """
    value = (chosen["pos"] - 1.0).where(chosen["score"] > min_score)
    data = map_data(chosen.assign(value=value), targets, subjects, cell)
    n_layers, known = int(chosen["n_layers"].max()), data["value"].dropna() / max(chosen["n_layers"].max() - 1.0, 1.0)
    unpredicted = int(value.isna().sum())
    ticks, what = layer_ticks(layers, n_layers)
    return _figure(
        data, chosen, subjects, cell, f"layer_map_{name}", f"Best layer per voxel, {name}",
        f"Best layer per voxel (mean over splits), {name}; grey: {counted(unpredicted, 'voxel')} "
        f"that no layer predicts better than {min_score:g}",
        f"Median relative depth of the best layer over places (0 first, 1 last): {known.median():.2f}; quartiles "
        f"{known.quantile(0.25):.2f} and {known.quantile(0.75):.2f}.",
        partial(_draw, what=what, limits=(0.0, n_layers - 1.0), n_layers=n_layers, ticks=ticks),
    )  # fmt: skip


def layer_ticks(layers: LayerAxis | None, n_layers: int, room: float | None = None) -> tuple[dict[float, str], str]:
    """Make ticks of a colour bar of layers, counted from 0.

    Parameters
    ----------
    layers : LayerAxis, optional
        Of the feature set.
    n_layers : int
    room : float, optional
        Length of a horizontal bar, mm, on which names must fit beside each other.

    Returns
    -------
    dict of float to str
        Names of layers, thinned, or where they are not known relative depths.
    str
        The label of the bar.
    """
    names = layers.labels() if layers is not None else []
    if len(names) != n_layers:
        last = n_layers - 1.0
        return {0.0: "0", last / 2: "0.5", last: "1"}, "best layer, relative depth (0 first, 1 last)"
    most = 6 if room is None else int(room // (text_width(max(names, key=len)) + 2.0))
    return {float(place): names[place] for place in thinned(n_layers, most)}, "best layer"


def _figure(data, chosen, subjects, cell, name, heading, what, words, draw) -> FigureOf:
    n_subjects = data.attrs["n_subjects"]
    people = f" of {counted(n_subjects, 'subject')}" if n_subjects else ""
    maps = "A map per subject" if subjects else f"All subjects on one map (up to {data['n_subjects'].max()} at a place)"
    return FigureOf(
        name=name + ("_subjects" if subjects else ""),
        title=heading,
        caption=f"{what}; {counted(len(chosen), 'voxel')}{people}. {maps if n_subjects else 'One map'}; a place of "
        f"{cell:g} x {cell:g} mm shows the median of its voxels ({counted(int(data['n_voxels'].median()), 'voxel')} "
        "in the middle, no interval). Coordinates on the flattened cortex.",
        alt=f"Flat map of {counted(len(data), 'place')}. {words}",
        data=data,
        draw=draw,
    )


def map_data(values: pd.DataFrame, targets: pd.DataFrame, subjects: bool, cell: float) -> pd.DataFrame:
    """Lay values of voxels on a grid, one row per map x hemisphere x place.

    Returns
    -------
    DataFrame
        `map` (a subject, or all of them), `hemi` ("" where unknown), `x`, `y` (mm, middle of the place), `value`
        (median of the voxels there, NaN where none has one), `n_voxels`, `n_subjects` (at that place; of all places
        together in `attrs`).


    Raises
    ------
    DataError
    """
    absent = [column for column in ("x", "y", *(["subject"] if subjects else [])) if column not in targets]
    if absent:
        raise DataError(
            f"the targets have no column {absent[0]!r}, which a map needs; they have: {', '.join(targets.columns)}. "
            "Give places in the comparison's targets.target_table (columns x and y, mm; hemi; subject)."
        )
    known = values[["target", "value"]].merge(targets, on="target", how="left")
    known = known[known["x"].notna() & known["y"].notna()]
    if known.empty:
        raise DataError("no target has both x and y: there is nothing to map.")
    people = known["subject"].astype(str) if "subject" in known else pd.Series("", index=known.index)
    cells = pd.DataFrame(
        {
            "map": people if subjects else GROUP,
            "hemi": known["hemi"].fillna("").astype(str) if "hemi" in known else "",
            "x": (known["x"] / cell).round() * cell,
            "y": (known["y"] / cell).round() * cell,
            "value": known["value"],
            "person": people.where(people != ""),
        }
    )
    groups = cells.groupby(["map", "hemi", "x", "y"], sort=True)
    data = groups.agg(value=("value", "median"), n_voxels=("value", "size"), n_subjects=("person", "nunique"))
    data = data.reset_index()
    data.attrs["n_subjects"] = int(cells["person"].nunique())
    return data


def _draw(
    data: pd.DataFrame,
    what: str,
    limits: tuple[float, float],
    n_layers: int | None,
    ticks: dict[float, str] | None = None,
) -> Figure:
    maps, sides = list(data["map"].unique()), sorted(data["hemi"].unique())
    # two maps side by side where there are several
    across = len(sides) * (2 if len(maps) > 1 else 1)
    span = [max(data[axis].max() - data[axis].min(), 1.0) for axis in ("x", "y")]
    height = float(np.clip((WIDTH - 18.0) / across * span[1] / span[0], 8.0, 70.0)) + 7.0
    grid = [(one, side) for one in maps for side in sides]
    figure, axes = panels(len(grid), across, height, extra=8.0)
    cell = _spacing(data)
    extent = _extent(data, cell)
    discrete = n_layers is not None and n_layers <= 12
    norm = BoundaryNorm(np.arange(-0.5, n_layers), 256) if discrete else Normalize(*limits)
    colours = LAYERS_MAP if n_layers is not None else SCORES_MAP
    for axis, (one, side) in zip(axes, grid, strict=True):
        own = data[(data["map"] == one) & (data["hemi"] == side)]
        values, there = raster(own, extent, cell)
        # pixels, also inside an SVG: one image a map instead of a path a voxel
        axis.imshow(np.where(there, 0.85, np.nan), cmap="gray", vmin=0, vmax=1, extent=extent, origin="lower")
        axis.imshow(values, cmap=colours, norm=norm, extent=extent, origin="lower", interpolation="nearest")
        frame(axis, ())
        axis.tick_params(labelsize=SMALL)
        title(axis, f"{one} {side}".strip(), 34 // across + 4)
    surround(figure, "x (mm)", "y (mm)")
    bar = ScalarMappable(norm, colours)
    drawn = colour_bar(figure, bar, axes, what, shrink=0.95, aspect=20)
    if ticks is not None:
        drawn.set_ticks(list(ticks), labels=list(ticks.values()))
        drawn.ax.minorticks_off()
    return figure


def _spacing(data: pd.DataFrame) -> float:
    """Width of a place, from the smallest step between two places."""
    steps = [np.diff(np.unique(data[axis])) for axis in ("x", "y")]
    return float(min((step.min() for step in steps if len(step)), default=CELL))


def _extent(data: pd.DataFrame, cell: float) -> tuple[float, float, float, float]:
    half = cell / 2
    return data["x"].min() - half, data["x"].max() + half, data["y"].min() - half, data["y"].max() + half


def raster(
    places: pd.DataFrame, extent: tuple[float, float, float, float], cell: float
) -> tuple[np.ndarray, np.ndarray]:
    """Turn places into pixels: values [row, column], lowest y first, NaN where none, and where there is a place."""
    left, right, bottom, top = extent
    shape = round((top - bottom) / cell), round((right - left) / cell)
    column = ((places["x"] - left) / cell - 0.5).round().astype(int).to_numpy()
    row = ((places["y"] - bottom) / cell - 0.5).round().astype(int).to_numpy()
    values, there = np.full(shape, np.nan), np.zeros(shape, dtype=bool)
    values[row, column], there[row, column] = places["value"].to_numpy(), True
    return values, there
