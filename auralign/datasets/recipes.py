"""Dataset recipes: what a dataset is, and the path, size, checksum and address of every file."""

import csv
import hashlib
import json
from collections.abc import Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, Field, ValidationError, field_validator, model_validator
from pydantic_core import ErrorDetails

from ..errors import DataError, DatasetError
from ..files.text_tables import open_text
from ..files.yaml_text import YamlError, read_yaml


class Section(BaseModel, extra="forbid", frozen=True):
    """A mapping in which an unknown key is an error."""


class FileRow(Section):
    """One line of the table: a file, or (`kind`) a whole DataLad dataset that is attached as it is.

    `url`: one address, or several parted by spaces and tried in turn, relative to `url_base`. `size` and `md5` are
    both given or both left empty; where they are, the checksum is recorded at the first download.
    """

    path: str = Field(pattern=r"^([^/.][^/]*/)*[^/.][^/]*$")  # inside the dataset, nothing hidden
    kind: Literal["file", "dataset"] = "file"
    size: int | None = Field(default=None, ge=0)
    md5: str | None = Field(default=None, pattern="^[0-9a-f]{32}$")
    url: str = Field(min_length=1)

    @field_validator("size", "md5", mode="before")
    @classmethod
    def _empty_is_unknown(cls, value: object) -> object:
        return None if value == "" else value

    @model_validator(mode="after")
    def _checksum_or_none(self) -> "FileRow":
        if (self.size is None) != (self.md5 is None):
            raise ValueError(f"give both `size` and `md5` of {self.path}, or neither")
        if self.kind == "dataset" and self.md5:
            raise ValueError(f"{self.path} is a dataset: leave `size` and `md5` empty")
        return self

    def chosen_by(self, pattern: str) -> bool:
        """Whether a pattern chooses this file, or this dataset or something in it."""
        return matches(self.path, [pattern]) or (self.kind == "dataset" and pattern.startswith(f"{self.path}/"))


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
    subsets: dict[str, tuple[str, ...]] = {}  # name -> patterns of paths, see `matches`

    @model_validator(mode="after")
    def _consistent(self) -> "Recipe":
        if bool(self.files) == bool(self.generator):
            raise ValueError("give either `table` (with at least one file) or `generator`")
        paths = [row.path for row in self.files]
        if twice := {path for path in paths if paths.count(path) > 1}:
            raise ValueError(f"a path may occur once in the table, but these occur twice: {sorted(twice)}")
        if bad := [url for row in self.files for url in self.urls(row) if not urlsplit(url).scheme]:
            raise ValueError(f"`{bad[0]}` is no complete address: add `url_base`")
        for name, patterns in self.subsets.items():
            for pattern in patterns if self.files else ():
                if not any(row.chosen_by(pattern) for row in self.files):
                    raise ValueError(f"`subsets`: {pattern!r} of {name!r} selects no path of the table")
        return self

    def urls(self, row: FileRow) -> list[str]:
        """The complete addresses of one file."""
        return [url if urlsplit(url).scheme else self.url_base + url for url in row.url.split()]

    def patterns(self, selectors: Sequence[str]) -> list[str]:
        """The patterns that are meant: a named subset's, or the selector itself."""
        return [pattern for selector in selectors for pattern in self.subsets.get(selector, (selector,))]

    def select(self, selectors: Sequence[str]) -> list[FileRow]:
        """The rows that selectors choose (none: all); a DatasetError if one of them chooses nothing."""
        patterns = self.patterns(selectors)
        for pattern in patterns:
            if not any(row.chosen_by(pattern) for row in self.files):
                subsets = f"; it has the subsets {', '.join(self.subsets)}" if self.subsets else ""
                raise DatasetError(f"{pattern!r} selects no path of the recipe {self.name!r}{subsets}")
        return [row for row in self.files if not patterns or any(row.chosen_by(pattern) for pattern in patterns)]

    def fingerprint(self) -> str:
        """sha256 of everything that decides about the dataset's files (description and subsets do not)."""
        content = self.model_dump(
            mode="json", exclude={"title", "description", "licence", "citation", "table", "subsets"}
        )
        for row in content["files"]:
            if row["kind"] == "file":
                del row["kind"]  # what every row was before there were others
        text = json.dumps(content, separators=(",", ":"), ensure_ascii=False)
        version: int | str = ""
        if self.generator:
            from ..phantom import study as phantom  # with pandas and scipy, which no other recipe needs

            version = phantom.VERSION
        return hashlib.sha256(f"{text} {version}".encode()).hexdigest()


def matches(path: str, patterns: Sequence[str]) -> bool:
    """Whether a path is, or lies in a folder that is, one of the patterns (`*` also matches `/`); none: all are."""
    return not patterns or any(
        path == pattern or fnmatchcase(path, pattern) or fnmatchcase(path, f"{pattern.rstrip('/')}/*")
        for pattern in patterns
    )


def read_recipe(path: Path) -> Recipe:
    """Read and check `<name>.yml` and its table; a DatasetError names file, key and what is allowed."""
    path = Path(path)
    try:
        source = read_yaml(path.read_text(encoding="utf-8"))
        content = source.content
        if isinstance(content, dict) and content.get("table"):
            content["files"] = open_text(path.parent / content["table"], ("path",), csv.QUOTE_NONE).rows()
        recipe = Recipe.model_validate(content)
    except DataError as error:
        raise DatasetError(str(error)) from error
    except (OSError, TypeError, UnicodeError, YamlError) as error:
        raise DatasetError(f"{path} cannot be read: {error}") from error
    except ValidationError as error:
        problems = "\n  ".join(_explain(problem) for problem in error.errors()[:10])
        raise DatasetError(f"{path} is not a valid recipe:\n  {problems}") from error
    if recipe.name != path.stem:
        raise DatasetError(f"{path}: `name` is {recipe.name!r} but should be as the file's, {path.stem!r}")
    return recipe


def _explain(problem: ErrorDetails) -> str:
    """One line on one problem that pydantic found: where, what, and what was given."""
    place = problem["loc"]
    where = f"key `{'.'.join(map(str, place))}`" if place else "the recipe"
    if place[:1] == ("files",) and len(place) > 1:
        where = f"line {int(place[1]) + 2} of the table" + (f", column `{place[2]}`" if len(place) > 2 else "")
    if problem["type"] == "extra_forbidden":
        model = FileRow if place[0] == "files" else Recipe
        return f"{where} is unknown; allowed: {', '.join(model.model_fields)}"
    whole = not place or (place[0] == "files" and len(place) == 2)  # too much to repeat
    given = "" if whole or problem["type"] == "missing" else f" (given: {problem['input']!r})"
    return f"{where}: {problem['msg']}{given}"
