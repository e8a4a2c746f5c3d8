"""What a block is, for every question: computed once, written atomically, found again by what made it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import fields
from functools import cached_property
from pathlib import Path
from typing import ClassVar

import pandas as pd
from threadpoolctl import threadpool_limits

from ..errors import AuralignError
from ..files.atomic import write_atomically
from .fingerprint import code_version, fingerprint

# what changes no number: where files lie, what a block is called, and how much memory it may take
NOT_IN_KEY = ("folder", "scratch", "label", "memory")


class Block(ABC):
    """One piece of a question's work, which one process computes: a frozen dataclass with at least these fields.

    Its other fields are what it is computed from: all of them go into its key, so that none can be forgotten. They must
    be values that `fingerprint` knows and that can be sent to another process; arrays are sent as `StoredArray`.

    Attributes
    ----------
    folder : Path
        Of the results of all blocks.
    scratch : Path
        Of the run alone, for files that are not finished.
    label : str
        What the block is of, for messages.
    code : str
        `code_version` of the process that planned it; a field with the default "", which stands for this process.
    """

    folder: Path
    scratch: Path
    label: str
    code: str

    # what `size` counts
    unit: ClassVar[str] = "blocks"

    def __post_init__(self) -> None:
        """Note the code of this process, by which the one that computes the block knows whether it has the same."""
        if not self.code:
            object.__setattr__(self, "code", code_version(*self.roots))

    @property
    def roots(self) -> tuple[str, ...]:
        """Modules that make its numbers, with all that they import; of its class, and any that this does not import."""
        return (type(self).__module__,)

    @property
    @abstractmethod
    def holds(self) -> dict[str, tuple[str, ...]]:
        """Tables that the block gives, by name, each with columns it must have; where the first is, it is done."""

    @abstractmethod
    def compute(self) -> dict[str, pd.DataFrame]:
        """Compute the tables of `holds`; what the reader can mend is an `AuralignError`."""

    @property
    def cost(self) -> float:
        """About how long it takes, s: those that take long are computed first, and progress is told by it."""
        return 1.0

    @property
    def size(self) -> int:
        """How much of `unit` it is."""
        return 1

    @cached_property
    def key(self) -> str:
        """Hash of the numbers themselves, the settings and the code: of every field but `NOT_IN_KEY`."""
        every = fields(self)  # type: ignore[arg-type]  # all blocks are dataclasses
        names = [one.name for one in every if one.name not in NOT_IN_KEY]
        return fingerprint({name: getattr(self, name) for name in names})[:32]

    def file(self, table: str) -> Path:
        """Where a table of the block is, once it is done."""
        first = next(iter(self.holds))
        return self.folder / (f"{self.key}.parquet" if table == first else f"{self.key}.{table}.parquet")

    def read(self, table: str) -> pd.DataFrame | None:
        """Read a table of the block; None where there is none, or one that cannot be read (which is removed)."""
        path = self.file(table)
        if not path.exists():
            return None
        try:
            found = pd.read_parquet(path)
        except (OSError, ValueError):
            found = pd.DataFrame()
        if not set(self.holds[table]) <= set(found.columns):
            path.unlink(missing_ok=True)
            return None
        return found

    def need(self, table: str) -> pd.DataFrame:
        """Read a table of the block, which must be done.

        Raises
        ------
        AuralignError
            The table is not there any more.
        """
        found = self.read(table)
        if found is None:
            raise AuralignError(f"{self.file(table)}: {self.label}: its results are gone. Run the same command again.")
        return found

    def forget(self) -> None:
        """Remove its tables, so that it is computed again."""
        for table in self.holds:  # the first one first: without it the block is not done
            self.file(table).unlink(missing_ok=True)

    @property
    def is_done(self) -> bool:
        """Whether every table of the block is there as a whole."""
        return all(self.read(table) is not None for table in self.holds)


def compute_block(block: Block) -> None:
    """Compute one block on one BLAS thread and write its tables.

    Raises
    ------
    AuralignError
        This process runs other code than the one that planned the block, or the block cannot be computed; the message
        says which block it is.
    """
    if block.code != code_version(*block.roots):
        raise AuralignError(
            f"{block.label}: the process that computes it has other versions of auralign, numpy, scipy, scikit-learn, "
            "julearn or pandas than the one that planned it. Install the same environment on every machine (and do not "
            "edit auralign while it runs)."
        )
    try:
        with threadpool_limits(1):
            tables = block.compute()
    except AuralignError as error:
        raise type(error)(f"{block.label}: {error}") from error
    # the first one last: where it is, the block is done
    for name in reversed(block.holds):
        write_atomically(tables[name], block.file(name), block.scratch)
