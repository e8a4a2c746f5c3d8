"""Noise ceilings as blocks of their own: once per study, whichever features and estimators are beside it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from ...inputs.arrays import StoredArray
from ...scoring.noise_ceilings import noise_ceiling
from ..block import Block

if TYPE_CHECKING:
    from ...scoring.ceiling_options import Ceiling

# targets of one block; a few seconds where the interval is a bootstrap
TARGETS_OF_BLOCK = 8192
# what the columns of a table of targets are called
COLUMNS = {
    "noise_ceiling": "ceiling",
    "noise_ceiling_low": "ceiling_low",
    "noise_ceiling_high": "ceiling_high",
    "n_repetitions": "n_repetitions",
}
OF_INTERVAL = ("noise_ceiling_low", "noise_ceiling_high")


@dataclass(frozen=True)
class CeilingBlock(Block):
    """The noise ceilings of some targets.

    Attributes
    ----------
    responses : StoredArray, shape (n_stimuli, n_targets, n_repetitions)
        Of all targets.
    part : slice
        Of the targets: those of this block.
    options : Ceiling
    folder, scratch, label, code
        As of every `Block`.
    """

    responses: StoredArray
    part: slice
    options: Ceiling
    folder: Path
    scratch: Path
    label: str
    code: str = ""

    unit = "noise ceilings"

    @property
    def holds(self) -> dict[str, tuple[str, ...]]:
        """The ceilings, one row per target."""
        return {"ceilings": ceiling_columns(self.options)}

    @property
    def size(self) -> int:
        """Its targets."""
        return self.part.stop - self.part.start

    @property
    def cost(self) -> float:
        """Less than the fits of as many targets, so that they fill the gaps at the end."""
        return 1e-5 * self.size

    def compute(self) -> dict[str, pd.DataFrame]:
        """Compute the ceilings."""
        return {"ceilings": ceiling_table(self.responses.load(self.part), self.options)}


def ceiling_columns(options: Ceiling) -> tuple[str, ...]:
    """Name the columns of a table of ceilings: those of the interval only where there is one."""
    return tuple(column for column in COLUMNS if options.has_interval or column not in OF_INTERVAL)


def ceiling_table(repetitions: np.ndarray, options: Ceiling) -> pd.DataFrame:
    """Tabulate the noise ceilings of responses [stimulus, target, repetition], one row per target."""
    found = noise_ceiling(repetitions, options.n_draws, options.level, options.seed, options.interval)
    return pd.DataFrame({column: found[COLUMNS[column]] for column in ceiling_columns(options)})


def plan_ceilings(responses: StoredArray, options: Ceiling, folder: Path, scratch: Path) -> list[CeilingBlock]:
    """Plan the noise ceilings of repeated responses, some targets at a time; of single ones there are none."""
    _, n_targets, n_repetitions = responses.shape
    if n_repetitions < 2:
        return []
    starts = range(0, n_targets, TARGETS_OF_BLOCK)
    parts = [slice(start, min(start + TARGETS_OF_BLOCK, n_targets)) for start in starts]
    blocks = []
    for part in parts:
        own = "" if len(parts) == 1 else f", targets {part.start + 1} to {part.stop} of {n_targets}"
        blocks.append(CeilingBlock(responses, part, options, folder, scratch, f"noise ceilings{own}"))
    return blocks
