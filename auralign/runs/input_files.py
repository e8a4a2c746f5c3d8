"""The files that a comparison reads, and finding them again where a study was moved."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

from pydantic import BaseModel

from ..config.models import Comparison
from ..files.array_tables import side_files
from ..files.checksums import sha256_of
from ..inputs.options import Features, Targets
from ..inputs.published.networks import find_network

# what is read of the folder that holds the responses; by kind of targets
RESPONSE_FILES = {
    "components": ["data/components.mat", "data/targets.tsv"],
    "voxels": ["data/voxels.npy", "data/voxels.tsv", "sounds/stimuli.tsv"],
    "published_components": ["NH2015comp/components.mat"],
    "published_voxels": ["NH2015/neural_stim_meta.npy", "{study}/*"],
    "song165": ["ecog_component_responses.mat"],
}
# git-annex writes this into the file of an unlocked file whose content is not here
_POINTER = b"/annex/objects/"


def config_paths(section: Any, place: tuple = ()) -> Iterator[tuple[tuple, Path]]:
    """Yield every path in a configuration with its place, for example `(("features", "mine", "table"), path)`."""
    if isinstance(section, Path):
        yield place, section
    elif isinstance(section, BaseModel):
        for name in type(section).model_fields:
            yield from config_paths(getattr(section, name), (*place, name))
    elif isinstance(section, dict):
        for key, value in section.items():
            yield from config_paths(value, (*place, key))
    elif isinstance(section, (list, tuple)):
        for number, value in enumerate(section):
            yield from config_paths(value, (*place, number))


def input_files(config: Comparison) -> list[Path]:
    """List the files that a comparison reads; of a folder those that its kind of content has, where they are there."""
    files: set[Path] = set()
    for place, path in config_paths(config):
        section = config.features[place[1]] if place[0] == "features" else config.targets
        if path.is_dir():
            files.update(found for pattern in _patterns(section) for found in path.glob(pattern) if found.is_file())
        elif path.exists():
            files.update((path, *side_files(path)))
    return sorted(files)


def _patterns(section: Features | Targets) -> list[str]:
    """Say which files are read of a folder."""
    if isinstance(section, Targets):
        return [pattern.format(study=section.study) for pattern in RESPONSE_FILES.get(section.kind, ())]
    if section.activations is not None:
        suffix = "_randnetw" if section.permuted else ""
        name = find_network(cast(str, section.network)).name
        return [f"{name}/*_activations{suffix}.pkl", f"{name}/natsound_activations{suffix}.h5"]
    return ["acoustic_features.mat", "ecog_component_responses.mat"]


def describe_inputs(config: Comparison, out: Path | None) -> dict:
    """Record what a comparison reads.

    Returns
    -------
    dict
        `inputs`: by path sha256 and size of every file; `paths`: by path of the configuration, that path relative to
        the results folder `out`, so that inputs are found again where both were moved together.
    """
    paths = sorted({path for _, path in config_paths(config)})
    record: dict = {
        "inputs": {str(file): {"sha256": sha256_of(file), "size": file.stat().st_size} for file in input_files(config)}
    }
    if out is not None:
        record["paths"] = {str(path): os.path.relpath(path, os.path.abspath(out)) for path in paths}
    return record


def locate(provenance: dict, results: Path) -> dict[str, Path]:
    """Find the paths of a recorded configuration: by recorded path, where it is now.

    Relative to the results folder where something is there, else where it was when the results were computed; relative
    to the results folder, too, where nothing is at either place.
    """
    located = {}
    for recorded, relative in provenance.get("paths", {}).items():
        beside = Path(os.path.normpath(results.absolute() / relative))
        located[recorded] = beside if os.path.lexists(beside) or not os.path.lexists(recorded) else Path(recorded)
    return located


def relocate(section: Any, located: dict[str, Path]) -> Any:
    """Replace every recorded path of a configuration (as JSON) by the one where it is now."""
    if isinstance(section, dict):
        return {key: relocate(value, located) for key, value in section.items()}
    if isinstance(section, list):
        return [relocate(value, located) for value in section]
    return str(located[section]) if isinstance(section, str) and section in located else section


def relocate_file(recorded: str, located: dict[str, Path]) -> Path:
    """Find a recorded input file: in the folder of the configuration that it belongs to."""
    for base in (Path(recorded), *Path(recorded).parents):
        if str(base) in located:
            return located[str(base)] / Path(recorded).relative_to(base)
    return Path(recorded)


def why_missing(file: Path) -> str | None:
    """Say why a file cannot be read and how to get it; None where it is there.

    A file of a DataLad dataset may be known there without its content being here.
    """
    if file.is_file():
        with open(file, "rb") as content:
            pointer = content.read(len(_POINTER)) == _POINTER
        return f"its content is not here: datalad get {file}" if pointer else None
    if file.is_symlink():
        return f"its content is not here: datalad get {file}"
    folder = next((parent for parent in file.parents if parent.is_dir()), Path("/"))
    dataset = next((p for p in (folder, *folder.parents) if (p / ".datalad").is_dir()), None)
    if not any(folder.iterdir()) and folder != dataset:
        build = f"auralign data build {folder.name} --root {folder.parent} --get"
        return f"{folder} is empty: datalad get {folder}, or {build}"
    if file.parent.parent.name == "features":
        return "there is no such file: extract the features (junifer run, junifer collect)"
    return f"there is no such file; the nearest folder that is there is {folder}"
