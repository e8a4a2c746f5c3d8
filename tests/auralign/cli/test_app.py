"""The command line as a whole: help at every level, what is imported for it, exit statuses, thin scripts."""

import re
import subprocess
import sys
from pathlib import Path

import click
import pytest
from click.shell_completion import ShellComplete
from click.testing import CliRunner

from auralign.cli import app, command
from auralign.errors import AuralignError, ConfigError
from auralign.inputs.published.voxels import STUDIES

# programs of their own with the name of a command of the group
SCRIPTS = {
    "build_datasets": "data build",
    "compare": "run",
    "report": "report",
    "verify": "verify",
    "describe": "describe",
    "new_study": "study new",
    "compare_published": "published compare",
    "convert_regions": "published regions",
}


def _leaves(group: click.Group = app.main, path: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    """Every command that does something, by the words that call it."""
    found = []
    for name in group.list_commands(click.Context(group)):
        one = group.get_command(click.Context(group), name)
        found += _leaves(one, (*path, name)) if isinstance(one, click.Group) else [(*path, name)]
    return found


def _help(*words: str) -> str:
    done = CliRunner().invoke(app.main, [*words, "--help"], prog_name="auralign")
    assert done.exit_code == 0, done.output
    return done.output


def test_these_are_the_commands():
    assert {" ".join(words) for words in _leaves()} == {
        "quickstart",
        "init",
        "data build",
        "data get",
        "data list",
        "features run",
        "features layers",
        "features list",
        "run",
        "report",
        "verify",
        "describe",
        "predict",
        "study new",
        "published compare",
        "published regions",
        "doctor",
    }


@pytest.mark.parametrize("words", _leaves(), ids=" ".join)
def test_every_command_has_help_with_an_example_and_its_exit_statuses(words):
    text = _help(*words)
    assert re.search(rf"Examples?:\n(.*\n)*?.*auralign {' '.join(words)}\b", text), text
    assert "Exit status: 0" in " ".join(text.split())
    assert "-h, --help" in _help(*words[:-1])


def test_the_lines_of_help_say_the_subcommands_that_there_are():
    by_name = {name: line for name, (_, line) in app.COMMANDS.items()}
    for name, line in by_name.items():
        one = app.main.get_command(click.Context(app.main), name)
        if isinstance(one, click.Group):
            named = line.rstrip(".").partition(": ")[2].split(", ")
            assert sorted(named) == sorted(one.commands), f"{name}: {line}"


@pytest.mark.parametrize("words", [("--help",), ("run", "--help"), ("features", "run", "--help"), ("--version",)])
def test_help_loads_nothing_that_takes_time(words):
    code = (
        "import sys\nfrom auralign.cli.app import entry\nsys.argv = ['auralign', *sys.argv[1:]]\n"
        "try:\n    entry()\nfinally:\n"
        "    heavy = {'numpy', 'pandas', 'scipy', 'torch', 'junifer', 'pydantic', 'yaml', 'ruamel'}\n"
        "    print('loaded:', sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code, *words], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "loaded: []"


def test_a_command_that_is_not_there_is_answered_with_those_that_are():
    done = CliRunner().invoke(app.main, ["raport"])
    assert done.exit_code == 2
    assert "there is no command 'raport'. Did you mean report? There are: quickstart, init, " in done.output


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["data", "lst"], "'lst'. Did you mean list? There are: build, get, list."),
        (["features", "layer"], "'layer'. Did you mean layers? There are: layers, list, run."),
        (["study", "make"], "'make'. There are: new."),
        (["published", "region"], "'region'. Did you mean regions? There are: compare, regions."),
    ],
)
def test_so_is_one_of_a_group(words, told):
    done = CliRunner().invoke(app.main, words)
    assert done.exit_code == 2
    assert f"there is no command {told}" in done.output


@pytest.mark.parametrize(
    ("raised", "status", "told"),
    [
        (None, 0, ""),
        (AuralignError("it failed"), 1, "error: it failed\n"),
        (ConfigError("it is wrong"), 2, "error: it is wrong\n"),
        (click.UsageError("not so"), 2, "Error: not so\n"),
        (KeyboardInterrupt(), 130, "interrupted; what was finished is kept. Run the same command to go on.\n"),
    ],
)
def test_the_exit_status_tells_what_happened(raised, status, told, capsys, monkeypatch):
    @click.command()
    def main():
        if raised is not None:
            raise raised

    monkeypatch.setattr(sys, "argv", ["auralign"])
    if raised is None:
        command.run(main)
    else:
        with pytest.raises(SystemExit) as stopped:
            command.run(main)
        assert stopped.value.code == status
    assert capsys.readouterr().err.endswith(told)  # click has its usage before, and a line break after Ctrl-C


@pytest.mark.parametrize(("script", "words"), SCRIPTS.items())
def test_a_script_is_the_command_of_the_same_name(script, words, root):
    text = (root / "scripts" / f"{script}.py").read_text(encoding="utf-8")
    assert "command.run(main" in text
    assert len(text.splitlines()) < 20
    one = app.main
    for word in words.split():
        one = one.get_command(click.Context(one), word)
    names: dict = {"__name__": "script", "__file__": str(root / "scripts" / f"{script}.py")}
    exec(compile(text, script, "exec"), names)
    assert names["main"] is one


def test_the_next_command_is_named_as_this_one_was_called(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "code").mkdir()
    monkeypatch.setattr(sys, "argv", ["code/compare.py"])
    with click.Context(click.Command("x"), info_name="compare.py"):
        assert command.to_type("report", "report.py") == "python code/report.py"
    with click.Context(app.main, info_name="auralign"):
        assert command.to_type("report", "report.py") == "auralign report"
    assert command.to_type("report", "report.py") == "auralign report"


def test_the_shell_completes_commands_and_options():
    completed = ShellComplete(app.main, {}, "auralign", "_AURALIGN_COMPLETE")
    assert [item.value for item in completed.get_completions(["features"], "")] == ["layers", "list", "run"]
    assert "--dry-run" in [item.value for item in completed.get_completions(["run"], "--d")]


def test_the_studies_of_published_tables_are_those_that_are_read():
    from auralign.cli.published import STUDIES as offered

    assert offered == STUDIES


def test_the_entry_point_is_the_one_that_pyproject_names(root):
    text = (root / "pyproject.toml").read_text(encoding="utf-8")
    assert 'auralign = "auralign.cli.app:entry"' in text
    assert callable(app.entry)
    assert Path(app.__file__).name == "app.py"
