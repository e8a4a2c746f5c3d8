"""The splits of the stimuli into development and test: the only random choice of a comparison."""

from typing import cast

import numpy as np
from sklearn.model_selection import (
    GroupKFold,
    GroupShuffleSplit,
    KFold,
    LeaveOneGroupOut,
    ShuffleSplit,
    StratifiedGroupKFold,
    StratifiedKFold,
    StratifiedShuffleSplit,
)

from ..errors import ConfigError
from .split_options import LEAST_TEST, SMALL_TEST, Splits, chance_of, small_test

Split = tuple[np.ndarray, np.ndarray]


def make_splits(
    config: Splits, n_stimuli: int, categories: list[str] | None = None, groups: np.ndarray | None = None
) -> list[Split]:
    """Draw development and test stimuli with scikit-learn's splitters.

    `shuffle` is ShuffleSplit, `stratified` StratifiedShuffleSplit over the categories, `group_shuffle`
    GroupShuffleSplit, `leave_one_group_out` LeaveOneGroupOut; `kfold` is KFold, with groups GroupKFold;
    `stratified_kfold` StratifiedKFold, with groups StratifiedGroupKFold. Folds are shuffled, but for GroupKFold's,
    which are as equal in size as the groups allow. `tuckute2023` is numpy's legacy generator seeded with 0; per split
    83 of 165 without replacement, then 82 of the others (Tuckute et al. 2023, code of the ridge mapping). For
    `predefined` see `auralign.inputs.predefined_splits`.

    Parameters
    ----------
    config : Splits
    n_stimuli : int
        Number of stimuli, which are in the order of `auralign.inputs.stimuli.stimulus_order`.
    categories : list of str, optional
        Category of each stimulus, for the stratified kinds.
    groups : ndarray of int, shape (n_stimuli,), optional
        Group of each stimulus; stimuli of one group are never on both sides.

    Returns
    -------
    list of (development, test)
        Ascending indices into the stimuli, so that inside a split the stimuli keep their order. Sizes may differ from
        split to split.

    Raises
    ------
    ConfigError
        The sizes do not fit the number of stimuli or groups; groups or categories are missing, or too few.
    """
    rows = np.arange(n_stimuli)
    if config.kind == "tuckute2023":
        splits = _tuckute2023(n_stimuli)
    elif config.kind in ("shuffle", "stratified"):
        _refuse_too_large(config, n_stimuli, "stimuli", "have features and responses")
        sizes = {"train_size": config.train_size, "test_size": config.test_size, "random_state": config.seed}
        if config.kind == "shuffle":
            splits = list(ShuffleSplit(config.n_splits, **sizes).split(rows))
        else:
            splits = _split(config, StratifiedShuffleSplit(config.n_splits, **sizes), rows, categories, None)
    elif config.kind == "group_shuffle":
        _refuse_too_large(config, _n_groups(config, groups), "groups", "are there (sizes of this kind count groups)")
        sizes = {"train_size": config.train_size, "test_size": config.test_size, "random_state": config.seed}
        splits = list(GroupShuffleSplit(config.n_splits, **sizes).split(rows, groups=groups))
    elif config.kind == "leave_one_group_out":
        _refuse_few(config, _n_groups(config, groups), 3, "groups")
        splits = list(LeaveOneGroupOut().split(rows, groups=groups))
    elif config.kind in ("kfold", "stratified_kfold"):
        splits = _folds(config, rows, categories, groups)
    else:
        raise ConfigError(f"splits: kind: {config.kind} are read from their table, not drawn.")
    return [(np.sort(development), np.sort(test)) for development, test in splits]


def _tuckute2023(n_stimuli: int) -> list[Split]:
    if n_stimuli != 165:
        raise ConfigError(
            f"splits: kind: tuckute2023 divides 165 stimuli, here are {n_stimuli}. "
            "Use kind: shuffle with `train_size` and `test_size`."
        )
    random = np.random.RandomState(0)
    splits = []
    for _ in range(10):
        development = random.choice(165, 83, replace=False)
        rest = np.setdiff1d(np.arange(165), development)
        splits.append((development, random.choice(rest, 82, replace=False)))
    return splits


def _folds(config: Splits, rows: np.ndarray, categories: list[str] | None, groups: np.ndarray | None) -> list[Split]:
    """Divide into `n_splits` folds, each of which is the test set once."""
    k = config.n_splits
    if config.groups is not None:
        _refuse_few(config, _n_groups(config, groups), k, "groups", f" for {k} folds (n_splits)")
    _refuse_few(config, len(rows), k, "stimuli", f" for {k} folds (n_splits)")
    by_chance = {"shuffle": True, "random_state": config.seed}
    if config.kind == "kfold":
        folds = KFold(k, **by_chance) if groups is None else GroupKFold(k)
        return list(folds.split(rows, groups=groups))
    names, counts = np.unique(_needed(config, categories), return_counts=True)
    if counts.min() < k:
        raise ConfigError(
            f"splits: kind: stratified_kfold puts every category into each of {k} folds, but "
            f"{names[counts.argmin()]!r} has {counts.min()} stimuli. Give fewer folds (n_splits), or use kind: kfold."
        )
    folds = StratifiedKFold(k, **by_chance) if groups is None else StratifiedGroupKFold(k, **by_chance)
    return _split(config, folds, rows, categories, groups)


def _split(config: Splits, splitter, rows, categories: list[str] | None, groups: np.ndarray | None) -> list[Split]:
    """Ask a stratified splitter, whose own refusals name the reason."""
    try:
        splits = list(splitter.split(rows, _needed(config, categories), groups))
    except ValueError as error:
        raise ConfigError(f"splits: kind: {config.kind} is impossible with these categories: {error}") from error
    if not all(len(part) for split in splits for part in split):
        raise ConfigError(
            f"splits: kind: {config.kind}: a fold is empty with these groups. Give fewer folds (n_splits)."
        )
    return splits


def _needed(config: Splits, categories: list[str] | None) -> list[str]:
    if categories is None:
        raise ConfigError(
            f"splits: kind: {config.kind} needs `stimuli: {{table: ...}}` with a category for every stimulus."
        )
    return categories


def _n_groups(config: Splits, groups: np.ndarray | None) -> int:
    if groups is None:
        raise ConfigError(f"splits: kind: {config.kind} needs `groups`, a column of `stimuli: {{table: ...}}`.")
    return len(np.unique(groups))


def _refuse_too_large(config: Splits, n: int, what: str, which: str) -> None:
    wanted = cast(int, config.train_size) + cast(int, config.test_size)  # of kinds that have sizes
    if wanted > n:
        raise ConfigError(
            f"splits: train_size {config.train_size} + test_size {config.test_size} = {wanted} {what}, "
            f"but only {n} {which}."
        )


def _refuse_few(config: Splits, n: int, least: int, what: str, why: str = "") -> None:
    if n < least:
        of = f" in the column {config.groups!r}" if what == "groups" else ""
        raise ConfigError(f"splits: kind: {config.kind} needs at least {least} {what}{why}; there are {n}{of}.")


def check_splits(config: Splits, splits: list[Split], groups: np.ndarray | None) -> list[str]:
    """Check what can only be known once the splits are made: sizes of the smallest, and groups on one side only.

    Returns
    -------
    list of str
        What a reader should know, in sentences.

    Raises
    ------
    ConfigError
        A test set has fewer than 10 stimuli and `allow_small_test` is not set; a development set has fewer than 3, or
        holds one group only, which inner folds could not divide; a group is on both sides.
    """
    smallest = min(len(test) for _, test in splits)
    if smallest < LEAST_TEST and not config.allow_small_test:
        raise ConfigError(f"splits: kind: {config.kind}: the smallest test set holds {small_test(smallest)}.")
    if groups is not None:
        _refuse_shared_groups(config, splits, groups)
    least = smallest_development(splits, groups)
    if groups is not None and least < 2:
        raise ConfigError(
            f"splits: a development set holds one group of {config.groups!r} only, which inner folds could not divide "
            "to choose alpha. Leave more groups in development."
        )
    if groups is None and least < 3:
        raise ConfigError(f"splits: a development set holds {least} stimuli; at least 3 are needed.")
    if smallest >= SMALL_TEST:
        return []
    return [
        f"The smallest test set holds {smallest} stimuli: {chance_of(smallest)}, and single scores scatter widely. "
        f"Test on {SMALL_TEST} or more where you can."
    ]


def smallest_development(splits: list[Split], groups: np.ndarray | None) -> int:
    """Count what inner folds divide in the smallest development set: its stimuli, or its groups."""
    return min(len(development if groups is None else np.unique(groups[development])) for development, _ in splits)


def _refuse_shared_groups(config: Splits, splits: list[Split], groups: np.ndarray) -> None:
    for number, (development, test) in enumerate(splits):
        shared = np.intersect1d(groups[development], groups[test])
        if len(shared):
            raise ConfigError(
                f"splits: in split {number} {len(shared)} groups of {config.groups!r} are on both sides. Put "
                f"all stimuli of a group into one set of {config.table}."
            )
