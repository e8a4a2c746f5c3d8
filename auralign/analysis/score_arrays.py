"""The scores of a comparison as arrays, read some layers or some targets at a time: how every analysis reads them.

Of 300,000 targets x 40 layers x 10 splits every score takes 1 GB, so that no table is made of all of them: what needs
one target at a time goes through `Scores.parts`, what needs all targets goes through the layers.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection, Iterable, Sequence
from copy import copy
from dataclasses import dataclass
from functools import cached_property
from itertools import product

import numpy as np
import pandas as pd

from ..errors import DataError

CELL = ["features", "estimator", "layer", "target", "split"]
# columns of numbers in a table of scores that are no scores
_NO_SCORES = ("layer", "split", "n_train", "n_test")


@dataclass(frozen=True, eq=False)
class Model:
    """One feature set and one estimator.

    Attributes
    ----------
    features, estimator : str
    layers, layer_names : ndarray, shape (n_layers,)
        Ascending.
    """

    features: str
    estimator: str
    layers: np.ndarray
    layer_names: np.ndarray

    def without(self, layers: Iterable[int]) -> Model:
        """Return the model with fewer layers."""
        kept = ~np.isin(self.layers, list(layers))
        return Model(self.features, self.estimator, self.layers[kept], self.layer_names[kept])


class Scores(ABC):
    """The scores of a comparison.

    Attributes
    ----------
    models : list of Model
        In the order of the comparison: feature sets, and inside them estimators.
    targets : ndarray, shape (n_targets,)
        Names, in the order of the study.
    metrics : tuple of str
        r2, r2_corr, r2_dev, alpha, and with repetitions those corrected for noise.
    splits : ndarray of int, shape (n_splits,)
        Numbers of the splits, ascending.
    n_train, n_test : ndarray of int, shape (n_splits,)
        Numbers of development and test stimuli.
    parts : list of slice
        All targets in order, so many at a time as are read together.
    """

    models: list[Model]
    targets: np.ndarray
    metrics: tuple[str, ...]
    splits: np.ndarray
    n_train: np.ndarray
    n_test: np.ndarray
    parts: list[slice]

    @abstractmethod
    def read(
        self,
        model: Model,
        metrics: Sequence[str],
        targets: slice | None = None,
        layers: Iterable[int] | None = None,
    ) -> dict[str, np.ndarray]:
        """Read scores of one model.

        Parameters
        ----------
        model : Model
            One of `models`, or such a one with fewer layers.
        metrics : sequence of str
        targets : slice, optional
            Positions in `targets`; by default all.
        layers : iterable of int, optional
            Some of `model.layers`; by default all of them.

        Returns
        -------
        dict of str to ndarray, shape (n_layers, n_splits, n_targets)
            By metric; NaN where there is none.

        Raises
        ------
        DataError
            There is no such metric, or the scores cannot be read.
        """

    @property
    def blocks(self) -> list[tuple[Model, int]]:
        """Every model and layer, in the order in which tables have them: feature sets, layers, estimators."""
        return [
            (model, layer)
            for features in dict.fromkeys(model.features for model in self.models)
            for layer in sorted({layer for one in self.models if one.features == features for layer in one.layers})
            for model in self.models
            if model.features == features and layer in model.layers
        ]

    def model(self, features: str, estimator: str) -> Model:
        """Return one of the models; DataError where there is none of these names."""
        for one in self.models:
            if (one.features, one.estimator) == (features, estimator):
                return one
        known = [f"{one.features}, {one.estimator}" for one in self.models]
        raise DataError(f"there are no scores of {features}, {estimator}; there are {known}.")

    def of(self, features: str | None = None, estimator: str | None = None, without: Collection[str] = ()) -> Scores:
        """Return the scores of one feature set, one estimator, or all feature sets but some.

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
            wanted = {"features": features, "estimator": estimator}
            named = " and ".join(f"{key} {value!r}" for key, value in wanted.items() if value is not None)
            known = [f"{one.features}, {one.estimator}" for one in self.models]
            raise DataError(f"there are no scores of {named or 'other feature sets'}; there are {known}.")
        some = copy(self)
        some.models = kept
        return some

    def need(self, metrics: Iterable[str]) -> None:
        """Refuse metrics that there are not, as `DataError`."""
        absent = [metric for metric in metrics if metric not in self.metrics]
        if absent:
            raise DataError(f"the scores have no column {absent[0]!r}; they have: {', '.join(self._columns)}.")

    @property
    def _columns(self) -> list[str]:
        return list(self.metrics)

    def own(self, targets: slice | None) -> slice:
        """Return a slice of targets, of all where there is none, with both ends."""
        return slice(*(targets or slice(None)).indices(len(self.targets))[:2])


def as_scores(scores: Scores | pd.DataFrame) -> Scores:
    """Read a table of scores (one row per features x layer x target x estimator x split) as arrays."""
    return TableScores(scores) if isinstance(scores, pd.DataFrame) else scores


class TableScores(Scores):
    """Scores of a table in memory, whose rows stand in any order.

    Raises
    ------
    DataError
        The table is empty, lacks a column, or has a combination twice.
    """

    def __init__(self, table: pd.DataFrame) -> None:
        absent = [column for column in CELL if column not in table]
        if absent:
            raise DataError(
                f"the scores have no column {absent[0]!r}; they have: {', '.join(map(str, table.columns))}."
            )
        if table.empty:
            raise DataError("the scores are empty: there is nothing to average.")
        self._table = table
        numbers = table.select_dtypes("number").columns
        self.metrics = tuple(str(column) for column in numbers if column not in _NO_SCORES)
        target, names = pd.factorize(table["target"])
        self.targets = np.asarray(names)
        self.parts = [slice(0, len(self.targets))]
        self.splits, split = np.unique(table["split"].to_numpy(), return_inverse=True)
        labels = table["layer_name"] if "layer_name" in table else table["layer"].astype(str)
        layer_column, layer_names = table["layer"].to_numpy(), labels.to_numpy()
        feature, features = pd.factorize(table["features"])
        estimator, estimators = pd.factorize(table["estimator"])
        self.models = []
        # of every model its rows, and where each stands in the array [layer, split, target]
        self._cells: dict[tuple[str, str], tuple[np.ndarray, np.ndarray]] = {}
        for i, j in product(range(len(features)), range(len(estimators))):
            rows = np.flatnonzero((feature == i) & (estimator == j))
            if not len(rows):
                continue
            layers, first, layer = np.unique(layer_column[rows], return_index=True, return_inverse=True)
            shape = (len(layers), len(self.splits), len(self.targets))
            cell = np.ravel_multi_index((layer, split[rows], target[rows]), shape)
            count = np.bincount(cell)
            if count.max() > 1:
                twice = table.iloc[rows[np.argmax(count[cell] > 1)]][CELL].to_dict()
                raise DataError(f"the scores have {twice} more than once; each combination may be there once.")
            self.models.append(Model(features[i], estimators[j], layers, layer_names[rows[first]]))
            self._cells[features[i], estimators[j]] = rows, cell

    @property
    def _columns(self) -> list[str]:
        return list(map(str, self._table.columns))

    @cached_property
    def _sizes(self) -> tuple[np.ndarray, np.ndarray]:
        return split_sizes(self._table)

    @property
    def n_train(self) -> np.ndarray:  # type: ignore[override]  # found when it is asked for: a table may lack it
        """Numbers of development stimuli."""
        return self._sizes[0]

    @property
    def n_test(self) -> np.ndarray:  # type: ignore[override]
        """Numbers of test stimuli."""
        return self._sizes[1]

    def read(
        self,
        model: Model,
        metrics: Sequence[str],
        targets: slice | None = None,
        layers: Iterable[int] | None = None,
    ) -> dict[str, np.ndarray]:
        """See `Scores.read`."""
        self.need(metrics)
        rows, cell = self._cells[model.features, model.estimator]
        whole = self.model(model.features, model.estimator)
        wanted = np.searchsorted(whole.layers, model.layers if layers is None else list(layers))
        shape = (len(whole.layers), len(self.splits), len(self.targets))
        values = {}
        for metric in metrics:
            flat = np.full(np.prod(shape), np.nan)
            flat[cell] = self._table[metric].to_numpy(dtype=float)[rows]
            values[metric] = flat.reshape(shape)[wanted, :, self.own(targets)]
        return values


def split_sizes(scores: Scores | pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    """Read the numbers of development and test stimuli of every split, in ascending order of the splits.

    In this order stand the splits of a pivoted table and of `Scores.read`, so that the sizes can be handed to the
    corrected tests (`statistics.corrected_spread`) together with its differences.

    Parameters
    ----------
    scores : Scores, or DataFrame
        With the columns `split`, `n_train` and `n_test`.

    Returns
    -------
    n_train, n_test : ndarray of int, shape (n_splits,)

    Raises
    ------
    DataError
        One split has several sizes: its rows are not of the same stimuli and cannot be paired.
    """
    if isinstance(scores, Scores):
        return scores.n_train, scores.n_test
    sizes = scores[["split", "n_train", "n_test"]].drop_duplicates().sort_values("split")
    twice = sizes.loc[sizes["split"].duplicated(), "split"]
    if len(twice):
        own = sizes[sizes["split"] == twice.iloc[0]]
        found = " and ".join(f"{row.n_train}/{row.n_test}" for row in own.itertuples())
        raise DataError(
            f"the scores of split {twice.iloc[0]} are of different numbers of development/test stimuli ({found}) and "
            "cannot be paired. Run `auralign run` again, for all feature sets together."
        )
    return sizes["n_train"].to_numpy(dtype=int), sizes["n_test"].to_numpy(dtype=int)
