"""Stimuli that are nearly the same (copies, versions of one sound) and fall on both sides of a split."""

from collections.abc import Iterable, Iterator

import numpy as np
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components
from scipy.special import betainc, betaincinv

# correlation of two stimuli's features above which they count as versions of one
LIKE = 0.99
# a unit with no more values than this is a label, which stimuli share without being copies
LABELS = 10
# layers of fewer such units say too little for a correlation, and of fewer than the second number for equality
LEAST_UNITS, LEAST_EQUAL = 10, 3
# pairs of unrelated stimuli that a layer may be expected to put above the threshold by chance
BY_CHANCE = 0.05
# stimuli whose similarities are held at a time
BLOCK = 2048
# families of stimuli that a message names
LISTED = 3

Split = tuple[np.ndarray, np.ndarray]


def related_pairs(x: np.ndarray) -> np.ndarray:
    """Find pairs of stimuli whose features in one layer are the same or correlate above .99.

    Every unit is centred and divided by its standard deviation over the stimuli, so that what all sounds have in common
    (the shape of an average spectrum) makes no two of them alike, and no loud unit decides. A layer whose units go up
    and down together has few effective dimensions d = (sum of eigenvalues)^2 / (sum of their squares), in which
    unrelated stimuli correlate above .99 by chance; the threshold then rises until that would happen to 0.05 pairs.
    Units with ten or fewer values (labels) do not count, and layers of fewer than ten units are searched for equal
    stimuli only.

    Parameters
    ----------
    x : ndarray, shape (n_stimuli, n_units)

    Returns
    -------
    ndarray of int, shape (n_pairs, 2)
        Rows (a, b) with a < b.
    """
    ordered = np.sort(x, axis=0)
    informative = (np.diff(ordered, axis=0) > 0).sum(axis=0) >= LABELS
    n_units = int(informative.sum())
    if n_units < LEAST_EQUAL:
        return np.empty((0, 2), dtype=int)
    if n_units < LEAST_UNITS:
        return _equal_pairs(x)
    own = x[:, informative]
    spread = own.std(axis=0)
    z = (own - own.mean(axis=0)) / np.where(spread > 0, spread, 1.0)
    small = z @ z.T if len(z) <= z.shape[1] else z.T @ z  # both have the same eigenvalues but zeros
    dimensions = np.trace(small) ** 2 / (small**2).sum()
    length = np.linalg.norm(z, axis=1, keepdims=True)
    unit = z / np.where(length > 0, length, 1.0)
    threshold = max(LIKE, _chance_threshold(len(x), dimensions))
    found = [_equal_pairs(x)]
    for start in range(0, len(unit), BLOCK):
        a, b = np.nonzero(unit[start : start + BLOCK] @ unit.T > threshold)
        a += start
        found.append(np.column_stack([a, b])[a < b])
    return np.unique(np.concatenate(found), axis=0)


def _chance_threshold(n_stimuli: int, dimensions: float) -> float:
    """Cosine that independent directions in so many dimensions exceed for BY_CHANCE of all pairs."""
    share = BY_CHANCE / (n_stimuli * (n_stimuli - 1) / 2)
    half = (max(dimensions, 1.5) - 1) / 2
    # P(cosine > t) = I_(1 - t^2)((d - 1) / 2, 1 / 2) / 2
    if betainc(half, 0.5, 1 - LIKE**2) / 2 <= share:
        return LIKE
    return float(np.sqrt(1.0 - betaincinv(half, 0.5, 2 * share)))


def _equal_pairs(x: np.ndarray) -> np.ndarray:
    """Pairs of neighbours among stimuli whose features are equal in every unit."""
    first: dict[bytes, int] = {}
    pairs = []
    for row, values in enumerate(x + 0.0):  # -0.0 becomes 0.0
        other = first.setdefault(values.tobytes(), row)
        if other != row:
            pairs.append((other, row))
    return np.array(pairs, dtype=int).reshape(-1, 2)


def describe_related(
    layers: Iterable[tuple[str, np.ndarray]], stimuli: list[str], splits: list[Split], grouped_by: str | None
) -> list[str]:
    """Say which stimuli are versions of one another and stand on both sides of a split.

    Parameters
    ----------
    layers : iterable of (name of the feature set, ndarray of shape (n_stimuli, n_units))
        Looked at one after the other.
    stimuli : list of str
    splits : list of (development, test)
    grouped_by : str or None
        Column by which the splits keep stimuli together.

    Returns
    -------
    list of str
        One sentence or two; empty where the splits keep all of them together.
    """
    sets, pairs = [], [np.empty((0, 2), dtype=int)]
    for name, x in layers:
        own = _divided(related_pairs(x), splits, len(stimuli))
        if len(own):
            pairs.append(own)
            sets.append(name)
    related = np.unique(np.concatenate(pairs), axis=0)
    if not len(related):
        return []
    families = list(_families(related, len(stimuli)))
    names = ["; ".join(_listed([stimuli[row] for row in family]) for family in families[:LISTED])]
    if len(families) > LISTED:
        names.append(f" and {len(families) - LISTED} more families")
    n_stimuli = sum(map(len, families))
    number = f"{len(families)} {'family' if len(families) == 1 else 'families'}"
    advice = (
        f"The groups of {grouped_by!r} divide them: give such stimuli the same group."
        if grouped_by is not None
        else "Keep them together: give the table of `stimuli` a column that names each family (and every other "
        "stimulus by itself), and split by it: `splits: {kind: group_shuffle, groups: <the column>, ...}`, "
        "leave_one_group_out or kfold."
    )
    return [
        f"Versions of one stimulus on both sides of a split: the features of {n_stimuli} stimuli ({number}) are the "
        f"same or correlate above {LIKE:g} in {', '.join(dict.fromkeys(sets))}: {''.join(names)}. A test stimulus "
        f"whose like was learned scores too high. {advice}"
    ]


def _divided(pairs: np.ndarray, splits: list[Split], n_stimuli: int) -> np.ndarray:
    """Keep the pairs of which some split has one stimulus in development and the other in the test."""
    apart = np.zeros(len(pairs), dtype=bool)
    for development, test in splits:
        side = np.zeros(n_stimuli, dtype=int)
        side[development], side[test] = 1, -1
        apart |= side[pairs[:, 0]] * side[pairs[:, 1]] < 0
    return pairs[apart]


def _families(pairs: np.ndarray, n_stimuli: int) -> Iterator[np.ndarray]:
    """Yield stimuli that are related directly or through others, in the order of their first ones."""
    graph = coo_matrix((np.ones(len(pairs)), (pairs[:, 0], pairs[:, 1])), shape=(n_stimuli, n_stimuli))
    _, family = connected_components(graph, directed=False)
    for number in dict.fromkeys(family[np.unique(pairs)]):
        yield np.flatnonzero(family == number)


def _listed(names: list[str]) -> str:
    more = f" and {len(names) - 5} more" if len(names) > 5 else ""
    return ", ".join(names[:5]) + more
