"""The penalty that every fit chose, per layer and split."""

from functools import partial
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter

from ..analysis.fits import fits_table
from ..wording import counted
from .heads import estimator_panels, looks_of, median_name, median_of_many, of_many
from .layer_axis import LayerAxis
from .marks import dodge
from .saving import FigureOf
from .style import Look, handle, surround


def alphas(scores: pd.DataFrame, looks: dict[str, Look] | None = None) -> FigureOf:
    """Draw the chosen alpha of every layer and split: a row per target, a column per estimator.

    Parameters
    ----------
    scores : DataFrame
        One row per features x layer x target x estimator x split, with `alpha`; NaN, of estimators that have none, is
        left out. Or what was counted of them (`Results.fits`).
    looks : dict of str to Look, optional

    Returns
    -------
    FigureOf
        A dot per split at each layer. Of more than 12 targets a dot is the median over targets. An infinite alpha (the
        fit is the mean of the responses) stands as a cross above all finite ones.
    """
    fits = fits_table(scores)
    fits = _in_order(fits[fits["alpha"].notna()])
    layers = LayerAxis.of(fits)
    together = bool(fits["target"].isna().all())  # many targets are one median already
    n_targets = int(fits["n_alphas"].max()) if together else fits["target"].nunique()
    n_splits = fits["split"].nunique()
    keys = ["features", "layer", "estimator", "split"]
    data = fits[["target", *keys, "alpha"]].reset_index(drop=True)
    data = data.assign(target=median_name(n_targets)) if together else median_of_many(data, keys)
    infinite = int(np.isinf(data["alpha"]).sum())
    middle = data.groupby("estimator", sort=False)["alpha"].median()
    words = [f"{name}: median {value:.3g}" for name, value in middle.items()]
    return FigureOf(
        name="alphas",
        title="Chosen alphas per layer and split",
        caption=f"Penalty alpha that each fit chose. A dot is one of {counted(n_splits, 'split')}"
        + of_many(n_targets, ", the median over {}")
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
    looks = looks_of(data["features"], looks)
    figure, made, columns = estimator_panels(data, layers, own_scale=True)
    for axis, rows in made:
        of_estimator = data.loc[data["estimator"] == rows["estimator"].iloc[0], "alpha"]
        finite = of_estimator[np.isfinite(of_estimator) & (of_estimator > 0)]
        ends = np.log10([finite.min(), finite.max()]) if len(finite) else np.zeros(2)
        top = 10.0 ** (ends[1] + 1.0)
        for place, (name, look) in enumerate(looks.items()):
            own = rows[rows["features"] == name]
            x = layers.place(own) + layers.step * dodge(place, len(looks))
            known = np.isfinite(own["alpha"]).to_numpy()
            dots: dict[str, Any] = {"color": look.colour, "linewidths": 0, "alpha": 0.6, "s": 6, "label": name}
            axis.scatter(x[known], own["alpha"][known], marker=look.marker, **dots)
            if not known.all():
                crosses: dict[str, Any] = {"marker": "x", "color": look.colour, "s": 6, "lw": 0.7}
                axis.scatter(x[~known], np.full((~known).sum(), top), **crosses)
        axis.set_yscale("log")
        # a power of ten at least is on the axis, so that it has a number
        low, high = np.floor(ends[0]), np.ceil(ends[1] + np.isinf(of_estimator).any())
        axis.set_ylim(10.0**low / 1.8, 1.8 * 10.0**high)
        axis.yaxis.set_major_formatter(powers)
        axis.yaxis.set_minor_formatter(NullFormatter())
    layers.mark(figure.axes, columns)
    entries = {name: handle(look, line=False) for name, look in looks.items()}
    surround(figure, layers.label, "alpha (logarithmic)", entries)
    return figure


def _in_order(fits: pd.DataFrame) -> pd.DataFrame:
    """Order rows by layer before estimator."""
    place = {name: number for number, name in enumerate(fits["features"].unique())}
    return fits.assign(_place=fits["features"].map(place)).sort_values(["_place", "layer"], kind="stable")


def powers(value: float, _: float | None = None) -> str:
    """Write a power of ten without a raised exponent, which would be smaller than all other type: 0.01, 100, 1e6."""
    exponent = round(np.log10(value))
    return f"{value:g}" if -2 <= exponent <= 3 else f"1e{exponent}"
