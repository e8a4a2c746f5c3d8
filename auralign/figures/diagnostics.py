"""What to look at before believing a score: reliability of the responses, and fits that went wrong."""

from itertools import cycle

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from ..analysis.fits import COUNTS, fits_table
from ..errors import DataError
from ..estimators.record import recorded
from ..wording import counted
from .saving import FigureOf
from .style import COLOURS, GREYS, SMALL, number, panels, shorten, surround, title

BINS = 30
RELIABILITIES = {
    "noise_ceiling": "noise ceiling of the mean response",
    "reliability_median": "reliability as published (floor .182), median over splits",
}
# what can go wrong with a fit, in the order of the panels
PROBLEMS = {
    "smallest_alpha": "smallest alpha",
    "largest_alpha": "largest alpha",
    "constant": "constant prediction",
    "undefined": "undefined score",
    "left_out": "targets left out",
}


def reliability(summary: pd.DataFrame) -> FigureOf:
    """Draw histograms over targets of how reliable their responses are.

    Parameters
    ----------
    summary : DataFrame
        summary.tsv of repeated responses: `target`, `noise_ceiling`, `reliability_median`, and where known `subject`.

    Returns
    -------
    FigureOf
        A panel per measure, the same bins in both; the line is the median over targets. Nothing is left out.

    Raises
    ------
    DataError
        Responses have no repetitions.
    """
    targets = summary.drop_duplicates("target")
    measures = [name for name in RELIABILITIES if name in targets and targets[name].notna().any()]
    if not measures:
        raise DataError("there is no reliability to draw: the responses have no repetitions.")
    values = targets[["target", *measures]].melt("target", var_name="measure", value_name="reliability")
    known = values.dropna()
    low, high = min(0.0, known["reliability"].min()), max(1.0, known["reliability"].max())
    edges = np.linspace(low, high, BINS + 1)
    tables = []
    for name in measures:
        own = known.loc[known["measure"] == name, "reliability"]
        table = {"measure": name, "from": edges[:-1], "to": edges[1:], "n": np.histogram(own, edges)[0]}
        tables.append(pd.DataFrame(table | {"median": own.median(), "n_targets": len(own)}))
    data = pd.concat(tables, ignore_index=True)
    first = data.drop_duplicates("measure")
    people = f" of {counted(targets['subject'].nunique(), 'subject')}" if "subject" in targets else ""
    missing = len(targets) - int(first["n_targets"].min())
    words = [
        f"{RELIABILITIES[row.measure]}: median {number(row.median)}, n = {row.n_targets:,}"
        for row in first.itertuples()
    ]
    return FigureOf(
        name="reliability",
        title="Reliability of the responses",
        caption=f"Reliability of the responses of {counted(len(targets), 'target')}{people}; {'; '.join(words)} (line)."
        + (f" {counted(missing, 'target')} without a value are left out." if missing else ""),
        alt=f"Histograms over targets. {'; '.join(words)}.",
        data=data,
        draw=_draw_reliability,
    )


def _draw_reliability(data: pd.DataFrame) -> Figure:
    measures = list(data["measure"].unique())
    figure, axes = panels(len(measures), columns=1, height=36.0, share=(True, False))
    for axis, name, colour in zip(axes, measures, COLOURS, strict=False):
        own = data[data["measure"] == name]
        axis.stairs(own["n"], [*own["from"], own["to"].iloc[-1]], fill=True, color=colour, alpha=0.6)
        axis.axvline(own["median"].iloc[0], color="black", linewidth=0.8)
        title(axis, RELIABILITIES[name].split(",")[0], 50)
    surround(figure, "share of the variance that repeats", "number of targets")
    return figure


def fit_problems(
    scores: pd.DataFrame,
    provenance: dict,
    selected: pd.DataFrame | None = None,
    layers: pd.DataFrame | None = None,
) -> FigureOf:
    """Draw the share of fits with alpha at the grid's edge, a constant prediction, or no score; and of targets left "
    "out.

    Parameters
    ----------
    scores : DataFrame
        One row per features x layer x target x estimator x split; or what was counted of them (`Results.fits`).
    provenance : dict
        Its `config.estimators` says what ridge's grid was.
    selected : DataFrame, optional
        selected.parquet: a sparse fit without a row in it predicts a constant.
    layers : DataFrame, optional
        layers.tsv: which targets its medians and means leave out (`excluded_targets`).

    Returns
    -------
    FigureOf
        A panel per problem, a bar per feature set and estimator; n is the number of fits, or of targets.
    """
    data = problem_data(scores, provenance, selected, layers)
    worst = data.loc[data["share"].idxmax()]
    words = []
    for problem, text in PROBLEMS.items():
        own = data[data["problem"] == problem]
        if len(own):
            words.append(f"{text}: {int(own['n'].sum()):,} of {int(own['total'].sum()):,} {own['of'].iloc[0]}")
    return FigureOf(
        name="diagnostics",
        title="Diagnostics of the fits",
        caption="Share of fits (features x layers x targets x splits) with the smallest or largest alpha on offer "
        "(ridge: the grid, not the data, decided), with a constant prediction (ridge with an infinite alpha; sparse "
        f"models that select nothing; their r² is 0), or without a defined score, which no median counts; share of "
        "targets that means over subjects leave out, for want of a subject or of a score in some layer (of the last "
        f"metric). {'; '.join(words)}. Counts, no interval.",
        alt=f"Bars of the share of fits with a problem. Largest: {worst.share:.1%}, {PROBLEMS[worst.problem]}, "
        f"{worst.features}, {worst.estimator}. {'; '.join(words)}.",
        data=data,
        draw=_draw_problems,
        appendix=True,
    )


def problem_data(
    scores: pd.DataFrame, provenance: dict, selected: pd.DataFrame | None, layers: pd.DataFrame | None
) -> pd.DataFrame:
    """Count fits with a problem, one row per problem x features x estimator: `n`, `total`, `of` (fits, targets), "
    "`share`.

    Edges of the grid are known where there is one with at least two alphas, constant predictions there (an infinite
    alpha) and, with `selected`, of sparse models.
    """
    records = recorded(provenance)
    rows = []
    fits = fits_table(scores, {name: record.alphas for name, record in records.items()})
    for (features, estimator), own in fits.groupby(["features", "estimator"], sort=False):
        record, n = records[estimator], own[list(COUNTS)].sum()
        counts = {}
        if record.alphas is not None:
            if len(record.alphas) > 1:
                counts["smallest_alpha"] = n["n_smallest"]
                counts["largest_alpha"] = n["n_largest"]
            counts["constant"] = n["n_infinite"]
        elif record.can.sparse and selected is not None:
            chosen = selected[(selected["features"] == features) & (selected["estimator"] == estimator)]
            counts["constant"] = n["n_fits"] - len(chosen.drop_duplicates(["layer", "target", "split"]))
        counts["undefined"] = n["n_undefined"]
        for problem, count in counts.items():
            row = {"problem": problem, "features": features, "estimator": estimator, "n": int(count)}
            rows.append(row | {"total": int(n["n_fits"]), "of": "fits"})
    data = pd.DataFrame(rows)
    if layers is not None:
        left_out = excluded_targets(layers).assign(problem="left_out", of="targets", total=_n_targets(fits))
        left_out["n"] = left_out["n_left_out"] + left_out["n_without_score"]
        last = left_out.drop_duplicates(["features", "estimator"], keep="last")
        data = pd.concat([data, last[data.columns]], ignore_index=True)
    return data.assign(share=data["n"] / data["total"])


def _n_targets(fits: pd.DataFrame) -> int:
    """Count the targets of a table of fits, which has a row for each, or one for all together."""
    together = fits["target"].isna().all()
    return int(fits["n_fits"].max()) if together else fits["target"].nunique()


def _draw_problems(data: pd.DataFrame) -> Figure:
    problems = [name for name in PROBLEMS if (data["problem"] == name).any()]
    bars = list(dict.fromkeys(zip(data["features"], data["estimator"], strict=True)))
    estimators = list(data["estimator"].unique())
    colours = dict(zip(estimators, cycle((*COLOURS, *GREYS)), strict=False))
    figure, axes = panels(len(problems), columns=2, height=max(18.0, 8.0 + 4.0 * len(bars)), share=(False, True))
    for axis, problem in zip(axes, problems, strict=True):
        own = data[data["problem"] == problem].set_index(["features", "estimator"])["share"].reindex(bars)
        axis.barh(range(len(bars)), 100.0 * own, color=[colours[estimator] for _, estimator in bars], height=0.7)
        for place, share in enumerate(own):
            if np.isnan(share):
                axis.text(0, place, " not known", fontsize=SMALL, va="center", color="0.4")
        axis.set_yticks(range(len(bars)), [f"{shorten(name, 12)}, {estimator}" for name, estimator in bars])
        axis.set_xlim(0, max(1.0, 105.0 * np.nanmax(own.to_numpy())))
        title(axis, PROBLEMS[problem], 24)
        axis.locator_params(axis="x", nbins=3)
    axes[0].set_ylim(len(bars) - 0.4, -0.6)
    surround(figure, "share of fits, or of targets (%)")
    return figure


def excluded_targets(layers: pd.DataFrame, regions: pd.DataFrame | None = None) -> pd.DataFrame:
    """Count the targets that medians leave out, for a table in a report.

    Parameters
    ----------
    layers, regions : DataFrame
        layers.tsv and regions.tsv.

    Returns
    -------
    DataFrame
        `table`, `features`, `estimator`, `metric`, `n_targets` (most with a score in any layer), `n_without_score` (in
        the layer with fewest scores) and `n_left_out` (without a subject or region).
    """
    parts = []
    for name, table in (("layers", layers), ("regions", regions)):
        if table is None:
            continue
        keys = ["features", "estimator", "metric"]
        per_layer = table.groupby([*keys, "layer"], sort=False)
        sums = per_layer.agg(n_targets=("n_targets", "sum"), n_left_out=("n_left_out", "max")).reset_index()
        own = sums.groupby(keys, sort=False).agg(
            n_targets=("n_targets", "max"), fewest=("n_targets", "min"), n_left_out=("n_left_out", "max")
        )
        own["n_without_score"] = own["n_targets"] - own.pop("fewest")
        parts.append(own.reset_index().assign(table=name))
    columns = ["table", "features", "estimator", "metric", "n_targets", "n_without_score", "n_left_out"]
    return pd.concat(parts, ignore_index=True)[columns]
