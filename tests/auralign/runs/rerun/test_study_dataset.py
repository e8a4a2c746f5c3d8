"""A study as a DataLad dataset: its layout, running it, and `datalad rerun`."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from scipy.io import savemat, wavfile

from auralign.errors import AuralignError, DatasetError
from auralign.runs.rerun import study_dataset
from auralign.runs.rerun.changes import check
from auralign.runs.rerun.study_dataset import make_study, requirements, run_study
from auralign.runs.rerun.study_plan import plan_study
from auralign.runs.rerun.verify import recompute

JUNIFER = """
with: custom_markers
workdir: /tmp
datagrabber: {kind: AudioStimuli, dataset: ../datalad_dataset/tiny, pattern: "sounds/wav/{stimulus}.wav"}
markers:
  - name: net
    kind: EncodecMAE
    checkpoint: untrained
    config: {mel_bins: 16, dim: 8, heads: 2, ff: 8, encoder_layers: 2, decoder_layers: 1}
storage: {kind: HDF5FeatureStorage, uri: ../features/tiny/tiny.hdf5}
"""
JULEARN = """
name: tiny
features: {net: {storage: ../features/tiny/tiny.hdf5, marker: net, layers: [0]}}
targets: {kind: components, dataset: ../datalad_dataset/tiny}
splits: {kind: shuffle, n_splits: 3, train_size: 6, test_size: 6, allow_small_test: true}
estimators: {ridge: {kind: ridge}}
engine: multitarget
"""
SCORES, FEATURES = "results/tiny/scores.parquet", "features/tiny/tiny.hdf5"


def _run(*command: str, cwd: Path) -> str:
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    identity = {f"GIT_{who}_{what}": "a@b" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
    done = subprocess.run(command, cwd=cwd, env=os.environ | identity | {"PATH": path}, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout.strip()


@pytest.fixture(scope="module")
def project(tmp_path_factory) -> Path:
    """A DataLad dataset of twelve short sounds and two responses, and the YAML files of a comparison on them."""
    project = tmp_path_factory.mktemp("project")
    dataset = project / "datalad_dataset" / "tiny"
    dataset.parent.mkdir()
    _run("datalad", "create", str(dataset), cwd=project)
    random = np.random.default_rng(5)
    stimuli = [f"stim{number}_noise" for number in range(1, 13)]
    (dataset / "sounds" / "wav").mkdir(parents=True)
    (dataset / "data").mkdir()
    for number, stimulus in enumerate(stimuli):
        noise = random.normal(size=2400).cumsum() if number % 2 else random.normal(size=2400)
        wavfile.write(dataset / "sounds" / "wav" / f"{stimulus}.wav", 24000, (noise / np.abs(noise).max()).astype("f4"))
    names = {"stim_names": np.array(stimuli, object)[None], "component_names": np.array(["a", "b"], object)[:, None]}
    savemat(dataset / "data" / "components.mat", {"R": random.normal(size=(12, 2)), **names})
    _run("datalad", "save", "-m", "sounds and responses", cwd=dataset)
    (project / "datalad_dataset" / "tiny.yml").write_text("title: Tiny\nlicence: CC0-1.0\ncitation: nobody\n")
    for name, text in {"junifer_yamls/tiny.yml": JUNIFER, "julearn_configs/tiny.yml": JULEARN}.items():
        (project / name).parent.mkdir()
        (project / name).write_text(text)
    return project


@pytest.fixture(scope="module")
def study(project, tmp_path_factory) -> Path:
    """The study, all stages done."""
    folder = tmp_path_factory.mktemp("studies") / "tiny study"
    scripts = Path(__file__).resolve().parents[4] / "scripts"
    make_study(folder, plan_study(project / "julearn_configs" / "tiny.yml"), scripts)
    assert _run("git", "status", "--porcelain", cwd=folder) == ""
    run_study(folder)
    return folder


def _blob(study: Path, path: str, commit: str = "HEAD") -> str:
    """What git knows of a file's content: of an annexed one its checksum."""
    return _run("git", "show", f"{commit}:{path}", cwd=study).split("/")[-1]


def test_a_study_has_the_layout_and_says_nothing_of_this_machine(study, project):
    tracked = _run("git", "ls-files", cwd=study).splitlines()
    assert {name.split("/")[0] for name in tracked if "/" in name} >= {"code", "inputs", "features", "results"}
    assert {"code/run.sh", "code/compare.py", "code/requirements.txt", "README.md", "inputs/tiny.yml"} <= set(tracked)
    module = _run("git", "ls-files", "--stage", "inputs/tiny", cwd=study)
    assert module.startswith(f"160000 {_run('git', 'rev-parse', 'HEAD', cwd=project / 'datalad_dataset' / 'tiny')}")
    made_by_us = [name for name in tracked if name.startswith(("code/", "README", ".git"))]
    texts = "".join((study / name).read_text() for name in made_by_us)
    assert str(study.parent) not in texts
    assert str(project) not in texts


def test_every_stage_is_recorded_and_leaves_the_study_clean(study):
    log = _run("git", "log", "--format=%s", cwd=study).splitlines()
    assert [line.split(":")[0] for line in log[:3]] == [
        "[DATALAD RUNCMD] Report",
        "[DATALAD RUNCMD] Compare",
        "[DATALAD RUNCMD] Extract the features of code/junifer_yamls/tiny.yml",
    ]
    assert _run("git", "status", "--porcelain", cwd=study) == ""
    assert (study / "results" / "tiny" / "report.html").is_file()
    assert (study / "ro-crate-metadata.json").is_file()
    # nothing that only helps an interrupted run
    names = sorted(path.name for path in (study / "features" / "tiny").iterdir())
    assert names == ["tiny.hdf5", "tiny.sounds.tsv"]
    assert not (study / "results" / "tiny" / ".blocks").exists()
    # tables in git, where they can be compared; large binary files in the annex
    assert (study / SCORES).is_symlink()
    assert not (study / "results" / "tiny" / "summary.tsv").is_symlink()


def test_inputs_are_recorded_by_their_names_in_the_study_and_not_in_the_annex(study):
    provenance = json.loads((study / "results" / "tiny" / "provenance.json").read_text())
    names = (FEATURES, "inputs/tiny/data/components.mat")
    assert list(provenance["inputs"]) == [str(study / name) for name in names]
    assert list(provenance["paths"].values()) == [f"../../{FEATURES}", "../../inputs/tiny"]


def test_rerun_computes_everything_again_and_gives_the_same_bytes(study):
    before = _run("git", "rev-parse", "HEAD", cwd=study)
    recorded = _run("git", "rev-list", "HEAD~3..HEAD~1", cwd=study).splitlines()
    assert len(recorded) == 2
    _run("datalad", "rerun", "--since=HEAD~3", "HEAD~1", cwd=study)
    assert _run("git", "status", "--porcelain", cwd=study) == ""
    for path in (SCORES, FEATURES, "results/tiny/summary.tsv", "results/tiny/comparisons.tsv"):
        assert _blob(study, path) == _blob(study, path, before), path
    provenance = json.loads((study / "results" / "tiny" / "provenance.json").read_text())
    assert provenance["blocks"] == {"all": 1, "computed": 1}
    changed = _run("git", "diff", before, "--", "results/tiny/provenance.json", cwd=study).splitlines()
    lines = {line[1:].split('"')[1] for line in changed if re.match(r"[+-] ", line)}
    assert lines == {"finished", "seconds"}


def test_one_changed_byte_of_the_responses_is_found(study):
    assert check(study / "results" / "tiny").inputs == []
    file = study / "inputs" / "tiny" / "data" / "components.mat"
    content = bytearray(file.read_bytes())
    values = np.random.default_rng(5)
    for _ in range(12):
        values.normal(size=2400)
    position = content.index(values.normal(size=(12, 2)).T.tobytes()) + 6
    content[position] ^= 1
    _run("datalad", "unlock", "data/components.mat", cwd=study / "inputs" / "tiny")
    file.write_bytes(content)
    try:
        checked = check(study / "results" / "tiny")
        assert "components.mat: sha256" in checked.inputs[0]
        assert "dataset" in checked.inputs[1] and checked.inputs[1].endswith("with changes")
        found = recompute(checked)
        (r2,) = (column for column in found.numbers["scores.parquet"].columns if column.column == "r2")
        # of the first response all splits, and nothing of the second
        assert r2.n_different == 3
        assert ", a, " in r2.where
        assert "r2" in found.beyond
    finally:
        _run("git", "reset", "--hard", "HEAD", cwd=study / "inputs" / "tiny")


def test_what_is_there_is_never_overwritten(project, tmp_path):
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "notes.txt").write_text("mine")
    plan = plan_study(project / "julearn_configs" / "tiny.yml")
    with pytest.raises(DatasetError, match="a study needs a new folder"):
        make_study(tmp_path / "full", plan, tmp_path)
    assert [path.name for path in (tmp_path / "full").iterdir()] == ["notes.txt"]


def test_a_dataset_with_unsaved_changes_is_refused(project, tmp_path):
    config = project / "datalad_dataset" / "tiny" / ".datalad" / "config"
    old = config.read_text()
    config.write_text(old + "\n")
    try:
        with pytest.raises(DatasetError, match="unsaved changes; save them first"):
            make_study(tmp_path / "new", plan_study(project / "julearn_configs" / "tiny.yml"), tmp_path)
    finally:
        config.write_text(old)
    assert not any(tmp_path.iterdir())


def test_a_failed_stage_is_an_error(tmp_path):
    (tmp_path / "code").mkdir()
    (tmp_path / "code" / "run.sh").write_text("exit 3\n")
    with pytest.raises(AuralignError, match="a stage failed"):
        run_study(tmp_path)


@pytest.mark.parametrize(
    ("origin", "line"),
    [
        (
            "https://user:secret@example.org/group/auralign.git",
            "auralign @ git+https://example.org/group/auralign.git@",
        ),
        ("ssh://me@example.org:2222/auralign", "auralign @ git+ssh://git@example.org:2222/auralign@"),
        ("/home/me/auralign", "# install auralign itself"),
        ("", "# install auralign itself"),
    ],
)
def test_the_environment_is_listed_without_anybodys_password(monkeypatch, origin, line):
    monkeypatch.setattr(study_dataset, "call", lambda *command, **options: f"{origin}\n")
    text = requirements()
    assert text.startswith(f"# Python {sys.version.split()[0]}; auralign ")
    assert f"numpy=={np.__version__}\n" in text
    assert any(found.startswith(line) for found in text.splitlines())
    assert "secret" not in text
    assert not re.search(r"^(pip|auralign)==", text, re.MULTILINE)
