"""Folders that live as long as the run that owns them, and are removed by a later run if it was killed."""

import contextlib
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from filelock import FileLock, Timeout

PREFIX = "inputs-"
# locked by its run as long as that lives: the operating system lets go of the lock, however the run ends
OWNER = "owner.lock"
# locked while folders are made or removed, so that none is met between being made and being owned
GATE = ".inputs.lock"


@contextlib.contextmanager
def owned_folder(parent: Path) -> Iterator[Path]:
    """Make a folder for the time of a run, and remove those that no living run owns.

    Parameters
    ----------
    parent : Path
        An existing folder, which the processes of several runs and machines may share.

    Yields
    ------
    Path
        A new folder `inputs-*` in it, gone afterwards.
    """
    try:
        folder, own = _make(parent)
    except NotImplementedError:
        # a file system without locks: nobody can tell whose a folder is, so that none but one's own is removed
        folder, own = Path(tempfile.mkdtemp(dir=parent, prefix=PREFIX)), None
    try:
        yield folder
    finally:
        with contextlib.nullcontext() if own is None else FileLock(parent / GATE):
            if own is not None:
                own.release()
            shutil.rmtree(folder, ignore_errors=True)


def _make(parent: Path) -> tuple[Path, FileLock]:
    with FileLock(parent / GATE):
        _remove_orphans(parent)
        folder = Path(tempfile.mkdtemp(dir=parent, prefix=PREFIX))
        own = FileLock(folder / OWNER)
        own.acquire()
    return folder, own


def _remove_orphans(parent: Path) -> None:
    """Remove the folders whose lock nobody holds."""
    for folder in parent.glob(f"{PREFIX}*"):
        lock = FileLock(folder / OWNER)
        try:
            lock.acquire(timeout=0)
        except Timeout:
            continue
        lock.release()
        shutil.rmtree(folder, ignore_errors=True)
