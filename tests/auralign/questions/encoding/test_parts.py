"""Targets are cut into blocks by what is computed alone; a part, or less memory, changes no number and no row."""

import numpy as np
import pandas as pd
import pytest

from auralign.errors import ConfigError
from auralign.estimators.registry import options_of
from auralign.questions.encoding import layer, parts
from auralign.questions.encoding.layer import encode_layer
from auralign.questions.encoding.memory import GRANULE, PROCESS, Demand, demand
from auralign.questions.encoding.parts import PART_TARGETS, TARGETS_TOGETHER, in_order, target_parts
from auralign.questions.preparation import Preparation

RIDGE, LASSO = options_of("ridge"), options_of("lasso")


@pytest.mark.parametrize("n_targets", [1, 7, 4096, 4097, 8192, 8193, 30_000, 300_000])
@pytest.mark.parametrize(("estimator", "engine"), [(RIDGE, "multitarget"), (LASSO, "multitarget"), (LASSO, "julearn")])
def test_parts_hold_every_target_once_in_its_order(n_targets, estimator, engine):
    cut = target_parts(n_targets, estimator, engine, n_fits=40, n_values=83 * 768)
    assert [n for part in cut for n in range(part.start, part.stop)] == list(range(n_targets))
    assert max(part.stop - part.start for part in cut) <= PART_TARGETS
    # none reaches over a bound at which rows begin anew
    assert all(part.start // TARGETS_TOGETHER == (part.stop - 1) // TARGETS_TOGETHER for part in cut)


def test_parts_of_a_large_layer_keep_two_workers_equally_busy():
    sizes = [part.stop - part.start for part in target_parts(30_000, RIDGE, "multitarget")]
    loads = [0, 0]
    for size in sorted(sizes, reverse=True):
        loads[loads.index(min(loads))] += size
    assert loads == [15_000, 15_000]


def test_targets_that_are_solved_one_by_one_are_cut_by_their_time():
    def number(n_targets, engine, n_fits=10, n_values=83 * 768, estimator=LASSO):
        return len(target_parts(n_targets, estimator, engine, n_fits, n_values))

    assert number(6, "julearn") == 6  # half a second each
    assert number(300, "multitarget") > 16
    assert number(7694, "multitarget") == parts.MOST_PARTS
    # a small study stays in one piece, and so do targets that share what takes long
    assert number(6, "julearn", n_fits=2, n_values=100) == 1
    assert number(300, "multitarget", estimator=options_of("kernel_ridge")) == 1
    assert number(300, "multitarget", estimator=options_of("multitask_lasso")) == 1
    assert number(20_000, "multitarget", estimator=options_of({"kind": "ridge", "per_target": False})) == 1
    assert number(6, "julearn", estimator=options_of({"sklearn": "sklearn.svm.SVR"})) > 1


def _layer(n_targets: int, n_repetitions: int) -> tuple[np.ndarray, np.ndarray, list]:
    random = np.random.default_rng(0)
    x = random.standard_normal((30, 12))
    y = (x @ random.standard_normal((12, n_targets)))[:, :, None] + random.standard_normal(
        (30, n_targets, n_repetitions)
    )
    splits = [(order[:18], order[18:]) for order in (random.permutation(30) for _ in range(3))]
    return x, y, splits


@pytest.mark.parametrize("estimator", [options_of({"kind": "ridge", "alphas": [0.1, 1.0, 10.0]}), LASSO])
@pytest.mark.parametrize("n_repetitions", [1, 2])
def test_fewer_targets_at_once_give_the_same_tables(estimator, n_repetitions):
    x, y, splits = _layer(7, n_repetitions)
    whole, some = (
        encode_layer(x, y, splits, estimator, "multitarget", Preparation(widths=(12,)), at_once=at_once)
        for at_once in (None, 3)
    )
    for name in ("scores", "selected"):
        pd.testing.assert_frame_equal(getattr(some, name), getattr(whole, name), rtol=1e-12, atol=1e-12)


def test_targets_that_are_fitted_together_stay_together(monkeypatch):
    x, y, splits = _layer(5, 1)
    seen = []
    run = layer._run
    monkeypatch.setattr(layer, "_run", lambda x, y, *more: seen.append(y.shape[1]) or run(x, y, *more))
    ridge = options_of({"kind": "ridge", "alphas": [1.0, 10.0], "per_target": False})
    encode_layer(x, y, splits, ridge, "multitarget", Preparation(widths=(12,)), at_once=2)
    assert seen == [5]


def test_rows_of_parts_come_in_the_order_of_a_whole_layer(monkeypatch):
    monkeypatch.setattr(parts, "TARGETS_TOGETHER", 4)
    rows = [(target, split) for block in (range(4), range(4, 6)) for split in range(2) for target in block]
    whole = pd.DataFrame(rows, columns=["target", "split"])
    cut = pd.concat([whole[whole["target"].isin(part)] for part in ([0, 1], [2, 3], [4], [5])])
    assert cut["target"].tolist() != whole["target"].tolist()
    pd.testing.assert_frame_equal(in_order(cut), whole)


def test_memory_decides_how_many_targets_are_fitted_at_once():
    needs = Demand(fixed=1000, of_target=10)
    assert needs.at_once(None, 5000, False, "a block") == 5000
    assert needs.at_once(1000 + 10 * 7, 5000, False, "a block") == 7
    # solvers work through blocks of targets: whole ones are the same matrix products
    assert needs.at_once(1000 + 10 * (3 * GRANULE + 5), 5000, False, "a block") == 3 * GRANULE
    assert needs.at_once(1000 + 10 * 6000, 5000, False, "a block") == 5000
    assert needs.at_once(1000 + 10 * 5000, 5000, True, "a block") == 5000


def test_what_cannot_fit_into_the_memory_is_refused_with_what_it_takes():
    needs = demand(165, 83, 82, 10, 4, 768, 0, False)
    with pytest.raises(ConfigError, match=r"memory_per_worker: 100 MiB are too little for a layer: with one target"):
        needs.at_once(100 * 2**20, 8, False, "a layer")
    with pytest.raises(ConfigError, match=r"with all 50,000 targets, which are fitted together, its process takes"):
        needs.at_once(2**30, 50_000, True, "a layer")
    assert needs.at_once(2**30, 4096, False, "a layer") == 4096
    assert needs.fixed > PROCESS
