"""Where the jobs of a run are computed: in this process, in others of this machine, or by a dask cluster."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, NoReturn, Protocol

from ..errors import AuralignError, WorkerLost
from ..wording import counted
from .processes import Processes

CONNECT_TIMEOUT = "20s"
# how often a job is tried again whose process was lost, if nobody says
RETRIES = 3


class Workers(Protocol):
    """What computes jobs, for as long as a run takes: asked as often as need be, and started once."""

    def run(self, function: Callable[[Any], Any], jobs: Iterable[Any]) -> Iterator[Any]:
        """Yield `function(job)` of every job as it comes, several at a time.

        Raises
        ------
        WorkerLost
            The process of a job was lost, and that of every further try.
        Exception
            What a call raised.
        """

    def start(self, n_processes: int) -> None:
        """Start so many processes already now, in the background, where there are any to start."""

    def stop(self) -> None:
        """End the processes, whose memory others need; a later `run` starts them again."""


@contextlib.contextmanager
def open_workers(
    n_jobs: int, scheduler: str | None = None, retries: int = RETRIES, modules: Sequence[str] = ()
) -> Iterator[Workers]:
    """Give what computes the jobs of a run; processes of this machine end afterwards, those of a cluster live on.

    Parameters
    ----------
    n_jobs : int
        Processes of this machine, 1: this one; of a cluster all workers are used.
    scheduler : str or None
        Address of a dask scheduler (`tcp://host:8786`), or the path of its scheduler file. The workers must see the
        results folder under the same path (a shared file system) and have this environment.
    retries : int
        How often a job is tried again whose process was lost.
    modules : sequence of str
        What the jobs import, which processes of this machine do when they start.

    Raises
    ------
    AuralignError
        dask is not installed, or no scheduler answers.
    """
    if scheduler is not None:
        with _connected(scheduler) as client, _allowed_failures(client, retries):
            yield _Cluster(client)
    elif n_jobs > 1:
        with Processes(n_jobs, retries, modules) as processes:
            yield processes
    else:
        yield _Here()


def run_unordered(
    function: Callable[[Any], Any], jobs: Iterable[Any], n_jobs: int, scheduler: str | None = None
) -> Iterator[Any]:
    """Call `function(job)` for every job by workers of its own, and yield results as they come; see `open_workers`."""
    with open_workers(n_jobs, scheduler) as workers:
        yield from workers.run(function, jobs)


class _Here:
    """This process."""

    def run(self, function: Callable[[Any], Any], jobs: Iterable[Any]) -> Iterator[Any]:
        return map(function, jobs)

    def start(self, n_processes: int) -> None:
        """Nothing is started."""

    def stop(self) -> None:
        """Nothing ends."""


class _Cluster:
    """The workers of a dask cluster: every job is a task of its scheduler, which gives a lost one to another worker."""

    def __init__(self, client: Any) -> None:
        self._client = client
        if not client.scheduler_info()["workers"]:
            print("scheduler: there are no workers yet; the blocks wait for them")

    def run(self, function: Callable[[Any], Any], jobs: Iterable[Any]) -> Iterator[Any]:
        from concurrent.futures import CancelledError

        from distributed import KilledWorker, as_completed

        # impure: a task is new in every run, whatever the scheduler remembers
        of_future = {self._client.submit(function, job, pure=False): job for job in jobs}
        try:
            for future in as_completed(list(of_future)):
                job = of_future.pop(future)
                try:
                    yield future.result()
                except KilledWorker as error:
                    _give_up(job, error)
                except CancelledError as error:  # all that there were, once the scheduler has ended
                    raise WorkerLost(
                        f"scheduler: it has ended, or the connection to it is lost, or somebody cancelled the tasks "
                        f"({_first_line(error)}). What is finished is kept: start the cluster again and run the same "
                        "command with its address, or without --scheduler on this machine."
                    ) from None
                finally:
                    future.release()
        finally:
            self._client.cancel(list(of_future))

    def start(self, n_processes: int) -> None:
        """The workers are there already, or come when their cluster starts them."""

    def stop(self) -> None:
        """The workers are others' as well."""


@contextlib.contextmanager
def _allowed_failures(client: Any, retries: int) -> Iterator[None]:
    """Let a scheduler give a task up when more workers than these were lost with it; afterwards as it was before.

    It has one number for all tasks, those of others as well. Where several runs share it, the last one that ends puts
    back what the first one found.
    """

    def lend(dask_scheduler: Any) -> None:
        found, users = getattr(dask_scheduler, "auralign_found", (dask_scheduler.allowed_failures, 0))
        dask_scheduler.auralign_found = found, users + 1
        dask_scheduler.allowed_failures = retries

    def put_back(dask_scheduler: Any) -> None:
        found, users = dask_scheduler.auralign_found
        if users > 1:
            dask_scheduler.auralign_found = found, users - 1
        else:
            dask_scheduler.allowed_failures = found
            del dask_scheduler.auralign_found

    client.run_on_scheduler(lend)
    try:
        yield
    finally:
        with contextlib.suppress(OSError):  # of a scheduler that has ended meanwhile there is nothing to put back
            client.run_on_scheduler(put_back)


def _give_up(job: Any, error: Any) -> NoReturn:
    times = counted(error.allowed_failures + 1, "time")
    raise WorkerLost(
        f"{getattr(job, 'label', job)}: the worker that had it was lost {times}, at last {error.last_worker.address}, "
        "whose log may say why. What is finished is kept: run the same command again with less memory for each worker "
        "(--memory-per-worker), or with larger workers."
    ) from None


def _first_line(error: BaseException) -> str:
    return next(iter(str(error).splitlines()), type(error).__name__)


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
