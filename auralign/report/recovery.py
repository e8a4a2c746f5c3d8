"""What was recovered of synthetic responses, whose ceilings are known."""

import pandas as pd

from ..analysis.standing import nested_values
from ..runs.results import Results

# share of the ceiling from which a response counts as recovered, and the score below which nothing was found
RECOVERED = 0.75
NOTHING = 0.1
# what the column `expected` says, in words
EXPECTED = {"recovered": "recovered", "partly": "partly recovered", "not": "not recovered"}


def recovery(results: Results) -> pd.DataFrame | None:
    """Lay the scores reached beside the known ceilings, where the responses were made with known ones.

    Returns
    -------
    DataFrame or None
        Per target: `driven_by`, `expected` (recovered, partly, not), `ceiling`, `reached` (highest mean over splits of
        r2_corr, which is what ceilings are of, of any feature set and estimator at nested layers), `share` (reached /
        ceiling), `by` and `verdict`; None without known ceilings.
    """
    summary = results.summary
    if not results.synthetic or not {"ceiling", "expected"} <= set(summary.columns):
        return None
    tables = [
        pd.DataFrame(
            {
                "target": one.targets,
                "reached": pd.DataFrame(one.values["r2_corr"]).mean(),
                "by": f"{one.features}, {one.estimator}",
            }
        )
        for one in nested_values(results.chosen, ["r2_corr"])
    ]
    reached = pd.concat(tables, ignore_index=True)
    reached = reached.dropna(subset="reached")
    best = reached.loc[reached.groupby("target", sort=False)["reached"].idxmax()]
    best = results.targets.merge(best, on="target")
    best["share"] = best["reached"] / best["ceiling"]
    best["verdict"] = [_verdict(row.expected, row.reached, row.share) for row in best.itertuples()]
    columns = ["target", "driven_by", "expected", "ceiling", "reached", "share", "by", "verdict"]
    return best[[column for column in columns if column in best]].reset_index(drop=True)


def _verdict(expected: str, reached: float, share: float) -> str:
    """Say in words whether a score is what the known origin of the response lets one expect.

    The bands are those by which the synthetic study defines what is expected (see `phantom`).
    """
    if expected == "not":
        return (
            "not recovered, as expected" if reached < NOTHING else "a score where there can be none: look for leakage"
        )
    if share >= RECOVERED:
        return "recovered"
    if reached < NOTHING:
        return "not recovered: less than expected"
    if expected == "partly":
        return f"partly recovered ({share:.0%} of what is possible), as expected"
    return f"only {share:.0%} of what is possible: less than expected"
