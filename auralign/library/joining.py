"""Everything that has one row per stimulus, joined by the stimuli's ids where it has them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
import xarray as xr

from ..errors import ConfigError, DataError
from ..files.identifiers import what_is_lacking
from ..inputs.stimuli import stimulus_order
from .given import ROWS, Array


@dataclass(frozen=True)
class Joined:
    """Arrays of the same stimuli in the same order.

    Attributes
    ----------
    stimuli : list of str
        Ids in the order on which random draws rest (`stimulus_order`); numbers of the rows where nothing has ids.
    arrays : dict of str to DataArray
        What was given, with these stimuli in this order.
    position : dict of int to int, or None
        Where the rows as given have come to; None where parts with ids have different orders, so that the number of a
        row says nothing.
    warnings : list of str
    n_given : int
        Number of the rows as given, which a mask needs.
    """

    stimuli: list[str]
    arrays: dict[str, xr.DataArray]
    position: dict[int, int] | None
    warnings: list[str] = field(default_factory=list)
    n_given: int = 0

    def rows(self, positions: Array) -> Array:
        """Turn positions (or a mask) of the rows as given into ascending positions among the joined stimuli."""
        if self.position is None:
            raise ConfigError(
                "splits: positions say nothing where features and responses hold their stimuli in different orders. "
                "Put them in one order, or let the splits be drawn after the stimuli are joined: give a name "
                "('shuffle'), a dict of options, or one of scikit-learn's splitters."
            )
        if positions.dtype == bool:
            if len(positions) != self.n_given:
                raise ConfigError(f"splits: a mask has {len(positions)} entries; there are {self.n_given} rows.")
            positions = np.flatnonzero(positions)
        unknown = [int(row) for row in positions if int(row) not in self.position]
        if unknown:
            raise ConfigError(
                f"splits: there is no usable stimulus at position {unknown[0]}; {len(self.stimuli)} stimuli have "
                "features and responses."
            )
        return np.array(sorted(self.position[int(row)] for row in positions), dtype=np.int64)

    def without(self, rows: Array, line: str) -> Joined:
        """Leave out stimuli, by a mask of those that go; `line` says why."""
        place = np.cumsum(~rows) - 1
        known = None if self.position is None else self.position.items()
        return Joined(
            stimuli=[name for name, goes in zip(self.stimuli, rows, strict=True) if not goes],
            arrays={what: array.isel(stimulus=~rows) for what, array in self.arrays.items()},
            position=None if known is None else {row: int(place[at]) for row, at in known if not rows[at]},
            warnings=[*self.warnings, line],
            n_given=self.n_given,
        )


def join(arrays: Mapping[str, xr.DataArray], missing: str = "error") -> Joined:
    """Join arrays by the coordinate `stimulus`; those without it must have as many rows as the others.

    Parameters
    ----------
    arrays : mapping of str to DataArray
        By what they are, for messages: "X, layer 0", "Y", "groups".
    missing : {"error", "drop"}
        What becomes of stimuli that one of them lacks.

    Raises
    ------
    DataError
        Numbers of rows differ; stimuli lack something and `missing` is `error`; none has everything; an array without
        ids stands beside arrays with ids in different orders.
    """
    labelled = {what: [str(s) for s in a.stimulus.to_numpy()] for what, a in arrays.items() if "stimulus" in a.coords}
    plain = [what for what in arrays if what not in labelled]
    _refuse_other_rows({what: arrays[what].attrs[ROWS] for what in plain if ROWS in arrays[what].attrs})
    if not labelled:
        n = _one_length(arrays)
        return Joined([str(row) for row in range(n)], dict(arrays), {row: row for row in range(n)}, n_given=n)
    orders = list(dict.fromkeys(tuple(ids) for ids in labelled.values()))
    if plain and len(orders) > 1:
        raise DataError(
            f"{_and(plain)} {'has' if len(plain) == 1 else 'have'} no ids of stimuli, and {_and(list(labelled))} do "
            "not hold their stimuli in one order, so that rows cannot be matched. Give all of them ids: a DataFrame "
            "with the index `stimulus`, or a DataArray with that coordinate."
        )
    if plain:
        _one_length(arrays)
    stimuli, warnings = _shared(labelled, missing)
    joined = {}
    for what, array in arrays.items():
        place = {name: row for row, name in enumerate(labelled.get(what, orders[0]))}
        joined[what] = array.isel(stimulus=[place[name] for name in stimuli]).assign_coords(stimulus=stimuli)
    # a row's number is that of the order as given, or of the joined one where every part has that already
    known = orders[0] if len(orders) == 1 else None
    if known is None and all(list(order) == stimulus_order(order) for order in orders):
        known = tuple(stimuli)
    order = {name: row for row, name in enumerate(stimuli)}
    position = None if known is None else {row: order[name] for row, name in enumerate(known) if name in order}
    return Joined(stimuli, joined, position, warnings, len(known or ()))


def _shared(labelled: Mapping[str, list[str]], missing: str) -> tuple[list[str], list[str]]:
    """Return the stimuli that every part has, in their order, and sentences on those that are left out."""
    sources = {what: set(ids) for what, ids in labelled.items()}
    # layers that hold the same stimuli need not be named one by one
    distinct: dict[str, set[str]] = {}
    for what, ids in sources.items():
        if ids not in distinct.values():
            distinct[what] = ids
    spelt, lacking = what_is_lacking(distinct, stimulus_order)
    lines = spelt + lacking
    everywhere = set.intersection(*sources.values())
    if lines and missing == "error":
        head = "stimuli that are not named alike everywhere" if spelt else "stimuli that lack features or responses"
        raise DataError(
            f"{head}:\n  " + "\n  ".join(lines) + "\nSupply them, or leave them out knowingly with missing='drop'."
        )
    if not everywhere:
        raise DataError("no stimulus has both features and responses:\n  " + "\n  ".join(lines))
    return stimulus_order(everywhere), [f"Left out (missing='drop'): {line}." for line in lines]


def _refuse_other_rows(indices: Mapping[str, pd.Index]) -> None:
    """Refuse tables without ids whose numbers of rows say that row and row do not belong together."""
    for what, index in indices.items():
        first = next(iter(indices))
        if len(index) == len(indices[first]) and not index.equals(indices[first]):
            raise DataError(
                f"{first} and {what} are tables without ids of stimuli, and their indices differ, so that rows may not "
                "belong together. Name the index `stimulus` to have them joined by it, or give both the same "
                "(`reset_index(drop=True)`) if row belongs to row."
            )


def _one_length(arrays: Mapping[str, xr.DataArray]) -> int:
    lengths = {what: array.sizes["stimulus"] for what, array in arrays.items()}
    if len(set(lengths.values())) > 1:
        shapes = "; ".join(f"{what} {tuple(arrays[what].shape)}" for what in lengths)
        raise DataError(
            f"the numbers of stimuli differ: {shapes}. Without ids rows are matched by their position, so every part "
            "needs as many; give ids (a DataFrame with the index `stimulus`) to have them joined."
        )
    return next(iter(lengths.values()))


def _and(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
