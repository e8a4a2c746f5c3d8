"""What git-annex knows of a dataset's files, and how its commands are called."""

import hashlib
import json
import logging
import os
import re
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from subprocess import PIPE, run

from ..errors import DatasetError
from .recipes import matches

BUILD = "auralign data build"
IDENTITY = {f"GIT_{who}_{what}": value for who in ("AUTHOR", "COMMITTER")
            for what, value in {"NAME": "auralign", "EMAIL": "auralign@localhost"}.items()}  # fmt: skip
KEY = re.compile(r"(?P<backend>[A-Z0-9_]+)(-s(?P<size>\d+))?(-\w+)*--(?P<name>.*)", re.DOTALL)
UNKNOWN = "VURL--"  # begins the key of a content of which no checksum is known in advance

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class AnnexedFile:
    """A file whose content git-annex keeps: where it can be had, and what it must be.

    Attributes
    ----------
    path : str
        In the dataset.
    key : str
        git-annex's name of the content.
    urls : tuple of str
        Addresses of the content.
    elsewhere : bool
        Another dataset that is known here has it.
    size : int or None
        Bytes; None where that is not known yet.
    checksum : tuple of str, or None
        Algorithm ("md5", "sha256") and hexadecimal digits; None where no checksum is known yet.
    """

    path: str
    key: str
    urls: tuple[str, ...]
    elsewhere: bool
    size: int | None
    checksum: tuple[str, str] | None

    def wanted(self) -> str:
        """Size and checksum in words."""
        size = "a size that is not known" if self.size is None else f"{self.size} bytes"
        return f"{size}, {' '.join(self.checksum) if self.checksum else 'a checksum that is not known'}"


def absent(dataset: Path, paths: Sequence[str]) -> list[AnnexedFile]:
    """The annexed files of `paths` (empty: of all) whose content is not here."""
    dataset = Path(dataset)
    annex_folder(dataset)
    if unknown := [path for path in paths if not os.path.lexists(dataset / path)]:
        raise DatasetError(f"{dataset} has no file {', '.join(unknown[:5])}")
    command = ["git", "annex", "whereis", "--json", "--not", "--in=here", "--", *paths]
    records = [json.loads(line) for line in call(*command, cwd=dataset, check=False).splitlines()]
    first = _first_downloads(dataset, [record["key"] for record in records if record["key"].startswith(UNKNOWN)])
    files = []
    for record in records:
        key, places = record["key"], record["whereis"]
        urls = tuple(url for place in places for url in place["urls"])
        elsewhere = any(not place["urls"] for place in places)
        files.append(AnnexedFile(record["file"], key, urls, elsewhere, *_content(first.get(key, key))))
    return files


def annexed(dataset: Path) -> dict[str, str]:
    """Every annexed file, present or not: path -> key."""
    annex_folder(dataset)
    # git-annex escapes what is unusual in a path, NUL it cannot write: JSON
    lines = call("git", "annex", "find", "--json", "--include=*", cwd=dataset).splitlines()
    return {record["file"]: record["key"] for record in map(json.loads, lines)}


def select(dataset: Path, patterns: Sequence[str]) -> list[str]:
    """The annexed files that patterns select (see `recipes.matches`); a pattern that selects none is an error."""
    paths = list(annexed(dataset))
    for pattern in patterns:
        if not any(matches(path, [pattern]) for path in paths):
            shown = ", ".join(sorted(paths)[:5]) + (", ..." if len(paths) > 5 else "")
            raise DatasetError(f"{pattern!r} selects no file of {dataset}; there are {len(paths)}: {shown}")
    return [path for path in paths if matches(path, patterns)]


def pin(dataset: Path, paths: Sequence[str]) -> None:
    """Record the checksums of files that are here and had none: their keys become MD5 keys, in a commit.

    git-annex itself keeps the checksum of a first download too, but not where it is binding: where a server sends
    parts of files, it takes other content of the same length at a later download, and adds its checksum.
    """
    dataset = Path(dataset)
    keys = annexed(dataset)
    unknown = {path: keys[path] for path in paths if keys.get(path, "").startswith(UNKNOWN)}
    new = {path: key for path, key in unknown.items() if (dataset / path).exists()}
    if new:
        call("git", "annex", "migrate", "--quiet", "--backend=MD5E", "--", *new, cwd=dataset)
        call("git", "annex", "dropkey", "--quiet", "--force", *set(new.values()), cwd=dataset)
        for path, key in annexed(dataset).items():
            if path in new:
                size, checksum = _content(key)
                assert checksum is not None  # the key was made of it: MD5E
                logger.warning("%s: no checksum was known; recorded: %d bytes, %s %s", path, size, *checksum)
    # also what an interrupted call has left to commit
    commit(dataset, paths, "Record the checksums of the first download")


def commit(dataset: Path, paths: Iterable[str], message: str) -> None:
    """Commit what is staged of some files, and nothing else: equal changes to equal commits give equal commits."""
    staged = call("git", "diff", "--cached", "--name-only", "-z", cwd=dataset).split("\0")
    if not (mine := sorted(set(paths) & set(staged))):
        return
    date = call("git", "log", "-1", "--format=%ct +0000", cwd=dataset).strip()
    pinned = IDENTITY | {"GIT_AUTHOR_DATE": date, "GIT_COMMITTER_DATE": date}
    command = ["git", "--literal-pathspecs", "-c", "commit.gpgsign=false", "commit", "--quiet", "--no-verify"]
    command += ["-m", message, "--pathspec-from-file=-", "--pathspec-file-nul"]
    call(*command, cwd=dataset, stdin="\0".join(mine), extra=pinned)


def _parts(key: str) -> re.Match[str]:
    """Take a key apart: its backend, size and name."""
    parts = KEY.fullmatch(key)
    if parts is None:
        raise DatasetError(f"{key!r} is no key of git-annex's.")
    return parts


def key_size(key: str) -> int | None:
    """Bytes, as a key tells them."""
    size = _parts(key)["size"]
    return None if size is None else int(size)


def annex_folder(dataset: Path) -> Path:
    """git-annex's own folder of a dataset, on the same disk, absolute; a DatasetError if there is none."""
    dataset = Path(dataset).absolute()
    # `.git` is a file that names a folder where the dataset was absorbed into another
    if (dataset / ".git").exists():
        folder = dataset / call("git", "rev-parse", "--git-dir", cwd=dataset).strip() / "annex"
        if folder.is_dir():
            return folder
    raise DatasetError(f"{dataset} is not a DataLad dataset: build it with `{BUILD} {dataset.name}`")


def call(*command: str, cwd: Path, stdin: str = "", extra: dict | None = None, check=True, stderr=PIPE) -> str:
    """Standard output of a command, run with the git-annex and datalad that belong to this Python."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}"
    # What git sets while it runs a hook would lead to another repository.
    hooks = ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_PREFIX")
    env = {name: value for name, value in os.environ.items() if name not in hooks} | {"PATH": path}
    try:
        known = run(["git", "var", "GIT_COMMITTER_IDENT"], cwd=cwd, env=env, capture_output=True)
        env = (IDENTITY if known.returncode else {}) | env | (extra or {})
        done = run(command, cwd=cwd, env=env, input=stdin, stdout=PIPE, stderr=stderr, text=True)
    except FileNotFoundError as error:
        raise DatasetError(f"{error.filename} is missing: install git, datalad and git-annex") from error
    if check and done.returncode:
        raise DatasetError(f"`{' '.join(command[:4])} ...` failed in {cwd}: {done.stderr.strip()[-2000:]}")
    return done.stdout


def _content(key: str) -> tuple[int | None, tuple[str, str] | None]:
    """Size and checksum of a content, as its key tells them."""
    parts = _parts(key)
    algorithm = {"MD5": "md5", "SHA256": "sha256"}.get(parts["backend"].removesuffix("E"))
    return key_size(key), (algorithm, parts["name"].partition(".")[0]) if algorithm else None


def _first_downloads(dataset: Path, keys: Sequence[str]) -> dict[str, str]:
    """Of keys without a checksum, those with which git-annex has recorded their first download."""
    found = {}
    for key in keys:
        # git-annex's branch has a file for it, of lines `time 1 key` (0: taken back)
        md5 = hashlib.md5(key.encode()).hexdigest()
        place = f"git-annex:{md5[:3]}/{md5[3:6]}/{key}.log.ek"
        lines = [line.split() for line in call("git", "show", place, cwd=dataset, check=False).splitlines()]
        if current := sorted(line for line in lines if line[1] == "1"):
            found[key] = current[0][2]
    return found
