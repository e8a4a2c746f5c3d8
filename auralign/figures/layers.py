"""Scores per layer: one panel per target with ceiling and baselines, and one line per feature set for many targets."""

from functools import partial

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from ..errors import DataError
from .marks import FLOOR, band_opacity, draw_curve, name_sets, score_limits
from .saving import FigureOf
from .style import (
    BAND,
    MAX_PANELS,
    METRICS,
    Look,
    counted,
    feature_looks,
    handle,
    listed,
    number,
    panels,
    surround,
    title,
    whole_numbers,
)

CEILING = Line2D([], [], color="0.45", linestyle=":", linewidth=1.0)


def layer_scores(
    summary: pd.DataFrame,
    estimator: str,
    metric: str = "r2_corr",
    looks: dict[str, Look] | None = None,
    relative: bool = False,
) -> FigureOf:
    """Draw the score per layer: one panel per target, one line per feature set.

    Parameters
    ----------
    summary : DataFrame
        One row per features x layer x target x estimator: `features`, `layer`, `target`, `estimator`, `n_splits`,
        `<metric>_median`, `<metric>_sd` (corrected scores have none), and where known `noise_ceiling` with its
        interval, or the `ceiling` of synthetic responses.
    estimator : str
    metric : str
        r2_corr, r2, r2_corr_c2 or r2_corr_c.
    looks : dict of str to Look, optional
        `feature_looks` of all feature sets.
    relative : bool
        Layers by relative depth, 0 first and 1 last, for networks of different depth.

    Returns
    -------
    FigureOf
        Lines are medians over splits, bands one standard deviation over splits on either side. A feature set with one
        layer, such as a baseline, is a horizontal line across; where all have one layer, they stand side by side.
        More than 12 targets are one panel: medians over targets of both.

    Raises
    ------
    DataError
    """
    data = layer_data(summary[summary["estimator"] == estimator], metric, relative)
    if data.empty:
        raise DataError(f"there are no scores of estimator {estimator!r}; there are {summary['estimator'].unique()}.")
    several = bool((data["n_layers"] > 1).any())
    n_splits, n_targets = int(data["n_splits"].max()), summary["target"].nunique()
    many = "" if n_targets <= MAX_PANELS else f"medians over {counted(n_targets, 'target')} of the "
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
    below = int((data["score"] < FLOOR).sum())
    caption += f"{below} of {len(data)} points lie below the axis, which ends at {FLOOR}." if below else ""
    return FigureOf(
        name=f"layers_{estimator}" + ("" if metric == "r2_corr" else f"_{metric}"),
        title=f"Score per layer, {estimator}",
        caption=caption.strip(),
        alt=_alt(data, estimator),
        data=data,
        draw=partial(draw_layer_scores, metric=metric, looks=looks, relative=relative),
    )


def layer_data(summary: pd.DataFrame, metric: str, relative: bool = False) -> pd.DataFrame:
    """Lay out what `layer_scores` draws, one row per target x features x layer.

    Returns
    -------
    DataFrame
        `target`, `features`, `layer`, `x` (the layer, or its relative depth), `score`, `low`, `high`, `ceiling`,
        `ceiling_low`, `ceiling_high` (NaN where unknown), `n_layers`, `n_splits`, `n_targets`.
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
    if n_targets > MAX_PANELS:
        known = known.groupby(["features", "layer"], sort=False).median(numeric_only=True).reset_index()
        known.insert(0, "target", f"median of {n_targets:,} targets")
        known["n_splits"] = known["n_splits"].astype(int)
    known["n_layers"] = known.groupby("features")["layer"].transform("nunique")
    known["x"] = relative_depth(known) if relative else known["layer"].astype(float)
    known["low"], known["high"] = known["score"] - known["spread"], known["score"] + known["spread"]
    known["n_targets"] = 1 if n_targets <= MAX_PANELS else n_targets
    order = ["target", "features", "layer", "x", "score", "low", "high"]
    tail = ["ceiling", "ceiling_low", "ceiling_high", "n_layers", "n_splits", "n_targets"]
    return known[[*order, *tail]].reset_index(drop=True)


def relative_depth(rows: pd.DataFrame) -> pd.Series:
    """Relative depth of every row's layer in its feature set: 0 first, 1 last, 0 for the only one."""
    place = rows.groupby("features")["layer"].rank(method="dense") - 1.0
    last = rows.groupby("features")["layer"].transform("nunique") - 1.0
    return place / last.clip(lower=1.0)


def draw_layer_scores(
    data: pd.DataFrame, metric: str = "r2_corr", looks: dict[str, Look] | None = None, relative: bool = False
) -> Figure:
    """Draw what `layer_data` laid out."""
    looks = looks or feature_looks(data["features"])
    targets, features = data["target"].unique(), list(data["features"].unique())
    several = bool((data["n_layers"] > 1).any())
    figure, axes = panels(len(targets), height=26.0 if len(targets) > 1 else 50.0)
    for axis, target in zip(axes, targets, strict=True):
        own = data[data["target"] == target]
        for place, name in enumerate(features):
            curve = own[own["features"] == name].sort_values("layer")
            if len(curve):
                draw_curve(axis, curve, name, looks[name], None if several else place, band_opacity(len(features)))
        _draw_ceiling(axis, own.iloc[0])
        title(axis, target, 26 if len(targets) > 1 else 70)
        if several and not relative:
            whole_numbers(axis)
        elif not several:
            name_sets(axis, features)
    axes[0].set_ylim(*score_limits(data))
    entries = {name: handle(looks[name]) for name in features if several}
    if data["ceiling"].notna().any():
        entries["ceiling"] = CEILING
    x_label = _x_label(relative) if several else "feature set (one layer each)"
    surround(figure, x_label, METRICS[metric], entries)
    return figure


def _x_label(relative: bool) -> str:
    return "relative depth of the layer (0 first, 1 last)" if relative else "layer (counted from 0)"


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


def _alt(data: pd.DataFrame, estimator: str) -> str:
    best = data.loc[data.groupby("target", sort=False)["score"].idxmax().dropna()]
    words = [f"{row.target} {number(row.score)} ({row.features}, layer {row.layer})" for row in best.itertuples()]
    top = best.loc[best["score"].idxmax()]
    n_panels = counted(data["target"].nunique(), "panel")
    return (
        f"Line plots of score against layer, {estimator}, {n_panels}. Highest of all: {number(top.score)}, "
        f"{top.target}, {top.features} at layer {top.layer}. Highest per panel: {listed(words, MAX_PANELS)}."
    )
