"""Inner folds: what `cv` may be, alike for every solver, and equality with scikit-learn on the same folds."""

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.linear_model import LassoCV, MultiTaskLassoCV, Ridge
from sklearn.model_selection import (
    GridSearchCV,
    GroupKFold,
    KFold,
    LeaveOneGroupOut,
    LeaveOneOut,
    PredefinedSplit,
    RepeatedKFold,
    ShuffleSplit,
    StratifiedKFold,
)

from auralign.errors import ConfigError
from auralign.estimators.banded_ridge import BandedRidgeExact
from auralign.estimators.lasso import LassoExact, alpha_grid
from auralign.estimators.multitask_lasso import MultiTaskLassoExact, joint_alpha_grid
from auralign.estimators.numerics.folds import resolve_folds, training_and_validation
from auralign.estimators.ridge import RidgeExact

N = 24
GROUPS = np.repeat([0, 1, 2, 3, 4], [9, 6, 4, 3, 2])  # groups of unequal sizes
ALPHAS = np.logspace(-1, 3, 9)
X = np.random.default_rng(0).standard_normal((N, 6))
Y = X[:, :2] @ np.ones((2, 2)) + 1.5 * np.random.default_rng(1).standard_normal((N, 2))
FOLDS = {
    "unequal groups": list(LeaveOneGroupOut().split(X, groups=GROUPS)),
    "group k-fold": list(GroupKFold(3).split(X, groups=GROUPS)),
    "stimuli in several folds": RepeatedKFold(n_splits=3, n_repeats=2, random_state=0),
    "stimuli in no fold": PredefinedSplit(np.where(np.arange(N) < 6, -1, np.arange(N) % 4)),
    "random": ShuffleSplit(4, test_size=7, random_state=3),
}
ESTIMATORS = [RidgeExact(ALPHAS), BandedRidgeExact([2, 4], ALPHAS), LassoExact(8), MultiTaskLassoExact(8)]


@pytest.mark.parametrize("cv", FOLDS.values(), ids=FOLDS)
def test_ridge_equals_a_grid_search_on_the_same_folds(cv):
    grid = {"alpha": ALPHAS}
    reference = GridSearchCV(Ridge(), grid, cv=cv, scoring="neg_mean_squared_error").fit(X, Y[:, 0])
    model = RidgeExact(ALPHAS, cv=cv, unpredictable="published").fit(X, Y[:, 0])
    assert model.alpha_ == reference.best_params_["alpha"]
    np.testing.assert_allclose(model.coef_, reference.best_estimator_.coef_, rtol=1e-9)
    pairs = cv if isinstance(cv, list) else list(cv.split(X))
    null = np.mean([((Y[b, 0] - Y[a, 0].mean()) ** 2).mean() for a, b in pairs])
    assert model.r2_dev_ == pytest.approx(1 + reference.best_score_ / null, rel=1e-9)


@pytest.mark.parametrize("cv", FOLDS.values(), ids=FOLDS)
def test_lassos_equal_scikit_learns_on_the_same_folds(cv):
    x, y = X - X.mean(axis=0), Y - Y.mean(axis=0)
    model = LassoExact(12, 1e-2, cv=cv).fit(X, Y[:, 0])
    grid = alpha_grid(x, y[:, 0], 12, 1e-2)
    reference = LassoCV(alphas=grid, cv=cv, tol=1e-10, max_iter=100_000).fit(X, Y[:, 0])
    assert model.alpha_ == pytest.approx(reference.alpha_)
    np.testing.assert_allclose(model.coef_, reference.coef_, atol=1e-6)
    null = np.mean([((Y[b, 0] - Y[a, 0].mean()) ** 2).mean() for a, b in (cv if isinstance(cv, list) else cv.split(X))])
    assert model.r2_dev_ == pytest.approx(1 - reference.mse_path_.mean(axis=1).min() / null, rel=1e-6)
    joint = MultiTaskLassoExact(12, 1e-2, cv=cv).fit(X, Y)
    grid = joint_alpha_grid(x, y, 12, 1e-2)
    reference = MultiTaskLassoCV(alphas=grid, cv=cv, tol=1e-10, max_iter=100_000).fit(X, Y)
    assert joint.alpha_ == pytest.approx(reference.alpha_)
    np.testing.assert_allclose(joint.coef_, reference.coef_, atol=1e-6)


@pytest.mark.parametrize("estimator", ESTIMATORS, ids=lambda one: type(one).__name__)
@pytest.mark.parametrize(
    ("cv", "message"),
    [
        (N + 1, rf"a number of folds from 2 to {N} \(the stimuli\).*got {N + 1}"),
        (1, "got 1"),
        (True, "got True"),
        (5.0, r"got 5\.0"),
        ("LOO", "got 'LOO'"),
        (None, "got None"),
        ([], "has no folds"),
        (GroupKFold(3), "groups.*list of its folds"),
        (StratifiedKFold(3), "list of its folds"),
        ([(np.arange(10), np.arange(9, 20))], "fold 0 of cv validates with 1 stimuli that it trains with.*position 9"),
        ([(np.arange(10), np.arange(10, N + 1))], rf"validation part of fold 0 .* position {N}; there are {N} stimuli"),
        ([(np.array([0, 0, 1]), np.array([2]))], "training part of fold 0 of cv has the position 0 more than once"),
        ([(np.arange(3), np.array([], dtype=int))], "validation part of fold 0 .* at least one"),
        ([(np.arange(3.0), np.arange(3, 5))], "training part of fold 0 .* got float64"),
        ([np.arange(3)], "fold 0 of cv is not a pair"),
    ],
)
def test_every_estimator_refuses_the_same(estimator, cv, message):
    y = Y if isinstance(estimator, MultiTaskLassoExact) else Y[:, 0]
    with pytest.raises(ConfigError, match=message):
        clone(estimator).set_params(cv=cv).fit(X, y)


@pytest.mark.parametrize("estimator", ESTIMATORS, ids=lambda one: type(one).__name__)
def test_words_numbers_splitters_and_lists_of_the_same_folds_agree(estimator):
    y = Y if isinstance(estimator, MultiTaskLassoExact) else Y[:, 0]
    shuffled = KFold(4, shuffle=True, random_state=2)
    pairs = list(shuffled.split(X))
    masks = [(np.isin(np.arange(N), a), np.isin(np.arange(N), b)) for a, b in pairs]
    for group in ((4, np.int64(4), shuffled, pairs, masks), ("loo", LeaveOneOut(), list(LeaveOneOut().split(X)))):
        first, *others = (clone(estimator).set_params(cv=cv, seed=2).fit(X, y) for cv in group)
        for other in others:
            np.testing.assert_allclose(other.coef_, first.coef_, rtol=1e-9, atol=1e-12)
            np.testing.assert_allclose(other.r2_dev_, first.r2_dev_, rtol=1e-9, atol=1e-12)


def test_an_iterator_of_folds_serves_one_fit():
    folds = iter(FOLDS["group k-fold"])
    model = RidgeExact(ALPHAS, cv=folds).fit(X, Y)
    np.testing.assert_array_equal(model.coef_, RidgeExact(ALPHAS, cv=FOLDS["group k-fold"]).fit(X, Y).coef_)
    with pytest.raises(ConfigError, match="used up by its first fit"):
        model.fit(X, Y)


def test_masks_of_folds_say_who_trains_who_validates_and_who_neither():
    folds = resolve_folds(FOLDS["stimuli in no fold"], X, Y, 0, "ridge")
    training, validation = training_and_validation(folds, N)
    assert not (training & validation).any()
    assert (training.sum(axis=1) + validation.sum(axis=1) == N).all()
    assert not validation[:, :6].any()
    training, validation = training_and_validation("loo", 3)
    assert (validation == np.eye(3, dtype=bool)).all()
    assert (training == ~validation).all()
