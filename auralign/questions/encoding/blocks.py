"""Blocks of encoding: one layer, one estimator, some targets, all splits."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from ...estimators.registry import abilities, origins
from ...inputs.arrays import StoredArray
from ..block import Block
from ..preparation import Preparation, Split, joined_bands
from .layer import SCORES, encode_layer

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
    code: str = ""

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
        """Sparse estimators take longest."""
        return 2.0 if self.is_sparse else 1.0

    @property
    def is_sparse(self) -> bool:
        """Whether the estimator selects features."""
        return abilities(self.estimator).sparse

    def compute(self) -> dict[str, pd.DataFrame]:
        """Compute the tables of `EncodedLayer`."""
        x = joined_bands([band.load() for band in self.bands])
        y = self.responses.load(self.part)
        layer = encode_layer(x, y, self.splits, self.estimator, self.engine, self.preparation, self.groups)
        tables = {"scores": layer.scores} | ({"selected": layer.selected} if self.is_sparse else {})
        # positions among all targets
        return {name: table.assign(target=table["target"] + self.part.start) for name, table in tables.items()}
