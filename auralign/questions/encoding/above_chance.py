"""Is a feature set better than chance? Permutation of the stimuli, as a table."""

from functools import partial

import numpy as np
import pandas as pd

from ...estimators.registry import abilities
from ...inference.resampling import permute
from ...inputs.repetitions import mean_response
from ...inputs.study import Layer, Study
from ..preparation import Preparation, joined_bands, preparation_of
from .engines import run_multitarget
from .options import Encoding

COLUMNS = [
    "features", "layer", "layer_name", "estimator", "target", "metric", "score", "chance", "p", "p_layers",
    "p_best_fdr", "n_permutations",
]  # fmt: skip


def above_chance(options: Encoding, study: Study) -> pd.DataFrame:
    """Permute the responses over stimuli and do everything again, for every feature set and ridge of a comparison.

    Each permutation is fitted as the responses themselves are: the same preparation of features and responses
    (scaling, joined sets), the same splits, inner folds and choice of alpha. So `score` is the median over splits of
    the `r2_corr` in the scores. Where the splits keep groups of stimuli together, so do the permutations.

    Returns
    -------
    DataFrame
        Columns `COLUMNS`; one row per features x layer x estimator x target. `chance` is the permuted score that
        `score` exceeds where p <= .05, `p` of this layer by itself, `p_layers` corrected for the choice among the
        layers, `p_best_fdr` that of the target's best layer, with the false discovery rate over targets. Estimators
        that `untested` names have no row.
    """
    settings = options.above_chance
    assert settings is not None  # who has none is not asked
    y = mean_response(study.targets.to_numpy())
    within = None if settings.within is None else np.asarray(study.categories)
    tables = []
    for name, layers in study.features.items():
        for label, estimator in options.estimators.items():
            if not abilities(estimator).permute:
                continue
            score_layers = [
                partial(_scores, study, layer, estimator, preparation_of(options, study, name, layer))
                for layer in layers.values()
            ]
            result = permute(score_layers, y, settings.n_permutations, settings.seed, within, study.groups)
            index = pd.MultiIndex.from_product([layers, study.targets.target.to_numpy()], names=["layer", "target"])
            table = index.to_frame(index=False).assign(
                features=name,
                layer_name=lambda t, layers=layers: [layers[index].name for index in t["layer"]],
                estimator=label,
                metric="r2_corr",
                score=result.score.ravel(),
                chance=result.chance.ravel(),
                p=result.p.ravel(),
                p_layers=result.p_layers.ravel(),
                p_best_fdr=np.tile(result.p_best_fdr, len(layers)),
                n_permutations=result.n_permutations,
            )
            tables.append(table[COLUMNS])
    return pd.concat(tables, ignore_index=True) if tables else pd.DataFrame(columns=COLUMNS)


def _scores(study: Study, layer: Layer, estimator, preparation: Preparation, columns: np.ndarray) -> np.ndarray:
    """Fit one layer to columns of responses, by the code that computes the scores; r2_corr, [n_splits, n_columns]."""
    x = joined_bands([band.load() for band in layer.bands])
    results = run_multitarget(x, columns, study.splits, estimator, preparation, study.groups)
    return np.stack([result.r2_corr for result in results])


def untested(options: Encoding) -> list[str]:
    """Name the estimators that `above_chance` leaves out, and why."""
    left_out = [label for label, estimator in options.estimators.items() if not abilities(estimator).permute]
    if options.above_chance is None or not left_out:
        return []
    return [
        f"above_chance: {', '.join(left_out)} not tested. Permuted responses are fitted as further columns, which "
        "takes a ridge with `per_target: true`: others would have to be solved anew for each, and estimators that fit "
        "the targets together depend on which columns are beside each other."
    ]
