#!/usr/bin/env python
"""Build the DataLad datasets from their recipes, and bring their files."""

import time
from collections.abc import Iterator
from pathlib import Path

import click

from auralign.cli import command
from auralign.datasets import archives
from auralign.datasets import building as datasets
from auralign.datasets.recipes import read_recipe
from auralign.errors import AuralignError, DatasetError

ROOT = Path(__file__).resolve().parents[1] / "datalad_dataset"


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("names", nargs=-1, metavar="[NAME...]")
@click.option("--source", type=click.Path(path_type=Path), help="Copy the files from this folder, checked.")
@click.option("--get", is_flag=True, help="Fetch the files with datalad get.")
@click.option("--subset", "subsets", multiple=True, help="With --source, --get, --unpack: only these files.")
@click.option("-J", "--jobs", type=click.IntRange(min=1), help="With --get: files fetched at the same time.")
@click.option("--unpack", is_flag=True, help="Add the members of the archives that are here.")
@click.option("--members", multiple=True, metavar="PATTERN", help="With --unpack: only these members.")
@click.option("--root", type=click.Path(path_type=Path), default=ROOT, help="Where recipes and datasets are.")
def main(
    names: tuple[str, ...],
    source: Path | None,
    get: bool,
    subsets: tuple[str, ...],
    jobs: int | None,
    unpack: bool,
    members: tuple[str, ...],
    root: Path,
) -> None:
    """Build the datasets NAME..., by default those of every recipe. Needs no network without --get.

    A subset is a name that the recipe gives, a path, a folder, or a pattern in which * matches anything; --subset and
    --members may be repeated. A dataset that stands already is left as it is. Exit status: 0 done, 1 failed, 2 wrong
    usage, 130 interrupted.
    """
    recipes = sorted(path.stem for path in root.glob("*.yml"))
    if not recipes:
        raise click.UsageError(f"{root} holds no recipe (*.yml)")
    if unknown := [name for name in names if name not in recipes]:
        raise click.UsageError(f"no recipe {', '.join(unknown)} in {root}; there are: {', '.join(recipes)}")
    for option, given in {"--source": source is not None, "--subset": subsets, "--unpack": unpack}.items():
        if given and len(names) != 1:
            raise click.UsageError(f"{option} belongs to one NAME")
    if subsets and not (source is not None or get or unpack):
        raise click.UsageError("--subset belongs to --source, --get or --unpack: a dataset is always built whole")
    if members and not unpack:
        raise click.UsageError("--members belongs to --unpack")
    failures = []
    for name in names or recipes:
        try:
            for line in prepare(root, name, source, get, subsets, jobs):
                click.echo(f"{name}: {line}")
            for line in unpacked(root, name, subsets, members) if unpack else ():
                click.echo(f"{name}: {line}")
        except AuralignError as error:
            failures.append(f"{name}: {error}")
    if failures:
        raise DatasetError("\n".join(failures))


def prepare(
    root: Path, name: str, source: Path | None, get: bool, subsets: tuple[str, ...] = (), jobs: int | None = None
) -> Iterator[str]:
    """Build one dataset, then bring its files: one line on each step when it is done."""
    start = time.monotonic()
    recipe = read_recipe(root / f"{name}.yml")
    built = datasets.build(recipe, root / name)
    yield f"built in {time.monotonic() - start:.1f} s" if built else "stands already, left as it is"
    if source is not None:
        number, problems = datasets.supply(root / name, source, datasets.selected(recipe, root / name, subsets))
        yield f"{number} files taken from {source}"
        _refuse(problems)
    if get:
        yield f"{datasets.get_selected(recipe, root / name, subsets, jobs)} files fetched"


def unpacked(root: Path, name: str, subsets: tuple[str, ...], members: tuple[str, ...]) -> Iterator[str]:
    """Add the members of the archives of one dataset: one line on each when it is done."""
    recipe = read_recipe(root / f"{name}.yml")
    here = [path for path in datasets.selected(recipe, root / name, subsets) if archives.is_archive(path)]
    if not (here := [path for path in here if (root / name / path).exists()]):
        raise DatasetError(f"no archive is here to unpack: get one first, with --get and --subset ({recipe.title})")
    problems = []
    for path in here:
        number, refused = archives.add_members(root / name, path, members)
        problems += refused
        yield f"{number} members of {path} added"
    _refuse(problems)


def _refuse(problems: list[str]) -> None:
    if problems:
        raise DatasetError("\n  ".join([f"{len(problems)} problems:", *problems]))


if __name__ == "__main__":
    command.run(main)
