"""The key of a block: every setting that changes numbers changes it, and a new setting cannot be forgotten."""

import copy
import dataclasses
import os
import shutil
import subprocess
import sys
import typing
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from pydantic import BaseModel

from auralign.config.models import Comparison
from auralign.errors import AuralignError
from auralign.estimators import registry
from auralign.estimators.lasso import Lasso
from auralign.estimators.multitask_lasso import MultitaskLasso
from auralign.estimators.options import EstimatorOptions
from auralign.estimators.ridge import Ridge
from auralign.inputs.arrays import store_array
from auralign.inputs.study import load_study
from auralign.questions import fingerprint
from auralign.questions.block import NOT_IN_KEY, compute_block
from auralign.questions.encoding.blocks import Job
from auralign.questions.encoding.plan import plan_blocks
from auralign.questions.preparation import Preparation, Removal

# the module of encoding's blocks: whatever it imports from the package makes their numbers
ROOT = "auralign.questions.encoding.blocks"
RIDGE_BLOCK = (ROOT, "auralign.estimators.ridge")

RIDGE = {
    "name": "base",
    "features": {
        "net": {"table": "net.tsv"},
        "small": {"table": "small.tsv"},
        "both": {"join": ["net", "small"]},
    },
    "targets": {"kind": "table", "table": "y.tsv"},
    "stimuli": {"table": "stimuli.tsv"},
    "splits": {"kind": "stratified", "n_splits": 4, "train_size": 16, "test_size": 12, "seed": 1},
    "confounds": {"table": "confounds.tsv"},
    "estimators": {"ridge": {"kind": "ridge", "alphas": [0.1, 1.0, 10.0]}},
}
SPARSE = RIDGE | {
    "features": {"net": {"table": "net.tsv"}, "small": {"table": "small.tsv"}},
    "estimators": {"ridge": {"kind": "ridge"}, "lasso": {"kind": "lasso"}, "multitask": {"kind": "multitask_lasso"}},
}

# a section: its own fields are below
SECTION = "section"
# says where numbers are read; the key holds the numbers themselves (see Features.table and Targets.table)
SOURCE = "source"
# a changed value -> the keys of the blocks that it is about change, and no other
CHANGES = {
    "Comparison.noise_correction": {"noise_correction": "off"},
    "Comparison.missing": {"missing": "drop", "features.small.table": "short.tsv"},
    "Comparison.missing_targets": {"missing_targets": "drop", "targets.table": "y_gap.tsv"},
    "Comparison.engine": {"engine": "julearn"},
    "Features.table": {"features.small.table": "small_other.tsv"},
    "Features.join": {"features.both.join": ["small", "net"]},
    "Features.zscore": {"features.small.zscore": True},
    "Targets.table": {"targets.table": "y_other.tsv"},
    "Targets.missing_repetitions": {"targets.missing_repetitions": "available", "targets.table": "y_lacking.tsv"},
    "Stimuli.table": {"stimuli.table": "stimuli_other.tsv"},
    "Stimuli.by": {"stimuli.by": "other"},
    "Splits.kind": {"splits.kind": "shuffle"},
    "Splits.n_splits": {"splits.n_splits": 3},
    "Splits.train_size": {"splits.train_size": 15},
    "Splits.test_size": {"splits.test_size": 11},
    "Splits.seed": {"splits.seed": 2},
    "Splits.groups": {"splits": {"kind": "kfold", "n_splits": 3, "groups": "other"}},
    "Splits.table": {"splits": {"kind": "predefined", "table": "splits.tsv"}},
    "Center.x": {"center": {"x": False}},
    "Center.y": {"center": {"y": False}},
    "Confounds.table": {"confounds.table": "confounds_other.tsv"},
    "Confounds.apply_to": {"confounds.apply_to": ["x"]},
    "Ridge.alphas": {"estimators.ridge.alphas": [0.1, 1.0]},
    "Ridge.cv": {"estimators.ridge.cv": 5},
    "Ridge.per_target": {"estimators.ridge.per_target": False},
    "Ridge.unpredictable": {"estimators.ridge.unpredictable": "published"},
    "Ridge.seed": {"estimators.ridge.seed": 3},
    "Ridge.kind": {"estimators.ridge": {"kind": "lasso"}},
    "Lasso.kind": {"estimators.lasso": {"kind": "multitask_lasso"}},
    "Lasso.n_alphas": {"estimators.lasso.n_alphas": 49},
    "Lasso.eps": {"estimators.lasso.eps": 0.002},
    "Lasso.cv": {"estimators.lasso.cv": 4},
    "Lasso.seed": {"estimators.lasso.seed": 3},
    "MultitaskLasso.kind": {"estimators.multitask": {"kind": "lasso"}},
    "MultitaskLasso.n_alphas": {"estimators.multitask.n_alphas": 49},
    "MultitaskLasso.eps": {"estimators.multitask.eps": 0.002},
    "MultitaskLasso.cv": {"estimators.multitask.cv": 4},
    "MultitaskLasso.standardise_targets": {"estimators.multitask.standardise_targets": True},
    "MultitaskLasso.tolerance": {"estimators.multitask.tolerance": 1e-3},
    "MultitaskLasso.seed": {"estimators.multitask.seed": 3},
}
# a changed value -> the keys that are left stay as they are: it chooses blocks, or concerns what is made of scores
KEEPS = {
    "Comparison.name": {"name": "other"},
    "Comparison.task": {"task": "encoding"},
    "Comparison.scheduler": {"scheduler": "tcp://127.0.0.1:9"},
    "Comparison.memory_per_worker": {"memory_per_worker": "1 GiB"},
    "Comparison.worker_retries": {"worker_retries": 0},
    "Comparison.tests": {"tests": [{"metric": "r2", "a": {"features": "net", "layer": 0}, "b": {"features": "small"}}]},
    "Comparison.hypotheses": {
        "hypotheses": [{"name": "H", "kind": "best_overall", "features": "net", "against": ["small"]}]
    },
    "Comparison.above_chance": {"confounds": {}, "above_chance": {"n_permutations": 19}},
    "Comparison.fdr": {"fdr": 0.1},
    "Comparison.metric": {"metric": "r2"},
    "Ridge.device": {"estimators.ridge.device": "cpu"},
    # blocks of ceilings are others, see encoding/test_ceiling_blocks.py
    "Comparison.ceiling": {"ceiling": {"interval": "bootstrap"}},
    "Splits.allow_small_test": {"splits.allow_small_test": True},
    "Features.layers": {"features.net.layers": [1], "features.both": None},
    "Features.exclude_layers": {"features.net.exclude_layers": [0], "features.both": None},
    "Targets.target_table": {"targets.target_table": "targets.tsv"},
}
SECTIONS = ("features", "targets", "stimuli", "splits", "center", "confounds", "estimators")
SOURCES = {
    "Features": ("storage", "marker", "activations", "network", "permuted", "stimuli", "song165"),
    "Targets": ("kind", "dataset", "folder", "study", "repetitions", "subjects", "rois", "regions", "window"),
}
CLASSES = (
    {f"Comparison.{name}": SECTION for name in SECTIONS}
    | {f"{model}.{name}": SOURCE for model, names in SOURCES.items() for name in names}
    | CHANGES
    | KEEPS
)


def _models(annotation: typing.Any) -> set[type[BaseModel]]:
    """Find the models that a field's type names, however deep; of estimators, which are plug-ins, three."""
    if annotation is EstimatorOptions:
        return {Ridge, Lasso, MultitaskLasso}
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return {annotation}
    return set().union(*(_models(part) for part in typing.get_args(annotation)))


def _reachable() -> set[str]:
    """List the fields of all sections of a configuration that blocks are made from, as `Model.field`."""
    waiting, fields = {Comparison}, set()
    while waiting:
        model = waiting.pop()
        for name, field in model.model_fields.items():
            fields.add(f"{model.__name__}.{name}")
            if CLASSES.get(f"{model.__name__}.{name}") == SECTION:
                waiting |= _models(field.annotation)
    return fields


@pytest.fixture(scope="module")
def tables(tmp_path_factory) -> Path:
    """Inputs of 30 stimuli, and of each another version."""
    folder = tmp_path_factory.mktemp("tables")
    random = np.random.default_rng(0)
    stimuli = [f"stim{n}_sound" for n in range(1, 31)]

    def write(name: str, values: np.ndarray, **more) -> None:
        table = pd.DataFrame(values, columns=[f"u{n}" for n in range(values.shape[1])]).assign(**more)
        table.to_csv(folder / f"{name}.tsv", sep="\t", index=False)

    net, small, y = random.standard_normal((60, 6)), random.standard_normal((30, 3)), random.standard_normal((60, 2))
    write("net", net, stimulus=stimuli * 2, layer=np.repeat([0, 1], 30))
    twice = {"stimulus": stimuli * 2, "repetition": np.repeat([0, 1], 30)}
    write("y", y, **twice)
    gap = y.copy()
    gap[5, 1] = np.nan
    write("y_gap", gap, **twice)
    gap[5] = np.nan
    write("y_lacking", gap, **twice)
    y[17, 1] += 1e-9
    write("y_other", y, **twice)
    write("small", small, stimulus=stimuli)
    write("copy", small, stimulus=stimuli)
    write("short", small[1:], stimulus=stimuli[1:])
    small[3, 1] += 1e-9
    write("small_other", small, stimulus=stimuli)
    for name in ("confounds", "confounds_other"):
        write(name, random.standard_normal((30, 1)), stimulus=stimuli)
    for name in ("stimuli", "stimuli_other"):
        labels = {key: random.permutation(["a", "b", "c"] * 10) for key in ("category", "other")}
        pd.DataFrame({"stimulus": stimuli, **labels}).to_csv(folder / f"{name}.tsv", sep="\t", index=False)
    sides = [["test" if n % 3 == split else "development" for n in range(30)] for split in range(2)]
    splits = {"split": np.repeat([0, 1], 30), "stimulus": stimuli * 2, "set": np.concatenate(sides)}
    pd.DataFrame(splits).to_csv(folder / "splits.tsv", sep="\t", index=False)
    pd.DataFrame({"target": ["u0", "u1"], "subject": [1, 2]}).to_csv(folder / "targets.tsv", sep="\t", index=False)
    return folder


def _keys(base: dict, change: dict, tables: Path, scratch: Path) -> dict[tuple[str, int, str], str]:
    """Plan the blocks of a configuration; its keys by features, layer and estimator."""
    settings = copy.deepcopy(base)
    for path, value in change.items():
        *parents, last = path.split(".")
        section = settings
        for parent in parents:
            section = section[parent]
        if value is None:
            del section[last]
        else:
            section[last] = value

    def absolute(section: dict) -> dict:
        return {
            key: absolute(value)
            if isinstance(value, dict)
            else str(tables / value)
            if key in ("table", "target_table")
            else value
            for key, value in section.items()
        }

    config = Comparison.model_validate(absolute(settings))
    blocks = plan_blocks(config, load_study(config, scratch), scratch, scratch)
    return {(block.features, block.layer, block.estimator): block.job.key for block in blocks}


def _base(change: dict) -> dict:
    sparse = any("lasso" in path or "multitask" in path or "lasso" in str(value) for path, value in change.items())
    return SPARSE if sparse else RIDGE


def test_every_setting_is_classified():
    unknown = _reachable() - set(CLASSES)
    assert not unknown, f"say in CLASSES whether these settings change numbers: {sorted(unknown)}"
    assert set(CLASSES) <= _reachable()


@pytest.mark.parametrize("kind", registry.shipped())
def test_every_option_of_every_estimator_is_in_the_key(kind):
    required = {"sklearn": {"estimator": "sklearn.svm.SVR"}, "julearn": {"model": "svm"}}
    options = registry.options_of({"kind": kind, **required.get(kind, {})})
    key, left_out = options.in_key(), options.not_in_key
    # where a number is computed is all that may be left out
    assert left_out <= {"device"}
    counted = [name for name in type(options).model_fields if name not in left_out]
    assert {name: key[name] for name in counted} == options.model_dump(mode="json", exclude=set(left_out))


@pytest.mark.parametrize("field", CHANGES)
def test_a_setting_that_changes_numbers_changes_the_key(field, tables, tmp_path):
    change = CHANGES[field]
    before, after = (_keys(_base(change), part, tables, tmp_path) for part in ({}, change))
    section, name, *_ = [*list(change)[-1].split("."), ""]
    everything = field == "Comparison.missing" or section not in ("features", "estimators")
    for block, key in before.items():
        concerned = everything or name in (block[0], block[2]) or (block[0] == "both" and field == "Features.table")
        assert (after[block] != key) == concerned, block


@pytest.mark.parametrize("field", KEEPS)
def test_a_setting_that_changes_no_number_keeps_the_key(field, tables, tmp_path):
    change = dict(KEEPS[field])
    base = RIDGE | {"confounds": {}} if "confounds" in change else RIDGE
    if "features.both" in change:
        base = RIDGE | {"features": {name: RIDGE["features"][name] for name in ("net", "small")}}
        del change["features.both"]
    before, after = (_keys(base, part, tables, tmp_path) for part in ({}, change))
    assert after and after.items() <= before.items()


def test_the_key_holds_values_and_not_files(tables, tmp_path):
    before = _keys(RIDGE, {}, tables, tmp_path)
    assert _keys(RIDGE, {"features.small.table": "copy.tsv"}, tables, tmp_path) == before


@pytest.fixture
def job(tmp_path) -> tuple[Job, dict[str, typing.Any]]:
    """A job, and for each of its fields another value."""
    random = np.random.default_rng(0)
    x, y, z = random.standard_normal((20, 4)), random.standard_normal((20, 2, 1)), random.standard_normal((20, 1))
    splits = [(np.arange(12), np.arange(12, 20)), (np.arange(8, 20), np.arange(8))]
    bands, responses = (store_array(x, tmp_path),), store_array(y, tmp_path)
    part, ridge = slice(0, 2), Ridge(kind="ridge")
    base = Job(bands, responses, part, splits, ridge, "julearn", Preparation(), tmp_path, tmp_path, "a block")
    return base, {
        "bands": (bands[0].take(np.arange(20)[::-1]),),
        "responses": responses.take(np.arange(20)[::-1]),
        "part": slice(1, 2),
        "splits": splits[::-1],
        "estimator": Lasso(kind="lasso"),
        "engine": "multitarget",
        "preparation": Preparation(removal=Removal(z, ("x",))),
        "groups": np.arange(20) // 2,
        "memory": 2**30,
        "code": "other",
        "folder": tmp_path / "elsewhere",
        "scratch": tmp_path / "elsewhere",
        "label": "another name",
    }


def test_every_field_of_a_job_is_in_the_key(job):
    base, others = job
    assert set(others) == {field.name for field in dataclasses.fields(Job)}
    for name, value in others.items():
        assert (dataclasses.replace(base, **{name: value}).key == base.key) == (name in NOT_IN_KEY), name


def test_every_field_of_a_preparation_is_in_the_key(job):
    base, _ = job
    z = np.ones((20, 1))
    others = {"center_x": False, "center_y": False, "zscore": True, "removal": Removal(z, ("x",)), "widths": (1, 3)}
    assert set(others) == {field.name for field in dataclasses.fields(Preparation)}
    removals = [Removal(z, ("x",)), Removal(z, ("x", "y")), Removal(z + 1, ("x",))]
    prepared = [Preparation(**{name: value}) for name, value in others.items()]
    prepared += [Preparation(removal=removal) for removal in removals[1:]]
    keys = {dataclasses.replace(base, preparation=one).key for one in [Preparation(), *prepared]}
    assert len(keys) == 1 + len(prepared)


def test_what_has_no_fingerprint_is_refused():
    with pytest.raises(TypeError, match="a set has no fingerprint"):
        fingerprint.fingerprint({"a": {1, 2}})


def test_a_process_with_other_code_refuses_to_compute(job):
    with pytest.raises(AuralignError, match="a block: the process that computes it has other versions"):
        compute_block(dataclasses.replace(job[0], code="of another machine"))


@pytest.mark.parametrize("library", ["numpy", "scipy", "scikit-learn", "julearn", "pandas"])
def test_another_version_of_a_library_is_another_code(library, monkeypatch):
    real, before = fingerprint.version, fingerprint.code_version(*RIDGE_BLOCK)
    monkeypatch.setattr(fingerprint, "version", lambda name: "0.0" if name == library else real(name))
    assert fingerprint.code_version.__wrapped__(*RIDGE_BLOCK) != before


def test_the_code_is_whatever_blocks_import():
    counted = [
        # of ridge also the banded one, which takes its place on joined sets
        set(fingerprint.counted_modules(ROOT, *registry.origins(registry.options_of(name))))
        for name in ("ridge", "lasso")
    ]
    modules = set.union(*counted)
    for room, names in {
        "questions": "block preparation encoding.blocks encoding.engines",
        "inputs": "confounds",
        "scoring": "scores ceilings",
        "estimators": "ridge lasso banded_ridge numerics.decomposition numerics.ridge_errors numerics.homotopy",
    }.items():
        assert {f"auralign.{room}.{name}" for name in names.split()} <= modules
    # a change of one estimator leaves the blocks of the others
    assert "auralign.estimators.lasso" not in counted[0] and "auralign.estimators.ridge" not in counted[1]
    # what reads configurations and inputs is in the key by its values
    assert (
        not {"auralign.config.reading", "auralign.inputs.study", "auralign.report", "auralign.runs.compare"} & modules
    )


def _version_of(path: Path) -> str:
    """The code version that a process finds whose package lies on another path."""
    code = "from auralign.questions import fingerprint as f; print(f.__file__); print(f.code_version(*sys.argv[1:]))"
    done = subprocess.run(
        [sys.executable, "-c", f"import sys; {code}", *RIDGE_BLOCK],
        env=os.environ | {"PYTHONPATH": str(path)},
        cwd=path.parent,
        capture_output=True,
        text=True,
        check=True,
    )
    file, version = done.stdout.split()
    assert file.startswith(str(path))
    return version


def test_the_code_version_follows_statements_wherever_the_package_lies(root, tmp_path):
    copied = tmp_path / "copy"
    shutil.copytree(root / "auralign", copied / "auralign", ignore=shutil.ignore_patterns("__pycache__"))
    zipped = Path(shutil.make_archive(str(tmp_path / "package"), "zip", copied))
    assert _version_of(zipped) == fingerprint.code_version(*RIDGE_BLOCK)
    solver = copied / "auralign" / "estimators" / "numerics" / "decomposition.py"
    text = solver.read_text(encoding="utf-8")
    solver.write_text(text.replace('"""The decomposition', '"""A decomposition') + "\n# a remark\n", encoding="utf-8")
    assert _version_of(copied) == fingerprint.code_version(*RIDGE_BLOCK)
    solver.write_text(text.replace("ROUNDING = 1e-13", "ROUNDING = 1e-12"), encoding="utf-8")
    assert _version_of(copied) != fingerprint.code_version(*RIDGE_BLOCK)
