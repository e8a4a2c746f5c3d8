"""From the scores of every split and target to one number per layer: medians, means over subjects, their errors."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import numpy as np
import pandas as pd

from ..errors import DataError
from .score_arrays import Model, Scores, as_scores

# values of which the median is found by exchanges, whose number grows faster than that of the values
_FEW = 32


class Medians:
    """Medians over splits of every score: of 300,000 targets x 40 layers 96 MB per metric, so that they can be kept.

    Attributes
    ----------
    models, targets, metrics
        As of `Scores`.
    """

    def __init__(self, models: list[Model], targets: np.ndarray, metrics: Sequence[str]) -> None:
        self.models, self.targets, self.metrics = models, targets, tuple(metrics)
        self._values = {
            (model.features, model.estimator, metric): np.full((len(model.layers), len(targets)), np.nan)
            for model in models
            for metric in metrics
        }

    @classmethod
    def of(cls, scores: Scores | pd.DataFrame | Medians, metrics: Sequence[str]) -> Medians:
        """Take the medians of some metrics, layer by layer; those that are taken already are given back."""
        if isinstance(scores, Medians):
            return scores
        read = as_scores(scores)
        read.need(metrics)
        medians = cls(read.models, read.targets, metrics)
        for model in read.models:
            for number, layer in enumerate(model.layers):
                for metric, values in read.read(model, metrics, layers=[layer]).items():
                    medians.values(model, metric)[number] = known_median(values[0])
        return medians

    def values(self, model: Model, metric: str) -> np.ndarray:
        """Return the medians of one model, [n_layers, n_targets]."""
        return self._values[model.features, model.estimator, metric]


def known_median(values: np.ndarray) -> np.ndarray:
    """Median over the first axis, missing values (NaN) left out, NaN where all are; numpy's nanmedian, but fast."""
    if values.ndim > 1 and 2 <= len(values) <= _FEW and not np.isnan(values).any():
        ordered = _ordered(values)
        return (ordered[(len(values) - 1) // 2] + ordered[len(values) // 2]) / 2
    ordered = np.sort(values, axis=0)  # NaN last
    count = (~np.isnan(ordered)).sum(axis=0)
    # without values both indices fall on NaN
    middle = [np.take_along_axis(ordered, np.maximum(i, 0)[None], axis=0)[0] for i in ((count - 1) // 2, count // 2)]
    return (middle[0] + middle[1]) / 2


def _ordered(values: np.ndarray) -> list[np.ndarray]:
    """Sort a few values, the first axis, of very many cells: by exchanges of whole rows, a third of the time."""
    rows = [row.copy() for row in values]
    spare = np.empty_like(rows[0])
    for low, high in _exchanges(len(rows)):
        np.minimum(rows[low], rows[high], out=spare)
        np.maximum(rows[low], rows[high], out=rows[high])
        rows[low], spare = spare, rows[low]
    return rows


@cache
def _exchanges(n: int) -> list[tuple[int, int]]:
    """List the exchanges of Batcher's odd-even merge sort (Knuth, The Art of Computer Programming 3, 5.2.2 M)."""
    exchanges = []
    top = 1 << (n - 1).bit_length() - 1
    size = top
    while size:
        step, start, distance = top, 0, size
        while True:
            exchanges += [(i, i + distance) for i in range(n - distance) if i & size == start]
            if step == size:
                break
            distance, step, start = step - size, step // 2, size
        size //= 2
    return exchanges


def group_targets(
    names: np.ndarray, targets: pd.DataFrame | None, by: list[str]
) -> list[tuple[dict[str, object], np.ndarray]]:
    """Group targets by columns of their metadata.

    Parameters
    ----------
    names : ndarray of str
    targets : DataFrame or None
        Metadata: the column `target` and any others, such as subject and roi. Not needed if `by` is empty.
    by : list of str
        Columns; none of them puts all targets in one group.

    Returns
    -------
    list of (labels, members)
        In the order of first appearance: the value of each column of `by`, and positions in `names`. Targets without
        one of the labels (NaN or empty) are in no group.

    Raises
    ------
    DataError
        A column, or a target, is not in the metadata, a target is there twice, or none has all labels.
    """
    if not by:
        return [({}, np.arange(len(names)))]
    held = [] if targets is None else list(targets.columns)
    absent = [column for column in ("target", *by) if column not in held]
    if absent:
        raise DataError(
            f"the metadata of the targets have no column {absent[0]!r}, only: {', '.join(map(str, held)) or 'none'}. "
            "Name one of these, or add the column to the table of targets."
        )
    assert targets is not None  # it has the columns
    rows = targets.set_index("target")[by]
    twice = rows.index[rows.index.duplicated()]
    missing = [name for name in names if name not in rows.index]
    if len(twice) or missing:
        what = f"hold {twice[0]!r} more than once" if len(twice) else f"lack {len(missing)} targets: {missing[:5]}"
        raise DataError(f"the metadata of the targets {what}; expected one row for each target of the scores.")
    rows = rows.loc[names].reset_index(drop=True)
    empty = rows.isna() | rows.apply(lambda column: column.astype(str).str.strip() == "")
    labelled = rows[~empty.any(axis=1)]
    if labelled.empty:
        raise DataError(f"no target has a label in the metadata's {' and '.join(by)}: there is nothing to average.")
    groups = labelled.groupby(by, sort=False, observed=True)
    return [(dict(zip(by, key, strict=True)), members.index.to_numpy()) for key, members in groups]


def within_subject_errors(values: np.ndarray) -> dict[str, np.ndarray]:
    """Standard errors of means over subjects, without the differences between subjects and with them.

    With d = values - each subject's mean over the conditions, over n subjects and C conditions:

    - `sem` = std(d, ddof 0) / sqrt(n - 1), as published by Tuckute et al. 2023: the normalised error of Cousineau
      2005 (Tutorials in Quantitative Methods for Psychology 1:42). Normalising makes it too small by
      sqrt((C - 1) / C);
    - `sem_morey` = sqrt(C / (C - 1)) sem, which mends that (Morey 2008, the same journal 4:61);
    - `sem_between` = std(values, ddof 1) / sqrt(n), the ordinary error, differences between subjects included.

    Parameters
    ----------
    values : ndarray, shape (n_subjects, n_conditions)
        Without NaN.

    Returns
    -------
    dict of str to ndarray, shape (n_conditions,)
        NaN for fewer than two subjects; the first two also for one condition, from which nothing can be subtracted.
    """
    n_subjects, n_conditions = values.shape
    nan = np.full(n_conditions, np.nan)
    if n_subjects < 2:
        return {"sem": nan, "sem_morey": nan, "sem_between": nan}
    between = values.std(axis=0, ddof=1) / np.sqrt(n_subjects)
    if n_conditions < 2:
        return {"sem": nan, "sem_morey": nan, "sem_between": between}
    sem = (values - values.mean(axis=1, keepdims=True)).std(axis=0) / np.sqrt(n_subjects - 1)
    return {"sem": sem, "sem_morey": sem * np.sqrt(n_conditions / (n_conditions - 1)), "sem_between": between}


def over_subjects(
    table: pd.DataFrame, condition: str, by: list[str], value: str = "score", subject: str = "subject"
) -> pd.DataFrame:
    """Mean over subjects and its errors, of any table with one row per subject x condition in each group of `by`.

    The published comparison of networks has them as conditions: `condition="features", by=["estimator"]` on the table
    of `layer_choice.published_choice` by subject.

    Returns
    -------
    DataFrame
        `by`, `condition`, `value`, `sem`, `sem_morey`, `sem_between` (`within_subject_errors`), and `n_subjects`: those
        with a value in every condition, the only ones that count.
    """
    tables = []
    for key, rows in table.groupby(by, sort=False):
        wide = rows.pivot(index=subject, columns=condition, values=value)[rows[condition].unique()]
        complete = wide.dropna().to_numpy()
        mean = complete.mean(axis=0) if len(complete) else np.full(wide.shape[1], np.nan)
        body = {condition: wide.columns, value: mean, **within_subject_errors(complete), "n_subjects": len(complete)}
        tables.append(pd.DataFrame(dict(zip(by, key, strict=True)) | body))
    return pd.concat(tables, ignore_index=True)


def subject_scores(
    scores: Scores | pd.DataFrame | Medians,
    metric: str,
    targets: pd.DataFrame,
    subject: str = "subject",
    region: str | None = None,
) -> pd.DataFrame:
    """Median over a subject's targets of the median over splits, one row per features x estimator x layer x subject.

    Parameters
    ----------
    scores : Scores, DataFrame (one row per features x layer x target x estimator x split), or Medians
    metric : str
    targets : DataFrame
        Metadata: `target` and the columns named by `subject` and `region`.
    subject : str
        Column of `targets`.
    region : str, optional
        Column of `targets`: one row per region as well.

    Returns
    -------
    DataFrame
        `features`, `estimator`, (`region`,) `subject`, `layer`, `layer_name`, `metric`; `score`: each target's median
        over splits clipped at 1 (which matters to noise-corrected metrics alone) before the median over targets;
        `score_unclipped`: not clipped; `n_targets` that have a score.

    Raises
    ------
    DataError
    """
    columns = {subject: "subject"} if region is None else {region: "region", subject: "subject"}
    return _medians(Medians.of(scores, [metric]), metric, targets, columns)


def by_subject(
    scores: Scores | pd.DataFrame | Medians,
    metric: str,
    targets: pd.DataFrame | None = None,
    subject: str | None = "subject",
) -> pd.DataFrame:
    """Mean over subjects of `subject_scores`, one row per features x estimator x layer; meant for `layers.tsv`.

    Returns
    -------
    DataFrame
        `features`, `estimator`, `layer`, `layer_name`, `metric`;
        `score`: mean over subjects of their medians, clipped; `score_unclipped`;
        `sem`, `sem_morey`, `sem_between` of `score`: `within_subject_errors` with the layers as conditions;
        `pooled`: median over all targets together, not clipped;
        `n_subjects`: those with a score at every layer; `n_targets` with a score, pooled; `n_left_out`: without a
        subject (NaN or empty), which are in `pooled` only.
        With `subject=None`, as for components: score is the median over targets, errors are NaN, `n_subjects` is 0.

    Raises
    ------
    DataError
    """
    return _over_subjects(scores, metric, targets, subject, None)


def by_region(
    scores: Scores | pd.DataFrame | Medians,
    metric: str,
    targets: pd.DataFrame,
    region: str = "roi",
    subject: str | None = "subject",
) -> pd.DataFrame:
    """`by_subject` inside every region, any labels of any column of the metadata; meant for `regions.tsv`.

    Returns
    -------
    DataFrame
        The columns of `by_subject`, with `region_of` (the metadata's column) and `region` (its label) after
        `estimator`. `n_left_out`: targets without a label of region or subject, over all regions.

    Raises
    ------
    DataError
    """
    return _over_subjects(scores, metric, targets, subject, region)


def _medians(over_splits: Medians, metric: str, targets: pd.DataFrame | None, columns: dict[str, str]) -> pd.DataFrame:
    """Take medians over groups of targets; `columns`: those of the metadata to group by, and their new names."""
    groups = group_targets(over_splits.targets, targets, list(columns))
    tables = []
    for one in over_splits.models:
        medians = over_splits.values(one, metric).T  # [targets, layers]
        for labels, members in groups:
            own = medians[members]
            head: dict[str, object] = {"features": one.features, "estimator": one.estimator}
            head |= {columns[column]: label for column, label in labels.items()}
            body = {
                "layer": one.layers,
                "layer_name": one.layer_names,
                "metric": metric,
                "score": known_median(np.minimum(own, 1.0)),
                "score_unclipped": known_median(own),
                "n_targets": (~np.isnan(own)).sum(axis=0),
            }
            tables.append(pd.DataFrame(head | body))
    return pd.concat(tables, ignore_index=True)


def _over_subjects(
    scores: Scores | pd.DataFrame | Medians,
    metric: str,
    targets: pd.DataFrame | None,
    subject: str | None,
    region: str | None,
) -> pd.DataFrame:
    medians = Medians.of(scores, [metric])
    places = {} if region is None else {region: "region"}
    people = {} if subject is None else {subject: "subject"}
    keys = ["features", "estimator", *places.values()]
    result = _medians(medians, metric, targets, places).assign(pooled=lambda table: table["score_unclipped"])
    if people:
        single = _medians(medians, metric, targets, places | people)
        row = [*keys, "layer"]
        raw = over_subjects(single, "layer", keys, "score_unclipped")[[*row, "score_unclipped"]]
        means = over_subjects(single, "layer", keys).merge(raw, on=row)
        result = result.drop(columns=["score", "score_unclipped"]).merge(means, on=row, how="left")
        result["n_subjects"] = result["n_subjects"].fillna(0).astype(int)
    else:
        result = result.assign(sem=np.nan, sem_morey=np.nan, sem_between=np.nan, n_subjects=0)
    labelled = group_targets(medians.targets, targets, [*places, *people])
    result["n_left_out"] = len(medians.targets) - sum(len(members) for _, members in labelled)
    result.insert(0, "region_of", region)
    numbers = ["score", "score_unclipped", "sem", "sem_morey", "sem_between", "pooled"]
    counts = ["n_subjects", "n_targets", "n_left_out"]
    place = [] if region is None else ["region_of", "region"]
    return result[["features", "estimator", *place, "layer", "layer_name", "metric", *numbers, *counts]]
