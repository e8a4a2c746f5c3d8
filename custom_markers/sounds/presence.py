"""What lies at the path of a sound: a file, or one of the many ways in which there is none; and its known checksum."""

import hashlib
import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

from auralign.datasets.annex import KEY

# an unlocked annexed file without content is a small text that starts so
_POINTER = b"/annex/objects/"
_POINTER_LIMIT = 32 * 1024  # bytes, git-annex's own bound on the size of a pointer
_ELSEWHERE = "the sound file is a link to content that is not here"
_ALGORITHMS = {"MD5": "md5", "SHA1": "sha1", "SHA224": "sha224", "SHA256": "sha256", "SHA384": "sha384"} | {
    "SHA512": "sha512",
    "SHA3_256": "sha3_256",
    "SHA3_512": "sha3_512",
}


def problem_of(path: Path) -> str | None:
    """Say why there is no sound file to be read at a path, and what to do; None where there is one.

    Parameters
    ----------
    path : Path

    Returns
    -------
    str or None
        A sentence that goes on after the path: `is missing ...`.
    """
    if path.is_symlink():
        target = os.readlink(path)
        if _is_annexed(target):
            try:
                here = path.exists()
            except PermissionError:
                here = True  # told below
            if not here:
                return f"{_ELSEWHERE}, it is annexed. Get it: datalad get {path}"
        elif not os.path.exists(path) and not _denied(path):
            return f"{_ELSEWHERE}: there is nothing at {target}. Put the file there, or replace the link by the file."
    if _denied(path):
        return "the sound file cannot be read: no permission. Allow it (chmod u+r for a file, u+rx for its folders)."
    if not path.exists():
        return "the sound file is missing."
    if path.is_dir():
        return "a folder stands in the place of a sound file. Move it away, or narrow `pattern` in the YAML."
    if not path.is_file():
        return "this is no file (a pipe, socket or device); a sound file was expected."
    if path.stat().st_size == 0:
        return "the file is empty (0 bytes); expected a sound file. Get it again."
    if not os.access(path, os.R_OK):
        return "the sound file cannot be read: no permission. Allow it (chmod u+r)."
    if _is_pointer(path):
        return f"the sound file is annexed and its content is not here. Get it: datalad get {path}"
    return None


def is_absent_annexed(path: Path) -> bool:
    """Tell whether `datalad get` could bring the content of a path: an annexed file whose content is not here."""
    if path.is_symlink():
        return _is_annexed(os.readlink(path)) and not os.path.exists(path)
    return path.is_file() and os.access(path, os.R_OK) and _is_pointer(path)


def _denied(path: Path) -> bool:
    """Tell whether a folder on the way to a path (or to what it links to) may not be entered."""
    try:
        path.stat()
    except PermissionError:
        return True
    except OSError:
        return False
    return False


def _is_annexed(target: str) -> bool:
    """Tell whether the target of a link is a content of git-annex."""
    return "/annex/objects/" in target  # of `.git`, or of `.git/modules/<name>` where a dataset was absorbed


def _is_pointer(path: Path) -> bool:
    if path.stat().st_size > _POINTER_LIMIT:
        return False
    with open(path, "rb") as file:
        return file.read(len(_POINTER)) == _POINTER


@dataclass(frozen=True)
class KnownChecksum:
    """What git-annex knows of the content of a file.

    Attributes
    ----------
    key : str
        git-annex's name of the content.
    algorithm : str
        A name of `hashlib`.
    digest : str
        Hexadecimal.
    """

    key: str
    algorithm: str
    digest: str

    def fits(self, path: Path) -> bool:
        """Tell whether a file has this checksum."""
        with open(path, "rb") as file:
            return hashlib.file_digest(file, self.algorithm).hexdigest() == self.digest


def known_checksum(path: Path, *, ask_git: bool = False) -> KnownChecksum | None:
    """Return the checksum that git-annex knows of a file, None where it knows none.

    Parameters
    ----------
    path : Path
    ask_git : bool
        Also for files that are no links (unlocked annexed ones): costs the start of a process. Such a file may have
        been changed on purpose, so it is asked for only where nothing else tells whether a sound is whole.
    """
    if path.is_symlink():
        target = os.readlink(path)
        return _parsed(Path(target).name) if _is_annexed(target) else None
    if not ask_git:
        return None
    try:
        done = subprocess.run(
            ["git", "-C", str(path.parent), "cat-file", "blob", f":./{path.name}"], capture_output=True, check=False
        )
    except FileNotFoundError:
        return None  # no git, no dataset
    pointer = done.stdout[:_POINTER_LIMIT]
    if done.returncode or not pointer.startswith(_POINTER):
        return None
    return _parsed(pointer.decode("utf-8", errors="replace").splitlines()[0].rsplit("/", 1)[1])


def _parsed(key: str) -> KnownChecksum | None:
    """Take the checksum out of a git-annex key, `MD5E-s176444--<md5>.wav`; None for keys that hold none (URL, WORM)."""
    found = KEY.fullmatch(key)
    if found is None:
        return None
    backend = found["backend"]
    with_extension = backend.endswith("E")
    algorithm = _ALGORITHMS.get(backend[:-1] if with_extension else backend)
    if algorithm is None:
        return None
    digest = found["name"].split(".", 1)[0] if with_extension else found["name"]
    return KnownChecksum(key, algorithm, digest)
