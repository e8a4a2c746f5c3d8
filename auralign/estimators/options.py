"""The options of every estimator."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import numpy as np
from pydantic import BeforeValidator, Field, field_validator

from ..options import Options, Seed


def _expand_alphas(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    parts = value.get("logspace")
    numbers = isinstance(parts, list) and len(parts) == 3 and all(type(part) in (int, float) for part in parts)
    if set(value) != {"logspace"} or not numbers or not np.isfinite(parts).all() or not 1 <= parts[2] <= 1000:
        raise ValueError("give a list of numbers, or {logspace: [lowest exponent, highest exponent, how many]}")
    low, high, count = parts
    with np.errstate(over="ignore"):
        return [float(alpha) for alpha in np.logspace(low, high, int(count))]


class Ridge(Options):
    """Ridge regression; alpha by exact leave-one-out or inner k-fold on the development stimuli."""

    kind: Literal["ridge"]
    alphas: Annotated[list[float], BeforeValidator(_expand_alphas)] = [float(a) for a in np.logspace(-3, 8, 12)]
    cv: Literal["loo"] | Annotated[int, Field(ge=2)] = "loo"
    per_target: bool = True
    unpredictable: Literal["mean", "published"] = "mean"
    seed: Seed = 0

    @field_validator("alphas")
    @classmethod
    def _positive(cls, alphas: list[float]) -> list[float]:
        if not alphas or min(alphas) <= 0 or not np.isfinite(alphas).all():
            raise ValueError(f"alphas must be positive and finite, got {alphas}")
        return sorted(set(alphas))


class Lasso(Options):
    """Lasso; alpha by inner cross-validation on a grid relative to the smallest alpha that gives an empty model."""

    kind: Literal["lasso"]
    n_alphas: int = Field(default=50, ge=2)
    eps: float = Field(default=1e-3, gt=0, lt=1)
    cv: Literal["loo"] | Annotated[int, Field(ge=2)] = 5
    seed: Seed = 0


class MultitaskLasso(Options):
    """Lasso of all targets together: one alpha, and a feature is selected for all of them or for none."""

    kind: Literal["multitask_lasso"]
    n_alphas: int = Field(default=50, ge=2)
    eps: float = Field(default=1e-3, gt=0, lt=1)
    cv: Literal["loo"] | Annotated[int, Field(ge=2)] = 5
    standardise_targets: bool = False
    seed: Seed = 0


Estimator = Annotated[Ridge | Lasso | MultitaskLasso, Field(discriminator="kind")]
