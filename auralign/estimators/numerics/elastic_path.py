"""Elastic nets for one penalty after the other, by Newton's method on the residual, with a checked duality gap."""

import numpy as np
from scipy.linalg import cho_factor, cho_solve

# a residual equation that is solved to this share of the response is solved; most steps for one penalty
EXACT, STEPS = 1e-13, 200


def elastic_path(x: np.ndarray, y: np.ndarray, l1_ratio: float, alphas: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Minimise ||y - Xw||^2 / (2 n) + a ||w||_1 + b / 2 ||w||^2, a = alpha l1_ratio, b = alpha (1 - l1_ratio) > 0.

    At the minimum w_j = soft(x_j'r / n, a) / b with the residual r = y - Xw, soft(u, a) = sign(u) max(|u| - a, 0). So r
    is what is left to find, as many unknowns as there are stimuli, however many features: it minimises the dual

        f(r) = ||r||^2 / 2 - y'r + n / (2 b) sum_j soft(x_j'r / n, a)^2

    which is strongly convex and quadratic between kinks. With A the features beyond a, the Newton step solves
    (I + X_A X_A' / (n b)) step = -gradient; with steps halved until f decreases it ends after finitely many. Coordinate
    descent needs ten thousands of passes where features are correlated and not scaled.

    Parameters
    ----------
    x : ndarray, shape (n, n_features), centred
    y : ndarray, shape (n,), centred
    l1_ratio : float
        Above 0 and below 1.
    alphas : ndarray, shape (n_alphas,), descending and positive

    Returns
    -------
    coefs : ndarray, shape (n_features, n_alphas)
    gaps : ndarray, shape (n_alphas,)
        Duality gaps relative to the loss of the empty model, ||y||^2 / (2 n).
    """
    n, power = len(y), y @ y
    coefs, gaps = np.zeros((x.shape[1], len(alphas))), np.zeros(len(alphas))
    if power == 0.0:
        return coefs, gaps
    residual = y.copy()
    for number, alpha in enumerate(alphas):
        a, b = alpha * l1_ratio, alpha * (1.0 - l1_ratio)
        residual = _residual(x, y, residual, a, b)
        w = _soft(residual @ x / n, a) / b
        # the division by a small b enlarges the rounding of r: the weights of the same features and signs, solved for
        candidates = [w, _weights(x, y, np.sign(w), a, b)]
        gap, number_of = min((_gap(x, y, w, a, b), index) for index, w in enumerate(candidates))
        coefs[:, number], gaps[number] = candidates[number_of], gap / (power / (2 * n))
    return coefs, gaps


def _gap(x: np.ndarray, y: np.ndarray, w: np.ndarray, a: float, b: float) -> float:
    """Return what the loss of some weights can be above the smallest: its distance from -f / n at their residual."""
    n, residual = len(y), y - x @ w
    excess = _soft(residual @ x / n, a)
    primal = residual @ residual / (2 * n) + a * np.abs(w).sum() + b / 2 * (w @ w)
    return primal - (y @ residual - residual @ residual / 2) / n + excess @ excess / (2 * b)


def _weights(x: np.ndarray, y: np.ndarray, signs: np.ndarray, a: float, b: float) -> np.ndarray:
    """Solve (X_A'X_A + n b I) w_A = X_A'y - n a sign_A, the minimum where features and signs are these."""
    n, beyond = len(y), np.flatnonzero(signs)
    active, w = x[:, beyond], np.zeros(x.shape[1])
    right = active.T @ y - n * a * signs[beyond]
    if len(beyond) < n:
        gram = active.T @ active
        gram[np.diag_indices(len(beyond))] += n * b
        w[beyond] = cho_solve(cho_factor(gram, check_finite=False), right, check_finite=False)
    else:
        w[beyond] = (right - active.T @ _solve(active, active @ right, n * b) / (n * b)) / (n * b)
    return w


def _soft(values: np.ndarray, threshold: float) -> np.ndarray:
    return values - np.clip(values, -threshold, threshold)


def _residual(x: np.ndarray, y: np.ndarray, residual: np.ndarray, a: float, b: float) -> np.ndarray:
    """Minimise f of `elastic_path` from a residual of a similar penalty."""
    n, scale = len(y), np.linalg.norm(y)
    excess = _soft(residual @ x / n, a)
    value = residual @ residual / 2 - y @ residual + n / (2 * b) * (excess @ excess)
    for _ in range(STEPS):
        beyond, signs = np.flatnonzero(excess), np.sign(excess)
        active = x[:, beyond]
        gradient = residual - y + active @ excess[beyond] / b
        if np.linalg.norm(gradient) <= EXACT * scale:
            break
        step = -_solve(active, gradient, n * b)
        slope, length = gradient @ step, 1.0
        while length > 1e-10:
            new = residual + length * step
            excess = _soft(new @ x / n, a)
            new_value = new @ new / 2 - y @ new + n / (2 * b) * (excess @ excess)
            # close to the minimum rounding hides the decrease
            if new_value <= value + 1e-4 * length * slope + 1e-15 * abs(value):
                break
            length /= 2.0
        residual, value = new, new_value
        if length == 1.0 and np.array_equal(np.sign(excess), signs):
            break  # the step stayed on one quadratic, whose minimum it is
    return residual


def _solve(active: np.ndarray, right: np.ndarray, weight: float) -> np.ndarray:
    """Solve (I + active active' / weight) z = right by the smaller of the two systems (Woodbury)."""
    n, n_active = active.shape
    if n_active < n:
        gram = active.T @ active
        gram[np.diag_indices(n_active)] += weight
        return right - active @ cho_solve(cho_factor(gram, check_finite=False), active.T @ right, check_finite=False)
    outer = active @ active.T / weight
    outer[np.diag_indices(n)] += 1.0
    return cho_solve(cho_factor(outer, check_finite=False), right, check_finite=False)
