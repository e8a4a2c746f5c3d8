"""From the scores of every split to the table that is read first, and warnings about them."""

import numpy as np
import pandas as pd
import xarray as xr

from ...analysis.half_split import half_split
from ...estimators.registry import alpha_grid
from .options import Encoding

# share of fits at the grid's edge from which on it is worth a warning
LEAST_AT_EDGE = 0.01
IDENTITY = ["features", "layer", "layer_name", "target", "estimator"]


def summarise(scores: pd.DataFrame, targets: pd.DataFrame) -> pd.DataFrame:
    """Summarise over splits, one row per features x layer x target x estimator.

    Median and standard deviation (ddof 1); of r2_corr also the half-split statistic, of every layer by itself.

    Parameters
    ----------
    scores : DataFrame
        One row per features x layer x target x estimator x split.
    targets : DataFrame
        What is known of each target, whose columns are added: `describe_targets` and noise ceilings.
    """
    groups = scores.groupby(IDENTITY, sort=False)
    columns = {}
    for score in ("r2", "r2_corr"):
        columns[f"{score}_median"] = groups[score].median()
        columns[f"{score}_sd"] = groups[score].std(ddof=1)
    columns["r2_dev_median"] = groups["r2_dev"].median()
    columns["r2_corr_half_split"] = _half_split_column(scores, targets["target"].to_numpy())
    columns["alpha_median"] = groups["alpha"].median()
    columns["n_splits"] = groups["split"].count()
    for score in ("r2_corr_c", "r2_corr_c2", "reliability"):
        if score in scores:
            columns[f"{score}_median"] = groups[score].median()
            if score != "reliability":
                columns[f"{score}_sd"] = groups[score].std(ddof=1)
    summary = pd.DataFrame(columns).reset_index()
    return summary.merge(targets, on="target", how="left")


def describe_targets(targets: xr.DataArray) -> pd.DataFrame:
    """Tabulate what is known of each target, one row per target in their order; nothing of the responses is read."""
    coordinates = targets.coords.to_dataset().drop_vars(["stimulus", "repetition"], errors="ignore")
    return coordinates.to_dataframe().reset_index()


def _half_split_column(scores: pd.DataFrame, targets: np.ndarray) -> pd.Series:
    """Compute the half-split statistic of r2_corr, indexed by IDENTITY; `targets` gives the order of the draws."""
    parts = []
    for _, block in scores.groupby(["features", "layer", "estimator"], sort=False):
        wide = block.pivot(index="split", columns="target", values="r2_corr")[targets]
        rows = block.drop_duplicates("target").set_index("target").loc[targets].reset_index()
        parts.append(pd.Series(half_split(wide.to_numpy()), index=pd.MultiIndex.from_frame(rows[IDENTITY])))
    return pd.concat(parts)


def edge_warnings(scores: pd.DataFrame, options: Encoding) -> list[str]:
    """Say where fits often took the smallest or largest alpha on offer, so that the grid and not the data decided."""
    warnings = []
    for label, estimator in options.estimators.items():
        grid = alpha_grid(estimator)
        if grid is None or len(grid) < 2:
            continue
        for name, rows in scores[scores["estimator"] == label].groupby("features", sort=False):
            for which, edge in (("smallest", grid[0]), ("largest", grid[-1])):
                count = int(np.isclose(rows["alpha"], edge, rtol=1e-9).sum())
                if count >= LEAST_AT_EDGE * len(rows) and count:
                    meaning = "nothing was found, or " if which == "largest" else ""
                    warnings.append(
                        f"{label}: {count} of {len(rows)} fits on {name} took the {which} alpha on offer ({edge:g}): "
                        f"{meaning}the grid is too short for the scale of these features."
                    )
    return warnings
