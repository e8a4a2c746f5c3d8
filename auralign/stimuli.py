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


# what counts as a missing number; never looked for in columns of ids and names, where "NA" is a name like any other
_MISSING = ["", "NA", "N/A", "NaN", "nan", "null", "None"]


def read_table(path: Path, *names: str) -> pd.DataFrame:
    """Read a TSV or CSV table whose columns include `names`: ids, which stay text; numbers are found elsewhere.

    Raises
    ------
    DataError
        No such file, not a table, a column is missing, without a name or there twice, or an id is empty.
    """
    separator = "\t" if path.suffix == ".tsv" else ","
    try:
        header = list(pd.read_csv(path, sep=separator, header=None, nrows=1, dtype=str, keep_default_na=False).iloc[0])
    except FileNotFoundError as error:
        raise DataError(f"{path}: there is no such table.") from error
    except (OSError, ValueError, pd.errors.ParserError, UnicodeDecodeError) as error:
        raise DataError(f"{path}: not a table that can be read (tabs in .tsv, commas otherwise): {error}") from error
    absent = [name for name in names if name not in header]
    if absent:
        raise DataError(f"{path}: the column {absent[0]!r} is missing; there are {header[:10]}.")
    if "" in header:
        raise DataError(
            f"{path}: column {header.index('') + 1} has no name (an index that was written along?). Name or remove it."
        )
    twice = [name for number, name in enumerate(header) if name in header[:number]]
    if twice:
        raise DataError(f"{path}: the column {twice[0]!r} is there more than once.")
    try:
        table = pd.read_csv(
            path,
            sep=separator,
            dtype={name: str for name in names},
            keep_default_na=False,
            na_values={name: _MISSING for name in header if name not in names},
            index_col=False,
            on_bad_lines="error",
        )
    except (OSError, ValueError, pd.errors.ParserError, UnicodeDecodeError) as error:
        raise DataError(f"{path}: not a table that can be read (tabs in .tsv, commas otherwise): {error}") from error
    for name in names:
        empty = table[name].str.strip() == ""
        if empty.any():
            raise DataError(f"{path}: line {int(empty.idxmax()) + 2} has no {name}.")
    return table


def read_categories(path: Path, by: str, stimuli: list[str]) -> list[str]:
    """Return the category of each stimulus from a table with the columns `stimulus` and `by`.

    Raises
    ------
    DataError
        A stimulus has no category, or is there more than once.
    """
    table = read_table(path, "stimulus", by)
    twice = table["stimulus"][table["stimulus"].duplicated()]
    if len(twice):
        raise DataError(f"{path}: the stimulus {twice.iloc[0]!r} is there more than once.")
    category = dict(zip(table["stimulus"], table[by], strict=True))
    absent = [stimulus for stimulus in stimuli if stimulus not in category]
    if absent:
        raise DataError(f"{path}: no {by} for {len(absent)} stimuli: {', '.join(absent[:10])}.")
    return [category[stimulus] for stimulus in stimuli]
