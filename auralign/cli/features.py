"""`auralign features`: features of sounds by junifer, in a process of their own."""

import ast
import os
import signal
import subprocess
import sys
import tempfile
from importlib.util import find_spec
from pathlib import Path

import click

from ..extras import require
from . import command

# in the working folder, where the copies of YAML files go
YAMLS, CONFIGS = Path("junifer_yamls"), Path("julearn_configs")
PROGRAM = "custom_markers.program"
# as `python -m`; Ctrl-C ends it at once while it imports for seconds, and it answers from then on
START = f"""
import runpy, signal
if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
    signal.signal(signal.SIGINT, signal.SIG_DFL)
runpy.run_module("{PROGRAM}", run_name="__main__", alter_sys=True)
"""


@click.group(cls=command.Group, context_settings=command.HELP)
def main() -> None:
    """Features of sounds: run a junifer YAML, list the layers of its markers, list what there is."""


@main.command(context_settings=command.HELP)
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--element", "elements", multiple=True, help="Only this stimulus; may be repeated.")
@click.option("--threads", type=click.IntRange(min=1), help="Threads of a network; small ones are faster with 1.")
@click.option("--verbose", is_flag=True, help="Say what junifer says, some fifty lines a sound.")
def run(file: Path, elements: tuple[str, ...], threads: int | None, verbose: bool) -> None:
    """Extract the features that the junifer YAML FILE describes, and collect them into one file.

    As `junifer run FILE` and `junifer collect FILE`. What is stored already is kept and not computed again.

    \b
    Examples:
      auralign features run junifer_yamls/quickstart.yml --threads 1
      auralign features run junifer_yamls/my_wavs.yml --element stim5_siren

    Exit status: 0 done, 1 failed, 2 wrong usage or configuration, 130 interrupted.
    """
    chosen = [part for element in elements for part in ("--element", element)]
    extract(file, threads, *chosen, "--verbose", "info" if verbose else "warning")


@main.command(context_settings=command.HELP)
@click.argument("file", type=click.Path(path_type=Path))
@click.argument("marker", required=False)
def layers(file: Path, marker: str | None) -> None:
    """List the layers of the markers of the junifer YAML FILE, or of one MARKER, before anything runs.

    Of every marker: its layers and their units; parameters of the network; seconds that it takes for one second of
    noise, measured on this machine; bytes that it stores; and both for the sounds that are here.

    \b
    Examples:
      auralign features layers junifer_yamls/quickstart.yml
      auralign features layers junifer_yamls/whisper_tiny.yml whisper

    Exit status: 0 done, 1 failed, 2 wrong usage or configuration, 130 interrupted.
    """
    require("features", "a marker")
    _program("layers", str(file), *([marker] if marker else []))


@main.command("list", context_settings=command.HELP)
@click.option(
    "--copy",
    "copied",
    metavar="NAME",
    help="Copy this YAML to ./junifer_yamls, and what reads it to ./julearn_configs.",
)
def list_features(copied: str | None) -> None:
    """List the junifer YAML files that come along, and the kinds of markers that one may name.

    \b
    Examples:
      auralign features list
      auralign features list --copy whisper_tiny

    Exit status: 0 done, 1 failed, 2 wrong usage, 130 interrupted.
    """
    from ..files.shipped import shipped

    files = {path.stem: path for path in sorted(shipped("junifer_yamls").glob("*.yml"))}
    if copied is not None:
        _copy(copied, files)
        return
    click.echo("YAML files (copy one: auralign features list --copy NAME):")
    for name, path in files.items():
        click.echo(f"  {name:24s}{_first_comment(path)}")
    click.echo("\nkinds of markers (their parameters: docs/, or the class of that name in custom_markers):")
    for kind, line in kinds().items():
        click.echo(f"  {kind:24s}{line}")


def extract(file: Path, threads: int | None, *options: str) -> None:
    """Run and collect a junifer YAML in a process of its own; leave this program where that fails."""
    require("features", "extracting features")
    _program("run", str(file), *options, threads=threads)


def kinds() -> dict[str, str]:
    """Return every kind of marker with the first line of its docstring.

    Read from the files: importing the markers takes seconds, and needs the extra `features`.
    """
    found = {}
    spec = find_spec(PROGRAM.partition(".")[0])
    for place in (spec.submodule_search_locations or ()) if spec is not None else ():
        for path in sorted(Path(place).rglob("*.py")):
            for node in ast.parse(path.read_text(encoding="utf-8")).body:
                if isinstance(node, ast.ClassDef) and any(map(_registers, node.decorator_list)):
                    found[node.name] = (ast.get_docstring(node) or "").partition("\n")[0]
    return dict(sorted(found.items()))


def _registers(decorator: ast.expr) -> bool:
    return isinstance(decorator, ast.Name) and decorator.id == "register_marker"


def _copy(name: str, files: dict[str, Path]) -> None:
    """Copy a shipped YAML and the comparisons that read its features."""
    from ..errors import did_you_mean
    from ..files.shipped import bring, shipped

    if name not in files:
        raise click.UsageError(
            f"--copy {name}: no such YAML.{did_you_mean(name, files)} There are: {', '.join(files)}."
        )
    readers = [path.name for path in shipped("julearn_configs").glob("*.yml") if f"/{name}.hdf5" in path.read_text()]
    for path in [*bring("junifer_yamls", [f"{name}.yml"], YAMLS), *bring("julearn_configs", sorted(readers), CONFIGS)]:
        click.echo(path)


def _first_comment(path: Path) -> str:
    """Return the first sentence of the comment that a YAML begins with."""
    lines = []
    for line in path.read_text(encoding="utf-8").splitlines():
        if not line.startswith("#"):
            break
        lines.append(line.lstrip("# "))
    return " ".join(lines).partition(". ")[0].removesuffix(".")


def _program(*arguments: str, threads: int | None = None) -> None:
    """Call the program of the markers; leave this one with its status where it fails."""
    env = dict(os.environ) | ({"OMP_NUM_THREADS": str(threads)} if threads else {})
    with tempfile.TemporaryDirectory(prefix="auralign-") as folder:
        if _is_of_sounds(Path(arguments[1])):
            # junifer looks through the archive of brain templates at each start, which takes seconds; sounds need
            # none. It may not be empty, or it would be filled.
            Path(folder, "no_brain_templates").touch()
            env.setdefault("TEMPLATEFLOW_HOME", folder)
        _wait([sys.executable, "-c", START, *arguments], env)


def _is_of_sounds(file: Path) -> bool:
    """Say whether a junifer YAML reads sounds by our grabber, so that nothing in it can concern a brain."""
    import yaml

    try:
        return yaml.safe_load(file.read_text(encoding="utf-8"))["datagrabber"]["kind"] == "AudioStimuli"
    except (OSError, ValueError, TypeError, KeyError, yaml.YAMLError):
        return False  # what is wrong with it is told by the program


def _wait(call: list[str], env: dict[str, str]) -> None:
    """Run a program and pass on Ctrl-C; leave this one with its status where it fails."""
    if not sys.stderr.isatty():
        env.setdefault("TQDM_MININTERVAL", "10")  # a log file wants fewer lines of progress than a terminal
    child = subprocess.Popen(call, env=env)
    try:
        status = child.wait()
    except KeyboardInterrupt:
        # it may have to give back what it fetched, and says what is kept; from a terminal it has the signal already
        child.send_signal(signal.SIGINT)
        if child.wait() < 0:
            click.echo("interrupted.", err=True)
        sys.exit(130)
    if status:
        sys.exit(status)
