"""Scores against scores: one estimator against another, one component against another."""

from functools import partial

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from ..errors import DataError
from ..wording import counted, listed
from .heads import looks_of, rows_of
from .marks import FLOOR, scatter_by
from .saving import FigureOf
from .style import MAX_PANELS, METRICS, SMALL, Look, handle, number, panels, shorten, surround


def estimators_against(
    summary: pd.DataFrame, a: str, b: str, looks: dict[str, Look] | None = None, metric: str = "r2"
) -> FigureOf:
    """Draw one estimator against another: a point per feature set, layer and target.

    Parameters
    ----------
    summary : DataFrame
        One row per features x layer x target x estimator, with `<metric>_median`.
    a, b : str
        Estimators on the x and the y axis.
    looks : dict of str to Look, optional
    metric : str

    Returns
    -------
    FigureOf
        Points are medians over splits; above the diagonal `b` is better. Values below -0.5 are drawn there.
    """
    wide = summary.pivot(index=["features", "layer", "target"], columns="estimator", values=f"{metric}_median")[[a, b]]
    data = wide.dropna().reset_index().rename_axis(columns=None)
    data[["x", "y"]] = data[[a, b]].clip(lower=FLOOR)
    above, n_splits = int((data[b] > data[a]).sum()), counted(int(summary["n_splits"].max()), "split")
    n_targets = counted(data["target"].nunique(), "target")
    below = int((data[[a, b]] < FLOOR).any(axis=1).sum())
    return FigureOf(
        name=f"{a}_against_{b}",
        title=f"{a} against {b}",
        caption=f"{a} against {b}. A point is the median over {n_splits} of {METRICS[metric]} for one "
        f"feature set, layer and target (n = {len(data):,}, {n_targets}); above the diagonal {b} is better. No "
        "interval is drawn: see the paired differences."
        + (f" {below} points with a value below {FLOOR} are drawn there." if below else ""),
        alt=f"Scatter of {len(data):,} points: {b} is better in {above} of them. Highest: {number(data[a].max())} "
        f"with {a}, {number(data[b].max())} with {b}.",
        data=data,
        draw=partial(_draw_scatter, a=a, b=b, looks=looks, metric=metric),
    )


def _draw_scatter(data: pd.DataFrame, a: str, b: str, looks: dict[str, Look] | None, metric: str) -> Figure:
    looks = looks_of(data["features"], looks)
    figure, (axis,) = panels(1, height=78.0, extra=10.0)
    values = data[["x", "y"]].to_numpy()
    low, high = min(0.0, values.min()) - 0.03, max(values.max() * 1.03, 0.1)
    axis.plot([low, high], [low, high], color="0.6", linewidth=0.7, zorder=0)
    scatter_by(axis, data["x"], data["y"], [looks[name] for name in data["features"]])
    axis.set(xlim=(low, high), ylim=(low, high), aspect="equal")
    axis.set_xlabel(f"{a}: {METRICS[metric].split(' (')[0]}", fontsize=SMALL)
    axis.set_ylabel(f"{b}: {METRICS[metric].split(' (')[0]}", fontsize=SMALL)
    surround(figure, entries={name: handle(look, line=False) for name, look in looks.items()})
    return figure


def component_scatter(
    summary: pd.DataFrame,
    estimator: str,
    pairs: list[tuple[str, str]] | None = None,
    metric: str = "r2_corr",
    looks: dict[str, Look] | None = None,
) -> FigureOf:
    """Draw the scores of one component against those of another: a point per feature set and layer, a panel per pair.

    Parameters
    ----------
    summary : DataFrame
        One row per features x layer x target x estimator, with `<metric>_median`.
    estimator : str
    pairs : list of (target, target), optional
        On the x and the y axis. By default the first and the second target, the third and the fourth, and so on, up to
        12 targets.
    metric : str
    looks : dict of str to Look, optional

    Returns
    -------
    FigureOf
        Medians over splits; a small point is a layer, a large one the feature set's best layer for the component of
        the y axis.

    Raises
    ------
    DataError
        There is no pair, or a target of one does not exist.
    """
    targets = list(summary["target"].unique())
    pairs = pairs if pairs is not None else list(zip(targets[::2], targets[1::2], strict=False))[: MAX_PANELS // 2]
    absent = [name for pair in pairs for name in pair if name not in targets]
    if absent or not pairs:
        raise DataError(f"pairs of targets: {absent or 'none'}; there are {listed(targets, 20)}. Name pairs of these.")
    own = rows_of(summary, estimator=estimator)
    wide = own.pivot(index=["features", "layer"], columns="target", values=f"{metric}_median")
    parts = []
    for a, b in pairs:
        part = wide[[a, b]].set_axis(["x", "y"], axis=1).reset_index().assign(target_x=a, target_y=b)
        part["best"] = part.groupby("features")["y"].rank(method="first", ascending=False) == 1
        parts.append(part)
    columns = ["target_x", "target_y", "features", "layer", "x", "y", "best"]
    data = pd.concat(parts, ignore_index=True).dropna(subset=["x", "y"])[columns]
    n_sets, n_splits = counted(data["features"].nunique(), "feature set"), counted(int(own["n_splits"].max()), "split")
    words = []
    for (a, b), part in data.groupby(["target_x", "target_y"], sort=False):
        words.append(f"{b} is predicted better than {a} by {int((part['y'] > part['x']).sum())} of {len(part)} layers")
    return FigureOf(
        name=f"components_{estimator}",
        title=f"Component against component, {estimator}",
        caption=f"Scores of two components by the same features, {estimator}: {n_sets}, "
        f"{counted(len(wide), 'layer')} in all. Points: medians over {n_splits} of {METRICS[metric]}, no interval; "
        "large: the layer that is best for the component of the y axis (chosen on these scores).",
        alt=f"Scatter plots of component against component. {'; '.join(words)}.",
        data=data,
        draw=partial(_draw_components, looks=looks),
    )


def _draw_components(data: pd.DataFrame, looks: dict[str, Look] | None) -> Figure:
    looks = looks_of(data["features"], looks)
    pairs = list(data[["target_x", "target_y"]].drop_duplicates().itertuples(index=False, name=None))
    figure, axes = panels(len(pairs), height=32.0 if len(pairs) > 1 else 70.0, share=(False, False))
    values = data[["x", "y"]].to_numpy()
    low, high = max(min(0.0, values.min()), FLOOR) - 0.03, max(values.max() * 1.05, 0.1)
    for axis, (a, b) in zip(axes, pairs, strict=True):
        own = data[(data["target_x"] == a) & (data["target_y"] == b)].sort_values("best")
        axis.plot([low, high], [low, high], color="0.6", linewidth=0.6, zorder=0)
        drawn = scatter_by(axis, own["x"], own["y"], [looks[name] for name in own["features"]])
        drawn.set_sizes(np.where(own["best"], 22.0, 7.0))
        axis.set(xlim=(low, high), ylim=(low, high), aspect="equal")
        axis.locator_params(nbins=3)
        axis.set_xlabel(shorten(a, 24), fontsize=SMALL, labelpad=1)
        axis.set_ylabel(shorten(b, 24), fontsize=SMALL, labelpad=1)
    surround(figure, entries={name: handle(look, line=False) for name, look in looks.items()})
    return figure
