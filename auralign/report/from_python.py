"""The report from Python: `auralign.report(...)`."""

from __future__ import annotations

from pathlib import Path

from ..errors import ConfigError
from ..runs.results import Results
from .page import write_report


def report(*results: str | Path | Results, out: str | Path | None = None) -> Path:
    """Write the report of one or several results: one self-contained page, and figures/ beside it.

    Parameters
    ----------
    *results : path or Results
        Several make one page that compares them.
    out : path, optional
        The page; by default report.html in the first folder.

    Returns
    -------
    Path
        Of the page.

    Raises
    ------
    ConfigError
        No result is given.
    DataError
        As `write_report`.
    """
    if not results:
        raise ConfigError("report: there is no result; give the folder of one, or what `run` returned.")
    folders = [result.folder if isinstance(result, Results) else Path(result) for result in results]
    return Path(write_report(folders, None if out is None else Path(out)))
