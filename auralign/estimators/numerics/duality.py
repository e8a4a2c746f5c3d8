"""Duality gaps of lasso solutions: how far they can be from the best one."""

import numpy as np


def relative_gaps(x: np.ndarray, y: np.ndarray, coefs: np.ndarray, alphas: np.ndarray) -> np.ndarray:
    """Duality gap of each solution divided by the loss of the empty model, ||y||^2 / (2 n).

    With r = y - X w and the dual point theta = r * min(1, alpha n / ||X'r||_inf), the gap is
    (||r||^2 / (2 n) + alpha ||w||_1) - (||y||^2 - ||y - theta||^2) / (2 n), zero exactly at the solution.

    Parameters
    ----------
    x : ndarray, shape (n, n_features), centred
    y : ndarray, shape (n,), centred
    coefs : ndarray, shape (n_features, n_alphas)
    alphas : ndarray, shape (n_alphas,)

    Returns
    -------
    ndarray, shape (n_alphas,)
        0 where y is 0.
    """
    return gaps_of_residuals(x, y, y - (x @ coefs).T, np.abs(coefs).sum(axis=0), alphas)


def gaps_of_residuals(
    x: np.ndarray, y: np.ndarray, residuals: np.ndarray, l1: np.ndarray, alphas: np.ndarray
) -> np.ndarray:
    """Compute `relative_gaps` from residuals [A, n] and the L1 norms of the weights [A]."""
    n, power = len(y), y @ y
    if power == 0.0:
        return np.zeros(len(alphas))
    correlation = np.abs(residuals @ x).max(axis=1, initial=0.0)
    with np.errstate(divide="ignore"):
        theta = residuals * np.minimum(1.0, alphas * n / correlation)[:, None]
    primal = (residuals**2).sum(axis=1) / (2 * n) + alphas * l1
    dual = (power - ((y - theta) ** 2).sum(axis=1)) / (2 * n)
    return (primal - dual) / (power / (2 * n))
