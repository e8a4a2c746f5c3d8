"""Scores per layer: one panel per target with ceiling and baselines, and one line per feature set for many targets."""

from functools import partial

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from ..errors import DataError
from ..wording import counted, listed
from .heads import finish_curves, looks_of, median_of_many, named_by, of_many, rows_of, target_panels
from .layer_axis import LayerAxis
from .marks import below_axis, draw_curves, score_limits
from .saving import FigureOf
from .style import (
    BAND,
    MAX_PANELS,
    METRICS,
    Look,
    number,
)

CEILING = Line2D([], [], color="0.45", linestyle=":", linewidth=1.0)


def layer_scores(
    summary: pd.DataFrame,
    estimator: str,
    metric: str = "r2_corr",
    looks: dict[str, Look] | None = None,
) -> FigureOf:
    """Draw the score per layer: one panel per target, one line per feature set.

    Parameters
    ----------
    summary : DataFrame
        One row per features x layer x target x estimator: `features`, `layer`, `target`, `estimator`, `n_splits`,
        `<metric>_median`, `<metric>_sd` (corrected scores have none), and where known `layer_name` and
        `noise_ceiling` with its interval, or the `ceiling` of synthetic responses.
    estimator : str
    metric : str
        r2_corr, r2, r2_corr_c2 or r2_corr_c.
    looks : dict of str to Look, optional
        `feature_looks` of all feature sets.

    Returns
    -------
    FigureOf
        Layers by relative depth, or by name where one feature set alone has several (`LayerAxis`). Lines are medians
        over splits, bands one standard deviation over splits on either side. A feature set with one layer, such as a
        baseline, is a horizontal line across; where all have one layer, they stand side by side.
        More than 12 targets are one panel: medians over targets of both.

    Raises
    ------
    DataError
    """
    own = rows_of(summary, estimator=estimator)
    layers = LayerAxis.of(own)
    data = layer_data(own, metric, layers)
    several = bool((data["n_layers"] > 1).any())
    n_splits, n_targets = int(data["n_splits"].max()), summary["target"].nunique()
    many = of_many(n_targets, "medians over {} of the ")
    n_sets = counted(data["features"].nunique(), "feature set")
    caption = (
        f"Score per layer, {estimator}; {counted(n_targets, 'target')}, {n_sets}. {'Lines' if several else 'Points'}: "
        f"{many}medians over {counted(n_splits, 'split')} of {METRICS[metric]} on the test stimuli"
    )
    if data["low"].notna().any():
        caption += f"; {'bands' if several else 'bars'}: {many}standard deviation over splits on either side"
    caption += ". " + _ceiling_words(data)
    if several and (data["n_layers"] == 1).any():
        caption += f"Horizontal lines: one layer ({listed(data.loc[data['n_layers'] == 1, 'features'].unique())}). "
    caption += below_axis(data["score"])
    return FigureOf(
        name=named_by(f"layers_{estimator}", metric),
        title=f"Score per layer, {estimator}",
        caption=caption.strip(),
        alt=_alt(data, estimator, layers),
        data=data,
        draw=partial(draw_layer_scores, metric=metric, looks=looks, layers=layers),
    )


def layer_data(summary: pd.DataFrame, metric: str, layers: LayerAxis) -> pd.DataFrame:
    """Lay out what `layer_scores` draws, one row per target x features x layer.

    Returns
    -------
    DataFrame
        `target`, `features`, `layer`, `layer_name`, `x` (place on the axis, see `LayerAxis`), `score`, `low`, `high`,
        `ceiling`, `ceiling_low`, `ceiling_high` (NaN where unknown), `n_layers`, `n_splits`, `n_targets`.
    """
    columns = {
        "score": f"{metric}_median",
        "spread": f"{metric}_sd",
        "ceiling": "ceiling" if "ceiling" in summary else "noise_ceiling",
        "ceiling_low": "noise_ceiling_low",
        "ceiling_high": "noise_ceiling_high",
    }
    if columns["score"] not in summary:
        raise DataError(f"the summary has no column {columns['score']!r}: scores corrected for noise need repetitions.")
    known = summary[["target", "features", "layer", "n_splits"]].copy()
    for name, column in columns.items():
        known[name] = summary[column].to_numpy(dtype=float) if column in summary else np.nan
    if columns["ceiling"] == "ceiling":
        known[["ceiling_low", "ceiling_high"]] = np.nan  # intervals are of the estimated ceiling
    if metric != "r2_corr":
        known[["ceiling", "ceiling_low", "ceiling_high"]] = np.nan  # ceilings are of r2_corr
    n_targets = known["target"].nunique()
    known = median_of_many(known, ["features", "layer"])
    known["n_splits"] = known["n_splits"].astype(int)
    known["n_layers"] = known.groupby("features")["layer"].transform("nunique")
    known["x"] = layers.place(known)
    known["layer_name"] = layers.name_of(known)
    known["low"], known["high"] = known["score"] - known["spread"], known["score"] + known["spread"]
    known["n_targets"] = 1 if n_targets <= MAX_PANELS else n_targets
    order = ["target", "features", "layer", "layer_name", "x", "score", "low", "high"]
    tail = ["ceiling", "ceiling_low", "ceiling_high", "n_layers", "n_splits", "n_targets"]
    return known[[*order, *tail]].reset_index(drop=True)


def draw_layer_scores(data: pd.DataFrame, metric: str, looks: dict[str, Look] | None, layers: LayerAxis) -> Figure:
    """Draw what `layer_data` laid out."""
    looks, several = looks_of(data["features"], looks), bool((data["n_layers"] > 1).any())
    figure, made = target_panels(data, layers)
    for axis, own in made:
        draw_curves(axis, own, looks, several)
        _draw_ceiling(axis, own.iloc[0])
    figure.axes[0].set_ylim(*score_limits(data))
    entries = {"ceiling": CEILING} if data["ceiling"].notna().any() else {}
    finish_curves(figure, figure.axes, layers, looks, metric, several, entries=entries)
    return figure


def _draw_ceiling(axis: Axes, row: pd.Series) -> None:
    if np.isfinite(row["ceiling"]):
        axis.axhline(row["ceiling"], color="0.45", linestyle=":", linewidth=1.0, label="ceiling")
        if np.isfinite([row["ceiling_low"], row["ceiling_high"]]).all():
            axis.axhspan(row["ceiling_low"], row["ceiling_high"], color="0.45", alpha=BAND, linewidth=0)


def _ceiling_words(data: pd.DataFrame) -> str:
    if data["ceiling"].isna().all():
        return ""
    if data["ceiling_low"].notna().any():
        return "Dotted: noise ceiling of the mean response; grey band: its 95 % interval (bootstrap over stimuli). "
    return "Dotted: known ceiling. "


def _alt(data: pd.DataFrame, estimator: str, layers: LayerAxis) -> str:
    best = data.loc[data.groupby("target", sort=False)["score"].idxmax().dropna()]
    words = [
        f"{row.target} {number(row.score)} ({row.features} {layers.at(row.features, row.layer)})"
        for row in best.itertuples()
    ]
    top = best.loc[best["score"].idxmax()]
    n_panels = counted(data["target"].nunique(), "panel")
    return (
        f"Line plots of score against layer, {estimator}, {n_panels}. Highest of all: {number(top.score)}, "
        f"{top.target}, {top.features} {layers.at(top.features, top.layer)}. "
        f"Highest per panel: {listed(words, MAX_PANELS)}."
    )
