"""Ridge regression with exact leave-one-out choice of alpha, all targets from one eigendecomposition."""

from dataclasses import dataclass

import numpy as np
from scipy.linalg import eigh, helmert, svd
from sklearn.base import BaseEstimator, MultiOutputMixin, RegressorMixin
from sklearn.model_selection import KFold
from sklearn.utils.validation import check_is_fitted

# targets per block of the leave-one-out errors: bounds the memory at n * BLOCK float64 per alpha
BLOCK = 4096


@dataclass(frozen=True)
class Decomposition:
    """Xc Xc' = Q diag(eigenvalues) Q' for column-centred X; Q spans all directions orthogonal to the constant one.

    Attributes
    ----------
    x_mean : ndarray, shape (n_features,)
    q : ndarray, shape (n, n - 1)
        Orthonormal columns.
    eigenvalues : ndarray, shape (n - 1,)
        Not negative; 0 where they are within rounding of 0.
    projection : ndarray, shape (n_features, rank)
        Xc' Q of the directions whose eigenvalue is not 0.
    """

    x_mean: np.ndarray
    q: np.ndarray
    eigenvalues: np.ndarray
    projection: np.ndarray


@dataclass(frozen=True)
class RidgeFit:
    """A fitted ridge for every target.

    Attributes
    ----------
    alpha : ndarray, shape (n_targets,)
    x_mean : ndarray, shape (n_features,)
    y_mean : ndarray, shape (n_targets,)
    coef : ndarray, shape (n_features, n_targets)
    """

    alpha: np.ndarray
    x_mean: np.ndarray
    y_mean: np.ndarray
    coef: np.ndarray

    def predict(self, x: np.ndarray) -> np.ndarray:
        """y = (x - x_mean) coef + y_mean, shape (n, n_targets)."""
        return (x - self.x_mean) @ self.coef + self.y_mean


def decompose(x: np.ndarray) -> Decomposition:
    """Decompose the centred Gram matrix once for all targets and all alphas.

    Centring makes the constant direction an exact null direction of Xc Xc'. To tell it from other null directions
    (which a leave-one-out error needs), c 11'/n with a c above every eigenvalue is added; the constant direction is
    then the last eigenvector and is dropped.

    The Gram matrix squares the range of singular values. Where that loses directions (a unit that is 1e7 times larger
    than the others), the singular value decomposition of Xc itself takes its place.

    Parameters
    ----------
    x : ndarray, shape (n, n_features)
        Development stimuli, not centred.
    """
    x = np.asarray(x, dtype=np.float64)
    n, n_features = x.shape
    x_mean = x.mean(axis=0)
    x_centred = x - x_mean
    gram = x_centred @ x_centred.T
    scale = np.trace(gram) or 1.0
    eigenvalues, q = eigh(gram + 2.0 * scale / n)
    eigenvalues, q = eigenvalues[:-1], q[:, :-1]
    # eigenvalues of null directions are rounding errors of the largest one
    kept = eigenvalues > max(x.shape) * np.finfo(np.float64).eps * scale
    if kept.sum() < min(n - 1, n_features):
        return _decompose_without_gram(x_mean, x_centred)
    return Decomposition(x_mean, q, np.where(kept, eigenvalues, 0.0), x_centred.T @ q[:, kept])


def _decompose_without_gram(x_mean: np.ndarray, x_centred: np.ndarray) -> Decomposition:
    """Decompose Xc = U diag(s) V' inside the complement of the constant direction; eigenvalues are s^2, Xc' U = V s."""
    n = len(x_centred)
    basis = helmert(n).T  # [n, n - 1], orthonormal, every column orthogonal to the constant one
    u, singular, vt = svd(basis.T @ x_centred, full_matrices=n - 1 > x_centred.shape[1], lapack_driver="gesvd")
    rounding = max(x_centred.shape) * np.finfo(np.float64).eps * singular.max(initial=0.0)
    rank = int((singular > rounding).sum())
    eigenvalues = np.zeros(n - 1)
    eigenvalues[:rank] = singular[:rank] ** 2
    return Decomposition(x_mean, basis @ u, eigenvalues, vt[:rank].T * singular[:rank])


def loo_errors(decomposition: Decomposition, y: np.ndarray, alphas: np.ndarray) -> np.ndarray:
    """Mean squared leave-one-out error, exactly, without refitting.

    For ridge with an unpenalised intercept, e_i = [Q (w * Q'y)]_i / [Q^2 w]_i with w = 1 / (eigenvalues + alpha).
    X and y are centred inside: every left-out stimulus is also left out of the means.

    Parameters
    ----------
    decomposition : Decomposition
    y : ndarray, shape (n, n_targets)
        Need not be centred.
    alphas : ndarray, shape (n_alphas,)

    Returns
    -------
    ndarray, shape (n_alphas, n_targets)
        Infinite where a stimulus cannot be left out (it alone determines a direction that is not penalised).
    """
    q = decomposition.q
    weights = 1.0 / (decomposition.eigenvalues + np.asarray(alphas, dtype=np.float64)[:, None])  # [A, n-1]
    denominators = weights @ (q**2).T  # [A, n]
    errors = np.empty((len(weights), y.shape[1]))
    for start in range(0, y.shape[1], BLOCK):
        block = slice(start, start + BLOCK)
        rotated = q.T @ y[:, block]  # [n-1, block]
        for row, (weight, denominator) in enumerate(zip(weights, denominators, strict=True)):
            residual = (q @ (weight[:, None] * rotated)) / denominator[:, None]
            errors[row, block] = (residual**2).mean(axis=0)
    return np.where(np.isfinite(errors), errors, np.inf)


def kfold_errors(x: np.ndarray, y: np.ndarray, alphas: np.ndarray, n_folds: int, seed: int) -> np.ndarray:
    """Mean squared error of shuffled inner k-fold cross-validation, averaged over folds: [n_alphas, n_targets]."""
    total = np.zeros((len(alphas), y.shape[1]))
    for train, held_out in KFold(n_folds, shuffle=True, random_state=seed).split(x):
        decomposition = decompose(x[train])
        for row, alpha in enumerate(alphas):
            fit = _solve(decomposition, y[train], np.full(y.shape[1], float(alpha)))
            total[row] += ((y[held_out] - fit.predict(x[held_out])) ** 2).mean(axis=0)
    return total / n_folds


def _solve(decomposition: Decomposition, y: np.ndarray, alpha: np.ndarray) -> RidgeFit:
    """coef = Xc' Q diag(1 / (eigenvalues + alpha)) Q'y, one alpha per target.

    Null directions contribute nothing in exact arithmetic and are left out, so that a small alpha cannot amplify
    their rounding errors.
    """
    kept = decomposition.eigenvalues > 0
    q, eigenvalues = decomposition.q[:, kept], decomposition.eigenvalues[kept]
    shrunk = (q.T @ y) / (eigenvalues[:, None] + alpha)  # [rank, n_targets]
    return RidgeFit(np.asarray(alpha), decomposition.x_mean, y.mean(axis=0), decomposition.projection @ shrunk)


def fit_ridge(
    x: np.ndarray,
    y: np.ndarray,
    alphas: np.ndarray,
    cv: int | str = "loo",
    per_target: bool = True,
    seed: int = 0,
) -> RidgeFit:
    """Minimise ||y - y_mean - (X - x_mean) w||^2 + alpha ||w||^2, alpha chosen inside the given stimuli.

    Parameters
    ----------
    x : ndarray, shape (n, n_features)
    y : ndarray, shape (n, n_targets)
    alphas : array-like, shape (n_alphas,)
        Candidates, positive; of equal errors the first wins.
    cv : "loo" or int
        Exact leave-one-out, or the number of shuffled inner folds.
    per_target : bool
        One alpha per target, or one for all (smallest error averaged over targets).
    seed : int
        Seed of the inner folds; leave-one-out draws nothing.
    """
    x, y = np.asarray(x, dtype=np.float64), np.asarray(y, dtype=np.float64)
    alphas = np.asarray(alphas, dtype=np.float64)
    decomposition = decompose(x)
    if len(alphas) == 1:
        chosen = np.zeros(y.shape[1], dtype=int)
    else:
        errors = loo_errors(decomposition, y, alphas) if cv == "loo" else kfold_errors(x, y, alphas, cv, seed)
        if not per_target:
            errors = np.broadcast_to(errors.mean(axis=1, keepdims=True), errors.shape)
        chosen = errors.argmin(axis=0)
    return _solve(decomposition, y, alphas[chosen])


class RidgeExact(MultiOutputMixin, RegressorMixin, BaseEstimator):
    """The scikit-learn face of `fit_ridge`.

    Parameters
    ----------
    alphas : array-like
        Candidate alphas, in scikit-learn's convention.
    cv : "loo" or int
    per_target : bool
    seed : int

    Attributes
    ----------
    alpha_ : float, or ndarray of shape (n_targets,)
    coef_ : ndarray, shape (n_features,) or (n_targets, n_features)
    intercept_ : float, or ndarray of shape (n_targets,)
    """

    def __init__(self, alphas=(0.1, 1.0, 10.0), cv="loo", per_target=True, seed=0):
        self.alphas = alphas
        self.cv = cv
        self.per_target = per_target
        self.seed = seed

    def fit(self, X, y):
        """Choose alpha and fit; X [n, n_features], y [n] or [n, n_targets]."""
        X, y = self._validate_data(X, y, dtype=np.float64, multi_output=True, y_numeric=True, ensure_min_samples=2)
        one_target = y.ndim == 1
        fit = fit_ridge(X, y.reshape(len(y), -1), self.alphas, self.cv, self.per_target, self.seed)
        intercept = fit.y_mean - fit.x_mean @ fit.coef
        if one_target:
            self.alpha_, self.coef_, self.intercept_ = float(fit.alpha[0]), fit.coef[:, 0], float(intercept[0])
        else:
            self.alpha_, self.coef_, self.intercept_ = fit.alpha, fit.coef.T, intercept
        return self

    def predict(self, X):
        """Predict [n] or [n, n_targets]."""
        check_is_fitted(self)
        X = self._validate_data(X, dtype=np.float64, reset=False)
        return X @ self.coef_.T + self.intercept_
