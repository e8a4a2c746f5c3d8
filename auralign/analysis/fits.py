"""What every fit chose and where fits went wrong, counted: of many targets no more than a row per layer and split."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import pandas as pd

from .score_arrays import Model, Scores, as_scores
from .standing import MANY_TARGETS

COUNTS = ("n_fits", "n_alphas", "n_smallest", "n_largest", "n_infinite", "n_undefined")
# of one score, read together: layers are taken together as long as they have no more
MOST_VALUES = 4_000_000
# a column of ones, beside scores some of which are not there
THERE = "there"


def fits_table(
    scores: Scores | pd.DataFrame, grids: Mapping[str, Sequence[float] | None] | None = None
) -> pd.DataFrame:
    """Count what fits chose; meant for fits.parquet. Such a table is returned as it is.

    Parameters
    ----------
    scores : Scores or DataFrame
        With `alpha` and `r2_corr`.
    grids : mapping of str to sequence of float or None
        By estimator, the alphas on offer, where they do not depend on the data.

    Returns
    -------
    DataFrame
        See `fits_rows`.
    """
    if isinstance(scores, pd.DataFrame):
        if "n_fits" in scores:
            return scores
        arrays = as_scores(scores)
        n_layers = sum(len(one.layers) for one in arrays.models)
        if len(scores) < n_layers * len(arrays.splits) * len(arrays.targets):
            arrays = as_scores(scores.assign(**{THERE: 1.0}))
        scores = arrays
    return pd.concat(fits_rows(scores, grids or {}), ignore_index=True)


def fits_rows(scores: Scores, grids: Mapping[str, Sequence[float] | None]) -> Iterator[pd.DataFrame]:
    """Yield the rows of fits.parquet, those of one layer and estimator at a time.

    Yields
    ------
    DataFrame
        One row per split, and per target of up to 24 of them, else of all together (`target` is missing): `features`,
        `layer`, `layer_name`, `estimator`, `target`, `split`, `alpha` (median over the targets that have one),
        `n_fits`; of these `n_alphas` that chose an alpha, `n_smallest` and `n_largest` at an edge of a grid of two or
        more, `n_infinite`, `n_undefined` without a score.
    """
    metrics = ["alpha", "r2_corr", *([THERE] if THERE in scores.metrics else [])]
    together = max(1, MOST_VALUES // (len(scores.splits) * len(scores.targets)))
    for one in scores.models:
        for first in range(0, len(one.layers), together):
            values = scores.read(one, metrics, layers=one.layers[first : first + together])
            for number in range(len(values["alpha"])):
                own = {name: of_layer[number] for name, of_layer in values.items()}
                yield _count(scores, one, first + number, own, grids.get(one.estimator))


def _count(
    scores: Scores, one: Model, number: int, values: dict[str, np.ndarray], grid: Sequence[float] | None
) -> pd.DataFrame:
    """Count the fits of one layer; values are [n_splits, n_targets]."""
    alpha, each = values["alpha"], len(scores.targets) <= MANY_TARGETS
    made = ~np.isnan(values[THERE]) if THERE in values else np.ones(alpha.shape, dtype=bool)
    several = grid is not None and len(grid) > 1
    counts = {
        "n_fits": made,
        "n_alphas": ~np.isnan(alpha),
        "n_smallest": _near(alpha, min(grid)) if grid is not None and several else np.zeros(alpha.shape, dtype=bool),
        "n_largest": _near(alpha, max(grid)) if grid is not None and several else np.zeros(alpha.shape, dtype=bool),
        "n_infinite": np.isinf(alpha),
        "n_undefined": made & np.isnan(values["r2_corr"]),
    }
    middle = alpha
    if not each:
        counts = {name: flags.sum(axis=1, keepdims=True) for name, flags in counts.items()}
        middle = _median(alpha, counts["n_alphas"])
    split, target = (axis.ravel() for axis in np.indices(middle.shape))
    head = {
        "features": one.features,
        "layer": one.layers[number],
        "layer_name": one.layer_names[number],
        "estimator": one.estimator,
        "target": np.asarray(scores.targets, dtype=object)[target] if each else _missing(len(split)),
        "split": scores.splits[split],
        "alpha": middle.ravel(),
    }
    table = pd.DataFrame(head | {name: own.ravel().astype(np.int64) for name, own in counts.items()})
    return table[table["n_fits"] > 0].reset_index(drop=True)


def _near(values: np.ndarray, value: float) -> np.ndarray:
    """Whether values are a value but for rounding, as `numpy.isclose` tells it with rtol 1e-9, in less time."""
    return (values == value) | (np.abs(values - value) <= 1e-8 + 1e-9 * abs(value))


def _median(values: np.ndarray, count: np.ndarray) -> np.ndarray:
    """Median over the last axis of the known values, of which there are `count`; NaN where there is none."""
    ordered = np.sort(values, axis=1)  # NaN last
    low, high = (np.take_along_axis(ordered, np.maximum(place, 0), axis=1) for place in ((count - 1) // 2, count // 2))
    return (low + high) / 2


def _missing(n: int) -> pd.arrays.StringArray:
    """Make a column of text in which nothing is."""
    return pd.array([None] * n, dtype="string")
