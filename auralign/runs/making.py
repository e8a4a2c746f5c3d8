"""Tables and measures of the questions of a run: each made by itself, so that one that fails loses no other."""

import os
import shutil
import tempfile
import weakref
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, TypeVar

import pandas as pd

from ..errors import AuralignError
from ..questions.measures import FILE as MEASURES
from ..questions.measures import check_measures, open_measures
from ..questions.question import Plan, Question
from ..wording import counted
from .result_tables import read_table

T = TypeVar("T")


@dataclass
class Made:
    """What could be made of the blocks of a run, and what could not.

    Attributes
    ----------
    tables : dict of str to DataFrame or Path
        By name; the path of a file where it was too large to be held.
    warnings : list of str
        On what the results show, and which tables are missing.
    failures : dict of str to Exception
        By file.
    """

    tables: dict[str, pd.DataFrame | Path] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)
    failures: dict[str, Exception] = field(default_factory=dict)
    _files: dict[str, str] = field(default_factory=dict)
    _has_measures: bool = False

    @property
    def files(self) -> list[str]:
        """Names of the files that hold what was made."""
        return [*(self._files[name] for name in self.tables), *([MEASURES] if self._has_measures else [])]

    def file_of(self, name: str) -> str:
        """Name of a table's file."""
        return self._files[name]

    def attempt(self, what: str, make: Callable[[], T]) -> T | None:
        """Make something; where that fails note why, and give None."""
        try:
            return make()
        except Exception as error:  # whatever went wrong: the other tables are written first, then it is raised
            self.failures[what] = error
            self.warnings.append(f"{what} could not be made: {error}")
            return None

    def raise_failures(self, out: Path) -> None:
        """Raise what went wrong, once everything else is written.

        Raises
        ------
        AuralignError
            What the reader can mend; all failures are named. An error of the program itself is raised as it is.
        """
        if not self.failures:
            return
        first = next(iter(self.failures.values()))
        for error in self.failures.values():
            if not isinstance(error, AuralignError):
                raise error
        # tables that are made of one another fail together
        alike: dict[str, list[str]] = {}
        for what, error in self.failures.items():
            alike.setdefault(str(error), []).append(what)
        named = "\n  ".join(f"{', '.join(files)}: {message}" for message, files in alike.items())
        raise type(first)(
            f"{out}: {counted(len(self.failures), 'table')} could not be made; all others are written.\n  {named}"
        ) from first


class Tables(Mapping[str, pd.DataFrame]):
    """The tables of a run, by name; those that were too large to be held are read when they are asked for.

    Their files are kept open until then, so that they are those of this run whatever becomes of its folder.
    """

    def __init__(self, made: Mapping[str, pd.DataFrame | Path], files: Mapping[str, Path]) -> None:
        self._made, self._files = dict(made), dict(files)
        opened = ExitStack()
        weakref.finalize(self, opened.close)
        large = [name for name, table in made.items() if isinstance(table, Path)]
        self._open = {name: opened.enter_context(files[name].open("rb")) for name in large}

    def __getitem__(self, name: str) -> pd.DataFrame:
        """Return a table; DataError where its file cannot be read."""
        table = self._made[name]
        if isinstance(table, Path):
            table = self._made[name] = _read_open(self._open[name], self._files[name])
            self._open.pop(name).close()
        return table

    def __reduce__(self) -> tuple:
        """Copies, and what is sent to other processes, hold every table."""
        return Tables, ({name: self[name] for name in self}, self._files)

    def __iter__(self) -> Iterator[str]:
        """Go through the names."""
        return iter(self._made)

    def __len__(self) -> int:
        """Count the tables."""
        return len(self._made)


def _read_open(file: BinaryIO, path: Path) -> pd.DataFrame:
    """Read a table that was opened at a path, at which there may be another by now, or none."""
    try:
        if os.path.samestat(os.fstat(file.fileno()), path.stat()):
            return read_table(path)
    except FileNotFoundError:
        pass
    with tempfile.TemporaryDirectory(prefix="auralign-tables-") as folder:
        copy = Path(folder) / path.name
        file.seek(0)
        with open(copy, "wb") as own:
            shutil.copyfileobj(file, own)
        return read_table(copy)


def make_tables(plans: dict[Question, Plan]) -> Made:
    """Make the tables of every question, and the warnings about what they show."""
    made = Made()
    for question, plan in plans.items():
        for name, make in plan.tables().items():
            file = question.tables[name].file
            table = made.attempt(file, make)
            if table is not None:
                made.tables[name], made._files[name] = table, file
        made.warnings += made.attempt(f"warnings of {question.name}", plan.found) or []
    return made


def write_measures(plans: dict[Question, Plan], made: Made, path: Path) -> None:
    """Write the measures of every question into one file, block by block; a failure is noted in `made`."""
    own = {name: kind for question in plans for name, kind in question.dims.items()}
    dims = {dim for plan in plans.values() for dim in plan.dims}

    def write() -> bool:
        """Write, each table checked by what its question says of itself."""
        with open_measures(path, dims, own) as file:
            for question, plan in plans.items():
                for table in plan.measures(made.tables):
                    check_measures(table, question.name, question.measures, question.dims)
                    file.write(question.name, table)
        return True

    made._has_measures = bool(made.attempt(MEASURES, write))
