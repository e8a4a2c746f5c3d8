"""Data and software from which a result was made, without the folders of the machine that made it."""

import os
from pathlib import Path

import yaml

from ..runs.results import Results

RECIPE = ("title", "licence", "citation")


def project_folder(results: Results) -> Path | None:
    """Find the folder that holds all inputs; None where there is no such folder but the root."""
    files = [*results.provenance.get("inputs", {}), *results.provenance.get("datasets", {})]
    files = [file for file in files if Path(file).is_absolute()]
    if not files:
        return None
    common = Path(os.path.commonpath([str(Path(file).parent) for file in files]))
    return common if len(common.parts) > 1 else None


def relative(path: str, folder: Path | None) -> str:
    """Write a path relative to the project's folder; one elsewhere by its last three parts."""
    own = Path(path)
    if not own.is_absolute():
        return path
    if folder is not None and own.is_relative_to(folder):
        return str(own.relative_to(folder))
    return str(Path("…", *own.parts[-3:])) if len(own.parts) > 4 else path


def without_folders(value: object, folder: Path | None) -> object:
    """Make every path in a nested structure relative (`relative`)."""
    if isinstance(value, dict):
        return {relative(str(key), folder): without_folders(item, folder) for key, item in value.items()}
    if isinstance(value, list):
        return [without_folders(item, folder) for item in value]
    if isinstance(value, str) and value.startswith("/"):
        return relative(value, folder)
    return value


def resolved_config(results: Results) -> str:
    """Return the configuration as YAML, with all defaults, paths relative to the project's folder."""
    config = without_folders(results.provenance["config"], project_folder(results))
    return yaml.safe_dump(config, sort_keys=False, allow_unicode=True, width=100)


def inputs(results: Results) -> list[dict]:
    """List the files read: path, size in bytes and sha256."""
    folder = project_folder(results)
    return [{"path": relative(path, folder), **facts} for path, facts in results.provenance.get("inputs", {}).items()]


def datasets(results: Results) -> list[dict]:
    """List the DataLad datasets read: name and state; title, licence and citation where their recipe is there."""
    listed = []
    for path, state in results.provenance.get("datasets", {}).items():
        listed.append({"name": Path(path).name, "state": state, **dict.fromkeys(RECIPE), **_recipe(Path(path))})
    return listed


def _recipe(dataset: Path) -> dict:
    """Read title, licence and citation from the recipe that lies beside a built dataset."""
    recipe = dataset.with_name(f"{dataset.name}.yml")
    try:
        content = yaml.safe_load(recipe.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError):
        return {}  # results may have been carried to another machine, without the recipes
    return {key: str(content[key]).strip() for key in RECIPE if key in content} if isinstance(content, dict) else {}


def feature_metadata(results: Results) -> str:
    """Return what the markers stored of themselves, as YAML."""
    metadata = without_folders(results.provenance.get("features", {}), project_folder(results))
    return yaml.safe_dump(metadata, sort_keys=False, allow_unicode=True, width=100)
