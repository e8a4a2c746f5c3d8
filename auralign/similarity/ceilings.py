"""How well the responses of one subject can be told from those of the others: noise ceilings of similarities."""

import numpy as np
from scipy.stats import rankdata

from ..errors import ConfigError, DataError
from .comparisons import Method, compare

# what makes lists of several subjects alike before they are averaged, by what the comparison ignores
RANKED = ("spearman", "rho_a", "tau_a")
CORRELATED = ("pearson", "whitened_pearson")


def similarity_ceilings(rdms: np.ndarray, method: Method = "spearman") -> tuple[np.ndarray, np.ndarray]:
    """Lower and upper noise ceiling of every subject, by the comparison that the models are scored with.

    Lower: the subject's RDM against the mean RDM of the **other** subjects, what the best model that knows them would
    reach. Upper: against the mean of all, the subject included; for `pearson` and `cosine` no RDM has a higher mean
    over subjects (Nili et al. 2014, PLoS Comput Biol 10:e1003553). Before they are averaged RDMs are made alike in what
    the comparison ignores: ranked (rank comparisons), less their mean and divided by their spread (correlations),
    divided by their length (cosines).

    Parameters
    ----------
    rdms : array-like, shape (n_subjects, n_pairs)
        Without NaN.
    method : str
        As of `compare`.

    Returns
    -------
    lower, upper : ndarray, shape (n_subjects,)
        Their means over subjects are the ceilings.

    Raises
    ------
    DataError
        Fewer than two subjects, or dissimilarities that are not finite.
    ConfigError
        There is no such method.
    """
    rdms = np.asarray(rdms, dtype=np.float64)
    if rdms.ndim != 2 or len(rdms) < 2:
        raise DataError(f"ceiling: RDMs of the shape {rdms.shape}; expected (subjects, pairs) with 2 subjects or more.")
    if not np.isfinite(rdms).all():
        raise DataError("ceiling: some dissimilarities are not finite; leave out the stimuli that have none.")
    alike = _alike(rdms, method)
    n = len(rdms)
    total = alike.sum(axis=0)
    lower, upper = np.empty(n), np.empty(n)
    for subject, own in enumerate(alike):
        lower[subject] = compare(rdms[subject], (total - own) / (n - 1), method)
        upper[subject] = compare(rdms[subject], total / n, method)
    return lower, upper


def _alike(rdms: np.ndarray, method: str) -> np.ndarray:
    if method in RANKED:
        return rankdata(rdms, axis=1)
    if method not in (*CORRELATED, "cosine", "whitened_cosine"):
        raise ConfigError(f"ceiling: {method!r} is no comparison of RDMs; see `compare`.")
    own = rdms - rdms.mean(axis=1, keepdims=True) if method in CORRELATED else rdms
    length = np.linalg.norm(own, axis=1, keepdims=True)
    return own / np.where(length > 0, length, 1.0)
