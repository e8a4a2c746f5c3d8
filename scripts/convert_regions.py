#!/usr/bin/env python
"""Convert the published df_roi_meta.pkl to a table: `auralign published regions`."""

from auralign.cli import command
from auralign.cli.published import regions as main

if __name__ == "__main__":
    command.run(main)
