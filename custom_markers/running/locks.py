"""Locks between processes, also of several containers or machines on one file system."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

logger = logging.getLogger("junifer")


class LockError(OSError):
    """A lock cannot be had, for another reason than that somebody holds it."""


@contextmanager
def exclusive(path: Path) -> Iterator[None]:
    """Hold the lock of a file, `<path>.lock`, while the others wait.

    The operating system gives the lock back when a process ends, however it ends, so that no lock is ever stale. The
    lock file is removed while the lock is held; filelock sees that a lock which it waited for has no name any more, and
    begins again.

    Parameters
    ----------
    path : Path
        What the lock is for; it need not exist, its folder is made.

    Raises
    ------
    LockError
        The file system has no locks, or the folder cannot be written.
    """
    lock_path = path.with_name(f"{path.name}.lock")
    try:
        lock_path.parent.mkdir(parents=True, exist_ok=True)
        lock = FileLock(lock_path, fallback_to_soft=False)
        try:
            lock.acquire(timeout=0)
        except Timeout:
            logger.info(f"{path.name}: another process works on it; waiting")
            lock.acquire(poll_interval=0.2)
    except (OSError, NotImplementedError) as error:
        reason = getattr(error, "strerror", None) or error
        raise LockError(f"{lock_path}: cannot be locked: {reason}") from error
    try:
        yield
    finally:
        lock_path.unlink(missing_ok=True)
        lock.release()
