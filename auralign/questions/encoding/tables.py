"""The tables of a results folder: which there are, and from what each is made."""

import pandas as pd

from ...analysis.aggregate import by_region, by_subject
from ...analysis.hypotheses import run_hypotheses
from ...analysis.layer_choice import optimism, summed_layers
from ...analysis.paired_tests import run_tests
from ...analysis.selection import selection_consistency
from ...analysis.standing import MANY_TARGETS
from ...analysis.unique_variance import unique_variance
from ...inputs.study import Study
from ...inputs.usable_targets import count_repetitions
from ...scoring.metrics import METRICS
from .above_chance import above_chance
from .options import Encoding
from .summary import IDENTITY, summarise

FILES = {
    "summary": "summary.tsv",
    "comparisons": "comparisons.tsv",
    "layers": "layers.tsv",
    "regions": "regions.tsv",
    "layer_choice": "layer_choice.tsv",
    "unique_variance": "unique_variance.tsv",
    "selected": "selected.parquet",
    "selection": "selection.tsv",
    "hypotheses": "hypotheses.tsv",
    "above_chance": "above_chance.tsv",
    "dropped_targets": "dropped_targets.tsv",
    "repetitions": "repetitions.tsv",
}


def make_tables(
    options: Encoding, study: Study, targets: pd.DataFrame, scores: pd.DataFrame, selected: pd.DataFrame | None
) -> dict[str, pd.DataFrame]:
    """Make every table that a comparison's inputs and settings allow.

    Parameters
    ----------
    options : Encoding
    study : Study
        Its arrays are opened for `above_chance`.
    targets : DataFrame
        What is known of each target (`target_metadata`, whose noise ceilings take time).
    scores : DataFrame
        One row per features x layer x target x estimator x split.
    selected : DataFrame or None
        Selected units of sparse estimators, one row per features x layer x target x estimator x split x unit.

    Returns
    -------
    dict of str to DataFrame
        By the keys of `FILES`: always `summary`, `comparisons`, `layers` and `layer_choice`; `regions` where targets
        have a column `roi`; `unique_variance` of joined feature sets; `selected` and `selection` of sparse estimators;
        `hypotheses` and `above_chance` where the configuration asks for them; `dropped_targets` where targets were left
        out, `repetitions` where stimuli have unequal numbers of them.
    """
    summary = summarise(scores, targets)
    metrics = [metric for metric in METRICS if metric in scores]
    subject = "subject" if "subject" in targets else None
    tables = {
        "summary": summary,
        "comparisons": run_tests(scores, summary, options.tests, options.fdr),
        "layers": pd.concat([by_subject(scores, metric, targets, subject) for metric in metrics], ignore_index=True),
        "layer_choice": _layer_choice(scores, metrics, targets),
    }
    if "roi" in targets:
        regions = [by_region(scores, metric, targets, "roi", subject) for metric in metrics]
        tables["regions"] = pd.concat(regions, ignore_index=True)
    joins = {name: source.join for name, source in options.features.items() if source.join is not None}
    if joins:
        tables["unique_variance"] = unique_variance(scores, joins, options.fdr)
    if selected is not None:
        tables["selected"] = selected
        tables["selection"] = _selection(options, study, scores, selected, targets)
    if options.hypotheses:
        tables["hypotheses"] = run_hypotheses(scores, targets.set_index("target"), options.hypotheses, options.fdr)
    if options.above_chance is not None:
        tables["above_chance"] = above_chance(options, study)
    if study.dropped_targets is not None:
        tables["dropped_targets"] = study.dropped_targets
    if study.targets.isnull().any():
        tables["repetitions"] = count_repetitions(study.targets)
    return tables


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
    sparse = [label for label, estimator in options.estimators.items() if estimator.kind != "ridge"]
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
