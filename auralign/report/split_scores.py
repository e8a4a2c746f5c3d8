"""Scores of the headline: every feature set at nested layers, with intervals over splits or over subjects."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd

from ..analysis.aggregate import group_targets, known_median
from ..analysis.standing import (
    FEWEST_SUBJECTS,
    MANY_TARGETS,
    Nested,
    mean_of_subjects,
    mean_over_splits,
    nested_by_subject,
    nested_values,
)
from ..runs.results import Results


@dataclass(frozen=True)
class Best:
    """One feature set and estimator at nested layers, for one target or for all of them together.

    Attributes
    ----------
    features, estimator : str
    target : str or None
        None: over all targets, split by split the mean of up to 24 and the median of more.
    score, low, high : float
        Of the primary metric: mean over splits and its interval (`SplitScores.mean_interval`); over all targets of five
        or more subjects mean over subjects and the interval between subjects.
    median : float
        Median over splits; of one target it is `nested` of layer_choice.tsv.
    layer : int
    layer_name : str
        Chosen most often, which describes the score and is not the only layer in it.
    layer_share : float
        Share of splits (and targets) in which it was chosen.
    n_layers : int
    above_chance : bool
        Whether the interval over splits lies above what no relation gives: of r2_corr above `SplitScores.chance`, where
        the primary metric is r2 of r2 above 0. Whether a target is predicted does not depend on noise correction.
    """

    features: str
    estimator: str
    target: str | None
    score: float
    low: float
    high: float
    median: float
    layer: int
    layer_name: str
    layer_share: float
    n_layers: int
    above_chance: bool


class SplitScores:
    """Scores of every split at the layer that its development stimuli choose, in the primary metric of a result.

    Parameters
    ----------
    results : Results
    """

    def __init__(self, results: Results):
        self.results = results
        self.level = results.level
        self.metric = results.metric
        splits = results.provenance["splits"]
        self.n_train, self.n_test = (
            np.array([len(split[part]) for split in splits]) for part in ("development", "test")
        )
        self.n_splits = len(splits)

    @cached_property
    def _nested(self) -> dict[tuple[str, str], Nested]:
        metrics = list(dict.fromkeys([self.metric, "r2_corr"]))
        return {(one.features, one.estimator): one for one in nested_values(self.results.chosen, metrics)}

    @property
    def many(self) -> bool:
        """Whether there are so many targets that only their median is put into sentences."""
        return self.results.n_targets > MANY_TARGETS

    @property
    def n_subjects(self) -> int:
        """How many people the targets are of; 0 where that is not known."""
        targets = self.results.targets
        return targets["subject"].nunique() if "subject" in targets else 0

    @property
    def over_people(self) -> bool:
        """Whether there are enough subjects for scores and intervals over subjects."""
        return self.n_subjects >= FEWEST_SUBJECTS

    @property
    def n_complete(self) -> int:
        """How many of few targets take part in scores over all targets: those with a score in every split."""
        return min(int(one.complete.sum()) for one in self._nested.values())

    @property
    def chance(self) -> float:
        """Mean r2_corr where nothing is related, the mean over splits of 1 / (2 (n_test - 1)).

        A squared correlation is never below 0.
        """
        return float((1.0 / (2.0 * (self.n_test - 1))).mean())

    def of(self, features: str, estimator: str, target: str | None, metric: str | None = None) -> np.ndarray:
        """Return the scores over splits, [n_splits]; without a target of all targets together."""
        one, metric = self._nested[features, estimator], metric or self.metric
        if target is None:
            return one.over_targets(metric)
        return one.values[metric][:, list(one.targets).index(target)]

    def mean_interval(self, values: np.ndarray) -> tuple[float, float, float]:
        """Return the mean over splits with its interval mean -+ t sqrt((1/k + n_test/n_dev) var).

        The interval of Nadeau & Bengio (2003) for splits that share stimuli, of level 1 - fdr.

        Parameters
        ----------
        values : ndarray, shape (n_splits,)
            Splits without a value (NaN) are left out.
        """
        mean, low, high = mean_over_splits(values[:, None], self.n_train, self.n_test, self.level)
        return float(mean[0]), float(low[0]), float(high[0])

    def share_above_chance(self, features: str, estimator: str) -> float:
        """Return the share of targets that are predicted above chance."""
        metric, chance = self._against_chance
        values = self._nested[features, estimator].values[metric]
        return float((mean_over_splits(values, self.n_train, self.n_test, self.level)[1] > chance).mean())

    @property
    def _against_chance(self) -> tuple[str, float]:
        """Return the score by which above chance is decided, and what it is without any relation."""
        return ("r2", 0.0) if self.metric == "r2" else ("r2_corr", self.chance)

    def _above(self, features: str, estimator: str, target: str | None) -> bool:
        metric, chance = self._against_chance
        return self.mean_interval(self.of(features, estimator, target, metric))[1] > chance

    def by_target(self) -> list[Best]:
        """Return every target, feature set and estimator; nothing where targets are many."""
        return list(self._by_target)

    def overall(self) -> list[Best]:
        """Return every feature set and estimator, over all targets."""
        return list(self._overall)

    @cached_property
    def _by_target(self) -> list[Best]:
        if self.many:
            return []
        return [self._best(one, target) for target in self.results.targets["target"] for one in self._nested.values()]

    @cached_property
    def _overall(self) -> list[Best]:
        return [self._best(one, None) for one in self._nested.values()]

    def _best(self, one: Nested, target: str | None) -> Best:
        values = self.of(one.features, one.estimator, target)
        score, low, high = self.mean_interval(values)
        if target is None and self.over_people:
            row = self._means_of_people.loc[one.estimator, one.features]
            score, low, high = (float(row[key]) for key in ("score", "low", "high"))
        if self.metric != "r2":
            low = max(low, 0.0)  # a squared correlation is not negative
        shares = one.shares(target)
        most = int(shares.argmax())
        return Best(
            features=one.features,
            estimator=one.estimator,
            target=target,
            score=score,
            low=low,
            high=min(high, 1.0),
            median=float(np.nanmedian(values)) if np.isfinite(values).any() else np.nan,
            layer=int(one.layers[most]),
            layer_name=str(one.layer_names[most]),
            layer_share=float(shares[most]),
            n_layers=len(one.layers),
            above_chance=self._above(one.features, one.estimator, target),
        )

    def subjects_of(self, best: Best) -> dict[object, float]:
        """Return the score of every subject: the mean over splits of the median over its targets in every split."""
        one, targets = self._nested[best.features, best.estimator], self.results.targets
        values = one.values[self.metric]
        return {
            labels["subject"]: self.mean_interval(known_median(values[:, members].T))[0]
            for labels, members in group_targets(one.targets, targets, ["subject"])
        }

    @cached_property
    def of_people(self) -> pd.DataFrame:
        """Score of every feature set, estimator and subject (`nested_by_subject`)."""
        return nested_by_subject(self.results.chosen, self.metric, self.results.targets)

    @cached_property
    def _means_of_people(self) -> pd.DataFrame:
        return mean_of_subjects(self.of_people, self.level).set_index(["estimator", "features"])

    def difference(self, a: Best, b: Best) -> tuple[float, float, float]:
        """Return the mean difference a - b of one target with its interval, paired over splits or over subjects."""
        if a.target is None and self.over_people:
            wide = self.of_people.pivot(index="subject", columns=["estimator", "features"], values="score")
            d = (wide[a.estimator, a.features] - wide[b.estimator, b.features]).rename("score").reset_index()
            row = mean_of_subjects(d.assign(estimator="", features="difference"), self.level).iloc[0]
            return float(row["score"]), float(row["low"]), float(row["high"])
        sides = (self.of(one.features, one.estimator, one.target) for one in (a, b))
        return self.mean_interval(np.subtract(*sides))
