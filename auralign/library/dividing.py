"""Splits of the stimuli into development and test: drawn by a name, by scikit-learn, or given as positions."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import pandas as pd
import xarray as xr
from sklearn.model_selection import check_cv

from ..errors import ConfigError
from ..files.notices import InputWarning
from ..inputs.predefined_splits import read_splits
from ..inputs.split_options import LEAST_TEST, SIZED, Splits, chance_of
from ..inputs.splits import check_splits, make_splits
from .given import Array, Split, from_pandas, label_array
from .joining import Joined
from .wrong import validated

# what `encode` and `fit` take as splits
SplitsLike: TypeAlias = str | int | Mapping[str, Any] | Iterable[tuple[Sequence[int], Sequence[int]]] | Any


def splits(
    n_stimuli: int | Sequence[str],
    kind: str | Any = "shuffle",
    *,
    groups: Any = None,
    categories: Any = None,
    table: str | Path | None = None,
    **options: Any,
) -> list[Split]:
    """Divide stimuli into development and test, as `splits` of a configuration does.

    Parameters
    ----------
    n_stimuli : int or sequence of str
        Number of stimuli, or their ids, which `predefined` needs.
    kind : str or splitter
        shuffle, stratified, group_shuffle, leave_one_group_out, kfold, stratified_kfold, predefined or tuckute2023; or
        any of scikit-learn's splitters, or a number of folds (`sklearn.model_selection.check_cv`).
    groups, categories : sequence of length n_stimuli, optional
        A label per stimulus: stimuli of one group are never on both sides; the stratified kinds put as many of each
        category into every test set as they can.
    table : str or Path, optional
        Of `predefined`: columns `split`, `stimulus` and `set`.
    **options
        Further keys of the kind: `n_splits`, `train_size`, `test_size`, `seed`, `allow_small_test`. Without sizes
        `shuffle` and `stratified` put half of the stimuli on either side, the odd one into development.

    Returns
    -------
    list of (development, test)
        Ascending positions of the stimuli.

    Raises
    ------
    ConfigError
        The options do not go together or do not fit the stimuli; a test set has fewer than 10 stimuli, and
        `allow_small_test` is not set.

    Warns
    -----
    InputWarning
        Test sets are small, or stimuli are in no split.

    Examples
    --------
    >>> import auralign as au
    >>> development, test = au.splits(165, kind="tuckute2023")[0]
    >>> len(development), len(test)
    (83, 82)
    >>> len(au.splits(165, n_splits=20, train_size=100, test_size=65, seed=1))
    20
    >>> from sklearn.model_selection import KFold
    >>> len(au.splits(165, KFold(5)))
    5
    """
    ids = _ids_of(n_stimuli)
    n = int(n_stimuli) if isinstance(n_stimuli, int | np.integer) else len(n_stimuli)
    labels = {what: _labels(given, n, what) for what, given in (("groups", groups), ("categories", categories))}
    if not isinstance(kind, str):
        if options or table is not None:
            raise ConfigError(
                f"splits: a splitter has its own options and takes no {sorted([*options, 'table'])[0]!r}."
            )
        return _by_splitter(kind, n, labels["groups"], labels["categories"])
    return _drawn(kind, n, ids, labels["groups"], labels["categories"], table, options)


def resolve_splits(given: SplitsLike, joined: Joined, groups: Array | None, categories: Array | None) -> list[Split]:
    """Turn what `encode` was given as splits into positions among the joined stimuli.

    A name, a dict of options, a number of folds and a splitter are drawn now, over the stimuli in their order;
    positions are those of the rows as given.

    Raises
    ------
    ConfigError
        No split, positions that are not there, twice, or on both sides; groups on both sides; fewer than 3 development
        or 2 test stimuli.
    """
    n = len(joined.stimuli)
    if isinstance(given, str | Mapping):
        options: dict[str, Any] = dict(given) if isinstance(given, Mapping) else {"kind": given}
        kind = options.pop("kind", "shuffle")
        table = options.pop("table", None)
        found = _drawn(kind, n, joined.stimuli, groups, categories, table, options)
    elif isinstance(given, int) or hasattr(given, "split"):
        found = _by_splitter(given, n, groups, categories)
    else:
        found = [
            (joined.rows(_positions(d, number)), joined.rows(_positions(t, number)))
            for number, (d, t) in enumerate(_pairs(given))
        ]
    _check(found, groups)
    smallest = min(len(test) for _, test in found)
    if smallest < LEAST_TEST and not isinstance(given, str | Mapping):  # of those that are drawn it was said there
        warnings.warn(
            f"The smallest test set holds {smallest} stimuli: {chance_of(smallest)}.", InputWarning, stacklevel=3
        )
    return found


def _ids_of(given: Any) -> list[str] | None:
    """Return the ids of stimuli, where there are any: a list of them, or a table or array that has them."""
    if isinstance(given, int | np.integer):
        return None
    if isinstance(given, pd.DataFrame | pd.Series | xr.DataArray):
        array = given if isinstance(given, xr.DataArray) else from_pandas(given, ("stimulus", "unit"))
        return [str(name) for name in array.stimulus.to_numpy()] if "stimulus" in array.coords else None
    if isinstance(given, str) or not isinstance(given, Iterable):
        raise ConfigError(f"splits: {given!r} is neither a number of stimuli nor a list of their ids.")
    return [str(name) for name in given]


def _labels(given: Any, n: int, what: str) -> Array | None:
    if given is None:
        return None
    labels = label_array(given, what).to_numpy()
    if len(labels) != n:
        raise ConfigError(f"splits: {len(labels)} {what} for {n} stimuli; give one for each.")
    return labels


def _drawn(
    kind: str,
    n: int,
    ids: list[str] | None,
    groups: Array | None,
    categories: Array | None,
    table: str | Path | None,
    options: Mapping[str, Any],
) -> list[Split]:
    given = {"kind": kind, **options}
    if kind in SIZED and "train_size" not in given and "test_size" not in given:
        given |= {"train_size": n - n // 2, "test_size": n // 2}
    if groups is not None:
        given["groups"] = "groups"  # the name that messages use
    if table is not None:
        given["table"] = Path(table)
    config = validated(Splits, given, "splits")
    codes = None if groups is None else np.unique(groups, return_inverse=True)[1]
    notes: list[str] = []
    if config.kind == "predefined":
        if ids is None or config.table is None:
            raise ConfigError("splits: kind='predefined' needs the ids of the stimuli in the place of their number.")
        found, notes = read_splits(config.table, ids)
    else:
        found = make_splits(config, n, None if categories is None else categories.tolist(), codes)
    for note in notes + check_splits(config, found, codes):
        warnings.warn(note, InputWarning, stacklevel=3)
    return found


def _by_splitter(splitter: Any, n: int, groups: Array | None, categories: Array | None) -> list[Split]:
    rows = np.zeros(n)
    labels = rows if categories is None else categories
    try:
        cv = check_cv(splitter, labels, classifier=categories is not None)
        return [(np.sort(development), np.sort(test)) for development, test in cv.split(rows, labels, groups)]
    except (TypeError, ValueError) as error:
        raise ConfigError(f"splits: {splitter!r} cannot divide {n} stimuli: {error}") from error


def _pairs(given: Any) -> list[tuple[Any, Any]]:
    try:
        pairs = [(development, test) for development, test in given]
    except (TypeError, ValueError) as error:
        raise ConfigError(
            f"splits: {type(given).__name__} is no list of (development, test). Give positions, the name of a kind "
            "('shuffle'), a dict of options, a number of folds, or one of scikit-learn's splitters."
        ) from error
    if not pairs:
        raise ConfigError("splits: there is no split.")
    return pairs


def _positions(given: Any, number: int) -> Array:
    positions = np.asarray(given)
    is_mask = positions.dtype == bool
    if positions.ndim != 1 or not (is_mask or np.issubdtype(positions.dtype, np.integer)):
        raise ConfigError(
            f"splits: split {number}: positions are whole numbers in one dimension, not {positions.dtype} of shape "
            f"{positions.shape}."
        )
    if not is_mask and len(np.unique(positions)) < len(positions):
        raise ConfigError(f"splits: split {number}: a stimulus is twice on one side.")
    return positions


def _check(found: list[Split], groups: Array | None) -> None:
    for number, (development, test) in enumerate(found):
        both = np.intersect1d(development, test)
        if len(both):
            raise ConfigError(f"splits: in split {number} {len(both)} stimuli are both in development and in the test.")
        if len(development) < 3 or len(test) < 2:
            raise ConfigError(
                f"splits: split {number} has {len(development)} development and {len(test)} test stimuli; at least 3 "
                "and 2 are needed."
            )
        shared = [] if groups is None else np.intersect1d(groups[development], groups[test])
        if len(shared):
            raise ConfigError(
                f"splits: in split {number} {len(shared)} groups are on both sides, such as {shared[0]!r}. Draw the "
                "splits with the groups, for example kind='group_shuffle' or 'leave_one_group_out'."
            )
