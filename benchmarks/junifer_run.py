#!/usr/bin/env python
"""Where the time of `junifer run` goes: the network, reading sounds, and junifer's own work.

Runs the untrained base network on every sound of a dataset through junifer's own command, in this process, with clocks
around the parts. Usage: python benchmarks/junifer_run.py [DATASET_FOLDER] [--pattern PATTERN]
"""

import json
import tempfile
import time
from collections import Counter
from pathlib import Path

import click
import torch
from click.testing import CliRunner
from junifer.cli.cli import cli

from auralign.files.yaml_text import write_yaml
from custom_markers.networks.encodecmae.marker import EncodecMAE

PARTS = {"prepare": "making the network", "_read": "reading, resampling", "layers_of_batch": "the network"}
DEFAULT = Path(__file__).resolve().parents[1] / "datalad_dataset" / "natsound165"


def with_clock(method: str, seconds: Counter):
    """Wrap a method of the marker so that the time inside it is counted; calls inside calls count once."""
    original = getattr(EncodecMAE, method)

    def timed(self, *arguments):
        started, inside = time.perf_counter(), sum(seconds.values())
        result = original(self, *arguments)
        seconds[method] += time.perf_counter() - started - (sum(seconds.values()) - inside)
        return result

    setattr(EncodecMAE, method, timed)


def measure(dataset: Path, pattern: str, threads: int) -> dict[str, float]:
    """Run and collect all sounds of a dataset.

    Returns
    -------
    dict of str to float
        Wall seconds by what they went into: the keys of `PARTS`, `rest` of `run`, and `collect`; and `sounds`, how
        many there are.
    """
    torch.set_num_threads(threads)
    seconds: Counter = Counter()
    for method in PARTS:
        with_clock(method, seconds)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "run.yml"
        content = {
            "with": "custom_markers",
            "workdir": folder,
            "datagrabber": {"kind": "AudioStimuli", "dataset": str(dataset.resolve()), "pattern": pattern},
            "markers": [{"name": "untrained", "kind": "EncodecMAE", "checkpoint": "untrained"}],
            "storage": {"kind": "HDF5FeatureStorage", "uri": "features/features.hdf5"},
        }
        file.write_text(write_yaml(content), encoding="utf-8")
        total = {}
        for command in ("run", "collect"):
            started = time.perf_counter()
            result = CliRunner().invoke(cli, [command, str(file), "--verbose", "error"])
            if result.exception:
                raise result.exception
            total[command] = time.perf_counter() - started
        n_sounds = len(list((Path(folder) / "features").glob("element_*")))
    rest = total["run"] - sum(seconds.values())
    return {**seconds, "rest": rest, "collect": total["collect"], "sounds": n_sounds}


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("dataset", type=click.Path(exists=True, file_okay=False, path_type=Path), default=DEFAULT)
@click.option("--pattern", default="sounds/wav/{stimulus}.wav", show_default=True)
@click.option("--threads", default=1, show_default=True)
@click.option("--seconds", "result", type=click.Path(path_type=Path), hidden=True)
def main(dataset: Path, pattern: str, threads: int, result: Path | None) -> None:
    """Run and collect all sounds of DATASET and print wall times."""
    seconds = measure(dataset, pattern, threads)
    if result is not None:
        result.write_text(json.dumps(seconds), encoding="utf-8")
        return
    n_sounds = int(seconds["sounds"])
    total = sum(seconds[part] for part in (*PARTS, "rest"))
    click.echo(f"{n_sounds} sounds, base network, {threads} thread(s); junifer run {total:.1f} s:")
    for part, name in {**PARTS, "rest": "junifer, storing"}.items():
        each = f"  {1e3 * seconds[part] / n_sounds:.0f} ms a sound" if part == "rest" else ""
        click.echo(f"  {name:22} {seconds[part]:6.1f} s  {100 * seconds[part] / total:5.1f} %{each}")
    click.echo(f"junifer collect {seconds['collect']:.1f} s")


if __name__ == "__main__":
    main()
