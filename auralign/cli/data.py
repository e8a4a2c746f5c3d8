"""`auralign data`: datasets as DataLad datasets, from their recipes; `build` is also scripts/build_datasets.py."""

import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ..extras import require
from . import command

if TYPE_CHECKING:
    from ..datasets.recipes import Recipe

# in the working folder
ROOT = Path("datalad_dataset")

root_option = click.option(
    "--root", type=click.Path(path_type=Path), help="Where recipes and datasets are; by default ./datalad_dataset."
)


@click.group(cls=command.Group, context_settings=command.HELP)
def main() -> None:
    """Datasets: building them (no network needed), getting their files, what there is.

    A recipe (datalad_dataset/NAME.yml and .tsv) says of every file its path, size, checksum and address. Recipes that
    come along are copied to ./datalad_dataset where they are needed.
    """


@main.command(context_settings=command.HELP)
@click.argument("names", nargs=-1, metavar="[NAME...]")
@click.option("--source", type=click.Path(path_type=Path), help="Copy the files from this folder, checked.")
@click.option("--get", is_flag=True, help="Fetch the files with datalad get.")
@click.option("--subset", "subsets", multiple=True, help="With --source, --get, --unpack: only these files.")
@click.option("-J", "--jobs", type=click.IntRange(min=1), help="With --get: files fetched at the same time.")
@click.option("--unpack", is_flag=True, help="Add the members of the archives that are here.")
@click.option("--members", multiple=True, metavar="PATTERN", help="With --unpack: only these members.")
@root_option
def build(
    names: tuple[str, ...],
    source: Path | None,
    get: bool,
    subsets: tuple[str, ...],
    jobs: int | None,
    unpack: bool,
    members: tuple[str, ...],
    root: Path | None,
) -> None:
    """Build the datasets NAME..., by default those of every recipe. Needs no network without --get.

    A subset is a name that the recipe gives, a path, a folder, or a pattern in which * matches anything; --subset and
    --members may be repeated. A dataset that stands already is left as it is.

    \b
    Examples:
      auralign data build phantom --get
      auralign data build natsound165 --source my_copy/

    Exit status: 0 done, 1 failed, 2 wrong usage, 130 interrupted.
    """
    root = with_recipes(root, names)
    recipes = _recipes(root, names)
    for option, given in {"--source": source is not None, "--subset": subsets, "--unpack": unpack}.items():
        if given and len(names) != 1:
            raise click.UsageError(f"{option} belongs to one NAME")
    if subsets and not (source is not None or get or unpack):
        raise click.UsageError("--subset belongs to --source, --get or --unpack: a dataset is always built whole")
    if members and not unpack:
        raise click.UsageError("--members belongs to --unpack")

    def steps(name: str) -> Iterator[str]:
        yield from prepare(root, name, source, get, subsets, jobs)
        if unpack:
            yield from unpacked(root, name, subsets, members)

    _each(names or recipes, steps)


@main.command("get", context_settings=command.HELP)
@click.argument("names", nargs=-1, required=True, metavar="NAME...")
@click.option("--subset", "subsets", multiple=True, help="Only these files; may be repeated. Belongs to one NAME.")
@click.option("-J", "--jobs", type=click.IntRange(min=1), help="Files fetched at the same time.")
@root_option
def get_files(names: tuple[str, ...], subsets: tuple[str, ...], jobs: int | None, root: Path | None) -> None:
    """Fetch the files of the datasets NAME... with `datalad get`, building what does not stand yet.

    \b
    Examples:
      auralign data get phantom
      auralign data get natsound165 --subset sounds -J 4

    Exit status: 0 done, 1 failed, 2 wrong usage, 130 interrupted.
    """
    if subsets and len(names) != 1:
        raise click.UsageError("--subset belongs to one NAME")
    root = with_recipes(root, names)
    _recipes(root, names)
    _each(names, lambda name: prepare(root, name, None, True, subsets, jobs))


@main.command("list", context_settings=command.HELP)
@root_option
def list_datasets(root: Path | None) -> None:
    """Name every dataset: what it is, how many files it has, what is here of it.

    \b
    Example:
      auralign data list

    Exit status: 0 done, 1 failed, 2 wrong usage.
    """
    from ..datasets.recipes import read_recipe
    from ..files.shipped import shipped

    root = root or ROOT
    paths = {path.stem: path for folder in (shipped("datalad_dataset"), root) for path in sorted(folder.glob("*.yml"))}
    for name, path in paths.items():
        recipe = read_recipe(path)
        click.echo(f"{name:14s}{recipe.title}")
        click.echo(f"{'':14s}{_extent(recipe)}; {_state(root / name)}")


def prepare(
    root: Path, name: str, source: Path | None, get: bool, subsets: tuple[str, ...] = (), jobs: int | None = None
) -> Iterator[str]:
    """Build one dataset, then bring its files: one line on each step when it is done."""
    from ..datasets import building as datasets
    from ..datasets.recipes import read_recipe

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
    from ..datasets import archives
    from ..datasets import building as datasets
    from ..datasets.recipes import read_recipe
    from ..errors import DatasetError

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


def with_recipes(root: Path | None, names: tuple[str, ...]) -> Path:
    """Return the folder of the recipes, with those that come along in it where no folder was named."""
    from ..files.shipped import bring, shipped

    require("data", "a dataset")
    if root is None:
        root = ROOT
        wanted = names or ([] if list(root.glob("*.yml")) else [path.stem for path in shipped(root.name).glob("*.yml")])
        lacking = [name for name in wanted if not (root / f"{name}.yml").exists()]
        bring(root.name, [f"{name}{ending}" for name in lacking for ending in (".yml", ".tsv")], root)
    return root


def _recipes(root: Path, names: tuple[str, ...]) -> list[str]:
    """Return the names of all recipes; wrong usage where there are none, or one is asked for that is not there."""
    recipes = sorted(path.stem for path in root.glob("*.yml"))
    if not recipes and not names:
        raise click.UsageError(f"{root} holds no recipe (*.yml)")
    if unknown := [name for name in names if name not in recipes]:
        from ..files.shipped import shipped

        others = recipes if recipes else sorted(path.stem for path in shipped("datalad_dataset").glob("*.yml"))
        raise click.UsageError(f"no recipe {', '.join(unknown)} in {root}; there are: {', '.join(others)}")
    return recipes


def _each(names: Iterable[str], steps: Callable[[str], Iterator[str]]) -> None:
    """Print the steps of every dataset; what fails with one does not keep the others from their turn."""
    from ..errors import AuralignError, DatasetError

    failures = []
    for name in names:
        try:
            for line in steps(name):
                click.echo(f"{name}: {line}")
        except AuralignError as error:
            failures.append(f"{name}: {error}")
    if failures:
        raise DatasetError("\n".join(failures))


def _extent(recipe: "Recipe") -> str:
    """Say how much a dataset holds, as its recipe knows it."""
    if recipe.generator:
        return "computed here, no network"
    sizes = [row.size for row in recipe.files]
    known = sum(size for size in sizes if size is not None)
    unknown = sum(size is None for size in sizes)
    files = f"{len(sizes)} file{'s' if len(sizes) != 1 else ''}"
    return f"{files}, {known / 1e6:.1f} MB" + (f" and {unknown} of unknown size" if unknown else "")


def _state(dataset: Path) -> str:
    """Say what is here of a dataset, by its files alone: links that lead nowhere are content that is elsewhere."""
    if not (dataset / ".datalad").is_dir():
        return "not built"
    files = [path for path in dataset.rglob("*") if path.is_symlink() and ".git" not in path.parts]
    here = sum(path.exists() for path in files)
    return f"built, {here} of {len(files)} annexed files here"


def _refuse(problems: list[str]) -> None:
    from ..errors import DatasetError

    if problems:
        raise DatasetError("\n  ".join([f"{len(problems)} problems:", *problems]))
