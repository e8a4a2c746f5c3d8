"""Training series: feature sets of one network along its training, told by their names."""

import re

STEP = re.compile(r"^(?P<series>.+)-step(?P<step>\d+)$")


def training_series(features: list[str]) -> dict[str, dict[str, int]]:
    """Find training series by name: `mixture-step050000` is step 50000 of `mixture`; series of one step are none.

    Returns
    -------
    dict of str to dict of str to int
        By series, the step of each of its feature sets, ascending.
    """
    series: dict[str, dict[str, int]] = {}
    for name in features:
        if found := STEP.match(name):
            series.setdefault(found["series"], {})[name] = int(found["step"])
    ordered = {name: dict(sorted(steps.items(), key=lambda item: item[1])) for name, steps in series.items()}
    return {name: steps for name, steps in ordered.items() if len(steps) > 1}


def early_steps(features: list[str]) -> set[str]:
    """Return all but the last step of every training series: they are no networks of their own."""
    return {name for steps in training_series(features).values() for name in list(steps)[:-1]}
