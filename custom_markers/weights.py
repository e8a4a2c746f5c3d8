"""Where the weights of a network are: published name or path -> a file whose checksum is known.

A published name is sought in the folders of the environment variable ``AURALIGN_WEIGHTS``, then in the local
cache of the Hugging Face hub, then on the hub. The checksum of every source (and the revision of the hub's)
is recorded at first use (`remember`, once the file has proved to load) and verified ever after: the same name cannot
silently become other weights.
"""

import difflib
import functools
import json
import logging
import os
import re
import tempfile
import threading
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import platformdirs
from huggingface_hub import constants, get_hf_file_metadata, hf_hub_download, hf_hub_url
from huggingface_hub.errors import LocalEntryNotFoundError

from auralign.checksums import sha256_of

FOLDERS_VARIABLE = "AURALIGN_WEIGHTS"
CACHE_VARIABLE = "AURALIGN_CACHE"
HUB_TIMEOUT = 4.0  # seconds for each step (connect, read) of the first request to the hub
HUB_DEADLINE = 8.0  # seconds for that request as a whole, name resolution included

logger = logging.getLogger(__name__)


class WeightsError(RuntimeError):
    """Weights that cannot be found, or are not those that were used before."""


# (encoder layers, dimensions) of the published networks
SIZES = {"small": (5, 768), "base": (10, 768), "large": (20, 1024)}


@dataclass(frozen=True)
class PublishedWeights:
    """One published network: a file of a repository on the Hugging Face hub."""

    name: str
    front_end: str  # "mel" or "ec" (EnCodec's encoder)
    repo: str = "lpepino/encodecmae-v2"
    revision: str | None = None  # commit of the repository; None: the newest, pinned at first use
    sha256: str | None = None  # None: recorded at first use
    licence: str = "see the model card of the repository"

    @property
    def file(self) -> str:
        """Name of the file, in the repository as in a folder of one's own."""
        return f"{self.name}.pt"


PUBLISHED = {
    entry.name: entry
    for entry in (
        PublishedWeights("mel256-ec-small", "mel"),
        PublishedWeights("mel256-ec-base", "mel"),  # trained on a mixture of the three below
        PublishedWeights("mel256-ec-base-as", "mel"),  # AudioSet
        PublishedWeights("mel256-ec-base-fma", "mel"),  # music
        PublishedWeights("mel256-ec-base-ll", "mel"),  # speech
        PublishedWeights("mel256-ec-large", "mel"),
        PublishedWeights("mel256-ec-large-as", "mel"),
        PublishedWeights("mel256-ec-base_st", "mel"),  # _st: with a stage of self-training
        PublishedWeights("mel256-ec-base_st-nopn", "mel"),
        PublishedWeights("mel256-ec-base_st-as-nopn", "mel"),
        PublishedWeights("mel256-ec-large_st", "mel"),
        PublishedWeights("mel256-ec-large_st-nopn", "mel"),
        PublishedWeights("ec-ec-small", "ec"),
        PublishedWeights("ec-ec-base", "ec"),
        PublishedWeights("ec-ec-large", "ec"),
        PublishedWeights("ec-ec-base_st", "ec"),
    )
}


def published_size(name: str) -> tuple[int, int] | None:
    """Return (encoder layers, dimensions) of a published network by its name; None for other names."""
    if name not in PUBLISHED:
        return None
    return next(size for word, size in SIZES.items() if f"-{word}" in name)


@dataclass(frozen=True)
class ResolvedWeights:
    """A file of weights, its source (a path, or ``hub:<repository>/<file>``) and what identifies it."""

    name: str
    path: Path
    source: str
    revision: str | None  # commit on the hub, None for other files
    sha256: str


def resolve(name: str, base: Path | None = None) -> ResolvedWeights:
    """Find the weights called ``name`` and verify that they are those of the first use.

    Parameters
    ----------
    name : str
        A path (an existing file, or anything that ends in ``.pt``) or a published name, a key of `PUBLISHED`.
    base : Path, optional
        Folder that a relative path is relative to; by default the working directory.

    Returns
    -------
    ResolvedWeights
        With an absolute path. A file named by its path is not recorded: it may change between two calls.

    Raises
    ------
    WeightsError
        If the name is unknown; if there is no such file, saying where it was sought and how to supply it; if
        its checksum is not the recorded one; if the record of checksums cannot be read or written. A hub that
        cannot be reached is given up on within 10 seconds.
    """
    path = (Path(base or "") / Path(name).expanduser()).absolute()
    if path.is_file():
        return ResolvedWeights(name, path, str(path), None, _sha256(path))
    if name.endswith(".pt"):
        published = f" (for the published weights, write {path.stem!r})" if path.stem in PUBLISHED else ""
        raise WeightsError(f"{name}: there is no file {path}{published}")
    if name not in PUBLISHED:
        close = difflib.get_close_matches(name, PUBLISHED, n=3, cutoff=0.5)
        hint = f"; did you mean {' or '.join(close)}?" if close else ""
        raise WeightsError(
            f"{name!r} is neither an existing file nor a published name{hint} "
            f"(a path to a .pt file, or one of: {', '.join(PUBLISHED)})"
        )
    entry = PUBLISHED[name]
    folders = [Path(part).expanduser() for part in os.environ.get(FOLDERS_VARIABLE, "").split(os.pathsep) if part]
    for folder in folders:
        path = (folder / entry.file).absolute()
        if path.is_file():
            return _verified(entry, path, str(path), None)
    source = f"hub:{entry.repo}/{entry.file}"
    pinned = _read_record().get(source, {}).get("revision") or entry.revision
    path = _from_hub(entry, pinned, folders)
    commit = path.parent.name  # the hub's cache keeps a file as snapshots/<commit>/<file>
    return _verified(entry, path, source, commit if re.fullmatch("[0-9a-f]{40}", commit) else pinned)


def _from_hub(entry: PublishedWeights, revision: str | None, folders: list[Path]) -> Path:
    """Take a file from the hub's local cache or download it, with the hub's own progress bar."""
    try:
        return Path(hf_hub_download(entry.repo, entry.file, revision=revision, local_files_only=True))
    except LocalEntryNotFoundError:
        logger.info("%s is not in the cache %s: asking the hub", entry.file, constants.HF_HUB_CACHE)
    try:
        # hf_hub_download retries an unreachable hub for minutes: call it only when the hub has answered.
        url = hf_hub_url(entry.repo, entry.file, revision=revision)
        _within(HUB_DEADLINE, lambda: get_hf_file_metadata(url, timeout=HUB_TIMEOUT))
        return Path(hf_hub_download(entry.repo, entry.file, revision=revision, etag_timeout=HUB_TIMEOUT))
    except Exception as error:  # network, proxy, access, revision, disk: each ends in the same advice
        raise WeightsError(_not_found(entry, revision, folders, error)) from error


def _within(seconds: float, function: Callable[[], Any]) -> Any:
    """Call a function, raising TimeoutError after some seconds.

    A thread is needed because resolving a host name cannot be interrupted, and because each of its addresses
    is tried with a time limit of its own.
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
        raise TimeoutError(f"no answer within {seconds:g} seconds") from error


def _not_found(entry: PublishedWeights, revision: str | None, folders: list[Path], error: Exception) -> str:
    """Say where a file was sought and how to supply it by hand."""
    sought = [
        f"{FOLDERS_VARIABLE} folder {folder}: {'no such file' if folder.is_dir() else 'no such folder'}"
        for folder in folders
    ] or [f"{FOLDERS_VARIABLE}: not set"]
    at = f" at revision {revision}" if revision else ""
    reason = str(error).strip().split("\n")[0] or "no reason given"
    sought += [
        f"hub cache {constants.HF_HUB_CACHE}: no {entry.repo}/{entry.file}{at}",
        f"hub repository {entry.repo}{at}: {type(error).__name__}: {reason}",
    ]
    url = hf_hub_url(entry.repo, entry.file, revision=revision)
    return "\n".join(
        [
            f"the weights {entry.name!r} were not found: no file {entry.file} in",
            *(f"  - {place}" for place in sought),
            f"To supply it by hand: download {url} where that is possible, put {entry.file} into a folder of "
            f"this machine, and set the environment variable {FOLDERS_VARIABLE} to that folder.",
        ]
    )


def _verified(entry: PublishedWeights, path: Path, source: str, revision: str | None) -> ResolvedWeights:
    """Compare a file with the published table and the record of checksums."""
    sha256 = _sha256(path)
    if entry.sha256 not in (None, sha256):
        raise WeightsError(
            f"{path} is not the published {entry.name!r}: its sha256 is {sha256}, expected {entry.sha256}; "
            f"delete the file and get it again"
        )
    for other, facts in _read_record().items():
        if facts["name"] != entry.name or facts["sha256"] == sha256:
            continue
        # the file of one source may not change, and a copy by hand may not differ from what the hub gave
        if other == source or other.startswith("hub:") or source.startswith("hub:"):
            changed = "changed since their first use" if other == source else f"differ from those of {other}"
            raise WeightsError(
                f"the weights {entry.name!r} {changed}.\n"
                f"  file: {path}\n  sha256 now: {sha256}\n  sha256 recorded: {facts['sha256']}\n"
                # the hub's cache holds a link, and links a damaged file again while that still exists: name the file
                f"If the file is damaged, delete {path.resolve()} and get it again. If the change is meant, remove the "
                f"entry {other!r} from the record {_record_file()}; results of the old file are not comparable then."
            )
        logger.warning(
            "%s: %s (sha256 %s) differs from %s (sha256 %s)", entry.name, source, sha256, other, facts["sha256"]
        )
    return ResolvedWeights(entry.name, path, source, revision, sha256)


def remember(weights: ResolvedWeights) -> None:
    """Record the checksum (and revision) of published weights at their first use, once they have proved to load.

    Files that were named by their path are not recorded.

    Raises
    ------
    WeightsError
        The record cannot be read or written.
    """
    if weights.name not in PUBLISHED:
        return
    record = _read_record()
    if weights.source not in record:
        record[weights.source] = {"name": weights.name, "revision": weights.revision, "sha256": weights.sha256}
        _write_record(record)


def _sha256(path: Path) -> str:
    """Hash a file once in this process, and again whenever its status says that it was touched."""
    try:
        status = path.stat()
        return _sha256_at(path, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns)
    except OSError as error:
        raise WeightsError(f"{path}: cannot be read: {error.strerror or error}") from error


@functools.lru_cache(maxsize=64)
def _sha256_at(path: Path, *status: int) -> str:
    return sha256_of(path)


def _record_file() -> Path:
    """Return the path of the record, ``weights.json`` in the user's cache folder or in ``AURALIGN_CACHE``."""
    folder = os.environ.get(CACHE_VARIABLE)
    return (Path(folder).expanduser() if folder else platformdirs.user_cache_path("auralign")) / "weights.json"


def _read_record() -> dict[str, dict[str, Any]]:
    """Read {source: {"name", "revision", "sha256"}}; empty where there is no record yet."""
    path = _record_file()
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
        if all({"name", "revision", "sha256"} <= set(facts) for facts in record.values()):
            return record
        reason = "an entry lacks name, revision or sha256"
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except (OSError, ValueError, AttributeError, TypeError) as error:
        reason = str(error)
    raise WeightsError(
        f"the record of checksums {path} cannot be read: {reason}; "
        f"correct it, or delete it (checksums are then recorded anew)"
    )


def _write_record(record: dict[str, dict[str, Any]]) -> None:
    """Replace the record in one step, so that a reader never sees half of it."""
    path = _record_file()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(
            "w", encoding="utf-8", dir=path.parent, prefix=".weights", suffix=".json", delete=False
        ) as file:
            json.dump(record, file, indent=2, sort_keys=True)
        os.replace(file.name, path)
    except OSError as error:
        raise WeightsError(
            f"the record of checksums {path} cannot be written: {error.strerror}; "
            f"set the environment variable {CACHE_VARIABLE} to a folder that can be written to"
        ) from error
