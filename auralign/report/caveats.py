"""What to keep in mind when reading a result, in plain words."""

import pandas as pd

from ..analysis.layer_choice import optimism_rows
from ..analysis.series import early_steps
from ..runs.results import Results
from ..wording import counted, listed
from .split_scores import SplitScores
from .wording import score

# reliabilities are raised to these values at least (see `auralign.scoring.ceilings`); this near to one, they were
RELIABILITY_FLOOR = 0.182


def find_caveats(results: Results, splits: SplitScores) -> list[str]:
    """List what limits the findings of a result, the most important first.

    Parameters
    ----------
    results : Results
    splits : SplitScores
        Of the same results.

    Returns
    -------
    list of str
    """
    found = [
        optimism(results),
        _at_chance(splits),
        _controls(results),
        _unreliable(results.summary),
        *results.provenance.get("warnings", []),
        _changed_code(results.provenance),
    ]
    return [text for text in found if text]


def optimism(results: Results) -> str:
    """Say how much higher scores would be at the best layer on the test stimuli, which is not where they are read.

    `gap` of layer_choice.tsv (`optimism_rows`): the highest median over the test splits, minus the score of layers
    chosen inside the development stimuli; its mean is the one that the figure of each estimator names.
    """
    table = results.get("layer_choice")
    if table is None or not results.several_layers:
        return ""
    rows = optimism_rows(table[~table["features"].isin(early_steps(results.features))], results.metric)
    if rows.empty:
        return ""
    means = rows.groupby("estimator", sort=False)["gap"].mean()
    top = rows.loc[rows["gap"].idxmax()]
    of = f" on {top['target']}" if "target" in top and pd.notna(top["target"]) else ", each target at its own layer"
    where = f"{top['features']}{of}, {top['estimator']}"
    several = len(results.estimators) > 1
    each = listed([f"{score(mean)}{f' with {name}' if several else ''}" for name, mean in means.items()])
    text = (
        "Scores are read at layers chosen inside the development stimuli. The layer that is best on the test stimuli "
        f"looks better ({results.metric}, medians over splits) by {each}"
    )
    if len(rows) > 1:
        text += f" on average and by {score(top['gap'])} at most"
    return f"{text} ({where}), for being chosen there and for nothing else. See the table of layer choices."


def _at_chance(splits: SplitScores) -> str:
    if splits.many:
        return ""
    best = splits.by_target()
    above = {one.target for one in best if one.above_chance}
    targets = (target for target in dict.fromkeys(one.target for one in best) if target is not None)
    lost = [target for target in targets if target not in above]
    if not lost:
        return ""
    return (
        f"No feature set predicts {listed(lost)} clearly above chance (r2_corr {score(splits.chance)} without any "
        "relation): differences between feature sets mean nothing there."
    )


def _controls(results: Results) -> str:
    controls = [name for name, role in results.roles.items() if role == "control"]
    if not controls:
        return ""
    if len(controls) == 1:
        return f"{controls[0]} is a control: a network with random or permuted weights, which has learned nothing."
    return f"{listed(controls)} are controls: networks with random or permuted weights, which have learned nothing."


def _unreliable(summary: pd.DataFrame) -> str:
    if "reliability_median" not in summary:
        return ""
    reliability = summary.groupby("target", sort=False)["reliability_median"].median()
    low = int((reliability <= RELIABILITY_FLOOR + 1e-9).sum())
    if not low:
        return ""
    return (
        f"The responses of {low} of {counted(len(reliability), 'target')} hardly repeat (reliability at the floor of "
        f"{RELIABILITY_FLOOR}): their noise-corrected scores are mostly noise."
    )


def _changed_code(provenance: dict) -> str:
    code = provenance.get("code")
    if not code or code.get("clean") is not False:
        return ""
    return (
        f"The code that computed this differs from its commit {code['commit'][:12]}: the result cannot be made again "
        "from the commit alone."
    )
