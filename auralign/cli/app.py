"""The command `auralign`: its subcommands, each imported only when it is called."""

import sys
from importlib import import_module

import click

from . import command

# by name: module of this folder, and the line that `--help` shows, so that help imports none of them
COMMANDS = {
    "quickstart": ("quickstart", "The whole flow on the built-in synthetic study."),
    "init": ("init", "Write the two YAML files of a study of your own sounds and responses."),
    "data": ("data", "Datasets: build, get, list."),
    "features": ("features", "Features of sounds, by junifer: run, layers, list."),
    "run": ("compare", "Run a comparison: how well do feature sets predict responses?"),
    "report": ("report", "Write the report of one or several results."),
    "verify": ("verify", "Compute a result again and compare."),
    "describe": ("describe", "Describe a result as an RO-Crate."),
    "predict": ("predict", "Predict the responses to sounds with a saved model."),
    "study": ("study", "Studies as DataLad datasets: new."),
    "published": ("published", "Published results and tables: compare, regions."),
    "doctor": ("doctor", "What this machine lacks for a study, and how to get it."),
}


class LazyGroup(command.Group):
    """A group whose subcommands are the functions `main` of modules of this folder, imported when they are called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Name the subcommands, in the order of their table."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import a subcommand."""
        if cmd_name not in COMMANDS:
            return None
        return import_module(f"{__package__}.{COMMANDS[cmd_name][0]}").main

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the lines of help without importing what they are about."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, line) for name, (_, line) in COMMANDS.items()])


@click.command(cls=LazyGroup, context_settings=command.HELP)
@click.version_option(package_name="auralign")
def main() -> None:
    """How well do audio networks predict the human auditory cortex?

    Sounds become layer features (features run), features and responses become scores (run), scores become a page
    (report). Every command has its own --help.

    \b
    Examples:
      auralign quickstart                       the whole flow, synthetic sounds
      auralign init my_wavs responses.tsv       a study of your own, then:
      auralign features run junifer_yamls/my_wavs.yml
      auralign run julearn_configs/my_wavs.yml
      auralign report results/my_wavs

    Exit status: 0 done, 1 failed, 2 wrong usage or configuration, 130 interrupted.
    """


def entry() -> None:
    """Run the command line of the installed package."""
    # provenance.json records the command: not where the program lies on this machine
    sys.argv[0] = "auralign"
    command.run(main, prog_name="auralign")
