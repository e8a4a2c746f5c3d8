"""The published procedure, transcribed step by step without regard for speed."""

import numpy as np
import pytest
from scipy.stats import pearsonr, spearmanr
from sklearn.preprocessing import StandardScaler

from auralign.analysis.published_rsa import category_order, published_rsa
from auralign.errors import DataError
from auralign.inputs.split_options import Splits
from auralign.inputs.splits import make_splits


def transcribed(layers, subjects, n_splits):
    """Draw the splits, choose on one half, read on the other; one network."""
    n = len(layers[0])
    random = np.random.RandomState(0)
    chosen, scores, own, ceilings = [], [], [], []
    for _ in range(n_splits):
        train = random.choice(n, 83, replace=False)
        test = random.choice(list(set(np.arange(n)) - set(train)), n - 83, replace=False)
        is_train, is_test = np.zeros(n, dtype=bool), np.zeros(n, dtype=bool)
        is_train[train], is_test[test] = True, True

        def triangle(x, mask, is_train=is_train):
            scaler = StandardScaler().fit(x[is_train])
            matrix = np.corrcoef(scaler.transform(x[mask]))
            return matrix[np.triu_indices(len(matrix), k=1)]

        def of(mask, triangle=triangle):
            people = [triangle(y, mask) for y in subjects]
            values = [[spearmanr(triangle(x, mask), y).statistic for x in layers] for y in people]
            return np.array(values), people

        on_train, _ = of(is_train)
        on_test, people = of(is_test)
        best = np.nanargmax(on_train, axis=1)
        chosen.append(best)
        own.append(on_test)
        scores.append(on_test[np.arange(len(subjects)), best])
        ceilings.append(
            [
                pearsonr(y, np.mean([z for j, z in enumerate(people) if j != i], axis=0)).statistic
                for i, y in enumerate(people)
            ]
        )
    return np.median(scores, axis=0), np.median(chosen, axis=0), np.median(own, axis=0), np.median(ceilings, axis=0)


@pytest.fixture(scope="module")
def study():
    random = np.random.default_rng(0)
    shared = random.standard_normal((165, 6))
    layers = [
        shared[:, :k] @ random.standard_normal((k, q)) + random.standard_normal((165, q)) for k, q in ((2, 20), (6, 30))
    ]
    layers.append(random.standard_normal((165, 9)))
    layers[0][:, 3] = 0.1  # a unit that never varies
    subjects = [shared @ random.standard_normal((6, v)) + 2 * random.standard_normal((165, v)) for v in (40, 25, 30)]
    return layers, subjects


def test_equal_to_the_transcription(study):
    splits = make_splits(Splits(kind="tuckute2023"), 165)
    found = published_rsa(*study, splits)
    score, position, layers, ceiling = transcribed(*study, 10)
    np.testing.assert_allclose(found.score, score, atol=1e-12)
    np.testing.assert_allclose(found.position, position, atol=0)
    np.testing.assert_allclose(found.layers, layers, atol=1e-12)
    np.testing.assert_allclose(found.ceiling, ceiling, atol=1e-12)
    assert found.chosen.shape == (3, 10) and (found.position == 1).all(), "the second layer holds all that is shared"


def test_all_stimuli_and_all_layers_side_by_side(study):
    layers, subjects = study
    found = published_rsa(layers, subjects, [(np.arange(83), np.arange(83, 165))])
    upper = np.triu_indices(165, 1)

    def triangle(x):
        return np.corrcoef(StandardScaler().fit_transform(x))[upper]

    expected = spearmanr(triangle(np.hstack(layers)), triangle(subjects[1])).statistic
    assert found.concatenated[1] == pytest.approx(expected, abs=1e-12)
    expected = spearmanr(triangle(layers[2]), triangle(subjects[0])).statistic
    assert found.all_stimuli[0, 2] == pytest.approx(expected, abs=1e-12)


def test_the_ceiling_may_be_of_the_same_kind_as_the_scores(study):
    split = [(np.arange(83), np.arange(83, 165))]
    published, same = (published_rsa(*study, split, published_ceiling=flag).ceiling for flag in (True, False))
    assert (published != same).all() and (np.abs(published - same) < 0.1).all()
    assert np.isnan(published_rsa(study[0], study[1][:1], split).ceiling).all()


def test_a_layer_without_a_score_is_never_chosen(study):
    layers, subjects = study
    split = [(np.arange(83), np.arange(83, 165))]
    found = published_rsa([np.zeros((165, 4)), layers[1]], subjects, split)
    assert (found.chosen == 1).all() and np.isnan(found.layers[:, 0]).all() and np.isfinite(found.score).all()
    alone = published_rsa([np.zeros((165, 4))], subjects, split)
    assert (alone.chosen == -1).all() and np.isnan(alone.score).all()


def test_stimuli_by_category_keep_their_own_order():
    assert category_order(["b", "a", "b", "c", "a"], ["c", "a", "b"]).tolist() == [3, 1, 4, 0, 2]
    with pytest.raises(DataError, match="b not in the order"):
        category_order(["a", "b"], ["a"])


def test_refused(study):
    layers, subjects = study
    split = [(np.arange(83), np.arange(83, 165))]
    with pytest.raises(DataError, match="0 layers"):
        published_rsa([], subjects, split)
    with pytest.raises(DataError, match=r"\[164, 165\] stimuli"):
        published_rsa([layers[0][1:]], subjects, split)
    with pytest.raises(DataError, match=r"subjects\[0\]: 1 values are not finite"):
        broken = subjects[0].copy()
        broken[4, 2] = np.nan
        published_rsa(layers, [broken], split)
