"""Scores of every split, and intervals of their means that allow for splits sharing stimuli."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd

from ..analysis.aggregate import Pivot, pivot
from ..results import Results
from ..statistics import corrected_interval
from ..summary import MANY_TARGETS


@dataclass(frozen=True)
class Best:
    """The best layer of one feature set and estimator, for one target or for the median over many.

    Attributes
    ----------
    features, estimator : str
    target : str or None
        None: the median over all targets.
    layer : int
    layer_name : str
    n_layers : int
        Among which it was chosen.
    score : float
        Median over splits of r2_corr, as in summary.tsv (of many targets: the median of these).
    mean, low, high : float
        Mean over splits and its interval (`SplitScores.mean_interval`).
    corrected : float or None
        r2_corr_c2, the same median corrected for noise, where there is one.
    """

    features: str
    estimator: str
    target: str | None
    layer: int
    layer_name: str
    n_layers: int
    score: float
    mean: float
    low: float
    high: float
    corrected: float | None = None


class SplitScores:
    """r2_corr of every split, by feature set, estimator, layer and target.

    Parameters
    ----------
    results : Results
    """

    def __init__(self, results: Results):
        self.results = results
        self.level = results.level
        splits = results.provenance["splits"]
        self.n_train, self.n_test = (
            np.array([len(split[part]) for split in splits]) for part in ("development", "test")
        )
        self.n_splits = len(splits)

    @cached_property
    def _pivots(self) -> dict[tuple[str, str], Pivot]:
        return {(one.features, one.estimator): one for one in pivot(self.results.scores, ["r2_corr"])}

    @property
    def many(self) -> bool:
        """Whether there are so many targets that only their median is put into sentences."""
        return self.results.summary["target"].nunique() > MANY_TARGETS

    @property
    def chance(self) -> float:
        """Mean r2_corr where nothing is related, the mean over splits of 1 / (2 (n_test - 1)).

        A squared correlation is never below 0.
        """
        return float((1.0 / (2.0 * (self.n_test - 1))).mean())

    def of(self, features: str, estimator: str, layer: int, target: str | None) -> np.ndarray:
        """Return the scores over splits, [n_splits]; without a target the median over all targets."""
        values = self.all_targets(features, estimator, layer)
        if target is None:
            return np.median(values, axis=1)
        return values[:, list(self._pivots[features, estimator].targets).index(target)]

    def all_targets(self, features: str, estimator: str, layer: int) -> np.ndarray:
        """Return the scores of one layer, [n_splits, n_targets]."""
        one = self._pivots[features, estimator]
        return one.values["r2_corr"][list(one.layers).index(layer)]

    def mean_interval(self, values: np.ndarray) -> tuple[float, float, float]:
        """Return the mean over splits with its interval mean -+ t sqrt((1/k + n_test/n_dev) var).

        The interval of Nadeau & Bengio (2003) for splits that share stimuli, of level 1 - fdr.

        Parameters
        ----------
        values : ndarray, shape (n_splits,)
        """
        low, high = corrected_interval(values[:, None], self.n_train, self.n_test, self.level)
        return float(values.mean()), float(low[0]), float(high[0])

    def share_above_chance(self, best: Best) -> float:
        """Return the share of targets whose interval at one layer lies above `chance`."""
        values = self.all_targets(best.features, best.estimator, best.layer)
        low, _ = corrected_interval(values, self.n_train, self.n_test, self.level)
        return float((low > self.chance).mean())

    def best_layers(self) -> list[Best]:
        """Choose for every feature set, estimator and target the layer with the highest median over splits.

        As in the headline table: a choice on the scores that are reported. Of many targets the layer with the highest
        median over targets.
        """
        summary = self.results.summary
        scores = [c for c in ("r2_corr_median", "r2_corr_c2_median") if c in summary]
        if self.many:
            keys = ["features", "estimator", "layer", "layer_name"]
            summary = summary.groupby(keys, sort=False)[scores].median().reset_index().assign(target=None)
        groups = summary.groupby(["target", "features", "estimator"], sort=False, dropna=False)
        return [self._best(rows) for _, rows in groups]

    def _best(self, rows: pd.DataFrame) -> Best:
        row = rows.loc[rows["r2_corr_median"].idxmax()]
        layer = int(row["layer"])
        mean, low, high = self.mean_interval(self.of(row["features"], row["estimator"], layer, row["target"]))
        corrected = row.get("r2_corr_c2_median")
        return Best(
            features=row["features"],
            estimator=row["estimator"],
            target=row["target"],
            layer=layer,
            layer_name=row["layer_name"],
            n_layers=len(rows),
            score=float(row["r2_corr_median"]),
            mean=mean,
            # a squared correlation lies between 0 and 1
            low=max(low, 0.0),
            high=min(high, 1.0),
            corrected=None if corrected is None or np.isnan(corrected) else float(corrected),
        )

    def difference(self, a: Best, b: Best) -> tuple[float, float, float]:
        """Return the mean difference a - b of the same target, paired over splits, with its interval."""
        return self.mean_interval(
            self.of(a.features, a.estimator, a.layer, a.target) - self.of(b.features, b.estimator, b.layer, b.target)
        )
