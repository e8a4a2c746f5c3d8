"""Is a feature set better than chance? Permutation of the stimuli, as a table."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from ...estimators.registry import abilities
from ...inference.statistics import benjamini_hochberg
from .chance_blocks import NUMBERS, Tested
from .options import AboveChance, Encoding

COLUMNS = [
    "features", "layer", "layer_name", "estimator", "target", "metric", "score", "chance", "p", "p_layers",
    "p_best_fdr", "n_permutations",
]  # fmt: skip


def above_chance(settings: AboveChance | None, tested: Sequence[Tested], targets: np.ndarray) -> pd.DataFrame | None:
    """Put the permutation tests of every feature set and ridge together.

    Each permutation is fitted as the responses themselves are: the same preparation of features and responses
    (scaling, joined sets), the same splits, inner folds and choice of alpha. So `score` is the median over splits of
    the `r2_corr` in the scores. Where the splits keep groups of stimuli together, so do the permutations.

    Parameters
    ----------
    settings : AboveChance or None
    tested : list of Tested
        Whose blocks are done.
    targets : ndarray of str, shape (n_targets,)
        Their names.

    Returns
    -------
    DataFrame, or None where nothing was to be tested
        Columns `COLUMNS`; one row per features x layer x estimator x target. `chance` is the permuted score that
        `score` exceeds where p <= .05, `p` of this layer by itself, `p_layers` corrected for the choice among the
        layers, `p_best_fdr` that of the target's best layer, with the false discovery rate over targets. Estimators
        that `untested` names have no row.

    Raises
    ------
    AuralignError
        The results of a block are gone.
    """
    if settings is None:
        return None
    tables = [pd.DataFrame(columns=COLUMNS)]
    for one in tested:
        parts = [block.need("chance") for block in one.blocks]
        found = pd.concat(parts).sort_values(["layer", "target"], kind="stable")
        best = found["p_layers"].to_numpy().reshape(len(one.layers), len(targets)).min(axis=0)
        index = pd.MultiIndex.from_product([one.layers, targets], names=["layer", "target"])
        table = index.to_frame(index=False).assign(
            features=one.features,
            layer_name=np.repeat(np.array(list(one.layers.values()), dtype=object), len(targets)),
            estimator=one.estimator,
            metric="r2_corr",
            **{name: found[name].to_numpy() for name in NUMBERS},
            p_best_fdr=np.tile(benjamini_hochberg(best), len(one.layers)),
            n_permutations=settings.n_permutations,
        )
        tables.append(table[COLUMNS])
    return pd.concat(tables[1:] or tables, ignore_index=True)


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
