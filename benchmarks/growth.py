#!/usr/bin/env python
"""How time and memory grow with voxels, layers and stimuli; writes a table and a figure.

Two things are measured, each in processes of its own: the `command`, `scripts/compare.py` on a simulated voxelwise
study (ten splits, the mean and three repetitions, noise-corrected; everything from reading to the tables), and the
`solver`, `auralign.estimators.ridge.predict_ridge` alone on one split of the same size, voxels in chunks so that no
chunk is kept. One axis varies, the others stay at 165 stimuli (83 of them development), one layer of 768 units and
2,000 voxels.
"""

import json
import sys
import tempfile
import time
from pathlib import Path

import click
import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.ticker import NullFormatter
from threadpoolctl import threadpool_limits
from voxelwise_study import CHUNK, N_REPETITIONS, N_UNITS, ROOT, compare, run, simulate

AXES = {
    "voxels": [1000, 3000, 10_000, 30_000, 100_000, 300_000],
    "layers": [1, 2, 4, 8, 16, 32],
    "stimuli": [40, 80, 165, 330, 660, 1320, 2640],
}
QUICK = {"voxels": [100, 300], "layers": [1, 2], "stimuli": [40, 80]}
FIXED = {"voxels": 2000, "layers": 1, "stimuli": 165}


def solve(voxels: int, layers: int, stimuli: int) -> float:
    """Return the seconds that the solver takes for one split of every layer, responses drawn chunk by chunk."""
    from auralign.estimators.numerics.decomposition import decompose
    from auralign.estimators.ridge import predict_ridge

    random = np.random.default_rng(0)
    n = stimuli - stimuli // 2
    seconds = 0.0
    for _ in range(layers):
        x = 10.0 * random.standard_normal((stimuli, N_UNITS)) / np.sqrt(np.arange(1, N_UNITS + 1))
        start = time.perf_counter()
        decomposition = decompose(x[:n])
        seconds += time.perf_counter() - start
        for first in range(0, voxels, CHUNK):
            columns = min(CHUNK, voxels - first) * (1 + N_REPETITIONS)
            y = x[:n, :8] @ random.standard_normal((8, columns)) + 10.0 * random.standard_normal((n, columns))
            start = time.perf_counter()
            predict_ridge(x[:n], y, x[n:], np.logspace(-3, 8, 12), decomposition=decomposition)
            seconds += time.perf_counter() - start
    return seconds


def measure(what: str, size: dict[str, int], n_jobs: int) -> tuple[float, float]:
    """Return wall seconds and peak memory in GiB of one case."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        if what == "command":
            config = simulate(folder, 1, size["layers"], size["voxels"], size["stimuli"])
            return compare(folder, config, n_jobs)
        result = folder / "seconds.json"
        options = [f"--{name}={value}" for name, value in size.items()]
        _, peak = run([sys.executable, str(Path(__file__).resolve()), *options, f"--solve={result}"])
        return json.loads(result.read_text()), peak


def add(out: Path, row: dict) -> None:
    """Add one measurement to growth.tsv, in place of an older one of the same case, and draw growth.svg again."""
    path, case = out / "growth.tsv", ["axis", "what", "size"]
    older = [pd.read_csv(path, sep="\t")] if path.exists() else []
    table = pd.concat([*older, pd.DataFrame([row])]).drop_duplicates(case, keep="last").sort_values(case).round(3)
    table.to_csv(path, sep="\t", index=False)
    plot(table, out / "growth.svg")


def plot(table: pd.DataFrame, path: Path) -> None:
    """Draw seconds and memory against each axis, both logarithmic."""
    matplotlib.rcParams.update({"svg.hashsalt": "growth", "svg.fonttype": "none", "font.size": 9})
    figure, axes = plt.subplots(2, len(AXES), figsize=(9, 5), sharex="col", sharey="row", layout="constrained")
    for column, axis in zip(axes.T, AXES, strict=True):
        rows = table[table["axis"] == axis]
        for panel, quantity in zip(column, ("seconds", "peak_gib"), strict=True):
            for what, marker in (("command", "o-"), ("solver", "s--")):
                part = rows[rows["what"] == what].sort_values("size")
                panel.plot(part["size"], part[quantity], marker, label=what, markersize=4)
            panel.set(xscale="log", yscale="log")
            panel.grid(alpha=0.3)
        column[1].set_xlabel(axis)
        column[1].xaxis.set_minor_formatter(NullFormatter())
    axes[0, 0].set_ylabel("seconds")
    axes[1, 0].set_ylabel("peak memory (GiB)")
    axes[0, 0].legend(frameon=False)
    figure.savefig(path, metadata={"Date": None})
    plt.close(figure)


@click.command()
@click.option("--out", type=click.Path(path_type=Path), default=ROOT / "docs", show_default="docs/")
@click.option("--axis", "chosen", type=click.Choice(list(AXES)), multiple=True, help="Measure these only.")
@click.option("--smallest", type=click.IntRange(min=1), default=None, help="Leave out smaller sizes.")
@click.option("--largest", type=click.IntRange(min=1), default=None, help="Leave out larger sizes.")
@click.option("--n-jobs", type=click.IntRange(min=1), default=2, show_default=True, help="Of the command.")
@click.option("--quick", is_flag=True, help="Two small sizes of each axis: does it run?")
@click.option("--solve", "result", type=click.Path(path_type=Path), hidden=True)
@click.option("--voxels", type=int, hidden=True)
@click.option("--layers", type=int, hidden=True)
@click.option("--stimuli", type=int, hidden=True)
def main(
    out: Path,
    chosen: tuple[str, ...],
    smallest: int | None,
    largest: int | None,
    n_jobs: int,
    quick: bool,
    result: Path | None,
    voxels: int | None,
    layers: int | None,
    stimuli: int | None,
) -> None:
    """Measure, and write growth.tsv and growth.svg; cases of an older growth.tsv there that are not measured stay."""
    if result is not None:
        with threadpool_limits(1):
            result.write_text(json.dumps(solve(voxels, layers, stimuli)))
        return
    out.mkdir(parents=True, exist_ok=True)
    for axis, sizes in (QUICK if quick else AXES).items():
        for size in sizes:
            if (chosen and axis not in chosen) or size < (smallest or 0) or size > (largest or size):
                continue
            for what in ("solver", "command"):
                seconds, peak = measure(what, FIXED | {axis: size}, n_jobs)
                # at once, so that an interrupted run keeps what it has
                add(out, {"axis": axis, "what": what, "size": size, "seconds": seconds, "peak_gib": peak})
                click.echo(f"{size:7d} {axis:8s} {what:8s} {seconds:9.2f} s   {peak:6.2f} GiB")
    click.echo(f"{out / 'growth.tsv'}, {out / 'growth.svg'}")


if __name__ == "__main__":
    main()
