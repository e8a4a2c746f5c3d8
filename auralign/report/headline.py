"""What was found in one sentence that can be said aloud, how it is to be read, and the numbers behind it."""

from dataclasses import dataclass

import pandas as pd

from ..analysis.series import early_steps
from ..analysis.standing import FEWEST_SUBJECTS
from ..runs.results import ACOUSTIC, Results
from ..scoring.metrics import MEANING, SHARE_OF
from ..wording import counted
from .split_scores import Best, SplitScores
from .wording import percent, score, share, share_interval

ROLES = {
    "control": "a control that has learned nothing",
    "baseline": "an acoustic baseline",
    "model": "a network",
}
# what one response is called, by the kind of targets
RESPONSES = {
    "components": "component",
    "published_components": "component",
    "voxels": "voxel",
    "published_voxels": "voxel",
    "song165": "electrode",
}


@dataclass(frozen=True)
class Headline:
    """The finding of a study.

    Attributes
    ----------
    sentence : str
        One short sentence, followed by another only where a control or baseline does better than every network.
    people : str
        What cannot be concluded about other people; empty where the responses are of enough subjects.
    note : str
        What the numbers of the sentence are.
    """

    sentence: str
    people: str
    note: str


def headline(splits: SplitScores) -> Headline:
    """Say which feature set predicts best and how much of the variance, with the interval.

    Networks compete with each other; controls, baselines and joined sets only where there is no network. Of a training
    series the last step takes part.
    """
    rivals = splits.overall()
    entered = candidates(splits.results)
    known = [one for one in rivals if one.features in entered and one.score == one.score]
    if not known:
        return Headline("No feature set has a score.", "", _note(splits, None, len(entered)))
    best = max(known, key=lambda one: one.score)
    sentence = _sentence(best, splits, entered) + _better_elsewhere(best, rivals, splits.results)
    return Headline(sentence, about_people(splits), _note(splits, best, len(entered)))


def candidates(results: Results) -> list[str]:
    """Return the feature sets of which the best is named: networks, and where there are none all but joined sets."""
    early = early_steps(results.features)
    roles = {name: role for name, role in results.roles.items() if name not in early}
    for wanted in (("model",), ("control", "baseline")):
        found = [name for name, role in roles.items() if role in wanted]
        if found:
            return found
    return list(roles)


def _sentence(best: Best, splits: SplitScores, entered: list[str]) -> str:
    results = splits.results
    name = best.features if len(results.estimators) == 1 else f"{best.features} ({best.estimator})"
    noun = "network" if all(_is_network(results, one) for one in entered) else "feature set"
    several, digits = len(entered) > 1, int(best.score < 0.1)
    level, of = percent(splits.level), f"of {SHARE_OF[splits.metric]} {_of_what(splits)}"
    found = f"{share(best.score, digits)} {of} ({level} interval {share_interval(best.low, best.high, digits)})"
    if best.above_chance:
        who = f"The best of {counted(len(entered), noun)}, {name}," if several else name
        return f"{who} predicts {found}."
    who = f"None of {counted(len(entered), noun)} predicts" if several else f"{name} does not predict"
    return f"{who} the responses clearly above chance: {f'the best, {name},' if several else 'it'} reaches {found}."


def _of_what(splits: SplitScores) -> str:
    """Name the responses that the share is of."""
    results = splits.results
    names = list(dict.fromkeys(results.summary["target"]))
    word = RESPONSES.get(results.provenance["config"].get("targets", {}).get("kind"), "response")
    if splits.over_people:
        return f"in the mean of {counted(splits.n_subjects, 'subject')}"
    if splits.many:
        return f"of the median {word}"
    return f"of {counted(len(names), word)} on average" if len(names) > 1 else f"of {names[0]}"


def _is_network(results: Results, name: str) -> bool:
    """Whether a feature set is known to come from a network: tables may hold anything."""
    source = results.provenance["config"]["features"][name]
    metadata = results.provenance.get("features", {}).get(name) or {}
    named = metadata.get("class") is not None and metadata["class"] not in ACOUSTIC
    return named or (source.get("activations") is not None and source.get("network") != "spectemp")


def _better_elsewhere(best: Best, rivals: list[Best], results: Results) -> str:
    """Say so where a feature set that does not compete is better; joined sets hold others and are left out."""
    entered, roles = candidates(results), results.roles
    left_out = early_steps(results.features) | {name for name, role in roles.items() if role == "joined"}
    others = [one for one in rivals if one.features not in entered and one.features not in left_out]
    top = max(others, key=lambda one: one.score, default=None)
    if top is None or not top.score > best.score:
        return ""
    return f" {top.features}, {ROLES[roles[top.features]]}, predicts more: {share(top.score, int(top.score < 0.1))}."


def about_people(splits: SplitScores) -> str:
    """Say what responses of few subjects do not show; empty where there are enough, or nothing is known of subjects."""
    n = splits.n_subjects
    if not n or splits.over_people:
        return ""
    return (
        f"The responses are of {counted(n, 'subject')}: whether other people's would be predicted as well cannot be "
        f"concluded from fewer than {FEWEST_SUBJECTS}. The interval is about other stimuli only, and subjects are "
        "shown one by one."
    )


def _note(splits: SplitScores, best: Best | None, n_entered: int) -> str:
    """Say what the numbers of the sentence are."""
    n_targets = splits.results.n_targets
    if splits.over_people:
        what = f"mean over {counted(splits.n_subjects, 'subject')} of each one's median over targets and splits"
        interval = "is that of the mean between subjects (t-test)"
    else:
        targets = f"median over {n_targets:,} targets" if splits.many else f"mean over {n_targets} targets"
        what = f"{f'{targets} in every split, ' if n_targets > 1 else ''}mean over {splits.n_splits} splits"
        interval = (
            "is that of the mean over splits, corrected for splits sharing stimuli: it says how far other stimuli "
            "could move the score, not other people"
        )
    text = f"The share is {splits.metric}, {MEANING[splits.metric]}: {what}"
    if best is not None and best.n_layers > 1:
        text += (
            f", at the layer that each split's development stimuli choose (most often layer {best.layer}, "
            f"{best.layer_name}, of {best.n_layers}: in {percent(best.layer_share)} of the choices)"
        )
    text += f". The interval {interval}"
    text += ", and does not allow for having chosen the best." if n_entered > 1 else "."
    if not splits.many and not splits.over_people and splits.n_complete < n_targets:
        left = n_targets - splits.n_complete
        text += f" {counted(left, 'target')} without a score in some split {'is' if left == 1 else 'are'} left out."
    return text


def details(splits: SplitScores) -> pd.DataFrame:
    """Lay out the scores at nested layers: targets and their mean by feature set and estimator.

    Returns
    -------
    DataFrame
        Index target; columns `small ridge`, ...; `0.842 (layer 3)`: the score and the layer that was chosen most often.
    """
    n_targets = splits.results.n_targets
    if splits.over_people:
        name = f"mean of {counted(splits.n_subjects, 'subject')}"
    elif splits.many:
        name = f"median of {n_targets:,} targets"
    else:
        name = f"mean of {n_targets} targets"
    rows = splits.by_target()
    if n_targets > 1:
        rows += splits.overall()
    cells = [
        {
            "target": name if one.target is None else one.target,
            "column": f"{one.features} {one.estimator}",
            "text": score(one.score) + (f" (layer {one.layer})" if one.n_layers > 1 else ""),
        }
        for one in rows
    ]
    table = pd.DataFrame(cells)
    wide = table.pivot(index="target", columns="column", values="text")
    return wide.loc[list(dict.fromkeys(table["target"])), list(dict.fromkeys(table["column"]))]


def details_title(splits: SplitScores) -> str:
    """Say what `details` holds, in a line."""
    over = f"{splits.n_splits} splits" if not splits.over_people else "subjects"
    return f"{splits.metric}, mean over {over}, at layers chosen inside the development stimuli" + (
        " (in brackets the one chosen most often)" if splits.results.several_layers else ""
    )
