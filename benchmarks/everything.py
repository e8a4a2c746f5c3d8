#!/usr/bin/env python
"""Every figure of speed that this package promises, in one run: seconds, memory, the goal, and named competitors.

Commands are measured as a reader types them, in processes of their own, from start to end: one feature layer and
30,000 voxels with three repetitions, on one process and on two; 300,000 voxels; four feature sets of ten layers and
7,694 voxels, and the report of it; features by junifer; what the start takes. The solvers are measured on one BLAS
thread beside scikit-learn and celer, in this process and on the same data. `whole / solver` says how much longer a
whole comparison takes than the ridge of all its splits alone; it may be 2 on one process: everything that is no solver
costs less than the solvers.

A machine that does something else meanwhile makes every figure worthless. `--repeat 3` gives medians of three.
"""

import json
import shutil
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from statistics import median

import click
import numpy as np
import pandas as pd
import soundfile
from threadpoolctl import threadpool_limits
from voxelwise_study import ROOT, run, simulate

N_SPLITS = 10  # of the published analysis
# ratios from which on a goal counts as reached: whole / solver, two processes over one, joint lasso over celer
MOST_WHOLE, LEAST_SCALING, LEAST_JOINT = 2.0, 1.8, 2.0
QUICK_SOUNDS, QUICK_VOXELS = 5, 300


@dataclass(frozen=True)
class Figure:
    """One line of the table.

    Attributes
    ----------
    work : str
    seconds : float
        Wall time of commands, CPU time of solvers.
    gib : float or None
        Largest memory of all processes together.
    goal : float or None
        Seconds.
    goal_gib : float or None
    ratio : float or None
    of : str
        What the ratio compares.
    goal_ratio : float or None
        At least, where it is a gain; at most for `whole / solver`.
    """

    work: str
    seconds: float
    gib: float | None = None
    goal: float | None = None
    goal_gib: float | None = None
    ratio: float | None = None
    of: str = ""
    goal_ratio: float | None = None

    def missed(self) -> list[str]:
        """Name what is behind its goal."""
        behind = []
        if self.goal is not None and self.seconds > self.goal:
            behind.append("time")
        if self.goal_gib is not None and (self.gib or 0) > self.goal_gib:
            behind.append("memory")
        if self.goal_ratio is not None and self.ratio is not None:
            most = self.of.startswith("whole")
            if self.ratio > self.goal_ratio if most else self.ratio < self.goal_ratio:
                behind.append("ratio")
        return behind


@dataclass(frozen=True)
class Setting:
    """How much is measured: `quick` takes small sizes, to which no goal applies."""

    quick: bool
    repeat: int

    def size(self, full: int, quick: int) -> int:
        """Return the size that is measured."""
        return quick if self.quick else full

    def median_of(self, measure: Callable[[], tuple[float, float]]) -> tuple[float, float]:
        """Return the medians of seconds and memory over the repeats."""
        seconds, gib = zip(*(measure() for _ in range(self.repeat)), strict=True)
        return median(seconds), median(gib)


def script(name: str, *arguments: str | Path) -> list[str]:
    """Return the command that runs a file of scripts/ or benchmarks/ with this Python."""
    return [sys.executable, str(ROOT / name), *map(str, arguments)]


# ------------------------------------------------------------------ whole comparisons


def compare(config: Path, n_jobs: int) -> tuple[float, float]:
    """Run a comparison that has no results yet; return seconds and GiB."""
    results = config.parent / "results"
    shutil.rmtree(results, ignore_errors=True)
    return run(script("scripts/compare.py", config, "--out", results, "--n-jobs", str(n_jobs)))


def solver_alone(voxels: int, layers: int, folder: Path) -> float:
    """Return the seconds that the ridge takes for all splits of a comparison, by growth.py from one split."""
    result = folder / "solver.json"
    run(
        script("benchmarks/growth.py", f"--voxels={voxels}", f"--layers={layers}", "--stimuli=165", f"--solve={result}")
    )
    return N_SPLITS * json.loads(result.read_text(encoding="utf-8"))


def voxels_30k(setting: Setting) -> Iterator[Figure]:
    """One layer, 30,000 voxels, on one process and on two."""
    voxels = setting.size(30_000, QUICK_VOXELS)
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        config = simulate(folder, 1, 1, voxels)
        solver = solver_alone(voxels, 1, folder)
        work = f"one layer, {voxels:,} voxels x 3 repetitions"
        one, gib = setting.median_of(partial(compare, config, 1))
        yield Figure(f"{work}, 1 process", one, gib, None, None, one / solver, "whole / solver", MOST_WHOLE)
        two, gib = setting.median_of(partial(compare, config, 2))
        yield Figure(f"{work}, 2 processes", two, gib, 15.0, None, one / two, "1 process / 2", LEAST_SCALING)
        yield Figure("its ridge alone, all splits", solver)


def voxels_300k(setting: Setting) -> Iterator[Figure]:
    """One layer, 300,000 voxels."""
    voxels = setting.size(300_000, 2 * QUICK_VOXELS)
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        config = simulate(folder, 1, 1, voxels)
        solver = solver_alone(voxels, 1, folder)
        seconds, gib = setting.median_of(partial(compare, config, 2))
        ratio = 2 * seconds / solver  # two processes
        yield Figure(
            f"one layer, {voxels:,} voxels, 2 processes", seconds, gib, 120.0, 2.5, ratio, "whole x 2 / solver", None
        )
        yield Figure("its ridge alone, all splits", solver)


def layers_and_report(setting: Setting) -> Iterator[Figure]:
    """Four feature sets of ten layers, 7,694 voxels, and the report."""
    sets, layers, voxels = (2, 2, QUICK_VOXELS) if setting.quick else (4, 10, 7694)
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        config = simulate(folder, sets, layers, voxels)
        solver = solver_alone(voxels, sets * layers, folder)
        work = f"{sets} x {layers} layers x {voxels:,} voxels"
        seconds, gib = setting.median_of(partial(compare, config, 2))
        ratio = 2 * seconds / solver
        yield Figure(f"{work}, 2 processes", seconds, gib, 100.0, 1.5, ratio, "whole x 2 / solver", None)
        seconds, gib = setting.median_of(partial(run, script("scripts/report.py", folder / "results")))
        yield Figure("the report of it", seconds, gib, 6.0)
        yield Figure("its ridge alone, all splits", solver)


# ------------------------------------------------------------------ features, start


def junifer(setting: Setting) -> Iterator[Figure]:
    """Features of 165 two-second sounds, without the network itself and reading."""
    n_sounds = setting.size(165, QUICK_SOUNDS)
    random = np.random.default_rng(0)
    with tempfile.TemporaryDirectory() as temporary:
        sounds, result = Path(temporary) / "sounds", Path(temporary) / "seconds.json"
        sounds.mkdir()
        for number in range(n_sounds):
            soundfile.write(sounds / f"stim{number}_noise.wav", 0.1 * random.standard_normal(88_200), 44_100)
        command = script("benchmarks/junifer_run.py", sounds, "--pattern", "{stimulus}.wav", f"--seconds={result}")
        parts, memory = [], []
        for _ in range(setting.repeat):
            memory.append(run(command)[1])
            parts.append(json.loads(result.read_text(encoding="utf-8")))
        rest = median(each["rest"] for each in parts) / n_sounds
        network = median(each["layers_of_batch"] for each in parts) / n_sounds
        collect = median(each["collect"] for each in parts) / n_sounds
        yield Figure(
            f"junifer and storing, per sound of {n_sounds}", rest, median(memory), 0.020, None, network / rest,
            "network / junifer and storing", 1.0,
        )  # fmt: skip
        yield Figure("collecting, per sound", collect)


def start(setting: Setting) -> Iterator[Figure]:
    """What a command takes that computes nothing."""
    for work, command in {
        "compare.py --help": script("scripts/compare.py", "--help"),
        "report.py --help": script("scripts/report.py", "--help"),
        "import auralign": [sys.executable, "-c", "import auralign"],
    }.items():
        yield Figure(work, median(_wall_seconds(command) for _ in range(setting.repeat)), goal=0.5)


def _wall_seconds(command: list[str]) -> float:
    """Time a command that is over before its memory could be read."""
    started = time.perf_counter()
    subprocess.run(command, cwd=ROOT, stdout=subprocess.DEVNULL, check=True)
    return time.perf_counter() - started


# ------------------------------------------------------------------ solvers beside others


def lasso(setting: Setting) -> Iterator[Figure]:
    """The joint lasso beside celer: like with like, at a gap of 1e-3 on both sides, and exact beside that of celer."""
    from lasso import EPS, LOOSE, celer, gap_along_path, joint_competitors, make_data, seconds

    from auralign.estimators.multitask_lasso import fit_multitask_lasso, joint_alpha_grid

    options = {"n_alphas": setting.size(50, 10), "eps": EPS}
    x, y = make_data("independent", setting.size(768, 100))
    alphas = joint_alpha_grid(x - x.mean(axis=0), y - y.mean(axis=0), **options)
    fastest, of = None, "celer is not installed: pip install celer"
    if celer is not None:
        of = f"celer with a gap of {LOOSE:g} / ours"
        reached = []
        for name, make in joint_competitors(setting.size(50, 10), setting.quick).items():
            if name.startswith("celer"):
                duration, model = seconds(lambda: make().fit(x, y), setting.repeat)  # noqa: B023
                if gap_along_path(model, x, y, alphas) <= LOOSE:
                    reached.append(duration)
        fastest = min(reached, default=None)
    for how, tolerance in ((f"gap {LOOSE:g}", {"tolerance": LOOSE}), ("exact", {})):
        ours, _ = seconds(lambda: fit_multitask_lasso(x, y, **options, **tolerance), setting.size(5, 1))  # noqa: B023
        ratio = None if fastest is None else fastest / ours
        goal = LEAST_JOINT if tolerance else None
        yield Figure(f"joint lasso, 6 targets, {how}", ours, ratio=ratio, of=of, goal_ratio=goal)


def ridge(setting: Setting) -> Iterator[Figure]:
    """The ridge of one split beside scikit-learn, all targets at once and one by one as published."""
    from ridge import GRIDS, N, competitors, cpu_seconds
    from ridge import simulate as simulate_split

    from auralign.estimators.ridge import predict_ridge

    targets, sample = setting.size(11_065, QUICK_VOXELS), setting.size(50, 6)
    x, y = simulate_split(targets, 1)
    x, x_test, y = x[:N], x[N:], y[:N]
    alphas = GRIDS["100 alphas (published)"]
    ours, _ = cpu_seconds(lambda: predict_ridge(x, y, x_test, alphas), max(3, setting.repeat))
    for name in competitors(x, y, x_test, alphas):
        if name.startswith("scikit-learn"):
            columns = sample if "one fit" in name else targets
            fit = competitors(x, y[:, :columns], x_test, alphas)[name]
            theirs = median(cpu_seconds(fit)[0] for _ in range(setting.repeat)) * targets / columns
            yield Figure(
                f"ridge of one split, {targets:,} targets, 100 alphas", ours, ratio=theirs / ours,
                of=f"{name}{f', from {columns} of them' if columns < targets else ''} / ours",
            )  # fmt: skip


PARTS: dict[str, Callable[[Setting], Iterator[Figure]]] = {
    "start": start,
    "junifer": junifer,
    "lasso": lasso,
    "ridge": ridge,
    "voxels": voxels_30k,
    "many-voxels": voxels_300k,
    "layers": layers_and_report,
}


def line(figure: Figure, with_goals: bool) -> str:
    """Write a figure as a line of the table."""
    seconds = f"{figure.seconds:10.3f}" if figure.seconds < 10 else f"{figure.seconds:10.1f}"
    gib = "" if figure.gib is None else f"{figure.gib:.2f}"
    goals = ""
    if with_goals:
        goal = "" if figure.goal is None else f"{figure.goal:g}"
        goal += "" if figure.goal_gib is None else f", {figure.goal_gib:g} GiB"
        missed = figure.missed()
        verdict = f"missed: {', '.join(missed)}" if missed else "reached"
        aims = figure.goal is not None or figure.goal_gib is not None or figure.goal_ratio is not None
        goals = f"  {goal:14}  {verdict if aims else '':20}"
    ratio = ""
    if figure.ratio is not None:
        bound = "at most" if figure.of.startswith("whole") else "at least"
        aim = f" ({bound} {figure.goal_ratio:g})" if with_goals and figure.goal_ratio is not None else ""
        ratio = f"{figure.ratio:.1f} = {figure.of}{aim}"
    return f"{figure.work:52}{seconds}{gib:>8}{goals}  {ratio or figure.of}".rstrip()


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--only", "chosen", type=click.Choice(list(PARTS)), multiple=True, help="These parts; by default all.")
@click.option("--repeat", type=click.IntRange(min=1), default=1, show_default=True, help="Medians of so many runs.")
@click.option("--quick", is_flag=True, help="Small sizes, which no goal is meant for: does it run?")
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), help="A table (.tsv) of the figures.")
def main(chosen: tuple[str, ...], repeat: int, quick: bool, out: Path | None) -> None:
    """Measure how long everything takes, and print it beside the goals and the competitors."""
    setting = Setting(quick, repeat)
    warnings.simplefilter("ignore")  # competitors that do not converge: their gap decides
    click.echo(f"{'':52}{'seconds':>10}{'GiB':>8}" + ("" if quick else f"  {'goal':14}  {'':20}") + "  ratio")
    figures = []
    with threadpool_limits(1):
        for part, measure in PARTS.items():
            if not chosen or part in chosen:
                for figure in measure(setting):
                    click.echo(line(figure, not quick))
                    figures.append({"part": part, **asdict(figure)})
    if out is not None:
        pd.DataFrame(figures).to_csv(out, sep="\t", index=False)
        click.echo(out)


if __name__ == "__main__":
    main()
