"""Adding members of an archive to the dataset that holds it, so that git-annex knows each of them by its checksum.

A tar file, packed or not, is read once from its begin; nothing that it says is trusted. A member becomes an annexed
file at its own path, relative to the archive's folder. Refused by name: absolute paths, `..`, names that cannot be
printed, links to anything but a file of the archive, devices, and whatever would replace a file of the dataset. Hidden
names (`.DS_Store`, `._x`, anything in `.git`) are passed over.
"""

import gzip
import hashlib
import lzma
import os
import posixpath
import tarfile
import tempfile
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from tqdm import tqdm

from ..errors import DatasetError
from .annex import BUILD, annex_folder, annexed, call, commit, key_size
from .recipes import matches

SUFFIXES = (".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz")
DAMAGE = (tarfile.TarError, gzip.BadGzipFile, EOFError, zlib.error, lzma.LZMAError)
BATCH = 1000  # members between two calls of git-annex
CHUNK = 1 << 20  # bytes


class _Refused(Exception):
    """Why a member is not added."""


@dataclass
class _Destination:
    """Where members go, and what has become of them so far."""

    dataset: Path
    folder: PurePosixPath  # the archive's, in the dataset
    incoming: Path  # temporary, on the dataset's disk
    keys: dict[str, str]  # of the annexed files, when the call began
    tracked: set[str]  # every file that git knew then
    entered: dict[str, str] = field(default_factory=dict)  # path -> md5, in this call
    to_add: list[str] = field(default_factory=list)  # in their place, but not annexed yet
    to_restore: list[tuple[Path, str]] = field(default_factory=list)  # copy, path of the key that waits for it
    brought: set[str] = field(default_factory=set)  # by this archive, now or earlier


def is_archive(path: str) -> bool:
    """Whether a path is called like an archive that can be unpacked."""
    return path.endswith(SUFFIXES)


def add_members(dataset: Path, archive: str, patterns: Sequence[str] = ()) -> tuple[int, list[str]]:
    """Add the members that patterns choose (see `recipes.matches`; none: all): their number, a line per problem.

    Members that the dataset has already are passed over, so that an interrupted call can be repeated and a dropped
    member comes back. The same members added to the same commit give the same commit.

    Raises
    ------
    DatasetError
        The archive's content is not here, it is no tar file, or the disk is full.
    """
    dataset = Path(dataset)
    annex = annex_folder(dataset)
    path = dataset / archive
    if not path.is_file():
        raise DatasetError(
            f"the content of {archive} is not in {dataset}: {BUILD} {dataset.name} --get --subset {archive}"
        )
    tracked = set(call("git", "ls-files", "-z", cwd=dataset).split("\0"))
    try:
        with tempfile.TemporaryDirectory(dir=annex) as incoming, tarfile.open(path) as tar:
            to = _Destination(dataset, PurePosixPath(archive).parent, Path(incoming), annexed(dataset), tracked)
            problems = [f"{archive}: {problem}" for problem in _read(tar, to, patterns)]
            _flush(to)
    except tarfile.ReadError as error:
        raise DatasetError(f"{path} is no tar file: {error}") from error
    except OSError as error:
        raise DatasetError(f"{archive} could not be unpacked into {dataset}: {error}; run it again to go on") from error
    commit(dataset, to.brought, f"Add members of {archive}")
    return len(to.entered), problems


def _read(tar: tarfile.TarFile, to: _Destination, patterns: Sequence[str]) -> list[str]:
    """Go through an archive and bring what is chosen: a line per problem."""
    problems, unused = [], set(patterns)
    try:
        for member in tqdm(tar, desc="members", unit="member", disable=None):
            parts = [part for part in member.name.split("/") if part not in ("", ".")]
            name = "/".join(parts)
            if member.isdir() or not matches(name, patterns):
                continue
            unused -= {pattern for pattern in unused if matches(name, [pattern])}
            try:
                _check_name(member.name, parts)
                if not any(part.startswith(".") for part in parts):
                    _bring(tar, member, (to.folder / name).as_posix(), to)
            except _Refused as reason:
                problems.append(f"{member.name!r} is refused: {reason}")
        # tarfile takes a damaged header for the end, which is a block of zeros
        tar.fileobj.seek(tar.offset)
        if tar.fileobj.read(tarfile.BLOCKSIZE) != bytes(tarfile.BLOCKSIZE):
            raise tarfile.ReadError(f"no member and no end at byte {tar.offset}")
    except DAMAGE as error:
        return [*problems, f"it is damaged ({error}); what came before that was added. Drop it and get it again."]
    return problems + [f"no member is chosen by {pattern!r}" for pattern in sorted(unused)]


def _bring(tar: tarfile.TarFile, member: tarfile.TarInfo, path: str, to: _Destination) -> None:
    """Bring one member to a path of the dataset, unless it is there; `_Refused` says why not."""
    source, place, key = _regular(tar, member), to.dataset / path, to.keys.get(path)
    _check_place(PurePosixPath(path), key, source.size, to)
    to.brought.add(path)
    if key is not None and place.exists():
        return
    copy = to.incoming / str(len(to.entered))
    digest = _copy(tar, source, copy)
    if path in to.entered or (key is None and os.path.lexists(place)):
        # twice in the archive, left by an interrupted call, or somebody's own
        if digest != (to.entered.get(path) or _md5(place)):
            raise _Refused(f"{path} is there already, with another content")
        if path in to.entered:
            return
    elif key is not None:
        if digest not in key:
            raise _Refused(f"{path} is in the dataset with another content (md5 {digest}, key {key})")
        to.to_restore.append((copy, path))
    else:
        place.parent.mkdir(parents=True, exist_ok=True)
        os.rename(copy, place)
    if key is None:
        to.to_add.append(path)
    to.entered[path] = digest
    if len(to.to_add) + len(to.to_restore) >= BATCH:
        _flush(to)


def _check_name(name: str, parts: Sequence[str]) -> None:
    if name.startswith("/"):
        raise _Refused("its path is absolute")
    if ".." in parts:
        raise _Refused("its path leads outside, by `..`")
    if not parts or not name.isprintable():
        raise _Refused("its name cannot be printed")


def _check_place(path: PurePosixPath, key: str | None, size: int, to: _Destination) -> None:
    """Nothing that the dataset has may be replaced or led through."""
    if key is None and str(path) in to.tracked:
        raise _Refused(f"{path} is a file of the dataset itself")
    if key is not None and key_size(key) != size:
        raise _Refused(f"{path} is in the dataset with another content ({key_size(key)} bytes, not {size})")
    for parent in path.parents[:-1]:
        place = to.dataset / parent
        if place.is_symlink() or place.is_file() or (place / ".git").exists():
            raise _Refused(f"{parent} is a file or another dataset")


def _regular(tar: tarfile.TarFile, member: tarfile.TarInfo) -> tarfile.TarInfo:
    """The member itself, or the file of the archive that a link means: links are not made, files are."""
    if member.isreg():
        return member
    if not (member.islnk() or member.issym()):
        raise _Refused("it is a device or a pipe")
    base = posixpath.dirname(member.name) if member.issym() else ""
    target = posixpath.normpath(posixpath.join(base, member.linkname))
    meant = next((other for other in tar.getmembers() if posixpath.normpath(other.name) == target), member)
    if not meant.isreg() or target.startswith(("/", "../")):
        raise _Refused(f"it is a link to {member.linkname!r}, which is no file of the archive")
    return meant


def _copy(tar: tarfile.TarFile, member: tarfile.TarInfo, target: Path) -> str:
    """Write a member's content to a file: its md5."""
    digest, left = hashlib.md5(), member.size
    with open(target, "wb") as file:
        content = tar.extractfile(member)
        assert content is not None  # it is a plain file: `_meant`
        while chunk := content.read(CHUNK):
            file.write(chunk)
            digest.update(chunk)
            left -= len(chunk)
    if left:
        raise tarfile.ReadError(f"{member.name} ends {left} bytes early")
    return digest.hexdigest()


def _md5(place: Path) -> str | None:
    """Of a file; None for anything else."""
    if place.is_symlink() or not place.is_file():
        return None
    with open(place, "rb") as file:
        return hashlib.file_digest(file, "md5").hexdigest()


def _flush(to: _Destination) -> None:
    """Make annexed files of what lies in its place, and give copies to the keys that wait for them."""
    if to.to_add:
        # what a user's own rules ignore (results/, *.pkl) is added all the same
        command = ["git", "annex", "add", "--quiet", "--no-check-gitignore", "--batch", "-z"]
        call(*command, cwd=to.dataset, stdin="".join(f"{path}\0" for path in to.to_add))
    if to.to_restore:
        pairs = [part for copy, path in to.to_restore for part in (str(copy), path)]
        call("git", "annex", "reinject", "--quiet", "--", *pairs, cwd=to.dataset)
    to.to_add.clear()
    to.to_restore.clear()
