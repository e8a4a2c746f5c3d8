"""The built-in synthetic study as arrays: nothing is read and nothing is written."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from typing import Any, Literal

import numpy as np
import xarray as xr

from ..errors import ConfigError
from .acoustics import band_energies
from .study import N_VOXELS, SEED, Phantom, generate, mix_voxels

# modulation rates whose power is averaged, Hz
RATES = ((1.0, 2.0), (2.0, 4.0), (4.0, 8.0), (8.0, 16.0))
Features = dict[int, xr.DataArray]


def phantom(
    responses: Literal["components", "voxels"] = "components", n_voxels: int = N_VOXELS
) -> tuple[Features, xr.DataArray]:
    """Make the built-in study: 165 synthetic sounds in 11 categories, their acoustic features, and responses to them.

    Everything is SYNTHETIC: no recording and no brain is involved, and what can be recovered is known
    (`auralign.phantom.study` says how each response is made). Made once per process, in some seconds.

    Parameters
    ----------
    responses : {"components", "voxels"}
        Six components (lowfreq, highfreq, envsounds, pitch, speech, music), or voxels that are mixtures of them.
    n_voxels : int

    Returns
    -------
    features : dict of int to DataArray
        Three layers of dims (stimulus, unit): 0, `mean`, the mean log energy over time in 20 bands; 1, `mean_sd`, that
        and its standard deviation; 2, `modulation`, the log power of its modulation at four rates from 1 to 16 Hz in
        every band.
    responses : DataArray
        Components: dims (stimulus, target), with the coordinates `ceiling` (the r2_corr that the noiseless signal
        reaches), `expected` and `synthetic` of target. Voxels: dims (stimulus, target, repetition), three repetitions,
        with subject, hemi, x, y, roi, component and ceiling. Both have the coordinate `category` of stimulus.

    Examples
    --------
    >>> import auralign as au
    >>> features, responses = au.phantom()
    >>> [layer.attrs["layer_name"] for layer in features.values()]
    ['mean', 'mean_sd', 'modulation']
    >>> responses.sizes
    Frozen({'stimulus': 165, 'target': 6})
    """
    if responses not in ("components", "voxels"):
        raise ConfigError(f"phantom: responses={responses!r} is neither 'components' nor 'voxels'.")
    if isinstance(n_voxels, bool) or not isinstance(n_voxels, int | np.integer) or not 1 <= n_voxels <= 100_000:
        raise ConfigError(f"phantom: n_voxels={n_voxels!r} is no whole number between 1 and 100000.")
    # the components do not depend on the voxels
    study, layers = _study(n_voxels if responses == "voxels" else N_VOXELS), _features()
    if responses == "components":
        table = study.targets[["target", "ceiling", "ceiling_realised", "expected"]]
        array = xr.DataArray(study.components.copy(), dims=("stimulus", "target"))
    else:
        table = study.voxel_table
        array = xr.DataArray(study.voxels.astype(np.float64), dims=("stimulus", "target", "repetition"))
        array = array.assign_coords(repetition=np.arange(array.sizes["repetition"]))
    table = table.assign(synthetic=True)
    about = {str(column): ("target", table[column].to_numpy()) for column in table}
    array = array.assign_coords({"stimulus": study.stimuli, "category": ("stimulus", study.categories), **about})
    array = array.assign_attrs(source={"kind": f"phantom {responses}", "synthetic": True})
    # the study's stimuli are numbered in ascending order, which is that of every study
    return {index: layer.copy() for index, layer in layers.items()}, array


@cache
def _study(n_voxels: int) -> Phantom:
    if n_voxels == N_VOXELS:
        return generate()
    # the sounds, which take the time, do not depend on the voxels
    study = _study(N_VOXELS)
    weights, voxels, table = mix_voxels(study.signals, study.targets["target"], n_voxels, SEED)
    return replace(study, weights=weights, voxels=voxels, voxel_table=table)


@cache
def _features() -> Features:
    study = _study(N_VOXELS)
    energies = [band_energies(sound) for sound in study.sounds]  # each (energy [T, 20], centres [20], step in seconds)
    mean = np.stack([energy.mean(axis=0) for energy, _, _ in energies])
    spread = np.stack([energy.std(axis=0) for energy, _, _ in energies])
    power = np.stack([_modulation(energy, step) for energy, _, step in energies])
    bands = [f"{centre:.0f}Hz" for centre in energies[0][1]]
    layers = (
        ("mean", mean, [f"mean_{band}" for band in bands]),
        ("mean_sd", np.concatenate([mean, spread], axis=1), [f"{what}_{b}" for what in ("mean", "sd") for b in bands]),
        ("modulation", power, [f"{low:g}-{high:g}Hz_{band}" for low, high in RATES for band in bands]),
    )
    return {
        index: xr.DataArray(
            values,
            dims=("stimulus", "unit"),
            coords={"stimulus": study.stimuli, "unit": units, "category": ("stimulus", study.categories)},
            attrs={
                "name": "phantom",
                "layer_name": name,
                "metadata": {},
                "source": {"kind": "phantom features", "synthetic": True},
            },
        )
        for index, (name, values, units) in enumerate(layers)
    }


def _modulation(energy: Any, step: float) -> Any:
    """Log10 of the mean modulation power in each range of rates and band, [len(RATES) * n_bands]."""
    power = np.square(np.abs(np.fft.rfft(energy - energy.mean(axis=0), axis=0))) / len(energy)
    rate = np.fft.rfftfreq(len(energy), step)
    parts = [power[(rate >= low) & (rate < high)].mean(axis=0) for low, high in RATES]
    return np.log10(np.concatenate(parts) + 1e-6)
