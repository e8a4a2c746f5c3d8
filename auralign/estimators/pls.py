"""Partial least squares: regression on the few directions of the features that covary most with the responses."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import AfterValidator, Field
from sklearn.base import MultiOutputMixin

from ..errors import ConfigError
from ..options import Seed
from .face import Face
from .numerics.columns import checked
from .numerics.folds import Fold, as_list, resolve_folds
from .options import EstimatorOptions, InnerFolds, inner_words
from .plugin import Can, InnerCv, LinearFit, Plugin

# a covariance or a direction below this share of where it began is rounding: nothing is left to explain
ROUNDING = 1e-13


class PLS(EstimatorOptions):
    """Partial least squares; the number of components by inner cross-validation.

    With `per_target` (the default) every target has components of its own, so that its score does not depend on which
    other targets are in the study; else components and their number are shared.
    """

    kind: Literal["pls"]
    n_components: Annotated[
        list[Annotated[int, Field(ge=1)]], Field(min_length=1), AfterValidator(lambda counts: sorted(set(counts)))
    ] = list(range(1, 11))
    per_target: bool = True
    cv: InnerFolds = 5
    seed: Seed = 0


def pls_weights(x: np.ndarray, y: np.ndarray, most: int) -> tuple[np.ndarray, np.ndarray]:
    """Find w_k = argmax over ||w|| = 1 of ||Y_k' X_k w||, t_k = X_k w_k, and take t_k out of X_k and Y_k, k = 1, 2, ...

    w_k is the first left singular vector of X_k'Y_k (NIPALS without its iterations). With the loadings
    p_k = X_k't_k / t_k't_k and q_k = Y_k't_k / t_k't_k, the weights of the features of a model of k components are
    W (P'W)^-1 Q', W, P and Q holding the first k vectors.

    Parameters
    ----------
    x : ndarray, shape (n, n_features), centred
    y : ndarray, shape (n, n_targets), centred
    most : int
        Number of components, fewer where nothing is left to explain before.

    Returns
    -------
    rotations : ndarray, shape (n_features, n_components)
        W (P'W)^-1, by which features become components; column k does not depend on later ones.
    loadings : ndarray, shape (n_components, n_targets)
        Q'.
    """
    x, y = x.copy(), y.copy()
    rotations: list[np.ndarray] = []
    loadings: list[np.ndarray] = []
    of_x: list[np.ndarray] = []
    first = None
    for _ in range(min(most, len(x) - 1, x.shape[1])):
        covariance = x.T @ y
        left, singular, _ = np.linalg.svd(covariance, full_matrices=False) if y.shape[1] > 1 else _single(covariance)
        first = singular[0] if first is None else first
        if singular[0] <= ROUNDING * first or singular[0] == 0.0:
            break
        weight = left[:, 0]
        score = x @ weight
        power = score @ score
        p, q = x.T @ score / power, y.T @ score / power
        # (P'W) is upper triangular with a diagonal of 1: its inverse is built column by column
        rotation = weight - sum(
            ((before @ weight) * column for before, column in zip(of_x, rotations, strict=True)), 0.0
        )
        rotations.append(rotation)
        of_x.append(p)
        loadings.append(q)
        x -= np.outer(score, p)
        y -= np.outer(score, q)
    if not rotations:
        return np.zeros((x.shape[1], 0)), np.zeros((0, y.shape[1]))
    return np.column_stack(rotations), np.array(loadings)


def _single(covariance: np.ndarray) -> tuple[np.ndarray, np.ndarray, None]:
    """Decompose a single column, whose singular vector is itself."""
    norm = np.linalg.norm(covariance)
    return covariance / (norm or 1.0), np.array([norm]), None


def fit_pls(
    x: np.ndarray,
    y: np.ndarray,
    n_components: Sequence[int] = tuple(range(1, 11)),
    per_target: bool = True,
    cv: Any = 5,
    seed: int = 0,
) -> LinearFit:
    """y = (X - x_mean) W (P'W)^-1 Q' + y_mean, with the number of components chosen by inner cross-validation.

    The vectors are those of `pls_weights`, as scikit-learn's `PLSRegression(scale=False)`, whose iterations for several
    targets stop early by default (predictions then differ by some 1e-4 of their spread). Of equal errors (the mean
    over folds of the mean squared error; without `per_target` summed over targets, in squared units of y) the smaller
    number wins. One that is larger than the rank of the features counts as that rank.

    Parameters
    ----------
    x : ndarray, shape (n, n_features)
    y : ndarray, shape (n, n_targets)
    n_components : sequence of int
        Candidates; a single one is taken as it is.
    per_target : bool
        Components of each target by itself, or one set of components, and one number, for all.
    cv : "loo", int, splitter or list of folds
        See `numerics.folds.resolve_folds`.
    seed : int
        Seed of a number of inner folds; nothing else is drawn.

    Returns
    -------
    LinearFit
        `params` holds the chosen `n_components` of every target; there is no alpha.

    Raises
    ------
    ConfigError, DataError
        See `columns.checked` and `resolve_folds`.
    """
    counts = np.unique(n_components)
    if not counts.size or counts[0] < 1 or not np.issubdtype(counts.dtype, np.integer):
        raise ConfigError(f"pls: n_components must be a list of whole numbers from 1 on, got {n_components!r}.")
    x_mean, x_centred, y_mean, y_centred = checked(x, y, solver="pls")
    folds = as_list(resolve_folds(cv, x_centred, np.asarray(y), seed, "pls"), len(x_centred))
    coef = np.empty((x_centred.shape[1], y_centred.shape[1]))
    r2_dev, chosen = np.empty(coef.shape[1]), np.empty(coef.shape[1], dtype=int)
    groups = [[target] for target in range(coef.shape[1])] if per_target else [list(range(coef.shape[1]))]
    for columns in groups:
        own = y_centred[:, columns]
        errors, of_mean = _errors(x_centred, own, counts, folds)
        best = int(errors.sum(axis=1).argmin())
        rotations, loadings = pls_weights(x_centred, own, counts[best])
        coef[:, columns] = rotations @ loadings
        chosen[columns] = counts[best]
        r2_dev[columns] = 1.0 - np.divide(errors[best], of_mean, out=np.ones_like(of_mean), where=of_mean > 0)
    params = [{"n_components": int(count)} for count in chosen]
    return LinearFit(coef, x_mean, y_mean, r2_dev, np.nan, params)


def _errors(x: np.ndarray, y: np.ndarray, counts: np.ndarray, folds: list[Fold]) -> tuple[np.ndarray, np.ndarray]:
    """Return the errors of every number of components [n_counts, n_targets], and those of the mean [n_targets]."""
    errors, of_mean = np.zeros((len(counts), y.shape[1])), np.zeros(y.shape[1])
    for training, held_out in folds:
        fold_x, fold_y = x - x[training].mean(axis=0), y - y[training].mean(axis=0)
        rotations, loadings = pls_weights(fold_x[training], fold_y[training], counts[-1])
        scores = fold_x[held_out] @ rotations
        for number, count in enumerate(counts):
            predicted = scores[:, :count] @ loadings[:count]
            errors[number] += ((fold_y[held_out] - predicted) ** 2).mean(axis=0) / len(folds)
        of_mean += (fold_y[held_out] ** 2).mean(axis=0) / len(folds)
    return errors, of_mean


class PLSExact(MultiOutputMixin, Face):
    """The scikit-learn face of `fit_pls`; attributes as of `Face`.

    Parameters
    ----------
    n_components, per_target, cv, seed
        See `fit_pls`.
    """

    def __init__(self, n_components=(1, 2, 3), per_target=True, cv=5, seed=0):
        self.n_components = n_components
        self.per_target = per_target
        self.cv = cv
        self.seed = seed

    def _solve(self, x: np.ndarray, y: np.ndarray) -> LinearFit:
        return fit_pls(x, y, self.n_components, self.per_target, self.cv, self.seed)


def _of_options(x: np.ndarray, y: np.ndarray, options: PLS, cv: InnerCv, widths=None) -> LinearFit:
    return fit_pls(x, y, options.n_components, options.per_target, cv, options.seed)


def _face(options: PLS, cv: InnerCv, widths=None) -> PLSExact:
    return PLSExact(options.n_components, options.per_target, cv, options.seed)


def _can(options: PLS) -> Can:
    return Can(joint=not options.per_target, params=True, by_target=options.per_target)


def _words(options: PLS) -> str:
    each = "for each target" if options.per_target else "once for all targets, which share their components"
    counts = ", ".join(map(str, options.n_components))
    return f"number of components chosen {each} by {inner_words(options.cv)} on the development stimuli from {counts}"


PLUGIN = Plugin(
    "pls",
    PLS,
    _of_options,
    _can,
    _face,
    words=_words,
    equation="y = X W (P'W)⁻¹ Q', each w being the direction whose component Xw covaries most with what is left of y",
    references=(
        "Wold, S., Sjöström, M. & Eriksson, L. (2001). PLS-regression: a basic tool of chemometrics. Chemometrics and "
        "Intelligent Laboratory Systems 58, 109-130.",
    ),
)
