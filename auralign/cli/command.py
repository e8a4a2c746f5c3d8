"""What every command of `scripts/` has in common: exit statuses, and errors without a traceback."""

import signal
import sys

import click

from ..errors import AuralignError, ConfigError


def run(command: click.Command) -> None:
    """Run a click command and leave the program with the status that tells what happened.

    0 done; 1 failed, with a message that says what to do; 2 wrong usage or configuration; 130 interrupted.
    """
    # asked to stop, workers and all: like Ctrl-C
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        command(standalone_mode=False)
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
