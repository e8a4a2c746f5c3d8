"""Inner folds of groups, and that every estimator of both engines gets them."""

import importlib

import numpy as np
import pytest
from sklearn.model_selection import KFold, LeaveOneOut

from auralign.errors import ConfigError
from auralign.estimators.lasso import Lasso
from auralign.estimators.multitask_lasso import MultitaskLasso
from auralign.estimators.numerics.group_folds import inner_folds
from auralign.estimators.ridge import Ridge
from auralign.questions.encoding import engines
from auralign.questions.preparation import Preparation

GROUPS = np.array([3, 3, 1, 1, 1, 7, 4, 4, 9, 9, 2, 2])
RIDGE = Ridge(kind="ridge", alphas=[0.1, 1.0, 10.0])


@pytest.mark.parametrize("cv", ["loo", 2, 3, 6])
def test_a_group_is_on_one_side_of_every_fold(cv):
    folds = inner_folds(cv, 5, GROUPS)
    assert len(folds) == (6 if cv == "loo" else cv)
    for train, validation in folds:
        assert not set(GROUPS[train]) & set(GROUPS[validation])
        assert sorted([*train, *validation]) == list(range(12))
        assert (np.diff(train) > 0).all() and (np.diff(validation) > 0).all()
    assert sorted(np.concatenate([validation for _, validation in folds])) == list(range(12))


def test_the_groups_are_shuffled_by_the_seed():
    left_out = [[list(validation) for _, validation in inner_folds(3, seed, GROUPS)] for seed in (0, 0, 1)]
    assert left_out[0] == left_out[1] != left_out[2]


@pytest.mark.parametrize(("cv", "theirs"), [("loo", LeaveOneOut()), (4, KFold(4, shuffle=True, random_state=2))])
def test_stimuli_each_in_a_group_of_its_own_have_the_folds_of_no_groups(cv, theirs):
    ours = inner_folds(cv, 2, np.arange(12))
    for (train, validation), (their_train, their_validation) in zip(ours, theirs.split(GROUPS), strict=True):
        np.testing.assert_array_equal(train, their_train)
        np.testing.assert_array_equal(validation, their_validation)


@pytest.mark.parametrize(("cv", "groups"), [(7, GROUPS), ("loo", np.zeros(12, int)), (2, np.zeros(12, int))])
def test_fewer_groups_than_folds_are_refused(cv, groups):
    with pytest.raises(ConfigError, match=rf"cv: {cv} inner folds .* here are {len(set(groups))}\. Use fewer folds"):
        inner_folds(cv, 0, groups)


@pytest.fixture
def study():
    """24 stimuli in 12 pairs that differ by little, in three splits that keep the pairs together."""
    random = np.random.default_rng(0)
    groups = np.repeat(np.arange(12), 2)
    x = np.repeat(random.standard_normal((12, 30)), 2, axis=0) + 0.01 * random.standard_normal((24, 30))
    y = np.repeat(random.standard_normal((12, 2)), 2, axis=0) + 0.01 * random.standard_normal((24, 2))
    order = random.permutation(24)
    x, y, groups = x[order], y[order], groups[order]
    tests = [np.isin(groups, random.permutation(12)[:5]) for _ in range(3)]
    return x, y, groups, [(np.flatnonzero(~test), np.flatnonzero(test)) for test in tests]


@pytest.mark.parametrize(
    ("estimator", "module", "solver", "widths"),
    [
        (RIDGE, "ridge", "predict_ridge", None),
        (RIDGE, "banded_ridge", "predict_banded_ridge", (10, 20)),
        (Lasso(kind="lasso", cv=3, seed=4), "lasso", "fit_lassos", None),
        (MultitaskLasso(kind="multitask_lasso", cv=3, seed=4), "multitask_lasso", "fit_multitask_lasso", None),
    ],
    ids=["ridge", "banded", "lasso", "joint"],
)
def test_every_solver_gets_the_folds_of_its_split(study, estimator, module, solver, widths, monkeypatch):
    x, y, groups, splits = study
    module = importlib.import_module(f"auralign.estimators.{module}")
    real, given = getattr(module, solver), []

    def recorder(*args, **kwargs):
        # by name for the ridges; the lassos' fifth argument
        given.append(kwargs["cv"] if "cv" in kwargs else args[4])
        return real(*args[:4], 3, *args[5:]) if "cv" not in kwargs else real(*args, **kwargs | {"cv": 3})

    monkeypatch.setattr(module, solver, recorder)
    engines.run_multitarget(x, y, splits, estimator, Preparation(widths=widths), groups)
    for folds, (development, _) in zip(given, splits, strict=True):
        expected = inner_folds(estimator.cv, estimator.seed, groups[development])
        assert len(folds) == len(expected)
        for fold, other in zip(folds, expected, strict=True):
            assert all(np.array_equal(a, b) for a, b in zip(fold, other, strict=True))
    given.clear()
    engines.run_multitarget(x, y, splits, estimator, Preparation(widths=widths))
    assert given == [estimator.cv] * 3


@pytest.mark.parametrize("estimator", [RIDGE, Lasso(kind="lasso", n_alphas=15, cv=3)], ids=["ridge", "lasso"])
@pytest.mark.parametrize("zscore", [False, True])
def test_engines_agree_on_groups(study, estimator, zscore):
    x, y, groups, splits = study
    preparation = Preparation(zscore=zscore)
    ours, theirs, without = (
        run(x, y, splits, estimator, preparation, of)
        for run, of in (
            (engines.run_multitarget, groups),
            (engines.run_julearn, groups),
            (engines.run_multitarget, None),
        )
    )
    for a, b in zip(ours, theirs, strict=True):
        assert np.abs(a.prediction - b.prediction).max() < 1e-10 * y.std()
        np.testing.assert_allclose(a.r2_dev, b.r2_dev, atol=1e-10)
    # a twin in the other part of a fold makes noise look predictable
    assert np.mean([a.r2_dev for a in ours]) < 0.3 < 0.7 < np.mean([a.r2_dev for a in without])
