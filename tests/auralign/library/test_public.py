"""The public names: few, lazy, typed, and documented with examples that run."""

import doctest
import importlib
import subprocess
import sys
import types
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import auralign as au
from auralign.errors import ConfigError, DataError
from auralign.inputs.split_options import Splits
from auralign.inputs.splits import make_splits

FUNCTIONS = [name for name in au.__all__ if name not in ("__version__", "AuralignError")]
DOCUMENTED = {"phantom": "auralign.phantom.arrays", "report": "auralign.report.from_python"}


def _run(code: str) -> str:
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return done.stdout.strip()


def test_importing_auralign_imports_nothing_heavy():
    heavy = ("numpy", "pandas", "xarray", "torch", "scipy", "sklearn", "julearn", "junifer", "matplotlib", "pydantic")
    code = f"import auralign, sys; print([name for name in {heavy} if name in sys.modules])"
    assert _run(code) == "[]"


def test_scores_do_not_need_torch_or_matplotlib_or_junifer():
    code = "import auralign as au, sys; au.encode, au.fit, au.splits, au.read_features, au.save_model;"
    code += "print([name for name in ('torch', 'matplotlib', 'junifer') if name in sys.modules])"
    assert _run(code) == "[]"


def test_every_public_name_is_there_and_an_unknown_one_is_not():
    assert set(au.__all__) <= set(dir(au))
    for name in au.__all__:
        assert getattr(au, name) is not None
    assert issubclass(DataError, au.AuralignError)
    with pytest.raises(AttributeError, match="no attribute 'encodes'; there are AuralignError"):
        _ = au.encodes
    assert (Path(au.__file__).parent / "py.typed").exists()


def test_rooms_with_the_name_of_a_function_are_called_as_it():
    for name in ("phantom", "report"):
        module = importlib.import_module(f"auralign.{name}")
        assert getattr(au, name) is module and isinstance(module, types.ModuleType) and callable(module)
    with pytest.raises(ConfigError, match="no result"):
        au.report()


@pytest.mark.parametrize("name", FUNCTIONS)
def test_the_examples_of_the_documentation_run(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    thing = getattr(importlib.import_module(DOCUMENTED[name]), name) if name in DOCUMENTED else getattr(au, name)
    assert thing.__doc__
    runner = doctest.DocTestRunner(optionflags=doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS)
    for test in doctest.DocTestFinder(recurse=True).find(thing, name, globs={}):
        result = runner.run(test)
        assert not result.failed


def test_the_phantom_is_the_same_each_time_and_cannot_be_changed_by_a_caller():
    features, responses = au.phantom()
    assert [layer.shape for layer in features.values()] == [(165, 20), (165, 40), (165, 80)]
    features[0][:] = 0
    assert (au.phantom()[0][0] != 0).any()
    responses[:] = 0
    assert (au.phantom()[1] != 0).any()
    voxels = au.phantom("voxels")[1]
    assert voxels.dims == ("stimulus", "target", "repetition") and voxels.shape == (165, 300, 3)
    assert voxels.synthetic.all() and list(voxels.stimulus.values) == list(features[1].stimulus.values)
    for wrong in ({"responses": "fmri"}, {"n_voxels": 0}):
        with pytest.raises(ConfigError, match="phantom: "):
            au.phantom(**wrong)


@pytest.mark.parametrize(
    "options",
    [
        {"kind": "shuffle", "n_splits": 3, "train_size": 20, "test_size": 15, "seed": 4},
        {"kind": "kfold", "n_splits": 3, "seed": 1},
        {"kind": "stratified", "n_splits": 2, "train_size": 20, "test_size": 20},
        {"kind": "stratified_kfold", "n_splits": 2},
        {"kind": "group_shuffle", "n_splits": 2, "train_size": 4, "test_size": 3},
        {"kind": "leave_one_group_out", "allow_small_test": True},
    ],
)
def test_splits_are_those_of_a_configuration(options):
    groups, categories = np.repeat(list("abcdefgh"), 5), ["x", "y"] * 20
    given = {"groups": groups} if "group" in options["kind"] else {}
    config = Splits(**options, **({"groups": "g"} if given else {}))
    codes = np.unique(groups, return_inverse=True)[1] if given else None
    expected = make_splits(config, 40, categories, codes)
    if "stratified" in options["kind"]:
        given["categories"] = categories
    for found in (au.splits(40, **options, **given), au.splits([f"s{n}" for n in range(40)], **options, **given)):
        for own, theirs in zip(found, expected, strict=True):
            np.testing.assert_array_equal(own[0], theirs[0])
            np.testing.assert_array_equal(own[1], theirs[1])


def test_predefined_splits_need_the_ids(tmp_path):
    ids = [f"s{number:02d}" for number in range(24)]
    rows = [
        (split, name, "test" if (n < 12) == (split == 0) else "train") for split in (0, 1) for n, name in enumerate(ids)
    ]
    pd.DataFrame(rows, columns=["split", "stimulus", "set"]).to_csv(tmp_path / "s.tsv", sep="\t", index=False)
    found = au.splits(ids, "predefined", table=tmp_path / "s.tsv")
    np.testing.assert_array_equal(found[0][1], np.arange(12))
    with pytest.raises(ConfigError, match="needs the ids"):
        au.splits(24, "predefined", table=tmp_path / "s.tsv")


@pytest.mark.parametrize(
    "given, problem",
    [
        ({"kind": "shufle"}, "kind: .*given: 'shufle'"),
        ({"train": 3}, "no such option; there are kind, n_splits, train_size"),
        ({"train_size": 20}, "needs `train_size` and `test_size`"),
        ({"kind": "shuffle", "train_size": 90, "test_size": 40}, "= 130 stimuli, but only 100"),
        ({"kind": "kfold", "n_splits": 50}, "holds 2 test stimuli"),
        ({"kind": "group_shuffle", "train_size": 3, "test_size": 3}, "needs `groups`"),
        ({"kind": "kfold", "groups": [1, 2]}, "2 groups for 100 stimuli"),
        ({"kind": 3.5}, "cannot divide 100 stimuli"),
        ({"n_stimuli": 10.5}, "neither a number of stimuli nor a list of their ids"),
    ],
)
def test_impossible_splits_say_why(given, problem):
    with pytest.raises(ConfigError, match=problem):
        au.splits(**{"n_stimuli": 100, **given})


def test_files_are_read_as_a_comparison_reads_them(inputs):
    layers = au.read_features(inputs / "net.tsv", layers=[0, 2])
    assert (
        list(layers) == [0, 2] and layers[2].attrs["name"] == "net" and layers[0].sizes == {"stimulus": 30, "unit": 8}
    )
    voxels = au.read_responses(inputs / "voxels.tsv", target_table=inputs / "targets.tsv")
    assert voxels.dims == ("stimulus", "target", "repetition") and set(voxels.roi.values) == {"core", "belt"}
    assert au.read_responses(inputs / "components.tsv").dims == ("stimulus", "target")


@pytest.mark.parametrize(
    "call, problem",
    [
        (lambda f: au.read_features(f / "net.hdf5"), "give marker="),
        (lambda f: au.read_features(f / "absent.tsv"), "absent.tsv"),
        (lambda f: au.read_features(f / "net.tsv", layers=[7]), "no layer"),
        (lambda f: au.read_features(f / "net.tsv", layers=1), "layers.*given: 1"),
        (lambda f: au.run({}, n_jobs=0), "n_jobs: 0 is no number of processes; give 1 or more, or -1 for one per core"),
        (lambda f: au.run({}, n_jobs="2"), "n_jobs: '2' is no number of processes"),
        (lambda f: au.run(None), "None is neither the path of a configuration nor a dict"),
        (lambda f: au.phantom("voxels", 1.5), "n_voxels=1.5 is no whole number"),
        (lambda f: au.read_features(f / "x", marker="m", network="n"), "go together|give one of"),
        (lambda f: au.read_responses(f), "a folder without"),
        (lambda f: au.read_responses(f / "components.tsv", kind="voxel"), "kind"),
        (lambda f: au.read_responses(f / "components.tsv", window=(0, 1)), "takes no `window`"),
    ],
)
def test_what_cannot_be_read_is_said_in_a_sentence(call, problem, inputs):
    with pytest.raises(au.AuralignError, match=problem):
        call(inputs)


def test_a_comparison_runs_from_a_file_and_from_a_dict(inputs, tmp_path):
    config = {
        "name": "small",
        "features": {"net": {"table": str(inputs / "plain.tsv")}},
        "targets": {"kind": "table", "table": str(inputs / "components.tsv")},
        "splits": {"kind": "shuffle", "n_splits": 4, "train_size": 18, "test_size": 12, "seed": 1},
        "estimators": {"ridge": {"kind": "ridge", "alphas": [1.0]}},
    }
    results = au.run(config, tmp_path / "out")
    assert results.scores.equals(au.read_results(tmp_path / "out").scores)
    page = au.report(results, out=tmp_path / "page.html")
    assert page.read_text(encoding="utf-8").count("<html") == 1
    with pytest.raises(ConfigError, match=r"run: featurs: there is no such option.*Did you mean features\?"):
        au.run({**config, "featurs": {}}, tmp_path / "x")
    with pytest.raises(ConfigError, match="no such file"):
        au.run(tmp_path / "absent.yml")
