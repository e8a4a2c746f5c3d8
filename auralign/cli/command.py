"""What every command has in common: exit statuses, errors without a traceback, and naming the next command."""

import signal
import sys
from pathlib import Path
from typing import Any

import click

from ..errors import AuralignError, ConfigError

# context settings of every command
HELP = {"help_option_names": ["-h", "--help"]}


def run(command: click.Command, **context: Any) -> None:
    """Run a click command and leave the program with the status that tells what happened.

    0 done; 1 failed, with a message that says what to do; 2 wrong usage or configuration; 130 interrupted.

    Parameters
    ----------
    command : click.Command
    **context
        Of click's context: `prog_name`, or `default_map` with other defaults of options.
    """
    # asked to stop, workers and all: like Ctrl-C
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        command(standalone_mode=False, **context)
    except click.ClickException as error:
        error.show()
        sys.exit(2)
    except ConfigError as error:
        click.echo(f"error: {error}", err=True)
        sys.exit(2)
    except AuralignError as error:
        click.echo(f"error: {error}", err=True)
        sys.exit(1)
    except (click.Abort, KeyboardInterrupt):
        click.echo("interrupted; what was finished is kept. Run the same command to go on.", err=True)
        sys.exit(130)


class Group(click.Group):
    """A group that says which subcommands there are where one is asked for that does not exist."""

    def resolve_command(self, ctx: click.Context, args: list[str]) -> Any:
        """Find the subcommand that the first argument names."""
        names = self.list_commands(ctx)
        if args and args[0] not in names and not args[0].startswith("-"):
            from ..errors import did_you_mean

            hint = did_you_mean(args[0], names)
            raise click.UsageError(f"there is no command {args[0]!r}.{hint} There are: {', '.join(names)}.", ctx)
        return super().resolve_command(ctx, args)


def to_type(subcommand: str, script: str) -> str:
    """Return how the user calls another command: as this one was called.

    Parameters
    ----------
    subcommand : str
        Of `auralign`.
    script : str
        The file of `scripts/` that does the same; a study has copies in `code/`.
    """
    context = click.get_current_context(silent=True)
    if context is None or not str(context.find_root().info_name).endswith(".py"):
        return f"auralign {subcommand}"
    beside = Path(sys.argv[0]).resolve().with_name(script)
    return f"python {beside.relative_to(Path.cwd()) if beside.is_relative_to(Path.cwd()) else beside}"
