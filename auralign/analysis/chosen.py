"""Scores at the layers that the development stimuli choose, by themselves: all that a report needs of most scores.

Of every feature set, estimator, target and split one layer is chosen (`nested_layers`). Kept as a table of their own,
nested.parquet, these scores are as many as the scores of one layer, and headline, ranking, maps and depths are made of
them alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import numpy as np
import pandas as pd

from ..errors import DataError
from ..scoring.metrics import METRICS
from .nested_layers import at_position, best_position
from .score_arrays import Model, Scores, as_scores, split_sizes

DEV = "r2_dev"


def nested_table(scores: Scores | pd.DataFrame) -> pd.DataFrame:
    """Tabulate the scores at chosen layers; meant for nested.parquet.

    Parameters
    ----------
    scores : Scores or DataFrame
        With `r2_dev`, which chooses.

    Returns
    -------
    DataFrame
        See `nested_rows`.
    """
    return pd.concat(nested_rows(as_scores(scores)), ignore_index=True)


def nested_rows(scores: Scores) -> Iterator[pd.DataFrame]:
    """Yield the rows of nested.parquet, those of one feature set, estimator and part of the targets at a time.

    Yields
    ------
    DataFrame
        One row per split and target: `features`, `estimator`, `target`, `split`; `layer` and `layer_name`, none where
        no layer can be chosen; the scores there, as they are in scores.parquet; `n_train`, `n_test`.
    """
    metrics = [DEV, *(metric for metric in METRICS if metric in scores.metrics)]
    for one in scores.models:
        for part in scores.parts:
            yield _tabulate(scores, one, part, scores.read(one, metrics, part))


def _tabulate(scores: Scores, one: Model, part: slice, values: dict[str, np.ndarray]) -> pd.DataFrame:
    position = best_position(values[DEV])  # [splits, targets]
    n_splits, n_targets = position.shape
    split = np.repeat(np.arange(n_splits), n_targets)
    layer = pd.Series(one.layers[position.ravel()])
    name = pd.Series(np.asarray(one.layer_names, dtype=object)[position.ravel()])
    absent = position.ravel() < 0
    if absent.any():
        # of types that know missing values, also where nothing else is there
        layer, name = layer.astype("Int64").mask(absent), name.astype("string").mask(absent)
    head = {
        "features": one.features,
        "estimator": one.estimator,
        "target": np.tile(np.asarray(scores.targets[part], dtype=object), n_splits),
        "split": scores.splits[split],
        "layer": layer,
        "layer_name": name,
    }
    read = {metric: at_position(own, position).ravel() for metric, own in values.items()}
    return pd.DataFrame(head | read | {"n_train": scores.n_train[split], "n_test": scores.n_test[split]})


class ChosenScores(Scores):
    """Scores of which those at chosen layers alone are known: those of all other layers are NaN.

    What chooses layers by `r2_dev` and reads scores there finds the same as in all scores. Nothing else may be made of
    them.

    Parameters
    ----------
    table : DataFrame
        The content of nested.parquet, rows in any order.
    layers : DataFrame
        `features`, `layer`, `layer_name` of every layer, also of those that are never chosen.

    Raises
    ------
    DataError
        The table is empty, holds a combination twice, or a layer that is not among `layers`.
    """

    def __init__(self, table: pd.DataFrame, layers: pd.DataFrame) -> None:
        if table.empty:
            raise DataError("the table of scores at chosen layers is empty.")
        self._table = table
        self.metrics = tuple(metric for metric in (DEV, *METRICS) if metric in table)
        target, names = pd.factorize(table["target"])
        self.targets = np.asarray(names, dtype=object)
        self.parts = [slice(0, len(names))]
        self.splits, split = np.unique(table["split"].to_numpy(), return_inverse=True)
        self.n_train, self.n_test = split_sizes(table)
        chosen = table["layer"].to_numpy(dtype=float, na_value=np.nan)
        model = table.groupby(["features", "estimator"], sort=False).ngroup().to_numpy()
        self.models = []
        # of every model its rows, where they stand in an array [split, target], and the positions of their layers
        self._rows: dict[tuple[str, str], tuple[np.ndarray, tuple[np.ndarray, np.ndarray], np.ndarray]] = {}
        for number, (features, estimator) in enumerate(_pairs(table)):
            rows = np.flatnonzero(model == number)
            cell = np.ravel_multi_index((split[rows], target[rows]), (len(self.splits), len(names)))
            if len(np.unique(cell)) < len(cell):
                raise DataError(f"scores at chosen layers of {features}, {estimator} are there more than once.")
            own = layers[layers["features"] == features].drop_duplicates("layer").sort_values("layer")
            held, known = own["layer"].to_numpy(dtype=int), ~np.isnan(chosen[rows])
            if not np.isin(chosen[rows][known], held).all():
                raise DataError(f"scores at chosen layers are of layers of {features} that no other table has.")
            position = np.where(known, np.searchsorted(held, np.where(known, chosen[rows], 0)), -1)
            names_of = own["layer_name"].to_numpy(dtype=object)
            self.models.append(Model(features, estimator, held, names_of))
            self._rows[features, estimator] = rows, (split[rows], target[rows]), position

    def read(
        self,
        model: Model,
        metrics: Sequence[str],
        targets: slice | None = None,
        layers: Iterable[int] | None = None,
    ) -> dict[str, np.ndarray]:
        """See `Scores.read`."""
        self.need(metrics)
        rows, (split, target), position = self._rows[model.features, model.estimator]
        whole = self.model(model.features, model.estimator)
        wanted = np.searchsorted(whole.layers, model.layers if layers is None else list(layers))
        known = position >= 0
        values = {}
        for metric in metrics:
            own = np.full((len(whole.layers), len(self.splits), len(self.targets)), np.nan)
            own[position[known], split[known], target[known]] = self._table[metric].to_numpy(dtype=float)[rows][known]
            values[metric] = own[wanted, :, self.own(targets)]
        return values


def _pairs(table: pd.DataFrame) -> list[tuple[str, str]]:
    """Return the feature sets and estimators of a table in the order of first appearance."""
    pairs = table[["features", "estimator"]].drop_duplicates()
    return list(pairs.itertuples(index=False, name=None))
