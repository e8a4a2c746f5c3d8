"""Checksums of files."""

import hashlib
from pathlib import Path


def sha256_of(path: str | Path) -> str:
    """Return the SHA-256 of a file's bytes, 64 hexadecimal digits."""
    return _digest(path, "sha256")


def md5_of(path: str | Path) -> str:
    """Return the MD5 of a file's bytes, 32 hexadecimal digits: what git-annex keys are made of."""
    return _digest(path, "md5")


def _digest(path: str | Path, algorithm: str) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, algorithm).hexdigest()
