"""Three ways to choose a layer: best on the test splits, as published, and inside the development stimuli.

All of them choose target by target; a summary of many targets is the median over targets, each at its own layer.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import product

import numpy as np
import pandas as pd

from ..errors import DataError
from .aggregate import group_targets, known_median
from .layer_rules import RULES, Choice, choose
from .score_arrays import Model, Scores, as_scores


def published_choice(
    scores: Scores | pd.DataFrame,
    metric: str = "r2_corr",
    targets: pd.DataFrame | None = None,
    by: list[str] | None = None,
) -> pd.DataFrame:
    """Choose the layer on one random half of the splits and read its score on the other (Tuckute et al. 2023).

    Ten times: halves are drawn for every layer, and in it for every target, in order (`half_split.draw_halves`); the
    layer with the highest median over the choosing half is taken and its median over the other half read, both clipped
    at 1; among equals numpy's legacy generator, seeded with 0 each time, draws target by target in order. Then the
    median over the targets of a group; then mean, standard deviation and error over the ten.

    All splits are drawn from the same stimuli, so that the halves are not independent: of ten equally good layers that
    differ by chance the score keeps three quarters of the excess of `naive_best` (.058 of .076 at a true r2_corr of .5
    with 165 stimuli). Nor is the error over ten repeats, all of the same splits, the error of the score.

    Parameters
    ----------
    scores : Scores or DataFrame
        One row per features x layer x target x estimator x split. The draws follow ascending layers and the order in
        which the table first has the targets.
    metric : str
    targets : DataFrame, optional
        Metadata: `target` and the columns of `by`.
    by : list of str, optional
        One row per combination of these columns (`["subject"]`, `["roi"]`, `["subject", "roi"]`); one for all targets
        together (`[]`); one per target (None). Targets without a label take part in the draws and are in no row.

    Returns
    -------
    DataFrame
        One row per features x estimator x group: `features`, `estimator`, `metric`, `target` or the columns of `by`;
        `score`, `score_std` (ddof 1), `score_sem` (std / sqrt 10); `pos`: position of the chosen layer, from 1, median
        over targets, mean over repeats; `rel_pos`: (pos - 1) / (n_layers - 1); `layer`, `layer_name`: chosen most often
        (the lowest of equals); `layer_share`: how often, of all choices; `n_layers`, `n_targets` (with a choice).
        Nothing is chosen where the number of splits is odd: they have no halves.

    Raises
    ------
    DataError
    """
    return _by_rule(as_scores(scores), "published", metric, targets, by)


def nested_choice(
    scores: Scores | pd.DataFrame,
    metric: str = "r2_corr",
    targets: pd.DataFrame | None = None,
    by: list[str] | None = None,
    dev: str = "r2_dev",
) -> pd.DataFrame:
    """Choose the layer of every split inside its development stimuli, and read its score on the test stimuli.

    The layer with the highest `dev` of each split and target (the lowest of equals); median over splits of its test
    score, clipped at 1. No test stimulus has a part in the choice: this is what choosing and fitting together reach on
    new stimuli.

    Parameters
    ----------
    scores, metric, targets, by
        As in `published_choice`.
    dev : str
        The column of `scores` that chooses.

    Returns
    -------
    DataFrame
        As `published_choice`, without `score_std` and `score_sem`; `pos`: median over targets, mean over splits;
        `layer_share`: of all splits and targets (every layer's: `layer_shares`).

    Raises
    ------
    DataError
    """
    table = _by_rule(as_scores(scores), "nested", metric, targets, by, dev)
    return table.drop(columns=["score_std", "score_sem"])


def naive_best(
    scores: Scores | pd.DataFrame,
    metric: str = "r2_corr",
    targets: pd.DataFrame | None = None,
    by: list[str] | None = None,
) -> pd.DataFrame:
    """Take the layer with the highest median over the test splits (the lowest of equals) and report that very median.

    Optimistic, as the highest of several noisy numbers. Parameters and result as `published_choice`, without
    `score_std` and `score_sem`.
    """
    table = _by_rule(as_scores(scores), "naive", metric, targets, by)
    return table.drop(columns=["score_std", "score_sem"])


def layer_shares(
    scores: Scores | pd.DataFrame,
    targets: pd.DataFrame | None = None,
    by: list[str] | None = None,
    dev: str = "r2_dev",
) -> pd.DataFrame:
    """Count how often `nested_choice` takes each layer, over splits and the targets of a group.

    Returns
    -------
    DataFrame
        `features`, `estimator`, `target` or the columns of `by`, `layer`, `layer_name`, `n_chosen`, `share`.
    """
    scores = as_scores(scores)
    labels, members = _groups(scores.targets, targets, by)
    tables = []
    for one in scores.models:
        n_layers = len(one.layers)
        chosen = choose(scores, one, [dev], ["nested"], dev)[dev, "nested"]
        counts = _counts(chosen.position, n_layers, members).T.ravel()  # layers inside groups
        rows = labels.loc[labels.index.repeat(n_layers)].reset_index(drop=True)
        table = _headed(rows, features=one.features, estimator=one.estimator)
        table["layer"] = np.tile(one.layers, len(labels))
        table["layer_name"] = np.tile(one.layer_names, len(labels))
        table["n_chosen"] = counts
        total = counts.reshape(-1, n_layers).sum(axis=1).repeat(n_layers)
        table["share"] = np.divide(counts, total, out=np.full(len(counts), np.nan), where=total > 0)
        tables.append(table)
    return pd.concat(tables, ignore_index=True)


def optimism(
    scores: Scores | pd.DataFrame,
    metric: str = "r2_corr",
    targets: pd.DataFrame | None = None,
    by: list[str] | None = None,
    exclude: dict[str, list[int]] | None = None,
    dev: str = "r2_dev",
) -> pd.DataFrame:
    """Scores by all three choices side by side, and the gap naive - nested; meant for `layer_choice.tsv`.

    Parameters
    ----------
    scores, metric, targets, by, dev
        As in `published_choice` and `nested_choice`.
    exclude : dict of str to list of int, optional
        By feature set, the layers that a second row leaves out, such as a summed last layer (`summed_layers`). The
        halves are drawn as if these layers had never been there.

    Returns
    -------
    DataFrame
        `features`, `estimator`, `metric`, `target` or the columns of `by`; `layers` (`all`, or `without 9`),
        `n_layers`; `naive`, `published`, `published_sem`, `nested`; `gap`: naive - nested; `naive_layer`,
        `published_layer`, `nested_layer`: chosen most often; `n_targets`.

    Raises
    ------
    DataError
        Also where `exclude` names a feature set or a layer that is not there, or all layers.
    """
    return choices_beside(as_scores(scores), [metric], targets, [by], exclude, dev)


def choices_beside(
    scores: Scores,
    metrics: Sequence[str],
    targets: pd.DataFrame | None,
    groupings: Sequence[list[str] | None],
    exclude: dict[str, list[int]] | None = None,
    dev: str = "r2_dev",
) -> pd.DataFrame:
    """Make the rows of `optimism` for several metrics and groupings of the targets, and read the scores once for all.

    Parameters
    ----------
    scores, targets, exclude, dev
        As in `optimism`.
    metrics : sequence of str
    groupings : sequence
        Of values of `by`.

    Raises
    ------
    DataError
    """
    scores.need([*metrics, dev])
    grouped = [_groups(scores.targets, targets, by) for by in groupings]
    rows: dict[tuple[str, int], list[pd.DataFrame]] = {pair: [] for pair in product(metrics, range(len(groupings)))}
    for one, label in _candidates(scores.models, exclude or {}):
        choices = choose(scores, one, metrics, RULES, dev)
        for (metric, number), tables in rows.items():
            by_rule = {rule: _tabulate(one, metric, choices[metric, rule], *grouped[number]) for rule in RULES}
            tables.append(_side_by_side(**by_rule).assign(layers=label))
    # labels that a grouping has not are empty in its rows
    return pd.concat([_with_gap(pd.concat(tables, ignore_index=True)) for tables in rows.values()], ignore_index=True)


def _with_gap(table: pd.DataFrame) -> pd.DataFrame:
    """Add what the naive choice adds to the score, and put the columns in their order."""
    table["gap"] = table["naive"] - table["nested"]
    numbers = ["naive", "published", "published_sem", "nested", "gap"]
    end = ["layers", "n_layers", *numbers, "naive_layer", "published_layer", "nested_layer", "n_targets"]
    return table[[*table.columns.drop(end), *end]]


def _candidates(models: list[Model], exclude: dict[str, list[int]]) -> Iterator[tuple[Model, str]]:
    """Yield every model with all of its layers, then those without some, and what to call the layers."""
    yield from ((one, "all") for one in models)
    for features, out in exclude.items():
        own = [one for one in models if one.features == features]
        held = own[0].layers.tolist() if own else []
        if not set(out) < set(held):
            raise DataError(
                f"layers to leave out of {features!r}: {sorted(out)}; the scores have the layers {held} of it. Name "
                "some of these, not all."
            )
        if out:
            yield from ((one.without(out), f"without {', '.join(map(str, sorted(out)))}") for one in own)


def optimism_rows(layer_choice: pd.DataFrame, metric: str) -> pd.DataFrame:
    """Return the rows of layer_choice.tsv that say what the choice of a layer adds to a score: one metric, all layers.

    Of few targets one row per target, of many those of all targets together; feature sets with two layers or more.
    `gap` of these rows, and its mean by estimator, is the optimism that page and figures speak of.
    """
    own = (layer_choice["metric"] == metric) & (layer_choice["layers"] == "all") & (layer_choice["n_layers"] > 1)
    rows = layer_choice[own]
    if "target" in rows and rows["target"].notna().any():
        rows = rows[rows["target"].notna()]
    else:
        labels = [column for column in ("subject", "roi") if column in rows]
        rows = rows[rows[labels].isna().all(axis=1)]
    return rows.dropna(subset=["gap"])


def summed_layers(models: Sequence[Model]) -> dict[str, list[int]]:
    """Find by feature set the layers that are a sum of two branches: their names end in `+norm(x1)`."""
    summed = {}
    for one in models:
        own = [layer for layer, name in zip(one.layers, one.layer_names, strict=True) if name.endswith("+norm(x1)")]
        if own:
            summed[one.features] = sorted(map(int, own))
    return summed


def _groups(
    names: np.ndarray, targets: pd.DataFrame | None, by: list[str] | None
) -> tuple[pd.DataFrame, list[np.ndarray] | None]:
    """Return the labels of the groups, one row each, and their members; None where every target is its own group."""
    if by is None:
        return pd.DataFrame({"target": names}), None
    groups = group_targets(names, targets, by)
    return pd.DataFrame([labels for labels, _ in groups], index=range(len(groups))), [own for _, own in groups]


def _counts(position: np.ndarray, n_layers: int, members: list[np.ndarray] | None) -> np.ndarray:
    """Count the choices [choice, target] of every layer: [layer, group]."""
    counts = np.stack([(position == number).sum(axis=0) for number in range(1, n_layers + 1)])
    return counts if members is None else np.column_stack([counts[:, own].sum(axis=1) for own in members])


def _median_over_targets(values: np.ndarray, members: list[np.ndarray] | None) -> np.ndarray:
    """Turn [repeat, target] into [repeat, group]."""
    return values if members is None else np.column_stack([known_median(values[:, own].T) for own in members])


def _headed(labels: pd.DataFrame, **head: str) -> pd.DataFrame:
    """Put columns of one value each before the labels."""
    return pd.concat([pd.DataFrame(head, index=labels.index), labels], axis=1)


def _by_rule(
    scores: Scores,
    rule: str,
    metric: str,
    targets: pd.DataFrame | None,
    by: list[str] | None,
    dev: str = "r2_dev",
) -> pd.DataFrame:
    """Apply a rule to every feature set and estimator and summarise its choices by group of targets."""
    groups = _groups(scores.targets, targets, by)
    choices = ((one, choose(scores, one, [metric], [rule], dev)[metric, rule]) for one in scores.models)
    return pd.concat([_tabulate(one, metric, choice, *groups) for one, choice in choices], ignore_index=True)


def _tabulate(
    one: Model, metric: str, choice: Choice, labels: pd.DataFrame, members: list[np.ndarray] | None
) -> pd.DataFrame:
    """Summarise the choices of one model by group of targets."""
    n_layers = len(one.layers)
    score = _median_over_targets(choice.score, members)  # [repeats, groups]
    pos = _median_over_targets(np.where(choice.position > 0, choice.position, np.nan), members)
    counts = _counts(choice.position, n_layers, members)  # [layers, groups]
    most, total = counts.argmax(axis=0), counts.sum(axis=0)
    chosen = total > 0
    spread = score.std(axis=0, ddof=1) if len(score) > 1 else np.full(score.shape[1], np.nan)
    some = (choice.position > 0).any(axis=0)
    columns = {
        "score": score.mean(axis=0),
        "score_std": spread,
        "score_sem": spread / np.sqrt(len(score)),
        "pos": pos.mean(axis=0),
        "rel_pos": (pos.mean(axis=0) - 1) / (n_layers - 1) if n_layers > 1 else np.nan,
        # nullable integers: without a choice the cell is empty, and the others are not written as 3.0
        "layer": pd.Series(one.layers[most], dtype="Int64").where(chosen),
        "layer_name": np.where(chosen, one.layer_names[most], np.array(None)),
        "layer_share": np.divide(counts.max(axis=0), total, out=np.full(len(total), np.nan), where=chosen),
        "n_layers": n_layers,
        "n_targets": some.astype(int) if members is None else [int(some[own].sum()) for own in members],
    }
    head = _headed(labels, features=one.features, estimator=one.estimator, metric=metric)
    return pd.concat([head, pd.DataFrame(columns)], axis=1)


def _side_by_side(naive: pd.DataFrame, published: pd.DataFrame, nested: pd.DataFrame) -> pd.DataFrame:
    table = naive[naive.columns[: list(naive.columns).index("score")]].copy()
    for name, choice in (("naive", naive), ("published", published), ("nested", nested)):
        table[name], table[f"{name}_layer"] = choice["score"], choice["layer"]
    return table.assign(published_sem=published["score_sem"], n_layers=naive["n_layers"], n_targets=naive["n_targets"])
