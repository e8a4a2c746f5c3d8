#!/usr/bin/env python
"""Build the DataLad datasets from their recipes, and bring their files."""

import time
from collections.abc import Iterator
from pathlib import Path

import click

from auralign import command, datasets
from auralign.errors import AuralignError, DatasetError
from auralign.recipes import read_recipe

ROOT = Path(__file__).resolve().parents[1] / "datalad_dataset"


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("names", nargs=-1, metavar="[NAME...]")
@click.option("--source", type=click.Path(path_type=Path), help="Copy the files from this folder, checked.")
@click.option("--get", is_flag=True, help="Fetch the files with datalad get.")
@click.option("--root", type=click.Path(path_type=Path), default=ROOT, help="Where recipes and datasets are.")
def main(names: tuple[str, ...], source: Path | None, get: bool, root: Path) -> None:
    """Build the datasets NAME..., by default those of every recipe. Needs no network without --get.

    A dataset that stands already is left as it is. Exit status: 0 done, 1 failed, 2 wrong usage, 130
    interrupted.
    """
    recipes = sorted(path.stem for path in root.glob("*.yml"))
    if not recipes:
        raise click.UsageError(f"{root} holds no recipe (*.yml)")
    if unknown := [name for name in names if name not in recipes]:
        raise click.UsageError(f"no recipe {', '.join(unknown)} in {root}; there are: {', '.join(recipes)}")
    if source is not None and len(names) != 1:
        raise click.UsageError("--source belongs to one NAME")
    failures = []
    for name in names or recipes:
        try:
            for line in prepare(root, name, source, get):
                click.echo(f"{name}: {line}")
        except AuralignError as error:
            failures.append(f"{name}: {error}")
    if failures:
        raise DatasetError("\n".join(failures))


def prepare(root: Path, name: str, source: Path | None, get: bool) -> Iterator[str]:
    """Build one dataset, then bring its files: one line on each step when it is done."""
    start = time.monotonic()
    built = datasets.build(read_recipe(root / f"{name}.yml"), root / name)
    yield f"built in {time.monotonic() - start:.1f} s" if built else "stands already, left as it is"
    if source is not None:
        number, problems = datasets.supply(root / name, source)
        yield f"{number} files taken from {source}"
        if problems:
            raise DatasetError("\n  ".join([f"{len(problems)} problems:", *problems]))
    if get:
        yield f"{datasets.get(root / name)} files fetched"


if __name__ == "__main__":
    command.run(main)
