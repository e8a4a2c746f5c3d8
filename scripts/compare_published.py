#!/usr/bin/env python
"""Lay a run beside published results: `auralign published compare`."""

from auralign.cli import command
from auralign.cli.published import compare as main

if __name__ == "__main__":
    command.run(main)
