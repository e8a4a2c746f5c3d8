"""Run a comparison: every block that is missing, then the tables."""

import json
import os
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from tqdm import tqdm

from ..analysis.hypothesis_options import check_hypotheses
from ..analysis.paired_tests import best_layer_warnings, check_tests
from ..config.models import Comparison
from ..errors import AuralignError
from ..inputs.arrays import store_array
from ..inputs.repetitions import mean_response
from ..inputs.study import Study, load_study
from ..questions.blocks import (
    SELECTED,
    Job,
    compute_block,
    is_done,
    read_block,
    write_atomically,
    write_text_atomically,
)
from ..questions.encoding.above_chance import untested
from ..questions.encoding.engines import check_inner_folds, choose_engine
from ..questions.encoding.options import settle_metric
from ..questions.encoding.summary import IDENTITY, edge_warnings, target_metadata
from ..questions.encoding.tables import FILES, make_tables
from ..questions.preparation import preparation_of
from .provenance import describe, describe_tables
from .scratch import owned_folder
from .workers import run_unordered

BLOCKS = ".blocks"


@dataclass(frozen=True)
class Block:
    """One (features, layer, estimator) of a comparison and what is to be computed for it."""

    features: str
    layer: int
    layer_name: str
    estimator: str
    job: Job


def run_comparison(
    config: Comparison,
    out: Path,
    n_jobs: int = 1,
    force: bool = False,
    scheduler: str | None = None,
    config_file: Path | None = None,
) -> dict[str, pd.DataFrame]:
    """Run a comparison into a folder and return its tables.

    Blocks that an earlier run finished are kept: a block's file is named by a hash of the numbers and settings that
    determine it, so that a changed configuration or input never meets old results.

    Parameters
    ----------
    config : Comparison
    out : Path
        Made if need be; gets the tables of `make_tables`, scores.parquet and provenance.json.
    n_jobs : int
        Processes of this machine.
    force : bool
        Compute every block again.
    scheduler : str, optional
        Address of a dask scheduler, whose workers then compute the blocks; instead of the configuration's.

    Returns
    -------
    dict of str to DataFrame
        `scores`, and the tables by the name of their file without ending (`summary`, `comparisons`, ...).

    Raises
    ------
    AuralignError
    """
    started = time.time()
    _make_writable(out)
    _make_writable(out / BLOCKS)
    try:
        # beside the blocks and not in a temporary folder: the workers of a cluster open these arrays by their path
        with owned_folder(out / BLOCKS) as scratch:
            study = load_study(config, scratch, config.needs_categories)
            check_inner_folds(config.estimators, study.splits, study.groups)
            repeated = study.targets.sizes["repetition"] > 1
            config = settle_metric(config, repeated)
            layers = {name: list(of_set) for name, of_set in study.features.items()}
            warnings = study.warnings + best_layer_warnings(config.tests, layers)
            for notice in [*_replaced(config, out), *warnings]:
                print(notice)
            check_tests(config.tests, layers, repeated and config.noise_correction != "off")
            targets = target_metadata(study)
            check_hypotheses(config.hypotheses, layers, list(config.estimators), targets.set_index("target"))
            blocks = _plan(config, study, (out / BLOCKS).absolute(), scratch.absolute())
            missing = [block for block in blocks if force or not is_done(block.job)]
            if len(missing) < len(blocks):
                print(f"{len(blocks) - len(missing)} of {len(blocks)} blocks are there from an earlier run")
            _compute(config, missing, n_jobs, scheduler or config.scheduler)
            scores = _collect(study, blocks)
            found = edge_warnings(scores, config) + untested(config)
            for warning in found:
                print(warning)
            warnings += found
            tables = make_tables(config, study, targets, scores, _collect_selected(study, blocks))
        write_atomically(scores, out / "scores.parquet")
        for name, table in tables.items():
            write_atomically(table, out / FILES[name])
        for name in set(FILES) - set(tables):
            (out / FILES[name]).unlink(missing_ok=True)  # of an earlier run with other settings
        provenance = describe(config, _features_metadata(study), out, config_file)
        provenance.update(
            tables=describe_tables([out / "scores.parquet", *(out / FILES[name] for name in tables)]),
            stimuli=study.stimuli,
            splits=[{"development": d.tolist(), "test": t.tolist()} for d, t in study.splits],
            engines={block.estimator: block.job.engine for block in blocks},
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
    return {"scores": scores, **tables}


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
    changed = [key for key, value in config.model_dump(mode="json").items() if before.get(key, value) != value]
    if not changed:
        return []
    return [
        f"{out}: this replaces the results of {finished}, which had other settings ({', '.join(changed)}); a "
        "report.html there is of the old run. Use --out to keep both."
    ]


def _responses(config: Comparison, study: Study) -> np.ndarray:
    """Return the responses [stimulus, target, repetition]; their mean alone where no correction for noise is wanted."""
    y = study.targets.to_numpy()
    return mean_response(y)[:, :, None] if config.noise_correction == "off" else y


def _plan(config: Comparison, study: Study, folder: Path, scratch: Path) -> list[Block]:
    y = _responses(config, study)
    responses = store_array(y, scratch)
    n_columns = y.shape[1] * (1 + y.shape[2] if y.shape[2] > 1 else 1)
    blocks = []
    for name, layers in study.features.items():
        for index, layer in layers.items():
            preparation = preparation_of(config, study, name, layer)
            for label, estimator in config.estimators.items():
                job = Job(
                    bands=layer.bands,
                    responses=responses,
                    splits=study.splits,
                    estimator=estimator,
                    engine=choose_engine(config.engine, estimator, n_columns, preparation.removal is not None),
                    preparation=preparation,
                    folder=folder,
                    scratch=scratch,
                    label=f"features {name}, layer {index} ({layer.name}), estimator {label}",
                    groups=study.groups,
                )
                blocks.append(Block(name, index, layer.name, label, job))
    return blocks


def _compute(config: Comparison, blocks: list[Block], n_jobs: int, scheduler: str | None) -> None:
    # slow blocks first, so that no process is left alone with one at the end
    jobs = sorted((block.job for block in blocks), key=lambda job: not job.is_sparse)
    if not jobs:
        return
    with tqdm(total=len(jobs), desc=config.name, unit="block") as progress:
        for _ in run_unordered(compute_block, jobs, min(n_jobs, len(jobs)), scheduler):
            progress.update()


def _collect(study: Study, blocks: list[Block]) -> pd.DataFrame:
    """Join the scores of all blocks, one row per features x layer x target x estimator x split."""
    return _joined([(block, read_block(block.job.scores_file)) for block in blocks], study)


def _collect_selected(study: Study, blocks: list[Block]) -> pd.DataFrame | None:
    """Join what sparse estimators selected, one row per features x layer x target x estimator x split x unit."""
    sparse = [block for block in blocks if block.job.is_sparse]
    if not sparse:
        return None
    return _joined([(block, read_block(block.job.selected_file, SELECTED)) for block in sparse], study)


def _joined(tables: list[tuple[Block, pd.DataFrame]], study: Study) -> pd.DataFrame:
    """Put the tables of blocks below each other, with the names of what they are of."""
    counts = [len(table) for _, table in tables]
    joined = pd.concat([table for _, table in tables], ignore_index=True)
    for column in ("features", "layer", "layer_name", "estimator"):
        values = [getattr(block, column) for block, _ in tables]
        joined[column] = np.repeat(np.array(values, dtype=np.int64 if column == "layer" else object), counts)
    joined["target"] = study.targets.target.to_numpy().astype(object)[joined["target"].to_numpy()]
    return joined[[*IDENTITY, *joined.columns.drop(IDENTITY)]]


def _features_metadata(study: Study) -> dict[str, dict]:
    return {name: next(iter(layers.values())).metadata for name, layers in study.features.items()}


def available_cores() -> int:
    """Count the cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
