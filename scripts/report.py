#!/usr/bin/env python
"""Write the report of one or several results folders: `auralign report`."""

from auralign.cli import command
from auralign.cli.report import main

if __name__ == "__main__":
    command.run(main)
