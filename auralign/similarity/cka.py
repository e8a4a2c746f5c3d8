"""Centred kernel alignment with a linear kernel, from estimates of the Hilbert-Schmidt independence criterion."""

from collections.abc import Sequence
from typing import Literal

import numpy as np

from ..errors import ConfigError, DataError
from .representations import centred, gram, representation, representations

Estimator = Literal["unbiased", "biased"]
ESTIMATORS = ("unbiased", "biased")
# the unbiased estimate has n - 3 in its divisor
LEAST_STIMULI = 4
# a self-term below this share of its parts is rounding: nothing is left to compare with
NOTHING = 1e-12


def u_centred(k: np.ndarray) -> np.ndarray:
    """U-centre a Gram matrix: its entries above the diagonal, less what row, column and all of them share.

    With K~ = K without its diagonal, r its row sums and s their total,

        U_ij = K~_ij - (r_i + r_j) / (n - 2) + s / ((n - 1)(n - 2)),   i != j

    whose rows sum to 0 (Szekely & Rizzo 2014, Ann Stat 42:2382).

    Parameters
    ----------
    k : ndarray, shape (n_stimuli, n_stimuli), symmetric, n_stimuli >= 3

    Returns
    -------
    ndarray, shape (n_stimuli (n_stimuli - 1) / 2,)
        Row by row above the diagonal.
    """
    n = len(k)
    off = k - np.diag(k.diagonal())
    rows = off.sum(axis=1)
    upper = np.triu_indices(n, 1)
    return off[upper] - (rows[upper[0]] + rows[upper[1]]) / (n - 2) + rows.sum() / ((n - 1) * (n - 2))


def hsic(k: np.ndarray, l: np.ndarray, estimator: Estimator = "unbiased") -> float:  # noqa: E741 (its name in papers)
    """Hilbert-Schmidt independence criterion of two Gram matrices.

    Unbiased (HSIC_1; Song et al. 2012, J Mach Learn Res 13:1393, eq. 5), with K~, L~ the matrices without diagonals:

        [tr(K~L~) + (1'K~1)(1'L~1) / ((n - 1)(n - 2)) - 2 / (n - 2) 1'K~L~1] / (n (n - 3))

    computed as the inner product of the U-centred matrices. It may be negative. Biased (HSIC_0; Gretton et al. 2005,
    ALT, p. 63), with H = I - 11'/n: tr(KHLH) / (n - 1)^2.

    Parameters
    ----------
    k, l : ndarray, shape (n_stimuli, n_stimuli), symmetric
    estimator : "unbiased" or "biased"

    Raises
    ------
    ConfigError
        There is no such estimator.
    DataError
        Fewer than four stimuli, or matrices of different shapes.
    """
    _check_estimator(estimator)
    n = len(k)
    if k.shape != (n, n) or k.shape != l.shape or n < LEAST_STIMULI:
        raise DataError(
            f"Gram matrices of the shapes {k.shape} and {l.shape}; expected two alike, of at least {LEAST_STIMULI} "
            "stimuli."
        )
    if estimator == "biased":
        return float((_doubly_centred(k) * _doubly_centred(l)).sum() / (n - 1) ** 2)
    return float(2.0 * u_centred(k) @ u_centred(l) / (n * (n - 3)))


def cka(x: np.ndarray, y: np.ndarray, estimator: Estimator = "unbiased") -> float:
    """Linear centred kernel alignment of two representations.

        CKA = HSIC(XX', YY') / sqrt(HSIC(XX', XX') HSIC(YY', YY'))                    (Kornblith et al. 2019, ICML)

    The biased estimate grows with the number of units: two independent representations of 165 stimuli, 768 and 7,694
    units of noise, have a biased CKA of .90 and an unbiased one within .01 of 0. The unbiased one may be negative, and
    is not clipped. It is one for the stimuli at hand; where the units, too, are a sample of a population, see
    `cka_features`.

    Parameters
    ----------
    x : array-like, shape (n_stimuli, n_units_x)
    y : array-like, shape (n_stimuli, n_units_y)
        The same stimuli in the same order.
    estimator : "unbiased" or "biased"

    Returns
    -------
    float
        NaN where a representation is constant, or has no variance that its stimuli share (a self-term of 0 or less).

    Raises
    ------
    DataError
        Representations of different stimuli, of fewer than four, or with values that are not finite.
    ConfigError
        There is no such estimator.
    """
    x, y = representations(x, y, LEAST_STIMULI)
    return float(cka_matrix([x], [y], estimator)[0, 0])


def cka_matrix(
    xs: Sequence[np.ndarray], ys: Sequence[np.ndarray] | None = None, estimator: Estimator = "unbiased"
) -> np.ndarray:
    """`cka` of every one of some representations with every one of others, by one product of matrices.

    Parameters
    ----------
    xs, ys : sequence of array-like, each of shape (n_stimuli, n_units)
        Without ys of xs with each other. Memory: n_stimuli^2 / 2 numbers for each.
    estimator : "unbiased" or "biased"

    Returns
    -------
    ndarray, shape (n_xs, n_ys)
        NaN in the row or column of a representation that gives none (`cka`).

    Raises
    ------
    DataError, ConfigError
        As `cka`.
    """
    a, norm_a = _aligned(xs, "xs", estimator)
    b, norm_b = (a, norm_a) if ys is None else _aligned(ys, "ys", estimator)
    if a.shape[1] != b.shape[1]:
        raise DataError("xs and ys are of different numbers of stimuli; all must be of the same stimuli.")
    with np.errstate(divide="ignore", invalid="ignore"):
        return (a @ b.T) / np.outer(norm_a, norm_b)


def _aligned(xs: Sequence[np.ndarray], name: str, estimator: Estimator) -> tuple[np.ndarray, np.ndarray]:
    """Return vectors [representation, entries] whose inner products are HSIC up to a factor, and their norms."""
    _check_estimator(estimator)
    if not len(xs):
        raise DataError(f"{name}: there is no representation to compare.")
    checked = [representation(x, LEAST_STIMULI, f"{name}[{number}]") for number, x in enumerate(xs)]
    lengths = {len(x) for x in checked}
    if len(lengths) > 1:
        raise DataError(f"{name}: representations of {sorted(lengths)} stimuli; all must be of the same stimuli.")
    grams = (gram(x) for x in checked)
    vectors = np.stack([u_centred(k) if estimator == "unbiased" else _doubly_centred(k).ravel() for k in grams])
    norms = np.linalg.norm(vectors, axis=1)
    size = np.array([np.linalg.norm(centred(x)) ** 2 for x in checked])  # tr K, which bounds every entry
    return vectors, np.where(norms > NOTHING * size, norms, np.nan)


def cka_features(x: np.ndarray, y: np.ndarray, sampled: Literal["both", "x", "y"] = "both") -> float:
    """Linear CKA of two populations of units of which x and y hold random samples, unbiased in stimuli and units.

    In HSIC_1(XX', XX') every unit occurs with itself, which makes the self-terms too large and CKA too small, the more
    the fewer units were sampled. Over pairs of different ones of q units, with h_a = HSIC_1(x_a x_a', x_a x_a'),

        HSIC = [HSIC_1(XX', XX') - sum_a h_a] q / (q - 1)

    (Chun, Canatar, Chung & Lee 2025, arXiv 2502.15104; this closed form follows from theirs). The cross-term needs no
    correction, since x and y share no unit. h_a takes the power sums p_k = sum_i x_ia^k of a unit alone:

        n (n - 3) h_a = p2^2 - p4 + (p1^2 - p2)^2 / ((n - 1)(n - 2)) - 2 (p1^2 p2 - 2 p1 p3 + p4) / (n - 2)

    Right for units of a layer and for voxels. **Not** for the six response components, or others that were inferred and
    are all there are: they are no sample of anything, and `cka` is meant for them; name the other side in `sampled`.

    Parameters
    ----------
    x : array-like, shape (n_stimuli, n_units_x)
    y : array-like, shape (n_stimuli, n_units_y)
    sampled : "both", "x" or "y"
        Whose units are a sample; the self-term of the other stays HSIC_1.

    Returns
    -------
    float
        NaN where a corrected self-term is 0 or less: different units then share nothing that could be compared. Close
        above 0 (units of noise) the value is any number, so look at the interval over stimuli.

    Raises
    ------
    DataError
        As `cka`; or fewer than two units of what is a sample.
    ConfigError
        `sampled` is none of these.
    """
    if sampled not in ("both", "x", "y"):
        raise ConfigError(f"sampled: {sampled!r} is not allowed; use both, x or y.")
    x, y = representations(x, y, LEAST_STIMULI)
    n = len(x)
    terms = []
    for name, own in (("x", x), ("y", y)):
        own = centred(own)
        k = own @ own.T
        term, scale = hsic(k, k), k.trace() ** 2 / (n * (n - 3))
        if sampled in ("both", name):
            if own.shape[1] < 2:
                raise DataError(f"{name}: one unit is no sample of units to correct for; at least 2 are needed.")
            term = (term - _of_single_units(own).sum()) * own.shape[1] / (own.shape[1] - 1)
        terms.append(term if term > NOTHING * scale else np.nan)
    return hsic(gram(x), gram(y)) / float(np.sqrt(terms[0] * terms[1]))


def _of_single_units(x: np.ndarray) -> np.ndarray:
    """HSIC_1(x_a x_a', x_a x_a') of every unit by itself, [n_units]; see `cka_features`."""
    n = len(x)
    p1, p2, p3, p4 = ((x**power).sum(axis=0) for power in (1, 2, 3, 4))
    pairs = p2**2 - p4 + (p1**2 - p2) ** 2 / ((n - 1) * (n - 2)) - 2 * (p1**2 * p2 - 2 * p1 * p3 + p4) / (n - 2)
    return pairs / (n * (n - 3))


def _doubly_centred(k: np.ndarray) -> np.ndarray:
    """H K H with H = I - 11'/n."""
    rows = k.mean(axis=1)
    return k - rows[:, None] - rows[None, :] + rows.mean()


def _check_estimator(estimator: str) -> None:
    if estimator not in ESTIMATORS:
        raise ConfigError(f"estimator: {estimator!r} is not allowed; use {' or '.join(ESTIMATORS)}.")
