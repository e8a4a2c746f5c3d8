"""A run beside published numbers: the same quantities from our scores, and their differences."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from ..errors import DataError
from ..files.text_tables import open_text
from ..inputs.published.networks import find_network, lookup
from .aggregate import by_region, by_subject, over_subjects
from .layer_choice import published_choice

COMPONENTS = {"lowfreq", "highfreq", "envsounds", "pitch", "speech", "music"}
# more targets than these are described by one number
MANY_TARGETS = 24
# what makes two numbers comparable; layer_name and precision go along
KEYS = ["quantity", "estimator", "features", "network", "dataset", "target", "layer", "step"]
# what was published as lasso is a joint one over the components; our lassos of either kind are held against it
_ESTIMATORS = {"multitask_lasso": "lasso"}
# how EnCodecMAE's activations were published; other settings are other features
_AS_PUBLISHED = {"zscore": False, "branch": 0, "last_layer": "summed", "decoder": False, "pooling": "mean"}
_STEP = re.compile(r"-step-?0*(\d+)$")


@dataclass(frozen=True)
class Identity:
    """Which published features a feature set is: published name, `trained` or `permuted`, training step."""

    features: str
    network: str = "trained"
    step: int | None = None


@dataclass(frozen=True)
class Run:
    """What is read of a results folder: tables, metadata of the feature sets, kinds of the estimators and splits."""

    folder: Path
    summary: pd.DataFrame
    scores: pd.DataFrame
    metadata: Mapping[str, dict]
    kinds: Mapping[str, str]
    splits: str


def read_run(folder: Path) -> Run:
    """Read summary.tsv, scores.parquet and provenance.json of a results folder.

    Raises
    ------
    DataError
        One is missing or cannot be read; the responses are synthetic.
    """
    text = ("target", "features", "estimator", "layer_name", "roi", "hemi")
    for file in (folder / name for name in ("summary.tsv", "scores.parquet", "provenance.json")):
        if not file.exists():
            raise DataError(f"{file}: the file is missing; is {folder} a finished result?")
    try:
        summary = open_text(folder / "summary.tsv").frame(
            dtype=dict.fromkeys(text, str), keep_default_na=False, na_values=[""]
        )
        scores = pd.read_parquet(folder / "scores.parquet")
        provenance = json.loads((folder / "provenance.json").read_text(encoding="utf-8"))
        config = provenance["config"]
        kinds = {label: estimator["kind"] for label, estimator in config["estimators"].items()}
        kinds = {label: _ESTIMATORS.get(kind, kind) for label, kind in kinds.items()}
        zscored = {name for name, source in config.get("features", {}).items() if source.get("zscore")}
        metadata = {name: {**meta, "zscore": name in zscored} for name, meta in provenance.get("features", {}).items()}
        run = Run(folder, summary, scores, metadata, kinds, config["splits"]["kind"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError(f"{folder}: not a results folder that can be read: {error!r}.") from error
    if "synthetic" in summary and summary["synthetic"].astype(str).eq("True").any():
        raise DataError(f"{folder}: these responses are synthetic; nothing published can be held against them.")
    return run


def identify(name: str, metadata: Mapping[str, Any], given: Mapping[str, str]) -> Identity | None:
    """Find out which published features a feature set is.

    Said by hand (`given`: name -> published name, with `:permuted` behind it for the permuted network), or known from
    its metadata: published activations, a published checkpoint with the published settings, the SpectroTemporal
    baseline with power; or from its name, if that is one in the tables. `-step050000` at the end is the training step.

    Returns
    -------
    Identity or None
        None where nothing of this is known.
    """
    step = _STEP.search(name)
    number = int(step[1]) if step else None
    if name in given:
        published, _, variant = given[name].partition(":")
        if variant not in ("", "permuted"):
            raise DataError(f"--features {name}={given[name]}: behind the colon only `permuted` is known.")
        return Identity(find_network(published).published_name, variant or "trained", number)
    if any(key in metadata and metadata[key] != value for key, value in _AS_PUBLISHED.items()):
        return None
    if metadata.get("class") == "SpectroTemporal":
        return Identity("SpectroTemporal") if metadata.get("compression") == "power" else None
    permuted = bool(metadata.get("permuted")) or metadata.get("permute_seed") is not None
    if metadata.get("class") == "EncodecMAE" and not step:
        labels = [metadata.get("checkpoint")]
    else:
        labels = [metadata.get("network"), _STEP.sub("", name)]
    known = next((label for label in labels if isinstance(label, str) and lookup(label)), None)
    if known is None:
        return None
    return Identity(find_network(known).published_name, "permuted" if permuted else "trained", number)


def our_rows(run: Run, identities: Mapping[str, Identity]) -> pd.DataFrame:
    """Compute from a run every quantity that was published of such responses.

    Components: r2_corr_median and r2_median by layer; r2_corr_best_layer. Voxels: r2_corr_median, r2_corr_c_median of
    each by layer; r2_corr_c_voxel_median (all voxels), r2_corr_c_subject_mean and _sem (regions) by layer;
    r2_corr_c_best_layer (mean over subjects). Its error is left out: it depends on which other networks are compared.

    Parameters
    ----------
    run : Run
    identities : mapping of str to Identity
        Of the feature sets that are to be compared.

    Returns
    -------
    DataFrame
        `KEYS`, `our_features`, `our_estimator`, `layer_name`, `ours`.

    Raises
    ------
    DataError
        The targets are neither the six components nor the voxels of a published study.
    """
    summary = run.summary[run.summary["features"].isin(list(identities))]
    scores = run.scores[run.scores["features"].isin(list(identities))]
    dataset = _dataset(run)
    parts = [
        _part(summary, quantity, "target", quantity)
        for quantity in ("r2_corr_median", "r2_median", "r2_corr_c_median")
        if quantity in summary
    ]
    if dataset == "NH2015comp":
        parts.append(_part(published_choice(scores, "r2_corr"), "r2_corr_best_layer", "target", "score", layer=False))
    elif "r2_corr_c" in scores:
        parts += _voxel_parts(scores, run.summary)
    rows = pd.concat(parts, ignore_index=True)
    named = rows["our_features"].map(identities)
    rows = rows.assign(
        features=[identity.features for identity in named],
        network=[identity.network for identity in named],
        step=pd.array([identity.step for identity in named], dtype="Int64"),
        estimator=rows["our_estimator"].map(run.kinds),
        dataset=dataset,
    )
    return rows[[*KEYS, "our_features", "our_estimator", "layer_name", "ours"]]


def differences(ours: pd.DataFrame, published: pd.DataFrame) -> pd.DataFrame:
    """Join our numbers and published ones.

    Returns
    -------
    DataFrame
        One row per published number that has one of ours: `table`, `KEYS`, `our_features`, `our_estimator`,
        `layer_name`, `ours`, `published`, `difference` (ours - published), `precision`, `within` (the precision;
        missing where numbers are exact), `source`.
    """
    theirs = published.rename(columns={"value": "published", "layer_name": "published_layer_name"})
    # merging takes missing keys for equal ones in some versions of pandas only
    joined = _filled(ours).merge(_filled(theirs), on=KEYS)
    joined[["layer", "step"]] = joined[["layer", "step"]].replace(-1, pd.NA)
    joined["difference"] = joined["ours"] - joined["published"]
    inside = joined["difference"].abs() <= joined["precision"] + 1e-12
    joined["within"] = inside.astype("boolean").where(joined["precision"].notna(), pd.NA)
    first = ["table", *KEYS, "our_features", "our_estimator", "layer_name"]
    return joined[[*first, "ours", "published", "difference", "precision", "within", "source"]]


def describe_differences(joined: pd.DataFrame) -> str:
    """Write the differences as text: per published table and feature set, target x layer; the largest; how many fit."""
    blocks = []
    for key, rows in joined.groupby(["table", "quantity", "our_features", "our_estimator", "source"], sort=False):
        table, quantity, features, estimator, source = key
        one = rows.iloc[0]
        network = one["features"] + (" (permuted)" if one["network"] == "permuted" else "")
        lines = [f"{table}, {quantity}: {features} [{estimator}] beside {network} ({source})"]
        if rows["target"].nunique() > MANY_TARGETS:
            lines.append(f"  median |difference| {rows['difference'].abs().median():.4f} of {len(rows)}")
        elif rows["layer"].isna().all():
            shown = rows.set_index("target")[["ours", "published", "difference", "within"]]
            lines.append(shown.to_string(float_format="{:.3f}".format, index_names=False))
        else:
            lines.append("difference, ours - published, by layer:")
            wide = rows.pivot_table(index="target", columns="layer", values="difference", sort=False)
            lines.append(wide.to_string(float_format="{:+.3f}".format, index_names=False))
        largest = rows.loc[rows["difference"].abs().idxmax()]
        where = largest["target"] if pd.isna(largest["layer"]) else f"{largest['target']}, layer {largest['layer']}"
        known = rows["within"].dropna()
        fit = f"; within the published precision: {int(known.sum())} of {len(known)}" if len(known) else ""
        lines.append(f"largest: {largest['difference']:+.3f} ({where}){fit}")
        blocks.append("\n".join(lines))
    return "\n\n".join(blocks)


def _filled(rows: pd.DataFrame) -> pd.DataFrame:
    return rows.assign(**{key: rows[key].astype("Int64").fillna(-1) for key in ("layer", "step")})


def _dataset(run: Run) -> str:
    targets = set(run.summary["target"])
    if targets <= COMPONENTS:
        return "NH2015comp"
    for study in ("NH2015", "B2021"):
        if all(target.startswith(f"{study}_s") for target in targets):
            return study
    raise DataError(
        f"{run.folder}: nothing was published of responses like {sorted(targets)[0]!r}; known are the components "
        f"({', '.join(sorted(COMPONENTS))}) and voxels named as published ones are (NH2015_s1_rh_v00123)."
    )


def _voxel_parts(scores: pd.DataFrame, summary: pd.DataFrame) -> list[pd.DataFrame]:
    metadata = summary.drop_duplicates("target")
    parts = [_part(by_subject(scores, "r2_corr_c", metadata), "r2_corr_c_voxel_median", None, "pooled")]
    best = published_choice(scores, "r2_corr_c", metadata, by=["subject"])
    over = over_subjects(best, "features", ["estimator"])
    parts.append(_part(over, "r2_corr_c_best_layer", None, "score", layer=False))
    if "roi" in metadata and metadata["roi"].notna().any():
        regions = by_region(scores, "r2_corr_c", metadata)
        parts.append(_part(regions, "r2_corr_c_subject_mean", "region", "score"))
        parts.append(_part(regions, "r2_corr_c_subject_sem", "region", "sem"))
    return parts


def _part(table: pd.DataFrame, quantity: str, target: str | None, value: str, layer: bool = True) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "quantity": quantity,
            "our_features": table["features"].to_numpy(),
            "our_estimator": table["estimator"].to_numpy(),
            "target": "all" if target is None else table[target].astype(str).to_numpy(),
            "layer": table["layer"].astype("Int64").to_numpy() if layer else pd.array([pd.NA] * len(table), "Int64"),
            "layer_name": table["layer_name"].to_numpy() if layer and "layer_name" in table else "",
            "ours": table[value].to_numpy(dtype=float),
        }
    ).astype({"layer": "Int64"})
