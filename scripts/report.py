#!/usr/bin/env python
"""Write the report of one or several results folders."""

from pathlib import Path

import click

from auralign.cli import command
from auralign.report import describe, read_results, write_report


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("results", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--out", type=click.Path(path_type=Path), help="The page; by default report.html in the first folder.")
def main(results: tuple[Path, ...], out: Path | None) -> None:
    """Write report.html, one self-contained page, and figures/ (SVG, PNG, data) for the folders RESULTS.

    Several folders make one page that compares them.

    Exit status: 0 done, 1 failed, 2 wrong usage, 130 interrupted.
    """
    page = write_report(list(results), out)
    for folder in results:
        click.echo(describe(read_results(folder)))
    click.echo(f"\nreport: {page}")


if __name__ == "__main__":
    command.run(main)
