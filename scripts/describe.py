#!/usr/bin/env python
"""Describe a result as an RO-Crate."""

from pathlib import Path

import click

from auralign.cli import command
from auralign.runs.rerun.crate import NO_LICENCE, write_crate


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("results", type=click.Path(path_type=Path))
@click.option("--root", type=click.Path(path_type=Path), help="The folder that is shared; by default RESULTS.")
@click.option("--licence", default=NO_LICENCE, help="Of the shared folder: an address (https://...) or a text.")
def main(results: Path, root: Path | None, licence: str) -> None:
    """Write ro-crate-metadata.json (RO-Crate 1.1, JSON-LD) about the folder RESULTS: files, inputs, software.

    Exit status: 0 done, 1 failed, 2 wrong usage, 130 interrupted.
    """
    click.echo(f"written: {write_crate(results, root, licence)}")


if __name__ == "__main__":
    command.run(main)
