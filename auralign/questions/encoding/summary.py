"""From the scores of every split to the table that is read first, and warnings about them."""

from collections.abc import Iterator

import numpy as np
import pandas as pd
import xarray as xr

from ...analysis.aggregate import Medians, known_median
from ...analysis.half_split import Halves, half_split
from ...analysis.score_arrays import Scores, as_scores
from ...estimators.registry import alpha_grid
from .options import Encoding

# share of fits at the grid's edge from which on it is worth a warning
LEAST_AT_EDGE = 0.01
IDENTITY = ["features", "layer", "layer_name", "target", "estimator"]
# what the summary has of every score there is: its median, and of some the standard deviation
SUMMARISED = {
    "r2": True, "r2_corr": True, "r2_dev": False, "alpha": False, "r2_corr_c": True, "r2_corr_c2": True,
    "reliability": False,
}  # fmt: skip


def summarise(scores: Scores | pd.DataFrame, targets: pd.DataFrame) -> pd.DataFrame:
    """Summarise over splits, one row per features x layer x target x estimator.

    Median and standard deviation (ddof 1); of r2_corr also the half-split statistic, of every layer by itself.

    Parameters
    ----------
    scores : Scores, or DataFrame
        One row per features x layer x target x estimator x split.
    targets : DataFrame
        What is known of each target, whose columns are added: `describe_targets` and noise ceilings.
    """
    table = pd.concat(summaries(as_scores(scores), targets), ignore_index=True)
    names = ["features", "layer_name", "estimator", "target"]
    return table.astype({name: object for name in names})


def summaries(
    scores: Scores, targets: pd.DataFrame, halves: Halves | None = None, medians: Medians | None = None
) -> Iterator[pd.DataFrame]:
    """Make the rows of `summarise` layer by layer and part by part; names are categories.

    Parameters
    ----------
    scores, targets
        As of `summarise`.
    halves : Halves, optional
        Of the study, where they are drawn already.
    medians : Medians, optional
        Of the scores that are taken already.
    """
    about = targets.set_index("target").reindex(scores.targets).reset_index(drop=True)
    present = [metric for metric in SUMMARISED if metric in scores.metrics]
    if halves is None:
        halves = Halves(len(scores.splits), len(scores.targets))
    names = pd.CategoricalDtype(pd.Index(scores.targets))
    for model, layer in scores.blocks:
        number = int(np.searchsorted(model.layers, layer))
        of_layer = {"features": model.features, "layer_name": model.layer_names[number], "estimator": model.estimator}
        for part in scores.parts:
            own = scores.own(part)
            n_rows = own.stop - own.start
            columns = {
                name: pd.Categorical.from_codes(np.zeros(n_rows, np.int8), [it]) for name, it in of_layer.items()
            }
            columns |= {"layer": np.full(n_rows, layer), "n_splits": np.full(n_rows, len(scores.splits))}
            columns["target"] = pd.Categorical.from_codes(np.arange(own.start, own.stop), dtype=names)
            for metric, values in scores.read(model, present, part, [layer]).items():
                if medians is not None and metric in medians.metrics:
                    columns[f"{metric}_median"] = medians.values(model, metric)[number, part]
                else:
                    columns[f"{metric}_median"] = known_median(values[0])
                if SUMMARISED[metric]:
                    columns[f"{metric}_sd"] = _spread(values[0])
                if metric == "r2_corr":
                    columns["r2_corr_half_split"] = half_split(values[0], halves.of_layer(0, part))
            table = pd.DataFrame({name: columns[name] for name in _ordered(columns)}, copy=False)
            yield pd.concat([table, about.iloc[part].reset_index(drop=True)], axis=1)


def _ordered(columns: dict) -> list[str]:
    """Put the names of columns in the order of the table."""
    first = ["r2_median", "r2_sd", "r2_corr_median", "r2_corr_sd", "r2_dev_median", "r2_corr_half_split"]
    order = [*IDENTITY, *first, "alpha_median", "n_splits"]
    return [*(name for name in order if name in columns), *(name for name in columns if name not in order)]


def _spread(values: np.ndarray) -> np.ndarray:
    """Standard deviation (ddof 1) over splits, the first axis; missing values left out, NaN of fewer than two."""
    # target by target along the memory: the same to the last digit however many targets there are
    rows = np.ascontiguousarray(values.T)
    known = ~np.isnan(rows)
    n = known.sum(axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = np.where(known, rows, 0.0).sum(axis=1) / n
        squares = np.where(known, (rows - mean[:, None]) ** 2, 0.0).sum(axis=1)
        return np.where(n > 1, np.sqrt(squares / (n - 1)), np.nan)


def describe_targets(targets: xr.DataArray) -> pd.DataFrame:
    """Tabulate what is known of each target, one row per target in their order; nothing of the responses is read."""
    coordinates = targets.coords.to_dataset().drop_vars(["stimulus", "repetition"], errors="ignore")
    return coordinates.to_dataframe().reset_index()


def edge_warnings(fits: pd.DataFrame, options: Encoding) -> list[str]:
    """Say where fits often took the smallest or largest alpha on offer, so that the grid and not the data decided.

    Parameters
    ----------
    fits : DataFrame
        What the fits chose, counted (`analysis.fits.fits_table`).
    options : Encoding
    """
    warnings = []
    for label, estimator in options.estimators.items():
        grid = alpha_grid(estimator)
        if grid is None or len(grid) < 2:
            continue
        for name, rows in fits[fits["estimator"] == label].groupby("features", sort=False):
            for which, edge in (("smallest", grid[0]), ("largest", grid[-1])):
                count = int(rows[f"n_{which}"].sum())
                n_fits = int(rows["n_fits"].sum())
                if count >= LEAST_AT_EDGE * n_fits and count:
                    meaning = "nothing was found, or " if which == "largest" else ""
                    warnings.append(
                        f"{label}: {count} of {n_fits} fits on {name} took the {which} alpha on offer ({edge:g}): "
                        f"{meaning}the grid is too short for the scale of these features."
                    )
    return warnings
