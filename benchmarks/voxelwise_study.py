#!/usr/bin/env python
"""Time and memory of a whole voxelwise study, through the command that a reader types.

Simulates the size of the published analysis (feature sets x layers, 165 stimuli, 768 units, 7,694 voxels, three
repetitions), writes it as a dataset and tables, and runs `scripts/compare.py` on it: ridge with leave-one-out alphas
on the ten published splits, for the mean response and every repetition, corrected for noise. Reading the inputs and
writing the results count. The authors of the published analysis state three days on 24 cores for theirs.
"""

import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import click
import numpy as np
import pandas as pd
import psutil

ROOT = Path(__file__).resolve().parent.parent
N_UNITS, N_REPETITIONS = 768, 3
# voxels whose responses are simulated at a time: bounds the memory of this process
CHUNK = 4096
AUTHORS = 3 * 24 * 3600  # seconds of wall time, on 24 cores


def simulate(folder: Path, feature_sets: int, layers: int, voxels: int, stimuli: int = 165) -> Path:
    """Write a study into a folder and return its configuration.

    A tenth of the variance of a repetition is linear in the first layers, a fifth is stable but not linear in them.
    """
    random = np.random.default_rng(0)
    names = [f"stim{number}_sound" for number in range(1, stimuli + 1)]
    scale = 10.0 / np.sqrt(np.arange(1, N_UNITS + 1))
    first, features = [], {}
    for name in (f"set{number}" for number in range(feature_sets)):
        path = folder / f"{name}.tsv"
        for layer in range(layers):
            x = (random.standard_normal((stimuli, N_UNITS)) * scale).astype(np.float32)
            units = pd.DataFrame(x, columns=[f"u{unit}" for unit in range(N_UNITS)])
            table = units.assign(stimulus=names, layer=layer)
            table.to_csv(path, sep="\t", index=False, mode="a" if layer else "w", header=layer == 0)
            if layer == 0:
                first.append(x)
        features[name] = {"table": path.name}
    dataset = folder / "dataset"
    (dataset / "data").mkdir(parents=True)
    (dataset / "sounds").mkdir()
    shape = (stimuli, voxels, N_REPETITIONS)
    y = np.lib.format.open_memmap(dataset / "data" / "voxels.npy", mode="w+", dtype=np.float32, shape=shape)
    for start in range(0, voxels, CHUNK):
        width = min(CHUNK, voxels - start)
        signal = np.hstack(first) @ random.standard_normal((N_UNITS * feature_sets, width))
        stable = np.sqrt(0.1) * signal / signal.std(axis=0) + np.sqrt(0.2) * random.standard_normal(signal.shape)
        noise = np.sqrt(0.7) * random.standard_normal((*stable.shape, N_REPETITIONS))
        y[:, start : start + width] = stable[:, :, None] + noise
    y.flush()
    metadata = pd.DataFrame({"target": [f"v{voxel:06d}" for voxel in range(voxels)], "subject": np.arange(voxels) % 8})
    metadata.to_csv(dataset / "data" / "voxels.tsv", sep="\t", index=False)
    pd.DataFrame({"stimulus": names}).to_csv(dataset / "sounds" / "stimuli.tsv", sep="\t", index=False)
    halves = {"train_size": stimuli - stimuli // 2, "test_size": stimuli // 2}
    config = folder / "voxelwise.yml"
    settings = {
        "name": "voxelwise",
        "features": features,
        "targets": {"kind": "voxels", "dataset": "dataset"},
        "splits": {"kind": "tuckute2023"} if stimuli == 165 else {"kind": "shuffle", "n_splits": 10} | halves,
        "estimators": {"ridge": {"kind": "ridge", "alphas": {"logspace": [-3, 8, 12]}}},
    }
    config.write_text(json.dumps(settings), encoding="utf-8")  # JSON is YAML
    return config


def compare(folder: Path, config: Path, n_jobs: int) -> tuple[float, float]:
    """Run `scripts/compare.py`; return its wall seconds and the peak memory of all its processes in GiB."""
    script = ROOT / "scripts" / "compare.py"
    options = ["--out", str(folder / "results"), "--n-jobs", str(n_jobs)]
    return run([sys.executable, str(script), str(config), *options])


def run(command: list[str]) -> tuple[float, float]:
    """Run a command; return its wall seconds and the peak memory of all its processes in GiB.

    Memory is the proportional set size, in which pages that processes share count once; read every 0.5 s.
    """
    start, peak = time.perf_counter(), 0
    process = psutil.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL)  # progress and errors stay visible
    while process.poll() is None:
        peak = max(peak, proportional_size(process))
        time.sleep(0.5)
    if process.returncode:
        raise click.ClickException(f"{' '.join(command)} failed with exit status {process.returncode}.")
    return time.perf_counter() - start, peak / 2**30


def proportional_size(process: psutil.Process) -> int:
    """Sum the proportional set sizes of a process and its descendants, in bytes."""
    total = 0
    try:
        for member in (process, *process.children(recursive=True)):
            total += member.memory_full_info().pss
    except (
        psutil.Error
    ):  # one of them has just ended: what is summed so far is a lower bound, the next reading is whole
        return total
    return total


@click.command()
@click.option("--feature-sets", type=click.IntRange(min=1), default=4, show_default=True)
@click.option("--layers", type=click.IntRange(min=1), default=10, show_default=True)
@click.option("--voxels", type=click.IntRange(min=61), default=7694, show_default=True)
@click.option("--n-jobs", type=click.IntRange(min=1), default=2, show_default=True)
@click.option("--quick", is_flag=True, help="Two feature sets of two layers, 300 voxels: does it run?")
def main(feature_sets: int, layers: int, voxels: int, n_jobs: int, quick: bool) -> None:
    """Simulate a voxelwise study and measure how long it takes."""
    if quick:
        feature_sets, layers, voxels = 2, 2, 300
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        seconds, peak = compare(folder, simulate(folder, feature_sets, layers, voxels), n_jobs)
        rows = len(pd.read_parquet(folder / "results" / "scores.parquet", columns=["split"]))
    click.echo(
        f"\n{feature_sets} feature sets x {layers} layers x 10 splits x {voxels} voxels x (mean + {N_REPETITIONS} "
        f"repetitions), {rows} rows of scores: {seconds:.0f} s on {n_jobs} processes, at most {peak:.2f} GiB"
    )
    if (feature_sets, layers, voxels) == (4, 10, 7694):
        click.echo(f"the authors' three days on 24 cores: {24 * AUTHORS / seconds / n_jobs:.0f} times the core-hours")


if __name__ == "__main__":
    main()
