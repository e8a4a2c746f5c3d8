"""A folder of short sounds, a YAML on it, and junifer's commands inside this process."""

from pathlib import Path
from typing import Any

import huggingface_hub
import numpy as np
import pytest
import soundfile
import yaml
from click.testing import CliRunner, Result
from junifer.cli.cli import cli

SMALL = {"mel_bins": 16, "dim": 24, "heads": 3, "ff": 32, "encoder_layers": 3, "decoder_layers": 1}


@pytest.fixture
def sounds(tmp_path) -> Path:
    """A plain folder with three half-second sounds whose numbers do not sort as names."""
    folder = tmp_path / "sounds"
    folder.mkdir()
    random = np.random.default_rng(0)
    for name in ("stim5_noise", "stim11_louder", "stim102_tone"):
        soundfile.write(folder / f"{name}.wav", 0.1 * random.standard_normal(22050), 44100)
    return folder


@pytest.fixture
def make_yaml(tmp_path, sounds):
    """Write a junifer YAML; its markers are arguments."""

    def write(*markers: dict, name: str = "features", **changes) -> Path:
        content = {
            "with": "custom_markers",
            "workdir": "/tmp",
            "datagrabber": {"kind": "AudioStimuli", "dataset": "sounds", "pattern": "{stimulus}.wav"},
            "markers": list(markers),
            "storage": {"kind": "HDF5FeatureStorage", "uri": f"{name}/{name}.hdf5"},
            **changes,
        }
        path = tmp_path / f"{name}.yml"
        path.write_text(yaml.safe_dump(content), encoding="utf-8")
        return path

    return write


@pytest.fixture
def untrained() -> dict:
    """A marker with a small seeded network."""
    return {"name": "net", "kind": "EncodecMAE", "checkpoint": "untrained", "config": SMALL, "seed": 3}


class HubLibrary:
    """`huggingface_hub` as one module of ours sees it: what a test sets hides the library's own, for nobody else."""

    def __getattr__(self, name: str) -> Any:
        return getattr(huggingface_hub, name)


def junifer(command: str, yaml_file: Path, *arguments: str) -> Result:
    """Run a junifer command in this process; what it raised is in `exception`."""
    return CliRunner().invoke(cli, [command, str(yaml_file), "--verbose", "warning", *arguments])
