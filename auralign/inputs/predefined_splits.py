"""Splits that somebody else has made: a table of split, stimulus and set."""

from pathlib import Path

import numpy as np
import pandas as pd

from ..errors import ConfigError
from ..files.identifiers import near_names
from ..files.tabular import place, read_table
from .stimuli import stimulus_order

# words of the column `set`
DEVELOPMENT, TEST = ("development", "train"), ("test",)


def read_splits(
    path: Path, stimuli: list[str], left_out: set[str] | None = None
) -> tuple[list[tuple[np.ndarray, np.ndarray]], list[str]]:
    """Read splits from a table with the columns `split`, `stimulus` and `set`.

    Parameters
    ----------
    path : Path
        One row per split and stimulus; `set` is `development` (or `train`) or `test`. Stimuli that a split does not
        name are in neither of its sets.
    stimuli : list of str
        The study's, in their order.
    left_out : set of str, optional
        Stimuli that the study has lost knowingly (`missing: drop`); their rows are passed over.

    Returns
    -------
    splits : list of (development, test)
        Ascending indices into the stimuli. Splits are numbered from 0: in ascending order of the column where all are
        whole numbers, else in the order in which the table first has them.
    warnings : list of str

    Raises
    ------
    DataError
        The file cannot be read, lacks a column, or an id is empty.
    ConfigError
        A stimulus is unknown, twice in a split, or in both sets; another word in `set`; an empty set; fewer than two
        splits.
    """
    table = read_table(path, "split", "stimulus", "set")
    table["set"] = table["set"].str.strip()
    wrong = ~table["set"].isin([*DEVELOPMENT, *TEST]).to_numpy()
    if wrong.any():
        raise ConfigError(
            f"{path}: {place(table, wrong)}: the set {table['set'].to_numpy()[wrong][0]!r} is none of development (or "
            f"train) and test; {int(wrong.sum())} lines are so."
        )
    unknown = stimulus_order(set(table["stimulus"]) - set(stimuli) - (left_out or set()))
    if unknown:
        raise ConfigError(
            f"{path}: {len(unknown)} stimuli are not in this study: {', '.join(unknown[:5])}. Remove their rows, or "
            f"supply their features and responses.{near_names(unknown, stimuli)}"
        )
    table["is_test"] = table["set"].isin(TEST)
    _refuse_twice(table, path)
    names = _in_order(table["split"])
    position = {stimulus: row for row, stimulus in enumerate(stimuli)}
    table = table[table["stimulus"].isin(position)]
    splits = []
    for name in names:
        own = table[table["split"] == name]
        rows, is_test = own["stimulus"].map(position).to_numpy(int), own["is_test"].to_numpy()
        if is_test.all() or not is_test.any():
            raise ConfigError(f"{path}: split {name} has no {'development' if is_test.all() else 'test'} stimulus.")
        splits.append((np.sort(rows[~is_test]), np.sort(rows[is_test])))
    if len(splits) < 2:
        raise ConfigError(f"{path}: {len(splits)} split; a spread over splits needs at least 2.")
    unused = stimulus_order(set(stimuli) - set(table["stimulus"]))
    if not unused:
        return splits, []
    more = f" and {len(unused) - 5} more" if len(unused) > 5 else ""
    return splits, [f"{len(unused)} stimuli are in no split of {path}: {', '.join(unused[:5])}{more}."]


def _refuse_twice(table: pd.DataFrame, path: Path) -> None:
    twice = table.duplicated(["split", "stimulus"]).to_numpy()
    if not twice.any():
        return
    split, stimulus = table[twice].iloc[0][["split", "stimulus"]]
    sides = table.loc[(table["split"] == split) & (table["stimulus"] == stimulus), "is_test"].nunique()
    where = "in both sets" if sides == 2 else "there more than once"
    raise ConfigError(f"{path}: {place(table, twice)}: the stimulus {stimulus!r} is {where} of split {split}.")


def _in_order(splits: pd.Series) -> list[str]:
    names = list(dict.fromkeys(splits))
    return sorted(names, key=int) if all(name.strip().isdecimal() for name in names) else names
