"""Components of intracranial responses to the 165 sounds, and acoustic features (Norman-Haignere et al. 2022).

Current Biology 32, 1470-1484. Rows ascend by stimulus number. ecog_component_responses.mat holds R [sound, time,
component] with `t` in seconds and `stim_names`; acoustic_features.mat holds F_coch [sound, frequency] and F_mod [sound,
spectral scale, temporal rate], without names. song165_components.tsv has, in the file's order and numbered as in the
study, the components' names and the category of sounds with the strongest mean response, measured from the file.
"""

from pathlib import Path

import numpy as np
import xarray as xr

from ...errors import DataError
from ...files.identifiers import normalise
from ...files.text_tables import open_text
from ..stimuli import stimulus_order
from .responses import cell_text, make_responses, read_mat, refuse_not_finite

RESPONSES, FEATURES = "ecog_component_responses.mat", "acoustic_features.mat"
COMPONENTS = Path(__file__).with_name("song165_components.tsv")


def read_song165(folder: Path, window: tuple[float, float] | None = None, complete: bool = True) -> xr.DataArray:
    """Read the components' responses, averaged over time.

    Parameters
    ----------
    folder : Path
        Holds ecog_component_responses.mat.
    window : (float, float), optional
        Seconds; from and to are both included. All of the 3 s by default.
    complete : bool
        Refuse values that are missing or infinite.

    Returns
    -------
    DataArray
        Dimensions (stimulus, target, repetition), float64; targets C1 to C15 with the coordinate `strongest_category`
        (C11 is the component selective for song); one repetition; stimuli in `stimulus_order`.

    Raises
    ------
    DataError
        The file has another layout; no time lies in the window.
    """
    path = _file(folder, RESPONSES)
    content = read_mat(path, ["R", "t", "stim_names"])
    responses, times = np.asarray(content["R"]), np.asarray(content["t"], dtype=float).ravel()
    stimuli = _ids(content["stim_names"], path)
    components = open_text(COMPONENTS).frame()
    expected = (len(stimuli), len(times), len(components))
    if responses.shape != expected or responses.dtype.kind not in "iuf":
        raise DataError(
            f"{path}: R is {responses.dtype} of shape {responses.shape}; expected numbers [sound, time, component] of "
            f"shape {expected}."
        )
    start, stop = window if window is not None else (times[0], times[-1])
    # times are multiples of 0.04 s up to rounding
    inside = (times >= start - 1e-9) & (times <= stop + 1e-9)
    if not inside.any():
        raise DataError(f"{path}: no time lies from {start} to {stop} s; there are {times[0]:g} to {times[-1]:g} s.")
    mean = responses[:, inside].astype(np.float64).mean(axis=1)  # [sound, component]
    metadata = {"strongest_category": components["strongest_category"].to_numpy()}
    array = make_responses(stimuli, list(components["name"]), mean[:, :, None], metadata, path)
    return refuse_not_finite(array, path, complete).sel(stimulus=stimulus_order(stimuli))


def _file(folder: Path, name: str) -> Path:
    """Return the path of a file, and say where it is if the dataset was named instead of its `data/`."""
    if not (folder / name).exists() and (folder / "data" / name).exists():
        raise DataError(f"{folder / name}: there is no such file, but {folder / 'data' / name} is: name that folder.")
    return folder / name


def acoustic_features(folder: Path) -> dict[str, xr.DataArray]:
    """Read the acoustic features: `cochlear` (6 frequencies) and `modulation` (7 spectral scales x 9 temporal rates).

    The rows have no names, but ascend by stimulus number; names come from ecog_component_responses.mat beside it.

    Returns
    -------
    dict of str to DataArray
        Dimensions (stimulus, unit), float64, stimuli in `stimulus_order`; the coordinate `unit` says what each is
        (`200 Hz`; `scale 0.25, rate 0.5 Hz`, the rates varying fastest); attributes `layer_name` and `metadata`, as
        feature sets have them.

    Raises
    ------
    DataError
        A file has another layout.
    """
    responses = _file(folder, RESPONSES)
    stimuli = stimulus_order(_ids(read_mat(responses, ["stim_names"])["stim_names"], responses))
    path = _file(folder, FEATURES)
    content = read_mat(path, ["F_coch", "F_mod", "coch_freqs", "spec_mod_scales", "temp_mod_rates"])
    frequencies, scales, rates = (
        np.asarray(content[name], dtype=float).ravel() for name in ("coch_freqs", "spec_mod_scales", "temp_mod_rates")
    )
    units = {
        "cochlear": ("F_coch", (len(frequencies),), [f"{f:g} Hz" for f in frequencies]),
        "modulation": (
            "F_mod",
            (len(scales), len(rates)),
            [f"scale {scale:g}, rate {rate:g} Hz" for scale in scales for rate in rates],
        ),
    }
    features = {}
    for name, (variable, shape, labels) in units.items():
        values = np.asarray(content[variable], dtype=np.float64)
        if values.shape != (len(stimuli), *shape):
            raise DataError(f"{path}: {variable} has the shape {values.shape}; expected {(len(stimuli), *shape)}.")
        features[name] = xr.DataArray(
            values.reshape(len(stimuli), -1),
            dims=("stimulus", "unit"),
            coords={"stimulus": stimuli, "unit": labels},
            attrs={"layer_name": name, "metadata": {"song165": str(folder), "variable": variable}},
        )
    return features


def _ids(cells: np.ndarray, path: Path) -> list[str]:
    names = normalise(cell_text(np.asarray(cells), path), "stimulus", path, may_repeat=False)
    return [name.removesuffix(".wav") for name in names]
