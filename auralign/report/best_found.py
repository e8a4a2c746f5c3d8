"""What predicts the targets best, in sentences: every number in them is computed from the tables of the results."""

import pandas as pd

from ..runs.results import Results
from ..scoring.metrics import MEANING
from ..wording import counted, listed
from .findings import Finding, Group
from .recovery import EXPECTED, recovery
from .split_scores import Best, SplitScores
from .wording import interval, p_value, percent, score, signed

# by `features`, `estimator` and `layers` the rows of layer_choice.tsv that are of all layers
ALL_LAYERS = "all"


def recovered(results: Results) -> Group | None:
    """Say of synthetic responses which were recovered: one finding per verdict."""
    table = results.once(recovery)
    if table is None:
        return None
    findings = []
    for (expected, word), rows in table.groupby(["expected", table["verdict"].map(_short)], sort=False):
        reached = listed([f"{row.target} {score(row.reached)} of {score(row.ceiling)}" for row in rows.itertuples()], 8)
        text = f"{counted(len(rows), 'response')} of {len(table)}, expected to be {EXPECTED[expected]}: {reached}."
        findings.append(Finding(word, text))
    note = "r2_corr reached by the best feature set and estimator, of the known ceiling, which is not free of noise."
    return Group("What was put in, and what was found", findings, "scores.parquet", note)


def _short(verdict: str) -> str:
    """Drop from a verdict the share, which differs between targets."""
    return verdict.split(" (")[0].capitalize() + (", as expected" if verdict.endswith("), as expected") else "")


def best_predictions(splits: SplitScores) -> Group:
    """Say what predicts each target best, or of many targets how well each feature set does over all of them."""
    metric, level = splits.metric, percent(splits.level)
    note = (
        f"{metric} is {MEANING[metric]}; means over {splits.n_splits} splits, at the layers that the development "
        f"stimuli choose. Intervals are {level} intervals of the mean over splits, corrected for splits sharing "
        "stimuli: they say how far other stimuli could move a score, not other subjects, and are not adjusted for the "
        "number of comparisons. A difference with an adjusted p was among the tests; of the others only the interval "
        "is known."
    )
    if splits.many:
        source = "scores.parquet and layer_choice.tsv"
        return Group("Prediction over all targets", _over_many_targets(splits), source, note)
    best = splits.by_target()
    targets = [target for target in dict.fromkeys(one.target for one in best) if target is not None]
    findings = [Finding(target, _best_of([one for one in best if one.target == target], splits)) for target in targets]
    return Group("What predicts each target best", findings, "scores.parquet and comparisons.tsv", note)


def place(one: Best) -> str:
    """Name where a score was reached: `untrained (most often layer 9, encoder09, of 10; ridge)`."""
    if one.n_layers == 1:
        return f"{one.features} ({one.estimator})"
    return f"{one.features} (most often layer {one.layer}, {one.layer_name}, of {one.n_layers}; {one.estimator})"


def best_first(rows: list[Best]) -> list[Best]:
    """Order scores from the highest down, unknown ones last."""
    return sorted((one for one in rows if one.score == one.score), key=lambda one: -one.score) or rows[:1]


def _best_of(rows: list[Best], splits: SplitScores) -> str:
    """Compare the best feature set of one target with the next one, of the same estimator."""
    rows = best_first(rows)
    first = rows[0]
    reached = f"{splits.metric} {score(first.score)} (interval {interval(first.low, first.high)})"
    if not first.above_chance:
        without = f"without any relation r2_corr {score(splits.chance)} is to be expected"
        return (
            f"not clearly above chance in any feature set. The highest score is that of {place(first)}: {reached}"
            f"{'' if splits.metric == 'r2' else f'; {without}'}."
        )
    text = f"best predicted by {place(first)}: {reached}{_of_ceiling(first, splits)}."
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


def _of_ceiling(one: Best, splits: SplitScores) -> str:
    """Set a score that is not corrected for noise against the noise ceiling of its target, where there is one."""
    targets = splits.results.targets
    if splits.metric != "r2_corr" or "noise_ceiling" not in targets:
        return ""
    ceiling = float(targets.loc[targets["target"] == one.target, "noise_ceiling"].iloc[0])
    return f", {percent(one.score / ceiling)} of the noise ceiling of {score(ceiling)}" if ceiling > 0 else ""


def _lead(first: Best, second: Best, splits: SplitScores) -> str:
    """Say whether the difference of two scores is significant: by its test where there is one, else by its interval."""
    mean, low, high = splits.difference(first, second)
    text = f"the mean difference is {signed(mean)} (interval {interval(low, high, signed)})"
    tested = _tested(splits.results.comparisons, first, second, splits.metric)
    if tested is not None:
        word = "significant" if tested["significant"] else "not significant"
        return f"{text}: {word} (adjusted p {p_value(tested['p_fdr'])})."
    return f"{text}: the interval {'includes' if low <= 0.0 <= high else 'excludes'} 0."


def _tested(comparisons: pd.DataFrame, first: Best, second: Best, metric: str) -> dict | None:
    """Find the test of two scores at nested layers, whichever is its side a; of a single layer there is no choice."""
    for a, b in ((first, second), (second, first)):
        same = (comparisons["metric"] == metric) & (comparisons["target"] == first.target)
        for side, one in (("a", a), ("b", b)):
            for key in ("features", "estimator"):
                same &= comparisons[f"{side}_{key}"] == getattr(one, key)
            if one.n_layers > 1:  # the tests of earlier versions are at best or given layers
                choice = f"{side}_layer_choice"
                same &= comparisons[choice] == "nested" if choice in comparisons else False
        if same.any():
            row = comparisons[same].iloc[0]
            return {"significant": bool(row["significant"]), "p_fdr": float(row["p_fdr"])}
    return None


def _over_many_targets(splits: SplitScores) -> list[Finding]:
    results, rows = splits.results, best_first(splits.overall())
    n_targets = counted(results.n_targets, "target")
    if splits.over_people:
        what = f"mean over {counted(splits.n_subjects, 'subject')} of each one's median over targets; interval between"
        what += " subjects"
    else:
        what = f"median over {n_targets} in every split, mean over splits; interval"
    findings = []
    for one in rows:
        layer = f", most often at layer {one.layer} ({one.layer_name}, of {one.n_layers})" if one.n_layers > 1 else ""
        above = splits.share_above_chance(one.features, one.estimator)
        text = (
            f"with {one.estimator}{layer}, {splits.metric} {score(one.score)} ({what} {interval(one.low, one.high)}). "
            f"{percent(above)} of {n_targets} are predicted above chance ({_chance(splits)})."
        )
        findings.append(Finding(one.features, text + _subjects_one_by_one(splits, one) + _over_regions(splits, one)))
    second = _rival(rows[0], rows, results)
    if second is not None:
        names = f"{rows[0].features} and {second.features}"
        findings.append(Finding("First and second", f"{names}: {_lead(rows[0], second, splits)}"))
    return findings


def _chance(splits: SplitScores) -> str:
    if splits.metric == "r2":
        return "the interval of r2 lies above 0"
    return f"the interval of r2_corr lies above {score(splits.chance)}"


def _subjects_one_by_one(splits: SplitScores, one: Best) -> str:
    """Name the scores of few subjects, of which there is no mean."""
    if not splits.n_subjects or splits.over_people:
        return ""
    words = [f"{subject} {score(value)}" for subject, value in splits.subjects_of(one).items()]
    return f" Subject by subject: {listed(words)}."


def _over_regions(splits: SplitScores, one: Best) -> str:
    """Name the regions with the highest and the lowest score, from layer_choice.tsv."""
    table = splits.results.get("layer_choice")
    if table is None or "roi" not in table:
        return ""
    same = (table["features"] == one.features) & (table["estimator"] == one.estimator)
    same &= (table["metric"] == splits.metric) & (table["layers"] == ALL_LAYERS) & table["roi"].notna()
    rows = table[same].dropna(subset="nested")
    if len(rows) < 2:
        return ""
    high, low = rows.loc[rows["nested"].idxmax()], rows.loc[rows["nested"].idxmin()]
    return (
        f" Of {counted(len(rows), 'region')} it is highest in {high['roi']} ({score(high['nested'])}) and lowest in "
        f"{low['roi']} ({score(low['nested'])}; medians over targets and splits)."
    )
