"""Orders of stimuli that are as likely as the real one if responses do not depend on features."""

import numpy as np

from ..errors import DataError


def permuted_orders(
    n_stimuli: int,
    n_permutations: int,
    seed: int = 0,
    within: np.ndarray | None = None,
    together: np.ndarray | None = None,
) -> np.ndarray:
    """Draw orders of the stimuli at random.

    Parameters
    ----------
    n_stimuli, n_permutations : int
    seed : int
    within : array-like, shape (n_stimuli,), optional
        Categories; stimuli change places within theirs only.
    together : array-like, shape (n_stimuli,), optional
        Groups of related stimuli. They change places as wholes, their members in order, with groups of as many members
        (and with `within` of the same categories): versions of one sound have responses alike, so that to tear them
        apart would make permuted responses less orderly than real ones, and p too small.

    Returns
    -------
    ndarray of int, shape (1 + n_permutations, n_stimuli)
        The first is the order as it is.

    Raises
    ------
    DataError
        Categories or groups do not fit the stimuli, or leave nothing to permute.
    """
    within = np.zeros(n_stimuli, dtype=int) if within is None else np.asarray(within)
    together = np.arange(n_stimuli) if together is None else np.asarray(together)
    for what, labels in (("categories", within), ("groups", together)):
        if labels.shape != (n_stimuli,):
            raise DataError(f"groups: {labels.shape[0]} {what} for {n_stimuli} stimuli.")
    _, codes = np.unique(within, return_inverse=True)
    classes: dict[tuple[int, ...], list[np.ndarray]] = {}
    for group in np.unique(together):
        members = np.flatnonzero(together == group)
        classes.setdefault(tuple(codes[members]), []).append(members)
    if max(map(len, classes.values()), default=0) < 2:
        raise DataError(
            "groups: every stimulus is alone in its category, so that none can change places."
            if len(np.unique(together)) == n_stimuli
            else "groups: no two groups have as many stimuli of the same categories, so that none can change places."
        )
    random = np.random.default_rng(seed)
    orders = np.tile(np.arange(n_stimuli), (1 + n_permutations, 1))
    for _, groups in sorted(classes.items()):
        places = np.array(groups)  # [groups, members]
        drawn = random.permuted(np.tile(np.arange(len(places)), (n_permutations, 1)), axis=1)
        orders[1:, places.ravel()] = places[drawn].reshape(n_permutations, -1)
    return orders
