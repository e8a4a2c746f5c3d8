"""The permutation test as blocks: parts as the whole, whatever the number of processes, found again by their key."""

import dataclasses

import numpy as np
import pandas as pd
import pytest

from auralign.config.models import Comparison
from auralign.estimators.ridge import Ridge
from auralign.inference.resampling import MAX_COLUMNS, permute
from auralign.inference.statistics import benjamini_hochberg
from auralign.inputs.arrays import store_array
from auralign.questions.block import NOT_IN_KEY, compute_block
from auralign.questions.encoding import chance_blocks
from auralign.questions.encoding.chance_blocks import ChanceBlock, chance_parts
from auralign.questions.encoding.engines import run_multitarget
from auralign.questions.encoding.options import AboveChance
from auralign.questions.preparation import Preparation
from auralign.runs.compare import run_comparison

N, TARGETS = 24, list("pqrst")


@pytest.fixture
def run(tmp_path):
    """Run a comparison with a permutation test in some processes; returns the table of the test."""
    random = np.random.default_rng(0)
    names = [f"s{number:02d}" for number in range(N)]
    layers = [random.standard_normal((N, 4)) for _ in range(2)]
    parts = [pd.DataFrame(x, columns=list("abcd")).assign(stimulus=names, layer=i) for i, x in enumerate(layers)]
    pd.concat(parts).to_csv(tmp_path / "x.tsv", sep="\t", index=False)
    y = layers[0] @ random.standard_normal((4, 5)) * [2.0, 1.0, 0.5, 0.0, 0.0] + random.standard_normal((N, 5))
    pd.DataFrame(y, columns=TARGETS).assign(stimulus=names).to_csv(tmp_path / "y.tsv", sep="\t", index=False)
    settings = {
        "name": "c",
        "features": {"net": {"table": str(tmp_path / "x.tsv")}},
        "targets": {"kind": "table", "table": str(tmp_path / "y.tsv")},
        "splits": {"kind": "shuffle", "n_splits": 2, "train_size": 14, "test_size": 10, "allow_small_test": True},
        "estimators": {"ridge": {"kind": "ridge"}, "lasso": {"kind": "lasso", "n_alphas": 3}},
        "above_chance": {"n_permutations": 99},
    }

    def run_with(out: str, n_jobs: int = 1) -> pd.DataFrame:
        return run_comparison(Comparison.model_validate(settings), tmp_path / out, n_jobs)["above_chance"]

    return run_with


def test_any_number_of_processes_gives_the_same_table(run, monkeypatch):
    # in parts of two targets
    monkeypatch.setattr(chance_blocks, "MAX_COLUMNS", 200)
    monkeypatch.setattr(chance_blocks, "COLUMNS_OF_BLOCK", 400)
    assert len(chance_parts(5, 2, 99)) == 3
    one, two = run("one"), run("two", n_jobs=2)
    pd.testing.assert_frame_equal(one, two, check_exact=True)
    assert list(one["target"]) == 2 * TARGETS and list(one["layer"]) == 5 * [0] + 5 * [1]
    best = one.groupby("target", sort=False)["p_layers"].min()
    np.testing.assert_allclose(one["p_best_fdr"], np.tile(benjamini_hochberg(best.to_numpy()), 2), rtol=1e-12)
    assert one.query("layer == 0 and target == 'p'")["p"].item() == 0.01


def test_a_permutation_test_that_is_done_is_not_done_again(run, monkeypatch):
    first = run("out")
    monkeypatch.setattr(ChanceBlock, "compute", lambda _: pytest.fail("the permutations were fitted again"))
    pd.testing.assert_frame_equal(run("out"), first, check_exact=True)


@pytest.mark.parametrize("n_targets", [1, 7, 8, 9, 1000, 300_000])
@pytest.mark.parametrize(("n_layers", "n_permutations"), [(1, 19), (12, 1000), (40, 1_000_000)])
def test_parts_cover_every_target_once_and_fill_the_matrix_products(n_targets, n_layers, n_permutations):
    parts = chance_parts(n_targets, n_layers, n_permutations)
    np.testing.assert_array_equal(np.concatenate([np.arange(n_targets)[part] for part in parts]), np.arange(n_targets))
    together = max(1, MAX_COLUMNS // (1 + n_permutations))
    assert all((part.stop - part.start) % together == 0 for part in parts[:-1])
    assert len(parts) <= chance_blocks.MOST_BLOCKS


@pytest.fixture
def block(tmp_path) -> ChanceBlock:
    random = np.random.default_rng(0)
    x, y = random.standard_normal((N, 4)), random.standard_normal((N, 5, 1))
    splits = [(np.arange(14), np.arange(14, N)), (np.arange(10, N), np.arange(10))]
    return ChanceBlock(
        layers=((store_array(x, tmp_path),),),
        responses=store_array(y, tmp_path),
        part=slice(1, 4),
        splits=splits,
        estimator=Ridge(kind="ridge"),
        preparations=(Preparation(),),
        settings=AboveChance(n_permutations=19),
        within=None,
        folder=tmp_path,
        scratch=tmp_path,
        label="a block",
    )


def test_a_block_is_the_test_of_its_targets(block):
    compute_block(block)
    x, y = block.layers[0][0].load(), block.responses.load()[:, 1:4, 0]
    expected = permute(
        [lambda c: np.stack([r.r2_corr for r in run_multitarget(x, c, block.splits, block.estimator, Preparation())])],
        y,
        19,
    )
    found = block.need("chance")
    assert found["target"].tolist() == [1, 2, 3] and set(found["layer"]) == {0}
    for name in chance_blocks.NUMBERS:
        np.testing.assert_allclose(found[name], getattr(expected, name).ravel(), rtol=1e-12)


def test_everything_but_the_place_is_in_the_key(block):
    other = {
        "layers": block.layers * 2,
        "responses": block.responses.take(np.arange(N)[::-1]),
        "part": slice(0, 4),
        "splits": block.splits[::-1],
        "estimator": block.estimator.model_copy(update={"alphas": [1.0]}),
        "preparations": (Preparation(zscore=True),),
        "settings": AboveChance(n_permutations=20),
        "within": np.zeros(N, dtype=int),
        "groups": np.arange(N),
        "code": "other",
    }
    assert set(other) == {field.name for field in dataclasses.fields(ChanceBlock)} - set(NOT_IN_KEY)
    keys = {dataclasses.replace(block, **{name: value}).key for name, value in other.items()}
    assert len(keys) == len(other) and block.key not in keys
    assert dataclasses.replace(block, label="other").key == block.key
