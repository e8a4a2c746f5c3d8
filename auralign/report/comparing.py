"""Several results side by side: what differs in their settings, and what each reaches for the targets they share."""

from dataclasses import dataclass
from itertools import pairwise

import pandas as pd

from ..runs.results import Results
from ..wording import counted, listed
from .best_found import best_first, place
from .findings import Finding
from .shown import Shown, show
from .sources import without_folders
from .split_scores import Best, SplitScores
from .tables_shown import best_table
from .wording import interval, percent, score, signed


@dataclass(frozen=True)
class Comparison:
    """What is said of several results together.

    Attributes
    ----------
    intro : str
    findings : list of Finding
    tables : list of Shown
    """

    intro: str
    findings: list[Finding]
    tables: list[Shown]


def compare_results(results: list[Results], splits: list[SplitScores], labels: list[str]) -> Comparison:
    """Lay several results side by side.

    Differences are paired over splits, with the corrected interval, where stimuli and splits are the same; otherwise
    only the scores are shown.

    Parameters
    ----------
    results : list of Results
    splits : list of SplitScores
    labels : list of str
        What the page calls each result.
    """
    alike = all(a.metric == b.metric for a, b in pairwise(results))
    paired = alike and all(_stimuli_and_splits(a) == _stimuli_and_splits(b) for a, b in pairwise(results))
    shared = _shared_targets(splits)
    best = [{one.target: one for one in _best_of_targets(own)} for own in splits]
    intro = f"{len(results)} results: {listed(labels)}. "
    if not shared:
        intro += "They share no targets, so that their scores say nothing about each other."
    elif paired:
        intro += (
            "They have the same stimuli and splits, so that differences are paired over splits (interval of level "
            f"{percent(splits[0].level)}, corrected for splits sharing stimuli). Scores are {splits[0].metric}, means "
            "over splits, at layers chosen inside the development stimuli; each target is taken with the best feature "
            "set and estimator of each result, a choice on these same scores."
        )
    elif not alike:
        metrics = listed([f"{label}: {own.metric}" for label, own in zip(labels, results, strict=True)])
        intro += (
            f"They are read by different metrics ({metrics}), so that their scores cannot be set against each other. "
            "Give both the same `metric`."
        )
    else:
        intro += (
            "Their stimuli or splits differ, so that differences between scores are not paired and have no interval."
        )
    findings = [_finding(target, [own[target] for own in best], splits, labels, paired) for target in shared]
    tables = [_scores(best, shared, labels), _settings(results, labels)]
    return Comparison(intro, findings, [table for table in tables if table.rows])


def _stimuli_and_splits(results: Results) -> tuple:
    return results.provenance["stimuli"], results.provenance["splits"]


def _shared_targets(splits: list[SplitScores]) -> list[str | None]:
    """Return the targets of all results; only [None], all targets together, where they are many and the same."""
    names = [list(dict.fromkeys(one.results.summary["target"])) for one in splits]
    if any(one.many for one in splits):
        return [None] if all(set(own) == set(names[0]) for own in names) else []
    return [name for name in names[0] if all(name in own for own in names)]


def _best_of_targets(splits: SplitScores) -> list[Best]:
    """Return for each target the best feature set and estimator."""
    found: dict[str | None, Best] = {}
    for one in best_first(splits.overall() if splits.many else splits.by_target()):
        if one.target not in found or one.score > found[one.target].score:
            found[one.target] = one
    return list(found.values())


def _finding(
    target: str | None, best: list[Best], splits: list[SplitScores], labels: list[str], paired: bool
) -> Finding:
    order = sorted(range(len(best)), key=lambda number: -best[number].score)
    reached = "; ".join(f"{labels[number]}: {score(best[number].score)} by {place(best[number])}" for number in order)
    text = f"{reached}."
    first, second = order[:2]
    if paired:
        a, b = (splits[n].of(best[n].features, best[n].estimator, target) for n in (first, second))
        mean, low, high = splits[first].mean_interval(a - b)
        verdict = "the interval includes 0: not significant" if low <= 0.0 <= high else "the interval excludes 0"
        text += (
            f" Mean difference {labels[first]} minus {labels[second]}: {signed(mean)} "
            f"({interval(low, high, signed)}); {verdict}."
        )
    n_targets = splits[0].results.n_targets
    return Finding(target or f"Median of {counted(n_targets, 'target')}", text)


def _scores(best: list[dict[str | None, Best]], shared: list[str | None], labels: list[str]) -> Shown:
    tables = [
        best_table([own[target] for target in shared]).assign(result=label)
        for own, label in zip(best, labels, strict=True)
        if shared
    ]
    table = pd.concat(tables, ignore_index=True) if tables else pd.DataFrame({"target": []})
    if len(table):
        table = table[["target", "result", *table.columns.drop(["target", "result"])]]
        table["target"] = table["target"].fillna("median of all targets")
    return show(table, "side_by_side", "Best score of each result", note="By target.", expanded=True)


def _settings(results: list[Results], labels: list[str]) -> Shown:
    """Tabulate the settings that are not the same in all results."""
    flat = [_flat(without_folders(one.provenance["config"], None)) for one in results]
    keys = dict.fromkeys(key for one in flat for key in one)
    rows = [
        {"setting": key} | {label: one.get(key, "—") for label, one in zip(labels, flat, strict=True)}
        for key in keys
        if len({one.get(key, "—") for one in flat}) > 1
    ]
    return show(pd.DataFrame(rows, columns=["setting", *labels]), "settings", "Settings that differ", expanded=True)


def _flat(value: object, key: str = "") -> dict[str, str]:
    """Flatten nested mappings, and lists of them, to `a.b.0.c: text`."""
    if isinstance(value, list) and value and isinstance(value[0], dict):
        value = dict(enumerate(value))
    if isinstance(value, dict) and value:
        parts = [_flat(item, f"{key}.{name}" if key else str(name)) for name, item in value.items()]
        return {name: text for part in parts for name, text in part.items()}
    return {key: _short(value)}


def _short(value: object, most: int = 60) -> str:
    if value is None:
        return "none"
    if isinstance(value, list) and len(value) > 4 and all(isinstance(item, int | float) for item in value):
        return f"{len(value)} values from {min(value):.3g} to {max(value):.3g}"
    text = str(value)
    return text if len(text) <= most else f"{text[: most - 1]}…"
