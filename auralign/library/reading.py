"""Features and responses from files, as a comparison reads them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import xarray as xr

from ..errors import ConfigError, DataError
from ..inputs.features import open_features
from ..inputs.options import Features, Targets
from ..inputs.responses import read_responses as _read_responses
from .wrong import validated

PathLike = str | Path


def read_features(
    path: PathLike,
    marker: str | None = None,
    layers: Literal["all"] | Sequence[int] = "all",
    *,
    network: str | None = None,
    permuted: bool = False,
    stimuli: PathLike | None = None,
    kind: Literal["auto", "storage", "table", "activations", "song165"] = "auto",
) -> dict[int, xr.DataArray]:
    """Read the layers of one feature set.

    Parameters
    ----------
    path : str or Path
        A collected junifer storage (with `marker`); a table (.tsv, .csv, .parquet, .xlsx, .npz, .nc, ...) with a column
        `stimulus`, one column per unit and, where there are several layers, a column `layer`; a folder of published
        activations (with `network`); the folder of song165.
    marker : str, optional
        The name that the marker has in the junifer YAML.
    layers : "all" or list of int
    network : str, optional
        Name of a network in a folder of published activations.
    permuted : bool
        Of these activations, those of the network with permuted weights.
    stimuli : str or Path, optional
        Of these activations, the array file that has the order of the stimuli (neural_stim_meta.npy).
    kind : str
        What `path` is. `auto`: a storage where `marker` is given, activations where `network` is, else a table.

    Returns
    -------
    dict of int to DataArray
        By layer, ascending; dims (stimulus, unit), float64, stimuli in their order. Attributes: `layer_name`,
        `metadata` (what the marker stored) and `source` (kind, file and marker).

    Raises
    ------
    DataError
        There is no such file, marker or layer, or a value is not finite.
    ConfigError
        The parameters do not go together.

    Examples
    --------
    >>> import pandas as pd, auralign as au
    >>> table = pd.DataFrame({"stimulus": ["a", "b", "c"], "u0": [0.1, 0.2, 0.4], "u1": [3.0, 1.0, 2.0]})
    >>> table.to_csv("features.tsv", sep="\\t", index=False)
    >>> layers = au.read_features("features.tsv")
    >>> layers[0].sizes
    Frozen({'stimulus': 3, 'unit': 2})
    """
    path = Path(path).absolute()
    if kind == "auto":
        kind = "storage" if marker is not None else "activations" if network is not None else "table"
    given: dict[str, Any] = {kind: path, "marker": marker, "network": network, "permuted": permuted}
    given["layers"] = layers if isinstance(layers, str | int) else list(layers)
    given["stimuli"] = None if stimuli is None else Path(stimuli).absolute()
    if kind == "table" and path.suffix in (".hdf5", ".h5"):
        raise ConfigError(
            f"{path}: a junifer storage holds the features of markers by their names; give marker=..., the name in the "
            "junifer YAML."
        )
    source = validated(Features, {key: value for key, value in given.items() if value is not None}, "read_features")
    name = marker or network or path.stem
    about = {"kind": kind, "file": path.name} | ({"marker": marker} if marker is not None else {})
    found = {index: read() for index, read in open_features(name, source).items()}
    return {index: layer.assign_attrs(name=name, source=about) for index, layer in found.items()}


def read_responses(
    path: PathLike,
    kind: Literal[
        "auto", "table", "components", "voxels", "published_components", "published_voxels", "song165"
    ] = "auto",
    *,
    target_table: PathLike | None = None,
    **options: Any,
) -> xr.DataArray:
    """Read responses, with what is known of each target as coordinates.

    Parameters
    ----------
    path : str or Path
        A table with a column `stimulus`, one column per target and, where responses are repeated, a column
        `repetition`; or the folder of a dataset or of published responses.
    kind : str
        As `targets: kind` of a configuration. `auto`: a file is a table; a folder holds components or voxels, whichever
        of the two it has.
    target_table : str or Path, optional
        A table with a column `target` and others about it (subject, roi, x, y, hemi, ...), which become coordinates.
    **options
        Further keys of that kind in a configuration: `study`, `repetitions`, `subjects`, `rois`, `regions`, `window`.

    Returns
    -------
    DataArray
        Dims (stimulus, target), and repetition where there are several; float64, stimuli in their order, NaN where a
        value is missing.

    Raises
    ------
    DataError
        There is no such file, or it has another layout.
    ConfigError
        The parameters do not go together, or a folder holds both components and voxels.
    """
    path = Path(path).absolute()
    if kind == "auto":
        kind = _kind_of(path)
    where = {"table": "table", "components": "dataset", "voxels": "dataset"}.get(kind, "folder")
    given: dict[str, Any] = {"kind": kind, where: path, **options}
    if target_table is not None:
        given["target_table"] = Path(target_table).absolute()
    targets = _read_responses(validated(Targets, given, "read_responses")).load()
    targets = targets.assign_attrs(source={"kind": kind, "file": path.name})
    return targets.isel(repetition=0, drop=True) if targets.sizes["repetition"] == 1 else targets


def _kind_of(path: Path) -> Any:
    if not path.is_dir():
        return "table"
    held = [kind for kind, file in (("components", "components.mat"), ("voxels", "voxels.npy"))
            if (path / "data" / file).is_symlink() or (path / "data" / file).exists()]  # fmt: skip
    if len(held) > 1:
        raise ConfigError(f"{path}: there are components and voxels; give kind='components' or kind='voxels'.")
    if not held:
        raise DataError(
            f"{path}: a folder without data/components.mat and data/voxels.npy. Give `kind`, as `targets: kind` of a "
            "configuration, or the path of a table."
        )
    return held[0]
