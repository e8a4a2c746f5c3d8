"""The penalty that every fit chose, per layer and split."""

from functools import partial
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter

from ..wording import counted
from .layer_axis import LayerAxis
from .marks import dodge
from .saving import FigureOf
from .style import MAX_PANELS, Look, Share, feature_looks, grid_columns, handle, panels, shorten, surround, title


def alphas(scores: pd.DataFrame, looks: dict[str, Look] | None = None) -> FigureOf:
    """Draw the chosen alpha of every layer and split: a row per target, a column per estimator.

    Parameters
    ----------
    scores : DataFrame
        One row per features x layer x target x estimator x split, with `alpha`; NaN, of estimators that have none, is
        left out.
    looks : dict of str to Look, optional

    Returns
    -------
    FigureOf
        A dot per split at each layer. Of more than 12 targets a dot is the median over targets. An infinite alpha (the
        fit is the mean of the responses) stands as a cross above all finite ones.
    """
    scores = scores[scores["alpha"].notna()]
    layers = LayerAxis.of(scores)
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
        + layers.one_layer_words
        + (f" Crosses: {infinite} infinite alphas, the mean of the responses predicted best." if infinite else ""),
        alt=f"Dots of chosen alphas against layer on a logarithmic axis. {'; '.join(words)}.",
        data=data.assign(layer_name=layers.name_of(data))[
            ["target", "features", "layer", "layer_name", "estimator", "split", "alpha"]
        ],
        draw=partial(_draw_alphas, looks=looks, layers=layers),
        appendix=True,
    )


def _draw_alphas(data: pd.DataFrame, looks: dict[str, Look] | None, layers: LayerAxis) -> Figure:
    looks = looks or feature_looks(data["features"])
    targets, estimators = data["target"].unique(), list(data["estimator"].unique())
    features = list(data["features"].unique())
    grid = [(target, estimator) for target in targets for estimator in estimators]
    columns = grid_columns(len(estimators))
    height, extra = 26.0 if len(targets) > 1 else 45.0, 10.0 + layers.height
    # alphas of different estimators have no common scale
    share: tuple[Share, Share] = (True, "col" if columns == len(estimators) else False)
    figure, axes = panels(len(grid), columns, height, share, extra)
    for axis, (target, estimator) in zip(axes, grid, strict=True):
        of_estimator = data.loc[data["estimator"] == estimator, "alpha"]
        finite = of_estimator[np.isfinite(of_estimator) & (of_estimator > 0)]
        ends = np.log10([finite.min(), finite.max()]) if len(finite) else np.zeros(2)
        top = 10.0 ** (ends[1] + 1.0)
        for place, name in enumerate(features):
            rows = (data["target"] == target) & (data["estimator"] == estimator) & (data["features"] == name)
            own = data[rows]
            x = layers.place(own) + layers.step * dodge(place, len(features))
            known = np.isfinite(own["alpha"]).to_numpy()
            dots = {"color": looks[name].colour, "linewidths": 0, "alpha": 0.6, "s": 6, "label": name}
            axis.scatter(x[known], own["alpha"][known], marker=looks[name].marker, **dots)
            if not known.all():
                crosses: dict[str, Any] = {"marker": "x", "color": looks[name].colour, "s": 6, "lw": 0.7}
                axis.scatter(x[~known], np.full((~known).sum(), top), **crosses)
        axis.set_yscale("log")
        # a power of ten at least is on the axis, so that it has a number
        low, high = np.floor(ends[0]), np.ceil(ends[1] + np.isinf(of_estimator).any())
        axis.set_ylim(10.0**low / 1.8, 1.8 * 10.0**high)
        axis.yaxis.set_major_formatter(powers)
        axis.yaxis.set_minor_formatter(NullFormatter())
        title(axis, f"{shorten(target, 36 // columns)}, {estimator}", 50 // columns)
    layers.mark(axes, columns)
    entries = {name: handle(looks[name], line=False) for name in features}
    surround(figure, layers.label, "alpha (logarithmic)", entries)
    return figure


def powers(value: float, _: float | None = None) -> str:
    """Write a power of ten without a raised exponent, which would be smaller than all other type: 0.01, 100, 1e6."""
    exponent = round(np.log10(value))
    return f"{value:g}" if -2 <= exponent <= 3 else f"1e{exponent}"
