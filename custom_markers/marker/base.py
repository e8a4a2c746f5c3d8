"""The base class of this package's markers: a sound in, one vector (or time series) per layer out."""

import logging
from copy import deepcopy
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from junifer.markers import BaseMarker
from junifer.storage.utils import process_meta
from pydantic import PrivateAttr

from auralign.files.checksums import sha256_of
from auralign.inputs.sounds import Sound

from ..running.preflight import check, need
from ..running.skipping import Skipping
from ..running.storing import StimulusFile, StorageError
from ..running.yaml_shape import problem_of_storage
from ..sounds.audio import AudioError, read_recording, resample
from ..sounds.presence import problem_of
from ..sounds.soundcheck import findings, summarise_at_end
from .fields import ParameterFields

logger = logging.getLogger("junifer")


class AudioMarker(ParameterFields, BaseMarker):
    """A marker on the data type `Audio` that gives named layers.

    A subclass declares its parameters as annotated fields and gives four things: `SAMPLE_RATE`, `VERSION`, `prepare`
    and `layers_of` with `layer_names`. Features are called `Audio_<name>_layer00`, `Audio_<name>_layer01`, ...
    """

    _MARKER_INOUT_MAPPINGS: ClassVar[dict] = {"Audio": {"layers": "vector"}}
    _DEPENDENCIES: ClassVar[set] = {"soundfile", "soxr"}

    # Hz; sounds are resampled to it before `layers_of`
    SAMPLE_RATE: ClassVar[int] = 24000
    # raise it whenever a change of code changes values: stored features of another version are then refused
    VERSION: ClassVar[str] = "1"
    # parameters that cannot change the values
    VOLATILE: ClassVar[tuple[str, ...]] = ()

    on: Any = None
    if TYPE_CHECKING:
        name: str  # of the class, where the YAML gives none: junifer sees to it
    else:
        name: str | None = None

    _skipping: Any = PrivateAttr(None)
    _sibling_checked: Any = PrivateAttr(default=False)
    _found_stored: Any = PrivateAttr(default=False)
    # what the metadata of a sound hold beside the marker, and the stored metadata by feature
    _described: Any = PrivateAttr(None)
    # layers that were computed in a batch with an earlier sound, by path
    _ahead: Any = PrivateAttr(default_factory=dict)
    # what was found out about sounds when they were read, by path: samples, rate, channels, findings
    _heard: Any = PrivateAttr(default_factory=dict)

    def init_junifer(self) -> None:
        """Finish construction on junifer 0.0.7."""
        BaseMarker.__init__(self, on=self.on, name=self.name)
        self._skipping = Skipping(self.name)
        self.validate_marker_params()

    def validate_marker_params(self) -> None:
        """Check the parameters and note what the marker needs; subclasses extend it."""
        need(self.prepare)

    # ------------------------------------------------------------------ what a subclass gives

    def prepare(self) -> None:
        """Get whatever must be there before the first sound (weights); `MissingInputs` where it cannot be had."""

    def layer_names(self) -> dict[int, str]:
        """Return the name of every layer that is stored, by layer index, in ascending order."""
        raise TypeError(f"{type(self).__name__} does not say which layers it has (layer_names).")

    def resample(self, wave: np.ndarray, rate: int) -> np.ndarray:
        """Bring a sound from its own sampling rate to `SAMPLE_RATE`; a recipe with another filter overrides it."""
        return resample(wave, rate, self.SAMPLE_RATE)

    def layers_of(self, wave: np.ndarray) -> list[np.ndarray]:
        """Compute the stored layers of one sound.

        Parameters
        ----------
        wave : ndarray, shape (samples,), float32
            One channel at `SAMPLE_RATE`, as `resample` gives it.

        Returns
        -------
        list of ndarray, float32
            One per entry of `layer_names()`: shape (units,), or (frames, units) for time series.
        """
        raise TypeError(f"{type(self).__name__} does not compute anything (layers_of).")

    def batch_limit(self) -> int:
        """Return how many sounds `layers_of_batch` may be given at once; 1 where batches gain nothing."""
        return 1

    def layers_of_batch(self, waves: list[np.ndarray]) -> list[list[np.ndarray]]:
        """Compute the stored layers of several sounds of equal length; a network overrides it.

        Parameters
        ----------
        waves : list of ndarray, shape (samples,), float32
            At most `batch_limit()`.

        Returns
        -------
        list of list of ndarray
            For every sound, what `layers_of` gives.
        """
        return [self.layers_of(wave) for wave in waves]

    def identity(self) -> dict[str, Any]:
        """Return what else determines the values, for the metadata (checksums of weights)."""
        return {}

    # ------------------------------------------------------------------ junifer's side

    def validate(self, input: list[str]) -> list[str]:
        """Validate the input type and make sure that the run has every file it needs."""
        output = super().validate(input)
        check(self.prepare)
        return output

    def update_meta(  # type: ignore[override]  # a marker is never handed the list that data readers are
        self, input: dict, step_name: str, **kwargs: Any
    ) -> None:
        """Add to junifer's metadata what makes values reproducible, and leave out what cannot change them."""
        super().update_meta(input, step_name, **kwargs)
        meta = input["meta"][step_name]
        for parameter in self.VOLATILE:
            meta.pop(parameter, None)
        meta.update(
            version=self.VERSION,
            sample_rate=self.SAMPLE_RATE,
            layer_names={str(index): name for index, name in self.layer_names().items()},
            **self.identity(),
        )

    def storage_type(self, input_type: str, output_feature: str) -> str:
        """Return "vector": feature names are dynamic, junifer's table of them is not asked."""
        return "vector"

    def compute(self, input: dict, extra_input: dict | None = None) -> dict[str, dict]:
        """Compute every layer of one sound.

        Returns
        -------
        dict
            `layer00`, `layer01`, ...: dict with `data`, no column labels.

        Raises
        ------
        AudioError
            The sound cannot be used. With the environment variable AURALIGN_ON_ERROR=skip the sound is left out
            instead, and listed when the program ends.
        TooManySkipped
            More than half of the sounds were to be left out for one reason.
        """
        path = input["path"]
        try:
            layers = self._ahead.pop(path, None) or self._compute_with_next(path, input.get("batch_with", []))
            names = self.layer_names()
            if len(layers) != len(names):
                raise RuntimeError(f"{self.name}: {len(layers)} layers computed, {len(names)} expected: {names}.")
            for (index, name), values in zip(names.items(), layers, strict=True):
                if not np.isfinite(values).all():
                    raise AudioError(f"{path}: layer {index} ({name}) of the marker {self.name!r} is not finite.")
        except AudioError as error:
            self._skipping.failed(path, error)
            return {}
        self._skipping.used(path)
        return {
            f"layer{index:02d}": {"data": np.ascontiguousarray(values, dtype=np.float32), "col_names": None}
            for index, values in zip(names, layers, strict=True)
        }

    def _compute_with_next(self, path: Path, batch_with: list[Path]) -> list[np.ndarray]:
        """Compute one sound, and in the same batch the next ones of its length, which are kept until their turn.

        junifer hands over one sound at a time; our data grabber tells which come next. With another data grabber every
        batch is one sound.
        """
        waves = {path: self._read(path)}
        for following in batch_with:
            try:
                wave = self._read(following)
            except (AudioError, OSError):
                continue  # it is read again, and its problem reported, when its own turn comes
            if len(wave) == len(waves[path]):
                waves[following] = wave
        self._ahead.update(zip(waves, self.layers_of_batch(list(waves.values())), strict=True))
        return self._ahead.pop(path)

    def _read(self, path: Path) -> np.ndarray:
        """Read a sound and bring it to `SAMPLE_RATE`; keep what a reader of the results should know of it."""
        recording = read_recording(path)
        n_samples, channels = recording.samples.shape
        self._heard[path] = (n_samples, recording.rate, channels, tuple(findings(recording)))
        return self.resample(recording.samples.mean(axis=1), recording.rate)

    def _worth_computing(self, upcoming: dict[str, Path], storage: Any) -> list[Path]:
        """Return the next sounds of a full batch, without those that have features of this marker already."""
        following = list(upcoming.items())[: self.batch_limit() - 1]
        return [path for name, path in following if not StimulusFile(storage, {"stimulus": name}).holds(self.name)]

    def _metadata(self, meta: dict, features: list[str]) -> dict[str, tuple[str, dict]]:
        """Return the metadata that junifer stores for features of a sound, with their MD5, by feature.

        They are the same for all sounds of a run and are made once: junifer looks up the versions of all dependencies
        again for every feature, which takes longer than most markers.
        """
        of_run = {key: value for key, value in meta.items() if key != "element"} | {"element": list(meta["element"])}
        if self._described is None or self._described[0] != of_run:
            self._described = deepcopy(of_run), {}
        known = self._described[1]
        for feature in features:
            if feature not in known:
                md5, stored, _ = process_meta(self._output(meta, feature, {})["meta"])
                known[feature] = md5, stored
        return {feature: known[feature] for feature in features}

    def _output(self, meta: dict, feature: str, output: dict) -> dict:
        """Return a feature of a sound with its metadata, as junifer hands it to `store`."""
        out = deepcopy(output) | {"meta": deepcopy(meta) | {"type": "Audio"}}
        self.update_meta(out, "marker")
        out["meta"]["marker"]["name"] += f"_{feature}"
        return out

    def _fit_transform(self, input: dict[str, dict], storage: Any = None) -> dict:
        """Compute and store one sound, unless the same features are stored already (see `storing`)."""
        if "Audio" not in input or storage is None:
            return super()._fit_transform(input=input, storage=storage)
        if not StimulusFile.manages(storage):
            raise StorageError(
                f"{storage}: markers on sounds store into HDF5FeatureStorage with one file per stimulus (no "
                "`single_output: true`), because other storages cannot be checked for old values. Correct `storage` in "
                "the YAML; `junifer collect` makes one file of all."
            )
        problem = problem_of_storage(Path(storage.uri))
        if problem is not None:
            raise StorageError(f"{storage.uri} {problem}")
        sound = input["Audio"]
        file = StimulusFile(storage, sound["meta"]["element"])
        checksum = _checksum(sound["path"])
        expected = dict(self._metadata(sound["meta"], [f"layer{index:02d}" for index in self.layer_names()]).values())
        summarise_at_end(Path(storage.uri), self.name, self.SAMPLE_RATE)
        try:
            # a complete storage is only read, and need not be writable
            if self._is_stored(file, sound["path"], expected, checksum):
                return {}
            with file.locked():
                if self._is_stored(file, sound["path"], expected, checksum):
                    return {}  # another process has been at it
                return self._compute_and_store(input, file, expected, checksum, storage)
        except OSError as error:
            raise StorageError(
                f"{storage.uri}: features cannot be stored there: {error.strerror or error}. What is stored already "
                "is kept; make room or give the YAML another storage (storage: uri), and run again."
            ) from error

    def _is_stored(self, file: StimulusFile, path: Path, expected: dict[str, dict], checksum: str) -> bool:
        """Tell whether a sound has its features already, computed from the same things; say so the first time."""
        if not file.is_complete(self.name, expected, checksum):
            return False
        if not self._found_stored:
            logger.warning(f"{self.name}: features that are stored already are kept and not computed again.")
            self._found_stored = True
        self._ahead.pop(path, None)
        self._skipping.used(path)
        return True

    def _compute_and_store(
        self, input: dict[str, dict], file: StimulusFile, expected: dict[str, dict], checksum: str, storage: Any
    ) -> dict:
        """Compute one sound into its file, whose lock is held."""
        # with junifer's storages come its brain atlases: seconds, that nobody needs who stores nothing
        from ..running.gathering import GatheringStorage

        sound = input["Audio"]
        path, stimulus = sound["path"], next(iter(sound["meta"]["element"].values()))
        if not self._sibling_checked:
            file.check_sibling(self.name, expected)
            self._sibling_checked = True
        ahead = {**sound, "batch_with": self._worth_computing(sound.get("upcoming", {}), storage)}
        skipped = len(self._skipping.reasons)
        features = self.compute(ahead, {kind: other for kind, other in input.items() if kind != "Audio"})
        if len(self._skipping.reasons) > skipped:
            return {}
        gathered: Any = GatheringStorage(storage)  # an instance, where junifer says its class
        for name, (md5, metadata) in self._metadata(sound["meta"], list(features)).items():
            output = features[name]
            if type(self).store is not BaseMarker.store:
                # a subclass has its own way of storing, which is asked as junifer would ask it
                self.store(type_="Audio", feature=name, out=self._output(sound["meta"], name, output), storage=gathered)
            else:
                gathered.keep(self.storage_type("Audio", name), md5, sound["meta"]["element"], metadata, **output)
        try:
            file.write(gathered, checksum)
            # before the features are in place, so that no sound with features lacks its line; none where `compute` is
            # another
            if heard := self._heard.pop(path, None):
                file.record_sound(Sound(stimulus, checksum, *heard))
            file.commit()
        finally:
            file.discard_partial()
        return {}


def _checksum(path: Path) -> str:
    """Return the SHA-256 of a sound, "missing" where it cannot be read: what is wrong with it is told when it is."""
    if problem_of(path):
        return "missing"
    try:
        return sha256_of(path)
    except OSError:
        return "missing"
