"""Where the blocks of a comparison are computed: processes of this machine, or a dask cluster."""

import contextlib
import os
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from functools import cache, partial
from typing import Any

from joblib import Parallel, delayed, parallel_config

from ..errors import AuralignError

CONNECT_TIMEOUT = "20s"
# seconds between two looks at whether the parent process is there
PARENT_INTERVAL = 0.2


def run_unordered(
    function: Callable[[Any], Any], jobs: Iterable[Any], n_jobs: int, scheduler: str | None = None
) -> Iterator[Any]:
    """Call `function(job)` for every job, several at a time, and yield results as they come.

    Processes of this machine end with this one, however it ends; workers of a cluster live on.

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
        else:
            function = partial(_call_while_parent_lives, function, os.getpid())
        yield from Parallel(n_jobs=n_jobs, return_as="generator_unordered")(delayed(function)(job) for job in jobs)


def _call_while_parent_lives(function: Callable[[Any], Any], parent: int, job: Any) -> Any:
    """Call `function(job)` in a process that ends as soon as its parent has ended, killed or not."""
    if os.getpid() != parent:
        _end_with(parent)
    return function(job)


@cache
def _end_with(parent: int) -> None:
    """Start to watch the parent process, once per process: a process whose parent has ended gets another one.

    Nothing would be saved by going on: finished blocks are in their files, and nobody collects the others.
    """

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(PARENT_INTERVAL)
        os._exit(1)  # from a thread, whatever the main one computes

    threading.Thread(target=watch, name="end-with-parent", daemon=True).start()


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
