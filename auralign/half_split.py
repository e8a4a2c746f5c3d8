"""The half-split statistic: the published summary of scores over splits, steadier than their median."""

from functools import lru_cache

import numpy as np

N_DRAWS = 10


def half_split(scores: np.ndarray) -> np.ndarray:
    """Mean over ten random halves of the splits of the median score over the half.

    For i = 0, ..., 9 numpy's legacy generator is seeded with i; for every target in order it shuffles as many zeros as
    ones over the splits, and the median is taken over the splits that got a zero. (In Tuckute et al. 2023 the other
    half chooses the best layer; where there is no layer to choose, as for a baseline, it goes unused.)

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
    halves = _halves(n_splits, n_targets)  # [10, n_splits / 2, n_targets]
    medians = [np.median(np.take_along_axis(scores, half, axis=0), axis=0) for half in halves]
    return np.mean(medians, axis=0)


@lru_cache(maxsize=1)
def _halves(n_splits: int, n_targets: int) -> np.ndarray:
    """Draw the splits whose scores are read: indices, shape (10, n_splits // 2, n_targets); alike for every layer."""
    halves = np.empty((N_DRAWS, n_splits // 2, n_targets), dtype=np.intp)
    for draw in range(N_DRAWS):
        random = np.random.RandomState(draw)
        for target in range(n_targets):
            mask = np.tile([0, 1], n_splits // 2)
            random.shuffle(mask)
            halves[draw, :, target] = np.flatnonzero(mask == 0)
    halves.setflags(write=False)
    return halves
