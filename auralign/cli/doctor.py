"""`auralign doctor`: what this machine lacks for a study, and how to get it."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, requires, version
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ..errors import AuralignError
from . import command

if TYPE_CHECKING:
    from packaging.requirements import Requirement

# a study of 165 sounds with one base network takes about 1 GB: features, blocks, report
LEAST_DISK_GB = 5
# what one may want to do, and the extra of pyproject.toml that it needs beside the core
TASKS = {"run": None, "features": "features", "data": "data"}
# further extras: each brings one thing more, and nothing else lacks without it
OPTIONAL = {
    "brain": "maps on the cortical surface",
    "networks": "the marker Wav2Vec2",
    "acoustics": "the marker AcousticSummary",
    "cluster": "auralign run --scheduler",
}


@dataclass(frozen=True)
class Finding:
    """One line of the examination.

    Attributes
    ----------
    name : str
    ok : bool
    state : str
        What is there.
    remedy : str
        What to do where it is not `ok`.
    needed : bool
        Whether what the command was asked about needs it.
    """

    name: str
    ok: bool
    state: str
    remedy: str = ""
    needed: bool = True


@click.command(context_settings=command.HELP)
@click.option(
    "--for",
    "tasks",
    multiple=True,
    type=click.Choice(list(TASKS)),
    help="What is to be done here; may be repeated. By default all: datasets, features, comparisons.",
)
@click.option("--folder", type=click.Path(path_type=Path), default=Path("."), help="Where the study is to lie.")
@click.option("--json", "as_json", is_flag=True, help="Print a list for programs.")
def main(tasks: tuple[str, ...], folder: Path, as_json: bool) -> None:
    """Look at Python, packages and their versions, git, git-annex, DataLad, the git identity, the disk and the GPU.

    Every line says `ok`, `missing` (it is needed) or `absent` (it is not), and how to get it.

    \b
    Examples:
      auralign doctor
      auralign doctor --for run --json

    Exit status: 0 everything that is needed is there; 1 something is missing; 2 wrong usage.
    """
    findings = list(examine(folder, tasks or tuple(TASKS)))
    missing = [finding.name for finding in findings if finding.needed and not finding.ok]
    if as_json:
        click.echo(json.dumps([asdict(finding) for finding in findings], indent=2))
    else:
        for finding in findings:
            mark = "ok" if finding.ok else ("missing" if finding.needed else "absent")
            click.echo(f"{mark:9s}{finding.name}: {finding.state}")
            if not finding.ok:
                click.echo(f"{'':9s}-> {finding.remedy}")
        verdict = f"missing: {', '.join(missing)}" if missing else "everything that is needed is there"
        click.echo(f"\n{verdict} (to {', '.join(tasks or TASKS)})")
    if missing:
        sys.exit(1)


def examine(folder: Path, tasks: Iterable[str] = tuple(TASKS)) -> Iterator[Finding]:
    """Examine the machine.

    Parameters
    ----------
    folder : Path
        Where the study is to lie; it need not be there.
    tasks : iterable of str
        Keys of `TASKS`.

    Yields
    ------
    Finding
    """
    tasks = set(tasks)
    yield _python()
    yield from _packages(None, True)
    yield from _packages("features", "features" in tasks)
    yield from _packages("data", "data" in tasks)
    in_data = "data" in tasks
    yield _program("git", "Debian: apt-get install git", in_data)
    # the package brings the program
    yield _program("git-annex", 'pip install "auralign[data]", or Debian: apt-get install git-annex', in_data)
    yield _program("datalad", 'pip install "auralign[data]"', in_data)
    yield _identity()
    yield _disk(folder)
    yield _gpu()
    for extra, purpose in OPTIONAL.items():
        yield from _packages(extra, False, purpose)


def _python() -> Finding:
    have = sys.version.split()[0]
    ok = (3, 11) <= sys.version_info[:2] <= (3, 12)
    return Finding("Python", ok, f"{have} ({sys.prefix})", "use Python 3.11 or 3.12: julearn and junifer need it")


def _packages(extra: str | None, needed: bool, purpose: str = "") -> Iterator[Finding]:
    """Compare what is installed with what auralign asks for: one line for all that is right, one for each other."""
    from packaging.requirements import Requirement

    right = []
    for line in _requirements(extra):
        requirement = Requirement(line)
        try:
            have = version(requirement.name)
        except PackageNotFoundError:
            state = f"not installed{f' ({purpose})' if purpose else ''}"
            yield Finding(requirement.name, False, state, _install(extra, requirement), needed)
            continue
        if requirement.specifier.contains(have.partition("+")[0], prereleases=True):
            right.append(f"{requirement.name} {have}")
        else:
            state = f"{have}, but {requirement.specifier} is needed"
            yield Finding(
                requirement.name, False, state, f'pip install "{requirement.name}{requirement.specifier}"', needed
            )
    if right:
        name = "packages" if extra is None else f"packages of [{extra}]"
        yield Finding(name, True, ", ".join(right), needed=needed)


def _requirements(extra: str | None) -> Iterator[str]:
    """Name what auralign, or one of its extras, requires beside auralign itself."""
    from packaging.requirements import Requirement

    try:
        lines = requires("auralign") or []
    except PackageNotFoundError as error:
        raise AuralignError("auralign is not installed in this Python: pip install auralign") from error
    for line in lines:
        requirement = Requirement(line)
        of_extra = requirement.marker is not None and "extra" in str(requirement.marker)
        applies = requirement.marker is None or requirement.marker.evaluate({"extra": extra or ""})
        if applies and of_extra == (extra is not None) and requirement.name != "auralign":
            yield line


def _install(extra: str | None, requirement: "Requirement") -> str:
    whole = "auralign" if extra is None else f"auralign[{extra}]"
    return f'pip install "{whole}", or alone: pip install "{requirement.name}{requirement.specifier}"'


def _program(name: str, remedy: str, needed: bool) -> Finding:
    # beside this Python first: a virtual environment need not be active
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}"
    program = shutil.which(name, path=path)
    if program is None:
        return Finding(name, False, "not found", remedy, needed)
    arguments = ("version", "--raw") if name == "git-annex" else ("--version",)
    state = _output(program, *arguments, path=path)
    return Finding(
        name, state is not None, f"{state} ({program})" if state else f"{program} does not run", remedy, needed
    )


def _identity() -> Finding:
    git = shutil.which("git")
    values = [] if git is None else [_output(git, "config", key) for key in ("user.name", "user.email")]
    ok = len(values) == 2 and all(values)
    remedy = 'git config --global user.name "Your Name" && git config --global user.email you@example.org'
    state = " ".join(filter(None, values)) if ok else "not set: DataLad then commits as auralign@localhost"
    return Finding("git identity", ok, state, remedy, needed=False)


def _disk(folder: Path) -> Finding:
    existing = next(place for place in (folder.resolve(), *folder.resolve().parents) if place.exists())
    free = shutil.disk_usage(existing).free / 1e9
    remedy = f"make room: a study takes some GB; {LEAST_DISK_GB} GB are a safe start"
    if not os.access(existing, os.W_OK):
        return Finding("disk", False, f"{existing} cannot be written to", "choose another folder with --folder")
    return Finding("disk", free >= LEAST_DISK_GB, f"{free:.0f} GB free at {existing}", remedy)


def _gpu() -> Finding:
    """Ask torch, which takes a second to import: only this command does."""
    if find_spec("torch") is None:
        return Finding("GPU", False, "torch is not installed", 'pip install "auralign[features]"', needed=False)
    import torch

    if torch.cuda.is_available():
        return Finding("GPU", True, torch.cuda.get_device_name(0), needed=False)
    if torch.backends.mps.is_available():
        return Finding("GPU", True, "mps", needed=False)
    remedy = "none is needed: `auralign features layers FILE` says what a network takes on the processor"
    return Finding("GPU", False, "none that torch can use", remedy, needed=False)


def _output(*command: str, path: str | None = None) -> str | None:
    """Return the first line that a program prints, None where it fails."""
    env = os.environ if path is None else os.environ | {"PATH": path}
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=True, env=env)
    except (OSError, subprocess.CalledProcessError):
        return None
    return done.stdout.strip().partition("\n")[0]
