"""The tables of encoding: from what each is made."""

from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd

from ...analysis.aggregate import Medians, by_region, by_subject
from ...analysis.chosen import nested_rows
from ...analysis.estimator_pairs import differences_table
from ...analysis.fits import fits_table
from ...analysis.half_split import halves_of
from ...analysis.hypotheses import run_hypotheses
from ...analysis.layer_choice import choices_beside, summed_layers
from ...analysis.paired_tests import run_tests
from ...analysis.score_arrays import Scores
from ...analysis.selection import selection_consistency
from ...analysis.standing import MANY_TARGETS
from ...analysis.unique_variance import unique_variance
from ...estimators.registry import alpha_grid
from ...files.atomic import written_atomically
from ...files.row_groups import open_row_groups
from ...files.tsv_writing import open_tsv
from ...inputs.study import Study
from ...inputs.usable_targets import count_repetitions
from ...scoring.metrics import METRICS, primary_metric
from .block_tables import BlockTables
from .options import Encoding
from .summary import summaries
from .table_files import TABLES


class EncodingTables:
    """How every table of a comparison is made; each by itself, so that one that fails loses no other.

    What is large is written where it grows, and never held: `scores`, `selected`, `nested` and `summary` are paths of
    files. Otherwise there stand in memory, of every target and layer, the medians over splits of each metric (8 bytes),
    and the random halves of the published choice of layers (10 bits per split, so 20 bytes of ten splits): 0.6 GB of
    300,000 targets x 40 layers with four metrics.

    Parameters
    ----------
    options : Encoding
    study : Study
    targets : DataFrame
        What is known of each target, with noise ceilings of repeated responses.
    blocks : BlockTables
        Which are done once the first table is made.
    folder : Path
        Where files are written.
    """

    def __init__(
        self, options: Encoding, study: Study, targets: pd.DataFrame, blocks: BlockTables, folder: Path
    ) -> None:
        self._options, self._study, self._targets = options, study, targets
        self._blocks, self._folder = blocks, folder
        self._subject = "subject" if "subject" in targets else None
        # made once, by the first table that needs them
        self._medians, self.fits = cache(self._take_medians), cache(self._count_fits)

    def makers(self) -> dict[str, Callable[[], pd.DataFrame | Path | None]]:
        """Return by the keys of `TABLES` what makes each.

        None are made, where inputs or settings do not allow them, of `regions` (targets need a column `roi`),
        `unique_variance` (joined feature sets), `selected` and `selection` (sparse estimators), `hypotheses` (asked
        for), `dropped_targets` (targets were left out), `repetitions` (stimuli have unequal numbers of them),
        `estimator_differences` (several estimators). `above_chance` is made of blocks of its own (`chance_blocks`).
        """
        study = self._study
        return {
            "scores": lambda: self._written("scores"),
            "nested": self._nested,
            "fits": self.fits,
            "estimator_differences": self._differences,
            "summary": self._summary,
            "comparisons": self._comparisons,
            "layers": self._layers,
            "layer_choice": lambda: layer_choice(self._scores, self._metrics, self._targets),
            "regions": self._regions,
            "unique_variance": self._unique_variance,
            "selected": lambda: self._written("selected") if self._blocks.sparse else None,
            "selection": self._selection,
            "hypotheses": self._hypotheses,
            "dropped_targets": lambda: study.dropped_targets,
            "repetitions": lambda: count_repetitions(study.targets),
        }

    @property
    def _scores(self) -> Scores:
        return self._blocks.scores

    @property
    def _metrics(self) -> list[str]:
        return [metric for metric in METRICS if metric in self._scores.metrics]

    def _take_medians(self) -> Medians:
        return Medians.of(self._scores, self._metrics)

    def _count_fits(self) -> pd.DataFrame:
        return fits_table(self._scores, {name: alpha_grid(own) for name, own in self._options.estimators.items()})

    def _path(self, table: str) -> Path:
        return self._folder / TABLES[table].file

    def _written(self, table: str) -> Path:
        self._blocks.write(table, self._path(table))
        return self._path(table)

    def _nested(self) -> Path:
        with open_row_groups(self._path("nested"), ("split", "layer", "n_train", "n_test")) as file:
            for part in nested_rows(self._scores):
                file.write(part)
        return self._path("nested")

    def _summary(self) -> Path:
        scores = self._scores
        halves = None
        if len(scores.splits) % 2 == 0:
            halves = halves_of(len(scores.splits), len(scores.targets), max(len(one.layers) for one in scores.models))
        with written_atomically(self._path("summary")) as partial, open_tsv(partial) as file:
            for rows in summaries(scores, self._targets, halves, self._medians()):
                file.write(rows)
        return self._path("summary")

    def _comparisons(self) -> pd.DataFrame:
        return run_tests(self._scores, self._medians(), self._options.tests, self._options.fdr)

    def _layers(self) -> pd.DataFrame:
        parts = [by_subject(self._medians(), metric, self._targets, self._subject) for metric in self._metrics]
        return pd.concat(parts, ignore_index=True)

    def _regions(self) -> pd.DataFrame | None:
        if "roi" not in self._targets:
            return None
        parts = [by_region(self._medians(), metric, self._targets, "roi", self._subject) for metric in self._metrics]
        return pd.concat(parts, ignore_index=True)

    def _differences(self) -> pd.DataFrame | None:
        metric = primary_metric(self._options.metric, "r2_corr_c2" in self._scores.metrics)
        return differences_table(self._scores, list(self._options.estimators), metric)

    def _unique_variance(self) -> pd.DataFrame | None:
        joins = {name: source.join for name, source in self._options.features.items() if source.join is not None}
        return unique_variance(self._scores, joins, self._options.fdr) if joins else None

    def _hypotheses(self) -> pd.DataFrame | None:
        if not self._options.hypotheses:
            return None
        targets = self._targets.set_index("target")
        return run_hypotheses(self._scores, targets, self._options.hypotheses, self._options.fdr)

    def _selection(self) -> pd.DataFrame | None:
        """Measure how consistent the choice of units is over splits, between few targets, and between regions."""
        targets = self._targets
        ways = ["split"]
        if 1 < len(targets) <= MANY_TARGETS:
            ways.append("target")
        if "roi" in targets and targets["roi"].nunique() > 1:
            ways.append("roi")
        parts: dict[str, list[pd.DataFrame]] = {way: [] for way in ways}
        # layer by layer: of all together the names alone would fill the memory
        for planned, units in self._blocks.layers("selected"):
            selected = self._blocks.named(planned, units)
            fitted = self._blocks.named(planned, self._fits_of())
            layer = self._study.features[planned.features][planned.layer]
            n_units = sum(band.shape[1] for band in layer.bands)
            for way, tables in parts.items():
                tables.append(selection_consistency(selected, fitted, n_units, way, targets).assign(across=way))
        if not parts["split"]:
            return None
        table = pd.concat([one for tables in parts.values() for one in tables], ignore_index=True)
        return table[["across", *table.columns.drop("across")]]

    def _fits_of(self) -> pd.DataFrame:
        """Tabulate the fits of one layer: every target (its position) and split."""
        n_splits, n_targets = len(self._scores.splits), len(self._scores.targets)
        return pd.DataFrame(
            {"target": np.tile(np.arange(n_targets), n_splits), "split": np.repeat(self._scores.splits, n_targets)}
        )


def layer_choice(scores: Scores, metrics: list[str], targets: pd.DataFrame) -> pd.DataFrame:
    """Lay the three choices of a layer side by side, per target, or of many targets per subject and pooled."""
    n_layers = {one.features: len(one.layers) for one in scores.models}
    summed = summed_layers(scores.models)
    exclude = {name: layers for name, layers in summed.items() if len(layers) < n_layers[name]}
    if len(scores.targets) <= MANY_TARGETS:
        groups: list[list[str] | None] = [None]
    else:
        groups = [[], *([["subject"]] if "subject" in targets else []), *([["roi"]] if "roi" in targets else [])]
    return choices_beside(scores, metrics, targets, groups, exclude)
