"""Dataset recipes: what a dataset is, and the path, size, checksum and address of every file."""

import csv
import hashlib
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit
from uuid import UUID

import yaml
from pydantic import AwareDatetime, BaseModel, Field, ValidationError, model_validator

from . import phantom
from .errors import DatasetError


class Section(BaseModel, extra="forbid", frozen=True):
    """A mapping in which an unknown key is an error."""


class FileRow(Section):
    """One file; `url`: one address, or several parted by spaces and tried in turn, relative to `url_base`."""

    path: str = Field(pattern=r"^([^/.][^/]*/)*[^/.][^/]*$")  # inside the dataset, nothing hidden
    size: int = Field(ge=0)
    md5: str = Field(pattern="^[0-9a-f]{32}$")
    url: str = Field(min_length=1)


class Recipe(Section):
    """What a dataset is, and where its files come from: `files` (as a rule by `table`) or `generator`."""

    name: str
    title: str
    description: str
    licence: str
    citation: str
    id: UUID
    date: AwareDatetime
    table: str | None = None
    url_base: str = ""
    files: tuple[FileRow, ...] = ()
    generator: Literal["phantom"] | None = None
    seed: int = Field(default=2015, ge=0)  # of the generator, as is n_voxels
    n_voxels: int = Field(default=300, ge=10)

    @model_validator(mode="after")
    def _consistent(self) -> "Recipe":
        if bool(self.files) == bool(self.generator):
            raise ValueError("give either `table` (with at least one file) or `generator`")
        paths = [row.path for row in self.files]
        if twice := {path for path in paths if paths.count(path) > 1}:
            raise ValueError(f"a path may occur once in the table, but these occur twice: {sorted(twice)}")
        if bad := [url for row in self.files for url in self.urls(row) if not urlsplit(url).scheme]:
            raise ValueError(f"`{bad[0]}` is no complete address: add `url_base`")
        return self

    def urls(self, row: FileRow) -> list[str]:
        """The complete addresses of one file."""
        return [url if urlsplit(url).scheme else self.url_base + url for url in row.url.split()]

    def fingerprint(self) -> str:
        """sha256 of everything that decides about the dataset's files (its description does not)."""
        content = self.model_dump_json(exclude={"title", "description", "licence", "citation", "table"})
        return hashlib.sha256(f"{content} {phantom.VERSION if self.generator else ''}".encode()).hexdigest()


def read_recipe(path: Path) -> Recipe:
    """Read and check `<name>.yml` and its table; a DatasetError names file, key and what is allowed."""
    path = Path(path)
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
        if isinstance(content, dict) and content.get("table"):
            with open(path.parent / content["table"], encoding="utf-8", newline="") as file:
                content["files"] = list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))
        recipe = Recipe.model_validate(content)
    except (OSError, TypeError, UnicodeError, yaml.YAMLError) as error:
        raise DatasetError(f"{path} cannot be read: {error}") from error
    except ValidationError as error:
        problems = "\n  ".join(_explain(problem) for problem in error.errors()[:10])
        raise DatasetError(f"{path} is not a valid recipe:\n  {problems}") from error
    if recipe.name != path.stem:
        raise DatasetError(f"{path}: `name` is {recipe.name!r} but should be as the file's, {path.stem!r}")
    return recipe


def _explain(problem: dict) -> str:
    """One line on one problem that pydantic found: where, what, and what was given."""
    place = problem["loc"]
    where = f"key `{'.'.join(map(str, place))}`" if place else "the recipe"
    if place[:1] == ("files",) and len(place) == 3:
        where = f"line {place[1] + 2} of the table, column `{place[2]}`"
    if problem["type"] == "extra_forbidden":
        model = FileRow if place[0] == "files" else Recipe
        return f"{where} is unknown; allowed: {', '.join(model.model_fields)}"
    given = "" if not place or problem["type"] == "missing" else f" (given: {problem['input']!r})"
    return f"{where}: {problem['msg']}{given}"
