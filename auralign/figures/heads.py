"""How figures of a table begin and end: which rows, many targets as one median, a panel per target, layers below."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from ..analysis.score_arrays import Scores, as_scores
from ..errors import DataError
from ..wording import counted
from .layer_axis import LayerAxis
from .style import (
    MAX_PANELS,
    METRICS,
    Look,
    Share,
    feature_looks,
    grid_columns,
    handle,
    panels,
    shorten,
    surround,
    title,
)

# axis, and the rows of its panel
Panel = tuple[Axes, pd.DataFrame]


def rows_of(table: pd.DataFrame, what: str = "scores", **values: str) -> pd.DataFrame:
    """Take the rows with some values, such as `estimator="ridge"`.

    Raises
    ------
    DataError
        There are none; `what` says of what, and the values that there are follow.
    """
    own = table[np.logical_and.reduce([table[column] == value for column, value in values.items()])]
    if own.empty:
        wanted = " and ".join(f"{column} {value!r}" for column, value in values.items())
        known = " and ".join(str(table[column].unique()) for column in values)
        raise DataError(f"there are no {what} of {wanted}; there are {known}.")
    return own


def scores_of(scores: Scores | pd.DataFrame, estimator: str) -> Scores:
    """Take the scores of one estimator.

    Raises
    ------
    DataError
        There are none.
    """
    return as_scores(rows_of(scores, estimator=estimator) if isinstance(scores, pd.DataFrame) else scores).of(
        estimator=estimator
    )


def of_many(n_targets: int, words: str) -> str:
    """Return words for a caption, with the number of targets in place of `{}`, where these are too many for panels."""
    return "" if n_targets <= MAX_PANELS else words.format(counted(n_targets, "target"))


def median_name(n_targets: int) -> str:
    """What stands in the column `target` for the median over many."""
    return f"median of {n_targets:,} targets"


def median_of_many(data: pd.DataFrame, by: list[str]) -> pd.DataFrame:
    """Put the median over targets, of all numbers, in the place of targets that are too many for panels.

    Parameters
    ----------
    data : DataFrame
        One row per target and values of `by`.
    by : list of str

    Returns
    -------
    DataFrame
        As it is up to 12 targets; else a row per values of `by`, with `median_name` as the first column `target`.
    """
    n_targets = data["target"].nunique()
    if n_targets <= MAX_PANELS:
        return data
    medians = data.groupby(by, sort=False).median(numeric_only=True).reset_index()
    medians.insert(0, "target", median_name(n_targets))
    return medians


def named_by(name: str, metric: str) -> str:
    """Name a figure; of another metric than the usual one, the name ends with it."""
    return name if metric == "r2_corr" else f"{name}_{metric}"


def looks_of(
    names: pd.Series, looks: dict[str, Look] | None = None, roles: dict[str, str] | None = None
) -> dict[str, Look]:
    """Looks of the feature sets of a figure, in the order of first appearance; made for them if none are given."""
    looks = looks or feature_looks(names, roles)
    return {name: looks[name] for name in names.unique()}


def target_panels(data: pd.DataFrame, layers: LayerAxis | None = None) -> tuple[Figure, list[Panel]]:
    """Make a panel per target, with its title, and below the panels room for the names of layers."""
    targets = data["target"].unique()
    several, room = len(targets) > 1, 10.0 + (0.0 if layers is None else layers.height)
    figure, axes = panels(len(targets), height=30.0 if several else 50.0, extra=room)
    for axis, target in zip(axes, targets, strict=True):
        title(axis, target, 24 if several else 50)
    return figure, [(axis, data[data["target"] == target]) for axis, target in zip(axes, targets, strict=True)]


def estimator_panels(data: pd.DataFrame, layers: LayerAxis, own_scale: bool = False) -> tuple[Figure, list[Panel], int]:
    """Make a row of panels per target and a column per estimator; also returns the number of columns.

    `own_scale`: estimators have no common y axis.
    """
    targets, estimators = data["target"].unique(), data["estimator"].unique()
    grid = [(target, estimator) for target in targets for estimator in estimators]
    columns = grid_columns(len(estimators))
    share_y: Share = ("col" if columns == len(estimators) else False) if own_scale else True
    height = 26.0 if len(targets) > 1 else 45.0
    figure, axes = panels(len(grid), columns, height, (True, share_y), extra=10.0 + layers.height)
    made = []
    for axis, (target, estimator) in zip(axes, grid, strict=True):
        title(axis, f"{shorten(target, 36 // columns)}, {estimator}", 50 // columns)
        made.append((axis, data[(data["target"] == target) & (data["estimator"] == estimator)]))
    return figure, made, columns


def finish_curves(
    figure: Figure,
    axes: list[Axes],
    layers: LayerAxis,
    looks: dict[str, Look],
    metric: str,
    several: bool,
    columns: int | None = None,
    entries: dict[str, Line2D] | None = None,
) -> None:
    """Mark the layers below panels of curves and put the legend below; feature sets of one layer each need neither.

    Parameters
    ----------
    figure, axes, layers, looks, metric
    several : bool
        Whether a feature set has several layers. Where none has, the sets are named along the axis (`draw_curves`).
    columns : int, optional
        Of panels; by default as many as `panels` makes.
    entries : dict of str to Line2D, optional
        Of the legend, beside the feature sets.
    """
    if several:
        layers.mark(axes, columns)
    named = {name: handle(look) for name, look in looks.items() if several} | (entries or {})
    surround(figure, layers.label if several else "feature set (one layer each)", METRICS[metric], named)
