"""Permuted stimuli as blocks of their own: all layers of a feature set, one ridge, some targets."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from ...estimators.registry import abilities, origins
from ...inference.resampling import MAX_COLUMNS, permute
from ...inputs.arrays import StoredArray
from ...inputs.repetitions import mean_response
from ..block import Block
from ..preparation import Preparation, Split, joined_bands
from .engines import run_multitarget
from .parts import fit_seconds

if TYPE_CHECKING:
    from ...estimators.options import EstimatorOptions
    from .options import AboveChance
    from .plan import Planned

# columns x layers of one block: some seconds of a ridge with ten splits of 83 stimuli
COLUMNS_OF_BLOCK = 10 * MAX_COLUMNS
# of one feature set and estimator, at most: each is a file
MOST_BLOCKS = 64

NUMBERS = ("score", "chance", "p", "p_layers")


@dataclass(frozen=True)
class ChanceBlock(Block):
    """Scores of some targets against those of permuted stimuli.

    Attributes
    ----------
    layers : tuple of tuple of StoredArray, each of shape (n_stimuli, n_units)
        Of one feature set, all that are compared: p of the best one takes the choice into account. Of a joined set
        each has several parts.
    responses : StoredArray, shape (n_stimuli, n_targets, n_repetitions)
        Of all targets; their mean over repetitions is tested.
    part : slice
        Of the targets: those of this block.
    splits : list of (development, test)
    estimator : configuration
    preparations : tuple of Preparation
        Of every layer.
    settings : AboveChance
    within : ndarray of int, shape (n_stimuli,), or None
        Code of the category of every stimulus, where they change places within theirs only.
    folder, scratch, label, groups, code
        As of `Job`.
    """

    layers: tuple[tuple[StoredArray, ...], ...]
    responses: StoredArray
    part: slice
    splits: list[Split]
    estimator: EstimatorOptions
    preparations: tuple[Preparation, ...]
    settings: AboveChance
    within: np.ndarray | None
    folder: Path
    scratch: Path
    label: str
    groups: np.ndarray | None = None
    code: str = ""

    unit = "targets tested"

    @property
    def roots(self) -> tuple[str, ...]:
        """This module, and the estimator's."""
        return (__name__, *origins(self.estimator))

    @property
    def holds(self) -> dict[str, tuple[str, ...]]:
        """One row per layer (its position) and target (its position)."""
        return {"chance": ("layer", "target", *NUMBERS)}

    @property
    def cost(self) -> float:
        """That of a ridge whose targets are the responses and all permutations of them, layer by layer."""
        n_columns = self.size * (1 + self.settings.n_permutations)
        n_units = sum(band.shape[1] for bands in self.layers for band in bands)
        n_values = len(self.splits[0][0]) * n_units
        return n_columns * len(self.splits) * fit_seconds(self.estimator, "multitarget", n_values)

    @property
    def size(self) -> int:
        """Its targets."""
        return self.part.stop - self.part.start

    def compute(self) -> dict[str, pd.DataFrame]:
        """Fit the responses and all permutations of them."""
        y = mean_response(self.responses.load(self.part))
        settings = self.settings
        score_layers = [partial(self._scores, *layer) for layer in zip(self.layers, self.preparations, strict=True)]
        found = permute(score_layers, y, settings.n_permutations, settings.seed, self.within, self.groups)
        places = pd.MultiIndex.from_product(
            [range(len(self.layers)), range(self.part.start, self.part.stop)], names=["layer", "target"]
        )
        return {"chance": places.to_frame(index=False).assign(**{n: getattr(found, n).ravel() for n in NUMBERS})}

    def _scores(self, bands: tuple[StoredArray, ...], preparation: Preparation, columns: np.ndarray) -> np.ndarray:
        """Fit one layer to columns of responses, by the code that computes the scores; r2_corr, [n_splits, n_columns].

        A layer is loaded for its own columns: all of them need not be in memory together.
        """
        x = joined_bands([band.load() for band in bands])
        results = run_multitarget(x, columns, self.splits, self.estimator, preparation, self.groups)
        return np.stack([result.r2_corr for result in results])


@dataclass(frozen=True)
class Tested:
    """One feature set and estimator against permuted stimuli: its layers with their names, and the blocks."""

    features: str
    estimator: str
    layers: dict[int, str]
    blocks: list[ChanceBlock]


def plan_chance(
    settings: AboveChance | None, planned: Iterable[Planned], categories: Sequence[str] | None
) -> list[Tested]:
    """Plan the permutation test of every feature set and ridge whose scores are planned.

    Parameters
    ----------
    settings : AboveChance or None
        None: nothing is tested.
    planned : iterable of Planned
    categories : list of str, or None
        Of every stimulus.
    """
    if settings is None:
        return []
    within = None if settings.within is None else np.unique(np.asarray(categories), return_inverse=True)[1]
    of_pair: dict[tuple[str, str], dict[int, Planned]] = {}
    for one in planned:
        if abilities(one.job.estimator).permute:
            of_pair.setdefault((one.features, one.estimator), {}).setdefault(one.layer, one)
    tested = []
    for (features, estimator), layers in of_pair.items():
        jobs = [one.job for one in layers.values()]
        first, n_targets = jobs[0], jobs[0].responses.shape[1]
        parts = chance_parts(n_targets, len(jobs), settings.n_permutations)
        blocks = [
            ChanceBlock(
                layers=tuple(job.bands for job in jobs),
                responses=first.responses,
                part=part,
                splits=first.splits,
                estimator=first.estimator,
                preparations=tuple(job.preparation for job in jobs),
                settings=settings,
                within=within,
                folder=first.folder,
                scratch=first.scratch,
                label=f"above_chance of features {features}, estimator {estimator}, "
                f"targets {part.start + 1} to {part.stop} of {n_targets}",
                groups=first.groups,
            )
            for part in parts
        ]
        tested.append(Tested(features, estimator, {index: one.layer_name for index, one in layers.items()}, blocks))
    return tested


def chance_parts(n_targets: int, n_layers: int, n_permutations: int) -> list[slice]:
    """Cut the targets of a permutation test into parts, the same on every machine.

    A part takes some seconds, and is made of whole groups of targets that are permuted together (`permute`).
    """
    together = max(1, MAX_COLUMNS // (1 + n_permutations))
    wanted = max(1, COLUMNS_OF_BLOCK // ((1 + n_permutations) * n_layers))
    most = together * max(1, wanted // together, math.ceil(n_targets / MOST_BLOCKS / together))
    return [slice(low, high) for low, high in pairwise([*range(0, n_targets, most), n_targets])]
