"""The plan of encoding: what is checked and planned before anything is computed, and what is made of the blocks."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd

from ...analysis.hypothesis_options import check_hypotheses
from ...analysis.paired_tests import best_layer_warnings, check_tests
from ...estimators.record import describe
from ...inputs.arrays import StoredArray
from ...inputs.lazy_arrays import store_means, store_responses
from ...inputs.study import Study
from ..preparation import preparation_of
from ..question import Place, Plan
from . import measures
from .above_chance import above_chance, untested
from .block_tables import BlockTables
from .blocks import Job
from .ceiling_blocks import CeilingBlock, plan_ceilings
from .chance_blocks import plan_chance
from .engines import check_inner_folds, choose_engine
from .options import Encoding, settle_metric
from .parts import target_parts
from .summary import describe_targets, edge_warnings
from .tables import EncodingTables


@dataclass(frozen=True)
class Planned:
    """One (features, layer, estimator) of a comparison, some of its targets, and what is to be computed for them."""

    features: str
    layer: int
    layer_name: str
    estimator: str
    part: slice
    job: Job


class EncodingPlan(Plan[Encoding]):
    """See `Plan`.

    Attributes
    ----------
    study : Study
    planned : list of Planned
        The blocks of scores, with the names of what they are of; the parts of a layer follow each other.
    ceilings : list of CeilingBlock
        Of repeated responses.
    """

    def __init__(self, options: Encoding, study: Study, place: Place) -> None:
        check_inner_folds(options.estimators, study.splits, study.groups)
        repeated = study.targets.sizes["repetition"] > 1
        self.options = settle_metric(options, repeated)
        self.study = study
        layers = {name: list(of_set) for name, of_set in study.features.items()}
        self.warnings = best_layer_warnings(self.options.tests, layers)
        check_tests(self.options.tests, layers, repeated and self.options.noise_correction != "off")
        self._about = describe_targets(study.targets)
        check_hypotheses(
            self.options.hypotheses, layers, list(self.options.estimators), self._about.set_index("target")
        )
        self.planned = plan_blocks(self.options, study, place.blocks, place.scratch, place.memory)
        self.ceilings = self._plan_ceilings(place)
        self.tested = plan_chance(self.options.above_chance, self.planned, study.categories)
        permuted = [block for tested in self.tested for block in tested.blocks]
        self.blocks = [*(planned.job for planned in self.planned), *permuted, *self.ceilings]
        self._blocks, self._scratch = BlockTables(self.planned, study), place.scratch
        self._target_dims = measures.target_dims(self._about)
        has_intervals = bool(self.ceilings) and self.options.ceiling.has_interval
        self.dims = measures.dims_of(self._target_dims, has_intervals, self.options.above_chance is not None)

    def _plan_ceilings(self, place: Place) -> list[CeilingBlock]:
        # with a correction for noise the blocks of scores have the repetitions, too, which are written once
        corrected = self.options.noise_correction != "off"
        stored = self.planned[0].job.responses if corrected else store_responses(self.study.targets, place.scratch)
        return plan_ceilings(stored, self.options.ceiling, place.blocks, place.scratch)

    @cached_property
    def targets(self) -> pd.DataFrame:
        """What is known of each target, one row each; of repeated responses with their noise ceilings."""
        if not self.ceilings:
            return self._about
        ceilings = pd.concat([block.need("ceilings") for block in self.ceilings], ignore_index=True)
        return pd.concat([self._about, ceilings], axis=1)

    @cached_property
    def _tables(self) -> EncodingTables:
        """What makes the tables, once all blocks are done."""
        return EncodingTables(self.options, self.study, self.targets, self._blocks, self._scratch)

    def tables(self) -> dict[str, Callable[[], pd.DataFrame | Path | None]]:
        """Say how each of `TABLES` is made."""
        names = self.study.targets.target.to_numpy()
        chance = {"above_chance": lambda: above_chance(self.options.above_chance, self.tested, names)}
        return self._tables.makers() | chance

    def measures(self, tables: Mapping[str, pd.DataFrame | Path]) -> Iterator[pd.DataFrame]:
        """Yield the scores of every block, noise ceilings, and p above chance."""
        return measures.of_tables(tables, self._of_blocks(), self.targets, self._target_dims)

    def _of_blocks(self) -> Iterator[pd.DataFrame]:
        for planned, scores in self._blocks.parts("scores"):
            names = {name: getattr(planned, name) for name in measures.OF_BLOCK}
            yield measures.of_scores(scores, scores["target"].to_numpy(), self._target_dims, names)

    def found(self) -> list[str]:
        """Warn of grids that were too short, and say which estimators a test left out."""
        return edge_warnings(self._tables.fits(), self.options) + untested(self.options)

    def record(self) -> dict[str, Any]:
        """Say what each estimator can do, and which engine computed it."""
        return {
            "estimators": {label: describe(estimator) for label, estimator in self.options.estimators.items()},
            "engines": {planned.estimator: planned.job.engine for planned in self.planned},
        }


def plan_blocks(
    options: Encoding, study: Study, folder: Path, scratch: Path, memory: int | None = None
) -> list[Planned]:
    """Plan the blocks of every layer and estimator, one per part of the targets.

    Arrays go into `scratch`, results into `folder`; `memory` is what a process may take, bytes.

    Raises
    ------
    ConfigError
        A block does not fit into the memory.
    """
    responses = _responses(options, study, scratch)
    _, n_targets, n_repetitions = responses.shape
    of_target = 1 + n_repetitions if n_repetitions > 1 else 1
    n_development = max(len(development) for development, _ in study.splits)
    blocks = []
    for name, layers in study.features.items():
        for index, layer in layers.items():
            preparation = preparation_of(options, study, name, layer)
            n_values = n_development * sum(band.shape[1] for band in layer.bands)
            for label, estimator in options.estimators.items():
                has_confounds = preparation.removal is not None
                engine = choose_engine(options.engine, estimator, n_targets * of_target, has_confounds)
                parts = target_parts(n_targets, estimator, engine, len(study.splits) * of_target, n_values)
                for part in parts:
                    own = "" if len(parts) == 1 else f", targets {part.start + 1} to {part.stop} of {n_targets}"
                    job = Job(
                        bands=layer.bands,
                        responses=responses,
                        part=part,
                        splits=study.splits,
                        estimator=estimator,
                        engine=engine,
                        preparation=preparation,
                        folder=folder,
                        scratch=scratch,
                        label=f"features {name}, layer {index} ({layer.name}), estimator {label}{own}",
                        groups=study.groups,
                        memory=memory,
                    )
                    blocks.append(Planned(name, index, layer.name, label, part, job))
    for planned in blocks:
        _ = planned.job.at_once  # refuses what does not fit before anything is computed
    return blocks


def _responses(options: Encoding, study: Study, scratch: Path) -> StoredArray:
    """Store the responses [stimulus, target, repetition]; their mean alone where no correction for noise is wanted."""
    store = store_means if options.noise_correction == "off" else store_responses
    return store(study.targets, scratch)
