"""What an estimator is to the rest of auralign: its options, its solver, its scikit-learn face, and what it can do."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from .options import EstimatorOptions

if TYPE_CHECKING:
    from sklearn.base import BaseEstimator

# "loo", a number of folds, a splitter of scikit-learn, or a list of (training, validation) positions
InnerCv = Any


@dataclass(frozen=True)
class Can:
    """What an estimator can do with given options; what asks for it is decided by these and never by its name.

    Attributes
    ----------
    joint : bool
        It fits the targets together: the fit of one depends on which others are fitted with it.
    sparse : bool
        It selects units: weights of exactly 0 are meant, and tabulated.
    banded : bool
        It weighs the parts of a joined feature set against each other.
    permute : bool
        Thousands of permuted responses can be fitted as further columns, each by itself and fast.
    weights : bool
        It is linear: `coef` and `intercept` make the prediction.
    params : bool
        It chooses more than alpha; what it chose is recorded beside the scores.
    by_target : bool
        It solves every target by itself, and what they share costs little: a block has few of them.
    """

    joint: bool = False
    sparse: bool = False
    banded: bool = False
    permute: bool = False
    weights: bool = True
    params: bool = False
    by_target: bool = False


class Fitted(Protocol):
    """What a solver gives back.

    Attributes
    ----------
    alpha : float or ndarray, shape (n_targets,)
        The penalty that was chosen; NaN where there is none.
    r2_dev : ndarray, shape (n_targets,)
        1 - error / error of the mean alone on the inner folds, of what was chosen. By it layers are chosen.

    Where the estimator can do it, also `coef`, shape (n_units, n_targets), `intercept`, shape (n_targets,), and
    `params`, a dictionary per target.
    """

    @property
    def alpha(self) -> Any:
        """The chosen penalty."""

    @property
    def r2_dev(self) -> np.ndarray:
        """The score inside the development stimuli."""

    def predict(self, x: np.ndarray) -> np.ndarray:
        """Predict [n, n_targets] from features [n, n_units]."""


@dataclass(frozen=True)
class LinearFit:
    """A fitted linear model: y = (x - x_mean) coef + y_mean.

    Attributes
    ----------
    coef : ndarray, shape (n_units, n_targets)
    x_mean : ndarray, shape (n_units,)
    y_mean : ndarray, shape (n_targets,)
    r2_dev : ndarray, shape (n_targets,)
    alpha : float or ndarray, shape (n_targets,)
    params : sequence of dict, or None
        Per target, what was chosen beside alpha.
    """

    coef: np.ndarray
    x_mean: np.ndarray
    y_mean: np.ndarray
    r2_dev: np.ndarray
    alpha: float | np.ndarray = np.nan
    params: Sequence[dict[str, Any]] | None = None

    @property
    def intercept(self) -> np.ndarray:
        """Prediction of features that are all 0, shape (n_targets,)."""
        return self.y_mean - self.x_mean @ self.coef

    def predict(self, x: np.ndarray) -> np.ndarray:
        """y = (x - x_mean) coef + y_mean, shape (n, n_targets)."""
        return (x - self.x_mean) @ self.coef + self.y_mean


# (x [n, n_units], y [n, n_targets], options, cv, widths of the bands or None) -> Fitted
Solver = Callable[[np.ndarray, np.ndarray, Any, InnerCv, tuple[int, ...] | None], Fitted]


@dataclass(frozen=True)
class Plugin:
    """An estimator.

    Attributes
    ----------
    name : str
        Its `kind` in a configuration.
    options : subclass of EstimatorOptions
    fit : callable
        `fit(x, y, options, cv, widths) -> Fitted`; x and y are of the development stimuli and not centred. `cv` stands
        for the options' own where folds keep groups of stimuli together, `widths` are the numbers of units of every
        part of a joined feature set.
    can : Can, or callable
        What it can do, or `can(options) -> Can` where that depends on its options.
    face : callable, optional
        `face(options, cv, widths)` makes the scikit-learn estimator; by default one around `fit` (`face.PluginFace`).
    predict : callable, optional
        `predict(x, y, x_test, options, cv, widths)`, where predicting at once takes less memory than `fit`; returns
        what has `prediction`, shape (n_test, n_targets), and `alpha`, `r2_dev` (and `params`) as Fitted.
    several : callable, optional
        `several(x, fits, x_test, cv, widths)` with fits a list of (y, options): what `predict` gives for each of them,
        where responses to the same stimuli share work. Options differ by what `single` changes alone.
    grid : callable, optional
        `grid(options)`: the alphas on offer, ascending, where they do not depend on the data, so that their ends can be
        warned of.
    of_bands : str
        Name of the estimator that takes the place of this one, with the same options, on a joined feature set.
    single : callable, optional
        `single(options)`: the options for a single repetition, which may be too noisy to be predicted alone.
    words : callable, optional
        `words(options)`: how the hyper-parameters are chosen, for the report.
    equation : str
        What is minimised, in plain signs, for the report.
    references : tuple of str
        Papers of the method, for the report.
    """

    name: str
    options: type[EstimatorOptions]
    fit: Solver
    can: Can | Callable[[Any], Can] = field(default_factory=Can)
    face: Callable[[Any, InnerCv, tuple[int, ...] | None], BaseEstimator] | None = None
    predict: Callable[..., Any] | None = None
    grid: Callable[[Any], list[float]] | None = None
    single: Callable[[Any], Any] | None = None
    words: Callable[[Any], str] | None = None
    equation: str = ""
    references: tuple[str, ...] = ()
    of_bands: str = ""
    several: Callable[..., Sequence[Any]] | None = None

    def abilities(self, options: EstimatorOptions) -> Can:
        """Say what the estimator can do with these options."""
        return self.can if isinstance(self.can, Can) else self.can(options)


@dataclass(frozen=True)
class Prediction:
    """Predictions of test stimuli, and what was chosen for each target.

    Attributes
    ----------
    prediction : ndarray, shape (n_test, n_targets)
    alpha, r2_dev : ndarray, shape (n_targets,)
    coef : ndarray, shape (n_units, n_targets), or None
        Of sparse estimators.
    params : sequence of dict, or None
        One per target.
    """

    prediction: np.ndarray
    alpha: np.ndarray
    r2_dev: np.ndarray
    coef: np.ndarray | None = None
    params: Sequence[dict[str, Any]] | None = None
