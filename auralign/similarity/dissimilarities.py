"""Dissimilarities of all pairs of stimuli in one representation, as a vector: the entries of an RDM above its diagonal.

The order is row by row, (0, 1), (0, 2), ..., (n - 2, n - 1), that of `scipy.spatial.distance.squareform`, which makes
the symmetric matrix of it.
"""

from typing import Literal

import numpy as np

from ..errors import ConfigError, DataError
from .noise import NoisePrecision
from .representations import representation

Kind = Literal["correlation", "euclidean", "cosine"]
KINDS = ("correlation", "euclidean", "cosine")
# a row whose spread, or length, is below this share of its size, or of the longest row's, is rounding
ROUNDING = 1e-13


def dissimilarities(x: np.ndarray, kind: Kind = "correlation") -> np.ndarray:
    """Dissimilarity of every pair of stimuli.

    - `correlation`: 1 - Pearson r over units (0 to 2); of stimuli whose units are all alike it is undefined (NaN);
    - `cosine`: 1 - x_i . x_j / (||x_i|| ||x_j||) (0 to 2); of stimuli that are 0 everywhere undefined (NaN);
    - `euclidean`: ||x_i - x_j||^2 / n_units, **squared** and per unit, as in rsatoolbox: differences of inner products,
      which is what whitened comparisons assume.

    Parameters
    ----------
    x : array-like, shape (n_stimuli, n_units)
    kind : "correlation", "euclidean" or "cosine"

    Returns
    -------
    ndarray, shape (n_stimuli (n_stimuli - 1) / 2,)

    Raises
    ------
    DataError
        Fewer than three stimuli (one pair cannot be compared with anything), values that are not finite, or one unit
        (for `correlation`; two units allow the values 0 and 2 alone) where the kind takes several.
    ConfigError
        There is no such kind.
    """
    if kind not in KINDS:
        raise ConfigError(
            f"dissimilarity: {kind!r} is not allowed; use {', '.join(KINDS[:-1])} or {KINDS[-1]}; with repetitions "
            "crossnobis."
        )
    x = representation(x, 3)
    if kind == "correlation" and x.shape[1] < 3:
        raise DataError(
            f"x: {x.shape[1]} unit(s): the correlation of two stimuli over fewer than three units is undefined, or 1 "
            "or -1 whatever they hold. Use euclidean."
        )
    upper = np.triu_indices(len(x), 1)
    if kind == "euclidean":
        own = x - x.mean(axis=0)  # moves no distance, and keeps a large offset from cancelling digits
        return _differences(own @ own.T)[upper] / x.shape[1]
    size = np.linalg.norm(x, axis=1)
    own = x - x.mean(axis=1, keepdims=True) if kind == "correlation" else x
    norm = np.linalg.norm(own, axis=1)
    undefined = norm <= ROUNDING * (size if kind == "correlation" else size.max(initial=0.0))
    unit = own / np.where(undefined, np.nan, norm)[:, None]
    return 1.0 - np.clip(unit @ unit.T, -1.0, 1.0)[upper]


def crossnobis(repetitions: np.ndarray, noise: NoisePrecision | None = None) -> np.ndarray:
    """Cross-validated squared Mahalanobis distance of every pair of stimuli, which noise does not make larger.

        d_ij = mean over pairs of repetitions a != b of (x_i - x_j)_a' P (x_i - x_j)_b / n_units

    with P the inverse of the noise covariance. The errors of two repetitions are independent, so that its expectation
    is 0 where two stimuli evoke the same response; it may be negative (Walther et al. 2016, Neuroimage 137:188).

    Parameters
    ----------
    repetitions : array-like, shape (n_stimuli, n_units, n_repetitions)
    noise : NoisePrecision, optional
        `noise_precision(repetitions)`; without it P is the identity (cross-validated Euclidean).

    Returns
    -------
    ndarray, shape (n_stimuli (n_stimuli - 1) / 2,)

    Raises
    ------
    DataError
        Another number of axes, fewer than two repetitions, fewer than three stimuli, or values that are not finite.
    """
    y = np.asarray(repetitions, dtype=np.float64)
    if y.ndim != 3 or y.shape[2] < 2:
        raise DataError(
            f"crossnobis: responses of the shape {y.shape}; expected (stimuli, units, repetitions) with two "
            "repetitions or more. Of a single one take `dissimilarities`."
        )
    n_units, n_repetitions = y.shape[1:]
    parts = [representation(y[:, :, number], 3, f"repetition {number}") for number in range(n_repetitions)]
    parts = [part - part.mean(axis=0) for part in parts]
    # over ordered pairs a != b: all pairs less those of a repetition with itself
    k = _inner(np.sum(parts, axis=0), noise)
    for part in parts:
        k -= _inner(part, noise)
    k /= n_repetitions * (n_repetitions - 1)
    return _differences(k)[np.triu_indices(len(k), 1)] / n_units


def _inner(x: np.ndarray, noise: NoisePrecision | None) -> np.ndarray:
    return x @ x.T if noise is None else noise.inner_products(x)


def _differences(k: np.ndarray) -> np.ndarray:
    """Turn inner products into those of differences: k_ii + k_jj - 2 k_ij."""
    d = k.diagonal()
    return d[:, None] + d[None, :] - 2.0 * k
