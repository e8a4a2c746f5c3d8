"""The random halves of the splits that Tuckute et al. 2023 choose and read layers by, and the half-split statistic."""

from functools import lru_cache

import numpy as np

N_DRAWS = 10


def half_split(scores: np.ndarray) -> np.ndarray:
    """Mean over ten random halves of the splits of the median score over the half.

    The halves are those of `draw_halves` that are read, of the first layer. (In Tuckute et al. 2023 the other half
    chooses the best layer; where there is no layer to choose, as for a baseline, it goes unused.)

    Parameters
    ----------
    scores : ndarray, shape (n_splits, n_targets)
        The draws follow the order of the targets.

    Returns
    -------
    ndarray, shape (n_targets,)
        NaN where the number of splits is odd: they have no halves.
    """
    n_splits, n_targets = scores.shape
    if n_splits % 2:
        return np.full(n_targets, np.nan)
    reads = ~draw_halves(n_splits, n_targets)[:, 0]  # [draws, targets, splits]
    medians = [np.median(scores.T[read].reshape(n_targets, n_splits // 2), axis=1) for read in reads]
    return np.mean(medians, axis=0)


@lru_cache(maxsize=2)
def draw_halves(n_splits: int, n_targets: int, n_layers: int = 1) -> np.ndarray:
    """Draw which half of the splits chooses the layer; the other half is read.

    For i = 0, ..., 9 numpy's legacy generator is seeded with i; for every layer in order, and in it for every target in
    order, it shuffles (0, 1, 0, 1, ...) over the splits; splits with a 1 choose. So fewer layers get the halves of the
    first of many, and all feature sets of a study the same ones.

    Parameters
    ----------
    n_splits : int
        Even.
    n_targets, n_layers : int

    Returns
    -------
    ndarray of bool, shape (10, n_layers, n_targets, n_splits), read-only
    """
    halves = np.tile([False, True], (N_DRAWS, n_layers, n_targets, n_splits // 2))
    for draw in range(N_DRAWS):
        shuffle = np.random.RandomState(draw).shuffle
        for row in halves[draw].reshape(n_layers * n_targets, n_splits):
            shuffle(row)
    halves.setflags(write=False)
    return halves
