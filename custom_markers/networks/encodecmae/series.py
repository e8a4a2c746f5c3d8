"""A series of checkpoints along training: which files they are, by training step."""

import re
from typing import Any

STEP = re.compile(r"step[-_]?(\d+)", re.IGNORECASE)
STEP_FIELD = re.compile(r"\{step(?::0?\d*d)?\}")


def checkpoints_by_step(checkpoint: dict[str, Any] | list[str]) -> dict[int, str]:
    """Turn the parameter `checkpoint` of a series into checkpoints by step, ascending.

    Parameters
    ----------
    checkpoint : dict or list of str
        `{pattern: runs/step{step}.pt, steps: [50000, 100000]}`, where `{step}` may carry a width as in `{step:06d}`;
        or a list of files whose names hold `step` and a number (`step50000.pt`, `mae-step_050000.pt`).

    Returns
    -------
    dict of int to str

    Raises
    ------
    ValueError
        No steps, a pattern without `{step}`, a name without a step, a step twice, or other keys.
    """
    found = _from_pattern(checkpoint) if isinstance(checkpoint, dict) else _from_names(checkpoint)
    steps = [step for step, _ in found]
    twice = sorted({step for step in steps if steps.count(step) > 1})
    if not steps or twice:
        what = f"the step {twice[0]} twice" if twice else "no steps"
        raise ValueError(f"checkpoint: {checkpoint!r} names {what}; one checkpoint for every step is needed.")
    return dict(sorted(found))


def _from_pattern(checkpoint: dict[str, Any]) -> list[tuple[int, str]]:
    allowed = "checkpoint: {pattern: runs/step{step}.pt, steps: [50000, 100000]}"
    if set(checkpoint) != {"pattern", "steps"}:
        raise ValueError(f"checkpoint: a series has the keys pattern and steps, got {sorted(checkpoint)}: {allowed}.")
    pattern, steps = checkpoint["pattern"], checkpoint["steps"]
    if not isinstance(pattern, str) or len(STEP_FIELD.findall(pattern)) != 1 or pattern.count("{") != 1:
        raise ValueError(f"checkpoint: pattern {pattern!r} must hold {{step}} exactly once: {allowed}.")
    if not isinstance(steps, list) or not all(type(step) is int and step >= 0 for step in steps):
        raise ValueError(f"checkpoint: steps {steps!r} must be a list of whole numbers from 0: {allowed}.")
    return [(step, pattern.format(step=step)) for step in steps]


def _from_names(checkpoint: list[str]) -> list[tuple[int, str]]:
    found = []
    for name in checkpoint:
        # the folders of a path may hold a step too: the last number counts
        steps = STEP.findall(name)
        if not steps:
            raise ValueError(
                f"checkpoint: {name!r} does not say its training step; a file of a series is called like step50000.pt. "
                "Rename it, or give {pattern: ..., steps: [...]}."
            )
        found.append((int(steps[-1]), name))
    return found


def name_of_step(name: str, step: int) -> str:
    """Return the name of a series's feature set at one step: `mixture-step050000`."""
    return f"{name}-step{step:06d}"
