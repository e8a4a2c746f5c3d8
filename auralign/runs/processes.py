"""Processes of this machine that compute jobs: started early, kept for the whole run, replaced when one is lost."""

from __future__ import annotations

import os
import subprocess
import sys
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from multiprocessing import Pipe
from multiprocessing.connection import Connection, wait
from typing import Any, NoReturn, cast

import cloudpickle

from ..errors import WorkerLost
from ..wording import counted
from .worker_process import describe_end

# a worker computes on one thread (`threadpool_limits`): none are made for more
ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
START = (
    "import signal, sys; signal.signal(signal.SIGINT, signal.SIG_IGN); "
    "from auralign.runs.worker_process import main; main(int(sys.argv[1]))"
)


class Processes:
    """Worker processes of this machine; as a context manager they end with it, and with this process in any case.

    They are no forks: nothing of this process is in their memory, and it needs no main module that can be imported.

    Parameters
    ----------
    n_processes : int
    retries : int
        How often a job is given to another process whose own was lost.
    modules : sequence of str
        What the jobs will need: imported as soon as a process has started.
    """

    def __init__(self, n_processes: int, retries: int, modules: Sequence[str] = ()) -> None:
        self.n_processes = n_processes
        self.retries = retries
        self.modules = tuple(modules)
        self._all: list[_Process] = []

    def __enter__(self) -> Processes:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self, n_processes: int) -> None:
        """Start processes until there are so many, without waiting for them."""
        for _ in range(n_processes - len(self._all)):
            self._all.append(_Process(self.modules))

    def stop(self) -> None:
        """End all processes; a later `run` starts new ones."""
        self._end(self._all)

    def run(self, function: Callable[[Any], Any], jobs: Iterable[Any]) -> Iterator[Any]:
        """Yield `function(job)` of every job as it comes; the jobs are begun in their order.

        A job whose process is lost is tried again after the others, when less is in memory.

        Raises
        ------
        WorkerLost
            That happened more often than `retries` allows.
        Exception
            What a call raised; the others are not gone on with.
        """
        waiting = deque(_Call(job) for job in jobs)
        busy: dict[Connection, tuple[_Process, _Call]] = {}
        self.start(min(self.n_processes, len(waiting)))
        idle = list(self._all)
        try:
            while waiting or busy:
                while waiting and idle:
                    process, call = idle.pop(), waiting.popleft()
                    process.send(function, call.job)
                    busy[process.connection] = process, call
                for connection in cast(list[Connection], wait(list(busy))):
                    process, call = busy.pop(connection)
                    try:
                        result, error = connection.recv()
                    except (EOFError, OSError):  # it has ended, perhaps in the middle of its answer
                        call.losses += 1
                        if call.losses > self.retries:
                            _give_up(call, process.end())
                        waiting.append(call)
                        idle.append(self._replace(process))
                        continue
                    if error is not None:
                        raise error
                    idle.append(process)
                    yield result
        finally:
            self._end([process for process, _ in busy.values()])

    def _replace(self, process: _Process) -> _Process:
        process.kill()
        self._all[self._all.index(process)] = new = _Process(self.modules)
        return new

    def _end(self, processes: list[_Process]) -> None:
        for process in processes:
            process.kill()
        self._all = [process for process in self._all if process not in processes]


@dataclass
class _Call:
    """A job, and how often its process was lost."""

    job: Any
    losses: int = 0


class _Process:
    """One worker process, idle or with one job."""

    def __init__(self, modules: Sequence[str]) -> None:
        self.connection, other = Pipe()
        with other:
            self._process = subprocess.Popen(
                # -P: nothing that lies in the working directory takes the place of a module of this process
                [sys.executable, "-P", "-c", START, str(other.fileno())],
                stdin=subprocess.PIPE,  # never written to: its end says that this process has ended
                pass_fds=[other.fileno()],
                env={
                    **os.environ,
                    **ONE_THREAD,
                    "PYTHONPATH": os.pathsep.join(path or os.getcwd() for path in sys.path),
                },
            )
        self.connection.send((sys.path, tuple(modules)))

    def send(self, function: Callable[[Any], Any], job: Any) -> None:
        """Give it a job; a process that has ended meanwhile is found by who waits for its answer."""
        call = cloudpickle.dumps((function, job))
        try:
            self.connection.send_bytes(call)
        except (BrokenPipeError, ConnectionResetError):
            return

    def end(self) -> str:
        """Say how a process ended that did so by itself."""
        return describe_end(self._process.wait())

    def kill(self) -> None:
        """End the process now."""
        self._process.kill()
        self._process.wait()
        cast(Any, self._process.stdin).close()
        self.connection.close()


def _give_up(call: _Call, end: str) -> NoReturn:
    what, times = getattr(call.job, "label", call.job), counted(call.losses, "time")
    raise WorkerLost(
        f"{what}: the process that computed it was lost {times}, at last {end}. What is finished is kept: run the same "
        "command again with fewer processes (--n-jobs), or with less memory for each (--memory-per-worker)."
    ) from None
