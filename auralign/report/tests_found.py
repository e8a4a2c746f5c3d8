"""What was tested, in sentences: comparisons, hypotheses, unique variance, chance, selected units."""

import pandas as pd

from ..analysis.hypotheses import verdicts
from ..runs.results import Results
from ..wording import counted, listed
from .findings import Finding, Group
from .wording import interval, p_value, percent, score, signed


def sides(spec: dict) -> tuple[str, str, str]:
    """Name both sides of a test, and what is the same of both: `untrained`, `logmel`, `best layer`."""
    a, b = spec["a"], spec["b"]
    shared = {key: a[key] for key in ("features", "layer", "estimator") if a[key] == b[key]}
    names = [_words({key: value for key, value in side.items() if key not in shared}) for side in (a, b)]
    return names[0], names[1], _words(shared)


def _words(selector: dict) -> str:
    layer = selector.get("layer")
    depth = None if layer is None else f"layer {layer}" if isinstance(layer, int) else f"{layer} layer"
    words = [selector.get("features"), depth, selector.get("estimator")]
    return ", ".join(word for word in words if word is not None)


def comparisons(results: Results) -> Group | None:
    """Summarise every entry of `tests`: how many differences are significant, which way, and how many are not."""
    config, table = results.provenance["config"], results.comparisons
    findings = [_test(rows, config["tests"][int(number)]) for number, rows in table.groupby("test", sort=True)]
    note = (
        "Corrected resampled t-tests, paired over splits; the false discovery rate is controlled at "
        f"{percent(config['fdr'])} within each test. Where no difference was found the two sides may still differ."
    )
    return Group("Tests", findings, "comparisons.tsv", note)


def _test(rows: pd.DataFrame, spec: dict) -> Finding:
    a, b, shared = sides(spec)
    a, b = a or "all others", b or "all others"
    about = f"{a} against {b} ({', '.join(word for word in (shared, spec['metric']) if word)})"
    found = rows[rows["significant"].astype(bool)]
    better, worse = found[found["difference"] > 0], found[found["difference"] < 0]
    if len(rows) == 1:
        row = rows.iloc[0]
        word = "significant" if len(found) else "not significant"
        text = (
            f"the difference for {row['target']} is {word}: {signed(row['difference'])} (interval "
            f"{interval(row['low'], row['high'], signed)}, p {p_value(row['p'])})."
        )
        return Finding(about, text)
    if not len(found):
        text = f"none of the {len(rows):,} differences is significant"
    else:
        text = (
            f"of {counted(len(rows), 'pair')} {len(better):,} {_be(better)} significantly better with {a}"
            f"{_which(better)}, {len(worse):,} with {b}{_which(worse)}, and in {len(rows) - len(found):,} no "
            "significant difference was found"
        )
    text += (
        f". First minus second, the differences are {signed(rows['difference'].mean())} on average and lie between "
        f"{signed(rows['difference'].min())} and {signed(rows['difference'].max())}."
    )
    return Finding(about, text)


def _be(rows: pd.DataFrame) -> str:
    return "is" if len(rows) == 1 else "are"


def _which(rows: pd.DataFrame, most: int = 6) -> str:
    """Name the targets of some rows, if they are few and each target is there once."""
    targets = list(rows["target"])
    if not targets or len(targets) > most or len(set(targets)) < len(targets):
        return ""
    return f" ({listed(targets)})"


def hypotheses(results: Results) -> Group | None:
    """State the verdict of every hypothesis and the comparisons on which it rests."""
    table = results.get("hypotheses")
    if table is None or table.empty:
        return None
    findings = []
    for verdict in verdicts(table).itertuples():
        rows = table[(table["hypothesis"] == verdict.hypothesis) & table["decides"].astype(bool)]
        lines = [
            f"{row.statement}: {signed(row.estimate)} ({interval(row.low, row.high, signed)}; adjusted p "
            f"{p_value(row.p_fdr)}; {row.verdict})"
            for row in rows.itertuples()
        ]
        text = f"{verdict.verdict}. It rests on {counted(len(rows), 'comparison')}: {'; '.join(lines)}."
        findings.append(Finding(verdict.hypothesis, text))
    note = (
        "Layers are chosen inside the development stimuli. Undecided means that the data do not tell, not that both "
        "sides are equal."
    )
    return Group("Hypotheses", findings, "hypotheses.tsv", note)


def unique(results: Results) -> Group | None:
    """Say what each part of a joined feature set adds to the other one."""
    table = results.get("unique_variance")
    if table is None or table.empty:
        return None
    findings, keys = [], ["features", "adds", "without", "estimator"]
    for (name, adds, without, estimator), rows in table.groupby(keys, sort=False):
        found = rows[rows["significant"].astype(bool)]
        adds_some, harms = (found["unique"] > 0).sum(), (found["unique"] < 0).sum()
        top = rows.loc[rows["unique"].idxmax()]
        layers = f", layer {top['layer']}" if rows["layer"].nunique() > 1 else ""
        worse = f", and makes predictions significantly worse in {harms}" if harms else ""
        text = (
            f"{adds} adds significantly to {without} in {adds_some} of {counted(len(rows), 'row')} (targets and "
            f"layers; {estimator}){worse}. The most it adds is r2 {signed(top['unique'])} "
            f"({interval(top['low'], top['high'], signed)}), for {top['target']}{layers}."
        )
        findings.append(Finding(name, text))
    note = "r2 of both sets together minus r2 of one alone, on the same splits."
    return Group("Unique variance", findings, "unique_variance.tsv", note)


def above_chance(results: Results) -> Group | None:
    """Count the targets whose best layer is better than with permuted stimuli."""
    table = results.get("above_chance")
    if table is None or table.empty:
        return None
    fdr = results.provenance["config"]["fdr"]
    findings = []
    for (name, estimator), rows in table.groupby(["features", "estimator"], sort=False):
        rows = rows.drop_duplicates("target")
        above = rows[rows["p_best_fdr"] <= fdr]
        not_above = [target for target in rows["target"] if target not in set(above["target"])]
        rest = f" Not above chance: {listed(not_above)}." if not_above else ""
        text = (
            f"with {estimator} above chance in {len(above)} of {counted(len(rows), 'target')} "
            f"({int(rows['n_permutations'].iloc[0])} permutations; corrected for the choice among layers and, at "
            f"{percent(fdr)}, for the number of targets).{rest}"
        )
        findings.append(Finding(name, text))
    return Group("Better than permuted stimuli?", findings, "above_chance.tsv")


def selected(results: Results) -> Group | None:
    """Say how many units sparse models keep, and how far two splits agree about them."""
    table = results.get("selection")
    if table is None or table.empty:
        return None
    table = table[table["across"] == "split"]
    findings = []
    for (name, estimator), rows in table.groupby(["features", "estimator"], sort=False):
        text = (
            f"{estimator} keeps {rows['n_selected_mean'].median():.1f} units (median over layers and targets of the "
            f"mean over splits). Two splits agree about them by {score(rows['kuncheva'].median())} "
            f"(median over layers and targets; 0 is chance, 1 identical)."
        )
        empty = int(rows["n_empty"].sum())
        if empty:
            text += f" {empty} of {int(rows['n_splits'].sum())} models keep none."
        findings.append(Finding(name, text))
    note = "Splits share stimuli, so that agreement with other stimuli would be less."
    return Group("Selected units", findings, "selection.tsv", note)
