"""A process that computes what it is sent: the other side of `processes`. It imports little before it is told what."""

import importlib
import os
import pickle
import signal
import sys
import threading
import traceback
from multiprocessing.connection import Connection


def main(descriptor: int) -> None:
    """Answer calls until the connection is closed: the entry point of a worker process.

    Parameters
    ----------
    descriptor : int
        Of the connection, inherited. Standard input is a pipe that nothing is written to: it ends with the process that
        started this one, however that ends.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C goes to all processes of a terminal; the first one decides
    threading.Thread(target=_end_with_parent, args=(sys.stdin.buffer,), name="end-with-parent", daemon=True).start()
    connection = Connection(descriptor)
    try:
        paths, modules = connection.recv()
        sys.path[:] = [*paths, *(path for path in sys.path if path not in paths)]
        for name in modules:  # meanwhile the other process reads the study
            importlib.import_module(name)
        while True:
            connection.send_bytes(_answer(connection.recv_bytes()))
    except (EOFError, BrokenPipeError, ConnectionResetError):
        return  # nobody asks any more


def _end_with_parent(lifeline) -> None:
    """Wait for the parent's end, from a thread, whatever the main one computes.

    Nothing would be saved by going on: finished blocks are in their files, and nobody collects the others.
    """
    lifeline.read()
    os._exit(1)


def _answer(call: bytes) -> bytes:
    """Call what was sent, (function, job); return (result, None) or (None, error) as they are sent back."""
    try:
        function, job = pickle.loads(call)
        return pickle.dumps((function(job), None))
    except Exception as error:  # whatever it is: the other process raises it
        return pickle.dumps((None, _that_travels(error)))


def _that_travels(error: Exception) -> Exception:
    """Return the error, or where it cannot be sent to another process one that says the same."""
    where = "".join(traceback.format_exception(error))
    try:
        pickle.loads(pickle.dumps(error))
    except Exception:
        return RuntimeError(f"{type(error).__name__}: {error}\n{where}")
    error.add_note(f"In a worker process:\n{where}")
    return error


def describe_end(code: int) -> str:
    """Say how a process ended, by its return code."""
    if code == -signal.SIGKILL:
        return "killed, as the system does with a process when memory runs out"
    return f"ended by {signal.Signals(-code).name}" if code < 0 else f"ended with status {code}"
