"""What a feature set predicts beyond another, and how much a best layer owes to being chosen on the test stimuli."""

from functools import partial

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from ..analysis.layer_choice import optimism_rows
from ..errors import DataError
from ..wording import counted
from .heads import looks_of, median_name, target_panels
from .layer_axis import LayerAxis
from .marks import dodge, draw_tested
from .saving import FigureOf
from .style import (
    COLOURS,
    GREYS,
    MAX_PANELS,
    METRICS,
    Look,
    handle,
    panels,
    shorten,
    surround,
    title,
)


def unique_variance(
    table: pd.DataFrame,
    estimator: str,
    without: str,
    level: float = 0.95,
    looks: dict[str, Look] | None = None,
) -> FigureOf:
    """Draw what feature sets add to another one, per layer: one panel per target.

    Parameters
    ----------
    table : DataFrame
        unique_variance.tsv: `adds`, `without`, `layer`, `estimator`, `target`, `unique`, `low`, `high`,
        `significant`, and where known `layer_name`.
    estimator : str
    without : str
        What they are added to, such as the baseline.
    level : float
        Of the table's intervals.
    looks : dict of str to Look, optional

    Returns
    -------
    FigureOf
        Points are means over splits of R²(both) - R²(without), bars the interval of the corrected resampled t-test;
        filled where it is significantly more than 0. Of more than 12 targets, the median over targets with their
        quartiles.

    Raises
    ------
    DataError
    """
    own = table[(table["estimator"] == estimator) & (table["without"] == without)]
    if own.empty:
        raise DataError(f"nothing is added to {without!r} with {estimator!r}; there are {table['without'].unique()}.")
    layers, n_targets = LayerAxis.of(own, "adds"), own["target"].nunique()
    if n_targets > MAX_PANELS:
        groups = own.groupby(["adds", "layer"], sort=False)["unique"]
        quartiles = {name: groups.quantile(share) for name, share in (("unique", 0.5), ("low", 0.25), ("high", 0.75))}
        data = pd.DataFrame(quartiles).reset_index().assign(significant=True, n_targets=n_targets)
        data.insert(0, "target", median_name(n_targets))
        interval = "points: medians over targets; bars: quartiles over targets"
    else:
        data = own[["target", "adds", "layer", "unique", "low", "high", "significant"]].assign(n_targets=1)
        # the test is two-sided: what makes predictions significantly worse adds nothing
        data["significant"] = data["significant"].astype(bool) & (data["unique"] > 0)
        interval = (
            f"points: means over splits; bars: {level:.0%} interval of the corrected resampled t-test over splits; "
            f"filled: more than 0 at the false discovery rate of the comparison ({int(data['significant'].sum())} of "
            f"{len(data)})"
        )
    data.insert(3, "layer_name", layers.name_of(data, "adds"))
    top = data.loc[data["unique"].idxmax()]
    return FigureOf(
        name=f"unique_{estimator}_over_{without}",
        title=f"Unique variance over {without}",
        caption=f"Unique variance over {without}, {estimator}: R² of both together minus R² of {without} alone on the "
        f"same test stimuli, which is negative where more features predict worse; {counted(n_targets, 'target')}; "
        f"{interval}.{layers.one_layer_words}",
        alt=f"Unique variance over {without} against layer. Most: {top['unique']:+.3f}, {top.target}, {top.adds} "
        f"{layers.at(top.adds, top.layer)}. {int((data['low'] > 0).sum())} of {len(data)} bars lie above 0.",
        data=data.reset_index(drop=True),
        draw=partial(_draw_unique, without=without, looks=looks, layers=layers),
    )


def _draw_unique(data: pd.DataFrame, without: str, looks: dict[str, Look] | None, layers: LayerAxis) -> Figure:
    looks = looks_of(data["adds"], looks)
    figure, made = target_panels(data, layers)
    for axis, rows in made:
        axis.axhline(0.0, color="0.6", linewidth=0.6)
        for place, (name, look) in enumerate(looks.items()):
            own = rows[rows["adds"] == name]
            x = layers.place(own, "adds") + layers.step * dodge(place, len(looks))
            draw_tested(axis, x, own, "unique", own["significant"], look, name, 10.0)
    layers.mark(figure.axes)
    entries = {name: handle(look, line=False) for name, look in looks.items()}
    surround(figure, layers.label, f"R² beyond {shorten(without, 30)}", entries)
    return figure


RULES = {
    "naive": ("chosen on the test stimuli", "o", GREYS[2]),
    "published": ("published rule: half of the splits", "s", COLOURS[1]),
    "nested": ("chosen inside the development stimuli", "D", COLOURS[0]),
}


def optimism_gap(layer_choice: pd.DataFrame, estimator: str, metric: str = "r2_corr") -> FigureOf:
    """Draw the score at the best layer by three rules of choosing it: how much is owed to the choice.

    Parameters
    ----------
    layer_choice : DataFrame
        layer_choice.tsv: `features`, `estimator`, `metric`, `layers`, `naive`, `published`, `nested`, and `target`, or
        of many targets the columns they are grouped by (`subject`, `roi`; none for all together).
    estimator, metric : str

    Returns
    -------
    FigureOf
        A panel per target (up to 12), or one for all targets together; a row per feature set with two layers or more.

    Raises
    ------
    DataError
    """
    own = optimism_rows(layer_choice[layer_choice["estimator"] == estimator], metric)
    single = "target" in own and own["target"].notna().any()
    own = own.assign(panel=own["target"] if single else "all targets")
    # of all targets, also of those that have no panel
    gap, n_rows = own["gap"].mean(), len(own)
    own = own[own["panel"].isin(own["panel"].unique()[:MAX_PANELS])]
    if own.empty:
        raise DataError(
            f"no feature set has two layers with scores of {estimator!r} and {metric!r}: there is no choice."
        )
    data = own[["panel", "features", *RULES, "gap", "n_layers", "n_targets"]].reset_index(drop=True)
    largest = data.loc[data["gap"].idxmax()]
    return FigureOf(
        name=f"optimism_{estimator}_{metric}",
        title=f"Optimism of the best layer, {estimator}",
        caption=f"Scores ({METRICS[metric]}) at the best layer, {estimator}, by how it is chosen: grey circles "
        "on the test stimuli themselves, orange squares by the published rule (one half of the splits chooses, the "
        "other is read), blue diamonds inside the development stimuli. The line between the ends is the optimism; "
        f"medians over splits, no interval. {counted(data['features'].nunique(), 'feature set')} of two layers or "
        f"more, {counted(int(data.groupby('features')['n_targets'].sum().max()), 'target')}; mean optimism "
        f"{gap:+.3f}.",
        alt=f"Scores by three ways to choose the layer. Optimism (on the test stimuli minus inside development) is "
        f"largest for {largest.features}, {largest.panel}: {largest.gap:+.3f}; on average {gap:+.3f} over "
        f"{n_rows} rows.",
        data=data,
        draw=partial(_draw_gap, metric=metric),
    )


def _draw_gap(data: pd.DataFrame, metric: str) -> Figure:
    names, features = list(data["panel"].unique()), list(data["features"].unique())
    figure, axes = panels(len(names), height=max(16.0, 6.0 + 4.5 * len(features)))
    for axis, name in zip(axes, names, strict=True):
        own = data[data["panel"] == name].set_index("features").reindex(features)
        places = np.arange(len(features))
        axis.hlines(places, own["nested"], own["naive"], color="0.6", linewidth=1.0, zorder=1)
        for rule, (_, marker, colour) in RULES.items():
            axis.scatter(own[rule], places, s=10, marker=marker, color=colour, linewidths=0, zorder=2, label=rule)
        axis.set_yticks(places, [shorten(feature_set, 16) for feature_set in features])
        title(axis, name, 24 if len(names) > 1 else 50)
    axes[0].set_ylim(len(features) - 0.4, -0.6)
    marks = {text: Line2D([], [], color=c, marker=m, linestyle="none", markersize=3) for text, m, c in RULES.values()}
    surround(figure, METRICS[metric], entries=marks)
    return figure
