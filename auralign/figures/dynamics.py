"""How scores grow along training: feature sets named `<series>-step<number>`, by step and layer."""

from functools import partial

import mpl_toolkits.mplot3d  # noqa: F401  (registers the projection "3d")
import numpy as np
import pandas as pd
from matplotlib import colormaps
from matplotlib.cm import ScalarMappable
from matplotlib.colors import ListedColormap, Normalize
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from ..analysis.series import training_series
from ..errors import DataError
from ..wording import counted, listed
from .layer_axis import LayerAxis, layer_words, thinned
from .marks import FLOOR, band_opacity, score_limits
from .saving import FigureOf
from .style import (
    MARKERS,
    MAX_PANELS,
    METRICS,
    MM,
    SMALL,
    TITLE,
    WIDTH,
    colour_bar,
    number,
    panels,
    shorten,
    surround,
    title,
)

COLOURS_OF_LAYERS = "viridis"
SERIES = "series"


def training_data(summary: pd.DataFrame, series: str, estimator: str, metric: str) -> pd.DataFrame:
    """Lay out a series, one row per target x layer x step.

    Returns
    -------
    DataFrame
        `target`, `layer`, `layer_name`, `step`, `score`, `low`, `high` (median over splits -+ standard deviation over
        splits), `n_splits`, `n_targets`. More than 12 targets are condensed to their median.

    Raises
    ------
    DataError
        There is no such series, or it has no scores.
    """
    known = training_series(list(summary["features"].unique()))
    if series not in known:
        raise DataError(
            f"there is no training series {series!r}; feature sets named <series>-step<number> make one. There are: "
            f"{listed(list(known)) if known else 'none'}."
        )
    own = summary[summary["features"].isin(known[series]) & (summary["estimator"] == estimator)]
    if own.empty or f"{metric}_median" not in own:
        raise DataError(f"{series}: there are no scores {metric!r} of estimator {estimator!r}.")
    data = own[["target", "layer", "n_splits"]].assign(
        step=own["features"].map(known[series]), score=own[f"{metric}_median"], spread=own.get(f"{metric}_sd", np.nan)
    )
    n_targets = data["target"].nunique()
    if n_targets > MAX_PANELS:
        data = data.groupby(["layer", "step"]).median(numeric_only=True).reset_index()
        data["target"] = f"median of {n_targets:,} targets"
    data = data.assign(low=data["score"] - data["spread"], high=data["score"] + data["spread"])
    data["n_targets"] = 1 if n_targets <= MAX_PANELS else n_targets
    layers = LayerAxis.of(own.assign(series=series), "series")
    data["layer_name"] = layers.name_of(data.assign(series=series), "series")
    columns = ["target", "layer", "layer_name", "step", "score", "low", "high", "n_splits", "n_targets"]
    return data.sort_values(["layer", "step"], kind="stable")[columns].reset_index(drop=True)


def training_lines(summary: pd.DataFrame, series: str, estimator: str, metric: str = "r2_corr") -> FigureOf:
    """Draw scores over training steps, one line per layer, one panel per target.

    Parameters
    ----------
    summary : DataFrame
        One row per features x layer x target x estimator.
    series : str
        Name of the feature sets before `-step`.
    estimator, metric : str

    Returns
    -------
    FigureOf
        Medians over splits, bands one standard deviation over splits; of more than 12 targets medians over targets.

    Raises
    ------
    DataError
    """
    data = training_data(summary, series, estimator, metric)
    return _figure(
        data, series, estimator, metric, "steps", "Lines are layers (the first violet, the last green); bands: "
        "standard deviation over splits on either side", partial(_draw_lines, metric=metric),
    )  # fmt: skip


def training_heat(summary: pd.DataFrame, series: str, estimator: str, metric: str = "r2_corr") -> FigureOf:
    """Draw scores by layer and training step as a heat map, one panel per target; parameters as `training_lines`."""
    data = training_data(summary, series, estimator, metric)
    words = "Colours: scores; the standard deviation over splits is in the table beside the figure"
    return _figure(data, series, estimator, metric, "heat", words, partial(_draw_heat, metric=metric))


def training_surface(summary: pd.DataFrame, series: str, estimator: str, metric: str = "r2_corr") -> FigureOf:
    """Draw scores over layer and training step as a surface, one panel per target; parameters as `training_lines`.

    Raises
    ------
    DataError
        Also where the series has one layer: that has no surface.
    """
    data = training_data(summary, series, estimator, metric)
    if data["layer"].nunique() < 2:
        raise DataError(f"{series}: a surface over layers and steps needs two layers; there is one.")
    words = "Height and colour: scores; the standard deviation over splits is in the table beside the figure"
    return _figure(data, series, estimator, metric, "surface", words, partial(_draw_surface, metric=metric))


def _figure(data, series, estimator, metric, kind, words, draw) -> FigureOf:
    n_steps, n_layers = data["step"].nunique(), data["layer"].nunique()
    n_targets = int(data["n_targets"].max())
    many = f", medians over {counted(n_targets, 'target')}" if n_targets > 1 else ""
    last = data[data["step"] == data["step"].max()]
    best, final = data.loc[data["score"].idxmax()], last.loc[last["score"].idxmax()]
    layers = _axis(data)
    return FigureOf(
        name=f"training_{kind}_{series}_{estimator}",
        title=f"Training of {series}, {estimator}",
        caption=f"Scores ({METRICS[metric]}) on the test stimuli along the training of {series}, {estimator}: "
        f"{counted(n_steps, 'step')} from {data['step'].min():,} to {data['step'].max():,}, "
        f"{counted(n_layers, 'layer')}, {counted(data['target'].nunique(), 'panel')}{many}; medians over "
        f"{counted(int(data['n_splits'].max()), 'split')}. {words}.",
        alt=f"Scores by training step and layer. Highest: {number(best.score)}, {best.target}, "
        f"{layers.at(SERIES, best.layer)}, step {best.step:,}. At the last step the highest is {number(final.score)}, "
        f"{final.target}, {layers.at(SERIES, final.layer)}.",
        data=data,
        draw=draw,
    )


def _thousands(steps: pd.Series) -> tuple[np.ndarray, str]:
    """Steps as numbers for an axis, in thousands where they are large, and the axis's label."""
    values = steps.to_numpy(dtype=float)
    return (values / 1000.0, "training step (thousands)") if values.max() >= 10_000 else (values, "training step")


def _axis(data: pd.DataFrame) -> LayerAxis:
    """Names of the layers, which are those of one network at all steps."""
    return LayerAxis.of(data.assign(series=SERIES), "series")


def _draw_lines(data: pd.DataFrame, metric: str) -> Figure:
    targets, layers = data["target"].unique(), list(data["layer"].unique())
    names = dict(zip(layers, _axis(data).short(SERIES), strict=True))
    colours = dict(zip(layers, colormaps[COLOURS_OF_LAYERS](np.linspace(0.0, 0.8, len(layers))), strict=True))
    figure, axes = panels(len(targets), height=30.0 if len(targets) > 1 else 50.0)
    for axis, target in zip(axes, targets, strict=True):
        for place, layer in enumerate(layers):
            own = data[(data["target"] == target) & (data["layer"] == layer)]
            x, _ = _thousands(own["step"])
            marker = MARKERS[place % len(MARKERS)]
            axis.plot(
                x, own["score"], color=colours[layer], linewidth=0.8, marker=marker, markersize=2.2, label=str(layer)
            )
            opacity = band_opacity(len(layers))
            axis.fill_between(x, own["low"], own["high"], color=colours[layer], alpha=opacity, linewidth=0)
        title(axis, target, 24 if len(targets) > 1 else 50)
    axes[0].set_ylim(*score_limits(data))
    entries = {}
    if len(layers) <= MAX_PANELS:
        for place, layer in enumerate(layers):
            style = {"color": colours[layer], "marker": MARKERS[place % len(MARKERS)], "markersize": 3, "linewidth": 1}
            entries[layer_words(names[layer])] = Line2D([], [], **style)
    else:
        shades = ListedColormap([colours[layer] for layer in layers])
        bar = colour_bar(figure, ScalarMappable(Normalize(-0.5, len(layers) - 0.5), shades), axes, "layer")
        kept = thinned(len(layers), MAX_PANELS // 2)
        bar.set_ticks(kept, labels=[names[layers[place]] for place in kept])
    surround(figure, _thousands(data["step"])[1], METRICS[metric], entries)
    return figure


def _grid(data: pd.DataFrame) -> pd.DataFrame:
    """Scores of one target, index layer, columns step."""
    return data.pivot(index="layer", columns="step", values="score")


def _scale(data: pd.DataFrame) -> Normalize:
    return Normalize(max(min(0.0, data["score"].min()), FLOOR), data["score"].max())


def _draw_heat(data: pd.DataFrame, metric: str) -> Figure:
    targets = data["target"].unique()
    figure, axes = panels(len(targets), height=30.0 if len(targets) > 1 else 55.0)
    names, drawn = _axis(data).short(SERIES), None
    for axis, target in zip(axes, targets, strict=True):
        grid = _grid(data[data["target"] == target])
        drawn = axis.imshow(
            grid, origin="lower", aspect="auto", cmap="inferno", norm=_scale(data), interpolation="nearest"
        )
        ticks = np.unique(np.linspace(0, grid.shape[1] - 1, 3).round().astype(int))
        steps, text = _thousands(pd.Series(grid.columns))
        axis.set_xticks(ticks, [f"{steps[i]:g}" for i in ticks])
        rows = thinned(len(grid), 6)
        axis.set_yticks(rows, [names[row] for row in rows])
        title(axis, target, 24 if len(targets) > 1 else 50)
    surround(figure, text, "layer")
    colour_bar(figure, drawn, axes, METRICS[metric])
    return figure


def _draw_surface(data: pd.DataFrame, metric: str) -> Figure:
    targets = data["target"].unique()
    columns = min(2, len(targets))
    rows, size = -(-len(targets) // columns), (WIDTH - 4.0) / columns
    height = rows * size + 16.0
    figure = Figure(figsize=(WIDTH * MM, height * MM))
    figure.subplots_adjust(left=0.1, right=0.96, bottom=22.0 / height, top=1.0 - 5.0 / height, wspace=0.2, hspace=0.2)
    names, drawn = _axis(data).short(SERIES), None
    for place, target in enumerate(targets):
        axis = figure.add_subplot(rows, columns, place + 1, projection="3d", computed_zorder=False)
        grid = _grid(data[data["target"] == target])
        steps, text = _thousands(pd.Series(grid.columns))
        x, y = np.meshgrid(steps, np.arange(len(grid), dtype=float))
        # every cell of the grid is drawn: matplotlib would thin out more than 50 rows or columns
        drawn = axis.plot_surface(
            x, y, grid.to_numpy(), cmap="inferno", norm=_scale(data), rcount=len(grid), ccount=grid.shape[1],
            linewidth=0.2, edgecolor="0.4",
        )  # fmt: skip
        axis.set_title(shorten(str(target), 26), fontsize=TITLE, pad=-2)
        axis.tick_params(labelsize=SMALL, pad=-4)
        axis.set_xticks([steps[0], steps[-1]], [f"{step:g}" for step in (steps[0], steps[-1])], ha="left")
        ends = [0, len(grid) - 1]
        axis.set_yticks(ends, [shorten(names[place], 8) for place in ends], ha="right", va="center")
        low, high = score_limits(data[["score"]])
        # the last layer's name stands where the lowest scores would
        kept = [tick for tick in MaxNLocator(3).tick_values(low, high) if low + 0.2 * (high - low) < tick < high]
        axis.set(zlim=(low, high), zticks=kept)
        axis.view_init(elev=28, azim=-125)
        axis.set_box_aspect((1, 1, 0.75), zoom=0.9)
    directions = f"to the right: {text}; to the left: layer"
    figure.text(0.5, 15.0 / height, directions, fontsize=SMALL, ha="center")
    strip = figure.add_axes((0.25, 10.0 / height, 0.5, 2.0 / height))
    assert drawn is not None  # there is a target at least
    bar = figure.colorbar(drawn, cax=strip, orientation="horizontal")
    bar.set_label(METRICS[metric], fontsize=SMALL)
    bar.ax.tick_params(labelsize=SMALL, width=0.5, length=2, pad=1.5)
    return figure
