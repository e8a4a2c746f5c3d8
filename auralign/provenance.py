"""What a result was made from: inputs, versions, commits."""

import os
import platform
import subprocess
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from .checksums import sha256_of
from .config import Comparison

PACKAGES = (
    "auralign",
    "julearn",
    "junifer",
    "scikit-learn",
    "numpy",
    "scipy",
    "pandas",
    "xarray",
    "pyarrow",
    "datalad",
    "torch",
)


def git_state(folder: Path) -> dict | None:
    """Return commit and cleanness (None: unknown) of the repository that holds a folder, None where there is none."""
    commit = _git(folder, "rev-parse", "HEAD")
    if commit is None:
        return None
    changes = _git(folder, "status", "--porcelain", "--untracked-files=no")
    return {"commit": commit, "clean": None if changes is None else not changes}


def _git(folder: Path, *arguments: str) -> str | None:
    """Run git with the git-annex of this environment; None where it fails."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}"
    command = ["git", "-C", str(folder), *arguments]
    try:
        done = subprocess.run(command, check=True, capture_output=True, text=True, env={**os.environ, "PATH": path})
    except (OSError, subprocess.CalledProcessError):
        return None
    return done.stdout.strip()


def input_files(config: Comparison) -> list[Path]:
    """List the files that a comparison reads."""
    files = [source.storage or source.table for source in config.features.values()]
    targets = config.targets
    if targets.kind == "table":
        files.append(targets.table)
    else:
        names = ("components.mat", "targets.tsv") if targets.kind == "components" else ("voxels.npy", "voxels.tsv")
        files += [targets.dataset / "data" / name for name in names]
    files += [targets.target_table, config.stimuli.table]
    return sorted({file for file in files if file is not None and file.exists()})


def describe(config: Comparison, features_metadata: dict[str, dict]) -> dict:
    """Collect the provenance of a comparison.

    Parameters
    ----------
    config : Comparison
        With resolved paths.
    features_metadata : dict
        By feature set, the metadata that its marker stored (checkpoint checksums, parameters, code version).
    """
    versions = {}
    for package in PACKAGES:
        try:
            versions[package] = version(package)
        except PackageNotFoundError:
            versions[package] = None
    dataset = config.targets.dataset
    return {
        "config": config.model_dump(mode="json"),
        "code": git_state(Path(__file__).parent),
        "datasets": {} if dataset is None else {str(dataset): git_state(dataset)},
        "inputs": {str(file): {"sha256": sha256_of(file), "size": file.stat().st_size} for file in input_files(config)},
        "features": features_metadata,
        "python": platform.python_version(),
        "platform": platform.platform(),
        "versions": versions,
    }
