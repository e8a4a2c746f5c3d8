"""Stimulus ids: their order, and joining what is known of them."""

import re
from collections.abc import Iterable
from pathlib import Path

from ..errors import DataError
from ..files.identifiers import near_names


def stimulus_order(stimuli: Iterable[str]) -> list[str]:
    """Put stimulus ids in the order on which every random draw rests.

    Ascending by the leading integer of `stim<N>_...` (`stim5_...` before `stim11_...`) where every id has one, else by
    name.
    """
    stimuli = [str(stimulus) for stimulus in stimuli]
    numbered = [(int(match[1]), stimulus) for stimulus in stimuli if (match := re.match(r"stim(\d+)_", stimulus))]
    if len(numbered) == len(stimuli):
        return [stimulus for _, stimulus in sorted(numbered)]
    return sorted(stimuli)


def read_categories(path: Path, by: str, stimuli: list[str]) -> list[str]:
    """Return the category of each stimulus from a table with the columns `stimulus` and `by`.

    Raises
    ------
    DataError
        A stimulus has no category, or is there more than once.
    """
    from ..files.tabular import read_table, refuse_repeated  # with pandas, which the order of stimuli does without

    table = read_table(path, "stimulus", by)
    refuse_repeated(table, "stimulus", path)
    category = dict(zip(table["stimulus"], table[by], strict=True))
    absent = [stimulus for stimulus in stimuli if stimulus not in category]
    if absent:
        near = near_names(absent, category)
        raise DataError(f"{path}: no {by} for {len(absent)} stimuli: {', '.join(absent[:10])}.{near}")
    return [category[stimulus] for stimulus in stimuli]
