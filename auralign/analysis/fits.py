"""What every fit chose and where fits went wrong, counted: of many targets no more than a row per layer and split."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from .aggregate import known_median
from .score_arrays import Pivot, Scores, TableScores, read_pivot
from .standing import MANY_TARGETS

COUNTS = ("n_fits", "n_alphas", "n_smallest", "n_largest", "n_infinite", "n_undefined")


def fits_table(
    scores: Scores | pd.DataFrame, grids: Mapping[str, Sequence[float] | None] | None = None
) -> pd.DataFrame:
    """Count what fits chose; meant for fits.parquet. Such a table is returned as it is.

    Parameters
    ----------
    scores : Scores, or DataFrame
        One row per features x layer x target x estimator x split, with `alpha` and `r2_corr`.
    grids : mapping of str to sequence of float or None
        By estimator, the alphas on offer, where they do not depend on the data.

    Returns
    -------
    DataFrame
        See `count_fits`; a row per target of up to 24 of them.
    """
    metrics = ["alpha", "r2_corr"]
    if isinstance(scores, pd.DataFrame):
        if "n_fits" in scores:
            return scores
        # a fit that a table lacks is none that found nothing
        scores, metrics = TableScores(scores.assign(there=1.0)), [*metrics, "there"]
    each = len(scores.targets) <= MANY_TARGETS
    tables = [
        count_fits(read_pivot(scores, model, metrics, layers=[layer]), (grids or {}).get(model.estimator), each)
        for model in scores.models
        for layer in model.layers
    ]
    return pd.concat(tables, ignore_index=True)


def count_fits(one: Pivot, grid: Sequence[float] | None, each: bool) -> pd.DataFrame:
    """Count what the fits of one feature set and estimator chose, in all layers or some.

    Parameters
    ----------
    one : Pivot
        With `alpha` and `r2_corr` of all targets, and `there`, NaN of fits that were not made, where some were not.
    grid : sequence of float, or None
    each : bool
        A row per target as well, instead of all targets together.

    Returns
    -------
    DataFrame
        One row per layer, split (and target, else none): `features`, `layer`, `layer_name`, `estimator`, `target`,
        `split`, `alpha` (median over the targets that have one), `n_fits`; of these `n_alphas` that chose an alpha,
        `n_smallest` and `n_largest` at an edge of a grid of two or more, `n_infinite`, `n_undefined` without a score.
    """
    alpha = one.values["alpha"]  # [layers, splits, targets]
    made = ~np.isnan(one.values["there"]) if "there" in one.values else np.ones(alpha.shape, dtype=bool)
    nothing = np.zeros(alpha.shape, dtype=bool)
    edges = (min(grid), max(grid)) if grid is not None and len(grid) > 1 else None
    flags = {
        "n_fits": made,
        "n_alphas": ~np.isnan(alpha),
        "n_smallest": nothing if edges is None else np.isclose(alpha, edges[0], rtol=1e-9),
        "n_largest": nothing if edges is None else np.isclose(alpha, edges[1], rtol=1e-9),
        "n_infinite": np.isinf(alpha),
        "n_undefined": made & np.isnan(one.values["r2_corr"]),
    }
    n_layers, n_splits, n_targets = alpha.shape
    n_rows = n_targets if each else 1
    middle = alpha if each else known_median(np.moveaxis(alpha, 2, 0))[..., None]
    layer, split, target = (axis.ravel() for axis in np.indices((n_layers, n_splits, n_rows)))
    head = {
        "features": one.features,
        "layer": one.layers[layer],
        "layer_name": one.layer_names[layer],
        "estimator": one.estimator,
        "target": one.targets.astype(object)[target] if each else pd.array([None] * len(layer), dtype="string"),
        "split": split,
        "alpha": middle.ravel(),
    }
    counts = {name: (flag if each else flag.sum(axis=2, keepdims=True)).ravel() for name, flag in flags.items()}
    table = pd.DataFrame(head | {name: count.astype(np.int64) for name, count in counts.items()})
    return table[table["n_fits"] > 0].reset_index(drop=True)
