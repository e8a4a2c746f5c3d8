"""Which tables a page shows, in which order, and how each is shortened."""

import pandas as pd

from ..analysis.standing import FEWEST_SUBJECTS, MANY_TARGETS
from ..figures.layer_axis import LayerAxis
from ..runs.results import Results
from .layers_shown import with_depth
from .recovery import recovery
from .shown import Shown, show
from .split_scores import Best, SplitScores

SET_AND_TARGET = ["features", "estimator", "target"]
BEST = [
    *("target", "features", "estimator", "score", "low", "high", "median"),
    *("layer", "layer_name", "layer_share", "n_layers"),
]
ALL_TARGETS = "all targets"


def tables_of(results: Results, splits: SplitScores) -> list[Shown]:
    """Show every table of a results folder that can be read by people.

    Parameters
    ----------
    results : Results
    splits : SplitScores
        Of the same results.

    Returns
    -------
    list of Shown
        The headline first; units that sparse models selected are left to selected.parquet.
    """
    shown = [_headline(results, splits), _recovery(results), *_summary(results), *_layers(results)]
    shown += [_comparisons(results), *_rest(results)]
    return [table for table in shown if table is not None and table.rows]


def best_table(best: list[Best]) -> pd.DataFrame:
    """Tabulate scores at nested layers with their intervals."""
    return pd.DataFrame([{key: getattr(one, key) for key in BEST} for one in best])


def _headline(results: Results, splits: SplitScores) -> Shown:
    rows = splits.by_target()
    if len({one.target for one in rows}) != 1:
        rows += splits.overall()
    table = best_table(rows)
    choices = results.get("layer_choice")
    if choices is not None and "target" in choices and not splits.many:
        own = choices[(choices["metric"] == splits.metric) & (choices["layers"] == "all")]
        table = table.merge(own[[*SET_AND_TARGET, "naive", "gap"]], on=SET_AND_TARGET, how="left")
    several = results.n_targets > 1
    together = "all targets: " + ("median" if splits.many else "mean") + " over targets in every split"
    if splits.over_people:
        together = f"all targets: mean over {splits.n_subjects} subjects and its interval between subjects"
    note = (
        f"{splits.metric} at the layers that each split's development stimuli choose; layer is the one chosen most "
        "often. score is the mean over splits, low to high its corrected interval, median the median over splits."
    )
    table["target"] = table["target"].fillna(ALL_TARGETS)
    note += f" {together[0].upper()}{together[1:]}." if several else ""
    table = with_depth(table, LayerAxis.of(results.layer_names))
    return show(table, "best_layers", "Scores behind the headline", "scores.parquet", note, expanded=True)


def _recovery(results: Results) -> Shown | None:
    table = results.once(recovery)
    if table is None:
        return None
    note = (
        "The ceiling is the squared correlation between the noise-free response and the response with its noise: no "
        "prediction can do better, but for chance on finitely many test stimuli. “Expected” says what an acoustic "
        "feature set can find of a response that is made that way."
    )
    ends = ("share", ["driven_by"] if "driven_by" in table else [])
    return show(table, "recovery", "What was recovered of the responses", "summary.tsv", note, ends, expanded=True)


def _summary(results: Results) -> list[Shown]:
    """All rows where they are few; else each target at its best layer, the highest and lowest of them."""
    summary, layers = results.summary, LayerAxis.of(results.layer_names)
    if results.n_targets <= MANY_TARGETS:
        note = "One row per feature set, layer, target and estimator."
        ends = (f"{results.metric}_median", ["features", "estimator"])
        return [show(with_depth(summary, layers), "summary", "All scores", "summary.tsv", note, ends)]
    groups = ["features", "estimator", "target"]
    median = f"{results.metric}_median"
    best = with_depth(summary.loc[summary.groupby(groups, sort=False)[median].idxmax().dropna()], layers)
    note = "Each target at the layer that is best on the test stimuli, which flatters sets with many layers."
    ends = (median, ["features", "estimator"])
    shown = show(best, "targets", "Targets", "summary.tsv", note, ends)
    return [shown]


def _layers(results: Results) -> list[Shown]:
    by_layer = ("score", ["features", "estimator", "metric"])
    by_region = ("score", [*by_layer[1], "region"])
    shown, layers = [], LayerAxis.of(results.layer_names)
    for key, title, note, ends in (
        ("layers", "Layers", "Over all targets, one row per feature set, estimator, layer and score.", by_layer),
        ("regions", "Regions", "The same inside each region.", by_region),
        (
            "layer_choice",
            "Three ways to choose a layer",
            "The score at the layer chosen on the reported scores (naive), as published, and inside the development "
            "stimuli (nested). Of many targets: the median over targets, each at its own layer; rows without subject "
            "and roi are of all targets.",
            ("gap", ["features", "estimator", "metric"]),
        ),
    ):
        table = results.get(key)
        if table is not None:
            if "n_subjects" in table:  # an error over two people says nothing
                errors = [column for column in table if column.startswith("sem")]
                table = table.copy()
                table[errors] = table[errors].where(table["n_subjects"] >= FEWEST_SUBJECTS)
            shown.append(show(with_depth(table, layers), key, title, f"{key}.tsv", note, ends))
    return shown


def _comparisons(results: Results) -> Shown:
    columns = ["test", "metric", "a", "b", "target", "a_mean", "b_mean", "difference", "low", "high", "effect", "t"]
    table = results.comparisons
    table = table[[c for c in [*columns, "df", "p", "p_fdr", "significant"] if c in table]]
    if len(table):
        table = table.assign(significant=table["significant"].astype(bool))
    note = "Every pair of every test. low to high is the interval of the difference."
    return show(table, "comparisons", "Tests", "comparisons.tsv", note, ("difference", ["test"]))


def _rest(results: Results) -> list[Shown]:
    shown, layers = [], LayerAxis.of(results.layer_names)
    for key, title, ends in (
        ("hypotheses", "Hypotheses", ("estimate", ["hypothesis"])),
        ("unique_variance", "Unique variance", ("unique", ["features", "without", "estimator"])),
        ("above_chance", "Better than permuted stimuli?", ("score", ["features", "estimator"])),
        ("selection", "Agreement of selected units", ("kuncheva", ["across", "features", "estimator"])),
    ):
        table = results.get(key)
        if table is None or table.empty:
            continue
        for flag in ("significant", "decides"):
            if flag in table:
                table = table.assign(**{flag: table[flag].astype(bool)})
        shown.append(show(with_depth(table, layers), key, title, f"{key}.tsv", "", ends))
    return shown
