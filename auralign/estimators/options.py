"""What the options of estimators have in common, and the types of their keys."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

import numpy as np
from pydantic import AfterValidator, BeforeValidator, Field

from ..options import Options

# of the development stimuli: exact leave-one-out, or a number of shuffled folds
InnerFolds = Literal["loo"] | Annotated[int, Field(ge=2)]


def _expand_alphas(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    parts = value.get("logspace")
    if not (
        set(value) == {"logspace"}
        and isinstance(parts, list)
        and len(parts) == 3
        and all(type(part) in (int, float) for part in parts)
        and np.isfinite(parts).all()
        and 1 <= parts[2] <= 1000
    ):
        raise ValueError("give a list of numbers, or {logspace: [lowest exponent, highest exponent, how many]}")
    low, high, count = parts
    with np.errstate(over="ignore"):
        return [float(alpha) for alpha in np.logspace(low, high, int(count))]


def _positive(values: list[float]) -> list[float]:
    if not values or min(values) <= 0 or not np.isfinite(values).all():
        raise ValueError(f"alphas must be positive and finite, got {values}")
    return sorted(set(values))


# a list of numbers or {logspace: [low, high, n]}; ascending, each once
Alphas = Annotated[list[float], BeforeValidator(_expand_alphas), AfterValidator(_positive)]


class EstimatorOptions(Options):
    """The options of an estimator: a plug-in says which there are beside `kind`.

    Two keys have one meaning everywhere, and an estimator without inner folds lacks them: `cv`, the inner folds that
    choose its hyper-parameters ("loo" or their number), and `seed`, by which a number of folds is shuffled.
    """

    kind: str
    # options that change no number: they say how it is computed
    not_in_key: ClassVar[frozenset[str]] = frozenset()

    @property
    def n_inner_folds(self) -> int:
        """Number of inner folds, which is the least number of development stimuli; 0 where no number is given."""
        cv = getattr(self, "cv", None)
        return cv if isinstance(cv, int) else 0

    def in_key(self) -> dict[str, Any]:
        """Return what of these options changes numbers, for the key of a block."""
        return self.model_dump(mode="json", exclude=set(self.not_in_key))


def inner_words(cv: Any) -> str:
    """Say what the inner folds of an estimator are."""
    return "exact leave-one-out" if cv == "loo" else f"{cv}-fold inner cross-validation"


def relative_grid_words(options: Any) -> str:
    """Say how alpha is chosen from a grid below the smallest alpha that gives an empty model."""
    return (
        f"alpha chosen by {inner_words(options.cv)} on the development stimuli from {options.n_alphas} values, from "
        f"the smallest that gives an empty model down to {options.eps:.3g} of it"
    )
