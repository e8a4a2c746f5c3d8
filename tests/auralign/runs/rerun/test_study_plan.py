"""Planning a study: what is brought along, and how the paths of its YAML files change."""

from pathlib import Path

import pytest
import yaml

from auralign.config.reading import read_config
from auralign.errors import ConfigError
from auralign.runs.rerun.study_plan import plan_study

JUNIFER = """
# which network
with: [custom_markers, my_network.py]
workdir: /tmp
datagrabber: {kind: AudioStimuli, dataset: ../data/sounds, pattern: "wav/{stimulus}.wav"}
markers:
  - {name: logmel, kind: LogMel}
  - {name: net, kind: EncodecMAE, checkpoint: ../weights/net.pt}
storage: {kind: HDF5FeatureStorage, uri: ../features/own/own.hdf5}
"""
JULEARN = """
name: mine
features:
  logmel: {storage: ../features/own/own.hdf5, marker: logmel}
  table: {table: x.tsv}
targets: {kind: components, dataset: ../data/brain}   # responses
stimuli: {table: ../data/sounds/categories.tsv}
splits: {kind: shuffle, n_splits: 2, train_size: 4, test_size: 4, allow_small_test: true}
estimators: {ridge: {kind: ridge}}
"""


@pytest.fixture
def project(tmp_path) -> Path:
    """Two DataLad datasets (as far as a plan looks at them), a junifer YAML with a module and weights, a comparison."""
    for name in ("sounds", "brain"):
        (tmp_path / "data" / name / ".datalad").mkdir(parents=True)
        (tmp_path / "data" / name / ".datalad" / "config").write_text("")
    for name in ("julearn_configs/x.tsv", "junifer_yamls/my_network.py", "weights/net.pt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("x")
    (tmp_path / "junifer_yamls" / "own.yml").write_text(JUNIFER)
    (tmp_path / "julearn_configs" / "mine.yml").write_text(JULEARN)
    return tmp_path


@pytest.fixture
def comparison(project) -> Path:
    return project / "julearn_configs" / "mine.yml"


def test_inputs_are_datasets_and_files(project, comparison):
    plan = plan_study(comparison)
    assert plan.datasets == {"sounds": project / "data" / "sounds", "brain": project / "data" / "brain"}
    assert plan.files == {"x.tsv": project / "julearn_configs" / "x.tsv", "net.pt": project / "weights" / "net.pt"}
    assert plan.modules == {"junifer_yamls/my_network.py": project / "junifer_yamls" / "my_network.py"}
    assert plan.responses == ["inputs/brain/data", "inputs/files/x.tsv", "inputs/sounds/categories.tsv"]
    (extraction,) = plan.extractions
    assert extraction.yaml == "code/junifer_yamls/own.yml"
    assert extraction.storage == "features/own/own.hdf5"
    assert extraction.sounds == "inputs/sounds/wav"


def test_the_names_beside_an_array_come_along(project, comparison):
    folder = comparison.parent
    for name in ("x.npy", "x.stimuli.tsv", "x.units.tsv"):
        (folder / name).write_text("x")
    comparison.write_text(JULEARN.replace("x.tsv", "x.npy"))
    plan = plan_study(comparison)
    assert {name for name in plan.files if name.startswith("x.")} == {"x.npy", "x.stimuli.tsv", "x.units.tsv"}
    assert {"inputs/files/x.npy", "inputs/files/x.stimuli.tsv", "inputs/files/x.units.tsv"} <= set(plan.responses)


def test_the_yamls_of_the_study_point_into_the_study_and_say_the_same_otherwise(project, comparison, tmp_path):
    plan = plan_study(comparison)
    study = tmp_path / "study"
    for name, text in plan.yamls.items():
        (study / "code" / name).parent.mkdir(parents=True)
        (study / "code" / name).write_text(text)
    moved = read_config(study / "code" / "julearn_configs" / "mine.yml")
    assert moved.features["logmel"].storage == study / "features" / "own" / "own.hdf5"
    assert moved.features["table"].table == study / "inputs" / "files" / "x.tsv"
    assert moved.targets.dataset == study / "inputs" / "brain"
    assert moved.stimuli.table == study / "inputs" / "sounds" / "categories.tsv"
    assert "# responses" in plan.yamls["julearn_configs/mine.yml"]
    expected = yaml.safe_load(JUNIFER)
    expected["datagrabber"]["dataset"] = "../../inputs/sounds"
    expected["storage"]["uri"] = "../../features/own/own.hdf5"
    expected["markers"][1]["checkpoint"] = "../../inputs/files/net.pt"
    assert yaml.safe_load(plan.yamls["junifer_yamls/own.yml"]) == expected
    assert "# which network" in plan.yamls["junifer_yamls/own.yml"]


def test_storages_that_nothing_makes_are_named(project, comparison):
    (project / "junifer_yamls" / "own.yml").unlink()
    with pytest.raises(ConfigError, match=r"no junifer YAML in .* writes .*own\.hdf5"):
        plan_study(comparison)


@pytest.mark.parametrize(
    ("file", "old", "new", "message"),
    [
        ("junifer_yamls/own.yml", "kind: AudioStimuli, dataset: ", "kind: PatternDataGrabber, datadir: ", "only one"),
        ("junifer_yamls/own.yml", "../weights/net.pt", '{pattern: "s{step}.pt", steps: [1, 2]}', "list the files"),
        ("julearn_configs/mine.yml", "x.tsv", "absent.tsv", r"absent\.tsv: this input is not there"),
        ("julearn_configs/mine.yml", "../data/brain", "../weights", "outside of any DataLad dataset; make it one"),
        ("julearn_configs/mine.yml", "x.tsv", "../weights/x.tsv", "needs its own name, and 'x.tsv' is taken"),
        ("julearn_configs/mine.yml", "name: mine", "nam: mine", "nam: unknown key"),
    ],
)
def test_what_cannot_be_brought_into_a_study_is_refused(project, comparison, file, old, new, message):
    (project / "weights" / "x.tsv").write_text("another")
    (project / "junifer_yamls" / "own.yml").write_text(JUNIFER.replace("../weights/net.pt", "../julearn_configs/x.tsv"))
    if "net.pt" in old:
        (project / "junifer_yamls" / "own.yml").write_text(JUNIFER)
    path = project / file
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new))
    with pytest.raises(ConfigError, match=message):
        plan_study(comparison)


@pytest.mark.parametrize("name", ["quickstart", "components_ridge_vs_lasso", "encodecmae_ridge_vs_lasso", "whisper"])
def test_the_shipped_comparisons_can_become_studies(root, tmp_path, name):
    """Each on empty datasets in the place of the built ones."""
    copy = tmp_path / "checkout"
    for folder in ("junifer_yamls", "julearn_configs"):
        (copy / folder).mkdir(parents=True)
        for file in (root / folder).glob("*.yml"):
            (copy / folder / file.name).write_text(file.read_text())
    for dataset in ("phantom", "natsound165"):
        (copy / "datalad_dataset" / dataset / ".datalad").mkdir(parents=True)
        (copy / "datalad_dataset" / dataset / ".datalad" / "config").write_text("")
    plan = plan_study(copy / "julearn_configs" / f"{name}.yml")
    assert plan.extractions
    assert list(plan.datasets) == ["phantom" if name == "quickstart" else "natsound165"]
    for name, text in plan.yamls.items():
        assert yaml.safe_load(text).keys() == yaml.safe_load((copy / name).read_text()).keys()
