#!/usr/bin/env python
"""Convert the published df_roi_meta.pkl to a table."""

from pathlib import Path

import click

from auralign.cli import command
from auralign.inputs.published.regions import convert_regions
from auralign.inputs.published.voxels import STUDIES


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("pickled", metavar="PKL", type=click.Path(path_type=Path))
@click.argument("table", metavar="TSV", type=click.Path(path_type=Path))
@click.option("--study", type=click.Choice(STUDIES), help="Adds the names of the study's voxels (`target_table`).")
def main(pickled: Path, table: Path, study: str | None) -> None:
    """Convert a table pickled by pandas 1.0 to 2.3 (PKL) to TSV, without running anything that the pickle asks for.

    Exit status: 0 done, 1 failed, 2 wrong usage, 130 interrupted.
    """
    frame = convert_regions(pickled, table, study)
    click.echo(f"{table}: {len(frame)} rows; {', '.join(frame.columns)}")


if __name__ == "__main__":
    command.run(main)
