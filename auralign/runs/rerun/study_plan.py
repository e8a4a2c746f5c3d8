"""What goes into the dataset of a study, found from a comparison's YAML file: nothing is written here."""

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from ...config.models import Comparison
from ...config.reading import read_config
from ...errors import ConfigError
from ...files.array_tables import side_files
from ..input_files import config_paths
from .yaml_scalars import replace_values


@dataclass(frozen=True)
class Extraction:
    """One junifer YAML: paths in the study, relative to its root."""

    yaml: str
    storage: str
    sounds: str


@dataclass
class StudyPlan:
    """Everything that a study consists of.

    Attributes
    ----------
    config : Comparison
        As the comparison's own file says, with paths of this machine.
    comparison : str
        The comparison's YAML file in the study.
    extractions : list of Extraction
    responses : list of str
        Paths in the study that the comparison reads beside the features.
    datasets : dict of str to Path
        DataLad datasets, which become inputs/<name>.
    files : dict of str to Path
        Other inputs, which are copied to inputs/files/<name>.
    yamls : dict of str to str
        Text of the YAML files with the study's paths, by their path in code/.
    modules : dict of str to Path
        Python files that junifer YAMLs load (`with:`), by their path in code/.
    """

    config: Comparison
    comparison: str = ""
    extractions: list[Extraction] = field(default_factory=list)
    responses: list[str] = field(default_factory=list)
    datasets: dict[str, Path] = field(default_factory=dict)
    files: dict[str, Path] = field(default_factory=dict)
    yamls: dict[str, str] = field(default_factory=dict)
    modules: dict[str, Path] = field(default_factory=dict)


# from code/junifer_yamls/ and code/julearn_configs/
UP = "../../"


def plan_study(comparison: Path) -> StudyPlan:
    """Plan the study of a comparison: its inputs, and its YAML files with other paths.

    Parameters
    ----------
    comparison : Path
        A file of julearn_configs/. The junifer YAMLs of its features are looked for beside it, and in the folder
        junifer_yamls/ beside its own.

    Raises
    ------
    ConfigError
        The comparison is wrong; no junifer YAML makes its features; an input is neither a DataLad dataset (or inside
        one) nor a file, or two of them have one name.
    """
    config = read_config(comparison)
    comparison = Path(os.path.abspath(comparison))
    plan = StudyPlan(config)
    storages = {}
    for source in config.features.values():
        if source.storage is not None and source.storage not in storages:
            junifer_yaml = _junifer_yaml(source.storage, comparison)
            storages[source.storage] = f"features/{source.storage.stem}/{source.storage.name}"
            _plan_extraction(plan, junifer_yaml, storages[source.storage])
    if len(set(storages.values())) < len(storages):
        raise ConfigError(f"{comparison}: two storages of features have one name: {', '.join(map(str, storages))}.")
    values = {}
    for place, path in config_paths(config):
        if path in storages:
            values[place] = UP + storages[path]
            continue
        new = _place(plan, path)
        values[place] = UP + new
        is_dataset = config.targets.dataset is not None and path == config.targets.dataset
        plan.responses.append(f"{new}/data" if is_dataset else new)
        plan.responses.extend(_place(plan, beside) for beside in side_files(path))
    plan.comparison = f"code/julearn_configs/{comparison.name}"
    plan.yamls[f"julearn_configs/{comparison.name}"] = replace_values(comparison, values)
    plan.responses = sorted(set(plan.responses))
    return plan


def _junifer_yaml(storage: Path, comparison: Path) -> Path:
    """Find the junifer YAML that writes a storage."""
    folders = (comparison.parent, comparison.parent.parent / "junifer_yamls")
    for file in (file for folder in folders for file in sorted(folder.glob("*.yml"))):
        content = _read_yaml(file)
        uri = content.get("storage", {}).get("uri") if isinstance(content.get("storage"), dict) else None
        if uri is not None and os.path.realpath(_absolute(file, uri)) == os.path.realpath(storage):
            return file
    raise ConfigError(
        f"{comparison}: no junifer YAML in {folders[0]} or {folders[1]} writes {storage}, so that a study could not "
        "extract these features. Put the one that does into one of these folders."
    )


def _plan_extraction(plan: StudyPlan, file: Path, storage: str) -> None:
    content = _read_yaml(file)
    grabber = content.get("datagrabber", {})
    if "dataset" not in grabber:
        raise ConfigError(
            f"{file}: datagrabber.kind: {grabber.get('kind')} is not AudioStimuli, the only one for studies."
        )
    dataset = _place(plan, _absolute(file, grabber["dataset"]))
    values = {("datagrabber", "dataset"): UP + dataset, ("storage", "uri"): UP + storage}
    for place, value in _scalars(content.get("markers", []), ("markers",)):
        if place[-1] == "pattern":
            raise ConfigError(
                f"{file}: {value!r}: list the files one by one; a pattern cannot be brought into a study."
            )
        if isinstance(value, str) and _absolute(file, value).is_file():
            values[place] = UP + _place(plan, _absolute(file, value))
    modules = content.get("with", [])
    for name in [modules] if isinstance(modules, str) else modules:
        if name.endswith(".py"):
            plan.modules[f"junifer_yamls/{name}"] = _absolute(file, name)
    sounds = grabber.get("pattern", "").partition("{stimulus}")[0].rpartition("/")[0]
    plan.yamls[f"junifer_yamls/{file.name}"] = replace_values(file, values)
    plan.extractions.append(Extraction(f"code/junifer_yamls/{file.name}", storage, f"{dataset}/{sounds}".rstrip("/")))


def _place(plan: StudyPlan, path: Path) -> str:
    """Plan to bring an input into the study and return its path there."""
    dataset = next((folder for folder in (path, *path.parents) if (folder / ".datalad" / "config").is_file()), None)
    if dataset is not None:
        _add(plan.datasets, dataset.name, dataset)
        return "/".join(["inputs", dataset.name, *path.relative_to(dataset).parts])
    if not path.is_file():
        what = "a folder outside of any DataLad dataset; make it one" if path.is_dir() else "not there"
        hint = f"datalad create -f {path} && datalad save -d {path}" if path.is_dir() else "build or fetch it first"
        raise ConfigError(f"{path}: this input is {what} ({hint}).")
    _add(plan.files, path.name, path)
    return f"inputs/files/{path.name}"


def _add(known: dict[str, Path], name: str, path: Path) -> None:
    if known.setdefault(name, path) != path or name == "files":
        raise ConfigError(f"{path}: in a study every input needs its own name, and {name!r} is taken; rename it.")


def _read_yaml(file: Path) -> dict[str, Any]:
    try:
        content = yaml.safe_load(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise ConfigError(f"{file}: not a YAML file that can be read: {error}") from error
    return content if isinstance(content, dict) else {}


def _absolute(file: Path, path: str) -> Path:
    """Resolve a path of a YAML file."""
    return Path(os.path.normpath(file.parent / Path(path).expanduser()))


def _scalars(node: Any, place: tuple) -> list[tuple[tuple, Any]]:
    """List the single values of a parsed YAML file with their places."""
    if isinstance(node, dict):
        return [found for key, value in node.items() for found in _scalars(value, (*place, key))]
    if isinstance(node, list):
        return [found for number, value in enumerate(node) for found in _scalars(value, (*place, number))]
    return [(place, node)]
