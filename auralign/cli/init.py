"""`auralign init`: the two YAML files of a study of one's own sounds and responses."""

from pathlib import Path

import click

from . import command


@click.command(context_settings=command.HELP)
@click.argument("sounds", metavar="WAVS", type=click.Path(path_type=Path))
@click.argument("responses", type=click.Path(path_type=Path))
@click.option("--name", help="Of the study and its files; by default that of the folder WAVS.")
@click.option("--out", type=click.Path(path_type=Path), default=Path("."), help="Where the files go; by default here.")
@click.option("--drop", is_flag=True, help="Leave out what lacks a sound or a response, instead of refusing.")
@click.option("--force", is_flag=True, help="Replace files of this name.")
def main(sounds: Path, responses: Path, name: str | None, out: Path, drop: bool, force: bool) -> None:
    """Write the two YAML files of a study of the sounds in the folder WAVS and the table RESPONSES.

    WAVS is a plain folder (or a DataLad dataset) of sound files. RESPONSES is a table (.tsv, .csv, .parquet, ...): a
    column `stimulus` with the names of the files without their ending, and one column per target (component, voxel,
    ...); an optional column `repetition` (0, 1, ...). Both files are commented and run as they are written.

    \b
    Example:
      auralign init my_wavs responses.tsv
      auralign features run junifer_yamls/my_wavs.yml
      auralign run julearn_configs/my_wavs.yml
      auralign report results/my_wavs

    Exit status: 0 done, 1 failed, 2 wrong usage or configuration, 130 interrupted.
    """
    from .new_pair import plan_pair, write_pair

    pair = plan_pair(sounds, responses, name, out, drop)
    for note in pair.notes:
        click.echo(note)
    features, comparison = write_pair(pair, out, force)
    click.echo(f"{pair.sentence}\n\nwritten: {features}\n         {comparison}\n\nnext:")
    click.echo(f"  auralign features run {features}")
    click.echo(f"  auralign run {comparison}")
    click.echo(f"  auralign report results/{pair.name}")
