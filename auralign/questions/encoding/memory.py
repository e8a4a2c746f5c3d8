"""How much memory a block takes, and how many of its targets are fitted at once so that it takes no more than allowed.

A process takes about, in bytes,

    PROCESS + 8 u (n + m (7 + k)) + t (8 (11 n c + s v c + 42 s) + 16 u w)

with n stimuli, m of them the development stimuli of a split, u units, k inner folds, s splits, v test stimuli, c
columns of a target (its mean response, and its repetitions where there are several), t targets at once, and w = 1 where
weights are kept (sparse estimators), else 0. The numbers are measured, with 165 stimuli, 64 to 8,192 targets and 768 to
12,288 units, and rounded up. Less memory means fewer targets at once, and the same numbers.
"""

from __future__ import annotations

from dataclasses import dataclass

from ...errors import ConfigError
from ...wording import counted

# of a process that has imported what a block needs, and keeps some room
PROCESS = 256 * 2**20
# solvers work through targets by so many: blocks of them are solved by the same matrix products
GRANULE = 1024


@dataclass(frozen=True)
class Demand:
    """What a block asks of memory.

    Attributes
    ----------
    fixed : int
        Bytes, however many targets are fitted at once.
    of_target : int
        Bytes of each of them.
    """

    fixed: int
    of_target: int

    def at_once(self, memory: int | None, n_targets: int, together: bool, label: str) -> int:
        """Say how many targets of a block may be fitted at once.

        Parameters
        ----------
        memory : int or None
            That the process may take, bytes; None: as much as there is.
        n_targets : int
        together : bool
            Whether all must be, because the estimator fits them together.
        label : str
            What the block is of, for the message.

        Raises
        ------
        ConfigError
            One target does not fit, or all of them where they must.
        """
        if memory is None:
            return n_targets
        least = n_targets if together else 1
        fitting = (memory - self.fixed) // self.of_target
        if fitting < least:
            what = f"all {counted(n_targets, 'target')}, which are fitted together" if together else "one target"
            raise ConfigError(
                f"memory_per_worker: {_mib(memory)} are too little for {label}: with {what}, its process takes about "
                f"{_mib(self.fixed + least * self.of_target)}. Give that much, or leave the setting out."
            )
        fitting = min(fitting, n_targets)
        return fitting - fitting % GRANULE if GRANULE < fitting < n_targets else fitting


def demand(
    n_stimuli: int, n_development: int, n_test: int, n_splits: int, n_columns: int, n_units: int, n_folds: int, w: bool
) -> Demand:
    """Compute the formula above: m is `n_development`, v `n_test`, c `n_columns`, k `n_folds`."""
    fixed = PROCESS + 8 * n_units * (n_stimuli + n_development * (7 + n_folds))
    of_target = 8 * (11 * n_stimuli * n_columns + n_splits * n_test * n_columns + 42 * n_splits) + 16 * n_units * w
    return Demand(fixed, of_target)


def _mib(n_bytes: int) -> str:
    """Say how much, in the unit in which it is given."""
    return f"{-(-n_bytes // 2**20):,} MiB"
