"""Maps on the cortical surface: fsaverage5 with nilearn, static and to be turned; offline.

fsaverage is an icosahedron whose triangles are cut in four, again and again, and every cut appends its new vertices to
the old ones. So vertex i of a coarser fsaverage is vertex i of the finer one: 10,242 (fsaverage5), 40,962 (fsaverage6),
163,842 (fsaverage). To draw a map of fsaverage on fsaverage5, which comes with nilearn, its first 10,242 values are
taken. What is lost: 15 of 16 vertices, that is detail below 3 mm (mean distance of neighbours on the white surface; a
quarter of it on fsaverage), and peaks between the vertices that stay. Nothing is averaged or moved. Of the weight maps
of the six components (Norman-Haignere et al. 2015), every mean stays within 1.1 % and every peak above 97 %. To lose
nothing, give the mesh of fsaverage itself (`mesh`), which FreeSurfer has and nilearn fetches from the network.
"""

from functools import partial
from pathlib import Path
from typing import Any

import mpl_toolkits.mplot3d  # noqa: F401  (registers the projection "3d")
import nibabel
import numpy as np
import pandas as pd
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from nilearn import plotting
from nilearn.datasets import fetch_surf_fsaverage
from nilearn.plotting.html_surface import SurfaceView
from nilearn.surface import load_surf_mesh

from ..errors import DataError
from ..wording import counted, listed
from .saving import FigureOf
from .style import MM, SMALL, TITLE, WIDTH, number, shorten

# vertices per hemisphere of fsaverage3 to fsaverage6 and of fsaverage
SIZES = (642, 2562, 10242, 40962, 163842)
FSAVERAGE, FSAVERAGE5 = SIZES[-1], SIZES[2]
SIDES = {"lh": "left", "rh": "right"}
# places of the flattened grid are this near to each other at least, mm
PLACE_TOLERANCE = 0.01
# values nearer to 0 than this are hidden on the page that can be turned
HIDDEN = 1e-9

SurfaceMap = dict[str, np.ndarray]


def read_surface(path: Path | str) -> np.ndarray:
    """Read one value per vertex from a FreeSurfer (.mgz, .mgh) or GIFTI (.gii) file, shape (n_vertices,), float64.

    Raises
    ------
    DataError
        No such file, another format, or another number of vertices than an fsaverage has.
    """
    path = Path(path)
    try:
        image: Any = nibabel.load(path)  # of the class that its format has
        values = image.agg_data() if path.name.endswith(".gii") else np.asarray(image.dataobj)
        values = np.asarray(values, dtype=float).ravel()
    except FileNotFoundError as error:
        raise DataError(f"{path}: there is no such file.") from error
    except Exception as error:  # nibabel and its readers document no exception types: damaged files raise many
        raise DataError(f"{path}: not a surface map that can be read (.mgz, .mgh or .gii): {error!r}.") from error
    if len(values) not in SIZES:
        raise DataError(f"{path}: {len(values)} values; a map on an fsaverage has one of {SIZES} per hemisphere.")
    return values


def read_weight_maps(folder: Path | str, pattern: str = "{side}.comp{n}.mgz") -> dict[str, SurfaceMap]:
    """Read the weight maps of components: a file per hemisphere and component.

    Parameters
    ----------
    folder : Path or str
    pattern : str
        Name of the files, with `{side}` (lh, rh) and `{n}` (1, 2, ...).

    Returns
    -------
    dict of str to dict of str to ndarray
        By component (`comp1`, ...) and side, ascending; NaN where there is no value.

    Raises
    ------
    DataError
        There is none, a hemisphere lacks one, or a file cannot be read.
    """
    folder = Path(folder)
    maps: dict[str, SurfaceMap] = {}
    while any((folder / pattern.format(side=side, n=len(maps) + 1)).exists() for side in SIDES):
        n = len(maps) + 1
        maps[f"comp{n}"] = {side: read_surface(folder / pattern.format(side=side, n=n)) for side in SIDES}
    if not maps:
        raise DataError(f"{folder}: there is no {pattern.format(side='lh', n=1)}; weight maps are named {pattern}.")
    return maps


def match_vertices(values: np.ndarray, n_vertices: int = FSAVERAGE5) -> np.ndarray:
    """Take from a map on an fsaverage the values at the vertices of a coarser one: the first ones.

    Raises
    ------
    DataError
        Either number of vertices is of no fsaverage, or the map is coarser than asked for.
    """
    if len(values) not in SIZES or n_vertices not in SIZES:
        raise DataError(
            f"{len(values)} values for {n_vertices} vertices: an fsaverage has one of {SIZES} per hemisphere."
        )
    if len(values) < n_vertices:
        raise DataError(
            f"a map of {len(values)} vertices cannot be drawn on {n_vertices}: give a mesh of as many, or a finer map."
        )
    return np.asarray(values, dtype=float)[:n_vertices]


def voxels_to_surface(
    values: pd.DataFrame, targets: pd.DataFrame, vertices: pd.DataFrame, n_vertices: int = FSAVERAGE
) -> SurfaceMap:
    """Carry values of voxels on the flattened grid to vertices: each vertex gets the median of the voxels at its place.

    Parameters
    ----------
    values : DataFrame
        `target`, `value`; NaN is no value.
    targets : DataFrame
        `target`, `hemi` (lh, rh), `x`, `y`: place on the flattened grid, mm (x_ras, y_ras).
    vertices : DataFrame
        The authors' table of places: `hemi`, `x`, `y`, `vertex` (counted from 0). A place may have several vertices.
    n_vertices : int
        Of the surface that `vertex` counts.

    Returns
    -------
    dict of str to ndarray, shape (n_vertices,)
        By side; NaN at vertices without a voxel.

    Raises
    ------
    DataError
        A column is missing, a vertex does not exist, or no voxel lies at a place of the table.
    """
    for what, table, needed in (("targets", targets, "target"), ("vertices", vertices, "vertex")):
        absent = [column for column in (needed, "hemi", "x", "y") if column not in table]
        if absent:
            raise DataError(f"the table of {what} has no column {absent[0]!r}, only: {', '.join(table.columns)}.")
    wrong = vertices[(vertices["vertex"] < 0) | (vertices["vertex"] >= n_vertices)]
    if len(wrong):
        raise DataError(f"vertex {wrong['vertex'].iloc[0]} does not exist: there are {n_vertices}, counted from 0.")
    placed = values[["target", "value"]].dropna().merge(targets[["target", "hemi", "x", "y"]], on="target")
    at_place = _keyed(placed).groupby(["hemi", "x", "y"])["value"].median()
    known = _keyed(vertices).join(at_place, on=["hemi", "x", "y"], how="inner")
    if known.empty and len(placed):
        raise DataError(
            f"none of {len(placed)} voxels lies at one of the {len(vertices)} places of the table of vertices; the "
            f"first voxel is at {placed.iloc[0][['hemi', 'x', 'y']].tolist()}, the first place is "
            f"{vertices.iloc[0][['hemi', 'x', 'y']].tolist()}. Are both in mm of the same flattened grid?"
        )
    maps = {side: np.full(n_vertices, np.nan) for side in SIDES}
    for side, own in known.groupby("hemi"):
        maps[side][own["vertex"].to_numpy()] = own["value"].to_numpy()
    return maps


def _keyed(table: pd.DataFrame) -> pd.DataFrame:
    """Make places comparable: whole numbers of the tolerance."""
    return table.assign(x=(table["x"] / PLACE_TOLERANCE).round(), y=(table["y"] / PLACE_TOLERANCE).round())


def surface_maps(
    maps: dict[str, SurfaceMap],
    what: str,
    limits: tuple[float, float] | None = None,
    colours: str = "inferno",
    view: str = "lateral",
    mesh: dict[str, str] | None = None,
    name: str = "surface",
    ticks: dict[float, str] | None = None,
) -> FigureOf:
    """Draw maps on the inflated surface: a row per map, a column per hemisphere.

    Parameters
    ----------
    maps : dict of str to dict of str to ndarray
        By name and side (lh, rh); values on any fsaverage at least as fine as the mesh, NaN where there is none.
    what : str
        What the values are, with their unit, for the colour bar.
    limits : (low, high), optional
        Of the colours; by default the smallest and the largest value of all maps.
    colours : str
        A colour map of matplotlib.
    view : str
        lateral, medial, dorsal, ventral, anterior or posterior.
    mesh : dict of str to str, optional
        Files `infl_left`, `infl_right`, `sulc_left`, `sulc_right`; fsaverage5 by default.
    name : str
        Of the figure's files.
    ticks : dict of float to str, optional
        Values to name at the colour bar, with their names, such as layers (`maps.layer_ticks`).

    Returns
    -------
    FigureOf
        The surface itself, shaded by the depth of the sulci, shows where there is no value. Triangles have the mean of
        their three vertices, and no value where one of them has none.

    Raises
    ------
    DataError
    """
    mesh = mesh if mesh is not None else dict(fetch_surf_fsaverage("fsaverage5"))
    n_vertices = len(load_surf_mesh(mesh["infl_left"])[0])
    tables = []
    for title, sides in maps.items():
        for side, values in sides.items():
            drawn = match_vertices(values, n_vertices)
            known = np.flatnonzero(np.isfinite(drawn))
            tables.append(pd.DataFrame({"map": title, "hemi": side, "vertex": known, "value": drawn[known]}))
    data = pd.concat(tables, ignore_index=True)
    if data.empty:
        raise DataError(f"maps {list(maps)}: no vertex of the mesh has a value.")
    given = max(len(values) for sides in maps.values() for values in sides.values())
    matched = f"; of {given:,} vertices the first {n_vertices:,}, which are the mesh's" if given > n_vertices else ""
    best = data.loc[data.groupby("map", sort=False)["value"].idxmax()]
    words = [f"{row.map} {number(row.value)} ({SIDES[row.hemi]})" for row in best.itertuples()]
    covered = data.groupby(["map", "hemi"], sort=False)["vertex"].size()
    return FigureOf(
        name=name,
        title=f"{what} on the cortical surface",
        caption=f"{what} on the inflated surface, {view} view; {counted(len(maps), 'map')}, {covered.median():,.0f} of "
        f"{n_vertices:,} vertices of a hemisphere have a value (median){matched}. No interval.",
        alt=f"Maps on the cortical surface, {counted(len(maps), 'row')}: highest value by map: {listed(words, 12)}.",
        data=data,
        draw=partial(
            _draw, what=what, limits=limits or (data["value"].min(), data["value"].max()), colours=colours, view=view,
            mesh=mesh, n_vertices=n_vertices, ticks=ticks,
        ),
    )  # fmt: skip


def _draw(
    data: pd.DataFrame,
    what: str,
    limits: tuple,
    colours: str,
    view: str,
    mesh: dict[str, str],
    n_vertices: int,
    ticks: dict[float, str] | None,
) -> Figure:
    names, sides = list(data["map"].unique()), [side for side in SIDES if side in set(data["hemi"])]
    # several maps go two by two, so that brains stay large enough to be read
    blocks = 2 if len(names) > 1 and len(sides) == 2 else 1
    columns, rows = len(sides) * blocks, -(-len(names) // blocks)
    width = (WIDTH - 1.0) / columns
    height = width * 0.78 + 4.0
    figure = Figure(figsize=(WIDTH * MM, (rows * height + 16.0) * MM))
    total = rows * height + 16.0
    for place, name in enumerate(names):
        for column, side in enumerate(sides):
            left = (place % blocks) * len(sides) + column
            bottom = total - (place // blocks + 1) * height
            # brains fill the middle of a 3-d panel, so panels reach beyond their place
            box = (left * width - 0.14 * width, bottom - 0.2 * height, width * 1.28, height * 1.28)
            axis = figure.add_axes(
                (box[0] / WIDTH, box[1] / total, box[2] / WIDTH, box[3] / total), projection="3d", facecolor="none"
            )
            values = np.full(n_vertices, np.nan)
            own = data[(data["map"] == name) & (data["hemi"] == side)]
            values[own["vertex"].to_numpy()] = own["value"].to_numpy()
            plotting.plot_surf(
                mesh[f"infl_{SIDES[side]}"], values, bg_map=mesh[f"sulc_{SIDES[side]}"], hemi=SIDES[side], view=view,
                cmap=colours, vmin=limits[0], vmax=limits[1], colorbar=False, darkness=None, axes=axis,
                figure=figure,
            )  # fmt: skip
            for triangles in axis.collections:
                triangles.set_rasterized(True)
            middle, top = (left + 0.5) * width / WIDTH, (bottom + height - 2.5) / total
            figure.text(middle, top, f"{shorten(name, 52 // columns)} {side}", fontsize=TITLE, ha="center")
    strip = figure.add_axes((0.2, 10.0 / total, 0.6, 2.0 / total))
    bar = figure.colorbar(ScalarMappable(Normalize(*limits), colours), cax=strip, orientation="horizontal")
    bar.set_label(what, fontsize=SMALL)
    if ticks is not None:
        bar.set_ticks(list(ticks), labels=list(ticks.values()))
    bar.ax.tick_params(labelsize=SMALL, width=0.5, length=2, pad=1.5)
    return figure


def view_surface(
    values: SurfaceMap,
    side: str,
    what: str = "",
    limits: tuple[float, float] | None = None,
    colours: str = "inferno",
    mesh: dict[str, str] | None = None,
) -> SurfaceView:
    """Make a page on which one hemisphere can be turned (nilearn's `view_surf`); it holds all it needs.

    Parameters
    ----------
    values, what, limits, colours, mesh
        As in `surface_maps`, of one map.
    side : "lh" or "rh"

    Returns
    -------
    SurfaceView
        Shows itself in a notebook; `save_as_html(path)` writes the page, `open_in_browser()` opens it. Vertices without
        a value show the sulci. Where values are negative, colours are symmetric about 0: nilearn allows nothing else.

    Raises
    ------
    DataError
    """
    if side not in SIDES or side not in values:
        raise DataError(f"side: {side!r} is not one of {[name for name in SIDES if name in values]}.")
    mesh = mesh if mesh is not None else dict(fetch_surf_fsaverage("fsaverage5"))
    hemi = SIDES[side]
    drawn = match_vertices(values[side], len(load_surf_mesh(mesh[f"infl_{hemi}"])[0]))
    low, high = limits or (np.nanmin(drawn), np.nanmax(drawn))
    # the page knows no missing values, it hides those below a threshold: all that are known lie above it
    known = np.isfinite(drawn)
    shown = np.where(known, np.clip(drawn, low, high), 0.0)
    shown[known & (np.abs(shown) < HIDDEN)] = HIDDEN
    symmetric = bool(low < 0)
    return plotting.view_surf(
        mesh[f"infl_{hemi}"], shown, bg_map=mesh[f"sulc_{hemi}"], cmap=colours, symmetric_cmap=symmetric,
        vmin=None if symmetric else low, vmax=max(-low, high) if symmetric else high, threshold=HIDDEN, darkness=None,
        title=what,
    )  # fmt: skip
