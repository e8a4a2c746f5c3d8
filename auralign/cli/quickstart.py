"""`auralign quickstart`: the whole flow on the built-in synthetic study, as scripts/quickstart.sh in a checkout."""

import time
from pathlib import Path

import click

from . import command

DATASET, NAME = "phantom", "quickstart"


@click.command(context_settings=command.HELP)
@click.option("--n-jobs", type=click.IntRange(min=1), default=None, help="Processes; by default one per core.")
def main(n_jobs: int | None) -> None:
    """Run the whole flow on the built-in synthetic study, in this folder.

    Builds the DataLad dataset, extracts features of a small seeded network and of a log-mel spectrum with junifer,
    compares ridge and lasso on six components with julearn, and writes results/quickstart/report.html. Its YAML files
    are put into junifer_yamls/ and julearn_configs/, from where they can be changed and run again. What an earlier run
    finished is kept. Takes up to three minutes on 2 cores, no network, no GPU.

    \b
    Example:
      mkdir study && cd study && auralign quickstart

    Exit status: 0 done, 1 failed, 2 wrong usage or configuration, 130 interrupted.
    """
    from ..extras import require
    from ..files.shipped import bring
    from .data import ROOT, prepare, with_recipes
    from .features import CONFIGS, YAMLS, extract

    require("data", "the quickstart")
    require("features", "the quickstart")
    started = time.monotonic()
    (features,), (comparison,) = (bring(folder.name, [f"{NAME}.yml"], folder) for folder in (YAMLS, CONFIGS))
    _say("1/4 dataset: 165 synthetic sounds and their responses")
    for line in prepare(with_recipes(None, (DATASET,)), DATASET, None, get=True):
        click.echo(f"{ROOT / DATASET}: {line}")
    _say(f"2/4 features: auralign features run {features}")
    # the network is so small that more threads would only wait for each other
    extract(features, 1)
    _say(f"3/4 comparison: auralign run {comparison}")
    out = Path("results") / NAME
    _compare(comparison, out, n_jobs)
    _say(f"4/4 report: auralign report {out}")
    _report(out, n_jobs)
    _say(f"done in {time.monotonic() - started:.0f} s; open {out / 'report.html'}")


def _compare(comparison: Path, out: Path, n_jobs: int | None) -> None:
    from ..config.reading import read_config
    from ..runs.compare import run_comparison
    from ..runs.cores import available_cores

    run_comparison(read_config(comparison), out, n_jobs or available_cores(), config_file=comparison)


def _report(out: Path, n_jobs: int | None) -> None:
    from ..report import describe, read_results, write_report
    from ..runs.cores import available_cores

    results = read_results(out)
    page = write_report([results], n_jobs=n_jobs or available_cores())
    click.echo(f"{describe(results)}\n\nreport: {page}")


def _say(step: str) -> None:
    click.echo(f"== {step}")
