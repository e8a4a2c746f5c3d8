"""Comparisons of RDMs: how alike two lists of dissimilarities of the same pairs are."""

from typing import Literal

import numpy as np
from scipy.spatial.distance import squareform
from scipy.stats import kendalltau, rankdata

from ..errors import ConfigError, DataError

Method = Literal["spearman", "rho_a", "pearson", "cosine", "whitened_cosine", "whitened_pearson", "tau_a"]
METHODS = ("spearman", "rho_a", "pearson", "cosine", "whitened_cosine", "whitened_pearson", "tau_a")
# a list whose spread is below this share of its size has none
ROUNDING = 1e-13


def compare(a: np.ndarray, b: np.ndarray, method: Method = "spearman") -> np.ndarray:
    """Compare every RDM of one stack with every one of another.

    - `spearman`: Pearson r of the ranks, ties given their mean rank;
    - `rho_a`: the expected Spearman correlation if ties were broken at random, 12 / (P^3 - P) times the inner product
      of centred ranks of P pairs; right for models that predict ties, which `spearman` favours (Schuett et al. 2023);
    - `pearson`, `cosine` of the dissimilarities;
    - `whitened_cosine`: a'V^-1 b / sqrt(a'V^-1 a b'V^-1 b) with V the covariance of estimated dissimilarities whose
      stimuli share independent noise (Diedrichsen et al. 2021, NBDT 5:1). With squared Euclidean distances it is the
      linear CKA (biased) of the two representations, by which it is computed: the cosine of -H A H / 2 and -H B H / 2
      with A, B the symmetric matrices and H = I - 11'/n;
    - `whitened_pearson`: the same after both are freed of the constant list in that metric;
    - `tau_a`: Kendall's (concordant - discordant) / all pairs of pairs; Nili et al. 2014 advise it where models tie.

    Parameters
    ----------
    a, b : array-like, shape (n_pairs,) or (n_a, n_pairs), (n_b, n_pairs)
        From `dissimilarities`. Pairs that are NaN in any of them are left out everywhere, but in the whitened methods,
        which need all of them. A list of NaN alone (of a constant layer) leaves the pairs of the others as they are.
    method : str

    Returns
    -------
    ndarray, shape () or (n_a, n_b), less the axes that were not given
        NaN where a list is constant (in `cosine` zero everywhere) or NaN.

    Raises
    ------
    DataError
        Lists of different lengths, fewer than two pairs that all have, or pairs that are missing for a whitened method.
    ConfigError
        There is no such method.
    """
    if method not in METHODS:
        raise ConfigError(f"compare: {method!r} is not allowed; use {', '.join(METHODS[:-1])} or {METHODS[-1]}.")
    first, second = (np.asarray(one, dtype=np.float64) for one in (a, b))
    left, right = np.atleast_2d(first), np.atleast_2d(second)
    if left.ndim != 2 or right.ndim != 2 or left.shape[1] != right.shape[1]:
        raise DataError(
            f"RDMs of the shapes {first.shape} and {second.shape}: expected lists of as many pairs, (pairs,) or "
            "(RDMs, pairs)."
        )
    there, others = (~np.isnan(rows).all(axis=1) for rows in (left, right))
    values = np.full((len(left), len(right)), np.nan)
    if there.any() and others.any():
        values[np.ix_(there, others)] = _compared(left[there], right[others], method)
    return values[(0,) * (first.ndim == 1)][(..., 0)[: 1 + (second.ndim == 1)]]


def _compared(left: np.ndarray, right: np.ndarray, method: str) -> np.ndarray:
    """Compare lists of which none is NaN throughout, [n_left, n_right]."""
    known = ~(np.isnan(left).any(axis=0) | np.isnan(right).any(axis=0))
    if method.startswith("whitened") and not known.all():
        raise DataError(
            f"compare: {method} needs the dissimilarities of all pairs; {int((~known).sum())} of {len(known)} are "
            "missing. Leave out their stimuli, or use spearman."
        )
    if known.sum() < 2:
        raise DataError(f"compare: {int(known.sum())} pairs have a dissimilarity in all RDMs; at least 2 are needed.")
    return _COMPARED[method](left[:, known], right[:, known])


def _cosine(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Cosine of rows of a [n_a, n] with rows of b [n_b, n]; NaN for rows of zeros."""
    with np.errstate(divide="ignore", invalid="ignore"):
        cosine = (a @ b.T) / np.outer(np.linalg.norm(a, axis=1), np.linalg.norm(b, axis=1))
    return np.clip(cosine, -1.0, 1.0)


def _freed(a: np.ndarray) -> np.ndarray:
    """Subtract every row's mean; a row whose spread is rounding becomes exactly 0."""
    own = a - a.mean(axis=1, keepdims=True)
    own[np.linalg.norm(own, axis=1) <= ROUNDING * np.linalg.norm(a, axis=1)] = 0.0
    return own


def _pearson(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return _cosine(_freed(a), _freed(b))


def _spearman(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return _pearson(rankdata(a, axis=1), rankdata(b, axis=1))


def _rho_a(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    n = a.shape[1]
    ranks = (rankdata(own, axis=1) - (n + 1) / 2 for own in (a, b))
    left, right = ranks
    result = 12.0 * (left @ right.T) / (float(n) ** 3 - n)
    constant = (np.ptp(left, axis=1) == 0)[:, None] | (np.ptp(right, axis=1) == 0)[None, :]
    return np.where(constant, np.nan, result)


def _tau_a(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Kendall's tau-a from scipy's tau-b: both divide concordant - discordant, by all or by untied pairs of pairs."""
    n = a.shape[1]
    every = n * (n - 1) / 2

    def untied(row: np.ndarray) -> float:
        counts = np.unique(row, return_counts=True)[1].astype(float)
        return every - (counts * (counts - 1) / 2).sum()

    left, right = ([untied(row) for row in rows] for rows in (a, b))
    tau_b = np.array([[kendalltau(row, other).statistic for other in b] for row in a])
    return tau_b * np.sqrt(np.outer(left, right)) / every


def _second_moments(a: np.ndarray) -> np.ndarray:
    """-H A H / 2 of every row, flattened, [n_rows, n_stimuli^2]."""
    matrices = np.stack([squareform(row, checks=False) for row in a])
    rows = matrices.mean(axis=1)
    centred = matrices - rows[:, :, None] - rows[:, None, :] + rows.mean(axis=1)[:, None, None]
    return -0.5 * centred.reshape(len(a), -1)


def _whitened_cosine(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return _cosine(_second_moments(a), _second_moments(b))


def _whitened_pearson(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    constant = _second_moments(np.ones((1, a.shape[1])))[0]
    constant /= np.linalg.norm(constant)

    def freed(rows: np.ndarray) -> np.ndarray:
        own = _second_moments(rows)
        size = np.linalg.norm(own, axis=1)
        own = own - np.outer(own @ constant, constant)
        own[np.linalg.norm(own, axis=1) <= ROUNDING * size] = 0.0
        return own

    return _cosine(freed(a), freed(b))


_COMPARED = {
    "spearman": _spearman,
    "rho_a": _rho_a,
    "pearson": _pearson,
    "cosine": _cosine,
    "whitened_cosine": _whitened_cosine,
    "whitened_pearson": _whitened_pearson,
    "tau_a": _tau_a,
}
