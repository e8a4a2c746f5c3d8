"""What a hypothesis of a comparison may say, and whether the comparison has what it speaks of."""

from __future__ import annotations  # a configuration is read without pandas

from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from ..errors import ConfigError
from ..options import Name, Options
from ..scoring.metrics import Metric

if TYPE_CHECKING:
    import pandas as pd


class _Hypothesis(Options):
    """What every hypothesis has."""

    name: Name
    # may be left out where the comparison has one estimator
    estimator: str | None = None


class DepthByRegion(_Hypothesis):
    """Early layers are best in primary regions and later layers in the others."""

    kind: Literal["depth_by_region"]
    features: str
    primary: list[str] = Field(min_length=1)
    other: list[str] = Field(min_length=1)
    # columns of the table of targets
    roi: str = "roi"
    subject: str = "subject"


class DomainMatch(_Hypothesis):
    """A network trained on one domain is the best one for that domain's target."""

    kind: Literal["domain_match"]
    # target: features
    of: dict[str, str] = Field(min_length=1)
    against: list[str] = Field(min_length=1)
    # by default the primary metric of the comparison
    metric: Metric | None = None


class BestOverall(_Hypothesis):
    """One network is better than others over all targets."""

    kind: Literal["best_overall"]
    features: str
    against: list[str] = Field(min_length=1)
    # by default the primary metric of the comparison
    metric: Metric | None = None
    over: Literal["splits", "subjects"] = "splits"
    subject: str = "subject"


Hypothesis = Annotated[DepthByRegion | DomainMatch | BestOverall, Field(discriminator="kind")]


def check_hypotheses(
    hypotheses: list[Hypothesis], layers: dict[str, list[int]], estimators: list[str], targets: pd.DataFrame
) -> None:
    """Refuse hypotheses about features, targets, regions or subjects that are not there, before anything is computed.

    Parameters
    ----------
    hypotheses : list of DepthByRegion, DomainMatch or BestOverall
    layers : dict of str to list of int
        The layers of every feature set.
    estimators : list of str
    targets : DataFrame
        Index target; columns are what is known of each (subject, roi, ...).

    Raises
    ------
    ConfigError
    """
    for number, hypothesis in enumerate(hypotheses):
        where = f"hypotheses[{number}] ({hypothesis.name})"
        if hypothesis.name in [earlier.name for earlier in hypotheses[:number]]:
            raise ConfigError(f"{where}: an earlier hypothesis has the same name; give each its own.")
        if hypothesis.estimator is None and len(estimators) > 1:
            raise ConfigError(f"{where}: several estimators were run; add `estimator:`, one of {estimators}.")
        _known(f"{where}.estimator", [hypothesis.estimator or estimators[0]], estimators)
        if isinstance(hypothesis, DomainMatch):
            own = list(hypothesis.of.values())
            _known(f"{where}.of", list(hypothesis.of), list(targets.index), "target")
            rivals = [[other for other in hypothesis.against if other != name] for name in own]
        else:
            own = [hypothesis.features]
            rivals = [[]] if isinstance(hypothesis, DepthByRegion) else [hypothesis.against]
        _known(f"{where}", [*own, *(name for names in rivals for name in names)], list(layers), "feature set")
        if isinstance(hypothesis, DepthByRegion):
            _check_regions(where, hypothesis, layers[hypothesis.features], targets)
        elif any(not names or name in names for name, names in zip(own, rivals, strict=True)):
            raise ConfigError(f"{where}.against: {hypothesis.against} must name other feature sets than {own}.")
        if isinstance(hypothesis, BestOverall) and hypothesis.over == "subjects":
            _known(f"{where}.subject", [hypothesis.subject], list(targets.columns), "column of the table of targets")


def _check_regions(where: str, hypothesis: DepthByRegion, layers: list[int], targets: pd.DataFrame) -> None:
    if len(layers) < 2:
        raise ConfigError(f"{where}.features: {hypothesis.features} has one layer, so that there is no depth.")
    for key in ("roi", "subject"):
        column = getattr(hypothesis, key)
        _known(f"{where}.{key}", [column], list(targets.columns), "column of the table of targets")
    regions = sorted(targets[hypothesis.roi].dropna().astype(str).unique())
    _known(where, [*hypothesis.primary, *hypothesis.other], regions, f"region (column {hypothesis.roi})")
    both = sorted(set(hypothesis.primary) & set(hypothesis.other))
    if both:
        raise ConfigError(f"{where}: {both} cannot be primary and other at once.")
    for group in region_groups(hypothesis):
        subjects = [set(inside(targets, hypothesis, part)[hypothesis.subject]) for part in (group, hypothesis.primary)]
        if not set.intersection(*subjects):
            raise ConfigError(f"{where}: no subject has targets both in {group} and in {hypothesis.primary}.")


def region_groups(hypothesis: DepthByRegion) -> list[list[str]]:
    """The other regions together, then each by itself where they are several."""
    return [hypothesis.other, *([[region] for region in hypothesis.other] if len(hypothesis.other) > 1 else [])]


def inside(targets: pd.DataFrame, hypothesis: DepthByRegion, regions: list[str]) -> pd.DataFrame:
    """The targets of some regions that belong to a subject."""
    return targets[targets[hypothesis.roi].astype(str).isin(regions) & targets[hypothesis.subject].notna()]


def _known(where: str, given: list[str], known: list[str], what: str = "estimator") -> None:
    unknown = [name for name in given if name not in known]
    if unknown:
        listed = ", ".join(map(str, known[:20])) or "there is none"
        raise ConfigError(f"{where}: no {what} is called {unknown[0]!r}; known: {listed}.")
