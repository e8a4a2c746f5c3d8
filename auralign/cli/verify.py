"""`auralign verify`, which is also scripts/verify.py: a result computed again and compared."""

import sys
from pathlib import Path

import click

from . import command


@click.command(context_settings=command.HELP)
@click.argument("results", type=click.Path(path_type=Path))
@click.option(
    "--tolerance",
    type=click.FloatRange(min=0),
    default=1e-10,
    show_default=True,
    help="Largest absolute difference of a score that counts as none.",
)
@click.option("--n-jobs", type=click.IntRange(min=1), default=None, help="Processes; by default one per core.")
def main(results: Path, tolerance: float, n_jobs: int | None) -> None:
    """Compute the result in the folder RESULTS again from its provenance.json and say by how much it differs.

    Says which input files, tables, versions and code changed since; computes in a temporary folder, so that nothing in
    RESULTS changes; prints the largest difference of every score and where it is. Inputs are looked for relative to
    RESULTS first, so that a study may be moved.

    \b
    Example:
      auralign verify results/quickstart

    Exit status: 0 all scores are within the tolerance and no table was changed after the run; 1 not so, or failed; 2
    wrong usage, 130 interrupted.
    """
    from ..runs.cores import available_cores
    from ..runs.rerun.changes import check, describe_check
    from ..runs.rerun.verify import describe_verification, recompute

    checked = check(results)
    click.echo(describe_check(checked) + "\n")
    verification = recompute(checked, tolerance, n_jobs or available_cores())
    click.echo(describe_verification(verification))
    if checked.tables or not verification.is_reproduced:
        sys.exit(1)
