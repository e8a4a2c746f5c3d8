"""`auralign run`, which is also scripts/compare.py: a comparison."""

from pathlib import Path

import click

from . import command


@click.command(context_settings=command.HELP)
@click.argument("config", type=click.Path(path_type=Path))
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    help="Results; by default ./results/<name>.",
)
@click.option("--n-jobs", type=click.IntRange(min=1), default=None, help="Processes; by default one per core.")
@click.option("--scheduler", help="Address (or .json file) of a dask scheduler, see docs/cluster.md.")
@click.option("--memory-per-worker", help="Memory that a process may take, such as 1GiB; by default what it needs.")
@click.option("--force", is_flag=True, help="Compute again what is there already.")
@click.option("--dry-run", is_flag=True, help="Say what would be computed, how long and how much; write nothing.")
def main(
    config: Path,
    out: Path | None,
    n_jobs: int | None,
    scheduler: str | None,
    memory_per_worker: str | None,
    force: bool,
    dry_run: bool,
) -> None:
    """Run the comparison in CONFIG (a file of julearn_configs/).

    Writes scores.parquet (every split), summary.tsv, comparisons.tsv (tests), layer_choice.tsv and further tables,
    measures.parquet (every number once more, in one long table) and provenance.json. An interrupted run goes on where
    it stopped when it is started again. Exit status: 0 done, 1 failed, 2 wrong usage or configuration, 130 interrupted.

    \b
    Examples:
      auralign run julearn_configs/quickstart.yml --dry-run
      auralign run julearn_configs/quickstart.yml --n-jobs 4
    """
    from ..config.reading import read_config
    from ..errors import ConfigError
    from ..runs.compare import run_comparison
    from ..runs.cores import available_cores

    comparison = read_config(config)
    if memory_per_worker is not None:
        comparison = comparison.model_copy(update={"memory_per_worker": _bytes(memory_per_worker)})
    out = out or Path("results") / comparison.name
    if out.exists() and not out.is_dir():
        raise ConfigError(f"{out}: a file is in the place of the results. Choose another folder with --out.")
    n_jobs = n_jobs or available_cores()
    try:
        if dry_run:
            from ..runs.dry_run import describe_dry_run, dry_run_of

            click.echo(describe_dry_run(dry_run_of(comparison, out, n_jobs, force)))
            return
        run_comparison(comparison, out, n_jobs, force, scheduler, config)
    except ConfigError as error:
        raise ConfigError(f"{config}: {error}") from error
    from ..report import describe, read_results  # loads matplotlib, which a run does not need

    click.echo(describe(read_results(out)))
    click.echo(f"\nresults: {out}    report: {command.to_type('report', 'report.py')} {out}")


def _bytes(given: str) -> int:
    from ..config.models import memory_bytes

    try:
        return memory_bytes(given)
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="--memory-per-worker") from error
