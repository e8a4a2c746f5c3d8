"""Storing a stimulus's features so that nothing half-written or out of date is ever left behind.

junifer's HDF5 storage keeps one file per stimulus (`single_output: false`, the default of `junifer run`) and
`junifer collect` merges them. Four of its habits need care:

- it writes a file in place, in many steps: an interruption leaves a file that blocks every later command;
- it recomputes what is stored already and then keeps the OLD values where the metadata are the same;
- where the metadata differ it keeps both under one name, and reading by name fails;
- `collect` cannot replace a collected file that holds another number of stimuli.

So features go to a side file which replaces the stimulus's file when it is complete; what is stored is compared with
what would be stored before anything is computed; and a collected file is set aside when a new stimulus file arrives.
Several processes may store into one storage (`junifer queue`): each stimulus has a lock, which is held from the look at
what is stored until the file is in place.
"""

from __future__ import annotations

import logging
import os
import re
import shutil
import socket
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import h5py
import junifer.storage

from auralign.files.yaml_text import read_junifer_yaml
from auralign.inputs.sounds import Sound, sounds_path, write_sound

from .locks import exclusive

if TYPE_CHECKING:
    # junifer imports its storages, and with them its brain atlases, when one is named: seconds at every import of ours
    from junifer.storage import HDF5FeatureStorage

    from .gathering import GatheringStorage

logger = logging.getLogger("junifer")

_STIMULUS_SHA256 = "auralign_stimulus_sha256"


class StorageError(RuntimeError):
    """Features cannot be stored; the message names the storage and the reason."""


class StaleFeaturesError(RuntimeError):
    """Stored features were computed from something else than what would be computed now."""


def _differences(old: Any, new: Any, key: str = "") -> list[str]:
    """List the leaves of two nested metadata dictionaries that differ, as `key: old -> new`."""
    if isinstance(old, dict) and isinstance(new, dict):
        found = []
        for name in sorted(set(old) | set(new), key=str):
            found += _differences(old.get(name), new.get(name), f"{key}.{name}" if key else str(name))
        return found
    if isinstance(old, (list, tuple)) and isinstance(new, (list, tuple)) and list(old) == list(new):
        return []
    return [] if old == new else [f"{key}: {old!r} -> {new!r}"]


class StimulusFile:
    """The HDF5 file of one stimulus inside a junifer storage.

    Parameters
    ----------
    storage : HDF5FeatureStorage
        A storage with one file per element.
    element : dict
        junifer's element, for example `{"stimulus": "stim5_alarm_clock"}`.
    """

    def __init__(self, storage: HDF5FeatureStorage, element: dict) -> None:
        self.storage = storage
        self.element = element
        self.path = Path(storage._fetch_correct_uri_for_io(element=element))
        side = Path(storage.uri).with_suffix(f".{socket.gethostname()}-{os.getpid()}").name
        self._partial_path = self.path.with_name(self.path.name.removesuffix(Path(storage.uri).name) + side)

    @staticmethod
    def manages(storage: Any) -> bool:
        """Tell whether a storage keeps one HDF5 file per element."""
        return isinstance(storage, junifer.storage.HDF5FeatureStorage) and not storage.single_output

    def _stored(self) -> tuple[dict[str, dict], str | None]:
        """Return the metadata by MD5 and the stimulus's checksum; set an unreadable file aside."""
        if not self.path.exists():
            return {}, None
        try:
            metadata = self.storage._read_metadata(element=self.element)
            with h5py.File(self.path, "r") as file:
                checksum = file.attrs.get(_STIMULUS_SHA256)
                damaged = [md5 for md5 in metadata if md5 not in file]
            if damaged:
                raise OSError(f"features {damaged} are announced but not stored")
        except (OSError, RuntimeError, KeyError, ValueError) as error:
            aside = self.path.with_name(self.path.name + ".unreadable")
            if _moved(self.path, aside):
                logger.warning(
                    f"{self.path} cannot be read ({error}); it was set aside as {aside.name} and is computed again."
                )
            return {}, None
        return metadata, checksum

    def is_complete(self, marker: str, expected: dict[str, dict], stimulus_sha256: str) -> bool:
        """Tell whether the features of a marker are stored already, computed from the same things.

        Parameters
        ----------
        marker : str
            The marker's name.
        expected : dict of str to dict
            Metadata by MD5, as junifer would store them now.
        stimulus_sha256 : str
            Checksum of the sound file.

        Raises
        ------
        StaleFeaturesError
            Features of that name are stored that were computed otherwise.
        """
        metadata, checksum = self._stored()
        if checksum is not None and checksum != stimulus_sha256:
            raise StaleFeaturesError(
                f"{self.path} holds features of another sound: the sound file has changed, sha256 "
                f"{checksum[:12]}... -> {stimulus_sha256[:12]}....\njunifer would silently keep the old values, so "
                f"nothing was written. {self._advice('')}"
            )
        self._refuse_others(marker, metadata, expected)
        return set(expected) <= set(metadata)

    def holds(self, marker: str) -> bool:
        """Tell whether any feature of a marker is stored, without a look at how it was computed."""
        if not self.path.exists():
            return False
        try:
            metadata = junifer.storage.HDF5FeatureStorage(uri=self.path).list_features()
        except (OSError, RuntimeError, KeyError, ValueError):
            return False  # it is set aside when its own turn comes
        return any(re.fullmatch(rf"Audio_{re.escape(marker)}_layer\d+", meta["name"]) for meta in metadata.values())

    def check_sibling(self, marker: str, expected: dict[str, dict]) -> None:
        """Compare with the features of one other stimulus, so that stimuli of one storage are never computed otherwise.

        Raises
        ------
        StaleFeaturesError
        """
        uri = Path(self.storage.uri)
        sibling = next((path for path in sorted(uri.parent.glob(f"element_*_{uri.name}")) if path != self.path), None)
        if sibling is None:
            return
        try:
            metadata = junifer.storage.HDF5FeatureStorage(uri=sibling).list_features()
        except (OSError, RuntimeError, KeyError, ValueError):
            return  # it is set aside when its own turn comes
        self._refuse_others(marker, metadata, expected, where=sibling)

    def _refuse_others(
        self, marker: str, metadata: dict[str, dict], expected: dict[str, dict], where: Path | None = None
    ) -> None:
        """Raise where features of the marker's name are stored under other metadata than the expected."""
        name_of_own = re.compile(rf"Audio_{re.escape(marker)}_layer\d+")
        old = next((m for md5, m in metadata.items() if md5 not in expected and name_of_own.fullmatch(m["name"])), None)
        if old is None:
            return
        new = next((meta for meta in expected.values() if meta["name"] == old["name"]), next(iter(expected.values())))
        raise StaleFeaturesError(
            f"{where or self.path} holds features of the marker {marker!r} that were computed otherwise:\n  "
            + "\n  ".join(_differences(old, new))
            + "\njunifer would silently keep the old values beside or instead of the new ones, so nothing was written. "
            + self._advice(" or the marker another name (name), which keeps both")
        )

    def _advice(self, alternative: str) -> str:
        uri = Path(self.storage.uri)
        return (
            f"Either give the YAML another storage (storage: uri){alternative}; or delete the old features "
            f"(rm {uri.parent}/element_*_{uri.name} {uri}) and run again."
        )

    def locked(self) -> AbstractContextManager[None]:
        """Keep other processes from this stimulus: what is stored is read, copied and replaced by one at a time."""
        return exclusive(self.path)

    def record_sound(self, sound: Sound) -> None:
        """Note what is known of the sound in the table beside the storage."""
        storage = Path(self.storage.uri)
        with exclusive(sounds_path(storage)):
            write_sound(storage, sound)

    def open_partial(self) -> Path:
        """Return the side file, a copy of what is stored; none where nothing is stored yet."""
        self._remove_orphans()
        self._partial_path.unlink(missing_ok=True)
        if self.path.exists():
            shutil.copyfile(self.path, self._partial_path)
        return self._partial_path

    def write(self, features: GatheringStorage, stimulus_sha256: str) -> None:
        """Write features into the side file, beside what is stored already.

        Parameters
        ----------
        features : GatheringStorage
        stimulus_sha256 : str
            Checksum of the sound file.
        """
        stored, _ = self._stored()
        with h5py.File(self.open_partial(), "a") as file:
            features.write(file, stored)
            file.attrs[_STIMULUS_SHA256] = stimulus_sha256

    def commit(self) -> None:
        """Put the side file in place, and set an older collected file aside (its content is in the stimulus files)."""
        collected = Path(self.storage.uri)
        aside = collected.with_name(collected.name + ".outdated")
        if _moved(collected, aside):
            logger.warning(
                f"{collected} did not hold the features that are stored now; it was set aside as {aside.name}. "
                "Run `junifer collect` again."
            )
        os.replace(self._partial_path, self.path)

    def discard_partial(self) -> None:
        """Remove the side file of an interrupted or failed computation."""
        self._partial_path.unlink(missing_ok=True)

    def _remove_orphans(self) -> None:
        """Remove side files of this stimulus that killed processes left.

        The lock of the stimulus is held, so that none of them belongs to a process that goes on.
        """
        beginning = self._partial_path.name.rsplit("-", 1)[0] + "-"
        folder = self._partial_path.parent
        # not by a pattern: the folder holds a file for every stimulus, and is looked through for every one of them
        for name in os.listdir(folder):
            if name.startswith(beginning) and name[len(beginning) :].isdigit():
                (folder / name).unlink(missing_ok=True)


def _moved(old: Path, new: Path) -> bool:
    """Move a file where it is there; another process may have done so at any moment."""
    try:
        os.replace(old, new)
    except FileNotFoundError:
        return False
    return True


def refuse_leftovers(yaml_file: Path, stimuli: set[str]) -> None:
    """Refuse to run where the YAML's storage holds stimuli that the dataset does not have any more.

    `junifer collect` would put them among the others.

    Raises
    ------
    StaleFeaturesError
    """
    storage = (read_junifer_yaml(Path(yaml_file).read_text(encoding="utf-8")).get("storage") or {}).get("uri")
    if storage is None:
        return
    uri = (Path(yaml_file).resolve().parent / storage).resolve()
    head, tail = "element_", f"_{uri.name}"
    stored = {path.name[len(head) : -len(tail)]: path for path in uri.parent.glob(f"{head}*{tail}")}
    surplus = [stored[stimulus] for stimulus in sorted(set(stored) - stimuli)]
    if surplus:
        files = "\n  ".join(f"rm {path}" for path in surplus)
        raise StaleFeaturesError(
            f"{uri.parent} holds features of {len(surplus)} stimuli that the dataset does not have; `junifer collect` "
            "would keep them among the others. Give the YAML another storage (storage: uri), or delete them:\n  "
            f"{files}"
        )
