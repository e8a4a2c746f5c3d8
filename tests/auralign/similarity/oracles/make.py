#!/usr/bin/env python
"""Write oracles.json: what rsatoolbox 0.3.2 and dimensionality 0.1.4 give for the arrays that `cases.py` draws.

They need a scikit-learn that julearn refuses, so they run in an environment of their own:

    python -m venv other && other/bin/pip install rsatoolbox==0.3.2 dimensionality==0.1.4
    other/bin/python tests/auralign/similarity/oracles/make.py
"""

import json
from pathlib import Path

import dimensionality
import numpy as np
from cases import cases
from rsatoolbox.data import Dataset
from rsatoolbox.data.noise import prec_from_measurements
from rsatoolbox.rdm import RDMs, calc_rdm, compare

METHODS = {
    "spearman": "spearman", "rho_a": "rho-a", "pearson": "corr", "cosine": "cosine",
    "whitened_cosine": "cosine_cov", "whitened_pearson": "corr_cov", "tau_a": "tau-a",
}  # fmt: skip


def rdm(x: np.ndarray, method: str) -> list[float]:
    """RDM of one representation."""
    return calc_rdm(Dataset(x), method=method).dissimilarities[0].tolist()


def crossnobis(y: np.ndarray, noise: bool) -> list[float]:
    """RDM of responses [stimulus, unit, repetition]."""
    n_stimuli, n_units, n_repetitions = y.shape
    measurements = np.moveaxis(y, 2, 0).reshape(-1, n_units)
    names = {
        "stimulus": np.tile(np.arange(n_stimuli), n_repetitions),
        "repetition": np.repeat(np.arange(n_repetitions), n_stimuli),
    }
    data = Dataset(measurements, obs_descriptors=names)
    # by itself it takes (stimuli - 1) x repetitions degrees of freedom, but a mean is subtracted for every stimulus
    freedom = n_stimuli * (n_repetitions - 1)
    precision = prec_from_measurements(data, "stimulus", freedom, "shrinkage_diag") if noise else None
    found = calc_rdm(data, method="crossnobis", descriptor="stimulus", noise=precision, cv_descriptor="repetition")
    return found.dissimilarities[0].tolist()


def main() -> None:
    """Compute and write."""
    drawn = cases()
    result: dict = {kind: [rdm(x, kind) for x in drawn["representations"]] for kind in ("correlation", "euclidean")}
    result["crossnobis"] = [crossnobis(y, noise) for y in drawn["repetitions"] for noise in (False, True)]
    for name in ("rdms", "tied_rdms"):
        a, b = (RDMs(np.array(part)) for part in drawn[name])
        result[name] = {ours: compare(a, b, method=theirs).tolist() for ours, theirs in METHODS.items()}
    found = [dimensionality.participation_ratio(x, return_all=True) for x in drawn["populations"]]
    result["dimensionality"] = [{"naive": one["naive"], "rows": one["row"], "both": one["both"]} for one in found]
    (Path(__file__).parent / "oracles.json").write_text(json.dumps(result) + "\n")


if __name__ == "__main__":
    main()
