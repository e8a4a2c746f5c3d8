"""Representational similarity as Tuckute et al. 2023 computed it, quirks included (PLoS Biol 21:e3002366).

For other studies take `similarity.compare` with `inference.pair_resampling`: the ceiling here is of another kind than
the scores, and there is neither an upper ceiling nor an interval over stimuli.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..errors import DataError
from ..similarity.comparisons import Method, compare
from ..similarity.representations import representation, zscored

Split = tuple[np.ndarray, np.ndarray]


@dataclass(frozen=True)
class PublishedRsa:
    """What the published procedure gives for one network.

    Attributes
    ----------
    score : ndarray, shape (n_subjects,)
        Median over splits of the test score at the layer that was best on development; the network's score is its mean.
    position : ndarray, shape (n_subjects,)
        Median over splits of the position of that layer, which may lie between two.
    layers : ndarray, shape (n_subjects, n_layers)
        Median over splits of every layer's own test score.
    all_stimuli : ndarray, shape (n_subjects, n_layers)
        Score of every layer on all stimuli.
    concatenated : ndarray, shape (n_subjects,)
        Score of all layers side by side, on all stimuli.
    ceiling : ndarray, shape (n_subjects,)
        Median over splits of the correlation with the mean matrix of the other subjects on the test stimuli; NaN of a
        single subject.
    chosen : ndarray of int, shape (n_subjects, n_splits)
        Position of the layer in every split; -1 where no layer has a score.
    """

    score: np.ndarray
    position: np.ndarray
    layers: np.ndarray
    all_stimuli: np.ndarray
    concatenated: np.ndarray
    ceiling: np.ndarray
    chosen: np.ndarray


def category_order(categories: Sequence[str], order: Sequence[str]) -> np.ndarray:
    """Positions of the stimuli by category, in their own order within it, as they stood when splits were drawn.

    Parameters
    ----------
    categories : sequence of str
        Of every stimulus.
    order : sequence of str
        All categories.

    Raises
    ------
    DataError
        A stimulus is of a category that is not in `order`.
    """
    place = {category: number for number, category in enumerate(order)}
    unknown = sorted({str(category) for category in categories if category not in place})
    if unknown:
        raise DataError(f"categories: {', '.join(unknown)} not in the order ({', '.join(map(str, order))}).")
    return np.argsort([place[category] for category in categories], kind="stable")


def published_rsa(
    layers: Sequence[np.ndarray],
    subjects: Sequence[np.ndarray],
    splits: Sequence[Split],
    published_ceiling: bool = True,
) -> PublishedRsa:
    """Compare the layers of a network with the responses of every subject, by Spearman of sound x sound correlations.

    Per split units and voxels are scaled with the mean and standard deviation of the development stimuli, and the
    matrices of the development and of the test stimuli are made: Pearson r of every pair of rows. With c_l the Spearman
    correlation of the upper triangles of layer l and of a subject,

        l*(subject, split) = the first of the highest c_l on development
        score(subject)     = median over splits of c_l* on test

    On all stimuli columns are scaled by all of them.

    Parameters
    ----------
    layers : sequence of ndarray, each of shape (n_stimuli, n_units)
    subjects : sequence of ndarray, each of shape (n_stimuli, n_voxels)
        Means over repetitions. As published one per subject (or its voxels of one region), the stimuli in the order of
        `category_order`.
    splits : sequence of (development, test)
        Positions; their order does not matter, as the published code takes them as masks. Published:
        `make_splits` with `kind: tuckute2023`, drawn for the stimuli as they stand here.
    published_ceiling : bool
        The published ceiling is a Pearson correlation, although the scores are Spearman's (an argument left at its
        default); False takes Spearman for both.

    Returns
    -------
    PublishedRsa

    Raises
    ------
    DataError
        No layers, subjects or splits, different numbers of stimuli, fewer than three of them in a part, or values that
        are not finite.
    """
    if not len(layers) or not len(subjects) or not len(splits):
        raise DataError(f"RSA: {len(layers)} layers, {len(subjects)} subjects, {len(splits)} splits; each is needed.")
    layers = [representation(x, 3, f"layers[{number}]") for number, x in enumerate(layers)]
    subjects = [representation(x, 3, f"subjects[{number}]") for number, x in enumerate(subjects)]
    lengths = {len(x) for x in (*layers, *subjects)}
    if len(lengths) > 1:
        raise DataError(f"RSA: layers and subjects are of {sorted(lengths)} stimuli; all must be of the same.")
    by: Method = "pearson" if published_ceiling else "spearman"
    tests, positions, ceilings = [], [], []
    for development, test in splits:
        chooses, reads = np.sort(development), np.sort(test)
        on_development = compare(_triangles(layers, chooses, chooses), _triangles(subjects, chooses, chooses))
        positions.append(_first_of_highest(on_development))  # [subjects], of [layers, subjects]
        people = _triangles(subjects, chooses, reads)
        tests.append(compare(_triangles(layers, chooses, reads), people))
        ceilings.append(_of_others(people, by))
    score, position = np.stack(tests), np.stack(positions)  # [splits, layers, subjects], [splits, subjects]
    at = np.take_along_axis(score, np.maximum(position, 0)[:, None], axis=1)[:, 0]
    every = np.arange(lengths.pop())
    people = _triangles(subjects, every, every)
    concatenated = _triangles([np.hstack(layers)], every, every)
    return PublishedRsa(
        score=np.median(np.where(position < 0, np.nan, at), axis=0),
        position=np.median(position, axis=0),
        layers=np.median(score, axis=0).T,
        all_stimuli=compare(_triangles(layers, every, every), people).T,
        concatenated=compare(concatenated, people)[0],
        ceiling=np.median(ceilings, axis=0),
        chosen=position.T,
    )


def _triangles(parts: Sequence[np.ndarray], scaled_by: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Correlation of every pair of rows of every part, [n_parts, n_pairs], its units scaled by some of the stimuli."""
    upper = np.triu_indices(len(rows), 1)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.stack([np.corrcoef(zscored(x[rows], x[scaled_by]))[upper] for x in parts])


def _first_of_highest(values: np.ndarray) -> np.ndarray:
    """Position of the highest value of every column, the first of equals; -1 where all are NaN."""
    known = ~np.isnan(values)
    return np.where(known.any(axis=0), np.where(known, values, -np.inf).argmax(axis=0), -1)


def _of_others(people: np.ndarray, by: Method) -> np.ndarray:
    """Every subject's triangle against the mean of the others', [n_subjects]."""
    n = len(people)
    if n < 2:
        return np.full(n, np.nan)
    total = people.sum(axis=0)
    return np.array([compare(own, (total - own) / (n - 1), by) for own in people])
