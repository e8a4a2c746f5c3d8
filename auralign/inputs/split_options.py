"""What the section `splits` of a comparison may say; `auralign.inputs.splits` draws them."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field, model_validator

from ..options import Options, Seed

# test sets below this size are refused unless allowed, below the second one they are warned of
LEAST_TEST, SMALL_TEST = 10, 30
# by kind of splits: keys that it needs, and keys that it may have
SPLIT_KEYS = {
    "shuffle": (["train_size", "test_size"], ["n_splits", "seed"]),
    "stratified": (["train_size", "test_size"], ["n_splits", "seed"]),
    "group_shuffle": (["groups", "train_size", "test_size"], ["n_splits", "seed"]),
    "leave_one_group_out": (["groups"], []),
    "kfold": ([], ["n_splits", "groups", "seed"]),
    "stratified_kfold": ([], ["n_splits", "groups", "seed"]),
    "predefined": (["table"], ["groups"]),
    "tuckute2023": ([], []),
}
# kinds whose sizes are numbers of stimuli
SIZED = ("shuffle", "stratified")


class Splits(Options):
    """How the stimuli are divided into development and test."""

    kind: Literal[
        "shuffle",
        "stratified",
        "group_shuffle",
        "leave_one_group_out",
        "kfold",
        "stratified_kfold",
        "predefined",
        "tuckute2023",
    ] = "shuffle"
    n_splits: int = Field(default=10, ge=2, le=10_000)
    # stimuli; with group_shuffle groups, as scikit-learn has it
    train_size: int | None = Field(default=None, ge=2)
    test_size: int | None = Field(default=None, ge=1)
    # column of `stimuli: {table: ...}`: stimuli of one group are never on both sides
    groups: str | None = Field(default=None, min_length=1)
    # of `predefined`: columns split, stimulus, set
    table: Path | None = None
    seed: Seed = 0
    allow_small_test: bool = False

    @model_validator(mode="after")
    def _keys_of_the_kind(self) -> Splits:
        needed, optional = SPLIT_KEYS[self.kind]
        fields = type(self).model_fields
        # a key that says what holds anyway does no harm, and a recorded configuration has them all
        given = {key for key in self.model_fields_set if getattr(self, key) != fields[key].default} - {"kind"}
        surplus = sorted(given - {*needed, *optional, "allow_small_test"})
        if surplus == ["groups"] and self.kind in SIZED:
            raise ValueError(
                f"kind: {self.kind} does not keep groups together; use kind: group_shuffle (train_size and test_size "
                "are then numbers of groups), leave_one_group_out, kfold or stratified_kfold"
            )
        if self.kind == "tuckute2023" and surplus:
            raise ValueError(f"kind: tuckute2023 is fixed (10 splits of 83/82, seed 0) and takes no {surplus}")
        if surplus:
            allowed = ", ".join([*needed, *optional, "allow_small_test"])
            raise ValueError(f"kind: {self.kind} takes no `{surplus[0]}`; its keys are {allowed}")
        if self.kind == "kfold" and self.groups is not None and self.seed:
            raise ValueError(
                "kind: kfold with `groups` takes no `seed`: groups are dealt out so that folds are as equal in size as "
                "can be, and nothing is drawn"
            )
        if any(getattr(self, key) is None for key in needed):
            of_sizes = " (numbers of groups)" if self.kind == "group_shuffle" else " (numbers of stimuli)"
            words = {
                "groups": "`groups`, the column of `stimuli: {table: ...}` that says which stimuli belong together",
                "table": "`table`, with the columns split, stimulus and set (development or test)",
            }
            sizes = "`train_size` and `test_size`" + of_sizes if "train_size" in needed else ""
            raise ValueError(f"kind: {self.kind} needs " + " and ".join(filter(None, [words.get(needed[0]), sizes])))
        return self

    @model_validator(mode="after")
    def _sizes_suffice(self) -> Splits:
        if self.kind not in SIZED or self.train_size is None or self.test_size is None:
            return self
        if self.train_size < 3:
            raise ValueError(f"train_size: {self.train_size} development stimuli; at least 3 are needed")
        if self.test_size < 2:
            raise ValueError(f"test_size: {self.test_size} test stimulus; a correlation needs at least 2")
        if self.test_size < LEAST_TEST and not self.allow_small_test:
            raise ValueError(f"test_size: {small_test(self.test_size)}")
        return self

    @property
    def least_train(self) -> int | None:
        """Number of development stimuli of every split, where the configuration alone says it."""
        if self.kind == "tuckute2023":
            return 83
        return self.train_size if self.kind in SIZED else None


def small_test(n_test: int) -> str:
    """Say why a test set of so few stimuli is refused, and what to do."""
    return (
        f"{n_test} test stimuli: {chance_of(n_test)}. Give at least {LEAST_TEST} (better {SMALL_TEST} or more), or "
        "say that you know: `allow_small_test: true` in `splits`"
    )


def chance_of(n_test: int) -> str:
    """Say what r2_corr noise alone reaches on so few test stimuli."""
    if n_test < 3:
        return "the r2_corr of a prediction that is pure noise is then 1 or 0"
    # half of the mean of r^2 = 1/(n - 1) without any relation, since negative correlations count as 0
    return f"a prediction that is pure noise has a mean r2_corr of {1 / (2 * (n_test - 1)):.2g} on so few"
