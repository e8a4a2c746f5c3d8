"""How noise ceilings are computed, said in options."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from ..options import Options, Seed

DEFAULT_DRAWS = 1000


class Ceiling(Options):
    """The interval of noise ceilings; see `noise_ceilings.noise_ceiling`."""

    interval: Literal["jackknife", "bootstrap"] = "jackknife"
    # bootstrap samples; 0 switches the interval off, of either kind
    n_draws: int = Field(default=DEFAULT_DRAWS, ge=0, le=1_000_000)
    level: float = Field(default=0.95, gt=0, lt=1)
    seed: Seed = 0

    @model_validator(mode="after")
    def _draws_are_of_the_bootstrap(self) -> Ceiling:
        if self.interval == "jackknife" and (self.n_draws not in (0, DEFAULT_DRAWS) or self.seed != 0):
            raise ValueError(
                "`n_draws` and `seed` are of the bootstrap: add `interval: bootstrap`, or take them out; `n_draws: 0` "
                "switches the interval off"
            )
        # below, an end of the interval would be an extreme of the samples, whatever their number
        least = round(2 / (1 - self.level))
        if self.interval == "bootstrap" and 0 < self.n_draws < least:
            raise ValueError(
                f"n_draws: {self.n_draws} samples have no {self.level:g} interval; give {least} or more (1000, say), "
                "or 0 for none"
            )
        return self

    @property
    def has_interval(self) -> bool:
        """Whether ceilings have an interval."""
        return self.n_draws > 0
