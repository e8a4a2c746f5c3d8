"""Stimulus ids: their order, and joining what is known of them."""

import re
from collections.abc import Iterable
from pathlib import Path

import pandas as pd

from .errors import DataError


def stimulus_order(stimuli: Iterable[str]) -> list[str]:
    """Put stimulus ids in the order on which every random draw rests.

    Ascending by the leading integer of `stim<N>_...` (`stim5_...` before `stim11_...`) where every id has one, else by
    name.
    """
    stimuli = [str(stimulus) for stimulus in stimuli]
    numbers = [re.match(r"stim(\d+)_", stimulus) for stimulus in stimuli]
    if all(numbers):
        return [s for _, s in sorted((int(match.group(1)), s) for match, s in zip(numbers, stimuli, strict=True))]
    return sorted(stimuli)


def read_table(path: Path, *required: str) -> pd.DataFrame:
    """Read a TSV or CSV table whose columns include `required`; ids and names stay text.

    Raises
    ------
    DataError
        No such file, not a table, or a column is missing.
    """
    if not path.exists():
        raise DataError(f"{path}: there is no such table.")
    try:
        table = pd.read_csv(path, sep="\t" if path.suffix == ".tsv" else ",", dtype={name: str for name in required})
    except (ValueError, pd.errors.ParserError, UnicodeDecodeError) as error:
        raise DataError(f"{path}: not a table that can be read (tabs in .tsv, commas otherwise): {error}") from error
    absent = [name for name in required if name not in table.columns]
    if absent:
        raise DataError(f"{path}: the column {absent[0]!r} is missing; there are {list(table.columns)[:10]}.")
    return table


def read_categories(path: Path, by: str, stimuli: list[str]) -> list[str]:
    """Return the category of each stimulus from a table with the columns `stimulus` and `by`.

    Raises
    ------
    DataError
        A stimulus has no category.
    """
    table = read_table(path, "stimulus", by)
    category = dict(zip(table["stimulus"], table[by], strict=True))
    absent = [stimulus for stimulus in stimuli if stimulus not in category]
    if absent:
        raise DataError(f"{path}: no {by} for {len(absent)} stimuli: {', '.join(absent[:10])}.")
    return [category[stimulus] for stimulus in stimuli]
