"""A comparison's inputs, joined: features, responses and splits over the same stimuli in the same order."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import cast

import numpy as np
import pandas as pd
import xarray as xr

from ..errors import ConfigError, DataError
from ..files.identifiers import what_is_lacking
from ..files.notices import noted
from ..files.tabular import read_table
from .arrays import StoredArray, store_array
from .confounds import read_confounds
from .features import missing_features, open_features
from .magnitudes import refuse_extreme
from .options import Features, Inputs
from .predefined_splits import read_splits
from .related_stimuli import describe_related
from .responses import read_responses
from .sounds import sound_warnings
from .splits import check_splits, make_splits
from .stimuli import read_categories, stimulus_order
from .usable_targets import answered, usable_targets


@dataclass(frozen=True)
class Layer:
    """One layer of a feature set.

    Attributes
    ----------
    name : str
    metadata : dict
        What its marker stored.
    bands : tuple of StoredArray, each of shape (n_stimuli, n_units)
        The layer itself; of a joined feature set one per part.
    """

    name: str
    metadata: dict
    bands: tuple[StoredArray, ...]


@dataclass(frozen=True)
class Study:
    """Everything that the engines need.

    Attributes
    ----------
    stimuli : list of str
        In `stimulus_order`.
    features : dict of str to dict of int to Layer
        By feature set and layer index; their arrays are in files, with one row per stimulus.
    targets : DataArray
        Dimensions (stimulus, target, repetition); NaN where a stimulus lacks a repetition
        (`missing_repetitions: available`), so that means are those of `repetitions.mean_response`. Those of voxels are
        in their file until they are asked for: look at some targets at a time (`lazy_arrays.target_parts`).
    confounds : ndarray, shape (n_stimuli, n_variables), or None
    categories : list of str, or None
    splits : list of (development, test)
        Indices into `stimuli`; sizes may differ from split to split.
    warnings : list of str
        What a reader should know, in sentences.
    dropped_targets : DataFrame or None
        Targets that were left out (`missing_targets: drop`) and why, as `usable_targets` gives them.
    groups : ndarray of int, shape (n_stimuli,), or None
        Of splits by groups: which stimuli belong together, also in inner folds.
    """

    stimuli: list[str]
    features: dict[str, dict[int, Layer]]
    targets: xr.DataArray
    confounds: np.ndarray | None
    categories: list[str] | None
    splits: list[tuple[np.ndarray, np.ndarray]]
    warnings: list[str]
    dropped_targets: pd.DataFrame | None = None
    groups: np.ndarray | None = None


@dataclass(frozen=True)
class _Source:
    """What is known of one layer before the stimuli are joined: its own stimuli and its array."""

    stimuli: list[str]
    name: str
    metadata: dict
    array: StoredArray


def load_study(inputs: Inputs, scratch: Path, categories: bool = False) -> Study:
    """Read all inputs of a comparison and join them by stimulus id.

    Layers are read one at a time and kept in files, so that a study may have more of them than memory holds.

    Parameters
    ----------
    inputs : Inputs
    scratch : Path
        An existing folder for the arrays of the layers; they are needed as long as the study is.
    categories : bool
        Whether every stimulus needs a category; otherwise they are read where the splits need them or the table of
        stimuli has them.

    Raises
    ------
    DataError
        A stimulus lacks features, responses or confounds and `missing` is `error`; a target cannot be used and
        `missing_targets` is `error`; a stimulus lacks a repetition, its category or its group.
    ConfigError
        The splits do not fit the stimuli or their groups, or test too few; feature sets to be joined do not fit each
        other.
    """
    with noted() as notes:
        study = _load(inputs, scratch, categories)
    return replace(study, warnings=notes + study.warnings)


def _load(inputs: Inputs, scratch: Path, with_categories: bool) -> Study:
    own = {name: source for name, source in inputs.features.items() if source.join is None}
    missing = missing_features(own)
    if missing:
        raise DataError("features are missing:\n  " + "\n  ".join(missing))
    responses = answered(read_responses(inputs.targets))
    confounds = None if inputs.confounds.table is None else read_confounds(inputs.confounds.table)
    if confounds is not None:
        _refuse_extreme_confounds(confounds, inputs)
    sources = {name: _store(name, source, scratch) for name, source in own.items()}
    stimuli, left_out, warnings = _join(inputs, responses, confounds, sources)
    for storage in dict.fromkeys(source.storage for source in own.values() if source.storage is not None):
        warnings += sound_warnings(storage)
    # after the join: what a target lacks for stimuli that are left out does no harm
    usable = usable_targets(
        responses.sel(stimulus=stimuli), inputs.targets.path, inputs.missing_targets, inputs.targets.missing_repetitions
    )
    features = {name: _joined_rows(layers, stimuli) for name, layers in sources.items()}
    categories, groups = _categories(inputs, stimuli, with_categories), _groups(inputs, stimuli)
    if inputs.splits.kind == "predefined":
        splits, of_splits = read_splits(cast(Path, inputs.splits.table), stimuli, left_out)
    else:
        splits, of_splits = make_splits(inputs.splits, len(stimuli), categories, groups), []
    of_splits += check_splits(inputs.splits, splits, groups)
    layers = ((name, layer.bands[0].load()) for name, of_set in features.items() for layer in of_set.values())
    of_splits += describe_related(layers, stimuli, splits, inputs.splits.groups)
    for name, source in inputs.features.items():
        if source.join is not None:
            features[name] = _joined_sets(name, [(part, features[part]) for part in source.join])
    return Study(
        stimuli=stimuli,
        features={name: features[name] for name in inputs.features},
        targets=usable.targets,
        confounds=None if confounds is None else confounds.loc[stimuli].to_numpy(),
        categories=categories,
        splits=splits,
        warnings=[*warnings, *usable.warnings, *of_splits],
        dropped_targets=None if usable.dropped.empty else usable.dropped,
        groups=groups,
    )


def _categories(inputs: Inputs, stimuli: list[str], always: bool) -> list[str] | None:
    """Read the categories, where the table of stimuli has them; it may be there for its groups alone."""
    table, by = inputs.stimuli.table, inputs.stimuli.by
    if table is None:
        return None
    needed = always or inputs.splits.kind in ("stratified", "stratified_kfold") or inputs.splits.groups is None
    if not needed and by not in read_table(table, "stimulus"):
        return None
    return read_categories(table, by, stimuli)


def _groups(inputs: Inputs, stimuli: list[str]) -> np.ndarray | None:
    """Number the groups of the stimuli by the order of their names."""
    if inputs.splits.groups is None:
        return None
    names = read_categories(cast(Path, inputs.stimuli.table), inputs.splits.groups, stimuli)
    return np.unique(names, return_inverse=True)[1]


def _store(name: str, source: Features, scratch: Path) -> dict[int, _Source]:
    layers = {}
    for index, read in open_features(name, source).items():
        layer = read()
        _refuse_extreme_features(name, index, layer, source)
        array = store_array(layer.to_numpy(), scratch)
        layers[index] = _Source(list(layer.stimulus.values), layer.attrs["layer_name"], layer.attrs["metadata"], array)
    return layers


def _refuse_extreme_confounds(confounds: pd.DataFrame, inputs: Inputs) -> None:
    names, path = confounds.columns, inputs.confounds.table
    refuse_extreme(
        confounds.to_numpy(), "confounds", path, confounds.index, lambda n: f"the variable {names[n]}", each=True
    )


def _refuse_extreme_features(name: str, index: int, layer: xr.DataArray, source: Features) -> None:
    what = f"features {name}, layer {index} ({layer.attrs['layer_name']})"
    refuse_extreme(layer.to_numpy(), what, source.path, layer.stimulus.values, lambda unit: f"unit {unit} (from 0)")


def _joined_rows(layers: dict[int, _Source], stimuli: list[str]) -> dict[int, Layer]:
    """Bring the rows of every layer into the order of the study."""
    joined = {}
    for index, layer in layers.items():
        position = {stimulus: row for row, stimulus in enumerate(layer.stimuli)}
        rows = np.array([position[stimulus] for stimulus in stimuli])
        joined[index] = Layer(layer.name, layer.metadata, (layer.array.take(rows),))
    return joined


def _joined_sets(name: str, parts: list[tuple[str, dict[int, Layer]]]) -> dict[int, Layer]:
    """Put feature sets side by side: layer by layer, a set of one layer beside every layer of the others."""
    several = [(part, layers) for part, layers in parts if len(layers) > 1]
    indices = list((several or parts)[0][1])
    for part, layers in several[1:]:
        if list(layers) != indices:
            raise ConfigError(
                f"features.{name}.join: {several[0][0]} has the layers {indices}, {part} has {list(layers)}; join sets "
                "of the same layers, or with sets of one layer (choose with `layers`)."
            )
    joined = {}
    for index in indices:
        chosen = [(part, layers[index] if len(layers) > 1 else next(iter(layers.values()))) for part, layers in parts]
        joined[index] = Layer(
            name=" + ".join(f"{part}:{layer.name}" for part, layer in chosen),
            metadata={part: layer.metadata for part, layer in chosen},
            bands=tuple(band for _, layer in chosen for band in layer.bands),
        )
    return joined


def _join(
    inputs: Inputs,
    targets: xr.DataArray,
    confounds: pd.DataFrame | None,
    features: dict[str, dict[int, _Source]],
) -> tuple[list[str], set[str], list[str]]:
    """Return the stimuli that everything has, those that something lacks, and sentences on these."""
    sources = {f"responses ({inputs.targets.path})": set(targets.stimulus.values)}
    if confounds is not None:
        sources[f"confounds ({inputs.confounds.table})"] = set(confounds.index)
    for name, layers in features.items():
        held = {index: frozenset(layer.stimuli) for index, layer in layers.items()}
        for stimuli in dict.fromkeys(held.values()):
            which = [index for index in held if held[index] == stimuli]
            of = "" if len(which) == len(held) else f" layer {', '.join(map(str, which))}"
            sources[f"features {name}{of} ({inputs.features[name].path})"] = set(stimuli)
    everywhere = set.intersection(*sources.values())
    spelt, lacking = what_is_lacking(sources, stimulus_order)
    lines = spelt + lacking
    if spelt and inputs.missing == "error":
        raise DataError("stimuli that are not named alike everywhere:\n  " + "\n  ".join(lines))
    if lines and inputs.missing == "error":
        raise DataError(
            "stimuli that lack features or responses:\n  " + "\n  ".join(lines) + "\nExtract or supply them, or leave "
            "them out knowingly with `missing: drop`."
        )
    if not everywhere:
        raise DataError("no stimulus has both features and responses:\n  " + "\n  ".join(lines))
    left_out = [f"Left out (missing: drop): {line}." for line in lines]
    return stimulus_order(everywhere), set.union(*sources.values()) - everywhere, left_out
