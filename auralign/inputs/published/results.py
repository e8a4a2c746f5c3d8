"""Published results as tables: df_output (pickled or CSV), and the CSV files of a network's folder `outputs`.

Rows of the long form have the columns of `tables.COLUMNS`, so that they can be laid beside ours like the published
figures can. Layers are numbered by the tables of `networks`.
"""

import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd

from ...errors import DataError
from ...files.text_tables import open_text
from .frames import read_frame
from .networks import find_network
from .regions import KEY, voxel_names
from .tables import COLUMNS

# df_output's columns and ours; what is not here, such as r2, was not published
_SCORES = {
    "median_r2_test": "r2_corr_median",
    "std_r2_test": "r2_corr_sd",
    "median_r2_test_c": "r2_corr_c_median",
    "median_alpha": "alpha_median",
}
_METADATA = {"subj_idx": "subject", "hemi": "hemi", "x_ras": "x", "y_ras": "y", "roi_label_general": "roi"}
N_SPLITS = 10
_CURVES = re.compile(r"across-layers_roi-(?P<region>\w+?)_(?P<network>.+)_(?P<dataset>NH2015|B2021)_median_r2_test_c")


def read_output(path: Path) -> pd.DataFrame:
    """Read df_output.pkl, or the same table as CSV, in the form of our summary.tsv.

    Returns
    -------
    DataFrame
        One row per target: features (the network's published name), network (`trained` or `permuted`), dataset, layer,
        layer_name, target, estimator (`ridge`), r2_corr_median, r2_corr_sd (recomputed from ddof 0 to ours, ddof 1),
        r2_corr_c_median (voxels), alpha_median, n_splits, and subject, hemi, x, y, roi (voxels).

    Raises
    ------
    DataError
        The pickle holds more than a table of numbers and text; a column is missing; the network or layer is unknown.
    """
    frame = read_frame(path) if path.suffix == ".pkl" else _read_csv(path)
    _need(frame, ["source_model", "source_layer", "target", "randnetw", *_SCORES], path)
    frame = frame.reset_index(drop=True)
    voxels = "comp" not in frame
    if voxels:
        _need(frame, KEY, path)
    pairs = list(zip(frame["source_model"].astype(str), frame["source_layer"].astype(str), strict=True))
    layers = {pair: _layer(*pair, path) for pair in set(pairs)}
    summary = pd.DataFrame(
        {
            "features": [find_network(model).published_name for model, _ in pairs],
            "network": np.where(frame["randnetw"].astype(str) == "True", "permuted", "trained"),
            "dataset": frame["target"],
            "layer": [layers[pair] for pair in pairs],
            "layer_name": frame["source_layer"].astype(str),
            "target": voxel_names(str(frame["target"].iloc[0]), frame) if voxels else frame["comp"].astype(str),
            "estimator": "ridge",
            **{ours: frame[theirs] for theirs, ours in _SCORES.items() if voxels or ours != "r2_corr_c_median"},
            "n_splits": N_SPLITS,
            **({ours: frame[theirs] for theirs, ours in _METADATA.items() if theirs in frame} if voxels else {}),
        }
    )
    summary["r2_corr_sd"] *= np.sqrt(N_SPLITS / (N_SPLITS - 1))
    return summary


def read_outputs(folder: Path) -> pd.DataFrame:
    """Read all that a folder of published results holds, with its subfolders, in the long form.

    df_output*.pkl and df_output*.csv (scores of every target and layer); across-layers_*.csv (regions by layer);
    best-layer*_per-comp_*.csv and best-layer_CV-splits*.csv (best layer from independent splits).

    Raises
    ------
    DataError
        There is none, or one cannot be read.
    """
    readers: dict[str, Callable[[Path], pd.DataFrame]] = {
        "df_output*.pkl": output_rows,
        "df_output*.csv": output_rows,
        "across-layers_*_median_r2_test_c.csv": curve_rows,
        "best-layer*CV-splits*_median_r2_test.csv": best_layer_rows,
        "best-layer*CV-splits*_median_r2_test_c.csv": best_layer_rows,
    }
    parts = [read(path) for pattern, read in readers.items() for path in sorted(folder.rglob(pattern))]
    if not parts:
        raise DataError(f"{folder}: there is no published result; looked for {', '.join(readers)}.")
    return pd.concat(parts, ignore_index=True)


def output_rows(path: Path) -> pd.DataFrame:
    """Read df_output in the long form: r2_corr_median and, of voxels, r2_corr_c_median of every target."""
    summary = read_output(path)
    keys = ["features", "network", "dataset", "layer", "layer_name", "target", "estimator"]
    quantities = [name for name in ("r2_corr_median", "r2_corr_c_median") if name in summary]
    rows = summary.melt(id_vars=keys, value_vars=quantities, var_name="quantity", value_name="value")
    return _long(rows.assign(table="df_output"), path)


def curve_rows(path: Path) -> pd.DataFrame:
    """Read across-layers_roi-<region>_<network>_<data>_median_r2_test_c.csv in the long form.

    Its rows are subjects and `yerr`, its columns layers: mean over subjects, and the error of that mean.
    """
    match = _CURVES.match(path.name)
    if match is None:
        raise DataError(f"{path}: the name is not across-layers_roi-<region>_<network>_<NH2015|B2021>_....csv.")
    name, permuted = re.subn("_randnetw$", "", match["network"])
    table = _read_csv(path)
    if "yerr" not in table.index.astype(str):
        raise DataError(f"{path}: there is no row `yerr`; there are {list(table.index)[:25]}.")
    errors = table.index.astype(str) == "yerr"
    parts = {"r2_corr_c_subject_mean": table[~errors].mean(), "r2_corr_c_subject_sem": table[errors].iloc[0]}
    rows = pd.concat([pd.DataFrame({"value": part, "quantity": quantity}) for quantity, part in parts.items()])
    rows["layer_name"] = rows.index.astype(str)
    rows["layer"] = [_layer(name, layer, path) for layer in rows["layer_name"]]
    region = "all" if match["region"] == "None" else match["region"]
    network = "permuted" if permuted else "trained"
    rows = rows.assign(features=find_network(name).published_name, network=network, target=region)
    return _long(rows.assign(table="across-layers", dataset=match["dataset"], estimator="ridge"), path)


def best_layer_rows(path: Path) -> pd.DataFrame:
    """Read best-layer...CV-splits....csv in the long form: per component, or the mean over subjects."""
    table = _read_csv(path)
    components = "per-comp" in path.name
    score = "median_r2_test" if components else "median_r2_test_c"
    _need(table, [score, "source_model", "target", "randnetw", "roi"], path)
    first = table.iloc[0]
    if components:
        rows = pd.DataFrame({"target": table.index.astype(str), "value": table[score].to_numpy()})
        rows["quantity"] = "r2_corr_best_layer"
    else:
        region = "all" if str(first["roi"]) in ("None", "nan") else str(first["roi"])
        rows = pd.DataFrame({"target": [region], "value": [table[score].mean()], "quantity": ["r2_corr_c_best_layer"]})
    rows = rows.assign(
        features=find_network(str(first["source_model"])).published_name,
        network="permuted" if str(first["randnetw"]) == "True" else "trained",
    )
    return _long(rows.assign(table="best-layer", dataset=str(first["target"]), estimator="ridge"), path)


def _read_csv(path: Path) -> pd.DataFrame:
    return open_text(path).frame(index_col=0, dtype={"source_layer": str})


def _need(table: pd.DataFrame, columns: list[str], path: Path) -> None:
    absent = [name for name in columns if name not in table]
    if absent or table.empty:
        what = f"the column {absent[0]!r} is missing" if absent else "there is no row"
        raise DataError(f"{path}: {what}; the columns are {list(table.columns)[:30]}.")


def _layer(model: str, name: str, path: Path) -> int:
    found = {layer.name: layer.index for layer in find_network(model).layers}
    if str(name) not in found:
        raise DataError(f"{path}: {model} has no layer {name!r}; it has {', '.join(found)}.")
    return found[str(name)]


def _long(rows: pd.DataFrame, path: Path) -> pd.DataFrame:
    """Complete the columns; numbers in files are exact, so that they have no precision."""
    rows = rows.assign(source=path.name, precision=np.nan, step=pd.NA)
    if "layer" not in rows:
        rows = rows.assign(layer=pd.NA, layer_name="")
    return rows.astype({"layer": "Int64", "step": "Int64"})[COLUMNS].reset_index(drop=True)
