"""Scores at the layers that the development stimuli choose, by themselves: all that a report needs of most scores.

Of every feature set, estimator, target and split one layer is chosen (`nested_layers`). Kept as a table of their own,
nested.parquet, these scores are a layer-th part of scores.parquet, and headline, ranking, maps and depths are made of
them alone.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace
from itertools import product

import numpy as np
import pandas as pd

from ..errors import DataError
from ..scoring.metrics import METRICS
from .nested_layers import DEV, at_position, best_position
from .score_arrays import Pivot, Scores, as_scores, read_pivot, split_sizes


@dataclass(frozen=True)
class Chosen:
    """One feature set and estimator, by split and target at the layer with the highest `r2_dev` (the first of equals).

    Attributes
    ----------
    features, estimator : str
    layers, layer_names : ndarray, shape (n_layers,)
        All layers, ascending, also those that are never chosen.
    targets : ndarray, shape (n_targets,)
    values : dict of str to ndarray, shape (n_splits, n_targets)
        Test scores at the chosen layer by metric; NaN where there is no score, or no layer to choose.
    position : ndarray, shape (n_splits, n_targets)
        Of the chosen layer in `layers`, -1 where there is none.
    """

    features: str
    estimator: str
    layers: np.ndarray
    layer_names: np.ndarray
    targets: np.ndarray
    values: dict[str, np.ndarray]
    position: np.ndarray


@dataclass(frozen=True)
class ChosenScores:
    """The scores at chosen layers of several feature sets and estimators.

    Attributes
    ----------
    models : list of Chosen
    n_train, n_test : ndarray of int, shape (n_splits,), or None
        Numbers of development and test stimuli of every split, where they are known.
    """

    models: list[Chosen]
    n_train: np.ndarray | None = None
    n_test: np.ndarray | None = None

    def only(
        self, features: str | None = None, estimator: str | None = None, without: Collection[str] = ()
    ) -> ChosenScores:
        """Return those of one feature set or estimator, or of all but some feature sets.

        Raises
        ------
        DataError
            There are none.
        """
        kept = [
            one
            for one in self.models
            if features in (None, one.features) and estimator in (None, one.estimator) and one.features not in without
        ]
        if not kept:
            wanted = " and ".join(
                f"{key} {value!r}" for key, value in (("features", features), ("estimator", estimator)) if value
            )
            known = [f"{one.features}, {one.estimator}" for one in self.models]
            raise DataError(f"there are no scores of {wanted or 'other feature sets'}; there are {known}.")
        return replace(self, models=kept)

    @property
    def sizes(self) -> tuple[np.ndarray, np.ndarray]:
        """Numbers of development and test stimuli of every split.

        Raises
        ------
        DataError
            They are not known.
        """
        if self.n_train is None or self.n_test is None:
            raise DataError("the scores have no columns n_train and n_test, which intervals over splits need.")
        return self.n_train, self.n_test


def choose(one: Pivot, metrics: list[str], dev: str = DEV) -> Chosen:
    """Read the scores of some targets at the layers that `dev` chooses.

    Parameters
    ----------
    one : Pivot
        All layers of a feature set and estimator, of all targets or some, with `dev` and the metrics.
    metrics : list of str
    dev : str
    """
    position = best_position(one.values[dev])
    values = {metric: at_position(one.values[metric], position) for metric in metrics}
    return Chosen(one.features, one.estimator, one.layers, one.layer_names, one.targets, values, position)


def chosen_scores(scores: Scores | pd.DataFrame | ChosenScores, metrics: list[str], dev: str = DEV) -> ChosenScores:
    """Choose the layers of a table of scores; what has been chosen already is returned as it is.

    Parameters
    ----------
    scores : Scores, DataFrame or ChosenScores
        One row per features x layer x target x estimator x split, with the column `dev`.
    metrics : list of str
        Those to read.
    dev : str
        The column that chooses.

    Raises
    ------
    DataError
        The scores lack a column, or are empty; or layers have been chosen, but by another column.
    """
    if isinstance(scores, ChosenScores):
        absent = [metric for metric in metrics for one in scores.models if metric not in one.values]
        if absent or dev != DEV:
            what = f"have no column {absent[0]!r}" if absent else f"are at layers chosen by {DEV}, not by {dev}"
            raise DataError(f"the scores at chosen layers {what}.")
        return scores
    sized = not isinstance(scores, pd.DataFrame) or {"n_train", "n_test"} <= {*scores.columns}
    read = as_scores(scores)
    models = [
        _together([choose(read_pivot(read, model, [*metrics, dev], part), metrics, dev) for part in read.parts])
        for model in read.models
    ]
    return ChosenScores(models, *(split_sizes(read) if sized else ()))


def _together(parts: list[Chosen]) -> Chosen:
    """Put parts of the targets beside each other."""
    if len(parts) == 1:
        return parts[0]
    targets = np.concatenate([part.targets for part in parts])
    values = {metric: np.concatenate([part.values[metric] for part in parts], axis=1) for metric in parts[0].values}
    position = np.concatenate([part.position for part in parts], axis=1)
    return replace(parts[0], targets=targets, values=values, position=position)


def nested_tables(scores: Scores) -> Iterator[pd.DataFrame]:
    """Tabulate the scores at chosen layers, some targets at a time; meant for nested.parquet. See `tabulate`."""
    metrics = [metric for metric in METRICS if metric in scores.metrics]
    sizes = split_sizes(scores)
    for model in scores.models:
        for part in scores.parts:
            yield tabulate(choose(read_pivot(scores, model, [*metrics, DEV], part), metrics), *sizes)


def tabulate(one: Chosen, n_train: np.ndarray, n_test: np.ndarray) -> pd.DataFrame:
    """Tabulate the scores at chosen layers of one feature set and estimator, of all targets or some.

    Returns
    -------
    DataFrame
        One row per split and target: `features`, `estimator`, `target`, `split` (from 0), `layer`, `layer_name` (none
        where no layer could be chosen), the metrics, unclipped, and `n_train`, `n_test`.
    """
    n_splits, n_targets = one.position.shape
    position, split = one.position.ravel(), np.repeat(np.arange(n_splits), n_targets)
    layer, name = pd.Series(one.layers[position]), pd.Series(one.layer_names.astype(object)[position])
    if (position < 0).any():
        # of types that know missing values, also where nothing else is there
        layer, name = layer.astype("Int64").mask(position < 0), name.astype("string").mask(position < 0)
    head = {
        "features": one.features,
        "estimator": one.estimator,
        "target": np.tile(one.targets.astype(object), n_splits),
        "split": split,
        "layer": layer,
        "layer_name": name,
    }
    values = {metric: own.ravel() for metric, own in one.values.items()}
    return pd.DataFrame(head | values | {"n_train": n_train[split], "n_test": n_test[split]})


def read_nested(table: pd.DataFrame, layers: pd.DataFrame) -> ChosenScores:
    """Read a table of scores at chosen layers (`tabulate`, rows in any order).

    Parameters
    ----------
    table : DataFrame
        The content of nested.parquet.
    layers : DataFrame
        `features`, `layer`, `layer_name` of every layer, also of those that are never chosen.

    Raises
    ------
    DataError
        The table is empty, or holds a layer that is not among `layers`.
    """
    metrics = [metric for metric in METRICS if metric in table]
    feature, features = pd.factorize(table["features"])
    estimator, estimators = pd.factorize(table["estimator"])
    target, targets = pd.factorize(table["target"])
    split = table["split"].to_numpy(dtype=int)
    layer = table["layer"].fillna(-1).to_numpy(dtype=int)
    models = []
    for i, j in product(range(len(features)), range(len(estimators))):
        rows = np.flatnonzero((feature == i) & (estimator == j))
        if not len(rows):
            continue
        own = layers[layers["features"] == features[i]].drop_duplicates("layer").sort_values("layer")
        numbers = own["layer"].to_numpy(dtype=int)
        cell = split[rows], target[rows]
        position = np.full((split.max() + 1, len(targets)), -1)
        place = np.searchsorted(numbers, layer[rows])
        known = layer[rows] >= 0
        if not np.isin(layer[rows][known], numbers).all():
            raise DataError(f"the scores at chosen layers hold layers of {features[i]} that no other table has.")
        position[cell] = np.where(known, place, -1)
        values = {}
        for metric in metrics:
            values[metric] = np.full(position.shape, np.nan)
            values[metric][cell] = table[metric].to_numpy(dtype=float)[rows]
        names = own["layer_name"].to_numpy()
        models.append(Chosen(features[i], estimators[j], numbers, names, np.asarray(targets), values, position))
    if not models:
        raise DataError("the table of scores at chosen layers is empty.")
    return ChosenScores(models, *split_sizes(table))
