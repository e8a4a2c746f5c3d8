"""The splits of the stimuli into development and test: the only random choice of a comparison."""

import numpy as np
from sklearn.model_selection import ShuffleSplit, StratifiedShuffleSplit

from .config import Splits
from .errors import ConfigError


def make_splits(
    config: Splits, n_stimuli: int, categories: list[str] | None = None
) -> list[tuple[np.ndarray, np.ndarray]]:
    """Draw development and test stimuli.

    Parameters
    ----------
    config : Splits
        `shuffle`: scikit-learn's ShuffleSplit. `stratified`: its StratifiedShuffleSplit over `categories`.
        `tuckute2023`: numpy's legacy generator seeded with 0; per split 83 of
        165 without replacement, then 82 of the others (Tuckute et al. 2023, code of the ridge mapping).
    n_stimuli : int
        Number of stimuli, which are in the order of `auralign.stimuli.stimulus_order`.
    categories : list of str, optional
        Category of each stimulus, for `stratified`.

    Returns
    -------
    list of (development, test)
        Ascending indices into the stimuli, so that inside a split the stimuli keep their order.

    Raises
    ------
    ConfigError
        The sizes do not fit the number of stimuli.
    """
    if config.kind == "tuckute2023":
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
    else:
        wanted = config.train_size + config.test_size
        if wanted > n_stimuli:
            raise ConfigError(
                f"splits: train_size {config.train_size} + test_size {config.test_size} = {wanted} stimuli, "
                f"but only {n_stimuli} have features and responses."
            )
        sizes = {"train_size": config.train_size, "test_size": config.test_size, "random_state": config.seed}
        if config.kind == "stratified":
            splits = _stratified(config, sizes, categories)
        else:
            splits = list(ShuffleSplit(config.n_splits, **sizes).split(np.arange(n_stimuli)))
    return [(np.sort(development), np.sort(test)) for development, test in splits]


def _stratified(config: Splits, sizes: dict, categories: list[str] | None) -> list[tuple[np.ndarray, np.ndarray]]:
    if categories is None:
        raise ConfigError("splits: kind: stratified needs `stimuli: {table: ...}` with a category for every stimulus.")
    try:
        return list(StratifiedShuffleSplit(config.n_splits, **sizes).split(np.arange(len(categories)), categories))
    except ValueError as error:
        raise ConfigError(f"splits: kind: stratified is impossible with these categories: {error}") from error
