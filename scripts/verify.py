#!/usr/bin/env python
"""Compute a result again and compare: `auralign verify`."""

from auralign.cli import command
from auralign.cli.verify import main

if __name__ == "__main__":
    command.run(main)
