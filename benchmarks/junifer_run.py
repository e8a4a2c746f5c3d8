#!/usr/bin/env python
"""Where the time of `junifer run` goes: the network, reading sounds, and junifer's own work.

Runs the untrained base network on every sound of a dataset through junifer's own command, in this process, with clocks
around the parts. Usage: python benchmarks/junifer_run.py [DATASET_FOLDER] [--pattern PATTERN]
"""

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


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("dataset", type=click.Path(exists=True, file_okay=False, path_type=Path), default=DEFAULT)
@click.option("--pattern", default="sounds/wav/{stimulus}.wav", show_default=True)
@click.option("--threads", default=1, show_default=True)
def main(dataset: Path, pattern: str, threads: int) -> None:
    """Run and collect all sounds of DATASET and print wall times."""
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
    print(f"{n_sounds} sounds, base network, {threads} thread(s); junifer run {total['run']:.1f} s:")
    for method, name in PARTS.items():
        print(f"  {name:22} {seconds[method]:6.1f} s  {100 * seconds[method] / total['run']:5.1f} %")
    share = 100 * rest / total["run"]
    print(f"  {'junifer, storing':22} {rest:6.1f} s  {share:5.1f} %  {1e3 * rest / n_sounds:.0f} ms a sound")
    print(f"junifer collect {total['collect']:.1f} s")


if __name__ == "__main__":
    main()
