"""Results of one (features, layer, estimator): computed once, written atomically, found again by what made them."""

from __future__ import annotations

import os
from dataclasses import dataclass, fields
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from threadpoolctl import threadpool_limits

from ..errors import AuralignError
from ..estimators.registry import abilities, origin
from ..inputs.arrays import StoredArray
from .encoding.layer import SCORES, encode_layer
from .fingerprint import code_version, fingerprint
from .preparation import Preparation, Split, joined_bands

if TYPE_CHECKING:
    from ..estimators.options import EstimatorOptions

SELECTED = ("target", "split", "unit", "weight")

# what changes no number: where files lie, and what a block is called
NOT_IN_KEY = ("folder", "scratch", "label")


@dataclass(frozen=True)
class Job:
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

    def __post_init__(self) -> None:
        """Note the code of this process, by which the worker knows whether it has the same."""
        if not self.code:
            object.__setattr__(self, "code", code_version(origin(self.estimator)))

    @cached_property
    def key(self) -> str:
        """Hash of the numbers themselves, the splits, the settings and the code: of every field but `NOT_IN_KEY`."""
        names = [one.name for one in fields(self) if one.name not in NOT_IN_KEY]
        return fingerprint({name: getattr(self, name) for name in names})[:32]

    @property
    def scores_file(self) -> Path:
        """Where the scores of the block are, once it is done."""
        return self.folder / f"{self.key}.parquet"

    @property
    def selected_file(self) -> Path:
        """Where the selected features of the block are, for sparse estimators."""
        return self.folder / f"{self.key}.selected.parquet"

    @property
    def is_sparse(self) -> bool:
        """Whether the estimator selects features."""
        return abilities(self.estimator).sparse


def compute_block(job: Job) -> None:
    """Compute one block on one BLAS thread and write it.

    Columns: `SCORES`, with `target` the position; with repetitions those of `noise_corrected`.

    Raises
    ------
    AuralignError
        This process runs other code than the one that planned the block, or the block cannot be fitted; the message
        says which block it is.
    """
    if job.code != code_version(origin(job.estimator)):
        raise AuralignError(
            f"{job.label}: the process that computes it has other versions of auralign, numpy, scipy, scikit-learn, "
            "julearn or pandas than the one that planned it. Install the same environment on every machine (and do not "
            "edit auralign while it runs)."
        )
    try:
        with threadpool_limits(1):
            layer = encode_layer(
                joined_bands([band.load() for band in job.bands]),
                job.responses,
                job.splits,
                job.estimator,
                job.engine,
                job.preparation,
                job.groups,
            )
    except AuralignError as error:
        raise type(error)(f"{job.label}: {error}") from error
    if job.is_sparse:
        write_atomically(layer.selected, job.selected_file, job.scratch)
    # the scores last: where they are, the block is done
    write_atomically(layer.scores, job.scores_file, job.scratch)


def write_atomically(table: pd.DataFrame, path: Path, scratch: Path | None = None) -> None:
    """Write a table (.parquet, or .tsv) so that the file is there as a whole or not at all.

    It grows in `scratch`, a folder of the same file system which is removed with its run; by default beside itself.
    """
    partial = _partial(path, scratch)
    if path.suffix == ".parquet":
        table.to_parquet(partial, index=False)
    else:
        table.to_csv(partial, sep="\t", index=False)
    os.replace(partial, path)


def write_text_atomically(text: str, path: Path, scratch: Path | None = None) -> None:
    """Write a text so that the file is there as a whole or not at all; `scratch` as in `write_atomically`."""
    partial = _partial(path, scratch)
    partial.write_text(text, encoding="utf-8")
    os.replace(partial, path)


def _partial(path: Path, scratch: Path | None) -> Path:
    return (scratch or path.parent) / f".{path.name}.{os.getpid()}"


def read_block(path: Path, columns: tuple[str, ...] = SCORES) -> pd.DataFrame | None:
    """Read a table of a block; None where there is none, or one that cannot be read (which is removed)."""
    if not path.exists():
        return None
    try:
        block = pd.read_parquet(path)
    except (OSError, ValueError):
        block = pd.DataFrame()
    if not set(columns) <= set(block.columns):
        path.unlink(missing_ok=True)
        return None
    return block


def is_done(job: Job) -> bool:
    """Tell whether a block is there as a whole."""
    scores = read_block(job.scores_file) is not None
    return scores and (not job.is_sparse or read_block(job.selected_file, SELECTED) is not None)
