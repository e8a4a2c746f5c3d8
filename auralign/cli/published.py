"""`auralign published`: published results and tables; also compare_published.py and convert_regions.py of scripts/."""

from pathlib import Path

import click

from . import command

# auralign.inputs.published.voxels.STUDIES, without importing it for `--help`
STUDIES = ("NH2015", "B2021")


@click.group(cls=command.Group, context_settings=command.HELP)
def main() -> None:
    """Published results beside a run of yours, and published tables as text."""


@main.command(context_settings=command.HELP)
@click.argument("results", type=click.Path(path_type=Path))
@click.option(
    "--features",
    "given",
    multiple=True,
    metavar="NAME=PUBLISHED",
    help="Which published network a feature set is, for example mine=AST or mine=AST:permuted; may be repeated.",
)
@click.option(
    "--outputs",
    type=click.Path(path_type=Path),
    help="Published results themselves (df_output.pkl, outputs/*.csv) instead of the tables that come along.",
)
def compare(results: Path, given: tuple[str, ...], outputs: Path | None) -> None:
    """Print the differences between the folder RESULTS and published numbers, and write compare_published.tsv there.

    Feature sets are recognised by their checkpoint, by a name in the tables, or by --features.

    \b
    Example:
      auralign published compare results/spectrotemporal

    Exit status: 0 done, whatever the differences; 1 failed, 2 wrong usage, 130 interrupted.
    """
    from ..analysis.published_differences import describe_differences, differences, identify, our_rows, read_run
    from ..errors import DataError
    from ..inputs.published.results import read_outputs
    from ..inputs.published.tables import read_reference, write_table

    pairs = [pair.partition("=") for pair in given]
    if wrong := [pair for pair, (name, _, value) in zip(given, pairs, strict=True) if not name or not value]:
        raise click.UsageError(f"--features {wrong[0]}: expected NAME=PUBLISHED.")
    run = read_run(results)
    sets = list(dict.fromkeys(run.summary["features"]))
    mapping = {name: value for name, _, value in pairs}
    if unknown := sorted(set(mapping) - set(sets)):
        raise click.UsageError(f"--features {unknown[0]}: {results} has no such features; it has {', '.join(sets)}.")
    identities = {name: identify(name, run.metadata.get(name, {}), mapping) for name in sets}
    known = {name: identity for name, identity in identities.items() if identity is not None}
    if not known:
        raise DataError(f"{results}: none of the features {', '.join(sets)} is known; use --features NAME=PUBLISHED.")
    published = read_reference() if outputs is None else read_outputs(outputs)
    joined = differences(our_rows(run, known), published)
    if joined.empty:
        raise DataError(f"{results}: nothing comparable was published of {', '.join(known)}.")
    click.echo(describe_differences(joined))
    if rest := [name for name in sets if name not in known]:
        click.echo(f"\nnot compared: {', '.join(rest)}; --features NAME=PUBLISHED says which published network one is")
    if run.splits != "tuckute2023":
        click.echo(f"\nmind: these splits are `{run.splits}`, the published ones `tuckute2023`")
    write_table(joined, results / "compare_published.tsv")
    click.echo(f"\ntable: {results / 'compare_published.tsv'}")


@main.command(context_settings=command.HELP)
@click.argument("pickled", metavar="PKL", type=click.Path(path_type=Path))
@click.argument("table", metavar="TSV", type=click.Path(path_type=Path))
@click.option("--study", type=click.Choice(STUDIES), help="Adds the names of the study's voxels (`target_table`).")
def regions(pickled: Path, table: Path, study: str | None) -> None:
    """Convert a table pickled by pandas 1.0 to 2.3 (PKL) to TSV, without running anything that the pickle asks for.

    \b
    Example:
      auralign published regions df_roi_meta.pkl regions.tsv --study NH2015

    Exit status: 0 done, 1 failed, 2 wrong usage, 130 interrupted.
    """
    from ..inputs.published.regions import convert_regions

    frame = convert_regions(pickled, table, study)
    click.echo(f"{table}: {len(frame)} rows; {', '.join(frame.columns)}")
