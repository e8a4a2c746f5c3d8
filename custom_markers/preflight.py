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

    `junifer queue` copies the YAML into `<folder>/junifer_jobs/<job>/config.yaml` without touching our paths. For
    such a copy the folders above it are tried too, nearest first; where none has the path, the first try is returned.
    """
    path = Path(path).expanduser()
    if path.is_absolute():
        return path
    yaml = command_parameter("filepath")
    if yaml is None:
        return (Path.cwd() / path).resolve()
    folder = Path(yaml).resolve().parent
    folders = [folder]
    if folder.parent.name == "junifer_jobs":
        folders += folder.parents
    for candidate in folders:
        if (candidate / path).exists():
            return (candidate / path).resolve()
    return (folder / path).resolve()


def need(fetch: Callable[[], None]) -> None:
    """Note that the running command needs `fetch()` to succeed; nothing happens outside a command."""
    context = click.get_current_context(silent=True)
    if context is not None:
        context.meta.setdefault(_NEEDS, []).append(fetch)


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
        raise MissingInputs("\n\n".join(["this run cannot start, files are missing.", *problems]))
