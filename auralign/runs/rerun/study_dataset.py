"""A comparison as a DataLad dataset of its own in the YODA layout: inputs as subdatasets, code, features, results.

Every stage runs under `datalad run`, so that `datalad rerun` repeats it. What the comparison's YAML files name is
brought along: DataLad datasets become subdatasets, single files are copied, and paths in the YAMLs change with them.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from importlib.metadata import distributions
from pathlib import Path
from urllib.parse import urlsplit

from jinja2 import Environment, PackageLoader

from ...datasets.annex import call
from ...errors import AuralignError, DatasetError
from ..provenance import code_state, git_state, versions
from .study_plan import StudyPlan

COMMANDS = ("compare.py", "report.py", "verify.py", "describe.py", "build_datasets.py")
# text that is worth a `git diff` stays in git
ATTRIBUTES = """
*.tsv annex.largefiles=(largerthan=1mb)
*.json annex.largefiles=(largerthan=1mb)
*.yml annex.largefiles=nothing
.gitignore annex.largefiles=nothing
"""
# what an interrupted stage goes on from, and what a rebuilt dataset is cloned from
IGNORED = ".blocks/\nelement_*.hdf5\n*.lock\n*.outdated\ninputs/.origins/\n__pycache__/\n"
# not part of what computes
TOOLS = {"pip", "setuptools", "wheel", "auralign"}


def make_study(folder: Path, plan: StudyPlan, scripts: Path) -> None:
    """Make the dataset of a study; nothing runs yet.

    Parameters
    ----------
    folder : Path
        The new dataset: no such folder, or an empty one.
    plan : StudyPlan
    scripts : Path
        The folder of auralign's commands, of which copies go into the study.

    Raises
    ------
    DatasetError
        The folder is not empty, or a dataset has unsaved changes; a command of git or DataLad failed.
    """
    folder = Path(os.path.abspath(folder))
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise DatasetError(f"{folder}: a study needs a new folder, but this one is not empty.")
    for source in plan.datasets.values():
        state = git_state(source)
        if state is None or state["clean"] is False:
            raise DatasetError(
                f"{source}: the dataset has unsaved changes; save them first (datalad save -d {source})."
            )
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder.parent, prefix=f".{folder.name}-") as place:
            study = Path(place) / folder.name
            call("datalad", "create", "-c", "yoda", "-D", f"study {folder.name}", str(study), cwd=Path(place))
            _write_settings(study)
            for name, source in plan.datasets.items():
                _add_dataset(study, name, source)
            for name, source in plan.files.items():
                _copy(source, study / "inputs" / "files" / name)
            _write_code(study, plan, scripts)
            call("datalad", "save", "-m", f"Set up the study {plan.config.name}", cwd=study)
            os.rename(study, folder)  # also over an empty folder
    except OSError as error:
        raise DatasetError(f"{error.filename or folder}: the study cannot be written ({error.strerror}).") from error


def run_study(folder: Path) -> None:
    """Run all stages of a study; AuralignError where one fails (what it had finished is kept)."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}"
    done = subprocess.run(["bash", "code/run.sh"], cwd=folder, env={**os.environ, "PATH": path})
    if done.returncode:
        raise AuralignError(f"{folder}: a stage failed (see above). Mend it and run again: bash {folder}/code/run.sh")


def _write_settings(study: Path) -> None:
    with open(study / ".gitattributes", "a", encoding="utf-8") as file:
        file.write(ATTRIBUTES)
    (study / ".gitignore").write_text(IGNORED, encoding="utf-8")


def _add_dataset(study: Path, name: str, source: Path) -> None:
    """Clone a dataset to inputs/<name>, and bring the recipe by which anybody can build it again."""
    origin = source.parent / ".origins" / name
    place = f"inputs/{name}"
    call("datalad", "clone", "-d", ".", str(origin if origin.is_dir() else source), place, cwd=study)
    call("git", "annex", "describe", "here", f"{name} of the study {study.name}", cwd=study / place)
    # not the path of this machine: whoever has the study has the dataset inside it
    call("git", "config", "-f", ".gitmodules", f"submodule.{place}.url", f"./{place}", cwd=study)
    call("git", "config", "-f", ".gitmodules", "--unset", f"submodule.{place}.datalad-url", cwd=study)
    for ending in (".yml", ".tsv"):
        recipe = source.with_name(f"{name}{ending}")
        if recipe.is_file():
            _copy(recipe, study / "inputs" / recipe.name)


def _write_code(study: Path, plan: StudyPlan, scripts: Path) -> None:
    code = study / "code"
    for name, text in plan.yamls.items():
        _write(code / name, text)
    for name, source in plan.modules.items():
        _copy(source, code / name)
    for name in COMMANDS:
        _copy(scripts / name, code / name)
    _write(code / "requirements.txt", requirements())
    templates = Environment(loader=PackageLoader("auralign.runs.rerun"), trim_blocks=True, keep_trailing_newline=True)
    names = {
        "run.sh": "code/run.sh",
        "extract.sh": "code/extract.sh",
        "code.md": "code/README.md",
        "study.md": "README.md",
    }
    for template, name in names.items():
        text = templates.get_template(f"study_{template}.j2").render(
            plan=plan, name=plan.config.name, code=code_state()
        )
        _write(study / name, text)


def requirements() -> str:
    """Return this environment as a requirements file: Python, auralign with its commit, and every other package."""
    state = code_state() or {"commit": "unknown", "clean": None}
    commit = state["commit"]
    lines = [f"# Python {sys.version.split()[0]}; auralign {versions()['auralign']}, commit {commit}"]
    if state["clean"] is False:
        lines.append("# auralign had uncommitted changes: the commit does not say everything")
    address = _public_address()
    lines.append(
        f"auralign @ git+{address}@{commit}" if address else "# install auralign itself from where you have it"
    )
    found = {d.metadata["Name"]: d.version.split("+")[0] for d in distributions()}  # +cpu and the like name a build
    lines += [f"{name}=={found[name]}" for name in sorted(found, key=str.lower) if name.lower() not in TOOLS]
    return "\n".join(lines) + "\n"


def _public_address() -> str | None:
    """Return where auralign's checkout came from, without anybody's password; None where that is a local path."""
    checkout = Path(__file__).parents[3]
    url = urlsplit(call("git", "remote", "get-url", "origin", cwd=checkout, check=False).strip())
    if url.scheme not in ("https", "http", "ssh") or not url.hostname:
        return None
    user = "git@" if url.scheme == "ssh" else ""
    return f"{url.scheme}://{user}{url.hostname}{f':{url.port}' if url.port else ''}{url.path}"


def _copy(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source, target)


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
