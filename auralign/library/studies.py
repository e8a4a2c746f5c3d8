"""Whole comparisons from Python: what the YAML runner does."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from ..config.models import TASK, Comparison, comparison_model
from ..config.reading import read_config
from ..errors import ConfigError
from ..runs.compare import run_comparison
from ..runs.cores import available_cores
from ..runs.results import Results, read_results
from .wrong import refuse_n_jobs, validated

__all__ = ["read_results", "run"]


def run(
    config: str | Path | Mapping[str, Any] | Comparison,
    out: str | Path | None = None,
    n_jobs: int = 1,
    force: bool = False,
    scheduler: str | None = None,
) -> Results:
    """Run a comparison and open its results.

    Parameters
    ----------
    config : path, mapping or Comparison
        A file of `julearn_configs/`; or what such a file says, as a dict, whose relative paths are relative to the
        working directory.
    out : path, optional
        Folder of the results; by default `results/<name>`.
    n_jobs : int
        Processes of this machine; -1 for one per core.
    force : bool
        Compute again what an earlier run has computed.
    scheduler : str, optional
        Address of a dask scheduler.

    Returns
    -------
    Results

    Raises
    ------
    ConfigError
        The configuration is wrong; every mistake is named.
    AuralignError
        As `auralign.runs.compare.run_comparison`.
    """
    refuse_n_jobs(n_jobs)
    if n_jobs < 0:
        n_jobs = max(1, available_cores() + 1 + n_jobs)
    file = None
    if isinstance(config, str | Path):
        file = Path(config)
        comparison = read_config(file)
    elif isinstance(config, Mapping):
        comparison = validated(comparison_model(str(config.get("task", TASK))), config, "run")
    elif isinstance(config, BaseModel):
        comparison = config
    else:
        raise ConfigError(f"run: {config!r} is neither the path of a configuration nor a dict of what one says.")
    folder = Path("results") / comparison.name if out is None else Path(out)
    try:
        run_comparison(comparison, folder, n_jobs, force, scheduler, file)
    except ConfigError as error:
        raise ConfigError(f"{file or 'config'}: {error}") from error
    return read_results(folder)
