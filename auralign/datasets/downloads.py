"""Bringing a dataset's content with `datalad get`, and saying of every file that did not come why it did not."""

import hashlib
import json
import os
import ssl
import threading
import time
from collections.abc import Iterable, Sequence
from http.client import HTTPException, IncompleteRead
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import Request, urlopen

from ..errors import DatasetError
from .annex import BUILD, UNKNOWN, AnnexedFile, absent, call, pin, select
from .recipes import Recipe

# Bytes that are read again to tell what is wrong with them; an archive of gigabytes is not.
READ_AGAIN = 50_000_000
# Of git-annex's words, those about an address that is better asked what it serves.
SAYS_LITTLE = ("known url(s) failed", "download failed:", "Verification of content failed")


def get(dataset: Path) -> int:
    """`fetch` everything that is absent."""
    return fetch(dataset, [])


def get_selected(recipe: Recipe, dataset: Path, selectors: Sequence[str] = (), jobs: int | None = None) -> int:
    """`fetch` the recipe's files that selectors (names of subsets, or patterns) choose; none: all of them.

    Checksums that were not known are recorded (`annex.pin`). A dataset in the table is attached; its own files come
    only if a selector chooses some of them, since they may be more than anybody wants. DatasetError: also if a selector
    chooses nothing.
    """
    dataset, number = Path(dataset), 0
    if files := selected(recipe, dataset, selectors):
        try:
            number += fetch(dataset, files, jobs=jobs)
        finally:
            pin(dataset, files)
    for row in recipe.select(selectors) if recipe.files else ():
        if row.kind == "dataset":
            attach(dataset, row.path, recipe.urls(row)[0])
            prefix = f"{row.path}/"
            patterns = [p.removeprefix(prefix) for p in recipe.patterns(selectors) if p.startswith(prefix)]
            if patterns:
                number += fetch(dataset / row.path, select(dataset / row.path, patterns), jobs=jobs)
    return number


def selected(recipe: Recipe, dataset: Path, selectors: Sequence[str]) -> list[str]:
    """The recipe's files that selectors choose: not the members that were added from archives."""
    if recipe.generator:
        return select(dataset, recipe.patterns(selectors))
    return [row.path for row in recipe.select(selectors) if row.kind == "file"]


def attach(dataset: Path, path: str, url: str, timeout: float = 5.0) -> bool:
    """Clone the dataset at `url` into `path` of a dataset, as its subdataset: True; False if it is there already."""
    dataset = Path(dataset)
    if (dataset / path / ".git").exists():
        return False
    if reasons := _silent_hosts([url], timeout):
        raise DatasetError(f"{path} could not be attached to {dataset} from {url}: {', '.join(reasons.values())}")
    registered = call("git", "ls-files", "--", path, cwd=dataset)
    command = ["get", "--no-data", "--", path] if registered else ["clone", "-d", ".", url, path]
    call("datalad", *command, cwd=dataset)
    return True


def fetch(dataset: Path, paths: Sequence[str], timeout: float = 5.0, jobs: int | None = None) -> int:
    """Fetch with `datalad get` what is absent of `paths` (empty: of all): the number of files fetched.

    Each host is asked first, once and all at the same time, for at most `timeout` seconds. `jobs`: files fetched at
    the same time, DataLad's own choice by default. DatasetError names the files that did not come, their addresses
    and the reason, and tells how to supply them by hand.
    """
    files = absent(dataset, paths)
    silent = _silent_hosts([url for file in files for url in file.urls], timeout)
    reasons: dict[str, str] = {}
    for file in files:
        why = [silent.get(urlsplit(url).netloc) or "" for url in file.urls]
        if why and all(why) and not file.elsewhere:
            reasons[file.path] = why[0]
    if wanted := [file.path for file in files if file.path not in reasons]:
        # No retries: the waits in between add up. Progress goes to the terminal.
        parallel = ["--jobs", str(jobs)] if jobs else []
        command = ["datalad", "-c", "datalad.annex.retry=0", "-f", "json", "get", *parallel, "--", *wanted]
        for line in call(*command, cwd=dataset, check=False, stderr=None).splitlines():
            record = json.loads(line)
            if record["status"] in ("error", "impossible"):
                said = dict.fromkeys((record.get("error_message") or record.get("message") or "").splitlines())
                reasons[os.path.relpath(record["path"], record["refds"])] = "; ".join(said)
        _refuse_changed(dataset, files)
    if not (left := absent(dataset, paths)):
        return len(files)
    lines = [f"{len(left)} of {len(files)} files could not be fetched into {dataset}:"]
    lines += [f"{file.path} from {_why(file, reasons.get(file.path, ''), timeout)}" for file in left]
    by_hand = f"Try again later, or supply the files by hand: {BUILD} {Path(dataset).name} --source FOLDER"
    raise DatasetError("\n  ".join(lines) + f"\n{by_hand}")


def _refuse_changed(dataset: Path, files: Iterable[AnnexedFile]) -> None:
    """Drop what is not the content of the first download again, which git-annex may have taken (see `annex.pin`)."""
    for file in files:
        place = Path(dataset) / file.path
        if file.key.startswith(UNKNOWN) and file.checksum and place.exists():
            with open(place, "rb") as content:
                found = hashlib.file_digest(content, file.checksum[0]).hexdigest()
            if found != file.checksum[1]:
                call("git", "annex", "drop", "--quiet", "--force", "--", file.path, cwd=dataset)


def _silent_hosts(urls: Iterable[str], timeout: float) -> dict[str, str]:
    """Host -> why it cannot be reached, for every host of `urls` that gives no answer in time."""
    one_each = {urlsplit(url).netloc: url for url in urls if urlsplit(url).scheme in ("http", "https")}
    silent = {host: f"{host} does not answer within {timeout:g} s" for host in one_each}

    def ask(host: str, url: str) -> None:
        try:
            urlopen(Request(url, method="HEAD"), timeout=timeout).close()
        except (OSError, HTTPException) as error:
            reason = getattr(error, "reason", error)
            if isinstance(reason, OSError) and not isinstance(reason, ssl.SSLError):
                silent[host] = f"{host} cannot be reached ({reason})"
                return
        del silent[host]  # it answers, even if only by an error

    # Threads that nobody waits for: looking up a name has no time-out of its own.
    threads = [threading.Thread(target=ask, args=item, daemon=True) for item in one_each.items()]
    for thread in threads:
        thread.start()
    end = time.monotonic() + timeout
    for thread in threads:
        thread.join(max(0.0, end - time.monotonic()))
    return dict(silent)


def _why(file: AnnexedFile, said: str, timeout: float) -> str:
    """Where a file was sought and why it did not come; `said`: what git-annex said."""
    if not file.urls:
        unknown = (
            f"nowhere: no place is known that has it (a member of an archive comes back by `{BUILD} NAME --unpack`)"
        )
        return f"where it was cloned from: {said}" if file.elsewhere else unknown
    if telling := [part for part in said.split("; ") if part and not any(words in part for words in SAYS_LITTLE)]:
        return f"{file.urls[0]}: {'; '.join(telling)}"
    return "; from ".join(f"{url}: {_served(file, url, timeout)}" for url in file.urls)


def _served(file: AnnexedFile, url: str, timeout: float) -> str:
    """Why git-annex refused what an address serves."""
    broke = "the transfer broke; what came is kept, and the next attempt goes on from there"
    try:
        with urlopen(url, timeout=timeout) as reply:
            length = int(reply.headers.get("Content-Length", -1))
            if file.size is not None and length not in (-1, file.size):
                return f"wrong size: {length} bytes, wanted {file.wanted()}"
            if file.checksum is None or length > READ_AGAIN:
                return f"the transfer broke, or the content is not {file.wanted()}"
            digest, number = hashlib.new(file.checksum[0]), 0
            while chunk := reply.read(1 << 20):
                digest.update(chunk)
                number += len(chunk)
    except IncompleteRead:
        return broke
    except (OSError, HTTPException, ValueError) as error:
        return str(error)
    if length not in (-1, number) or digest.hexdigest() == file.checksum[1]:
        return broke
    return f"wrong checksum: {file.checksum[0]} {digest.hexdigest()}, wanted {file.checksum[1]}"
