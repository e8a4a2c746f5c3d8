"""Hypotheses as named comparisons: what each says, how it is tested, and by which rule it is supported."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd

from ..inference.resampling import paired_bootstrap
from ..inference.statistics import Sizes, benjamini_hochberg, corrected_interval, corrected_ttest, standardised_effect
from ..scoring.metrics import primary_metric
from .hypothesis_options import (
    BestOverall,
    DepthByRegion,
    DomainMatch,
    Hypothesis,
    check_hypotheses,
    inside,
    region_groups,
)
from .nested_layers import DEV, chosen_positions, nested_scores, read_chosen
from .score_arrays import Scores, as_scores, split_sizes

OVERALL = "(all targets)"
# the verdict of a row on which no hypothesis rests
DESCRIPTIVE = "descriptive"
OVER_SPLITS = "corrected resampled t-test over splits"
OVER_SUBJECTS = "paired bootstrap over subjects"
RESULT = ["test", "estimate", "low", "high", "effect", "n", "p"]
COLUMNS = ["hypothesis", "statement", "decides", "target", "a", "b", "estimator", "metric", *RESULT, "p_fdr", "verdict"]


def _metric(hypothesis: DomainMatch | BestOverall, scores: Scores) -> str:
    """Return the metric of a hypothesis, by default the primary one of the scores."""
    return hypothesis.metric or primary_metric("auto", "r2_corr_c2" in scores.metrics)


def _over_splits(difference: np.ndarray, sizes: tuple[Sizes, Sizes], level: float) -> dict:
    """Test one difference, [n_splits], over splits of the given sizes; returns the columns `RESULT`."""
    column = difference[:, None]
    (low,), (high,) = corrected_interval(column, *sizes, level)
    (effect,), (p,) = standardised_effect(column, *sizes), corrected_ttest(column, *sizes)[2]
    return dict(zip(RESULT, (OVER_SPLITS, column.mean(), low, high, effect, len(column), p), strict=True))


def _over_subjects(a: pd.Series, b: pd.Series, level: float) -> dict:
    """Test two series indexed by subject, where both are known; returns the columns `RESULT`."""
    pairs = pd.DataFrame({"a": a, "b": b}).dropna()
    if pairs.empty:
        return dict(zip(RESULT, (OVER_SUBJECTS, np.nan, -np.inf, np.inf, np.nan, 0, 1.0), strict=True))
    result = paired_bootstrap(pairs["a"].to_numpy(), pairs["b"].to_numpy(), level=level)
    numbers = (float(x) for x in (result.difference, result.low, result.high, result.effect))
    return dict(zip(RESULT, (OVER_SUBJECTS, *numbers, result.n_subjects, float(result.p)), strict=True))


def _depth_by_region(
    scores: Scores, targets: pd.DataFrame, hypothesis: DepthByRegion, estimator: str, level: float
) -> list[dict]:
    """Relative depth (0 first layer, 1 last): per voxel the mean over splits, per subject and region the median.

    A split in which no layer predicts a voxel's development responses (`r2_dev` of 0 or less) has no best layer.
    """
    model = scores.model(hypothesis.features, estimator)
    position = chosen_positions(scores, model)
    predicted = read_chosen(scores, model, position, [DEV])[DEV] > 0
    counts = predicted.sum(axis=0)
    total = np.where(predicted, position / (len(model.layers) - 1), 0.0).sum(axis=0)
    mean = np.divide(total, counts, out=np.full(len(counts), np.nan), where=counts > 0)
    voxels = targets.assign(depth=pd.Series(mean, index=scores.targets))
    rows = []
    for number, regions in enumerate(region_groups(hypothesis)):
        a, b = (
            inside(voxels, hypothesis, part).groupby(hypothesis.subject)["depth"].median()
            for part in (regions, hypothesis.primary)
        )
        deeper, shallower = ", ".join(regions), ", ".join(hypothesis.primary)
        rows.append(
            {
                "statement": f"the best layer of {hypothesis.features} lies deeper in {deeper} than in {shallower}",
                "decides": number == 0,
                "target": OVERALL,
                "a": deeper,
                "b": shallower,
                "metric": "relative depth",
                **_over_subjects(a, b, level),
            }
        )
    return rows


def _domain_match(
    scores: Scores, targets: pd.DataFrame, hypothesis: DomainMatch, estimator: str, level: float
) -> list[dict]:
    rows, metric, sizes = [], _metric(hypothesis, scores), split_sizes(scores)
    names = {*hypothesis.of.values(), *hypothesis.against}
    read = {name: nested_scores(scores, name, estimator, metric, list(hypothesis.of)) for name in names}
    for target, own in hypothesis.of.items():
        for rival in hypothesis.against:
            if rival != own:
                difference = (read[own][target] - read[rival][target]).to_numpy()
                rows.append(_row(own, rival, target, metric, _over_splits(difference, sizes, level)))
    return rows


def _best_overall(
    scores: Scores, targets: pd.DataFrame, hypothesis: BestOverall, estimator: str, level: float
) -> list[dict]:
    """Over splits: the mean over targets with a score in every split, then each target.

    Over subjects: medians over splits, then over targets.
    """
    rows, metric, sizes = [], _metric(hypothesis, scores), split_sizes(scores)
    a = nested_scores(scores, hypothesis.features, estimator, metric)
    for rival in hypothesis.against:
        b = nested_scores(scores, rival, estimator, metric)
        if hypothesis.over == "subjects":
            pairs = pd.DataFrame({"a": a.median(), "b": b.median()}).dropna()
            pairs = pairs.groupby(targets.loc[pairs.index, hypothesis.subject]).median()
            rows.append(
                _row(hypothesis.features, rival, OVERALL, metric, _over_subjects(pairs["a"], pairs["b"], level))
            )
            continue
        difference = a - b
        # targets that lack a score in some split would make the mean one of other targets there
        overall = difference.dropna(axis=1).mean(axis=1)
        for target, column in ((OVERALL, overall), *difference.items()):
            result = _over_splits(column.to_numpy(), sizes, level)
            rows.append(_row(hypothesis.features, rival, target, metric, result, decides=target == OVERALL))
    return rows


def _row(a: str, b: str, target: str, metric: str, result: dict, decides: bool = True) -> dict:
    statement = f"{a} predicts {target} better than {b}"
    return {"statement": statement, "decides": decides, "target": target, "a": a, "b": b, "metric": metric, **result}


TESTS: dict[str, Callable[..., list[dict[str, Any]]]] = {
    "depth_by_region": _depth_by_region,
    "domain_match": _domain_match,
    "best_overall": _best_overall,
}


def run_hypotheses(
    scores: Scores | pd.DataFrame, targets: pd.DataFrame, hypotheses: list[Hypothesis], fdr: float = 0.05
) -> pd.DataFrame:
    """Test every hypothesis at the layers that the development stimuli choose.

    Parameters
    ----------
    scores : Scores, or DataFrame
        One row per features x layer x target x estimator x split, with `r2_dev`.
    targets : DataFrame
        Index target; columns are what is known of each.
    hypotheses : list of DepthByRegion, DomainMatch or BestOverall
    fdr : float
        Level of the Benjamini-Hochberg procedure over the rows on which one hypothesis rests; intervals have the level
        1 - fdr.

    Returns
    -------
    DataFrame
        Columns `COLUMNS`. `estimate` is a - b with its interval `low`, `high` and the standardised `effect`; `n` counts
        splits or subjects. `decides`: whether the hypothesis rests on the row (`verdicts`). Of such rows `verdict` is
        supported (p_fdr <= fdr, estimate > 0), contradicted (p_fdr <= fdr, estimate < 0) or undecided. The others
        describe: they have an interval and p, but neither `p_fdr` nor a verdict of their own ("descriptive"), so that
        how many there are, and what they say, changes no verdict.

    Raises
    ------
    ConfigError, DataError
    """
    scores = as_scores(scores)
    layers = {str(one.features): list(one.layers) for one in scores.models}
    estimators = list(dict.fromkeys(str(one.estimator) for one in scores.models))
    check_hypotheses(hypotheses, layers, estimators, targets)
    tables = []
    for hypothesis in hypotheses:
        estimator = hypothesis.estimator or estimators[0]
        rows = TESTS[hypothesis.kind](scores, targets, hypothesis, estimator, 1.0 - fdr)
        table = pd.DataFrame(rows).assign(hypothesis=hypothesis.name, estimator=estimator)
        decides = table["decides"].to_numpy(dtype=bool)
        # what does not decide is no member of the family of tests, and is missing from it
        table["p_fdr"] = benjamini_hochberg(np.where(decides, table["p"], np.nan))
        found = table["p_fdr"] <= fdr
        table["verdict"] = np.select(
            [~decides, found & (table["estimate"] > 0), found & (table["estimate"] < 0)],
            [DESCRIPTIVE, "supported", "contradicted"],
            "undecided",
        )
        tables.append(table[COLUMNS])
    return pd.concat(tables, ignore_index=True) if tables else pd.DataFrame(columns=COLUMNS)


def verdicts(table: pd.DataFrame) -> pd.DataFrame:
    """One verdict per hypothesis, from the rows on which it rests.

    Supported: every such row is. Contradicted: some row is. Undecided otherwise.

    Parameters
    ----------
    table : DataFrame
        From `run_hypotheses`.

    Returns
    -------
    DataFrame
        Columns hypothesis, verdict, and the numbers of rows: supported, contradicted, undecided.
    """
    rows = []
    for name, group in table[table["decides"].astype(bool)].groupby("hypothesis", sort=False):
        counts = {word: int((group["verdict"] == word).sum()) for word in ("supported", "contradicted", "undecided")}
        verdict = "contradicted" if counts["contradicted"] else "undecided" if counts["undecided"] else "supported"
        rows.append({"hypothesis": name, "verdict": verdict, **counts})
    return pd.DataFrame(rows, columns=["hypothesis", "verdict", "supported", "contradicted", "undecided"])
