"""Run a comparison: every block that is missing, then the tables."""

import json
import os
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from joblib import Parallel, delayed
from tqdm import tqdm

from .blocks import block_key, compute_block, read_block, write_atomically, write_text_atomically
from .config import Comparison
from .engines import choose_engine
from .errors import AuralignError
from .paired_tests import check_tests, run_tests
from .provenance import describe
from .study import Study, load_study
from .summary import IDENTITY, edge_warnings, summarise

BLOCKS = ".blocks"


@dataclass(frozen=True)
class Block:
    """One (features, layer, estimator) of a comparison and the file of its scores."""

    features: str
    layer: int
    layer_name: str
    estimator: str
    engine: str
    path: Path


def run_comparison(config: Comparison, out: Path, n_jobs: int = 1, force: bool = False) -> dict[str, pd.DataFrame]:
    """Run a comparison into a folder and return its tables.

    Blocks that an earlier run finished are kept: a block's file is named by a hash of the numbers and settings that
    determine it, so that a changed configuration or input never meets old results.

    Parameters
    ----------
    config : Comparison
    out : Path
        Made if need be; gets scores.parquet, summary.tsv, comparisons.tsv and provenance.json.
    n_jobs : int
        Processes.
    force : bool
        Compute every block again.

    Returns
    -------
    dict of str to DataFrame
        `scores`, `summary`, `comparisons`.

    Raises
    ------
    AuralignError
    """
    started = time.time()
    study = load_study(config)
    _make_writable(out)
    _make_writable(out / BLOCKS)
    for notice in _replaced(config, out):
        print(notice)
    for warning in study.warnings:
        print(warning)
    check_tests(config.tests, {name: list(layers) for name, layers in study.features.items()})
    blocks = _plan(config, study, out / BLOCKS)
    missing = [block for block in blocks if force or read_block(block.path) is None]
    if len(missing) < len(blocks):
        print(f"{len(blocks) - len(missing)} of {len(blocks)} blocks are there from an earlier run")
    try:
        _compute(config, study, missing, n_jobs)
        scores = _collect(study, blocks)
        warnings = study.warnings + edge_warnings(scores, config)
        for warning in warnings[len(study.warnings) :]:
            print(warning)
        summary = summarise(scores, study)
        comparisons = run_tests(scores, summary, config.tests, config.fdr)
        write_atomically(scores, out / "scores.parquet")
        write_atomically(summary, out / "summary.tsv")
        write_atomically(comparisons, out / "comparisons.tsv")
        provenance = describe(config, _features_metadata(study))
        provenance.update(
            stimuli=study.stimuli,
            splits=[{"development": d.tolist(), "test": t.tolist()} for d, t in study.splits],
            engines={block.estimator: block.engine for block in blocks},
            warnings=warnings,
            blocks={"all": len(blocks), "computed": len(missing)},
            seconds=round(time.time() - started, 3),
            finished=time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        )
        write_text_atomically(json.dumps(provenance, indent=2), out / "provenance.json")
    except OSError as error:
        raise AuralignError(
            f"{error.filename or out}: results cannot be written there ({error.strerror or error}). What was computed "
            "is kept; make room, or choose another folder with --out."
        ) from error
    return {"scores": scores, "summary": summary, "comparisons": comparisons}


def _make_writable(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe = folder / f".writable.{os.getpid()}"
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise AuralignError(
            f"{folder}: results cannot be written there ({error.strerror}). Choose another folder with --out."
        ) from error


def _replaced(config: Comparison, out: Path) -> list[str]:
    """Say which settings differ from those of the results that a run is about to replace."""
    try:
        old = json.loads((out / "provenance.json").read_text(encoding="utf-8"))
        before, finished = old["config"], old["finished"]
    except (OSError, ValueError, KeyError, TypeError):
        return []
    changed = [key for key, value in config.model_dump(mode="json").items() if before.get(key) != value]
    if not changed:
        return []
    return [
        f"{out}: this replaces the results of {finished}, which had other settings ({', '.join(changed)}); a "
        "report.html there is of the old run. Use --out to keep both."
    ]


def _responses(config: Comparison, study: Study) -> np.ndarray:
    """Return the responses [stimulus, target, repetition]; their mean alone where no correction for noise is wanted."""
    y = study.targets.to_numpy()
    return y.mean(axis=2, keepdims=True) if config.noise_correction == "off" else y


def _plan(config: Comparison, study: Study, folder: Path) -> list[Block]:
    y = _responses(config, study)
    n_columns = y.shape[1] * (1 + y.shape[2] if y.shape[2] > 1 else 1)
    blocks = []
    for name, layers in study.features.items():
        for index, layer in layers.items():
            for label, estimator in config.estimators.items():
                engine = choose_engine(config.engine, estimator, n_columns)
                key = block_key(layer.to_numpy(), y, study.splits, estimator, config.center, engine)
                path = folder / f"{key}.parquet"
                blocks.append(Block(name, index, layer.attrs["layer_name"], label, engine, path))
    return blocks


def _compute(config: Comparison, study: Study, blocks: list[Block], n_jobs: int) -> None:
    y = _responses(config, study)
    # slow blocks first, so that no process is left alone with one at the end
    order = sorted(blocks, key=lambda block: config.estimators[block.estimator].kind != "lasso")
    tasks = (
        delayed(compute_block)(
            study.features[block.features][block.layer].to_numpy(),
            y,
            study.splits,
            config.estimators[block.estimator],
            config.center,
            block.engine,
            block.path,
        )
        for block in order
    )
    workers = Parallel(n_jobs=min(n_jobs, max(len(blocks), 1)), return_as="generator_unordered")
    with tqdm(total=len(blocks), desc=config.name, unit="block", disable=not blocks) as progress:
        for _ in workers(tasks):
            progress.update()


def _collect(study: Study, blocks: list[Block]) -> pd.DataFrame:
    """Join the blocks into one table, one row per features x layer x target x estimator x split."""
    names = study.targets.target.to_numpy()
    tables = []
    for block in blocks:
        table = read_block(block.path)
        table.insert(0, "features", block.features)
        table.insert(1, "layer", block.layer)
        table.insert(2, "layer_name", block.layer_name)
        table["target"] = names[table["target"]]
        table.insert(4, "estimator", block.estimator)
        tables.append(table)
    return pd.concat(tables, ignore_index=True)[[*IDENTITY, *tables[0].columns.drop(IDENTITY)]]


def _features_metadata(study: Study) -> dict[str, dict]:
    return {name: next(iter(layers.values())).attrs["metadata"] for name, layers in study.features.items()}


def available_cores() -> int:
    """Count the cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
