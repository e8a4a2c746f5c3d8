"""What the README shows must work as it stands there."""

import re

import numpy as np
import soundfile
import yaml
from click.testing import CliRunner
from junifer.cli.cli import cli

from auralign.config import Features
from auralign.features import read_features


def _block(root, language: str, containing: str) -> str:
    blocks = re.findall(rf"```{language}\n(.*?)```", (root / "README.md").read_text(encoding="utf-8"), flags=re.DOTALL)
    return next(block for block in blocks if containing in block)


def test_the_example_of_a_network_of_ones_own_runs(root, tmp_path):
    sounds = tmp_path / "datalad_dataset" / "natsound165" / "sounds" / "wav"
    sounds.mkdir(parents=True)
    for number in (1, 2):
        soundfile.write(sounds / f"stim{number}_noise.wav", 0.1 * np.random.default_rng(number).random(44100), 44100)
    folder = tmp_path / "junifer_yamls"
    folder.mkdir()
    (folder / "my_network.py").write_text(_block(root, "python", "class MyNetwork"), encoding="utf-8")
    (folder / "mine.yml").write_text(_block(root, "yaml", "my_network.py"), encoding="utf-8")
    for command in ("run", "collect"):
        result = CliRunner().invoke(cli, [command, str(folder / "mine.yml"), "--verbose", "warning"])
        assert result.exception is None, result.exception
    layers = read_features("mine", Features(storage=tmp_path / "features" / "mine" / "mine.hdf5", marker="mine"))
    assert [(layer.attrs["layer_name"], layer.shape) for layer in layers.values()] == [
        ("spectrum", (2, 32)),
        ("envelope", (2, 50)),
    ]


def test_every_file_that_the_documents_name_exists(root):
    for document in (root / "README.md", *sorted((root / "docs").glob("*.md"))):
        text = document.read_text(encoding="utf-8")
        for name in re.findall(
            r"(?:junifer_yamls|julearn_configs|scripts|docs|tests|auralign|benchmarks)/[\w/.-]+\.\w+", text
        ):
            assert (root / name).exists(), f"{document.name} names {name}"


def test_shipped_yaml_snippets_parse(root):
    for document in (root / "README.md", *sorted((root / "docs").glob("*.md"))):
        for block in re.findall(r"```yaml\n(.*?)```", document.read_text(encoding="utf-8"), flags=re.DOTALL):
            assert isinstance(yaml.safe_load(block), dict)
