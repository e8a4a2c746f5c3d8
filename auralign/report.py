"""One static page about a comparison: headline table, figures, what was recovered, tests, provenance."""

import base64
import io
import json
from dataclasses import dataclass
from pathlib import Path

import matplotlib.pyplot as plt
import pandas as pd
from jinja2 import Environment, PackageLoader, select_autoescape
from matplotlib.figure import Figure

from .errors import DataError
from .figures import MAX_PANELS, estimator_scatter, layer_curves
from .summary import headline, noise_corrected_headline

# share of the ceiling from which a response counts as recovered, and the score below which nothing was found
RECOVERED = 0.75
NOTHING = 0.1


@dataclass(frozen=True)
class Results:
    """The tables of one results folder."""

    folder: Path
    summary: pd.DataFrame
    comparisons: pd.DataFrame
    provenance: dict

    @property
    def name(self) -> str:
        """Return the comparison's name."""
        return self.provenance["config"]["name"]


def read_results(folder: Path) -> Results:
    """Read a results folder that `scripts/compare.py` wrote.

    Raises
    ------
    DataError
        A file is missing or unreadable.
    """
    # names are text whatever they look like: NA and 001 are names
    names = ("target", "features", "estimator", "layer_name", "a", "b")
    text = {"dtype": dict.fromkeys(names, str), "keep_default_na": False, "na_values": [""]}
    try:
        results = Results(
            folder,
            pd.read_csv(folder / "summary.tsv", sep="\t", **text),
            pd.read_csv(folder / "comparisons.tsv", sep="\t", **text),
            json.loads((folder / "provenance.json").read_text(encoding="utf-8")),
        )
        headline(results.summary), results.name  # fail here, where the folder can be named
        return results
    except FileNotFoundError as error:
        raise DataError(
            f"{error.filename}: the file is missing, so {folder} is not a finished result. "
            "Make it with: python scripts/compare.py <config>"
        ) from error
    except (ValueError, KeyError) as error:
        raise DataError(f"{folder}: the results cannot be read ({error}). Run the comparison again.") from error


def recovery(summary: pd.DataFrame) -> pd.DataFrame | None:
    """Lay the scores reached beside the known ceilings, where the responses were made with known ones.

    Returns
    -------
    DataFrame or None
        Per target: `driven_by`, `expected` (recovered, partly, not), `ceiling`, `reached` (best median r2_corr of any
        feature set, layer and estimator), `by`, `share` (reached / ceiling) and `verdict`; None without known
        ceilings.
    """
    if not is_synthetic(summary) or not {"ceiling", "expected"} <= set(summary.columns):
        return None
    best = summary.loc[summary.groupby("target", sort=False)["r2_corr_median"].idxmax()].copy()
    best["reached"] = best["r2_corr_median"]
    best["share"] = best["reached"] / best["ceiling"]
    best["by"] = best["features"] + ", layer " + best["layer"].astype(str) + ", " + best["estimator"]
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


def is_synthetic(summary: pd.DataFrame) -> bool:
    """Tell whether the responses say of themselves that they are synthetic (column `synthetic` of their table)."""
    return "synthetic" in summary and bool(summary["synthetic"].fillna(False).astype(bool).any())


def describe(results: Results) -> str:
    """Return the headline of a result, and what was recovered of a synthetic one, as plain text."""
    parts = [
        f"{results.name}: median r2_corr over splits, best layer (chosen on these scores)\n",
        headline(results.summary).to_string(),
    ]
    recovered = recovery(results.summary)
    if recovered is not None:
        table = recovered[["target", "ceiling", "reached", "expected", "verdict"]]
        parts += ["\nsynthetic responses with known ceilings:\n", table.to_string(index=False, float_format="%.3f")]
    return "\n".join(parts)


def _pick_estimators(summary: pd.DataFrame) -> list[str]:
    return list(dict.fromkeys(summary["estimator"]))


def draw_figures(results: Results) -> dict[str, tuple[Figure, str]]:
    """Draw the figures of a result: name -> (figure, caption)."""
    n_splits = int(results.summary["n_splits"].iloc[0])
    n_targets = results.summary["target"].nunique()
    single = (results.summary.groupby("features")["layer"].nunique() == 1).any()
    dashed = "; dashed: feature sets with one layer" if single else ""
    over = f"median over {n_splits} splits"
    bands = "one standard deviation over splits"
    if n_targets > MAX_PANELS:
        over, bands = f"median over {n_targets} targets of the {over}", "the median of that of the targets"
    estimators = _pick_estimators(results.summary)
    figures = {}
    for estimator in estimators:
        figures[f"layers_{estimator}"] = (
            layer_curves(results.summary, estimator),
            f"Score per layer, {estimator}. Lines: {over} of the squared correlation between prediction and response "
            f"on the test stimuli; bands: {bands}{dashed}.",
        )
    for b in estimators[1:]:
        figures[f"{estimators[0]}_against_{b}"] = (
            estimator_scatter(results.summary, estimators[0], b),
            f"{estimators[0]} against {b}. A point is the median over {n_splits} splits of R² (coefficient of "
            f"determination) for one feature set, layer and target; above the diagonal {b} is better. Values "
            "below -0.5 are drawn at -0.5.",
        )
    return figures


def _test_tables(results: Results) -> list[dict]:
    """Summarise each test in a sentence with its table."""
    tables = []
    fdr = results.provenance["config"]["fdr"]
    for number, rows in results.comparisons.groupby("test", sort=True):
        spec = results.provenance["config"]["tests"][int(number)]
        sides = [_side(spec[side]) for side in ("a", "b")]
        significant = rows[rows["significant"].astype(bool)]
        better = int((significant["difference"] > 0).sum())
        tables.append(
            {
                "title": f"{sides[0]} against {sides[1]} ({spec['metric']})",
                "sentence": f"Of {len(rows)} pairs, {better} are significantly better with {sides[0]} and "
                f"{len(significant) - better} with {sides[1]} (corrected resampled t-test, false discovery rate "
                f"{fdr}); the mean difference over all pairs, {sides[0]} minus {sides[1]}, is "
                f"{rows['difference'].mean():+.3f}.",
                "optimistic": any(spec[side].get("layer") == "best" for side in ("a", "b")),
                "rows": rows[
                    ["a", "b", "target", "a_mean", "b_mean", "difference", "t", "df", "p", "p_fdr", "significant"]
                ],
            }
        )
    return tables


def _side(selector: dict) -> str:
    """Name one side of a test: `untrained, best layer`, `ridge`."""
    layer = selector.get("layer")
    words = [selector.get("features"), None if layer is None else f"{layer} layer", selector.get("estimator")]
    if isinstance(layer, int):
        words[1] = f"layer {layer}"
    return ", ".join(word for word in words if word is not None) or "everything"


def _encode(figure: Figure) -> str:
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=144, bbox_inches="tight")
    return base64.b64encode(buffer.getvalue()).decode("ascii")


def write_report(folders: list[Path], out: Path | None = None) -> Path:
    """Write `report.html` (self-contained) and `figures/` of one or several results folders.

    Parameters
    ----------
    folders : list of Path
        Results folders.
    out : Path, optional
        The page; by default `report.html` in the first folder.

    Returns
    -------
    Path
        The page.

    Raises
    ------
    DataError
    """
    out = out or folders[0] / "report.html"
    try:
        return _write(out, [read_results(folder) for folder in folders])
    except OSError as error:
        raise DataError(f"{error.filename}: the report cannot be written there ({error.strerror}).") from error


def _write(out: Path, all_results: list[Results]) -> Path:
    sections = []
    for results in all_results:
        figures = []
        (results.folder / "figures").mkdir(exist_ok=True)
        for name, (figure, caption) in draw_figures(results).items():
            for kind in ("svg", "png"):
                figure.savefig(results.folder / "figures" / f"{name}.{kind}", dpi=200, bbox_inches="tight")
            figures.append({"name": name, "caption": caption, "png": _encode(figure)})
            plt.close(figure)
        sections.append(
            {
                "results": results,
                "headline": headline(results.summary),
                "corrected": noise_corrected_headline(results.summary),
                "chance": 1.0 / (2.0 * (len(results.provenance["splits"][0]["test"]) - 1)),
                "recovery": recovery(results.summary),
                "synthetic": is_synthetic(results.summary),
                "figures": figures,
                "tests": _test_tables(results),
                "provenance": json.dumps(
                    {k: v for k, v in results.provenance.items() if k not in ("stimuli", "splits")}, indent=2
                ),
            }
        )
    environment = Environment(loader=PackageLoader("auralign"), autoescape=select_autoescape(), trim_blocks=True)
    page = environment.get_template("report.html.j2").render(sections=sections)
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(page, encoding="utf-8")
    return out
