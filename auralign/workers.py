"""Where the blocks of a comparison are computed: processes of this machine, or a dask cluster."""

import contextlib
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from joblib import Parallel, delayed, parallel_config

from .errors import AuralignError

CONNECT_TIMEOUT = "20s"


def run_unordered(
    function: Callable[[Any], Any], jobs: Iterable[Any], n_jobs: int, scheduler: str | None = None
) -> Iterator[Any]:
    """Call `function(job)` for every job, several at a time, and yield results as they come.

    Parameters
    ----------
    function : callable
    jobs : iterable
    n_jobs : int
        Processes of this machine; of a cluster all workers are used.
    scheduler : str or None
        Address of a dask scheduler (`tcp://host:8786`), or the path of its scheduler file. The workers must see the
        results folder under the same path (a shared file system) and have this environment.

    Raises
    ------
    AuralignError
        dask is not installed, or no scheduler answers.
    """
    with contextlib.ExitStack() as stack:
        if scheduler is not None:
            stack.enter_context(_connected(scheduler))
            stack.enter_context(parallel_config(backend="dask"))
            n_jobs = -1
        yield from Parallel(n_jobs=n_jobs, return_as="generator_unordered")(delayed(function)(job) for job in jobs)


def _connected(scheduler: str):
    """Connect to a dask scheduler; as a context manager it disconnects at the end."""
    try:
        from distributed import Client
    except ImportError as error:
        raise AuralignError(
            'scheduler: dask.distributed is not installed. Install it: pip install "auralign[cluster]"'
        ) from error
    where = {"scheduler_file": scheduler} if scheduler.endswith(".json") else {"address": scheduler}
    try:
        return Client(**where, timeout=CONNECT_TIMEOUT)
    except (OSError, ValueError) as error:
        raise AuralignError(
            f"scheduler: nothing answers at {scheduler!r} within {CONNECT_TIMEOUT} ({error}). Give the address that "
            "`dask scheduler` printed (tcp://host:port), or its scheduler file (.json)."
        ) from error
