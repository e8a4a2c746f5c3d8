"""`auralign describe`, which is also scripts/describe.py: a result as an RO-Crate."""

from pathlib import Path

import click

from . import command


@click.command(context_settings=command.HELP)
@click.argument("results", type=click.Path(path_type=Path))
@click.option("--root", type=click.Path(path_type=Path), help="The folder that is shared; by default RESULTS.")
@click.option("--licence", help="Of the shared folder: an address (https://...) or a text.")
def main(results: Path, root: Path | None, licence: str | None) -> None:
    """Write ro-crate-metadata.json (RO-Crate 1.1, JSON-LD) about the folder RESULTS: files, inputs, software.

    \b
    Example:
      auralign describe results/quickstart --licence https://creativecommons.org/licenses/by/4.0/

    Exit status: 0 done, 1 failed, 2 wrong usage, 130 interrupted.
    """
    from ..runs.rerun.crate import NO_LICENCE, write_crate

    click.echo(f"written: {write_crate(results, root, NO_LICENCE if licence is None else licence)}")
