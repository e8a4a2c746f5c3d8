"""Two estimators beside each other: scores per layer, and their paired differences."""

from functools import partial
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from ..analysis.aggregate import known_median
from ..analysis.estimator_pairs import paired_differences
from ..analysis.score_arrays import as_scores
from ..inference.statistics import corrected_interval
from ..wording import counted, listed
from .heads import estimator_panels, finish_curves, looks_of, median_name, named_by, of_many, target_panels
from .layer_axis import LayerAxis
from .layers import layer_data
from .marks import (
    below_axis,
    dodge,
    draw_curves,
    draw_tested,
    score_limits,
)
from .saving import FigureOf
from .style import (
    MAX_PANELS,
    METRICS,
    Look,
    handle,
    number,
    surround,
)


def estimator_layers(summary: pd.DataFrame, metric: str = "r2_corr", looks: dict[str, Look] | None = None) -> FigureOf:
    """Draw scores per layer with the estimators side by side: a row per target, a column per estimator.

    Parameters
    ----------
    summary, metric, looks
        As in `layers.layer_scores`.

    Returns
    -------
    FigureOf
        Medians over splits and one standard deviation over splits on either side, on one axis for all estimators.
    """
    estimators = list(summary["estimator"].unique())
    layers = LayerAxis.of(summary)
    parts = [layer_data(summary[summary["estimator"] == e], metric, layers).assign(estimator=e) for e in estimators]
    data = pd.concat(parts, ignore_index=True)
    best = data.loc[data["score"].idxmax()]
    n_targets = summary["target"].nunique()
    many = of_many(n_targets, "medians over {} of the ")
    below, n_splits = below_axis(data["score"]), counted(int(data["n_splits"].max()), "split")
    return FigureOf(
        name=named_by("estimators_layers", metric),
        title=f"Score per layer, {' and '.join(estimators)} side by side",
        caption=f"Columns: {listed(estimators)}; rows: {counted(n_targets, 'target')}. Lines: {many}medians over "
        f"{n_splits} of {METRICS[metric]} on the test stimuli; bands: {many}standard deviation over splits on either "
        "side; horizontal lines: feature sets with one layer." + (f" {below}" if below else ""),
        alt=f"Line plots of score against layer for {listed(estimators)} side by side. Highest: {number(best.score)}, "
        f"{best.target}, {best.estimator}, {best.features} "
        f"{layers.at(best.features, best.layer)}.",
        data=data,
        draw=partial(_draw_layers, metric=metric, looks=looks, layers=layers),
    )


def _draw_layers(data: pd.DataFrame, metric: str, looks: dict[str, Look] | None, layers: LayerAxis) -> Figure:
    looks, several = looks_of(data["features"], looks), bool((data["n_layers"] > 1).any())
    figure, made, columns = estimator_panels(data, layers)
    for axis, own in made:
        draw_curves(axis, own, looks, several)
    figure.axes[0].set_ylim(*score_limits(data))
    finish_curves(figure, figure.axes, layers, looks, metric, several, columns)
    return figure


def estimator_differences(
    scores: pd.DataFrame,
    a: str,
    b: str,
    metric: str = "r2",
    level: float = 0.95,
    looks: dict[str, Look] | None = None,
) -> FigureOf:
    """Draw the paired difference a - b per layer with the interval of the corrected resampled t-test.

    Parameters
    ----------
    scores : DataFrame
        One row per features x layer x target x estimator x split, with `n_train` and `n_test`; or their differences
        (`Results.differences`).
    a, b : str
        Estimators.
    metric : str
    level : float
        Of the intervals (`statistics.corrected_interval`).
    looks : dict of str to Look, optional

    Returns
    -------
    FigureOf
        Points are means over splits of the difference on the same split; filled where the interval excludes 0. Of more
        than 12 targets, the median over targets in each split comes first.

    Raises
    ------
    DataError
    """
    pairs = scores if "difference" in scores else paired_differences(scores, a, b, metric)
    layers = LayerAxis.of(pairs)
    data = difference_data(pairs, level)
    data.insert(3, "layer_name", layers.name_of(data))
    away = data[(data["low"] > 0) | (data["high"] < 0)]
    largest = data.loc[data["difference"].abs().idxmax()]
    n_targets, n_splits = int(pairs["n_targets"].max()), counted(int(data["n_splits"].max()), "split")
    above, below = int((away["difference"] > 0).sum()), int((away["difference"] < 0).sum())
    many = of_many(n_targets, "of the median over {} ")
    return FigureOf(
        name=f"difference_{a}_{b}",
        title=f"{a} minus {b}, paired over splits",
        caption=f"{a} minus {b}: mean {many}over {n_splits} of the difference in {METRICS[metric]} on the same "
        f"test stimuli. Bars: {level:.0%} interval of the corrected resampled t-test over splits, not adjusted for "
        f"the number of layers and targets; long ones are cut at the axis. Filled: it excludes 0 ({len(away)} of "
        f"{len(data)}).{layers.one_layer_words}",
        alt=f"Difference of {a} and {b} against layer. {above} of {len(data)} intervals lie above 0 and "
        f"{below} below. Largest difference: {largest.difference:+.3f}, "
        f"{largest.target}, {largest.features} {layers.at(largest.features, largest.layer)}.",
        data=data,
        draw=partial(_draw_differences, a=a, b=b, metric=metric, looks=looks, layers=layers),
    )


def difference_data(pairs: pd.DataFrame, level: float) -> pd.DataFrame:
    """Compute mean differences with their intervals, one row per target x features x layer.

    Parameters
    ----------
    pairs : DataFrame
        Differences of two estimators (`estimator_pairs.differences_of`).
    level : float

    Returns
    -------
    DataFrame
        `target`, `features`, `layer`, `difference`, `low`, `high`, `n_splits`, `n_targets`; of more than 12 targets of
        their median.
    """
    n_all, tables = int(pairs["n_targets"].max()), []
    scores = as_scores(pairs.assign(estimator="", target=pairs["target"].fillna(median_name(n_all))))
    sizes = scores.n_train, scores.n_test
    for one in scores.models:
        difference = scores.read(one, ["difference"])["difference"]  # [layers, splits, targets]
        targets, n_targets = list(scores.targets), 1
        if n_all > MAX_PANELS:
            if len(targets) > 1:
                difference = known_median(np.moveaxis(difference, 2, 0))[..., None]
            targets, n_targets = [median_name(n_all)], n_all
        n_layers, n_splits, _ = difference.shape
        flat = np.moveaxis(difference, 1, 0).reshape(n_splits, -1)  # [splits, layers x targets]
        low, high = corrected_interval(flat, *sizes, level)
        table: dict[str, Any] = {"target": targets * n_layers, "features": one.features}
        table["layer"] = np.repeat(one.layers, len(targets))
        table |= {"difference": flat.mean(axis=0), "low": low, "high": high, "n_splits": n_splits}
        tables.append(pd.DataFrame(table | {"n_targets": n_targets}))
    return pd.concat(tables, ignore_index=True)


def _draw_differences(
    data: pd.DataFrame, a: str, b: str, metric: str, looks: dict[str, Look] | None, layers: LayerAxis
) -> Figure:
    looks = looks_of(data["features"], looks)
    figure, made = target_panels(data, layers)
    for axis, rows in made:
        axis.axhline(0.0, color="0.6", linewidth=0.6)
        for place, (name, look) in enumerate(looks.items()):
            own = rows[rows["features"] == name]
            if len(own):
                x = layers.place(own) + layers.step * dodge(place, len(looks))
                away = (own["low"] > 0) | (own["high"] < 0)
                draw_tested(axis, x, own, "difference", away, look, name, 9.0)
    layers.mark(figure.axes)
    # intervals of a few wild fits must not flatten all others: the axis holds the points
    end = max(1.3 * data["difference"].abs().max(), 0.02)
    figure.axes[0].set_ylim(-end, end)
    entries = {name: handle(look, line=False) for name, look in looks.items()}
    surround(figure, layers.label, f"{a} minus {b}, {METRICS[metric].split(' (')[0]}", entries)
    return figure
