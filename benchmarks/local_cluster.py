"""One layer of a large study on a dask cluster of this machine whose workers have little memory: does it finish?

Simulates a study as `voxelwise_study.py` and computes it with `scripts/compare.py --scheduler`. A worker that takes
more than its limit is ended by dask, and its block is tried again: the workers that were lost are counted.
"""

import resource
import sys
import tempfile
from pathlib import Path

import click
from distributed import Client, LocalCluster
from voxelwise_study import ROOT, run, simulate


def peak_memory() -> int:
    """Return the most memory that this process has had resident, bytes (Linux)."""
    return 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


@click.command()
@click.option("--voxels", type=click.IntRange(min=61), default=300_000, show_default=True)
@click.option("--workers", type=click.IntRange(min=1), default=2, show_default=True)
@click.option("--memory", default="1GiB", show_default=True, help="Of each worker.")
def main(voxels: int, workers: int, memory: str) -> None:
    """Run the study and print its time, the largest memory of each worker, and that of the command itself."""
    size = {"n_workers": workers, "threads_per_worker": 1, "memory_limit": memory}
    with (
        tempfile.TemporaryDirectory() as scratch,
        LocalCluster(**size, dashboard_address=None, local_directory=scratch) as cluster,
        Client(cluster) as client,
    ):
        folder = Path(scratch)
        config = simulate(folder, 1, 1, voxels)
        started = set(client.scheduler_info(n_workers=-1)["workers"])
        options = ["--scheduler", cluster.scheduler_address, "--memory-per-worker", memory]
        script, out = str(ROOT / "scripts" / "compare.py"), str(folder / "results")
        seconds, peak = run([sys.executable, script, str(config), "--out", out, *options])
        peaks = client.run(peak_memory)
        lost = len(started - set(peaks))
    click.echo(f"{voxels:,} voxels x 1 layer on {workers} workers of {memory}: {seconds:.0f} s, {lost} workers lost")
    click.echo(f"most memory of a worker: {', '.join(f'{value / 2**30:.2f}' for value in peaks.values())} GiB")
    click.echo(f"most memory of the command itself: {peak:.2f} GiB")


if __name__ == "__main__":
    main()
