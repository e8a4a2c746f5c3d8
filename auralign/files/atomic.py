"""Files that are there as a whole or not at all, whatever interrupts the process that writes them."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pandas as pd

from .tsv_writing import write_tsv


@contextmanager
def written_atomically(path: Path, scratch: Path | None = None) -> Iterator[Path]:
    """Give a path to write to, which takes the place of `path` once it is written without an error.

    Parameters
    ----------
    path : Path
    scratch : Path, optional
        Where the file grows: a folder of the same file system, which is removed with its run; by default beside `path`.
    """
    partial = (scratch or path.parent) / f".{path.name}.{os.getpid()}"
    try:
        yield partial
        os.replace(partial, path)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise


def write_atomically(table: pd.DataFrame, path: Path, scratch: Path | None = None) -> None:
    """Write a table, .parquet or .tsv, so that the file is there as a whole or not at all; see `written_atomically`."""
    with written_atomically(path, scratch) as partial:
        if path.suffix == ".parquet":
            table.to_parquet(partial, index=False)
        else:
            write_tsv(table, partial)


def write_text_atomically(text: str, path: Path, scratch: Path | None = None) -> None:
    """Write a text so that the file is there as a whole or not at all; see `written_atomically`."""
    with written_atomically(path, scratch) as partial:
        partial.write_text(text, encoding="utf-8")
