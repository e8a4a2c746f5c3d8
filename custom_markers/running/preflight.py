"""What a `junifer` command is told, and what it needs before it starts.

A YAML names files relative to itself, but junifer hands a component only its own parameters. The path of the YAML is
a parameter of the running click command, which this module reads. The same click context carries the list of things
that components need from outside (stimuli, weights), so that one failing command names everything that is missing
instead of one thing per attempt.
"""

from collections.abc import Callable
from pathlib import Path

import click

_NEEDS = "custom_markers.needs"
_QUEUE_NOTE = "yaml_folder"


class MissingInputs(RuntimeError):
    """Files that a run needs cannot be had; the message names each, where it was sought and what to do."""


def command_name() -> str | None:
    """Return the name of the running `junifer` command ("run", "queue", ...), None outside one."""
    context = click.get_current_context(silent=True)
    return None if context is None else context.info_name


def command_parameter(name: str):
    """Return parameter `name` of the running `junifer` command, None outside one."""
    context = click.get_current_context(silent=True)
    return None if context is None else context.params.get(name)


def beside_yaml(path: str | Path) -> Path:
    """Resolve a path of a YAML: relative to the folder of the YAML, or of the working directory outside a command.

    `junifer queue` copies the YAML into `junifer_jobs/<job>/config.yaml` without touching our paths; beside such a copy
    lies a note of the folder that it came from (see `remember_queued_yaml`).
    """
    path = Path(path).expanduser()
    if path.is_absolute():
        return path
    yaml_file = command_parameter("filepath")
    folder = Path.cwd() if yaml_file is None else Path(yaml_file).resolve().parent
    note = folder / _QUEUE_NOTE
    if note.is_file():
        folder = Path(note.read_text(encoding="utf-8").strip())
    return (folder / path).resolve()


def remember_queued_yaml() -> None:
    """While `junifer queue` runs, arrange for a note of the YAML's folder beside the copy that it makes.

    To be called when this package is imported, which a YAML's `with:` does early in the command.
    """
    context = click.get_current_context(silent=True)
    if context is None or context.info_name != "queue":
        return
    folder, jobs = Path(context.params["filepath"]).resolve().parent, Path.cwd() / "junifer_jobs"
    before = {copy: copy.stat().st_mtime_ns for copy in jobs.glob("*/config.yaml")}

    def write() -> None:
        for copy in jobs.glob("*/config.yaml"):
            if before.get(copy) != copy.stat().st_mtime_ns:
                (copy.parent / _QUEUE_NOTE).write_text(f"{folder}\n", encoding="utf-8")

    context.call_on_close(write)


def need(fetch: Callable[[], None]) -> None:
    """Note that the running command needs `fetch()` to succeed; nothing happens outside a command."""
    context = click.get_current_context(silent=True)
    if context is not None:
        context.meta.setdefault(_NEEDS, []).append(fetch)


def at_end(action: Callable[[], None]) -> None:
    """Arrange for `action()` when the running command ends, however it ends; nothing happens outside a command."""
    context = click.get_current_context(silent=True)
    if context is not None:
        context.call_on_close(action)


def check(own: Callable[[], None]) -> None:
    """Run every noted `fetch` of the running command, or `own` outside one.

    Raises
    ------
    MissingInputs
        Once, with the messages of all that failed.
    """
    context = click.get_current_context(silent=True)
    fetches = [own] if context is None else context.meta.pop(_NEEDS, [])
    problems = []
    for fetch in fetches:
        try:
            fetch()
        except MissingInputs as problem:
            if str(problem) not in problems:
                problems.append(str(problem))
    if problems:
        raise MissingInputs("\n\n".join(["this run cannot start, something is missing.", *problems]))
