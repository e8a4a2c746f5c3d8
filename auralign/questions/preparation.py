"""The one place that prepares the features and responses of a split, for every fit, refit, test and export.

It says the same thing twice: as arrays, for solvers that are called directly, and as steps of julearn's pipeline. Both
take every number (slopes of confounds, standard deviations, means) from the development stimuli alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from sklearn.preprocessing import StandardScaler

from ..inputs.confounds import remove_confounds
from ..inputs.repetitions import development_repetitions

if TYPE_CHECKING:
    from julearn import PipelineCreator
    from sklearn.base import BaseEstimator

    from ..inputs.study import Layer, Study
    from .encoding.options import Encoding

Split = tuple[np.ndarray, np.ndarray]
Parts = tuple[np.ndarray, np.ndarray]


@dataclass(frozen=True)
class Removal:
    """Confounds to take out of the features, the responses or both, inside every split.

    Attributes
    ----------
    confounds : ndarray, shape (n_stimuli, n_variables)
    apply_to : tuple of str
        "x", "y" or both.
    """

    confounds: np.ndarray
    apply_to: tuple[str, ...]


@dataclass(frozen=True)
class Preparation:
    """What is done to the features and responses of every split before they are fitted.

    Attributes
    ----------
    center_x, center_y : bool
        Whether julearn's pipeline has steps that take off the development means. The solvers have an intercept that is
        not penalised and take off these means themselves, so that the arrays are given to them as they are and no score
        depends on it.
    zscore : bool
        Divide every unit by its standard deviation over the development stimuli; a unit that is constant there is left
        as it is.
    removal : Removal or None
        Confounds to take out; responses are then scored on what the confounds leave over.
    widths : tuple of int, or None
        Units of every band of a joined feature set, side by side; None: one band.
    """

    center_x: bool = True
    center_y: bool = True
    zscore: bool = False
    removal: Removal | None = None
    widths: tuple[int, ...] | None = None

    def features(self, x: np.ndarray, split: Split) -> Parts:
        """Prepare features [n_stimuli, n_units] for one split: development and test stimuli."""
        development, test = self._without_confounds("x", x, split)
        if self.zscore:
            # scikit-learn's scaler, which julearn's step is as well: one rule of what counts as constant
            scaler = StandardScaler(with_mean=False).fit(development)
            development, test = scaler.transform(development), scaler.transform(test)
        return development, test

    def responses(self, y: np.ndarray, split: Split) -> Parts:
        """Prepare responses [n_stimuli, n_targets] for one split: development and test stimuli."""
        return self._without_confounds("y", y, split)

    def repetitions(self, y: np.ndarray, split: Split) -> np.ndarray:
        """Prepare single repetitions [n_stimuli, n_targets, n_repetitions] of the development stimuli.

        A repetition that a stimulus lacks is NaN, and stays so; the others are prepared without it.
        """
        removal = self.removal
        confounds = removal.confounds if removal is not None and "y" in removal.apply_to else None
        return development_repetitions(y, *split, confounds)

    def _without_confounds(self, side: str, values: np.ndarray, split: Split) -> Parts:
        development, test = split
        if self.removal is None or side not in self.removal.apply_to:
            return values[development], values[test]
        return remove_confounds(values, self.removal.confounds, development, test)

    def pipeline(self, model: BaseEstimator) -> PipelineCreator:
        """Put the same preparation before an estimator, as steps of julearn's pipeline."""
        from julearn import PipelineCreator  # solvers that are called directly need none
        from julearn.pipeline import TargetPipelineCreator

        creator = PipelineCreator(problem_type="regression")
        removed = () if self.removal is None else self.removal.apply_to
        if "x" in removed:
            # the responses' step needs the confounds after the features' step is done
            creator.add("confound_removal", confounds="confound", keep_confounds="y" in removed)
        if self.center_x or self.zscore:
            creator.add("zscore", with_mean=self.center_x, with_std=self.zscore)
        if "y" in removed:
            creator.add(TargetPipelineCreator().add("confound_removal", confounds="confound"), apply_to="target")
        elif self.center_y:
            creator.add(TargetPipelineCreator().add("zscore", with_std=False), apply_to="target")
        # an instance: julearn would turn a list of alphas into a grid search of its own
        creator.add(model)
        return creator


def preparation_of(options: Encoding, study: Study, features: str, layer: Layer) -> Preparation:
    """Read off a comparison and its study how a layer of a feature set is prepared."""
    removal = None
    if study.confounds is not None:
        removal = Removal(study.confounds, tuple(options.confounds.apply_to))
    return Preparation(
        center_x=options.center.x,
        center_y=options.center.y,
        zscore=options.features[features].zscore,
        removal=removal,
        widths=tuple(band.shape[1] for band in layer.bands),
    )


def joined_bands(bands: list[np.ndarray] | tuple[np.ndarray, ...]) -> np.ndarray:
    """Put the bands of a layer side by side, [n_stimuli, sum of their widths]."""
    return bands[0] if len(bands) == 1 else np.concatenate(bands, axis=1)
