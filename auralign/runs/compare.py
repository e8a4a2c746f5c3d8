"""Run a comparison: plan what is asked, compute every block that is missing, make and write the tables."""

import json
import os
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pandas as pd
from tqdm import tqdm

from ..config.models import Comparison
from ..errors import AuralignError
from ..files.atomic import write_atomically, write_text_atomically
from ..inputs.study import Study, load_study
from ..questions.block import Block, compute_block
from ..questions.measures import FILE as MEASURES
from ..questions.measures import SCHEMA
from ..questions.question import QUESTIONS, Place, Plan, Question, get_question, questions_of
from .making import Made, Tables, make_tables, write_measures
from .provenance import describe, describe_tables
from .scratch import owned_folder
from .workers import Workers, open_workers

BLOCKS = ".blocks"
PROVENANCE = "provenance.json"
# settings that change no number
HOW_IT_RUNS = {"scheduler", "memory_per_worker", "worker_retries"}
# processes that are started before it is known how many blocks there are
START_EARLY = 4
# progress is the share of the estimated time, not of the blocks
BAR = "{desc}: {percentage:3.0f}%|{bar}| [{elapsed}<{remaining}{postfix}]"


def run_comparison(
    config: Comparison,
    out: Path,
    n_jobs: int = 1,
    force: bool = False,
    scheduler: str | None = None,
    config_file: Path | None = None,
) -> Mapping[str, pd.DataFrame]:
    """Run a comparison into a folder and return its tables.

    Blocks that an earlier run finished are kept: a block's file is named by a hash of the numbers and settings that
    determine it, so that a changed configuration or input never meets old results. A table that cannot be made does not
    lose the others: they are written, then the error is raised.

    Parameters
    ----------
    config : Comparison
        Or the settings of another question's comparison (`config.models.comparison_model`).
    out : Path
        Made if need be; gets the tables of the questions that are asked, measures.parquet and provenance.json.
    n_jobs : int
        Processes of this machine.
    force : bool
        Compute every block again.
    scheduler : str, optional
        Address of a dask scheduler, whose workers then compute the blocks; instead of the configuration's.

    Returns
    -------
    mapping of str to DataFrame
        By the name of their file without ending (of encoding `scores`, `summary`, `comparisons`, ...). Large ones are
        read when they are asked for.

    Raises
    ------
    AuralignError
    """
    started = time.time()
    _make_writable(out)
    _make_writable(out / BLOCKS)
    # beside the blocks and not in a temporary folder: the workers of a cluster open these arrays by their path
    asked = questions_of(config)
    with _explained(out), owned_folder(out / BLOCKS) as scratch, _workers(config, asked, n_jobs, scheduler) as workers:
        if force or not any((out / BLOCKS).glob("*.parquet")):
            workers.start(min(n_jobs, START_EARLY))  # they import what they need while the study is read
        study = load_study(config, scratch, any(question.needs_categories(config) for question in asked))
        place = Place((out / BLOCKS).absolute(), scratch.absolute(), config.memory_per_worker)
        config, plans = _plan(config, asked, study, place)
        warnings = study.warnings + [warning for plan in plans.values() for warning in plan.warnings]
        for notice in [*_replaced(config, out), *warnings]:
            print(notice)
        blocks = [block for plan in plans.values() for block in plan.blocks]
        if force:
            for block in blocks:
                block.forget()
        missing = [block for block in blocks if not block.is_done]
        if len(missing) < len(blocks):
            print(f"{len(blocks) - len(missing)} of {len(blocks)} blocks are there from an earlier run")
        _compute(config.name, missing, workers)
        workers.stop()  # tables are made in this process, and need the memory
        made = make_tables(plans)
        write_measures(plans, made, scratch / MEASURES)
        for warning in made.warnings:
            print(warning)
        _write(made, out, scratch)
        provenance = describe(config, _features_metadata(study), out, config_file)
        for plan in plans.values():
            provenance.update(plan.record())
        provenance.update(
            schema=SCHEMA,
            questions=[question.name for question in asked],
            tables=describe_tables(out / file for file in made.files),
            stimuli=study.stimuli,
            splits=[{"development": d.tolist(), "test": t.tolist()} for d, t in study.splits],
            warnings=warnings + made.warnings,
            blocks={"all": len(blocks), "computed": len(missing)},
            seconds=round(time.time() - started, 3),
            finished=time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        )
        write_text_atomically(json.dumps(provenance, indent=2), out / PROVENANCE)
        made.raise_failures(out)
    return Tables(made.tables, {name: out / made.file_of(name) for name in made.tables})


@contextmanager
def _explained(out: Path) -> Iterator[None]:
    """Say where and why results cannot be written."""
    try:
        yield
    except OSError as error:
        raise AuralignError(
            f"{error.filename or out}: results cannot be written there ({error.strerror or error}). What was computed "
            "is kept; make room, or choose another folder with --out."
        ) from error


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
        old = json.loads((out / PROVENANCE).read_text(encoding="utf-8"))
        before, finished = old["config"], old["finished"]
    except (OSError, ValueError, KeyError, TypeError):
        return []
    settings = config.model_dump(mode="json", exclude=HOW_IT_RUNS)
    changed = [key for key, value in settings.items() if before.get(key, value) != value]
    if not changed:
        return []
    return [
        f"{out}: this replaces the results of {finished}, which had other settings ({', '.join(changed)}); a "
        "report.html there is of the old run. Use --out to keep both."
    ]


def _plan(
    config: Comparison, asked: list[Question], study: Study, place: Place
) -> tuple[Comparison, dict[Question, Plan]]:
    """Plan every question with the settings that those before it have decided; also return the settings as run."""
    plans = {}
    for question in asked:
        plans[question] = question.plan(config, study, place)
        config = plans[question].options
    return config, plans


def _workers(
    config: Comparison, asked: list[Question], n_jobs: int, scheduler: str | None
) -> AbstractContextManager[Workers]:
    modules = [module for question in asked for module in question.modules]
    return open_workers(n_jobs, scheduler or config.scheduler, config.worker_retries, modules)


def _compute(name: str, blocks: list[Block], workers: Workers) -> None:
    if not blocks:
        return
    # slow blocks first, so that no process is left alone with one at the end
    ordered = sorted(blocks, key=lambda block: -block.cost)
    totals: Counter[str] = Counter()
    for block in blocks:
        totals[block.unit] += block.size
    done: Counter[str] = Counter()
    with tqdm(total=sum(map(_microseconds, blocks)), desc=name, bar_format=BAR, smoothing=0) as progress:
        for cost, size, unit in workers.run(_computed, ordered):
            done[unit] += size
            progress.set_postfix_str(", ".join(f"{done[u]:,} of {n:,} {u}" for u, n in totals.items()), refresh=False)
            progress.update(cost)


def _computed(block: Block) -> tuple[int, int, str]:
    """Compute a block unless it is done, as one whose worker was lost after its end; say what of the work it was."""
    if not block.is_done:
        compute_block(block)
    return _microseconds(block), block.size, block.unit


def _microseconds(block: Block) -> int:
    """Round the estimated time, so that the sums of progress are exact."""
    return max(1, round(1e6 * block.cost))


def _write(made: Made, out: Path, scratch: Path) -> None:
    """Write the tables, and remove those of an earlier run with other settings.

    What says that the folder is finished goes first and comes last: a run that is stopped in between leaves a folder
    that is refused, and none in which tables of two runs stand beside each other.
    """
    files = made.files
    for name in (PROVENANCE, MEASURES):
        (out / name).unlink(missing_ok=True)
    for name, table in made.tables.items():
        if isinstance(table, Path):
            os.replace(table, out / made.file_of(name))
        else:
            write_atomically(table, out / made.file_of(name))
    if MEASURES in files:
        os.replace(scratch / MEASURES, out / MEASURES)
    for question in map(get_question, QUESTIONS):
        for table in question.tables.values():
            if table.file not in files:
                (out / table.file).unlink(missing_ok=True)


def _features_metadata(study: Study) -> dict[str, dict]:
    return {name: next(iter(layers.values())).metadata for name, layers in study.features.items()}
