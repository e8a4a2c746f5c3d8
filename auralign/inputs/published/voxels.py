"""Voxels of Norman-Haignere et al. 2015 and Boebinger et al. 2021, as Tuckute et al. 2023 packed them.

`FOLDER` is the archive's `data/neural`. Of `FOLDER/NH2015` are read voxel_features_array.npy [165, voxel, 3],
voxel_features_meta.npy (subj_idx, hemi, x_ras, y_ras, voxel_id, n_reps) and neural_stim_meta.npy; of `FOLDER/B2021`
voxel_features_array.npy [192, voxel, 3], voxel_features_meta.npy (voxel_id) and stim_info_v4.mat. Of both
df_roi_meta.tsv or, where it is not there, df_roi_meta.pkl. Arrays are memory-mapped: what is not asked for is not read.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr

from ...errors import DataError
from ..stimuli import stimulus_order
from .regions import KEY, read_regions, voxel_names
from .responses import as_text, field, make_responses, read_array, refuse_not_finite
from .sounds import read_b2021_ids, read_ids

STUDIES = ("NH2015", "B2021")
# targets that are copied at a time: 192 x 2048 x 3 numbers are 9 MB
BLOCK = 2048
# columns of the archive and the coordinates that they become
_COORDINATES = {
    "subj_idx": "subject",
    "hemi": "hemi",
    "x_ras": "x",
    "y_ras": "y",
    "voxel_id": "voxel_id",
    "n_reps": "n_reps",
    "roi_label_general": "roi",
    "roi_label_specific": "roi_specific",
    "tonotopic": "mask_tonotopic",
    "pitch": "mask_pitch",
    "music": "mask_music",
    "speech": "mask_speech",
    "kell_r_reliability": "kell_r_reliability",
    "pearson_r_reliability": "pearson_r_reliability",
}


def open_voxels(folder: Path, study: str, regions: Path | None = None) -> xr.DataArray:
    """Open all voxels of a study without reading them.

    Parameters
    ----------
    folder : Path
        The archive's `data/neural`.
    study : {"NH2015", "B2021"}
    regions : Path, optional
        A converted df_roi_meta.tsv, or df_roi_meta.pkl, elsewhere than in the study's folder.

    Returns
    -------
    DataArray
        Dimensions (stimulus, target, repetition), memory-mapped, in the file's type and order; a missing third
        repetition is NaN. Coordinates of `target`: subject, hemi, x, y, voxel_id, n_reps and, where regions are known,
        roi, roi_specific, mask_*, *_reliability.

    Raises
    ------
    DataError
        A file is missing or has another layout; regions and voxels do not belong together.
    """
    if study not in STUDIES:
        raise DataError(f"{folder}: there is no study {study!r}; there are {', '.join(STUDIES)}.")
    base = folder / study
    path = base / "voxel_features_array.npy"
    values = read_array(path, memory_map=True)
    if values.ndim != 3 or values.dtype.kind not in "iuf":
        raise DataError(f"{path}: {values.dtype} of shape {values.shape}; expected numbers [sound, voxel, repetition].")
    if study == "NH2015":
        stimuli = read_ids(base / "neural_stim_meta.npy")
        voxels = _described_voxels(base, regions)
    else:
        stimuli = read_b2021_ids(base / "stim_info_v4.mat")
        voxels = _b2021_voxels(base, regions, values.shape[-1])
    metadata = {_COORDINATES[column]: voxels[column].to_numpy() for column in _COORDINATES if column in voxels}
    return make_responses(stimuli, voxel_names(study, voxels), values, metadata, path)


def read_voxels(
    folder: Path,
    study: str,
    repetitions: int = 3,
    subjects: Sequence[int] | None = None,
    rois: Sequence[str] | None = None,
    regions: Path | None = None,
    complete: bool = True,
) -> xr.DataArray:
    """Read the voxels that are asked for, and nothing else, into memory.

    Parameters
    ----------
    folder, study, regions
        As in `open_voxels`.
    repetitions : {3, 2}
        3: voxels with three repetitions, as published. 2: the first two repetitions of all voxels that have them; a
        voxel's third repetition then goes unused. Both kinds at once are not offered: the corrections for noise need
        the same repetitions of every voxel, and a NaN would spread to everything that is computed from it.
    subjects : sequence of int, optional
        All by default.
    rois : sequence of str, optional
        Values of `roi` (Primary, Anterior, Lateral, Posterior); all voxels, also outside of them, by default.
    complete : bool
        Refuse values that are missing or infinite.

    Returns
    -------
    DataArray
        Dimensions (stimulus, target, repetition), float64; the 165 sounds of NH2015, also for B2021, which are found
        by id, in `stimulus_order`.
    """
    opened = open_voxels(folder, study, regions)
    path = folder / study / "voxel_features_array.npy"
    if repetitions not in (2, 3) or repetitions > opened.sizes["repetition"]:
        raise DataError(f"{path}: {repetitions} repetitions of {opened.sizes['repetition']}; possible are 3 or 2.")
    keep = opened.n_reps.values >= repetitions
    for name, wanted in (("subject", subjects), ("roi", rois)):
        if wanted is None:
            continue
        if name not in opened.coords:
            raise DataError(f"{folder / study}: to choose by {name}, df_roi_meta.tsv or .pkl is needed there.")
        there = set(opened[name].values.tolist()) - {""}
        if absent := [value for value in wanted if value not in there]:
            raise DataError(f"{folder / study}: there is no {name} {absent[0]!r}; there are {sorted(there)}.")
        keep &= np.isin(opened[name].values, np.array(list(wanted)))
    columns = np.flatnonzero(keep)
    if not len(columns):
        raise DataError(f"{folder / study}: no voxel is left (repetitions {repetitions}, {subjects=}, {rois=}).")
    rows = _rows(opened, folder, study)
    chosen = _copy(opened.variable.values, rows, columns, repetitions)
    metadata = {
        str(name): coordinate.values[columns]
        for name, coordinate in opened.coords.items()
        if coordinate.dims == ("target",)
    }
    names = metadata.pop("target")
    responses = make_responses(opened.stimulus.values[rows], names, chosen, metadata, path)
    return refuse_not_finite(responses, path, complete)


def _copy(values: np.ndarray, rows: np.ndarray, columns: np.ndarray, repetitions: int) -> np.ndarray:
    """Copy rows x columns x the first repetitions of a memory-mapped array, a block of columns at a time."""
    chosen = np.empty((len(rows), len(columns), repetitions))
    for start in range(0, len(columns), BLOCK):
        block = columns[start : start + BLOCK]
        chosen[:, start : start + BLOCK] = values[np.ix_(rows, block, np.arange(repetitions))]
    return chosen


def _rows(opened: xr.DataArray, folder: Path, study: str) -> np.ndarray:
    """Find the rows of NH2015's sounds, in `stimulus_order`; B2021 has further sounds."""
    stimuli = list(opened.stimulus.values)
    wanted = stimuli
    if study == "B2021":
        wanted = read_ids(folder / "NH2015" / "neural_stim_meta.npy")
        if absent := sorted(set(wanted) - set(stimuli)):
            raise DataError(
                f"{folder / study / 'stim_info_v4.mat'}: {len(absent)} sounds of NH2015 are not among its "
                f"{len(stimuli)}: {', '.join(absent[:5])}."
            )
    position = {stimulus: row for row, stimulus in enumerate(stimuli)}
    return np.array([position[stimulus] for stimulus in stimulus_order(wanted)])


def _described_voxels(base: Path, regions: Path | None) -> pd.DataFrame:
    """Read voxel_features_meta.npy of NH2015, with the columns of df_roi_meta joined by subject, side and voxel id."""
    path = base / "voxel_features_meta.npy"
    records = read_array(path)
    kinds = {"hemi": "SU"}
    columns = {name: field(records, (name,), None, kinds.get(name, "iuf"), path) for name in (*KEY, "x_ras", "y_ras")}
    voxels = pd.DataFrame({**columns, "hemi": as_text(columns["hemi"])})
    voxels["n_reps"] = field(records, ("n_reps",), None, "iuf", path)
    found = _regions_file(base, regions)
    if found is None:
        return voxels
    table = read_regions(found).set_index(KEY)
    _refuse_duplicates(table.index, found)
    index = pd.MultiIndex.from_frame(voxels[KEY])
    absent = index[(voxels["n_reps"] == 3).to_numpy() & ~index.isin(table.index)]
    if len(absent):
        raise DataError(f"{found}: {len(absent)} voxels with three repetitions are not in it: {list(absent[:3])}.")
    rows = table.reindex(index).reset_index(drop=True)
    moved = rows["x_ras"].notna() & ((rows["x_ras"] != voxels["x_ras"]) | (rows["y_ras"] != voxels["y_ras"]))
    if moved.any():
        raise DataError(f"{found}: {int(moved.sum())} voxels lie elsewhere than in {path.name}.")
    return _filled(voxels.join(rows.drop(columns=["x_ras", "y_ras"])))


def _b2021_voxels(base: Path, regions: Path | None, n_repetitions: int) -> pd.DataFrame:
    """Read df_roi_meta of B2021 in the order of voxel_features_meta.npy, which holds voxel ids only."""
    found = _regions_file(base, regions)
    if found is None:
        raise DataError(f"{base}: df_roi_meta.tsv or df_roi_meta.pkl is missing; it says whose each voxel is.")
    path = base / "voxel_features_meta.npy"
    ids = read_array(path)
    ids = field(ids, ("voxel_id",), None, "iu", path) if ids.dtype.names else ids
    table = read_regions(found).set_index("voxel_id")
    _refuse_duplicates(table.index, found)
    absent = np.setdiff1d(ids, table.index)
    if len(absent):
        raise DataError(f"{found}: {len(absent)} voxels of {path.name} are not in it: {absent[:5].tolist()}.")
    return _filled(table.loc[ids].reset_index().assign(n_reps=n_repetitions))


def _regions_file(base: Path, regions: Path | None) -> Path | None:
    if regions is not None:
        return regions
    return next((path for path in (base / "df_roi_meta.tsv", base / "df_roi_meta.pkl") if path.exists()), None)


def _refuse_duplicates(index: pd.Index, path: Path) -> None:
    if not index.is_unique:
        raise DataError(f"{path}: the voxel {index[index.duplicated()][0]} is there more than once.")


def _filled(voxels: pd.DataFrame) -> pd.DataFrame:
    """Replace missing text, as of voxels outside of all regions, by empty text."""
    text = [column for column in voxels if voxels[column].dtype == object]
    return voxels.assign(**{column: voxels[column].where(voxels[column].notna(), "").astype(str) for column in text})
