"""The six components of Norman-Haignere et al. 2015 as published: components.mat."""

from pathlib import Path

import numpy as np
import xarray as xr

from ...errors import DataError
from ...files.identifiers import normalise
from ..stimuli import stimulus_order
from .responses import cell_text, make_responses, read_mat, refuse_not_finite


def read_components(path: Path, complete: bool = True) -> xr.DataArray:
    """Read components.mat: R [stimulus, component] with stim_names and component_names.

    The file is in another order of stimuli than the voxels; rows are put in `stimulus_order` by their names.

    Parameters
    ----------
    path : Path
    complete : bool
        Refuse values that are missing or infinite.

    Returns
    -------
    DataArray
        Dimensions (stimulus, target, repetition), float64, one repetition.

    Raises
    ------
    DataError
        The file cannot be read, lacks a variable or has another shape; values are not finite.
    """
    content = read_mat(path, ["R", "stim_names", "component_names"])
    stimuli = normalise(cell_text(content["stim_names"], path), "stimulus", path, may_repeat=False)
    names = cell_text(content["component_names"], path)
    values = np.asarray(content["R"])
    if values.ndim != 2 or values.dtype.kind not in "iuf":
        raise DataError(f"{path}: R is {values.dtype} of shape {values.shape}; expected numbers [stimulus, component].")
    responses = make_responses(stimuli, names, values[:, :, None].astype(np.float64), {}, path)
    return refuse_not_finite(responses, path, complete).sel(stimulus=stimulus_order(stimuli))
