"""The penalty that every fit chose, per layer and split."""

from functools import partial

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from .marks import dodge
from .saving import FigureOf
from .style import (
    MAX_PANELS,
    Look,
    counted,
    feature_looks,
    handle,
    panels,
    shorten,
    surround,
    title,
    whole_numbers,
)


def alphas(scores: pd.DataFrame, looks: dict[str, Look] | None = None) -> FigureOf:
    """Draw the chosen alpha of every layer and split: a row per target, a column per estimator.

    Parameters
    ----------
    scores : DataFrame
        One row per features x layer x target x estimator x split, with `alpha`.
    looks : dict of str to Look, optional

    Returns
    -------
    FigureOf
        A dot per split at each layer. Of more than 12 targets a dot is the median over targets. An infinite alpha (the
        fit is the mean of the responses) stands as a cross above all finite ones.
    """
    n_targets, n_splits = scores["target"].nunique(), scores["split"].nunique()
    keys = ["features", "layer", "target", "estimator", "split"]
    if n_targets > MAX_PANELS:
        keys.remove("target")
        data = scores.groupby(keys, sort=False)["alpha"].median().reset_index()
        data["target"] = f"median of {n_targets:,} targets"
    else:
        data = scores[[*keys, "alpha"]].reset_index(drop=True)
    infinite = int(np.isinf(data["alpha"]).sum())
    middle = data.groupby("estimator", sort=False)["alpha"].median()
    words = [f"{name}: median {value:.3g}" for name, value in middle.items()]
    return FigureOf(
        name="alphas",
        title="Chosen alphas per layer and split",
        caption=f"Penalty alpha that each fit chose. A dot is one of {counted(n_splits, 'split')}"
        + ("" if n_targets <= MAX_PANELS else f", the median over {counted(n_targets, 'target')}")
        + f"; {len(data):,} dots. No interval: all splits are shown. Alphas of different estimators have different "
        "units (scikit-learn's definitions)."
        + (f" Crosses: {infinite} infinite alphas, the mean of the responses predicted best." if infinite else ""),
        alt=f"Dots of chosen alphas against layer on a logarithmic axis. {'; '.join(words)}.",
        data=data[["target", "features", "layer", "estimator", "split", "alpha"]],
        draw=partial(_draw_alphas, looks=looks),
    )


def _draw_alphas(data: pd.DataFrame, looks: dict[str, Look] | None) -> Figure:
    looks = looks or feature_looks(data["features"])
    targets, estimators = data["target"].unique(), list(data["estimator"].unique())
    features = list(data["features"].unique())
    grid = [(target, estimator) for target in targets for estimator in estimators]
    figure, axes = panels(len(grid), len(estimators), 21.0 if len(targets) > 1 else 45.0, share=(True, "col"))
    for axis, (target, estimator) in zip(axes, grid, strict=True):
        of_estimator = data.loc[data["estimator"] == estimator, "alpha"]
        top = 10.0 * of_estimator[np.isfinite(of_estimator)].max()
        for place, name in enumerate(features):
            rows = (data["target"] == target) & (data["estimator"] == estimator) & (data["features"] == name)
            own = data[rows]
            x, finite = own["layer"] + dodge(place, len(features)), np.isfinite(own["alpha"]).to_numpy()
            dots = {"color": looks[name].colour, "linewidths": 0, "alpha": 0.6, "s": 6, "label": name}
            axis.scatter(x[finite], own["alpha"][finite], marker=looks[name].marker, **dots)
            if not finite.all():
                axis.scatter(
                    x[~finite], np.full((~finite).sum(), top), marker="x", color=looks[name].colour, s=6, lw=0.7
                )
        axis.set_yscale("log")
        title(axis, f"{shorten(target, 60 // len(estimators))}, {estimator}", 80 // len(estimators))
        whole_numbers(axis)
    entries = {name: handle(looks[name], line=False) for name in features}
    surround(figure, "layer (counted from 0)", "alpha (logarithmic)", entries)
    return figure
