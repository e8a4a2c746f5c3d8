"""Blocks of encoding: one layer, one estimator, all targets and splits."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from ...estimators.registry import abilities, of_single_repetition, origin
from ...inputs.arrays import StoredArray
from ...inputs.repetitions import effective_repetitions, mean_response, predict_repetitions
from ...scoring.ceilings import noise_corrected
from ..block import Block
from ..preparation import Preparation, Split, joined_bands
from .engines import ENGINES, SplitResult

if TYPE_CHECKING:
    from ...estimators.options import EstimatorOptions

# targets that are fitted at a time, which bounds the memory; estimators that fit targets together take all at once
TARGETS_AT_ONCE = 8192

SCORES = ("target", "split", "r2", "r2_corr", "r2_dev", "alpha", "n_train", "n_test")
SELECTED = ("target", "split", "unit", "weight")


@dataclass(frozen=True)
class Job(Block):
    """Everything that determines one block.

    Attributes
    ----------
    bands : tuple of StoredArray, each of shape (n_stimuli, n_units)
        The layer; of a joined feature set one per part.
    responses : StoredArray, shape (n_stimuli, n_targets, n_repetitions)
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
        return (__name__, origin(self.estimator))

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
        """Compute scores, with repetitions those of `noise_corrected` too, and selected units."""
        scores, selected = _compute(self)
        tables = {"scores": pd.concat(scores, ignore_index=True)}
        return tables | ({"selected": _selected(selected)} if self.is_sparse else {})


def _compute(job: Job) -> tuple[list[pd.DataFrame], list[tuple[int, int, np.ndarray, np.ndarray]]]:
    """Fit and score some targets at a time; scores per split, and (target, split, units, weights) of sparse ones."""
    x = joined_bands([band.load() for band in job.bands])
    n_targets = job.responses.shape[1]
    at_once = n_targets if abilities(job.estimator).joint else TARGETS_AT_ONCE
    scores, selected = [], []
    for start in range(0, n_targets, at_once):
        y = job.responses.load(slice(start, start + at_once))
        for number, (result, split) in enumerate(zip(_run(job, x, y), job.splits, strict=True)):
            scores.append(_scores(job, y, result, split).assign(split=number))
            scores[-1]["target"] += start
            if job.is_sparse:
                selected += [
                    (start + target, number, units, weights) for target, (units, weights) in enumerate(result.selected)
                ]
    return scores, selected


def _run(job: Job, x: np.ndarray, y: np.ndarray) -> list[SplitResult]:
    """Fit the mean response, and where there are repetitions each of them; y is [n_stimuli, n_targets, n_repetitions].

    The scores are those of the mean; predictions of the repetitions follow its own, repetition by repetition.
    """

    def fit(columns: np.ndarray, estimator: EstimatorOptions, splits: list[Split]) -> list[SplitResult]:
        return ENGINES[job.engine](x, columns, splits, estimator, job.preparation, job.groups)

    of_mean = fit(mean_response(y), job.estimator, job.splits)
    if y.shape[2] == 1:
        return of_mean
    single = of_single_repetition(job.estimator)
    of_repetitions = predict_repetitions(
        lambda columns, splits: [result.prediction for result in fit(columns, single, splits)],
        y,
        job.splits,
        together=not abilities(single).joint,
        least=max(3, single.n_inner_folds),
        groups=job.groups,
    )
    return [
        replace(mean, prediction=np.concatenate([mean.prediction, prediction], axis=1))
        for mean, prediction in zip(of_mean, of_repetitions, strict=True)
    ]


def _scores(job: Job, y: np.ndarray, result: SplitResult, split: Split) -> pd.DataFrame:
    """Tabulate one split; y is [n_stimuli, n_targets, n_repetitions]."""
    development, test = split
    n_targets, n_repetitions = y.shape[1:]
    own = slice(0, n_targets)
    table = {
        "target": np.arange(n_targets),
        "r2": result.r2[own],
        "r2_corr": result.r2_corr[own],
        "r2_dev": result.r2_dev[own],
        "alpha": result.alpha[own],
        "n_train": len(development),
        "n_test": len(test),
    }
    if result.params is not None:
        table["params"] = result.params
    if n_repetitions > 1:
        single = result.prediction[:, n_targets:].reshape(len(test), n_repetitions, n_targets)
        data = job.preparation.repetitions(y, split)
        # the noise that lowers the score is that of the test stimuli
        scored = effective_repetitions(y[test])
        table.update(noise_corrected(result.r2_corr[own], data, np.moveaxis(single, 1, 2), scored))
    return pd.DataFrame(table)


def _selected(rows: list[tuple[int, int, np.ndarray, np.ndarray]]) -> pd.DataFrame:
    """Make the long table of selected units from (target, split, units, weights)."""
    counts = [len(units) for _, _, units, _ in rows]
    return pd.DataFrame(
        {
            "target": np.repeat([row[0] for row in rows], counts).astype(np.int32),
            "split": np.repeat([row[1] for row in rows], counts).astype(np.int32),
            "unit": np.concatenate([row[2] for row in rows]).astype(np.int32),
            "weight": np.concatenate([row[3] for row in rows]),
        }
    )
