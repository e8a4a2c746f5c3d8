"""What to keep in mind when reading a result, in plain words."""

import pandas as pd

from ..figures.style import counted, listed
from ..results import Results
from .split_scores import SplitScores
from .wording import score

# reliabilities are raised to these values at least (see `auralign.ceilings`); this near to one, they were
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
    """Say by how much choosing the best layer on the reported scores flatters them.

    `gap` of layer_choice.tsv: the highest median over the test splits, minus the score of layers chosen inside the
    development stimuli.
    """
    table = results.get("layer_choice")
    several = results.summary.groupby("features")["layer"].nunique()
    if several.max() < 2:
        return ""
    text = (
        "The best layer of each feature set is chosen on the same scores that are reported, which flatters sets with "
        "many layers."
    )
    if table is None:
        return text
    rows = table[(table["metric"] == "r2_corr") & (table["layers"] == "all") & (table["n_layers"] > 1)]
    if "target" in rows and rows["target"].notna().any():
        rows, each = rows[rows["target"].notna()], "targets"
    else:
        groups = [column for column in ("subject", "roi") if column in rows]
        rows, each = rows[rows[groups].isna().all(axis=1)] if groups else rows, "feature sets"
    rows = rows.dropna(subset="gap")
    if rows.empty:
        return text
    top = rows.loc[rows["gap"].idxmax()]
    of = f" on {top['target']}" if each == "targets" else ", each target at its own layer"
    where = f"{top['features']}{of}, {top['estimator']}: {score(top['naive'])} becomes {score(top['nested'])}"
    text += " Chosen inside the development stimuli instead, the scores are lower by "
    if len(rows) > 1:
        text += f"{score(rows['gap'].mean())} on average and by {score(top['gap'])} at most ({where})."
    else:
        text += f"{score(top['gap'])} ({where})."
    return text + " See the table of layer choices."


def _at_chance(splits: SplitScores) -> str:
    if splits.many:
        return ""
    best = splits.best_layers()
    above = {one.target for one in best if one.low > splits.chance}
    lost = [target for target in dict.fromkeys(one.target for one in best) if target not in above]
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
