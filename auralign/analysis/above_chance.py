"""Is a feature set better than chance? Permutation of the stimuli, as a table."""

import numpy as np
import pandas as pd

from ..config import Comparison
from ..repetitions import mean_response
from ..study import Study
from .resampling import permutation_test, ridge_predictor

COLUMNS = [
    "features", "layer", "layer_name", "estimator", "target", "metric", "score", "chance", "p", "p_layers",
    "p_best_fdr", "n_permutations",
]  # fmt: skip


def above_chance(config: Comparison, study: Study) -> pd.DataFrame:
    """Permute the responses over stimuli and do everything again, for every feature set and ridge of a comparison.

    Returns
    -------
    DataFrame
        Columns `COLUMNS`; one row per features x layer x estimator x target. `chance` is the 95 % quantile of permuted
        scores, `p` of this layer by itself, `p_layers` corrected for the choice among the layers, `p_best_fdr` that of
        the target's best layer, with the false discovery rate over targets.
    """
    settings = config.above_chance
    y = mean_response(study.targets.to_numpy())
    groups = None if settings.within is None else study.categories
    tables = []
    for name, layers in study.features.items():
        for label, estimator in config.estimators.items():
            if estimator.kind != "ridge" or not estimator.per_target or config.features[name].join is not None:
                continue
            predictor = ridge_predictor(estimator.alphas, estimator.cv, estimator.seed, estimator.unpredictable)
            arrays = [layer.bands[0].load() for layer in layers.values()]
            result = permutation_test(
                arrays,
                y,
                study.splits,
                predictor,
                n_permutations=settings.n_permutations,
                seed=settings.seed,
                groups=groups,
            )
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
