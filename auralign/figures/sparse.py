"""What sparse models select: how many features, and how consistently over splits, targets and regions."""

from functools import partial

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from ..wording import counted
from .contrast import text_on
from .heads import looks_of, median_of_many, of_many, rows_of, target_panels
from .layer_axis import LayerAxis
from .marks import between, dodge, draw_curve
from .saving import FigureOf
from .style import (
    MAX_PANELS,
    MM,
    SMALL,
    Look,
    colour_bar,
    handle,
    layout_of,
    number,
    panels,
    shorten,
    surround,
    title,
)


def selected_counts(selection: pd.DataFrame, estimator: str, looks: dict[str, Look] | None = None) -> FigureOf:
    """Draw how many features are selected per layer: one panel per target.

    Parameters
    ----------
    selection : DataFrame
        selection.tsv; its rows `across` splits, with `n_selected_mean`, `n_selected_min`, `n_selected_max`, `n_splits`.
    estimator : str
    looks : dict of str to Look, optional

    Returns
    -------
    FigureOf
        Points are means over splits, bars go from the smallest to the largest number of any split. Of more than 12
        targets, the medians over targets of all three.

    Raises
    ------
    DataError
    """
    columns = {"n_selected_mean": "n_selected", "n_selected_min": "low", "n_selected_max": "high"}
    data, layers, n_targets, many = _across_splits(selection, estimator, columns)
    most = data.loc[data["n_selected"].idxmax()]
    n_splits = counted(int(selection["n_splits"].max()), "split")
    return FigureOf(
        name=f"selected_{estimator}",
        title=f"Number of selected features, {estimator}",
        caption=f"Features that {estimator} selects, of all of a layer; {n_targets}. Points: {many}means over "
        f"{n_splits}; bars: {many}smallest and largest number of any split.{layers.one_layer_words}",
        alt=f"Numbers of selected features against layer. Most: {most.n_selected:.0f}, {most.target}, {most.features} "
        f"{layers.at(most.features, most.layer)}.",
        data=data,
        draw=partial(_draw_counts, looks=looks, layers=layers),
    )


def selection_stability(selection: pd.DataFrame, estimator: str, looks: dict[str, Look] | None = None) -> FigureOf:
    """Draw how consistently features are selected over splits, per layer: one panel per target.

    Parameters
    ----------
    selection, estimator, looks
        As in `selected_counts`; with `stability`, `stability_low`, `stability_high`, `stability_chance`.

    Returns
    -------
    FigureOf
        Nogueira's stability: 1 the same features in every split, 0 chance (dotted). Bands are its 95 % interval, which
        takes splits as independent and so is too narrow. Of more than 12 targets, medians over targets of all of these.

    Raises
    ------
    DataError
    """
    columns = {"stability": "score", "stability_low": "low", "stability_high": "high", "stability_chance": "chance"}
    data, layers, n_targets, many = _across_splits(selection, estimator, columns)
    data["x"] = layers.place(data)
    known = data[data["score"].notna()]
    words = "None is defined: nothing was selected."
    if len(known):
        most = known.loc[known["score"].idxmax()]
        words = (
            f"Highest: {number(most.score)}, {most.target}, {most.features} {layers.at(most.features, most.layer)}; "
            f"median {number(known['score'].median())}, chance {number(data['chance'].median())}."
        )
    n_splits = counted(int(selection["n_splits"].max()), "split")
    nothing = int(data["score"].isna().sum())
    return FigureOf(
        name=f"stability_{estimator}",
        title=f"Consistency of selected features, {estimator}",
        caption=f"Consistency of the features that {estimator} selects over {n_splits} (stability of Nogueira et al. "
        f"2018: 1 the same features every time, dotted: chance); {n_targets}. Lines: {many}stability; bands: "
        f"{many}95 % interval, which takes splits as independent, although they share stimuli, and so is too narrow."
        + (f" {nothing} of {len(data)} points are undefined: nothing was selected." if nothing else ""),
        alt=f"Stability of selection against layer. {words}",
        data=data,
        draw=partial(_draw_stability, looks=looks, layers=layers),
    )


def selection_agreement(selection: pd.DataFrame, estimator: str, across: str = "target") -> FigureOf:
    """Draw as a matrix how well the features selected for two targets, or in two regions, agree.

    Parameters
    ----------
    selection : DataFrame
        selection.tsv; its rows `across` targets or a column of their metadata, with `a`, `b`, `kuncheva`, `n_pairs`.
    estimator : str
    across : str
        "target", "roi", ...

    Returns
    -------
    FigureOf
        A panel per feature set: the correlation of the 0/1 indicators (0 chance, 1 identical), mean over its layers.

    Raises
    ------
    DataError
    """
    own = rows_of(selection, "selections", estimator=estimator, across=across)
    grouped = own.groupby(["features", "a", "b"], sort=False)
    data = grouped.agg(kuncheva=("kuncheva", "mean"), n_pairs=("n_pairs", "sum"), n_layers=("layer", "nunique"))
    data = data.reset_index()
    known = data[(data["a"] != data["b"]) & data["kuncheva"].notna()]
    words = "No two can be compared." if known.empty else ""
    if len(known):
        top = known.loc[known["kuncheva"].idxmax()]
        words = f"Highest between two: {number(top.kuncheva)}, {top.a} and {top.b}, {top.features}."
    within = " On the diagonal: two targets of the same region." if across != "target" else ""
    return FigureOf(
        name=f"agreement_{across}_{estimator}",
        title=f"Agreement of selected features between {'targets' if across == 'target' else across}",
        caption=f"Agreement of the features that {estimator} selects for two "
        f"{'targets' if across == 'target' else across} in the same split: correlation of the selections (0 chance, "
        f"1 identical), mean over {counted(int(data['n_pairs'].median()), 'pair')} of selections (median over cells) "
        f"of all layers; no interval.{within}",
        alt=f"Matrices of agreement between selections, {counted(data['features'].nunique(), 'feature set')}. {words}",
        data=data,
        draw=_draw_agreement,
    )


def _across_splits(
    selection: pd.DataFrame, estimator: str, columns: dict[str, str]
) -> tuple[pd.DataFrame, LayerAxis, str, str]:
    """Take the rows across splits and condense many targets: table, layers, number of targets, what was done."""
    own = rows_of(selection, "selections", estimator=estimator, across="split")
    data = own[["target", "features", "layer", *columns]].rename(columns=columns).reset_index(drop=True)
    layers, n_targets = LayerAxis.of(own), data["target"].nunique()
    data = median_of_many(data, ["features", "layer"])
    data.insert(3, "layer_name", layers.name_of(data))
    return data, layers, counted(n_targets, "target"), of_many(n_targets, "medians over targets of the ")


def _draw_counts(data: pd.DataFrame, looks: dict[str, Look] | None, layers: LayerAxis) -> Figure:
    looks = looks_of(data["features"], looks)
    figure, made = target_panels(data, layers)
    for axis, rows in made:
        for place, (name, look) in enumerate(looks.items()):
            own = rows[rows["features"] == name]
            error = between(own["n_selected"], own["low"], own["high"])
            axis.errorbar(
                layers.place(own) + layers.step * dodge(place, len(looks)), own["n_selected"], yerr=error,
                color=look.colour, marker=look.marker, markersize=3, linestyle="none", elinewidth=0.7, label=name,
            )  # fmt: skip
    layers.mark(figure.axes)
    figure.axes[0].set_ylim(bottom=0)
    entries = {name: handle(look, line=False) for name, look in looks.items()}
    surround(figure, layers.label, "number of selected features", entries)
    return figure


def _draw_stability(data: pd.DataFrame, looks: dict[str, Look] | None, layers: LayerAxis) -> Figure:
    looks = looks_of(data["features"], looks)
    figure, made = target_panels(data, layers)
    for axis, rows in made:
        for name, look in looks.items():
            own = rows[rows["features"] == name].sort_values("layer")
            draw_curve(axis, own, name, look)
            axis.plot(own["x"], own["chance"], color=look.colour, linestyle=":", linewidth=0.7)
    layers.mark(figure.axes)
    figure.axes[0].set_ylim(min(-0.05, np.nanmin(data["chance"].to_numpy(), initial=0.0)), 1.02)
    entries = {name: handle(look) for name, look in looks.items()}
    surround(figure, layers.label, "stability of selection", entries)
    return figure


def _draw_agreement(data: pd.DataFrame) -> Figure:
    features = list(data["features"].unique())
    names = list(dict.fromkeys([*data["a"], *data["b"]]))
    # two panels side by side where their cells are wide enough for a number
    columns = min(2, len(features)) if len(names) <= MAX_PANELS // 2 else 1
    height = 34.0 if columns == 2 else float(np.clip(4.5 * len(names) + 8.0, 34.0, 64.0))
    figure, axes = panels(len(features), columns, height, extra=18.0)
    layout_of(figure).set(h_pad=2 * MM)  # turned names reach below what the layout leaves for them
    position = {name: place for place, name in enumerate(names)}
    drawn = None
    for axis, name in zip(axes, features, strict=True):
        matrix = np.full((len(names), len(names)), np.nan)
        for row in data[data["features"] == name].itertuples():
            matrix[position[row.a], position[row.b]] = matrix[position[row.b], position[row.a]] = row.kuncheva
        drawn = axis.imshow(matrix, vmin=-1.0, vmax=1.0, cmap="PuOr_r", interpolation="nearest")
        if len(names) <= MAX_PANELS:
            for (i, j), value in np.ndenumerate(matrix):
                if np.isfinite(value):
                    axis.text(
                        j, i, _one_digit(value), ha="center", va="center", fontsize=SMALL,
                        color=text_on(drawn.to_rgba(value)),
                    )  # fmt: skip
        ticks = range(len(names)) if len(names) <= 2 * MAX_PANELS else []
        axis.set_xticks(ticks, [shorten(names[i], 12) for i in ticks], rotation=60, ha="right")
        axis.set_yticks(ticks, [shorten(names[i], 12) for i in ticks])
        title(axis, name, 24)
    colour_bar(figure, drawn, axes, "agreement (0 chance, 1 identical)")
    return figure


def _one_digit(value: float) -> str:
    """Write an agreement without the zero before the point, so that it fits into its cell: .3, -.1, 0, 1."""
    return f"{value:.1f}".replace("0.0", "0").replace("1.0", "1").replace("0.", ".").replace("-0", "0")
