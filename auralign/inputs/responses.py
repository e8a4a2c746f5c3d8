"""Responses as one array of stimulus x target x repetition, with what is known of each target as coordinates."""

import re
from pathlib import Path
from typing import cast

import numpy as np
import pandas as pd
import xarray as xr
from scipy.io import loadmat

from ..datasets.building import fetch
from ..errors import DataError, DatasetError
from ..files.identifiers import near_names, normalise
from ..files.tabular import read_numbers, read_table, refuse_repeated
from .lazy_arrays import open_responses
from .options import Targets
from .published.components import read_components
from .published.song165 import read_song165
from .published.voxels import read_voxels
from .stimuli import stimulus_order

# names of the results' own columns
RESERVED = {
    "features", "layer", "layer_name", "target", "estimator", "split", "stimulus", "repetition", "n_splits",
    "r2_corr_half_split", "noise_ceiling", "noise_ceiling_low", "noise_ceiling_high", "n_repetitions",
}  # fmt: skip
# and those that summarise scores over splits
OF_SCORES = re.compile(r"(r2\w*|alpha|reliability)_(median|sd)")


def read_responses(config: Targets) -> xr.DataArray:
    """Read the responses of a comparison as they are; `usable_targets` says which of them can be used.

    Returns
    -------
    DataArray
        Dimensions (stimulus, target, repetition), float64; stimuli in `stimulus_order`; the coordinate `target` holds
        names, further coordinates of `target` its metadata (subject, roi, x, y, hemi, ceiling, ...). NaN where a value
        is missing. Voxels of a dataset are in their file until they are asked for (`lazy_arrays`).

    Raises
    ------
    DataError
        A file is not here or has another layout.
    """
    metadata, known = None, None
    # `Targets` sees to it that every kind has its own
    dataset, folder = cast(Path, config.dataset), cast(Path, config.folder)
    if config.kind == "components":
        targets, metadata = _components(dataset), dataset / "data" / "targets.tsv"
    elif config.kind == "voxels":
        (targets, known), metadata = _voxels(dataset), dataset / "data" / "voxels.tsv"
    elif config.kind == "published_components":
        targets = read_components(folder / "NH2015comp" / "components.mat", complete=False)
    elif config.kind == "published_voxels":
        targets = read_voxels(
            folder,
            cast(str, config.study),
            config.repetitions or 3,
            config.subjects,
            config.rois,
            config.regions,
            complete=False,
        )
    elif config.kind == "song165":
        targets = read_song165(folder, config.window, complete=False)
    else:
        targets = _table(cast(Path, config.table))
    if config.target_table is not None:
        metadata, known = config.target_table, None
    if metadata is not None and (metadata.exists() or config.target_table is not None):
        targets = _with_metadata(targets, metadata, read_table(metadata, "target") if known is None else known)
    return targets.sel(stimulus=stimulus_order(targets.stimulus.values))


def _content(path: Path) -> Path:
    """Return the path of a dataset's file, fetching its content if need be."""
    if path.exists() and not _is_pointer(path):
        return path

    dataset = path.parent.parent
    if not dataset.is_dir():
        raise DataError(f"{dataset}: there is no such dataset. Build it with: auralign data build {dataset.name}")
    try:
        fetch(dataset, [path.relative_to(dataset).as_posix()])
    except DatasetError as error:
        raise DataError(str(error)) from error
    return path


def _is_pointer(path: Path) -> bool:
    """Tell whether a file is git-annex's stand-in for content that is not here (unlocked files)."""
    with open(path, "rb") as file:
        return file.read(15) == b"/annex/objects/"


def _checked(stimuli: list[str], names: list[str], values: np.ndarray, path: Path) -> xr.DataArray:
    """Make the array; `values` is [stimulus, target, repetition]."""
    stimuli, names = _names(stimuli, names, path)
    _refuse_kind(values.dtype, path)
    return xr.DataArray(
        values,
        dims=("stimulus", "target", "repetition"),
        coords={"stimulus": stimuli, "target": names, "repetition": np.arange(values.shape[2])},
    )


def _refuse_kind(dtype: np.dtype, path: Path) -> None:
    if dtype.kind == "c":
        raise DataError(f"{path}: responses are complex numbers; expected real ones.")
    if dtype.kind not in "biuf":
        raise DataError(f"{path}: responses are {dtype}; expected real numbers.")


def _names(stimuli: list[str], targets: list[str], path: Path) -> tuple[list[str], list[str]]:
    """Bring names into normal form, and refuse those that are there twice."""
    stimuli, targets = normalise(stimuli, "stimulus", path, False), normalise(targets, "target", path, False)
    for what, labels in (("stimulus", stimuli), ("target", targets)):
        twice = pd.Index(labels)[pd.Index(labels).duplicated()]
        if len(twice):
            raise DataError(f"{path}: the {what} {twice[0]!r} is there more than once.")
    return stimuli, targets


def _components(dataset: Path) -> xr.DataArray:
    """Read `data/components.mat`: R [stimulus, component], stim_names, component_names (Norman-Haignere 2015)."""
    path = _content(dataset / "data" / "components.mat")
    try:
        content = loadmat(path, variable_names=["R", "stim_names", "component_names"], chars_as_strings=True)
        stimuli = [str(cell.item()) for cell in content["stim_names"].ravel()]
        names = [str(cell.item()) for cell in content["component_names"].ravel()]
        values = np.asarray(content["R"])
        values = values if np.iscomplexobj(values) else values.astype(np.float64)
    except Exception as error:  # scipy documents no exception types: damaged files raise many
        raise DataError(
            f"{path}: not the components file (MAT v5 with R, stim_names and component_names): {error!r}."
        ) from error
    if values.shape != (len(stimuli), len(names)):
        raise DataError(
            f"{path}: R has the shape {values.shape}, but there are {len(stimuli)} stimuli, {len(names)} components."
        )
    return _checked(stimuli, names, values[:, :, None], path)


def _voxels(dataset: Path) -> tuple[xr.DataArray, pd.DataFrame]:
    """Open `data/voxels.npy` [stimulus, voxel, repetition] with `data/voxels.tsv` and `sounds/stimuli.tsv`.

    Returns
    -------
    targets : DataArray
    table : DataFrame
        Of the voxels.
    """
    path = _content(dataset / "data" / "voxels.npy")
    table = read_table(_content(dataset / "data" / "voxels.tsv"), "target")
    stimuli = read_table(_content(dataset / "sounds" / "stimuli.tsv"), "stimulus")["stimulus"]
    try:
        stored = np.lib.format.open_memmap(path, mode="r")
    except (OSError, ValueError, EOFError) as error:
        raise DataError(f"{path}: not an array file that can be read: {error}") from error
    _refuse_kind(stored.dtype, path)
    if stored.ndim != 3 or stored.shape[:2] != (len(stimuli), len(table)):
        raise DataError(
            f"{path}: the shape is {stored.shape}, but there are {len(stimuli)} stimuli and {len(table)} voxels; "
            "expected (stimuli, voxels, repetitions)."
        )
    return open_responses(path, *_names(list(stimuli), list(table["target"]), path)), table


def _table(path: Path) -> xr.DataArray:
    """Read a table: column `stimulus`, optional column `repetition`, every other column a target."""
    table, repetition, columns = read_numbers(path, "target", "repetition")
    numbers, stimuli = [int(number) for number in np.unique(repetition)], list(dict.fromkeys(table["stimulus"]))
    values = np.full((len(stimuli), columns.shape[1], len(numbers)), np.nan)
    position = {stimulus: row for row, stimulus in enumerate(stimuli)}
    for place, number in enumerate(numbers):
        rows = repetition == number
        refuse_repeated(table[rows], "stimulus", path, f" in repetition {number}" if "repetition" in table else "")
        # also where a stimulus is in another repetition only: its row stays empty
        own = [position[stimulus] for stimulus in table.loc[rows, "stimulus"]]
        values[own, :, place] = columns.loc[rows].to_numpy(float)
    return _checked(stimuli, list(columns), values, path).assign_coords(repetition=numbers)


def _with_metadata(targets: xr.DataArray, path: Path, table: pd.DataFrame) -> xr.DataArray:
    """Add the columns of a table of targets, which was read from `path`, as coordinates of `target`."""
    refuse_repeated(table, "target", path)
    table = table.set_index("target")
    names = pd.Index(targets.target.to_numpy(), dtype=object)
    absent = names[~names.isin(table.index)].tolist()
    if absent:
        near = near_names(absent, table.index)
        raise DataError(f"{path}: {len(absent)} targets are not in the table: {', '.join(absent[:5])}.{near}")
    rows = table.loc[names]
    taken = [column for column in rows.columns if column in RESERVED or OF_SCORES.fullmatch(column)]
    if taken:
        raise DataError(f"{path}: the column {taken[0]!r} would collide with one of the results; rename it.")
    return targets.assign_coords({column: ("target", rows[column].to_numpy()) for column in rows.columns})
