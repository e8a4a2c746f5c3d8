"""What a result was made from: inputs, settings, versions, commits; and checksums of the tables themselves."""

import hashlib
import json
import os
import platform
import shlex
import subprocess
import sys
from collections.abc import Iterable
from importlib.metadata import PackageNotFoundError, distribution, version
from pathlib import Path

from threadpoolctl import threadpool_info

from ..config.models import Comparison
from ..errors import DataError
from ..files.checksums import sha256_of
from ..questions.measures import FILE as MEASURES
from ..questions.measures import refuse_newer
from ..questions.question import QUESTIONS
from .columns import values_sha256
from .input_files import describe_inputs

# the folder of auralign itself
PACKAGE = Path(__file__).parents[1]
# what computes, reads or brings numbers
PACKAGES = (
    "auralign",
    "julearn",
    "junifer",
    "numpy",
    "scipy",
    "scikit-learn",
    "pandas",
    "xarray",
    "pyarrow",
    "h5py",
    "h5netcdf",
    "joblib",
    "threadpoolctl",
    "torch",
    "transformers",
    "soxr",
    "soundfile",
    "distributed",
    "datalad",
    "git-annex",
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


def code_state() -> dict | None:
    """Return commit and cleanness (None: unknown) of the auralign that is running, None where nobody knows them.

    From its checkout, or from what pip noted where it was installed from a repository.
    """
    folder = PACKAGE
    # an installed package may lie inside somebody else's repository
    if _git(folder, "ls-files", "--error-unmatch", "__init__.py") is not None:
        return git_state(folder)
    commit = _commit_of_installation()
    return None if commit is None else {"commit": commit, "clean": None}


def code_sha256() -> str:
    """Return one SHA-256 over names and contents of auralign's Python files.

    It tells without git, and in spite of uncommitted changes, whether two of them are the same code.
    """
    folder = PACKAGE
    digest = hashlib.sha256()
    for file in sorted(folder.rglob("*.py"), key=lambda file: file.relative_to(folder).as_posix()):
        digest.update(f"{file.relative_to(folder).as_posix()} {sha256_of(file)}\n".encode())
    return digest.hexdigest()


def _commit_of_installation() -> str | None:
    """Return the commit that pip installed auralign from, where it came from a repository."""
    try:
        origin = json.loads(distribution("auralign").read_text("direct_url.json") or "{}")
    except PackageNotFoundError:
        return None
    return origin.get("vcs_info", {}).get("commit_id")


def versions() -> dict[str, str | None]:
    """Return the version of every package of `PACKAGES`, None where it is not installed."""
    found: dict[str, str | None] = {}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = None
    return found


def linear_algebra() -> list[dict]:
    """Describe the BLAS and OpenMP libraries that are loaded: what may change the last bits of a score."""
    keys = ("user_api", "internal_api", "version", "architecture", "threading_layer", "num_threads")
    libraries = {tuple(library.get(key) for key in keys) for library in threadpool_info()}
    return [dict(zip(keys, library, strict=True)) for library in sorted(libraries, key=str)]


def describe(
    config: Comparison, features_metadata: dict[str, dict], out: Path | None = None, config_file: Path | None = None
) -> dict:
    """Collect the provenance of a comparison.

    Parameters
    ----------
    config : Comparison
        With resolved paths.
    features_metadata : dict
        By feature set, the metadata that its marker stored (checkpoint checksums, parameters, code version).
    out : Path, optional
        The results folder, to which paths are also given relative.
    config_file : Path, optional
        The YAML file, whose text is recorded, and its path relative to `out`.

    Returns
    -------
    dict
        Ready for JSON.
    """
    record = {"config": config.model_dump(mode="json")}
    if config_file is not None:
        record["config_file"] = {
            "path": os.path.relpath(config_file, out or Path.cwd()),
            "sha256": sha256_of(config_file),
            "text": config_file.read_text(encoding="utf-8"),
        }
    dataset = config.targets.dataset
    return {
        **record,
        "command": shlex.join(sys.argv),
        "code": code_state(),
        "code_sha256": code_sha256(),
        "datasets": {} if dataset is None else {str(dataset): git_state(dataset)},
        **describe_inputs(config, out),
        "features": features_metadata,
        "python": platform.python_version(),
        "platform": platform.platform(),
        "versions": versions(),
        "linear_algebra": linear_algebra(),
    }


def describe_tables(files: Iterable[Path]) -> dict[str, dict[str, str]]:
    """Return checksums of tables by file name, so that changes after a run are seen.

    Of parquet tables `values_sha256` (see `columns.values_sha256`), which does not depend on how the file stores them;
    of others, and of measures.parquet with its millions of rows, `sha256`, of their bytes.
    """
    return {
        file.name: {"values_sha256": values_sha256(file)}
        if file.suffix == ".parquet" and file.name != MEASURES
        else {"sha256": sha256_of(file)}
        for file in sorted(files)
    }


def read_provenance(results: Path) -> dict:
    """Read the provenance of a results folder.

    Raises
    ------
    DataError
        There is none, it cannot be read, or is one of a newer version.
    """
    path = results / "provenance.json"
    try:
        provenance = json.loads(path.read_text(encoding="utf-8"))
        provenance["config"]["name"], provenance["inputs"].items(), provenance["versions"].items()
        refuse_unknown(path, provenance)
    except FileNotFoundError as error:
        raise DataError(
            f"{path}: the file is missing, so {results} is not a finished result. Make it with: auralign run <config>"
        ) from error
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise DataError(f"{path}: not the provenance of a result ({error!r}). Run the comparison again.") from error
    return provenance


def refuse_unknown(path: Path, provenance: dict) -> None:
    """Refuse results of a newer version: of a newer contract of the measures, or of a question that is not known here.

    Raises
    ------
    DataError
    """
    refuse_newer(path, int(provenance.get("schema", 0)))
    unknown = [name for name in provenance.get("questions", ()) if name not in QUESTIONS]
    if unknown:
        raise DataError(
            f"{path}: results of the question {unknown[0]!r}, which this version does not know; it knows "
            f"{', '.join(QUESTIONS)}. Update it: pip install --upgrade auralign"
        )
