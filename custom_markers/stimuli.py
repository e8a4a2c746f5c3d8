"""The data type `Audio` and the data grabber `AudioStimuli`."""

import logging
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from junifer.datagrabber import BaseDataGrabber, DataTypeManager, register_data_type
from pydantic import PrivateAttr
from tqdm import tqdm

from auralign.datasets.building import drop, fetch
from auralign.errors import DatasetError, did_you_mean
from auralign.files.identifiers import normal_form, shown
from auralign.inputs.stimuli import stimulus_order

from .marker.fields import ParameterFields
from .marker.registration import register_datagrabber
from .running.preflight import MissingInputs, at_end, beside_yaml, check, command_name, command_parameter, need
from .running.storing import refuse_leftovers
from .sounds.presence import is_absent_annexed

# junifer 0.0.8 refuses a second registration, and a module may be imported twice under `junifer queue`
if "Audio" not in DataTypeManager():
    register_data_type("Audio", {"mandatory": ["pattern"], "optional": {}})

logger = logging.getLogger("junifer")

# stimuli that a marker is told of in advance: bounds the largest batch
LOOK_AHEAD = 127


@register_datagrabber
class AudioStimuli(ParameterFields, BaseDataGrabber):
    """Grab sound files of a DataLad dataset or a plain folder, in stimulus order, fetching what is not here.

    A dataset is left as it was found: at the end, what was fetched is dropped, and what was there stays.

    Parameters
    ----------
    dataset : str
        Folder of the dataset; a relative path is relative to the YAML file.
    pattern : str
        Path of a sound file inside the dataset with one `{stimulus}`, for example `sounds/wav/{stimulus}.wav`.

    Raises
    ------
    RuntimeError
        (on construction) The pattern has no `{stimulus}`.
    MissingInputs
        (on use) The folder is not there, no file matches, or stimuli could not be fetched; every one is named.
    """

    types: list[str] = ["Audio"]
    datadir: Path = Path(".")
    dataset: str
    pattern: str = "{stimulus}.wav"

    _folder: Any = PrivateAttr(None)
    _paths: Any = PrivateAttr(None)
    _order: Any = PrivateAttr(None)  # the stimuli that the running command turns to
    _position: Any = PrivateAttr(None)  # of each in that order
    _fetched: Any = PrivateAttr(default_factory=list)  # paths in the dataset

    def init_junifer(self) -> None:
        """Finish construction on junifer 0.0.7."""
        types, datadir = self.types, self.datadir
        del self.datadir  # a property of the base class there
        BaseDataGrabber.__init__(self, types=types, datadir=datadir)
        self.validate_datagrabber_params()

    def validate_datagrabber_params(self) -> None:
        """Check the pattern; whether the dataset is there is found out with everything else that a run needs."""
        if self.pattern.count("{stimulus}") != 1:
            raise ValueError(f"pattern {self.pattern!r} must hold {{stimulus}} exactly once.")
        if set(self.pattern) & set("*?[]"):
            raise ValueError(f"pattern {self.pattern!r} may hold no wildcard (* ? [ ]) beside {{stimulus}}.")
        self._folder = beside_yaml(self.dataset)
        need(self.fetch)

    def _stimuli(self) -> dict[str, Path]:
        """Find the sound files, by stimulus in order.

        Raises
        ------
        MissingInputs
            The dataset is not there, or no file matches.
        """
        if self._paths is None:
            if not self._folder.is_dir():
                raise MissingInputs(_no_dataset(self._folder, self.dataset))
            head, tail = self.pattern.split("{stimulus}")
            paths, companions = {}, []
            for path in self._folder.glob(self.pattern.replace("{stimulus}", "*")):
                name = path.relative_to(self._folder).as_posix()
                if path.name.startswith("."):  # a hidden file
                    companions += [name] if path.name.startswith("._") else []
                    continue
                paths[name[len(head) : len(name) - len(tail)]] = path
            if companions:
                logger.warning(
                    "%d files of %s whose names begin with ._ are left out, %s among them: macOS puts them beside "
                    "files on foreign disks, and they hold no sound.",
                    len(companions),
                    self._folder,
                    min(companions),
                )
            if not paths:
                raise MissingInputs(
                    f"no file of {self._folder} matches the pattern {self.pattern!r}: nothing would be extracted. "
                    "Correct `pattern` or `dataset` in the YAML."
                )
            self._refuse_names(paths)
            self._paths = {stimulus: paths[stimulus] for stimulus in stimulus_order(paths)}
        return self._paths

    def _refuse_names(self, paths: dict[str, Path]) -> None:
        """Refuse file names that cannot be stored, or that comparisons would take for one, before anything is computed.

        Raises
        ------
        MissingInputs
        """
        spelt: dict[str, str] = {}
        for stimulus in paths:
            try:
                stimulus.encode()
            except UnicodeEncodeError as error:
                name = os.fsencode(paths[stimulus].name)
                raise MissingInputs(
                    f"{self._folder}: the file name {name!r} is not in UTF-8, as from a foreign disk. Rename the file."
                ) from error
            other = spelt.setdefault(normal_form(stimulus), stimulus)
            if other != stimulus:
                raise MissingInputs(
                    f"{self._folder}: two names of sounds are the same once accents and spaces are written alike: "
                    f"{shown(other, stimulus)} and {shown(stimulus, other)}. Rename one of them."
                )

    def fetch(self) -> None:
        """Bring the content of the stimuli that the command needs and that are not here, in one go.

        Raises
        ------
        MissingInputs
        """
        elements = command_parameter("element")
        wanted = [path for stimulus, path in self._stimuli().items() if not elements or stimulus in elements]
        self._fetch_content(wanted)

    def _fetch_content(self, paths: list[Path]) -> None:
        absent = [path.relative_to(self._folder).as_posix() for path in paths if is_absent_annexed(path)]
        # what else is wrong with a path is told, and skipped, sound by sound (see `presence`)
        if not absent or not (self._folder / ".git").exists():
            return
        if not self._fetched:
            at_end(self._give_back)  # also where the run fails before it has begun
        self._fetched += absent
        try:
            fetch(self._folder, absent)
        except DatasetError as error:
            raise MissingInputs(str(error)) from error

    def __enter__(self) -> "AudioStimuli":
        """Make sure that `junifer run` has its stimuli (no marker of this package may have asked for them)."""
        if command_name() == "run":
            check(self.fetch)
        return self

    def __exit__(self, *exception: Any) -> None:
        """Drop what was fetched."""
        self._give_back()

    def _give_back(self) -> None:
        here = [path for path in self._fetched if (self._folder / path).exists()]
        self._fetched.clear()
        for stays in drop(self._folder, here):
            logger.warning("fetched for this run, but not dropped: %s", stays)

    def __iter__(self) -> Iterator[str]:
        """Yield the stimulus ids in order, with progress on standard error."""
        stimuli = self._stimuli()
        if command_name() == "run":
            refuse_leftovers(command_parameter("filepath"), set(stimuli))
        yield from tqdm(stimuli, desc=f"stimuli of {self._folder.name}", unit="stimulus")

    def get_element_keys(self) -> list[str]:
        """Return `["stimulus"]`."""
        return ["stimulus"]

    def get_elements(self) -> list[str]:
        """Return the stimulus ids in order."""
        return list(self._stimuli())

    def get_item(self, stimulus: str) -> dict[str, dict]:  # type: ignore[override]  # junifer gives keys by name
        """Return the path of one stimulus, fetched if need be."""
        paths = self._stimuli()
        if stimulus not in paths:
            raise ValueError(f"there is no stimulus {stimulus!r} in {self._folder} ({len(paths)} are there).")
        path = paths[stimulus]
        self._fetch_content([path])
        return {"Audio": {"path": path, "upcoming": self._after(stimulus)}}

    def _after(self, stimulus: str) -> dict[str, Path]:
        """Return the stimuli that the running command turns to next, for markers that compute several at once."""
        if command_name() != "run":
            return {}
        if self._order is None:
            elements = command_parameter("element")
            self._order = [name for name in self._stimuli() if not elements or name in elements]
            self._position = {name: position for position, name in enumerate(self._order)}
        if stimulus not in self._position:
            return {}
        first = self._position[stimulus] + 1
        return {name: self._paths[name] for name in self._order[first : first + LOOK_AHEAD]}

    def update_meta(  # type: ignore[override]  # a data grabber is never handed the list that data readers are
        self, input: dict, step_name: str, **kwargs: Any
    ) -> None:
        """Describe the stimuli in the metadata, without paths: moving a study must not make its features stale."""
        super().update_meta(input, step_name, **kwargs)
        meta = input["meta"][step_name]
        for key in ("datadir", "types", "dataset"):
            meta.pop(key, None)
        meta["dataset_id"] = self._dataset_id()

    def _dataset_id(self) -> str | None:
        """Return the id of a DataLad dataset, None for a plain folder."""
        config = self._folder / ".datalad" / "config"
        found = re.search(r"^\s*id\s*=\s*(\S+)", config.read_text(), re.MULTILINE) if config.is_file() else None
        return found.group(1) if found else None


def _no_dataset(folder: Path, given: str) -> str:
    """Say that a dataset is not there, what is there instead, and how to build it."""
    beside = folder.parent
    folders = sorted(path.name for path in beside.glob("[!.]*") if path.is_dir())
    recipes = sorted(path.stem for path in beside.glob("*.yml")) if beside.name == "datalad_dataset" else []
    hint = did_you_mean(folder.name, [*folders, *recipes]) if folder.name not in recipes else ""
    lines = [f"there is no dataset at {folder} (dataset: {given!r}, relative to the YAML file).{hint}"]
    if folders:
        lines.append(f"Folders in {beside}: {', '.join(folders)}.")
    name = folder.name
    if recipes and name not in recipes:
        lines.append(f"Recipes: {', '.join(recipes)}; one of your own: datalad_dataset/README.md.")
        name = "NAME"
    lines.append(
        f"Build it with: auralign data build {name} --get    "
        "(or with --source FOLDER instead of --get, where you have its files in a folder)"
    )
    return "\n".join(lines)
