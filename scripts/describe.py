#!/usr/bin/env python
"""Describe a result as an RO-Crate: `auralign describe`."""

from auralign.cli import command
from auralign.cli.describe import main

if __name__ == "__main__":
    command.run(main)
