"""Figures of a comparison: each a function from the summary table to a matplotlib Figure."""

import matplotlib

matplotlib.use("Agg")  # no display on a server

import matplotlib.pyplot as plt
import pandas as pd
import seaborn as sns
from matplotlib.figure import Figure

# columns of the grid of targets; more targets than this many panels are summarised by their median
PANEL_COLUMNS = 3
MAX_PANELS = 12


def feature_colours(summary: pd.DataFrame) -> dict[str, tuple]:
    """Give each feature set a colour of seaborn's colour-blind palette, in order of appearance."""
    names = list(dict.fromkeys(summary["features"]))
    return dict(zip(names, sns.color_palette("colorblind", len(names)), strict=True))


def _panels(summary: pd.DataFrame) -> pd.DataFrame:
    """Keep one panel per target, or one for the median over targets where there are many."""
    if summary["target"].nunique() <= MAX_PANELS:
        return summary
    keys = ["features", "layer", "estimator"]
    medians = summary.groupby(keys, sort=False)[["r2_corr_median", "r2_corr_sd"]].median().reset_index()
    return medians.assign(target=f"median of {summary['target'].nunique()} targets")


def layer_curves(summary: pd.DataFrame, estimator: str) -> Figure:
    """Draw the score per layer: one panel per target, one line per feature set.

    Parameters
    ----------
    summary : DataFrame
        The summary table of a comparison.
    estimator : str
        Which estimator's scores.

    Returns
    -------
    Figure
        Lines are medians of r2_corr over splits, bands one standard deviation over splits; a feature set with one
        layer is a horizontal line; a known ceiling (column `ceiling`) is a dotted line.
    """
    data = _panels(summary[summary["estimator"] == estimator])
    colours = feature_colours(summary)
    targets = list(dict.fromkeys(data["target"]))
    columns = min(PANEL_COLUMNS, len(targets))
    rows = -(-len(targets) // columns)
    figure, axes = plt.subplots(
        rows, columns, figsize=(2.6 * columns + 0.4, 2.2 * rows + 0.6), sharex=True, sharey=True, squeeze=False
    )
    for axis, target in zip(axes.flat, targets, strict=False):
        for name, colour in colours.items():
            curve = data[(data["target"] == target) & (data["features"] == name)].sort_values("layer")
            median, spread = curve["r2_corr_median"].to_numpy(), curve["r2_corr_sd"].to_numpy()
            if len(curve) == 1:
                axis.axhline(median[0], color=colour, linestyle="--", label=name)
                axis.axhspan(median[0] - spread[0], median[0] + spread[0], color=colour, alpha=0.12, linewidth=0)
            else:
                axis.plot(curve["layer"], median, marker="o", markersize=3, color=colour, label=name)
                axis.fill_between(
                    curve["layer"], median - spread, median + spread, color=colour, alpha=0.2, linewidth=0
                )
        if "ceiling" in data:
            ceiling = data.loc[data["target"] == target, "ceiling"].iloc[0]
            axis.axhline(ceiling, color="0.35", linestyle=":", linewidth=1.2, label="known ceiling")
        axis.set_title(target, fontsize=9)
        axis.set_ylim(-0.02, 1.02)
        axis.xaxis.set_major_locator(matplotlib.ticker.MaxNLocator(integer=True))
    for axis in axes.flat[len(targets) :]:
        axis.set_visible(False)
    for axis in axes[:, 0]:
        axis.set_ylabel("$r^2_{corr}$ (test)")
    for axis in axes[-1]:
        axis.set_xlabel("layer (from 0)")
    handles, labels = axes[0, 0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="lower center", ncols=min(len(labels), 5), frameon=False, fontsize=8)
    sns.despine(figure)
    figure.tight_layout(rect=(0, 0.5 / figure.get_figheight(), 1, 1))
    return figure


def estimator_scatter(summary: pd.DataFrame, a: str, b: str) -> Figure:
    """Draw one estimator against another: a point per feature set, layer and target.

    Parameters
    ----------
    summary : DataFrame
        The summary table of a comparison.
    a, b : str
        Estimators on the x and the y axis.

    Returns
    -------
    Figure
        Points are medians of r2 (coefficient of determination) over splits; a point above the diagonal is better
        predicted by `b`. Scores below the axis limit of -0.5 are drawn at the edge.
    """
    keys = ["features", "layer", "target"]
    wide = summary.pivot(index=keys, columns="estimator", values="r2_median")[[a, b]].clip(lower=-0.5).reset_index()
    figure, axis = plt.subplots(figsize=(4.6, 4.2))
    low = min(0.0, wide[[a, b]].to_numpy().min()) - 0.03
    axis.plot([low, 1], [low, 1], color="0.6", linewidth=1)
    many = wide["target"].nunique() > MAX_PANELS
    sns.scatterplot(
        wide,
        x=a,
        y=b,
        hue="features",
        style=None if many else "target",
        palette=feature_colours(summary),
        s=14 if many else 34,
        alpha=0.8,
        ax=axis,
    )
    axis.set(
        xlim=(low, 1), ylim=(low, 1), xlabel=f"{a}: median $R^2$ over splits", ylabel=f"{b}: median $R^2$ over splits"
    )
    axis.set_aspect("equal")
    axis.legend(fontsize=7, frameon=False, loc="center left", bbox_to_anchor=(1.0, 0.5))
    sns.despine(figure)
    figure.tight_layout()
    return figure
