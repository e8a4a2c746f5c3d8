"""Exact lasso paths of many problems at once: training sets that are rows of one X, and many responses."""

from dataclasses import dataclass

import numpy as np
from scipy.linalg.blas import dger

# a column whose part outside the span of the active ones is smaller than this (squared, relative) cannot join them
DEPENDENT = 1e-16
# events that a path may take per training stimulus; what is slower goes in circles between tied columns
MAX_EVENTS = 20


@dataclass(frozen=True)
class PathSolutions:
    """Lasso solutions of F training sets x T targets at A alphas, each with at most K columns.

    Attributes
    ----------
    columns : ndarray of int, shape (F, T, A, K)
    weights : ndarray, shape (F, T, A, K)
        0 in the places that are not used.
    residuals : ndarray, shape (F, T, A, n)
        y - prediction of every stimulus, those outside of the training set too.
    """

    columns: np.ndarray
    weights: np.ndarray
    residuals: np.ndarray

    def coefs(self, training_set: int, target: int, n_columns: int) -> np.ndarray:
        """Return the weights of one problem as a matrix, shape (n_columns, A)."""
        columns, weights = self.columns[training_set, target], self.weights[training_set, target]
        coefs = np.zeros((n_columns, len(columns)))
        alpha, place = np.nonzero(weights)
        coefs[columns[alpha, place], alpha] = weights[alpha, place]
        return coefs


def follow_paths(x: np.ndarray, rows: np.ndarray, y: np.ndarray, alphas: np.ndarray) -> PathSolutions:
    """Minimise ||y - X w||^2 / (2 n) + alpha ||w||_1 on every training set, for every target and alpha.

    The solution is piecewise linear in lambda = n alpha. On a piece the active columns A have signs s, correlations
    X_A'r = lambda s and weights that move by d = (X_A'X_A)^-1 s per unit of lambda; it ends where the correlation of
    another column reaches lambda (the column joins) or a weight reaches 0 (it is dropped). All problems take their
    next event in the same round, so that X'(X_A d) is one matrix product for all of them.

    X_A'X_A is never formed: the pseudoinverse of X_A follows every event by a rank-one update (Greville 1960), with
    the new column orthogonalised twice, which loses half as many digits on correlated columns.

    Sources: Osborne, Presnell, Turlach 2000 (IMA J Numer Anal 20:389); Efron et al. 2004 (Ann Stat 32:407).

    Parameters
    ----------
    x : ndarray, shape (n, n_columns)
        Need not be centred on a training set (the path does that), but roughly, for precision.
    rows : ndarray of bool, shape (F, n)
        The stimuli of each training set.
    y : ndarray, shape (n, T)
    alphas : ndarray, shape (T, A), descending and positive

    Returns
    -------
    PathSolutions
        Where a path was given up (tied columns), the model of its last alphas is empty: check the duality gap.
    """
    paths = _Paths(x, rows, y, alphas)
    for _ in range(MAX_EVENTS * x.shape[0]):
        paths.forget_finished()
        if len(paths.problem) == 0:
            break
        paths.round()
    shape = (len(rows), y.shape[1], alphas.shape[1], -1)
    return PathSolutions(*(found.reshape(shape) for found in (paths.columns, paths.weights, paths.residuals)))


class _Paths:
    """Where B = F * T paths are; arrays by problem, of which those that are at their end are forgotten."""

    BY_PROBLEM = (
        *("problem", "finished", "fold", "training", "grid", "lam", "residual", "correlation", "dependent"),
        *("active", "sign", "weight", "column", "pinv"),
    )

    def __init__(self, x: np.ndarray, rows: np.ndarray, y: np.ndarray, alphas: np.ndarray):
        n_folds, n_targets = len(rows), y.shape[1]
        n_problems, n_alphas = n_folds * n_targets, alphas.shape[1]
        sizes = rows.sum(axis=1)
        self.x = x
        self.problem = np.arange(n_problems)
        self.fold, target = np.divmod(self.problem, n_targets)
        self.training = rows[self.fold].astype(np.float64)  # [B, n], 1 in the training set
        self.x_mean = rows.astype(np.float64) @ x / sizes[:, None]  # [F, p]
        y_mean = (self.training * y.T[target]).sum(axis=1) / sizes[self.fold]
        self.residual = y.T[target] - y_mean[:, None]  # [B, n]
        self.correlation = (self.training * self.residual) @ x  # [B, p]
        self.lam = np.abs(self.correlation).max(axis=1, initial=0.0)
        self.grid = alphas[target] * sizes[self.fold][:, None]  # [B, A], in units of lambda
        self.finished = self.lam <= self.grid[:, -1]
        self.dependent = np.zeros(self.correlation.shape, dtype=bool)
        # the active columns, never more than the rank of centred ones, lie in slots in no order; empty ones have sign 0
        n_slots = max(min(int(sizes.max()) - 1, x.shape[1]), 1)
        self.sign = np.zeros((n_problems, n_slots))
        self.weight = np.zeros((n_problems, n_slots))
        self.column = np.zeros((n_problems, n_slots), dtype=int)
        self.active = np.zeros((n_problems, n_slots, len(x)))  # [B, K, n] X_A', held-out stimuli too
        self.pinv = np.zeros((n_problems, n_slots, len(x)))  # [B, K, n] (X_A'X_A)^-1 X_A', 0 at held-out stimuli
        # what is found: the empty model until the path comes by
        self.columns = np.zeros((n_problems, n_alphas, n_slots), dtype=int)
        self.weights = np.zeros((n_problems, n_alphas, n_slots))
        self.residuals = np.repeat(self.residual[:, None], n_alphas, axis=1)

    def forget_finished(self) -> None:
        """Drop the problems at their end, not one by one, for it copies the others."""
        if 4 * self.finished.sum() >= len(self.finished):
            going_on = ~self.finished
            for name in self.BY_PROBLEM:
                setattr(self, name, getattr(self, name)[going_on])

    def round(self) -> None:
        """Take every path to its next event."""
        used = max(int(np.flatnonzero(self.sign.any(axis=0)).max(initial=0)) + 1, 1)
        active, pinv, sign = self.active[:, :used], self.pinv[:, :used], self.sign[:, :used]
        everyone = np.arange(len(self.problem))
        weight_slope = _times(pinv, _times_transposed(sign, pinv))  # [B, K] d
        fit_slope = _times_transposed(weight_slope, active)  # [B, n] X_A d
        correlation_slope = (self.training * fit_slope) @ self.x  # [B, p]
        join_rate, joining = self._first_to_join(correlation_slope)
        drop_rate, dropping = self._first_to_drop(weight_slope)
        rate, to_end = np.maximum(join_rate, drop_rate), self.lam - self.grid[:, -1]
        ends = self.finished | (rate * to_end < 1.0)
        step = np.where(ends, to_end, 1.0 / np.where(ends, 1.0, rate))
        after = np.where(ends, self.grid[:, -1], self.lam - step)
        self._record(after, weight_slope, fit_slope)
        drops = everyone[~ends & (drop_rate >= join_rate)]
        joins = everyone[~ends & (drop_rate < join_rate)]
        moved = self.weight[drops, dropping[drops]] != 0.0
        self.weight[:, :used] += step[:, None] * weight_slope
        self.residual -= step[:, None] * fit_slope
        self.correlation -= step[:, None] * correlation_slope
        self.lam, self.finished = after, ends
        self._drop(drops, dropping[drops], used, moved)
        self._join(joins, joining[joins], used)

    def _first_to_join(self, slope: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Find the column that reaches lambda first, and 1 / (the way to there); -1 where none does."""
        lam = self.lam[:, None]
        # |c - g slope| = lam - g on either side; a column on the boundary (0 away) joins only if it would leave it
        rates = (1.0 - slope) / np.maximum(lam - self.correlation, 1e-14 * lam)
        np.maximum(rates, (1.0 + slope) / np.maximum(lam + self.correlation, 1e-14 * lam), out=rates)
        problem, slot = np.nonzero(self.sign)
        rates[problem, self.column[problem, slot]] = -1.0
        if self.dependent.any():
            rates[self.dependent] = -1.0
        first = rates.argmax(axis=1)
        return rates[np.arange(len(rates)), first], first

    def _first_to_drop(self, slope: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Find the slot whose weight reaches 0 first, and 1 / (the way to there); not positive where none does."""
        sign, size = self.sign[:, : slope.shape[1]], np.abs(self.weight[:, : slope.shape[1]])
        with np.errstate(over="ignore"):  # a column that has just joined, its weight still 0, moves away from 0
            rates = np.where(sign != 0, -sign * slope / np.maximum(size, np.finfo(np.float64).tiny), -1.0)
        first = rates.argmax(axis=1)
        return rates[np.arange(len(rates)), first], first

    def _record(self, after: np.ndarray, weight_slope: np.ndarray, fit_slope: np.ndarray) -> None:
        """Write down the solutions at the alphas that lie on this piece."""
        on_piece = (self.grid <= self.lam[:, None]) & (self.grid >= after[:, None]) & ~self.finished[:, None]
        row, alpha = np.nonzero(on_piece)
        way, used = (self.lam[row] - self.grid[row, alpha])[:, None], weight_slope.shape[1]
        self.columns[self.problem[row], alpha, :used] = self.column[row, :used]
        self.weights[self.problem[row], alpha, :used] = self.weight[row, :used] + way * weight_slope[row]
        self.residuals[self.problem[row], alpha] = self.residual[row] - way * fit_slope[row]

    def _drop(self, problems: np.ndarray, slots: np.ndarray, used: int, moved: np.ndarray) -> None:
        """Take the columns in these slots out."""
        row = self.pinv[problems, slots]  # [., n]
        share = _times(self.pinv[problems, :used], row / (row**2).sum(axis=1, keepdims=True))
        self._update(problems, share, row)
        for array in (self.pinv, self.active, self.sign, self.weight):
            array[problems, slots] = 0.0
        # without the column others may be independent again; one that leaves where it joined would come back for ever
        self.dependent[problems[moved]] = False
        self.dependent[problems[~moved], self.column[problems, slots][~moved]] = True

    def _join(self, problems: np.ndarray, columns: np.ndarray, used: int) -> None:
        """Put these columns into free slots."""
        values = self.x.T[columns] - self.x_mean[self.fold[problems], columns][:, None]  # [., n]
        training = self.training[problems]
        active, pinv = self.active[problems, :used], self.pinv[problems, :used]
        rest, share = values * training, np.zeros(())
        for _ in range(2):
            part = _times(pinv, rest)
            rest, share = rest - _times_transposed(part, active) * training, share + part
        size = (rest**2).sum(axis=1)
        fits = size > DEPENDENT * ((values * training) ** 2).sum(axis=1)
        self.dependent[problems[~fits], columns[~fits]] = True
        problems, columns, row = problems[fits], columns[fits], rest[fits] / size[fits][:, None]
        self._update(problems, share[fits], row)
        slots = (self.sign[problems] != 0).argmin(axis=1)
        self.pinv[problems, slots], self.active[problems, slots] = row, values[fits]
        self.column[problems, slots] = columns
        self.sign[problems, slots] = np.sign(self.correlation[problems, columns])

    def _update(self, problems: np.ndarray, share: np.ndarray, row: np.ndarray) -> None:
        """Subtract the outer product share x row from each pseudoinverse, in place."""
        for problem, left, right in zip(problems, share, row, strict=True):
            # BLAS has it without the temporary array of numpy; the transposed slice is what it calls contiguous
            dger(-1.0, right, left, a=self.pinv[problem, : len(left)].T, overwrite_a=True)


def _times(matrices: np.ndarray, vectors: np.ndarray) -> np.ndarray:
    """Multiply [B, K, n] with [B, n] to [B, K]."""
    return (matrices @ vectors[:, :, None])[:, :, 0]


def _times_transposed(vectors: np.ndarray, matrices: np.ndarray) -> np.ndarray:
    """Multiply [B, K] with [B, K, n] to [B, n]."""
    return (vectors[:, None] @ matrices)[:, 0]
