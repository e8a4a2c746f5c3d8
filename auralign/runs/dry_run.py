"""What a comparison would compute, what is there already, how long it takes and how much it needs: nothing is kept."""

import resource
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from ..config.models import Comparison
from ..errors import ConfigError
from ..estimators.registry import abilities
from ..inputs.arrays import store_array
from ..inputs.study import load_study
from ..questions.block import compute_block
from ..questions.encoding.blocks import Job
from ..questions.encoding.ceiling_blocks import CeilingBlock
from ..questions.encoding.chance_blocks import ChanceBlock
from ..questions.encoding.plan import EncodingPlan, Planned
from ..questions.question import Place, questions_of
from ..wording import counted, duration, size
from .compare import BLOCKS

# s that measuring takes at most, about; estimators that are not measured by then are told by their size
PATIENCE = 20.0
# of a block with more targets, so many are measured where each is solved by itself, which takes long
MEASURED_TARGETS = 64


@dataclass(frozen=True)
class Part:
    """The blocks of one feature set and one estimator, or those of no single layer (noise ceilings, above_chance).

    Attributes
    ----------
    features, estimator : str
    layers, blocks, done : int
        Blocks, and how many of them are there from an earlier run; a layer of many targets has several.
    work : int
        Units x targets of all blocks that are missing together.
    seconds : float
        One process's time for the missing blocks, s.
    n_bytes : float
        Of their results.
    is_measured : bool
        By one split of one of its blocks; else by the size, from the estimator's nearest block that was measured.
    """

    features: str
    estimator: str
    layers: int
    blocks: int
    done: int
    work: int
    seconds: float
    n_bytes: float
    is_measured: bool


@dataclass(frozen=True)
class DryRun:
    """What a run would be.

    Attributes
    ----------
    name : str
    out : Path
    n_stimuli, n_targets, n_repetitions, n_splits, n_jobs : int
    parts : list of Part
    array_bytes : int
        Of the arrays that lie beside the blocks while a run goes on.
    process_bytes : int or None
        Largest memory of a process that computed some blocks; None where nothing was measured.
    warnings : list of str
        What the readers of the inputs found.
    """

    name: str
    out: Path
    n_stimuli: int
    n_targets: int
    n_repetitions: int
    n_splits: int
    n_jobs: int
    parts: list[Part]
    array_bytes: int
    process_bytes: int | None
    warnings: list[str]

    @property
    def missing(self) -> int:
        """Blocks that would be computed."""
        return sum(part.blocks - part.done for part in self.parts)

    @property
    def seconds(self) -> float:
        """How long the blocks take with `n_jobs` processes, s; tables, tests and reading come on top."""
        return sum(part.seconds for part in self.parts) / max(1, min(self.n_jobs, self.missing))


def dry_run_of(config: Comparison, out: Path, n_jobs: int = 1, force: bool = False) -> DryRun:
    """Read the inputs of a comparison, plan its blocks, and measure some of them in a temporary folder.

    Parameters
    ----------
    config : Comparison
    out : Path
        Where the results would go; blocks that are there are not computed again.
    n_jobs : int
        Processes of this machine.
    force : bool
        Count every block as missing.

    Raises
    ------
    AuralignError
        As `run_comparison`, where the inputs do not fit.
    """
    others = [question.name for question in questions_of(config) if question.name != "encoding"]
    if others:
        raise ConfigError(f"--dry-run is of encoding alone; this comparison asks for {', '.join(others)}.")
    with tempfile.TemporaryDirectory(prefix="auralign-") as folder:
        scratch = Path(folder)
        study = load_study(config, scratch, config.needs_categories)
        plan = EncodingPlan(config, study, Place((out / BLOCKS).absolute(), scratch, config.memory_per_worker))
        groups: dict[tuple[str, str], list[Planned]] = {}
        for planned in plan.planned:
            groups.setdefault((planned.features, planned.estimator), []).append(planned)
        array_bytes = sum(path.stat().st_size for path in scratch.rglob("*") if path.is_file())
        parts, measured = _parts(groups, scratch, force)
        parts += _others("noise ceilings", "", plan.ceilings, scratch, force)
        for tested in plan.tested:
            parts += _others(f"above_chance {tested.features}", tested.estimator, tested.blocks, scratch, force)
    return DryRun(
        name=config.name,
        out=out,
        n_stimuli=len(study.stimuli),
        n_targets=study.targets.sizes["target"],
        n_repetitions=study.targets.sizes["repetition"],
        n_splits=len(study.splits),
        n_jobs=n_jobs,
        parts=parts,
        array_bytes=array_bytes,
        process_bytes=_peak_memory() if measured else None,
        warnings=study.warnings,
    )


def _parts(groups: dict[tuple[str, str], list[Planned]], scratch: Path, force: bool) -> tuple[list[Part], bool]:
    """Estimate every feature set and estimator, small ones first, so that much is measured in little time."""
    missing = {
        pair: [planned.job for planned in blocks if force or not planned.job.is_done] for pair, blocks in groups.items()
    }
    # by estimator, of what was measured last: s for one unit and target, bytes for one target
    rates: dict[str, tuple[float, float]] = {}
    found, started = {}, time.perf_counter()
    for (features, estimator), jobs in sorted(missing.items(), key=lambda item: sum(map(_work, item[1]))):
        work = sum(map(_work, jobs))
        # of many layers the middle one: depth does not matter, units may
        is_measured = bool(jobs) and (estimator not in rates or time.perf_counter() - started < PATIENCE)
        if is_measured:
            job = sorted(jobs, key=_work)[len(jobs) // 2]
            if not rates:
                _measure(job, scratch)  # the first time, libraries are loaded
            seconds, n_bytes = _measure(job, scratch)
            rates[estimator] = seconds / _work(job), n_bytes / _targets(job)
        of_work, of_target = rates[estimator] if jobs else (0.0, 0.0)
        blocks = groups[features, estimator]
        found[features, estimator] = Part(
            features,
            estimator,
            len({planned.layer for planned in blocks}),
            len(blocks),
            len(blocks) - len(jobs),
            work,
            of_work * work,
            of_target * sum(map(_targets, jobs)),
            is_measured,
        )
    return [found[pair] for pair in groups], bool(rates)


def _others(
    what: str, estimator: str, blocks: Sequence[CeilingBlock | ChanceBlock], scratch: Path, force: bool
) -> list[Part]:
    """Estimate blocks that are of no single layer, one of which is measured."""
    missing = [block for block in blocks if force or not block.is_done]
    if not blocks:
        return []
    seconds = n_bytes = 0.0
    if missing:
        with tempfile.TemporaryDirectory(dir=scratch) as folder:
            started = time.perf_counter()
            compute_block(replace(missing[0], folder=Path(folder), scratch=Path(folder)))
            share = sum(block.cost for block in missing) / missing[0].cost
            seconds = share * (time.perf_counter() - started)
            n_bytes = share * sum(path.stat().st_size for path in Path(folder).iterdir())
    done = len(blocks) - len(missing)
    return [Part(what, estimator, 0, len(blocks), done, 0, seconds, n_bytes, True)]


def _measure(job: Job, scratch: Path) -> tuple[float, float]:
    """Compute one split of a block: seconds and bytes of the whole block."""
    n_targets, times = _targets(job), float(len(job.splits))
    with tempfile.TemporaryDirectory(dir=scratch) as folder:
        one = replace(job, splits=job.splits[:1], folder=Path(folder), scratch=Path(folder))
        can = abilities(job.estimator)
        if n_targets > MEASURED_TARGETS and (can.sparse or can.by_target):
            first = job.responses.load(slice(job.part.start, job.part.start + MEASURED_TARGETS))
            one = replace(one, responses=store_array(first, scratch), part=slice(0, MEASURED_TARGETS))
            times *= n_targets / MEASURED_TARGETS
        started = time.perf_counter()
        compute_block(one)
        seconds = time.perf_counter() - started
        n_bytes = sum(path.stat().st_size for path in Path(folder).iterdir())
    return seconds * times, n_bytes * times


def _work(job: Job) -> int:
    return _targets(job) * sum(band.shape[1] for band in job.bands)


def _targets(job: Job) -> int:
    return job.part.stop - job.part.start


def _peak_memory() -> int:
    """Return the most memory that this process has had, bytes: kB on Linux, bytes on macOS."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else 1024 * peak


def describe_dry_run(run: DryRun) -> str:
    """Say what a run would compute, how long it takes and how much it needs."""
    repeated = f", {run.n_repetitions} repetitions each" if run.n_repetitions > 1 else ""
    total = sum(part.blocks for part in run.parts)
    lines = [
        f"{run.name}: {counted(run.n_stimuli, 'stimulus')}, {counted(run.n_targets, 'target')}{repeated}, "
        f"{counted(run.n_splits, 'split')}; results go to {run.out}",
        *run.warnings,
        "",
    ]
    labels = [f"{part.features} {part.estimator}".rstrip() for part in run.parts]
    width = max(map(len, labels))
    for label, part in zip(labels, run.parts, strict=True):
        count = counted(part.layers or part.blocks, "layer" if part.layers else "block")
        cut = f" in {counted(part.blocks, 'block')}" if part.layers not in (0, part.blocks) else ""
        there = f", {part.done} there already" if part.done else ""
        how = "" if part.blocks == part.done else f": about {duration(part.seconds)} of one process"
        how += "" if part.is_measured or part.blocks == part.done else " (by its size)"
        lines.append(f"  {label:{width}s}  {count}{cut}{there}{how}")
    lines += ["", f"to compute: {run.missing} of {counted(total, 'block')}"]
    if not run.missing:
        return "\n".join([*lines, "time: seconds, only tables and tests are made again"])
    by_size = sum(not part.is_measured and part.done < part.blocks for part in run.parts)
    ground = "measured: one split of one block of each line"
    if by_size:
        ground += f" but {by_size}, told by the size"
    n_bytes = sum(part.n_bytes for part in run.parts)
    lines += [
        f"time: about {duration(run.seconds)} with --n-jobs {run.n_jobs}, and tables and tests",
        f"      ({ground}, with this machine as busy as it is)",
        f"disk: about {size(n_bytes)} of results; while it runs, {size(run.array_bytes)} of arrays more",
    ]
    if run.process_bytes is not None:
        lines.append(f"memory: about {size(run.process_bytes)} for each process (the most that measuring took)")
    return "\n".join([*lines, "nothing was written; without --dry-run it is computed"])
