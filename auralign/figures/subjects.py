"""Scores per layer of many targets: medians over voxels, and means over subjects, in the whole and by region."""

from functools import partial

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ..analysis.standing import FEWEST_SUBJECTS
from ..errors import DataError
from ..wording import counted, listed
from .heads import finish_curves, looks_of, rows_of
from .layer_axis import LayerAxis
from .marks import draw_curves, score_limits
from .saving import FigureOf
from .style import MAX_PANELS, METRICS, Look, number, panels, title

ERRORS = {
    "sem_morey": "within-subject standard error of the mean (Cousineau, corrected by Morey)",
    "sem": "within-subject standard error of the mean, as published",
    "sem_between": "standard error of the mean over subjects",
}


def median_layers(
    layers: pd.DataFrame,
    estimator: str,
    metric: str = "r2_corr",
    error: str = "sem_morey",
    looks: dict[str, Look] | None = None,
    summary: pd.DataFrame | None = None,
) -> FigureOf:
    """Draw the median over targets per layer, one line per feature set.

    Parameters
    ----------
    layers : DataFrame
        layers.tsv: `features`, `estimator`, `layer`, `metric`, `score`, `pooled`, `n_subjects`, `n_targets` and errors,
        and where known `layer_name`.
    estimator, metric : str
    error : str
        Column of `layers`: `sem_morey`, `sem` or `sem_between`.
    looks : dict of str to Look, optional
    summary : DataFrame, optional
        summary.tsv. Without subjects the bands then are the quartiles over targets; fewer than five subjects are then
        drawn one by one.

    Returns
    -------
    FigureOf
        Layers by relative depth, or by name where one feature set alone has several (`LayerAxis`). With five subjects
        or more: means over subjects of their medians over targets, bands the error on either side. Of fewer subjects
        the median over all targets, with a point per subject and no error. Else the median over all targets.

    Raises
    ------
    DataError
    """
    data, over_subjects, few = _rows(layers, estimator, metric, error)
    low_high = data["score"] - data[error], data["score"] + data[error]
    words = f"bands: {ERRORS[error]}, on either side"
    people = None
    if few:
        low_high = np.nan, np.nan
        people = _people(summary, estimator, metric, [])
        words = _few(data, people)
    elif not over_subjects and summary is not None:
        groups = summary[summary["estimator"] == estimator].groupby(["features", "layer"])[f"{metric}_median"]
        keys = pd.MultiIndex.from_frame(data[["features", "layer"]])
        low_high = tuple(groups.quantile(share).reindex(keys).to_numpy() for share in (0.25, 0.75))
        words = "bands: quartiles over targets (how much targets differ, no error of the median)"
    elif not over_subjects:
        words = "no interval: nothing is known of subjects"
    places = LayerAxis.of(layers)
    data = data.assign(low=low_high[0], high=low_high[1], x=places.place(data), layer_name=places.name_of(data))
    best, n_targets = data.loc[data["score"].idxmax()], counted(int(data["n_targets"].max()), "target")
    what = (
        f"means over {counted(int(data['n_subjects'].min()), 'subject')} of each one's median over targets"
        if over_subjects
        else "medians over targets"
    )
    columns = ["features", "layer", "layer_name", "x", "score", "low", "high", "n_subjects", "n_targets"]
    return FigureOf(
        name=f"median_{estimator}_{metric}",
        title=f"Median over targets per layer, {estimator}",
        caption=f"Scores ({METRICS[metric]}) on the test stimuli per layer, {estimator}; {n_targets}. Lines: "
        f"{what} (of each target's median over splits); {words}.",
        alt=f"Line plot of the median score against layer. Highest: {number(best.score)}, {best.features} "
        f"{places.at(best.features, best.layer)}. {_highest(data, 'features', places)}",
        data=data[columns].reset_index(drop=True),
        draw=partial(_draw, panel=None, metric=metric, looks=looks, layers=places, people=people),
    )


def region_layers(
    regions: pd.DataFrame,
    estimator: str,
    metric: str = "r2_corr",
    error: str = "sem_morey",
    looks: dict[str, Look] | None = None,
    summary: pd.DataFrame | None = None,
) -> FigureOf:
    """Draw the median over targets per layer, one panel per region, one line per feature set.

    Parameters
    ----------
    regions : DataFrame
        regions.tsv: as layers.tsv, with `region`.
    estimator, metric, error, looks, summary
        As in `median_layers`.

    Returns
    -------
    FigureOf
        Means over subjects of their medians over the region's targets, bands the error on either side; with fewer than
        five subjects medians over the region's targets, a point per subject, and no band. Of more than 12 regions,
        those with most targets.

    Raises
    ------
    DataError
    """
    own, over_subjects, few = _rows(regions, estimator, metric, error)
    sizes = own.groupby("region", sort=False)["n_targets"].max()
    kept = sizes.nlargest(MAX_PANELS).index
    data = own[own["region"].isin(kept)].copy()
    people = _people(summary, estimator, metric, ["region"]) if few else None
    if not over_subjects:
        data[error] = np.nan
    data = data.assign(low=data["score"] - data[error], high=data["score"] + data[error])
    places = LayerAxis.of(regions)
    data = data.assign(x=places.place(data), layer_name=places.name_of(data))
    best = data.loc[data["score"].idxmax()]
    left_out = sizes.index.difference(kept, sort=False)
    words = [f"{region}: {counted(int(sizes[region]), 'target')}" for region in sizes.index if region in kept]
    n_subjects = counted(int(data["n_subjects"].min()), "subject")
    columns = ["region", "features", "layer", "layer_name", "x", "score", "low", "high", "n_subjects", "n_targets"]
    what = f"means over {n_subjects} of each one's median" if over_subjects else "medians"
    return FigureOf(
        name=f"regions_{estimator}_{metric}",
        title=f"Score per layer and region, {estimator}",
        caption=f"Scores ({METRICS[metric]}) on the test stimuli per layer and region, {estimator} "
        f"({listed(words, MAX_PANELS)}). Lines: {what} over the region's targets (of each target's median over "
        "splits); "
        + (f"bands: {ERRORS[error]}, on either side." if over_subjects else f"{_few(data, people)}.")
        + (f" Not shown, with fewer targets: {listed(left_out)}." if len(left_out) else ""),
        alt=f"Line plots of the median score against layer, {counted(len(kept), 'region')}. Highest: "
        f"{number(best.score)}, {best.region}, {best.features} {places.at(best.features, best.layer)}. "
        f"{_highest(data, 'region', places)}",
        data=data[columns].reset_index(drop=True),
        draw=partial(_draw, panel="region", metric=metric, looks=looks, layers=places, people=people),
    )


def _rows(table: pd.DataFrame, estimator: str, metric: str, error: str) -> tuple[pd.DataFrame, bool, bool]:
    """Take the rows, `score` that over all targets where subjects are too few for a mean over them.

    Returns
    -------
    rows : DataFrame
    over_subjects, few : bool
        Whether scores are means over subjects; whether there are subjects, but too few.
    """
    if error not in ERRORS:
        raise DataError(f"error: {error!r} is not one of {', '.join(ERRORS)}.")
    own = rows_of(table.dropna(subset=["pooled"]), "rows", estimator=estimator, metric=metric)
    over_subjects = bool((own["n_subjects"] >= FEWEST_SUBJECTS).all())
    few = not over_subjects and bool((own["n_subjects"] > 0).any())
    return own.assign(score=own["score"] if over_subjects else own["pooled"]), over_subjects, few


def _people(summary: pd.DataFrame | None, estimator: str, metric: str, by: list[str]) -> pd.DataFrame | None:
    """Score of every subject by layer (and region): the median over its targets, clipped as means over subjects are."""
    if summary is None or "subject" not in summary:
        return None
    own = summary[summary["estimator"] == estimator].rename(columns={"roi": "region"})
    keys = [*by, "features", "layer", "subject"]
    score = own[f"{metric}_median"].clip(upper=1.0)
    return score.groupby([own[key] for key in keys], sort=False).median().rename("score").reset_index()


def _few(data: pd.DataFrame, people: pd.DataFrame | None) -> str:
    """Say why there is no interval."""
    n = int(data["n_subjects"].max())
    if not n:
        return "no interval: nothing is known of subjects"
    points = "points: each subject's median over its targets; " if people is not None else ""
    return f"{points}no interval: {counted(n, 'subject')}, of at least {FEWEST_SUBJECTS}"


def _highest(data: pd.DataFrame, by: str, layers: LayerAxis) -> str:
    best = data.loc[data.groupby(by, sort=False)["score"].idxmax().dropna()]
    words = [
        f"{getattr(row, by)} {number(row.score)} ({'' if by == 'features' else row.features + ' '}"
        f"{layers.at(row.features, row.layer)})"
        for row in best.itertuples()
    ]
    return f"Highest by {by.replace('features', 'feature set')}: {listed(words, MAX_PANELS)}."


def _draw(
    data: pd.DataFrame,
    panel: str | None,
    metric: str,
    looks: dict[str, Look] | None,
    layers: LayerAxis,
    people: pd.DataFrame | None = None,
) -> Figure:
    looks = looks_of(data["features"], looks)
    names = [None] if panel is None else list(data[panel].unique())
    several = data.groupby("features")["layer"].nunique().max() > 1
    figure, axes = panels(len(names), height=30.0 if len(names) > 1 else 55.0, extra=10.0 + layers.height)
    for axis, name in zip(axes, names, strict=True):
        own = data if panel is None else data[data[panel] == name]
        draw_curves(axis, own, looks, several)
        for place, (feature_set, look) in enumerate(looks.items()):
            curve = own[own["features"] == feature_set]
            if len(curve):
                _draw_people(axis, people, curve, panel, None if several else place, look)
        if name is not None:
            title(axis, name)
    everyone = data[["score", "low", "high"]]
    if people is not None:
        everyone = pd.concat([everyone, people[["score"]].assign(low=np.nan, high=np.nan)])
    axes[0].set_ylim(*score_limits(everyone))
    finish_curves(figure, axes, layers, looks, metric, several)
    return figure


def _draw_people(
    axis: Axes, people: pd.DataFrame | None, curve: pd.DataFrame, panel: str | None, place: int | None, look: Look
) -> None:
    """Draw a point per subject at every layer of a curve; where all sets have one layer, at the set's place."""
    if people is None:
        return
    keys = ["features", "layer"] if panel is None else [panel, "features", "layer"]
    own = curve[[*keys, "x"]].merge(people, on=keys)
    x = own["x"] if place is None else np.full(len(own), place)
    axis.scatter(x, own["score"], s=7, color=look.colour, marker=look.marker, alpha=0.6, linewidths=0, label="subjects")
