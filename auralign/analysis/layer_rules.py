"""Three rules that choose a layer for every target: best on the test splits, as published, inside the development."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from itertools import combinations, product

import numpy as np

from .aggregate import known_median
from .half_split import N_DRAWS, Halves, halves_of
from .nested_layers import at_position, best_position
from .score_arrays import Model, Scores

RULES = ("naive", "published", "nested")
# splits whose halves are numbers of a table of medians
_MOST_BITS = 16


@dataclass(frozen=True)
class Choice:
    """What a rule chose for every target, and the score there.

    Attributes
    ----------
    score : ndarray, shape (n_repeats, n_targets)
        Ten repeats of the published rule, one of the others.
    position : ndarray of int, shape (n_choices, n_targets)
        Of the chosen layer, from 1; 0 where no layer has a score. One row per repeat or per split, or a single one.
    """

    score: np.ndarray
    position: np.ndarray


def choose(
    scores: Scores, model: Model, metrics: Sequence[str], rules: Sequence[str] = RULES, dev: str = "r2_dev"
) -> dict[tuple[str, str], Choice]:
    """Choose the layers of one model, some targets at a time.

    Parameters
    ----------
    scores : Scores
    model : Model
        One of the scores, or such a one with fewer layers.
    metrics : sequence of str
    rules : sequence of str
        Of `RULES`: see `layer_choice.naive_best`, `published_choice` and `nested_choice`.
    dev : str
        The score that chooses inside the development stimuli.

    Returns
    -------
    dict of (metric, rule) to Choice
        Of all targets; 130 bytes of each target for all rules of one metric and ten splits.
    """
    n_splits, n_targets = len(scores.splits), len(scores.targets)
    n_choices = {"naive": 1, "published": N_DRAWS, "nested": n_splits}
    found = {}
    for metric, rule in product(metrics, rules):
        score = np.empty((N_DRAWS if rule == "published" else 1, n_targets))
        found[metric, rule] = Choice(score, np.empty((n_choices[rule], n_targets), dtype=np.int16))
    halves = None
    if "published" in rules and n_splits % 2 == 0:
        halves = halves_of(n_splits, n_targets, max(len(one.layers) for one in scores.models))
    # equals are drawn by target in order, also from one part of the targets to the next
    generators = {metric: [np.random.RandomState(0) for _ in range(N_DRAWS)] for metric in metrics}
    for part in scores.parts:
        read = scores.read(model, [*metrics, *([dev] if "nested" in rules else [])], part)
        chosen = best_position(read[dev]) if "nested" in rules else None  # [splits, targets]
        for metric, rule in product(metrics, rules):
            values = read[metric]
            if rule == "published":
                own = _published(values, halves, part, generators[metric])
            else:
                own = _naive(values) if chosen is None or rule == "naive" else _nested(values, chosen)
            whole = found[metric, rule]
            whole.score[:, part], whole.position[:, part] = own.score, own.position
    return found


def _naive(values: np.ndarray) -> Choice:
    """Take the highest median over splits; values are [n_layers, n_splits, n_targets]."""
    medians = np.minimum(known_median(np.moveaxis(values, 1, 0)), 1.0)  # [layers, targets]
    position = best_position(medians)
    return Choice(at_position(medians, position)[None], position[None] + 1)


def _nested(values: np.ndarray, position: np.ndarray) -> Choice:
    return Choice(np.minimum(known_median(at_position(values, position)), 1.0)[None], position + 1)


def _published(
    values: np.ndarray, halves: Halves | None, targets: slice, generators: list[np.random.RandomState]
) -> Choice:
    """Choose on random halves of the splits, and read on the others.

    Parameters
    ----------
    values : ndarray, shape (n_layers, n_splits, n_targets)
    halves : Halves or None
        Those of the study; None where there are none.
    targets : slice
        Positions of the targets of `values` among all of the study.
    generators : list of RandomState
        One per draw; they go on from one part of the targets to the next.
    """
    n_targets = values.shape[2]
    score, position = np.full((N_DRAWS, n_targets), np.nan), np.zeros((N_DRAWS, n_targets), dtype=int)
    if halves is None:
        return Choice(score, position)
    medians = _HalfMedians(values)
    for draw, random in enumerate(generators):
        choosing, reading = (np.minimum(half, 1.0) for half in medians.of(halves, draw, targets))
        position[draw] = _best_of_equals(choosing, random)
        score[draw] = at_position(reading, position[draw] - 1)
    return Choice(score, position)


class _HalfMedians:
    """Medians over halves of the splits; the splits are put in order once for all draws."""

    def __init__(self, values: np.ndarray) -> None:
        n_layers, n_splits, n_targets = values.shape
        self._values, self._is_short = np.moveaxis(values, 1, 2), n_splits <= _MOST_BITS  # [layers, targets, splits]
        if not self._is_short:
            return
        self._incomplete = np.flatnonzero(np.isnan(values).any(axis=(0, 1)))
        order = np.argsort(self._values, axis=2)
        self._ordered = np.take_along_axis(self._values, order, axis=2).ravel()
        # split of every rank, [rank, layer, target]
        self._order = np.ascontiguousarray(np.moveaxis(order, 2, 0)).astype(np.uint16)
        self._first = np.arange(n_layers * n_targets).reshape(n_layers, n_targets) * n_splits

    def of(self, halves: Halves, draw: int, targets: slice) -> list[np.ndarray]:
        """Return the medians over the splits that choose and over those that are read, [n_layers, n_targets]."""
        n_layers = len(self._values)
        if not self._is_short:
            return _medians_of(self._values, halves.of_draw(draw, n_layers, targets))
        code = halves.codes(draw, n_layers, targets)
        ranks = np.zeros_like(code)
        for rank, split in enumerate(self._order):
            ranks |= (code >> split & np.uint16(1)) << np.uint16(rank)
        medians = [
            (self._ordered[self._first + low[ranks]] + self._ordered[self._first + high[ranks]]) / 2
            for low, high in _middle(self._order.shape[0])
        ]
        if len(self._incomplete):
            # with scores that are missing the middle is another one
            chooses = halves.of_draw(draw, n_layers, targets)[:, self._incomplete]
            for whole, own in zip(medians, _medians_of(self._values[:, self._incomplete], chooses), strict=True):
                whole[:, self._incomplete] = own
        return medians


def _medians_of(values: np.ndarray, chooses: np.ndarray) -> list[np.ndarray]:
    """Take the medians over the splits that choose and over the others; both are [layer, target, split]."""
    shape = (*values.shape[:2], values.shape[2] // 2)
    return [known_median(np.moveaxis(values[half].reshape(shape), 2, 0)) for half in (chooses, ~chooses)]


@cache
def _middle(n_splits: int) -> list[tuple[np.ndarray, np.ndarray]]:
    """Find the two middle ranks of every half, and of its other half, by the number whose bits are the half's ranks."""
    both = [(np.zeros(1 << n_splits, dtype=np.uint8), np.zeros(1 << n_splits, dtype=np.uint8)) for _ in range(2)]
    half = n_splits // 2
    everything = (1 << n_splits) - 1
    for ranks in combinations(range(n_splits), half):
        code = sum(1 << rank for rank in ranks)
        for (low, high), where in zip(both, (code, everything - code), strict=True):
            low[where], high[where] = ranks[(half - 1) // 2], ranks[half // 2]
    return both


def _best_of_equals(values: np.ndarray, random: np.random.RandomState) -> np.ndarray:
    """Position from 1 of the highest value along the first axis, the layers, any of equals; 0 where there is none.

    Draws go by target. (A draw among one would not advance the generator; the published code makes it.)
    """
    position = best_position(values)
    equal = values == at_position(values, position)
    count = equal.sum(axis=0)
    several = np.flatnonzero(count > 1)
    if len(several):
        # the numbers that `random.choice` would draw one by one
        which = random.randint(0, count[several])
        position[several] = (np.cumsum(equal[:, several], axis=0) > which).argmax(axis=0)
    return position + 1
