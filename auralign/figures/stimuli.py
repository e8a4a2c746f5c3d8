"""Predicted against measured responses, stimulus by stimulus."""

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from ..errors import DataError
from ..scoring.scores import pearson
from ..wording import counted, listed
from .marks import scatter_by
from .saving import FigureOf
from .style import MAX_PANELS, category_looks, handle, number, panels, surround, title

NO_CATEGORY = "all stimuli"


def predicted_against_measured(predictions: pd.DataFrame, name: str = "", most: int = MAX_PANELS) -> FigureOf:
    """Draw the predicted against the measured response: a point per stimulus, a panel per target.

    Parameters
    ----------
    predictions : DataFrame
        One row per stimulus x target, such as `stimulus_predictions` makes: `target`, `stimulus`, `measured`,
        `predicted` (mean over the splits in which the stimulus is a test stimulus), `low`, `high` (-+ standard
        deviation over these splits, NaN of a single one), `n_tests` (how many), and optionally `category`.
    name : str
        What predicts, for title and files, such as `mixture_ridge`.
    most : int
        Panels at most; the first targets are drawn.

    Returns
    -------
    FigureOf
        Units are those of the responses. Stimuli that are never tested are left out, and counted in the caption.

    Raises
    ------
    DataError
        There is no prediction.
    """
    if predictions["predicted"].isna().all():
        raise DataError("there is no prediction to draw: no stimulus is a test stimulus in any split.")
    targets = list(predictions["target"].unique())[:most]
    own = predictions[predictions["target"].isin(targets)]
    data = own.dropna(subset=["predicted"]).reset_index(drop=True)
    if "category" not in data:
        data = data.assign(category=NO_CATEGORY)
    r = {target: _correlation(rows) for target, rows in data.groupby("target", sort=False)}
    untested = own["stimulus"].nunique() - data["stimulus"].nunique()
    best = max(r, key=lambda target: r[target])
    words = [f"{target} {number(value)}" for target, value in r.items()]
    categories = data["category"].nunique()
    of = f" in {counted(categories, 'category')}" if categories > 1 else ""
    return FigureOf(
        name=f"predicted_{name}" if name else "predicted",
        title=f"Predicted against measured responses{', ' + name if name else ''}",
        caption=f"Predicted against measured response of {counted(data['stimulus'].nunique(), 'stimulus')}{of}, "
        f"{counted(len(targets), 'target')}{', ' + name if name else ''}. Points: mean prediction over the splits in "
        f"which a stimulus is a test stimulus ({data['n_tests'].min():.0f} to {data['n_tests'].max():.0f} of them); "
        "bars: standard deviation over these splits; line: equal."
        + (f" {counted(untested, 'stimulus')} never tested are left out." if untested else ""),
        alt=f"Scatter plots of predicted against measured response. Correlation (Pearson) by target: "
        f"{listed(words, most)}; highest for {best}.",
        data=data,
        draw=_draw,
    )


def _correlation(rows: pd.DataFrame) -> float:
    pair = rows[["measured", "predicted"]].to_numpy(dtype=float)
    return float(pearson(pair[:, :1], pair[:, 1:])[0])


def _draw(data: pd.DataFrame) -> Figure:
    targets, looks = list(data["target"].unique()), category_looks(sorted(data["category"].unique()))
    figure, axes = panels(len(targets), height=32.0 if len(targets) > 1 else 75.0, share=(False, False))
    # responses of components are thousandths: a factor in the label instead of many zeros at the axes
    unit = _unit(data[["measured", "predicted"]].abs().to_numpy().max())
    for axis, target in zip(axes, targets, strict=True):
        own = data[data["target"] == target]
        ends = [own[["measured", "predicted"]].to_numpy().min(), own[["measured", "predicted"]].to_numpy().max()]
        axis.plot(ends, ends, color="0.6", linewidth=0.6, zorder=0)
        axis.vlines(own["measured"], own["low"], own["high"], color="0.75", linewidth=0.4, zorder=1)
        points = scatter_by(axis, own["measured"], own["predicted"], [looks[name] for name in own["category"]], 7.0)
        points.set_zorder(2)
        title(axis, f"{target}, r = {number(_correlation(own))}", 24 if len(targets) > 1 else 50)
        axis.locator_params(nbins=4)
        for ends_of in (axis.xaxis, axis.yaxis):
            ends_of.set_major_formatter(lambda value, _: f"{value / unit:.6g}")
    entries = {name: handle(look, line=False) for name, look in looks.items() if len(looks) > 1}
    units = "units of the data" if unit == 1.0 else f"{unit:g} units of the data"
    surround(figure, f"measured response ({units})", "predicted response (the same units)", entries)
    return figure


def _unit(largest: float) -> float:
    """Power of ten by which ticks are divided: 1 for values from a tenth to ten thousands."""
    exponent = int(np.floor(np.log10(largest))) if largest > 0 else 0
    return 1.0 if -1 <= exponent <= 4 else 10.0**exponent
