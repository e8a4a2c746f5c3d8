"""What predicts the targets best, in sentences: every number in them is computed from the tables of the results."""

import pandas as pd

from ..figures.style import counted, listed
from ..results import Results
from .findings import Finding, Group
from .recovery import EXPECTED, recovery
from .split_scores import Best, SplitScores
from .wording import interval, p_value, percent, score, signed


def recovered(results: Results) -> Group | None:
    """Say of synthetic responses which were recovered: one finding per verdict."""
    table = recovery(results)
    if table is None:
        return None
    findings = []
    for (expected, word), rows in table.groupby(["expected", table["verdict"].map(_short)], sort=False):
        reached = listed([f"{row.target} {score(row.reached)} of {score(row.ceiling)}" for row in rows.itertuples()], 8)
        text = f"{counted(len(rows), 'response')} of {len(table)}, expected to be {EXPECTED[expected]}: {reached}."
        findings.append(Finding(word, text))
    note = "Score reached by the best feature set, layer and estimator, of the known ceiling."
    return Group("What was put in, and what was found", findings, "summary.tsv", note)


def _short(verdict: str) -> str:
    """Drop from a verdict the share, which differs between targets."""
    return verdict.split(" (")[0].capitalize() + (", as expected" if verdict.endswith("), as expected") else "")


def best_predictions(splits: SplitScores) -> Group:
    """Say what predicts each target best, or of many targets how well each feature set does over all of them."""
    best = splits.best_layers()
    level = percent(splits.level)
    note = (
        f"r2_corr is the squared correlation of prediction and response on the test stimuli. Intervals are {level} "
        f"intervals of the mean over {splits.n_splits} splits, corrected for splits sharing stimuli: they say how far "
        "other stimuli could move a score, not other subjects, and are not adjusted for the number of comparisons. A "
        "difference with an adjusted p was among the tests; of the others only the interval is known."
    )
    if splits.many:
        source = "summary.tsv, scores.parquet, layers.tsv and regions.tsv"
        return Group("Prediction over all targets", _over_many_targets(splits, best), source, note)
    targets = list(dict.fromkeys(one.target for one in best))
    findings = [Finding(target, _best_of([one for one in best if one.target == target], splits)) for target in targets]
    return Group("What predicts each target best", findings, "summary.tsv, scores.parquet and comparisons.tsv", note)


def place(one: Best) -> str:
    """Name where a score was reached: `untrained (layer 9, encoder09, the best of 10; ridge)`."""
    if one.n_layers == 1:
        return f"{one.features} ({one.estimator})"
    return f"{one.features} (layer {one.layer}, {one.layer_name}, the best of {one.n_layers}; {one.estimator})"


def _best_of(rows: list[Best], splits: SplitScores) -> str:
    """Compare the best feature set of one target with the next one, of the same estimator."""
    rows = sorted(rows, key=lambda one: -one.score)
    first = rows[0]
    reached = f"r2_corr {score(first.score)} (median of {splits.n_splits} splits; {_mean(first)})"
    if first.low <= splits.chance:
        return (
            f"not clearly above chance in any feature set. The highest score is that of {place(first)}: {reached}; "
            f"without any relation {score(splits.chance)} is to be expected."
        )
    text = f"best predicted by {place(first)}: {reached}{_corrected(first)}{_of_ceiling(first, splits.results)}."
    second = _rival(first, rows, splits.results)
    if second is None:
        return text
    return f"{text} Next is {place(second)} with {score(second.score)}; {_lead(first, second, splits)}"


def _rival(first: Best, rows: list[Best], results: Results) -> Best | None:
    """Find the next best feature set of the same estimator; joined sets are no rivals of their parts."""
    roles = results.roles
    rivals = [
        one
        for one in rows
        if one.features != first.features and one.estimator == first.estimator and roles[one.features] != "joined"
    ]
    return max(rivals, key=lambda one: one.score, default=None)


def _mean(one: Best) -> str:
    return f"mean {score(one.mean)}, interval {interval(one.low, one.high)}"


def _corrected(one: Best) -> str:
    return "" if one.corrected is None else f", {score(one.corrected)} when corrected for noise"


def _of_ceiling(one: Best, results: Results) -> str:
    """Set a score against the noise ceiling of its target, where responses are repeated."""
    targets = results.targets
    if "noise_ceiling" not in targets:
        return ""
    ceiling = float(targets.loc[targets["target"] == one.target, "noise_ceiling"].iloc[0])
    return f", {percent(one.score / ceiling)} of the noise ceiling of {score(ceiling)}" if ceiling > 0 else ""


def _lead(first: Best, second: Best, splits: SplitScores) -> str:
    """Say whether the difference of two scores is significant: by its test where there is one, else by its interval."""
    mean, low, high = splits.difference(first, second)
    text = f"the mean difference is {signed(mean)} (interval {interval(low, high, signed)})"
    tested = _tested(splits.results.comparisons, first, second)
    if tested is not None:
        word = "significant" if tested["significant"] else "not significant"
        return f"{text}: {word} (adjusted p {p_value(tested['p_fdr'])})."
    return f"{text}: the interval {'includes' if low <= 0.0 <= high else 'excludes'} 0."


def _tested(comparisons: pd.DataFrame, first: Best, second: Best) -> dict | None:
    """Find the test of r2_corr between two scores, whichever of them is its side a."""
    for a, b in ((first, second), (second, first)):
        same = (comparisons["metric"] == "r2_corr") & (comparisons["target"] == first.target)
        for side_of, one in (("a", a), ("b", b)):
            for key in ("features", "layer", "estimator"):
                same &= comparisons[f"{side_of}_{key}"] == getattr(one, key)
            if f"{side_of}_layer_choice" in comparisons:  # results of earlier versions have only given and best ones
                same &= comparisons[f"{side_of}_layer_choice"] != "nested"
        if same.any():
            row = comparisons[same].iloc[0]
            return {"significant": bool(row["significant"]), "p_fdr": float(row["p_fdr"])}
    return None


def _over_many_targets(splits: SplitScores, best: list[Best]) -> list[Finding]:
    results = splits.results
    n_targets = results.summary["target"].nunique()
    findings = []
    for one in sorted(best, key=lambda one: -one.score):
        share = splits.share_above_chance(one)
        where = f"at layer {one.layer} ({one.layer_name}, the best of {one.n_layers}), " if one.n_layers > 1 else ""
        text = (
            f"{where}with {one.estimator}, r2_corr {score(one.score)} (median over {counted(n_targets, 'target')} of "
            f"the median over {splits.n_splits} splits; median over targets split by split: {_mean(one)})"
            f"{_corrected(one)}. In {percent(share)} of the targets the interval lies above chance "
            f"({score(splits.chance)})."
        )
        text += _over_subjects(results, one) + _over_regions(results, one)
        findings.append(Finding(one.features, text))
    first = max(best, key=lambda one: one.score)
    second = _rival(first, best, results)
    if second is not None:
        names = f"{first.features} and {second.features}, each at its best layer"
        findings.append(Finding("First and second", f"{names}: {_lead(first, second, splits)}"))
    return findings


def _row(table: pd.DataFrame, one: Best) -> pd.DataFrame:
    same = (table["features"] == one.features) & (table["estimator"] == one.estimator) & (table["layer"] == one.layer)
    return table[same & (table["metric"] == "r2_corr")]


def _over_subjects(results: Results, one: Best) -> str:
    layers = results.get("layers")
    rows = pd.DataFrame() if layers is None else _row(layers, one)
    if rows.empty or rows["n_subjects"].iloc[0] < 2:
        return ""
    row = rows.iloc[0]
    return (
        f" The mean over {counted(int(row['n_subjects']), 'subject')} of their medians is {score(row['score'])} "
        f"(standard error between subjects {score(row['sem_between'])})."
    )


def _over_regions(results: Results, one: Best) -> str:
    regions = results.get("regions")
    rows = pd.DataFrame() if regions is None else _row(regions, one).dropna(subset="score")
    if len(rows) < 2:
        return ""
    high, low = rows.loc[rows["score"].idxmax()], rows.loc[rows["score"].idxmin()]
    return (
        f" Of {counted(len(rows), 'region')} it is highest in {high['region']} ({score(high['score'])}) and lowest in "
        f"{low['region']} ({score(low['score'])})."
    )
