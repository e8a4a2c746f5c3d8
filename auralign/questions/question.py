"""What a question is to the machinery that runs, records, verifies and reports it.

A question is asked by the configuration. It plans its blocks, makes tables of what they give, and says its numbers
once more as measures, in the long table that all questions share. Blocks are cached, resumed, sent to processes and
clusters, recorded and verified by `auralign.runs`, which knows no question by name. What is drawn and said of one is
found by its name in `auralign.figures.collection` and `auralign.report.page`: this room knows neither.
"""

from __future__ import annotations

import importlib
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Generic, TypeVar

from ..errors import ConfigError, did_you_mean
from ..inputs.options import Inputs

if TYPE_CHECKING:
    # what reads a configuration asks here which questions there are, and needs none of these
    import pandas as pd

    from ..inputs.study import Study
    from .block import Block

# by name, where the question is: read when it is asked, so that none costs the others the time of its imports
QUESTIONS = {"encoding": "auralign.questions.encoding.asked:EncodingQuestion"}

OptionsT = TypeVar("OptionsT", bound=Inputs)


@dataclass(frozen=True)
class TableFile:
    """A table that a question may write beside the measures.

    Attributes
    ----------
    file : str
        Its name in the results folder, .tsv or .parquet.
    columns : str
        Names, parted by spaces, of the columns without which it cannot be used.
    brought_by : str
        What a comparison must have to get it; for messages.
    always : bool
        Whether a folder without it is no finished result.
    rows : tuple of str
        Of a table that `verify` compares number by number: columns that say what its rows are of.
    """

    file: str
    columns: str
    brought_by: str = "a finished comparison"
    always: bool = False
    rows: tuple[str, ...] = ()


@dataclass(frozen=True)
class Place:
    """Where a run computes.

    Attributes
    ----------
    blocks : Path
        Folder that keeps the results of blocks.
    scratch : Path
        Folder that lives as long as the run, of the same file system.
    memory : int or None
        That a process which computes a block may take, bytes; None where nobody says.
    """

    blocks: Path
    scratch: Path
    memory: int | None = None


class Plan(ABC, Generic[OptionsT]):
    """What a question is going to do for one study, and, once its blocks are done, what it makes of them.

    Attributes
    ----------
    options : options of the question
        As they are run and recorded: what was left to the program is decided.
    blocks : sequence of Block
    warnings : list of str
        Sentences known before anything is computed, without those of the study.
    dims : sequence of str
        Columns of the measures beside `question`, `measure` and `value`.
    """

    options: OptionsT
    blocks: Sequence[Block]
    warnings: Sequence[str] = ()
    dims: Sequence[str]

    @abstractmethod
    def tables(self) -> dict[str, Callable[[], pd.DataFrame | Path | None]]:
        """Say how each table is made, by the keys of the question's `tables`; None where a study has none.

        The functions are called one by one after all blocks are done. One that fails loses no other. A table that is
        too large to be held is written to a file of `Place.scratch`, which is moved to the results: its path is given.
        """

    @abstractmethod
    def measures(self, tables: Mapping[str, pd.DataFrame | Path]) -> Iterator[pd.DataFrame]:
        """Yield the measures, block by block: columns `measure`, `value` and dims, without `question`.

        Parameters
        ----------
        tables : mapping of str to DataFrame or Path
            Those of `tables` that could be made.
        """

    def found(self) -> list[str]:
        """Warn of what the results show; called after all blocks are done."""
        return []

    def record(self) -> dict[str, Any]:
        """Say what provenance.json holds of the plan beside its options; ready for JSON."""
        return {}


class Question(ABC, Generic[OptionsT]):
    """One question that may be asked of features and responses.

    Attributes
    ----------
    name : str
        Of the column `question`; `task: <name>` in a configuration.
    options : type
        What a comparison may say that asks it: a model on top of `Inputs`.
    tables : mapping of str to TableFile
        By name; there may be none, since all numbers are in the measures.
    measures : mapping of str to str
        By name, what the number is.
    dims : mapping of str to type
        Dims that it has beside those of `measures.COLUMNS`, such as the other side of layer x layer: str, int or float.
    modules : tuple of str
        That its blocks import, which processes do as soon as they start.
    choices : tuple of str
        Measures and columns that are chosen and no scores: another one is told by `verify`, and is no failure.
    """

    name: ClassVar[str]
    options: ClassVar[type[Inputs]]
    tables: ClassVar[Mapping[str, TableFile]] = {}
    measures: ClassVar[Mapping[str, str]]
    dims: ClassVar[Mapping[str, type]] = {}
    modules: ClassVar[tuple[str, ...]] = ()
    choices: ClassVar[tuple[str, ...]] = ()

    def is_asked(self, options: Inputs) -> bool:
        """Tell whether a comparison asks it: by its task, or by a section of the question's name."""
        return getattr(options, "task", None) == self.name or getattr(options, self.name, None) is not None

    def needs_categories(self, options: OptionsT) -> bool:
        """Tell whether something beside the splits needs the category of every stimulus."""
        return False

    @abstractmethod
    def plan(self, options: OptionsT, study: Study, place: Place) -> Plan[OptionsT]:
        """Check what can be checked before anything is computed, and plan the blocks.

        Raises
        ------
        AuralignError
            The study does not allow what the options ask for.
        """

    def older_measures(
        self, get: Callable[[str], pd.DataFrame | None]
    ) -> tuple[Sequence[str], Iterator[pd.DataFrame]] | None:
        """Make measures of the tables of a folder without `measures.parquet`; `get` reads one by name.

        Returns
        -------
        (dims, measures) as a `Plan` has them, or None
        """
        return None


def get_question(name: str) -> Question:
    """Return a question by its name.

    Raises
    ------
    ConfigError
        There is none of that name.
    """
    if name not in QUESTIONS:
        raise ConfigError(
            f"task: there is no question {name!r}.{did_you_mean(name, QUESTIONS)} There are {', '.join(QUESTIONS)}."
        )
    module, _, attribute = QUESTIONS[name].partition(":")
    return getattr(importlib.import_module(module), attribute)()


def questions_of(options: Inputs) -> list[Question]:
    """Return the questions that a comparison asks, in the order of `QUESTIONS`."""
    return [question for question in map(get_question, QUESTIONS) if question.is_asked(options)]
