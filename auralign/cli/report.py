"""`auralign report`, which is also scripts/report.py: the page of one or several results."""

from pathlib import Path

import click

from . import command


@click.command(context_settings=command.HELP)
@click.argument("results", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--out", type=click.Path(path_type=Path), help="The page; by default report.html in the first folder.")
@click.option("--n-jobs", type=click.IntRange(min=1), help="Processes that draw figures; by default all cores.")
def main(results: tuple[Path, ...], out: Path | None, n_jobs: int | None) -> None:
    """Write report.html, one self-contained page, and figures/ (SVG, PNG, data) for the folders RESULTS.

    Several folders make one page that compares them.

    \b
    Examples:
      auralign report results/quickstart
      auralign report results/first results/second --out both.html

    Exit status: 0 done, 1 failed, 2 wrong usage, 130 interrupted.
    """
    from ..report import describe, read_results, write_report
    from ..runs.cores import available_cores

    opened = [read_results(folder) for folder in results]
    page = write_report(opened, out, n_jobs or available_cores())
    for one in opened:
        click.echo(describe(one))
    click.echo(f"\nreport: {page}")
