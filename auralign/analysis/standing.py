"""Scores at the layers that the development stimuli choose: the numbers of headline, ranking and page."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.stats import t as student_t

from ..inference.statistics import corrected_interval
from .aggregate import known_median, over_subjects
from .layer_choice import nested_choice
from .nested_layers import at_position, best_position
from .score_arrays import Scores, as_scores

# more targets than this are summarised by their median
MANY_TARGETS = 24
# with fewer subjects nothing is said about other people: no mean over subjects, no error, every subject by itself
FEWEST_SUBJECTS = 5


@dataclass(frozen=True)
class Nested:
    """One feature set and estimator, by split and target at the layer with the highest `r2_dev` (the first of equals).

    Attributes
    ----------
    features, estimator : str
    targets, layers, layer_names : ndarray
    values : dict of str to ndarray, shape (n_splits, n_targets)
        By metric. At most 1: a noise-corrected score above 1 is owed to the error of the reliabilities. NaN where there
        is no score, or no layer to choose.
    position : ndarray, shape (n_splits, n_targets)
        Of the chosen layer in `layers`, -1 where there is none.
    complete : ndarray of bool, shape (n_targets,)
        Targets with a score in every split, in all feature sets of this estimator.
    """

    features: str
    estimator: str
    targets: np.ndarray
    layers: np.ndarray
    layer_names: np.ndarray
    values: dict[str, np.ndarray]
    position: np.ndarray
    complete: np.ndarray

    def over_targets(self, metric: str) -> np.ndarray:
        """Summarise the targets split by split, [n_splits]: the mean of up to 24, the median of more.

        Of few targets only complete ones count, so that feature sets are compared on the same ones.
        """
        values = self.values[metric]
        if len(self.targets) > MANY_TARGETS:
            return known_median(values.T)
        return values[:, self.complete].mean(axis=1) if self.complete.any() else np.full(len(values), np.nan)

    def shares(self, target: str | None = None) -> np.ndarray:
        """Return how often each layer was chosen, [n_layers], over the splits of one target or of all."""
        chosen = self.position if target is None else self.position[:, self.targets == target]
        counts = np.bincount(chosen[chosen >= 0], minlength=len(self.layers))
        return counts / max(counts.sum(), 1)


def nested_values(scores: Scores | pd.DataFrame, metrics: list[str]) -> list[Nested]:
    """Read the scores of every feature set and estimator at the layer that each split's development stimuli choose.

    Parameters
    ----------
    scores : Scores or DataFrame
        One row per features x layer x target x estimator x split, with `r2_dev`.
    metrics : list of str
        The first decides which targets are complete.

    Returns
    -------
    list of Nested
        The median over splits of its values is `nested` of layer_choice.tsv.

    Raises
    ------
    DataError
        The scores lack a column or are empty.
    """
    scores = as_scores(scores)
    shape, read = (len(scores.splits), len(scores.targets)), []
    for one in scores.models:
        values, position = {metric: np.empty(shape) for metric in metrics}, np.empty(shape, dtype=np.int16)
        for part in scores.parts:
            own = scores.read(one, [*metrics, "r2_dev"], part)
            position[:, part] = best_position(own["r2_dev"])
            for metric in metrics:
                values[metric][:, part] = np.minimum(at_position(own[metric], position[:, part]), 1.0)
        read.append((one, values, position))
    complete: dict[str, np.ndarray] = {}
    for one, values, _ in read:
        known = np.isfinite(values[metrics[0]]).all(axis=0)
        complete[one.estimator] = complete.get(one.estimator, True) & known
    return [
        Nested(
            one.features, one.estimator, scores.targets, one.layers, one.layer_names, values, position,
            complete[one.estimator],
        )
        for one, values, position in read
    ]  # fmt: skip


def mean_over_splits(
    values: np.ndarray, n_train: int | np.ndarray, n_test: int | np.ndarray, level: float = 0.95
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Mean over splits and its corrected interval (`corrected_interval`); splits without a value (NaN) are left out.

    Parameters
    ----------
    values : ndarray, shape (n_splits, n_rows)
    n_train, n_test : int, or one per split
    level : float

    Returns
    -------
    mean, low, high : ndarray, shape (n_rows,)
        NaN with fewer than two values.
    """
    result = np.full((3, values.shape[1]), np.nan)
    known = np.isfinite(values)
    patterns, which = np.unique(known, axis=1, return_inverse=True)
    for number, splits in enumerate(patterns.T):
        if splits.sum() < 2:
            continue
        rows = np.flatnonzero(which.ravel() == number)
        own = values[np.ix_(splits, rows)]
        train, test = (size[splits] if isinstance(size, np.ndarray) else size for size in (n_train, n_test))
        result[:, rows] = own.mean(axis=0), *corrected_interval(own, train, test, level)
    mean, low, high = result
    return mean, low, high


def nested_by_subject(
    scores: Scores | pd.DataFrame, metric: str, targets: pd.DataFrame, subject: str = "subject"
) -> pd.DataFrame:
    """Median over each subject's targets of the median over splits at nested layers (`nested_choice`).

    Returns
    -------
    DataFrame
        `features`, `estimator`, `subject`, `score`, `layer`, `n_layers`, ...
    """
    return nested_choice(scores, metric, targets, [subject]).rename(columns={subject: "subject"})


def mean_of_subjects(chosen: pd.DataFrame, level: float = 0.95) -> pd.DataFrame:
    """Mean over subjects of `nested_by_subject`, with the t-interval between subjects.

    Returns
    -------
    DataFrame
        `estimator`, `features`, `score`, `sem`, `sem_morey`, `sem_between`, `n_subjects`, `low`, `high`:
        score -+ t_((1 + level)/2, n - 1) sem_between, which is about other people; NaN under `FEWEST_SUBJECTS`.
    """
    means = over_subjects(chosen, "features", ["estimator"])
    n = means["n_subjects"].to_numpy()
    half = student_t.ppf(0.5 + level / 2.0, np.maximum(n - 1, 1)) * means["sem_between"]
    half = np.where(n >= FEWEST_SUBJECTS, half, np.nan)
    return means.assign(low=means["score"] - half, high=means["score"] + half)
