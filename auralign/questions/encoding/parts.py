"""How the targets of a layer are cut into blocks: by what is computed alone, so that a later run finds them again."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from ...estimators.registry import abilities

if TYPE_CHECKING:
    from ...estimators.options import EstimatorOptions

# rows of scores come by so many targets, within them by split: a part never reaches over their bounds
TARGETS_TOGETHER = 8192
# targets of one part where they share the costly work (a decomposition of the features): in parts of this size a ridge
# does it again for a few hundredths of the time, and half a group of targets keeps an even number of workers busy
PART_TARGETS = 4096
# where each target is solved by itself: s that a part takes at least, by engine. Opening the layer and what solvers
# prepare for all targets (duplicate units, folds) come with every part; julearn prepares everything for each target
PART_SECONDS = {"multitarget": 3.0, "julearn": 0.5}
# of a layer whose targets are solved by themselves, at most: each part is a file
MOST_PARTS = 64
# s of one fit, measured on 83 stimuli x 768 units: julearn's own work, and for every number in the features that of a
# lasso with five inner folds, and of one of thousands of targets that share a decomposition (ridge)
JULEARN_FIT, SPARSE_FIT, SHARED_FIT = 0.03, 0.024 / (83 * 768), 1e-5 / (83 * 768)


def target_parts(
    n_targets: int, estimator: EstimatorOptions, engine: str, n_fits: int = 1, n_values: int = 1
) -> list[slice]:
    """Cut the targets of one layer into parts, each computed as a block of its own.

    How many processes there are makes no difference, nor how much memory: a part has the same key on every machine.

    Parameters
    ----------
    n_targets : int
    estimator : configuration
    engine : str
    n_fits : int
        Of one target: splits x (1 + repetitions that are fitted by themselves).
    n_values : int
        Numbers in the features of one fit: development stimuli x units.

    Returns
    -------
    list of slice
        Ascending, without gaps, none across a multiple of `TARGETS_TOGETHER`. A single one where the estimator fits the
        targets together, or where all of them take little time.
    """
    can = abilities(estimator)
    if can.joint:
        return [slice(0, n_targets)]
    most = PART_TARGETS
    if engine == "julearn" or can.by_target:
        seconds = n_targets * n_fits * fit_seconds(estimator, engine, n_values)
        n_parts = min(max(seconds / PART_SECONDS[engine], 1.0), MOST_PARTS)
        most = min(math.ceil(n_targets / n_parts), PART_TARGETS)
    parts = []
    for start in range(0, n_targets, TARGETS_TOGETHER):
        own = min(TARGETS_TOGETHER, n_targets - start)
        bounds = start + np.linspace(0, own, math.ceil(own / most) + 1).round().astype(int)
        parts += [slice(int(low), int(high)) for low, high in pairwise(bounds)]
    return parts


def fit_seconds(estimator: EstimatorOptions, engine: str, n_values: int) -> float:
    """Say about how long one fit takes, s; `engine` and `n_values` as of `target_parts`."""
    can = abilities(estimator)
    of_values = SPARSE_FIT if can.by_target or can.sparse else SHARED_FIT
    return of_values * n_values + (JULEARN_FIT if engine == "julearn" else 0.0)


def in_order(table: pd.DataFrame) -> pd.DataFrame:
    """Put the rows of one layer and estimator, whose `target` is the position, in the order of one that was not cut."""
    target = table["target"].to_numpy()
    order = np.lexsort((target, table["split"].to_numpy(), target // TARGETS_TOGETHER))
    return table.iloc[order].reset_index(drop=True)
