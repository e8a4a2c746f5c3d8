#!/usr/bin/env python
"""Build the DataLad datasets from their recipes, and bring their files: `auralign data build` of this checkout."""

from pathlib import Path

from auralign.cli import command
from auralign.cli.data import build as main

ROOT = Path(__file__).resolve().parents[1] / "datalad_dataset"

if __name__ == "__main__":
    command.run(main, default_map={"root": ROOT})
