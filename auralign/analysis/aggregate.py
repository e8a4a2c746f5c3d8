"""From the scores of every split and target to one number per layer: medians, means over subjects, their errors."""

from dataclasses import dataclass
from itertools import product

import numpy as np
import pandas as pd

from ..errors import DataError

CELL = ["features", "estimator", "layer", "target", "split"]


@dataclass(frozen=True)
class Pivot:
    """The scores of one feature set and estimator as arrays.

    Attributes
    ----------
    features, estimator : str
    layers, layer_names : ndarray, shape (n_layers,)
        Ascending.
    targets : ndarray, shape (n_targets,)
        Names, in the order in which the table first has them; alike for all feature sets and estimators.
    values : dict of str to ndarray, shape (n_layers, n_splits, n_targets)
        By metric; NaN where the table has none.
    """

    features: str
    estimator: str
    layers: np.ndarray
    layer_names: np.ndarray
    targets: np.ndarray
    values: dict[str, np.ndarray]


def pivot(scores: pd.DataFrame, metrics: list[str]) -> list[Pivot]:
    """Turn the table of scores (one row per features x layer x target x estimator x split) into arrays.

    Raises
    ------
    DataError
        The table is empty, lacks a metric, or has a combination twice.
    """
    absent = [column for column in (*CELL, *metrics) if column not in scores]
    if absent:
        raise DataError(f"the scores have no column {absent[0]!r}; they have: {', '.join(map(str, scores.columns))}.")
    names = scores["layer_name"].to_numpy() if "layer_name" in scores else scores["layer"].astype(str).to_numpy()
    layer_column, split_column = scores["layer"].to_numpy(), scores["split"].to_numpy()
    feature, features = pd.factorize(scores["features"])
    estimator, estimators = pd.factorize(scores["estimator"])
    target, targets = pd.factorize(scores["target"])
    pivots = []
    for i, j in product(range(len(features)), range(len(estimators))):
        rows = np.flatnonzero((feature == i) & (estimator == j))
        if not len(rows):
            continue
        layers, first, layer = np.unique(layer_column[rows], return_index=True, return_inverse=True)
        splits, split = np.unique(split_column[rows], return_inverse=True)
        shape = (len(layers), len(splits), len(targets))
        cell = np.ravel_multi_index((layer, split, target[rows]), shape)
        count = np.bincount(cell)
        if count.max() > 1:
            twice = scores.iloc[rows[np.argmax(count[cell] > 1)]][CELL].to_dict()
            raise DataError(f"the scores have {twice} more than once; each combination may be there once.")
        values = {}
        for metric in metrics:
            flat = np.full(np.prod(shape), np.nan)
            flat[cell] = scores[metric].to_numpy(dtype=float)[rows]
            values[metric] = flat.reshape(shape)
        pivots.append(Pivot(features[i], estimators[j], layers, names[rows[first]], np.asarray(targets), values))
    if not pivots:
        raise DataError("the scores are empty: there is nothing to average.")
    return pivots


def split_sizes(scores: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    """Read the numbers of development and test stimuli of every split, in ascending order of the splits.

    In this order stand the splits of a pivoted table and of `pivot`, so that the sizes can be handed to the corrected
    tests (`statistics.corrected_spread`) together with its differences.

    Parameters
    ----------
    scores : DataFrame
        With the columns `split`, `n_train` and `n_test`.

    Returns
    -------
    n_train, n_test : ndarray of int, shape (n_splits,)

    Raises
    ------
    DataError
        One split has several sizes: its rows are not of the same stimuli and cannot be paired.
    """
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


def known_median(values: np.ndarray) -> np.ndarray:
    """Median over the first axis, missing values (NaN) left out, NaN where all are; numpy's nanmedian, but fast."""
    ordered = np.sort(values, axis=0)  # NaN last
    count = (~np.isnan(ordered)).sum(axis=0)
    # without values both indices fall on NaN
    middle = [np.take_along_axis(ordered, np.maximum(i, 0)[None], axis=0)[0] for i in ((count - 1) // 2, count // 2)]
    return (middle[0] + middle[1]) / 2


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
    scores: pd.DataFrame, metric: str, targets: pd.DataFrame, subject: str = "subject", region: str | None = None
) -> pd.DataFrame:
    """Median over a subject's targets of the median over splits, one row per features x estimator x layer x subject.

    Parameters
    ----------
    scores : DataFrame
        One row per features x layer x target x estimator x split.
    metric : str
        A column of `scores`.
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
    return _medians(pivot(scores, [metric]), metric, targets, columns)


def by_subject(
    scores: pd.DataFrame, metric: str, targets: pd.DataFrame | None = None, subject: str | None = "subject"
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
    scores: pd.DataFrame, metric: str, targets: pd.DataFrame, region: str = "roi", subject: str | None = "subject"
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


def _medians(pivots: list[Pivot], metric: str, targets: pd.DataFrame | None, columns: dict[str, str]) -> pd.DataFrame:
    """Take medians over groups of targets; `columns`: those of the metadata to group by, and their new names."""
    groups = group_targets(pivots[0].targets, targets, list(columns))
    tables = []
    for one in pivots:
        medians = known_median(np.moveaxis(one.values[metric], 1, 0)).T  # [targets, layers]
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
    scores: pd.DataFrame, metric: str, targets: pd.DataFrame | None, subject: str | None, region: str | None
) -> pd.DataFrame:
    pivots = pivot(scores, [metric])
    places = {} if region is None else {region: "region"}
    people = {} if subject is None else {subject: "subject"}
    keys = ["features", "estimator", *places.values()]
    result = _medians(pivots, metric, targets, places).assign(pooled=lambda table: table["score_unclipped"])
    if people:
        single = _medians(pivots, metric, targets, places | people)
        row = [*keys, "layer"]
        raw = over_subjects(single, "layer", keys, "score_unclipped")[[*row, "score_unclipped"]]
        means = over_subjects(single, "layer", keys).merge(raw, on=row)
        result = result.drop(columns=["score", "score_unclipped"]).merge(means, on=row, how="left")
        result["n_subjects"] = result["n_subjects"].fillna(0).astype(int)
    else:
        result = result.assign(sem=np.nan, sem_morey=np.nan, sem_between=np.nan, n_subjects=0)
    labelled = group_targets(pivots[0].targets, targets, [*places, *people])
    result["n_left_out"] = len(pivots[0].targets) - sum(len(members) for _, members in labelled)
    result.insert(0, "region_of", region)
    numbers = ["score", "score_unclipped", "sem", "sem_morey", "sem_between", "pooled"]
    counts = ["n_subjects", "n_targets", "n_left_out"]
    place = [] if region is None else ["region_of", "region"]
    return result[["features", "estimator", *place, "layer", "layer_name", "metric", *numbers, *counts]]
