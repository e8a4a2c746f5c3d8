"""Differences between two estimators, paired by layer, split and target."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd

from ..errors import DataError
from .aggregate import known_median
from .score_arrays import Model, Scores, as_scores
from .standing import MANY_TARGETS


def differences_table(scores: Scores | pd.DataFrame, estimators: list[str], metric: str) -> pd.DataFrame | None:
    """Subtract the scores of every other estimator from those of the first; meant for estimator_differences.parquet.

    Parameters
    ----------
    scores : Scores or DataFrame
    estimators : list of str
    metric : str

    Returns
    -------
    DataFrame or None
        See `difference_rows`; None where there is no other estimator that shares a feature set with the first.
    """
    first, *others = estimators
    tables = [table for other in others for table in difference_rows(scores, first, other, metric)]
    return pd.concat(tables, ignore_index=True) if tables else None


def paired_differences(scores: pd.DataFrame, a: str, b: str, metric: str) -> pd.DataFrame:
    """Subtract the scores of estimator b from those of a.

    Raises
    ------
    DataError
        No feature set has both.
    """
    tables = list(difference_rows(scores, a, b, metric))
    if not tables:
        raise DataError(f"no feature set has scores of both {a!r} and {b!r}; there are {scores['estimator'].unique()}.")
    return pd.concat(tables, ignore_index=True)


def difference_rows(scores: Scores | pd.DataFrame, a: str, b: str, metric: str) -> Iterator[pd.DataFrame]:
    """Yield the differences a - b in every feature set that has both estimators, those of one layer at a time.

    Yields
    ------
    DataFrame
        One row per split, and per target of up to 24 of them, else of all together (`target` is missing): `features`,
        `layer`, `layer_name`, `a`, `b`, `metric`, `target`, `split`, `difference` (of all together the median over the
        differences of targets), `n_targets`, `n_train`, `n_test`.

    Raises
    ------
    DataError
        The two have not the same layers and targets.
    """
    own_a, own_b = (
        as_scores(scores[scores["estimator"] == name] if isinstance(scores, pd.DataFrame) else scores)
        for name in (a, b)
    )
    models = {one.features: one for one in own_b.models if one.estimator == b}
    for first in (one for one in own_a.models if one.estimator == a and one.features in models):
        second = models[first.features]
        if not np.array_equal(first.layers, second.layers) or not np.array_equal(own_a.targets, own_b.targets):
            raise DataError(
                f"{first.features}: {a} and {b} have not the same layers and targets, so that they cannot be paired."
            )
        for number, layer in enumerate(first.layers):
            of_a, of_b = (
                own.read(one, [metric], layers=[layer])[metric][0] for own, one in ((own_a, first), (own_b, second))
            )
            yield _tabulate(own_a, first, number, of_a - of_b, b, metric)


def _tabulate(scores: Scores, one: Model, number: int, difference: np.ndarray, other: str, metric: str) -> pd.DataFrame:
    """Tabulate the differences of one layer to another estimator, [n_splits, n_targets]."""
    n_targets = len(scores.targets)
    each = n_targets <= MANY_TARGETS
    if not each:
        difference = known_median(difference.T)[:, None]
    split, target = (axis.ravel() for axis in np.indices(difference.shape))
    together = pd.array([None] * len(split), dtype="string")
    return pd.DataFrame(
        {
            "features": one.features,
            "layer": one.layers[number],
            "layer_name": one.layer_names[number],
            "a": one.estimator,
            "b": other,
            "metric": metric,
            "target": np.asarray(scores.targets, dtype=object)[target] if each else together,
            "split": scores.splits[split],
            "difference": difference.ravel(),
            "n_targets": n_targets,
            "n_train": scores.n_train[split],
            "n_test": scores.n_test[split],
        }
    )
