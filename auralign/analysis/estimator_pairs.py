"""Differences between two estimators, paired by layer, split and target."""

from __future__ import annotations

import numpy as np
import pandas as pd

from ..errors import DataError
from .aggregate import known_median
from .score_arrays import Model, Pivot, Scores, as_scores, read_pivot, split_sizes
from .standing import MANY_TARGETS


def differences_table(scores: Scores | pd.DataFrame, estimators: list[str], metric: str) -> pd.DataFrame | None:
    """Subtract the scores of every other estimator from those of the first; meant for estimator_differences.parquet.

    Parameters
    ----------
    scores : Scores, or DataFrame
        One row per features x layer x target x estimator x split, with `n_train` and `n_test`.
    estimators : list of str
    metric : str

    Returns
    -------
    DataFrame or None
        See `differences_of`; None where there is no other estimator.
    """
    first, *others = estimators
    tables = [paired_differences(scores, first, other, metric) for other in others]
    return pd.concat(tables, ignore_index=True) if tables else None


def paired_differences(scores: Scores | pd.DataFrame, a: str, b: str, metric: str) -> pd.DataFrame:
    """Subtract the scores of estimator b from those of a, in every feature set that has both.

    Raises
    ------
    DataError
        No feature set has both, or not the same layers and targets of both.
    """
    scores = as_scores(scores)
    both = {name: {one.features: one for one in scores.models if one.estimator == name} for name in (a, b)}
    shared = [name for name in both[a] if name in both[b]]
    if not shared:
        known = list(dict.fromkeys(one.estimator for one in scores.models))
        raise DataError(f"no feature set has scores of both {a!r} and {b!r}; there are {known}.")
    sizes, each = split_sizes(scores), len(scores.targets) <= MANY_TARGETS
    tables = []
    for name in shared:
        first, second = both[a][name], both[b][name]
        _refuse_other_layers(first, second)
        for layer in first.layers:
            minuend, subtrahend = (read_pivot(scores, own, [metric], layers=[layer]) for own in (first, second))
            tables.append(differences_of(minuend, subtrahend, metric, *sizes, each))
    return pd.concat(tables, ignore_index=True)


def _refuse_other_layers(a: Model, b: Model) -> None:
    if not np.array_equal(a.layers, b.layers):
        raise DataError(
            f"{a.features}: {a.estimator} and {b.estimator} have not the same layers, so that they cannot be paired."
        )


def differences_of(
    a: Pivot, b: Pivot, metric: str, n_train: np.ndarray, n_test: np.ndarray, each: bool
) -> pd.DataFrame:
    """Subtract the scores of one estimator from those of another, in all layers of a feature set or some.

    Parameters
    ----------
    a, b : Pivot
        All targets.
    metric : str
    n_train, n_test : ndarray of int, shape (n_splits,)
    each : bool
        A row per target, instead of the median over targets of each split.

    Returns
    -------
    DataFrame
        One row per layer, split (and target, else none): `features`, `layer`, `layer_name`, `a`, `b`, `metric`,
        `target`, `split`, `difference`, `n_targets`, `n_train`, `n_test`.

    Raises
    ------
    DataError
        The two have not the same layers and targets.
    """
    if not np.array_equal(a.layers, b.layers) or not np.array_equal(a.targets, b.targets):
        raise DataError(
            f"{a.features}: {a.estimator} and {b.estimator} have not the same layers and targets, so that they cannot "
            "be paired."
        )
    difference = a.values[metric] - b.values[metric]  # [layers, splits, targets]
    n_targets = len(a.targets)
    if not each:
        difference = known_median(np.moveaxis(difference, 2, 0))[..., None]
    layer, split, target = (axis.ravel() for axis in np.indices(difference.shape))
    return pd.DataFrame(
        {
            "features": a.features,
            "layer": a.layers[layer],
            "layer_name": a.layer_names[layer],
            "a": a.estimator,
            "b": b.estimator,
            "metric": metric,
            "target": a.targets.astype(object)[target] if each else pd.array([None] * len(layer), dtype="string"),
            "split": split,
            "difference": difference.ravel(),
            "n_targets": n_targets,
            "n_train": n_train[split],
            "n_test": n_test[split],
        }
    )
