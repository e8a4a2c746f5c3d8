#!/usr/bin/env python
"""Run a comparison: `auralign run`."""

from auralign.cli import command
from auralign.cli.compare import main

if __name__ == "__main__":
    command.run(main)
