#!/usr/bin/env python
"""Make the DataLad dataset of a study: `auralign study new`."""

from auralign.cli import command
from auralign.cli.study import new as main

if __name__ == "__main__":
    command.run(main)
