"""The page: everything put together by the template, with the style, the scripts and the images inside."""

from collections.abc import Callable, Sequence
from importlib.resources import files
from pathlib import Path

import pandas as pd
from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape
from markupsafe import Markup

from ..errors import DataError
from ..estimators.record import recorded
from ..figures import all_figures
from ..runs.results import Results, read_results
from . import methods, sources
from .best_found import best_predictions, recovered
from .caveats import find_caveats
from .comparing import compare_results
from .findings import Group
from .headline import details, details_title, headline
from .pictures import draw_all
from .split_scores import SplitScores
from .tables_shown import tables_of
from .tests_found import above_chance, comparisons, hypotheses, selected, unique

ASSETS = {"style": "report.css", "script": "report.js", "library": "vendor/dataTables.min.js"}

# columns of the table under the headline of the page
MAX_GLANCE = 12


def write_report(folders: Sequence[Path | Results], out: Path | None = None, n_jobs: int = 1) -> Path:
    """Write `report.html` (self-contained) and `figures/` of one or several results folders.

    Parameters
    ----------
    folders : sequence of Path or Results
        Results folders, or what was read of them; several of them make a page that compares them.
    out : Path, optional
        The page; by default `report.html` in the first folder.
    n_jobs : int
        Processes that draw figures, where there are many; the page is the same with any number.

    Returns
    -------
    Path
        The page.

    Raises
    ------
    DataError
        A folder holds no finished result of encoding or is given twice, or something cannot be written.
    """
    places = [folder.folder if isinstance(folder, Results) else Path(folder) for folder in folders]
    twice = [folder for folder in places if places.count(folder) > 1]
    if twice:
        raise DataError(f"{twice[0]}: this results folder is given twice; give different ones to compare them.")
    out = Path(out or places[0] / "report.html")
    results = [folder if isinstance(folder, Results) else read_results(folder) for folder in folders]
    page = render(results, n_jobs)
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        out.write_text(page, encoding="utf-8")
    except OSError as error:
        raise DataError(f"{error.filename}: the report cannot be written there ({error.strerror}).") from error
    return out


def render(all_results: list[Results], n_jobs: int = 1) -> str:
    """Return the page about some results as HTML; writes their figures beside their tables."""
    for results in all_results:
        if "encoding" not in results.questions:
            raise DataError(
                f"{results.folder}: a page is about how well responses are predicted, and this comparison asked for "
                f"{' and '.join(results.questions)} alone. Its numbers are in measures.parquet."
            )
    splits = [results.once(SplitScores) for results in all_results]
    labels = labels_of(all_results)
    compared = compare_results(all_results, splits, labels) if len(all_results) > 1 else None
    studies = [
        study(results, own, label, f"s{number}-" if compared else "", n_jobs)
        for number, (results, own, label) in enumerate(zip(all_results, splits, labels, strict=True), start=1)
    ]
    template = template_environment().get_template("report.html.j2")
    assets = {key: _asset(name) for key, name in ASSETS.items()}
    return template.render(studies=studies, compared=compared, labels=labels, **assets)


def template_environment() -> Environment:
    """Return the templates' environment: text of the results is escaped, and a missing value is an error."""
    return Environment(
        loader=PackageLoader("auralign.report"),
        autoescape=select_autoescape(enabled_extensions=("html", "j2")),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def labels_of(all_results: list[Results]) -> list[str]:
    """Name results for readers, each otherwise: by name, by folder where names are the same, else by number."""
    names = [results.name for results in all_results]
    folders = [f"{results.name} ({results.folder.resolve().name})" for results in all_results]
    return [
        name if names.count(name) == 1 else folder if folders.count(folder) == 1 else f"{folder}, {number}"
        for number, (name, folder) in enumerate(zip(names, folders, strict=True), start=1)
    ]


def study(results: Results, splits: SplitScores, label: str, prefix: str, n_jobs: int = 1) -> dict:
    """Collect what the template says of one result; `prefix` keeps ids of the page apart."""
    estimators = list(results.provenance["config"]["estimators"].values())
    records = recorded(results.provenance).values()
    return {
        "label": label,
        "prefix": prefix,
        "provenance": results.provenance,
        "config": results.provenance["config"],
        "synthetic": results.synthetic,
        "metric": splits.metric,
        "headline": headline(splits),
        "glance": glance(splits),
        "glance_title": details_title(splits),
        "question": methods.describe_question(results),
        "groups": find(results, splits),
        "caveats": find_caveats(results, splits),
        "pictures": draw_all(all_figures(results), results.folder / "figures", n_jobs),
        "tables": tables_of(results, splits),
        "chance": splits.chance,
        "methods": {
            "splits": methods.describe_splits(results),
            "features": methods.describe_features(results),
            "targets": methods.describe_targets(results),
            "estimators": methods.describe_estimators(results),
            "tests": methods.describe_tests(results),
            "references": methods.references(results),
            "equations": list({record.kind: record.equation for record in records}.items()),
            "leave_one_out": {spec["kind"] for spec in estimators if spec.get("cv") == "loo"},
            "standardised": any(spec.get("standardise_targets") for spec in estimators),
            "many": splits.many,
            "joined": any(source.get("join") for source in results.provenance["config"]["features"].values()),
            "repeated": "r2_corr_c2_median" in results.summary,
            "several_layers": results.several_layers,
            "subjects": "subject" in results.targets,
            "permutations": results.get("above_chance") is not None,
        },
        "sources": {
            "config": sources.resolved_config(results),
            "features": sources.feature_metadata(results),
            "inputs": sources.inputs(results),
            "datasets": sources.datasets(results),
        },
    }


def find(results: Results, splits: SplitScores) -> list[Group]:
    """Say what was found, question by question; only what there is something to say about."""
    groups = [group for name in results.questions if name in FINDINGS for group in FINDINGS[name](results, splits)]
    return [group for group in groups if group is not None and group.findings]


def _of_encoding(results: Results, splits: SplitScores) -> list[Group | None]:
    """Of known responses, of best layers, in tests."""
    return [
        recovered(results),
        best_predictions(splits),
        comparisons(results),
        hypotheses(results),
        unique(results),
        above_chance(results),
        selected(results),
    ]


# by question, what is said of its results
FINDINGS: dict[str, Callable[[Results, SplitScores], list[Group | None]]] = {"encoding": _of_encoding}


def glance(splits: SplitScores) -> pd.DataFrame | None:
    """Return the table of the headline, target by feature set and estimator; None where it is too wide to take in."""
    table = details(splits)
    return table if len(table.columns) <= MAX_GLANCE else None


def _asset(name: str) -> Markup:
    """Read a file of the template folder that goes into the page as it is."""
    return Markup(files("auralign.report").joinpath("templates", name).read_text(encoding="utf-8"))
