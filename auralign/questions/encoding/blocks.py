"""Blocks of encoding: one layer, one estimator, some targets, all splits."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from ...estimators.registry import abilities, origins
from ...inputs.arrays import StoredArray
from ..block import Block
from ..preparation import Preparation, Split, joined_bands
from .layer import SCORES, encode_layer
from .memory import demand
from .parts import fit_seconds

if TYPE_CHECKING:
    from ...estimators.options import EstimatorOptions

SELECTED = ("target", "split", "unit", "weight")


@dataclass(frozen=True)
class Job(Block):
    """Everything that determines one block.

    Attributes
    ----------
    bands : tuple of StoredArray, each of shape (n_stimuli, n_units)
        The layer; of a joined feature set one per part.
    responses : StoredArray, shape (n_stimuli, n_targets, n_repetitions)
    part : slice
        Of the targets: those of this block.
    splits : list of (development, test)
    estimator : configuration
    engine : str
    preparation : Preparation
    folder : Path
        Of the results of all blocks.
    scratch : Path
        Of the run alone, for files that are not finished.
    label : str
        What the block is of, for messages.
    groups : ndarray of int, shape (n_stimuli,), or None
        Code of the group of every stimulus, where splits and inner folds keep groups together.
    memory : int or None
        That the process which computes it may take, bytes.
    code : str
        `code_version` of the process that planned the block; found where it is not given.
    """

    bands: tuple[StoredArray, ...]
    responses: StoredArray
    part: slice
    splits: list[Split]
    estimator: EstimatorOptions
    engine: str
    preparation: Preparation
    folder: Path
    scratch: Path
    label: str
    groups: np.ndarray | None = None
    memory: int | None = None
    code: str = ""

    unit = "targets x layers"

    @property
    def roots(self) -> tuple[str, ...]:
        """This module, and the estimator's: a change of one estimator leaves the blocks of the others."""
        return (__name__, *origins(self.estimator))

    @property
    def holds(self) -> dict[str, tuple[str, ...]]:
        """The scores, with `target` the position, and of sparse estimators what they selected."""
        return {"scores": SCORES} | ({"selected": SELECTED} if self.is_sparse else {})

    @property
    def cost(self) -> float:
        """As its fits are estimated to take."""
        n_values = len(self.splits[0][0]) * self._n_units
        return self.size * len(self.splits) * self._n_columns * fit_seconds(self.estimator, self.engine, n_values)

    @property
    def size(self) -> int:
        """Its targets."""
        return self.part.stop - self.part.start

    @cached_property
    def _n_units(self) -> int:
        return sum(band.shape[1] for band in self.bands)

    @cached_property
    def _n_columns(self) -> int:
        """Responses of a target that are fitted: the mean, and where there are several repetitions each of them."""
        n_repetitions = self.responses.shape[2]
        return 1 + n_repetitions if n_repetitions > 1 else 1

    @property
    def at_once(self) -> int:
        """Targets that are fitted at a time, so many as the memory allows.

        Raises
        ------
        ConfigError
            It allows none.
        """
        can = abilities(self.estimator)
        development, test = (max(map(len, parts)) for parts in zip(*self.splits, strict=True))
        needs = demand(
            len(self.responses.rows),
            development,
            test,
            len(self.splits),
            self._n_columns,
            self._n_units,
            self.estimator.n_inner_folds,
            can.sparse,
        )
        return needs.at_once(self.memory, self.size, can.joint, self.label)

    @property
    def is_sparse(self) -> bool:
        """Whether the estimator selects features."""
        return abilities(self.estimator).sparse

    def compute(self) -> dict[str, pd.DataFrame]:
        """Compute the tables of `EncodedLayer`."""
        x = joined_bands([band.load() for band in self.bands])
        y = self.responses.load(self.part)
        layer = encode_layer(
            x, y, self.splits, self.estimator, self.engine, self.preparation, self.groups, at_once=self.at_once
        )
        tables = {"scores": layer.scores} | ({"selected": layer.selected} if self.is_sparse else {})
        # positions among all targets
        return {name: table.assign(target=table["target"] + self.part.start) for name, table in tables.items()}
