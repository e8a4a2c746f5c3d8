"""The marker `Wav2Vec2`: wav2vec 2.0 and its kin (HuBERT, WavLM) as the Hugging Face library has them."""

import difflib
import importlib.util
import json
import logging
from fnmatch import fnmatch
from pathlib import Path
from typing import Any, ClassVar

import huggingface_hub  # which imports its parts, and a client of the web, when they are used
from pydantic import PrivateAttr

from auralign.files.checksums import sha256_of

from ..marker.hooks import Stage
from ..marker.registration import register_marker
from ..marker.torch_marker import TorchMarker
from ..running.preflight import MissingInputs, beside_yaml
from ..sounds.audio import AudioError
from ..weights.registry import WeightsError
from ..weights.sources import ANSWER_DEADLINE, ANSWER_TIMEOUT, within

UNTRAINED = "untrained"
MODEL_TYPES = ("wav2vec2", "hubert", "wavlm")  # their submodules have the same names
CONFIG, PREPROCESSOR = "config.json", "preprocessor_config.json"
WEIGHT_FILES = ("model*.safetensors", "pytorch_model*.bin")  # the first kind that is there is read
TRAINING_ONLY = {"masked_spec_embed"}  # published fine-tuned weights may lack it
VARIANCE_FLOOR = 1e-7  # added to the variance of a sound, as published

logger = logging.getLogger("junifer")


@register_marker
class Wav2Vec2(TorchMarker):
    """Layers of wav2vec 2.0 (Baevski et al. 2020, arXiv 2006.11477), HuBERT or WavLM, averaged over time.

    Layers, in order of depth: `features`, the output of the convolutions, before any projection; `embedding`, what the
    first transformer block is given (projected features plus convolutional positions, in networks with post-norm
    blocks also normalised): the library's `hidden_states[0]`; `block00`, `block01`, ..., the outputs of the blocks; and
    in networks with pre-norm blocks (`do_stable_layer_norm`) `norm`, the last block's output after the final norm.

    Parameters
    ----------
    model : str
        A name on the Hugging Face hub (`facebook/wav2vec2-base-960h`), a folder written by `save_pretrained`, relative
        to the YAML file, or `untrained`.
    revision : str or None
        Branch, tag or commit on the hub; None is what the local cache has, else the newest. The commit is recorded.
    config : dict or None
        For `untrained`: fields of the configuration that differ from the base model; `model_type` (`wav2vec2`, `hubert`
        or `wavlm`) chooses the class.
    seed : int
        For `untrained`: seed of the initialisation.
    normalize : bool or None
        Bring every sound to zero mean and unit variance. None: as the network's `preprocessor_config.json` says; an
        untrained network's sounds are normalised.
    layers, pooling, device, batch_size
        See `TorchMarker`.
    """

    SAMPLE_RATE: ClassVar[int] = 16000
    _DEPENDENCIES: ClassVar[set] = {"soundfile", "soxr", "torch", "transformers"}
    # the commit, which is recorded, says more
    VOLATILE: ClassVar[tuple[str, ...]] = (*TorchMarker.VOLATILE, "revision")

    model: str
    revision: str | None = None
    config: dict[str, Any] | None = None
    seed: int = 0
    normalize: bool | None = None

    _normalizes: Any = PrivateAttr(None)
    _source: Any = PrivateAttr(None)  # what identifies weights that come from files

    def validate_marker_params(self) -> None:
        """Check what can be checked without the weights."""
        super().validate_marker_params()
        if importlib.util.find_spec("transformers") is None:
            raise MissingInputs('the marker Wav2Vec2 needs the package transformers: pip install "auralign[networks]"')
        if self.config is not None and self.model != UNTRAINED:
            raise ValueError(f"config: {self.config!r} is for model: untrained; {self.model!r} brings its own.")
        if self.revision is not None and self.model == UNTRAINED:
            raise ValueError(f"revision: {self.revision!r} is for networks of the hub, not for model: untrained.")

    def build(self) -> Any:
        """Load the network, or draw an untrained one."""
        if self.model == UNTRAINED:
            self._normalizes = self.normalize is not False
            return _untrained(self.config or {}, self.seed)
        try:
            folder = self._folder()
            self._normalizes = _normalizes(folder) if self.normalize is None else self.normalize
            network = _load(folder)
        except WeightsError as error:
            raise MissingInputs(str(error)) from error
        files = [folder / CONFIG, *_weight_files(folder)]
        self._source["weights_sha256"] = {file.name: sha256_of(file) for file in files}
        return network

    def _folder(self) -> Path:
        """Find the folder of the network, and note what identifies it."""
        folder = beside_yaml(self.model)
        if folder.is_dir():
            if self.revision is not None:
                raise ValueError(f"revision: {self.revision!r} is for networks of the hub; {folder} is a folder.")
            self._source = {"model": folder.name}
            return folder
        if self.model.startswith((".", "/", "~")) or self.model.count("/") > 1:
            raise WeightsError(f"model: {self.model!r}: there is no folder {folder}.")
        folder = from_hub(self.model, self.revision, [CONFIG] + [PREPROCESSOR] * (self.normalize is None))
        self._source = {"model": self.model, "model_revision": folder.name}
        return folder

    def weights_identity(self, network: Any) -> dict[str, Any]:
        """Return the commit on the hub and the checksums of the files; for `untrained` a checksum of the state."""
        return {"normalize": self._normalizes, **(self._source or super().weights_identity(network))}

    def stages(self, network: Any) -> list[Stage]:
        """Return `features`, `embedding`, `block00`, ..., and `norm` where there is one."""
        axes = "batch time unit"
        # WavLM's blocks hand on their position bias, too
        pick = 0 if network.config.model_type == "wavlm" else None
        blocks = range(network.config.num_hidden_layers)
        return [
            Stage("features", "feature_extractor", "batch channel time"),
            Stage("embedding", "encoder.layers.0", axes, source="input"),
            *(Stage(f"block{index:02d}", f"encoder.layers.{index}", axes, pick=pick) for index in blocks),
            *([Stage("norm", "encoder.layer_norm", axes)] if network.config.do_stable_layer_norm else []),
        ]

    def forward(self, network: Any, waves: Any) -> None:
        """Normalise the sounds as published, (x - mean) / sqrt(variance + 1e-7) each, and run the network."""
        shortest, step = 1, 1  # samples that the convolutions need for one frame
        for kernel, stride in zip(network.config.conv_kernel, network.config.conv_stride, strict=True):
            shortest, step = shortest + (kernel - 1) * step, step * stride
        if waves.shape[1] < shortest:
            raise AudioError(
                f"{self.name}: {waves.shape[1]} samples at {self.SAMPLE_RATE} Hz are too short; at least {shortest} "
                f"({shortest / self.SAMPLE_RATE:.4f} s) are needed."
            )
        if self._normalizes:
            variance = waves.var(dim=1, keepdim=True, unbiased=False)
            waves = (waves - waves.mean(dim=1, keepdim=True)) / (variance + VARIANCE_FLOOR).sqrt()
        network(waves)


def _untrained(config: dict[str, Any], seed: int) -> Any:
    """Draw a network as the library initialises it, without a change of torch's global random state."""
    import torch
    from transformers import AutoConfig, AutoModel

    fields = {"model_type": "wav2vec2", **config}
    kind = fields.pop("model_type")
    if kind not in MODEL_TYPES:
        raise ValueError(f"config: model_type: {kind!r} is not one of {', '.join(MODEL_TYPES)}.")
    # the library takes any key and ignores those that it does not know
    allowed = sorted(AutoConfig.for_model(kind).to_dict())
    for key in fields:
        if key not in allowed:
            close = difflib.get_close_matches(key, allowed, n=3) or allowed
            raise ValueError(f"config: {key!r} is no field of {kind}'s configuration. Similar: {', '.join(close)}.")
    try:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            return AutoModel.from_config(AutoConfig.for_model(kind, **fields))
    except Exception as error:  # the library checks values with exceptions of many kinds
        raise ValueError(f"config: {config!r}: {error}") from error


def _load(folder: Path) -> Any:
    """Load a network from a folder in the library's format, float32; no code in the folder can run.

    Raises
    ------
    WeightsError
        The folder is incomplete or damaged, holds another kind of network, or lacks parameters (which the library would
        draw at random).
    """
    from transformers import AutoConfig, AutoModel

    files = _weight_files(folder)
    if not (folder / CONFIG).is_file() or not files:
        raise WeightsError(
            f"{folder} is no network as `save_pretrained` writes it: it needs {CONFIG} and one of "
            f"{', '.join(WEIGHT_FILES)}."
        )
    try:
        kind = AutoConfig.from_pretrained(folder, local_files_only=True).model_type
        if kind not in MODEL_TYPES:
            raise WeightsError(f"{folder / CONFIG}: model_type {kind!r} is not one of {', '.join(MODEL_TYPES)}.")
        network, info = AutoModel.from_pretrained(
            folder,
            local_files_only=True,
            output_loading_info=True,
            use_safetensors=files[0].suffix == ".safetensors",
            weights_only=True,
        )
    except WeightsError:
        raise
    except Exception as error:  # the library documents no exception type for damaged files
        raise WeightsError(f"{folder}: the network cannot be loaded: {type(error).__name__}: {error}") from error
    missing = sorted({str(key) for key in (*info["missing_keys"], *info["mismatched_keys"])} - TRAINING_ONLY)
    if missing:
        raise WeightsError(
            f"{folder}: the weights lack {', '.join(missing[:5])}{f' and {len(missing) - 5} more' * (len(missing) > 5)}"
            f", or have them in other sizes than {CONFIG} says."
        )
    return network.float()


def _weight_files(folder: Path) -> list[Path]:
    return next((files for kind in WEIGHT_FILES if (files := sorted(folder.glob(kind)))), [])


def _normalizes(folder: Path) -> bool:
    """Read from a network's folder whether its sounds are normalised.

    Raises
    ------
    WeightsError
        There is no such file, or it is for another sampling rate.
    """
    path = folder / PREPROCESSOR
    try:
        facts = json.loads(path.read_text(encoding="utf-8"))
        do_normalize, rate = facts["do_normalize"], facts["sampling_rate"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise WeightsError(
            f"{path} does not say whether sounds are normalised (do_normalize, sampling_rate): {error!r}. Save the "
            "network's feature extractor there, too, or write normalize: true or false."
        ) from error
    if rate != Wav2Vec2.SAMPLE_RATE:
        raise WeightsError(f"{path}: sampling_rate is {rate!r}; this marker gives sounds at {Wav2Vec2.SAMPLE_RATE} Hz.")
    return do_normalize


def from_hub(name: str, revision: str | None, needed: list[str]) -> Path:
    """Return the folder of a network in the hub's local cache, downloading what is not there.

    Parameters
    ----------
    name : str
        Of the repository.
    revision : str or None
        Branch, tag or commit; None: `main`.
    needed : list of str
        Files beside the weights.

    Returns
    -------
    Path
        `.../snapshots/<commit>`.

    Raises
    ------
    WeightsError
        It cannot be had, saying where it was sought and what to do; an unreachable hub is given up on in 10 seconds.
    """
    from huggingface_hub.errors import LocalEntryNotFoundError

    hub = huggingface_hub
    try:
        folder = Path(hub.hf_hub_download(name, CONFIG, revision=revision, local_files_only=True)).parent
        if _weight_files(folder) and all((folder / file).is_file() for file in needed):
            return folder
        state = f"only {', '.join(sorted(path.name for path in folder.iterdir()))}"
    except (LocalEntryNotFoundError, ValueError):  # ValueError: no name that a repository can have
        state = "nothing"
    logger.info(f"{name} is not in the cache {hub.constants.HF_HUB_CACHE}: asking the hub")
    try:
        # a download retries an unreachable hub for minutes: it is begun only when the hub has answered
        info = within(ANSWER_DEADLINE, lambda: hub.HfApi().model_info(name, revision=revision, timeout=ANSWER_TIMEOUT))
        there = [sibling.rfilename for sibling in info.siblings or []]
        weights = next((found for kind in WEIGHT_FILES if (found := [f for f in there if fnmatch(f, kind)])), [])
        index = [f"{weights[0].split('-')[0]}{Path(weights[0]).suffix}.index.json"] if len(weights) > 1 else []
        if absent := ["weights"] * (not weights) + [file for file in needed if file not in there]:
            raise FileNotFoundError(f"the repository lacks {', '.join(absent)}")
        paths = [
            Path(hub.hf_hub_download(name, file, revision=revision, etag_timeout=ANSWER_TIMEOUT))
            for file in (*needed, *index, *weights)
        ]
    except Exception as error:  # network, proxy, access, revision, disk: each ends in the same advice
        at = f" at revision {revision}" if revision else ""
        reason = str(error).strip().split("\n")[0] or "no reason given"
        raise WeightsError(
            f"the network {name!r}{at} was not found:\n"
            f"  - folder {beside_yaml(name)}: no such folder\n"
            f"  - hub cache {hub.constants.HF_HUB_CACHE}: {state}\n"
            f"  - hub {hub.constants.ENDPOINT}: {type(error).__name__}: {reason}\n"
            f"Where there is a network, run `hf download {name}` and copy the cache to this machine (the environment "
            "variable HF_HOME names its folder), or save the network with `save_pretrained` and write the folder's "
            "path (model: ./my_folder)."
        ) from error
    return paths[0].parent
