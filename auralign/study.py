"""A comparison's inputs, joined: features, responses and splits over the same stimuli in the same order."""

from dataclasses import dataclass

import numpy as np
import xarray as xr

from .config import Comparison
from .errors import DataError
from .features import missing_features, read_features
from .splits import make_splits
from .stimuli import read_categories, stimulus_order
from .targets import read_targets


@dataclass(frozen=True)
class Study:
    """Everything that the engines need.

    Attributes
    ----------
    stimuli : list of str
        In `stimulus_order`.
    features : dict of str to dict of int to DataArray
        By feature set and layer; dimensions (stimulus, unit).
    targets : DataArray
        Dimensions (stimulus, target, repetition).
    splits : list of (development, test)
        Indices into `stimuli`.
    warnings : list of str
        What a reader should know, in sentences.
    """

    stimuli: list[str]
    features: dict[str, dict[int, xr.DataArray]]
    targets: xr.DataArray
    splits: list[tuple[np.ndarray, np.ndarray]]
    warnings: list[str]


def load_study(config: Comparison) -> Study:
    """Read all inputs of a comparison and join them by stimulus id.

    Raises
    ------
    DataError
        A stimulus lacks features or responses and `missing` is `error`.
    ConfigError
        The splits do not fit the number of stimuli.
    """
    missing = missing_features(config.features)
    if missing:
        raise DataError("features are missing:\n  " + "\n  ".join(missing))
    targets = read_targets(config.targets)
    features = {name: read_features(name, source) for name, source in config.features.items()}
    stimuli, warnings = _join(config, targets, features)
    categories = None
    if config.stimuli.table is not None:
        categories = read_categories(config.stimuli.table, config.stimuli.by, stimuli)
    return Study(
        stimuli=stimuli,
        features={
            name: {index: layer.sel(stimulus=stimuli) for index, layer in layers.items()}
            for name, layers in features.items()
        },
        targets=targets.sel(stimulus=stimuli),
        splits=make_splits(config.splits, len(stimuli), categories),
        warnings=warnings,
    )


def _join(
    config: Comparison, targets: xr.DataArray, features: dict[str, dict[int, xr.DataArray]]
) -> tuple[list[str], list[str]]:
    sources = {f"responses ({_where(config.targets)})": set(targets.stimulus.values)}
    for name, layers in features.items():
        held = {index: frozenset(layer.stimulus.values) for index, layer in layers.items()}
        for stimuli in dict.fromkeys(held.values()):
            which = [index for index in held if held[index] == stimuli]
            of = "" if len(which) == len(held) else f" layer {', '.join(map(str, which))}"
            sources[f"features {name}{of} ({_where(config.features[name])})"] = set(stimuli)
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


def _where(source) -> str:
    return str(getattr(source, "storage", None) or source.table or getattr(source, "dataset", None))
