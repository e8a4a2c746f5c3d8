"""A comparison's inputs, joined: features, responses and splits over the same stimuli in the same order."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr

from .arrays import StoredArray, store_array
from .config import Comparison, Features
from .confounds import read_confounds
from .errors import ConfigError, DataError
from .features import missing_features, open_features
from .sounds import sound_warnings
from .splits import make_splits
from .stimuli import read_categories, stimulus_order
from .targets import read_targets


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
        Dimensions (stimulus, target, repetition).
    confounds : ndarray, shape (n_stimuli, n_variables), or None
    categories : list of str, or None
    splits : list of (development, test)
        Indices into `stimuli`.
    warnings : list of str
        What a reader should know, in sentences.
    """

    stimuli: list[str]
    features: dict[str, dict[int, Layer]]
    targets: xr.DataArray
    confounds: np.ndarray | None
    categories: list[str] | None
    splits: list[tuple[np.ndarray, np.ndarray]]
    warnings: list[str]


@dataclass(frozen=True)
class _Source:
    """What is known of one layer before the stimuli are joined: its own stimuli and its array."""

    stimuli: list[str]
    name: str
    metadata: dict
    array: StoredArray


def load_study(config: Comparison, scratch: Path) -> Study:
    """Read all inputs of a comparison and join them by stimulus id.

    Layers are read one at a time and kept in files, so that a study may have more of them than memory holds.

    Parameters
    ----------
    config : Comparison
    scratch : Path
        An existing folder for the arrays of the layers; they are needed as long as the study is.

    Raises
    ------
    DataError
        A stimulus lacks features, responses or confounds and `missing` is `error`.
    ConfigError
        The splits do not fit the number of stimuli; feature sets to be joined do not fit each other.
    """
    own = {name: source for name, source in config.features.items() if source.join is None}
    missing = missing_features(own)
    if missing:
        raise DataError("features are missing:\n  " + "\n  ".join(missing))
    targets = read_targets(config.targets)
    confounds = None if config.confounds.table is None else read_confounds(config.confounds.table)
    sources = {name: _store(name, source, scratch) for name, source in own.items()}
    stimuli, warnings = _join(config, targets, confounds, sources)
    for storage in dict.fromkeys(source.storage for source in own.values() if source.storage is not None):
        warnings += sound_warnings(storage)
    categories = None
    if config.stimuli.table is not None:
        categories = read_categories(config.stimuli.table, config.stimuli.by, stimuli)
    features = {name: _joined_rows(layers, stimuli) for name, layers in sources.items()}
    for name, source in config.features.items():
        if source.join is not None:
            features[name] = _joined_sets(name, [(part, features[part]) for part in source.join])
    return Study(
        stimuli=stimuli,
        features={name: features[name] for name in config.features},
        targets=targets.sel(stimulus=stimuli),
        confounds=None if confounds is None else confounds.loc[stimuli].to_numpy(),
        categories=categories,
        splits=make_splits(config.splits, len(stimuli), categories),
        warnings=warnings,
    )


def _store(name: str, source: Features, scratch: Path) -> dict[int, _Source]:
    layers = {}
    for index, read in open_features(name, source).items():
        layer = read()
        array = store_array(layer.to_numpy(), scratch)
        layers[index] = _Source(list(layer.stimulus.values), layer.attrs["layer_name"], layer.attrs["metadata"], array)
    return layers


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
    config: Comparison,
    targets: xr.DataArray,
    confounds: pd.DataFrame | None,
    features: dict[str, dict[int, _Source]],
) -> tuple[list[str], list[str]]:
    sources = {f"responses ({config.targets.path})": set(targets.stimulus.values)}
    if confounds is not None:
        sources[f"confounds ({config.confounds.table})"] = set(confounds.index)
    for name, layers in features.items():
        held = {index: frozenset(layer.stimuli) for index, layer in layers.items()}
        for stimuli in dict.fromkeys(held.values()):
            which = [index for index in held if held[index] == stimuli]
            of = "" if len(which) == len(held) else f" layer {', '.join(map(str, which))}"
            sources[f"features {name}{of} ({config.features[name].path})"] = set(stimuli)
    everywhere = set.intersection(*sources.values())
    anywhere = set.union(*sources.values())
    lines = []
    for source, present in sources.items():
        absent = stimulus_order(anywhere - present)
        if absent:
            more = f" and {len(absent) - 20} more" if len(absent) > 20 else ""
            lines.append(f"{source} lack {len(absent)} stimuli: {', '.join(absent[:20])}{more}")
    if lines and config.missing == "error":
        raise DataError(
            "stimuli that lack features or responses:\n  " + "\n  ".join(lines) + "\nExtract or supply them, or leave "
            "them out knowingly with `missing: drop`."
        )
    if not everywhere:
        raise DataError("no stimulus has both features and responses:\n  " + "\n  ".join(lines))
    return stimulus_order(everywhere), [f"Left out (missing: drop): {line}." for line in lines]
