"""Scores of one (features, layer, estimator): computed once, written atomically, found again by what made them."""

import hashlib
import json
import os
from pathlib import Path

import numpy as np
import pandas as pd
from threadpoolctl import threadpool_limits

from .ceilings import noise_corrected
from .config import Center, Lasso, Ridge
from .engines import ENGINES, Split

# raise it whenever a change of code changes scores: older blocks are then computed again
CODE_VERSION = 1


def block_key(
    x: np.ndarray, y: np.ndarray, splits: list[Split], estimator: Ridge | Lasso, center: Center, engine: str
) -> str:
    """Hash everything that determines a block: the numbers themselves, the splits and the settings.

    Parameters
    ----------
    x : ndarray, shape (n_stimuli, n_units)
    y : ndarray, shape (n_stimuli, n_targets, n_repetitions)
    """
    digest = hashlib.sha256()
    for array in (x, y, *(part for split in splits for part in split)):
        digest.update(f"{array.dtype}{array.shape}".encode())
        digest.update(np.ascontiguousarray(array).tobytes())
    settings = [CODE_VERSION, estimator.model_dump(mode="json"), center.model_dump(mode="json"), engine]
    digest.update(json.dumps(settings, sort_keys=True).encode())
    return digest.hexdigest()[:32]


def compute_block(
    x: np.ndarray,
    y: np.ndarray,
    splits: list[Split],
    estimator: Ridge | Lasso,
    center: Center,
    engine: str,
    path: Path,
) -> None:
    """Compute one block on one BLAS thread and write it to `path`.

    Where there are repetitions, models are fitted to their mean and to each of them (for the noise correction).
    Columns: `target` (position), `split`, scores, `alpha`, `n_train`, `n_test`.
    """
    n_targets, n_repetitions = y.shape[1:]
    mean = y.mean(axis=2)
    columns = mean if n_repetitions == 1 else np.concatenate([mean, *np.moveaxis(y, 2, 0)], axis=1)
    with threadpool_limits(1):
        results = ENGINES[engine](x, columns, splits, estimator, center)
    tables = []
    for number, (result, (development, test)) in enumerate(zip(results, splits, strict=True)):
        own = slice(0, n_targets)
        table = {
            "target": np.arange(n_targets),
            "split": number,
            "r2": result.r2[own],
            "r2_corr": result.r2_corr[own],
            "alpha": result.alpha[own],
            "n_train": len(development),
            "n_test": len(test),
        }
        if n_repetitions > 1:
            single = result.prediction[:, n_targets:].reshape(len(test), n_repetitions, n_targets)
            table.update(noise_corrected(result.r2_corr[own], y[development], np.moveaxis(single, 1, 2)))
        tables.append(pd.DataFrame(table))
    write_atomically(pd.concat(tables, ignore_index=True), path)


def write_atomically(table: pd.DataFrame, path: Path) -> None:
    """Write a table (.parquet, or .tsv) so that the file is there as a whole or not at all."""
    partial = _partial(path)
    if path.suffix == ".parquet":
        table.to_parquet(partial, index=False)
    else:
        table.to_csv(partial, sep="\t", index=False)
    os.replace(partial, path)


def write_text_atomically(text: str, path: Path) -> None:
    """Write a text so that the file is there as a whole or not at all."""
    partial = _partial(path)
    partial.write_text(text, encoding="utf-8")
    os.replace(partial, path)


def _partial(path: Path) -> Path:
    return path.with_name(f".{path.name}.{os.getpid()}")


def read_block(path: Path) -> pd.DataFrame | None:
    """Read a block; None where there is none, or one that cannot be read (which is removed)."""
    if not path.exists():
        return None
    try:
        block = pd.read_parquet(path)
    except (OSError, ValueError):
        block = pd.DataFrame()
    if not {"target", "split", "r2", "r2_corr", "alpha", "n_train", "n_test"} <= set(block.columns):
        path.unlink(missing_ok=True)
        return None
    return block
