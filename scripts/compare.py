#!/usr/bin/env python
"""Run a comparison: how well do feature sets predict responses?"""

from pathlib import Path

import click

from auralign.cli import command
from auralign.config.reading import read_config
from auralign.errors import ConfigError
from auralign.runs.compare import available_cores, run_comparison


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("config", type=click.Path(path_type=Path))
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    help="Results; by default ./results/<name>.",
)
@click.option("--n-jobs", type=click.IntRange(min=1), default=None, help="Processes; by default one per core.")
@click.option("--scheduler", help="Address (or .json file) of a dask scheduler, see docs/cluster.md.")
@click.option("--force", is_flag=True, help="Compute again what is there already.")
def main(config: Path, out: Path | None, n_jobs: int | None, scheduler: str | None, force: bool) -> None:
    """Run the comparison in CONFIG (a file of julearn_configs/).

    Writes scores.parquet (every split), summary.tsv, comparisons.tsv (tests), layer_choice.tsv and further tables, and
    provenance.json. An interrupted run
    goes on where it stopped when it is started again. Exit status: 0 done, 1 failed, 2 wrong usage or configuration,
    130 interrupted.
    """
    comparison = read_config(config)
    out = out or Path("results") / comparison.name
    try:
        run_comparison(comparison, out, n_jobs or available_cores(), force, scheduler, config)
    except ConfigError as error:
        raise ConfigError(f"{config}: {error}") from error
    from auralign.report import describe, read_results  # loads matplotlib, which a run does not need

    click.echo(describe(read_results(out)))
    report = Path(__file__).resolve().with_name("report.py")
    report = report.relative_to(Path.cwd()) if report.is_relative_to(Path.cwd()) else report
    click.echo(f"\nresults: {out}    report: python {report} {out}")


if __name__ == "__main__":
    command.run(main)
