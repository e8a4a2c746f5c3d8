"""The tables of encoding: from what each is made."""

from collections.abc import Callable
from functools import cache

import pandas as pd

from ...analysis.aggregate import by_region, by_subject
from ...analysis.hypotheses import run_hypotheses
from ...analysis.layer_choice import optimism, summed_layers
from ...analysis.paired_tests import run_tests
from ...analysis.selection import selection_consistency
from ...analysis.standing import MANY_TARGETS
from ...analysis.unique_variance import unique_variance
from ...estimators.registry import abilities
from ...inputs.study import Study
from ...inputs.usable_targets import count_repetitions
from ...scoring.metrics import METRICS
from .options import Encoding
from .summary import IDENTITY, summarise


def table_makers(
    options: Encoding,
    study: Study,
    targets: pd.DataFrame,
    scores: Callable[[], pd.DataFrame],
    selected: Callable[[], pd.DataFrame | None],
) -> dict[str, Callable[[], pd.DataFrame | None]]:
    """Say how every table of a comparison is made; each is made by itself, so that one that fails loses no other.

    Parameters
    ----------
    options : Encoding
    study : Study
    targets : DataFrame
        What is known of each target, with noise ceilings of repeated responses.
    scores : function that returns a DataFrame
        One row per features x layer x target x estimator x split.
    selected : function that returns a DataFrame or None
        Selected units of sparse estimators, one row per features x layer x target x estimator x split x unit.

    Returns
    -------
    dict of str to function
        By the keys of `TABLES`. None are made, where inputs or settings do not allow them, of `regions` (targets need a
        column `roi`), `unique_variance` (joined feature sets), `selected` and `selection` (sparse estimators),
        `hypotheses` (asked for), `dropped_targets` (targets were left out), `repetitions` (stimuli have unequal numbers
        of them). `above_chance` is made of blocks of its own (`chance_blocks`).
    """
    summary = cache(lambda: summarise(scores(), targets))
    subject = "subject" if "subject" in targets else None

    def metrics() -> list[str]:
        return [metric for metric in METRICS if metric in scores()]

    def layers() -> pd.DataFrame:
        parts = [by_subject(scores(), metric, targets, subject) for metric in metrics()]
        return pd.concat(parts, ignore_index=True)

    def regions() -> pd.DataFrame | None:
        if "roi" not in targets:
            return None
        parts = [by_region(scores(), metric, targets, "roi", subject) for metric in metrics()]
        return pd.concat(parts, ignore_index=True)

    def unique() -> pd.DataFrame | None:
        joins = {name: source.join for name, source in options.features.items() if source.join is not None}
        return unique_variance(scores(), joins, options.fdr) if joins else None

    def selection() -> pd.DataFrame | None:
        units = selected()
        return None if units is None else _selection(options, study, scores(), units, targets)

    def hypotheses() -> pd.DataFrame | None:
        if not options.hypotheses:
            return None
        return run_hypotheses(scores(), targets.set_index("target"), options.hypotheses, options.fdr)

    return {
        "scores": scores,
        "summary": summary,
        "comparisons": lambda: run_tests(scores(), summary(), options.tests, options.fdr),
        "layers": layers,
        "layer_choice": lambda: _layer_choice(scores(), metrics(), targets),
        "regions": regions,
        "unique_variance": unique,
        "selected": selected,
        "selection": selection,
        "hypotheses": hypotheses,
        "dropped_targets": lambda: study.dropped_targets,
        "repetitions": lambda: count_repetitions(study.targets),
    }


def _layer_choice(scores: pd.DataFrame, metrics: list[str], targets: pd.DataFrame) -> pd.DataFrame:
    """Lay the three choices of a layer side by side, per target, or of many targets per subject and pooled."""
    n_layers = scores.groupby("features")["layer"].nunique()
    exclude = {name: layers for name, layers in summed_layers(scores).items() if len(layers) < n_layers[name]}
    if scores["target"].nunique() <= MANY_TARGETS:
        groups: list[list[str] | None] = [None]
    else:
        groups = [[], *([["subject"]] if "subject" in targets else []), *([["roi"]] if "roi" in targets else [])]
    parts = [optimism(scores, metric, targets, by, exclude) for metric in metrics for by in groups]
    return pd.concat(parts, ignore_index=True)


def _selection(
    options: Encoding, study: Study, scores: pd.DataFrame, selected: pd.DataFrame, targets: pd.DataFrame
) -> pd.DataFrame:
    """Measure how consistent the choice of units is over splits, between few targets, and between regions."""
    sparse = [label for label, estimator in options.estimators.items() if abilities(estimator).sparse]
    fitted = scores.loc[scores["estimator"].isin(sparse), [*IDENTITY, "split"]]
    n_units = {
        (name, index): sum(band.shape[1] for band in layer.bands)
        for name, layers in study.features.items()
        for index, layer in layers.items()
    }
    ways = ["split"]
    if 1 < len(targets) <= MANY_TARGETS:
        ways.append("target")
    if "roi" in targets and targets["roi"].nunique() > 1:
        ways.append("roi")
    parts = [selection_consistency(selected, fitted, n_units, way, targets).assign(across=way) for way in ways]
    table = pd.concat(parts, ignore_index=True)
    return table[["across", *table.columns.drop("across")]]
