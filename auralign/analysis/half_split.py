"""The random halves of the splits that Tuckute et al. 2023 choose and read layers by, and the half-split statistic."""

from functools import lru_cache

import numpy as np

N_DRAWS = 10


def half_split(scores: np.ndarray, halves: np.ndarray | None = None) -> np.ndarray:
    """Mean over ten random halves of the splits of the median score over the half.

    The halves are those of `draw_halves` that are read, of the first layer. (In Tuckute et al. 2023 the other half
    chooses the best layer; where there is no layer to choose, as for a baseline, it goes unused.)

    Parameters
    ----------
    scores : ndarray, shape (n_splits, n_targets)
        The draws follow the order of the targets.
    halves : ndarray of bool, shape (10, n_targets, n_splits), optional
        Those of the first layer, where the targets are some of many (`Halves.of_layer`).

    Returns
    -------
    ndarray, shape (n_targets,)
        NaN where the number of splits is odd: they have no halves.
    """
    n_splits, n_targets = scores.shape
    if n_splits % 2:
        return np.full(n_targets, np.nan)
    reads = ~(draw_halves(n_splits, n_targets)[:, 0] if halves is None else halves)  # [draws, targets, splits]
    # target by target along the memory: the same to the last digit however many targets there are
    medians = np.empty((n_targets, N_DRAWS))
    for draw, read in enumerate(reads):
        medians[:, draw] = np.median(scores.T[read].reshape(n_targets, n_splits // 2), axis=1)
    return medians.mean(axis=1)


class Halves:
    """The halves of all layers and targets of a study: drawn once, a bit per split, read some targets at a time.

    See `draw_halves`. The draws of fewer layers are the first ones of those of many, so that all feature sets,
    estimators and metrics share them.

    Parameters
    ----------
    n_splits : int
        Where it is odd there are no halves.
    n_targets, n_layers : int
    """

    def __init__(self, n_splits: int, n_targets: int, n_layers: int = 1) -> None:
        self.n_splits = n_splits
        self._bits = np.zeros((N_DRAWS, n_layers, n_targets, -(-n_splits // 8)), dtype=np.uint8)
        for draw in range(0 if n_splits % 2 else N_DRAWS):
            shuffle = np.random.RandomState(draw).shuffle
            for layer in range(n_layers):
                rows = np.tile([False, True], (n_targets, n_splits // 2))
                for row in rows:
                    shuffle(row)
                self._bits[draw, layer] = np.packbits(rows, axis=1, bitorder="little")

    @property
    def n_layers(self) -> int:
        """How many layers were drawn."""
        return self._bits.shape[1]

    def of_draw(self, draw: int, n_layers: int, targets: slice) -> np.ndarray:
        """Tell which splits choose: bool, [n_layers, n_targets, n_splits]."""
        bits = self._bits[draw, :n_layers, targets]
        return np.unpackbits(bits, axis=-1, count=self.n_splits, bitorder="little").view(bool)

    def of_layer(self, layer: int, targets: slice) -> np.ndarray:
        """Tell which splits choose in one layer: bool, [10, n_targets, n_splits]."""
        return np.unpackbits(self._bits[:, layer, targets], axis=-1, count=self.n_splits, bitorder="little").view(bool)

    def codes(self, draw: int, n_layers: int, targets: slice) -> np.ndarray:
        """Return the same as numbers whose bits are the splits, uint16, [n_layers, n_targets]; of up to 16 splits."""
        bits = self._bits[draw, :n_layers, targets].astype(np.uint16)
        return bits[..., 0] if bits.shape[-1] == 1 else bits[..., 0] | bits[..., 1] << np.uint16(8)


# one study at a time: its summary, and the choice of layers by every metric, ask for the same halves
halves_of = lru_cache(maxsize=1)(Halves)


def draw_halves(n_splits: int, n_targets: int, n_layers: int = 1) -> np.ndarray:
    """Draw which half of the splits chooses the layer; the other half is read.

    For i = 0, ..., 9 numpy's legacy generator is seeded with i; for every layer in order, and in it for every target in
    order, it shuffles (0, 1, 0, 1, ...) over the splits; splits with a 1 choose. So fewer layers get the halves of the
    first of many, and all feature sets of a study the same ones.

    Parameters
    ----------
    n_splits : int
        Even.
    n_targets, n_layers : int

    Returns
    -------
    ndarray of bool, shape (10, n_layers, n_targets, n_splits), read-only
    """
    halves = Halves(n_splits, n_targets, n_layers)
    drawn = np.stack([halves.of_draw(draw, n_layers, slice(None)) for draw in range(N_DRAWS)])
    drawn.setflags(write=False)
    return drawn
