"""What the README shows must work as it stands there."""

import re
from pathlib import Path

import numpy as np
import soundfile
import yaml
from click.testing import CliRunner
from junifer.cli.cli import cli

from auralign.config.models import Comparison
from auralign.config.reading import read_config
from auralign.estimators.lasso import Lasso
from auralign.estimators.ridge import Ridge
from auralign.inputs.features import read_features
from auralign.inputs.options import Features
from auralign.inputs.split_options import Splits
from custom_markers.marker.fields import _parameter_model
from custom_markers.networks.encodecmae.marker import EncodecMAE

READERS_OWN = ("mine", "my_wavs", "my_network", "my_marker", "my_responses", "my_targets")
EncodecMAEParameters = _parameter_model(EncodecMAE)


def _block(root, language: str, containing: str) -> str:
    blocks = re.findall(rf"```{language}\n(.*?)```", (root / "README.md").read_text(encoding="utf-8"), flags=re.DOTALL)
    return next(block for block in blocks if containing in block)


def test_the_example_of_a_network_of_ones_own_runs(root, tmp_path):
    sounds = tmp_path / "datalad_dataset" / "phantom" / "sounds" / "wav"
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
            # mine.yml is the reader's own
            assert Path(name).stem in READERS_OWN or (root / name).exists(), f"{document.name} names {name}"


def test_shipped_yaml_snippets_parse(root):
    for document in (root / "README.md", *sorted((root / "docs").glob("*.md"))):
        for block in re.findall(r"```yaml\n(.*?)```", document.read_text(encoding="utf-8"), flags=re.DOTALL):
            assert isinstance(yaml.safe_load(block), dict)


def test_the_example_of_a_comparison_is_valid(root, tmp_path):
    (tmp_path / "mine.yml").write_text(_block(root, "yaml", "name: mine\n"), encoding="utf-8")
    config = read_config(tmp_path / "mine.yml")
    assert list(config.estimators) == ["ridge", "lasso"]


def test_the_table_of_keys_names_every_key_of_a_comparison(root):
    text = (root / "docs" / "configuration.md").read_text(encoding="utf-8")
    for key in Comparison.model_fields:
        assert f"`{key}" in text, key
    for model in (Features, Ridge, Lasso, Splits, EncodecMAEParameters):
        for key in set(model.model_fields) - {"on", "name"}:  # junifer's own
            assert re.search(rf"[`.]{key}\b", text), f"{model.__name__}.{key}"
