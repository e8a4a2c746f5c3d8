"""What was done, in sentences filled from the resolved configuration; the equations are in the template."""

from pathlib import Path

import numpy as np

from ..estimators.record import recorded
from ..inference.statistics import mean_test_ratio
from ..runs.results import Results
from ..wording import counted, listed
from .wording import percent

REFERENCES = {
    "nadeau": "Nadeau, C. & Bengio, Y. (2003). Inference for the generalization error. Machine Learning 52, 239-281.",
    "bh": "Benjamini, Y. & Hochberg, Y. (1995). Controlling the false discovery rate. Journal of the Royal Statistical "
    "Society B 57, 289-300.",
    "tuckute": "Tuckute, G., Feather, J., Boebinger, D. & McDermott, J. H. (2023). Many but not all deep neural "
    "network audio models capture brain responses and exhibit correspondence between model stages and brain regions. "
    "PLoS Biology 21(12), e3002366.",
    "banded": "Dupré la Tour, T., Eickenberg, M., Nunez-Elizalde, A. O. & Gallant, J. L. (2022). Feature-space "
    "selection with banded ridge regression. NeuroImage 264, 119728.",
    "nogueira": "Nogueira, S., Sechidis, K. & Brown, G. (2018). On the stability of feature selection algorithms. "
    "Journal of Machine Learning Research 18(174), 1-54.",
    "kuncheva": "Kuncheva, L. I. (2007). A stability index for feature selection. Artificial Intelligence and "
    "Applications (AIA 2007).",
    "morey": "Morey, R. D. (2008). Confidence intervals from normalized data. Tutorials in Quantitative Methods for "
    "Psychology 4, 61-64.",
}


def describe_question(results: Results) -> str:
    """Say what was asked, in one sentence."""
    config = results.provenance["config"]
    n_sets, n_targets = len(config["features"]), results.n_targets
    return (
        f"How well {'does' if n_sets == 1 else 'do'} {counted(n_sets, 'feature set')} "
        f"({listed(list(config['features']), 8)}) predict {counted(n_targets, 'response')} to "
        f"{counted(len(results.provenance['stimuli']), 'stimulus')}, by {listed(results.estimators)}, on stimuli that "
        "no model has seen?"
    )


def describe_splits(results: Results) -> str:
    """Say how stimuli were divided."""
    splits, spec = results.provenance["splits"], results.provenance["config"]["splits"]
    kinds = {
        "shuffle": f"at random (seed {spec.get('seed')})",
        "stratified": f"at random inside categories, in equal shares (seed {spec.get('seed')})",
        "group_shuffle": f"by whole groups at random (seed {spec.get('seed')})",
        "leave_one_group_out": "each group being the test set once",
        "kfold": f"each of {len(splits)} folds being the test set once",
        "stratified_kfold": f"each of {len(splits)} random folds, with equal shares of the categories, being the test "
        f"set once (seed {spec.get('seed')})",
        "predefined": "as a table says that came with the study",
        "tuckute2023": "as published by Tuckute et al. 2023",
    }
    n_dev, n_test = (_from_to([len(split[part]) for split in splits]) for part in ("development", "test"))
    grouped = ""
    if spec.get("groups") is not None:
        grouped = (
            f" Stimuli of one group (column {spec['groups']} of the table of stimuli) are never on both sides, nor in "
            "two inner folds."
        )
    return (
        f"The {len(results.provenance['stimuli'])} stimuli were divided {len(splits)} times into "
        f"{n_dev} development and {n_test} test stimuli, {kinds[spec['kind']]}."
        f"{grouped} Splits are of the same stimuli, so that their development sets overlap."
    )


def _from_to(numbers: list[int]) -> str:
    """Write `83`, or `80 to 85` where splits differ."""
    low, high = min(numbers), max(numbers)
    return f"{low}" if low == high else f"{low} to {high}"


def describe_features(results: Results) -> list[tuple[str, str]]:
    """Say of each feature set what it is: name and description."""
    n_layers = results.layer_names.groupby("features")["layer"].nunique()
    metadata = results.provenance.get("features", {})
    return [
        (name, f"{_origin(source, metadata.get(name) or {})}; {counted(int(n_layers.get(name, 0)), 'layer')}.")
        for name, source in results.provenance["config"]["features"].items()
    ]


def _origin(source: dict, metadata: dict) -> str:
    if source.get("join"):
        return f"{listed(source['join'])} side by side"
    if source.get("table"):
        return "a table of features"
    if source.get("activations"):
        permuted = ", weights permuted" if source.get("permuted") else ""
        return f"published activations of {source['network']}{permuted}"
    if source.get("song165"):
        return "acoustic features of song165"
    words = [f"junifer marker {metadata.get('class', source.get('marker'))}"]
    if metadata.get("checkpoint"):
        words.append(f"weights: {metadata['checkpoint']}")
    if metadata.get("permute_seed") is not None:
        words.append(f"parameters permuted (seed {metadata['permute_seed']})")
    if metadata.get("sample_rate"):
        words.append(f"sounds at {metadata['sample_rate']} Hz")
    if metadata.get("pooling"):
        words.append(f"pooled over time by: {metadata['pooling']}")
    return ", ".join(words)


def describe_targets(results: Results) -> str:
    """Say what the responses are."""
    config, targets = results.provenance["config"]["targets"], results.targets
    dataset = Path(config["dataset"]).name if config.get("dataset") else ""
    kinds = {
        "components": (f"component of {dataset}", f"components of {dataset}"),
        "voxels": (f"voxel of {dataset}", f"voxels of {dataset}"),
        "table": ("column of a table", "columns of a table"),
        "published_components": ("published component", "published components"),
        "published_voxels": ("published voxel", "published voxels"),
        "song165": ("electrode of song165", "electrodes of song165"),
    }
    text = f"The responses are {len(targets):,} {kinds[config['kind']][len(targets) > 1]}"
    if "subject" in targets:
        text += f", of {counted(targets['subject'].nunique(), 'subject')}"
    if "roi" in targets:
        text += f", in {counted(targets['roi'].nunique(), 'region')}"
    if "n_repetitions" in targets:
        numbers = targets["n_repetitions"]
        if results.get("repetitions") is None and numbers.nunique() == 1:
            text += f"; the mean of {counted(int(numbers.iloc[0]), 'repetition')} is predicted"
        else:
            least, most = f"{numbers.min():.2g}", f"{numbers.max():.2g}"
            text += (
                "; the mean of the repetitions that are there is predicted, every stimulus counting alike; they "
                f"average noise away as {least if least == most else f'{least} to {most}'} repetitions of every "
                "stimulus would"
            )
    return text + "."


def describe_estimators(results: Results) -> list[tuple[str, str, str]]:
    """Say of each estimator what it is: name, kind and the choice of its hyper-parameters."""
    engines = results.provenance.get("engines", {})
    described = []
    for name, record in recorded(results.provenance).items():
        text = f"{record.words}." if record.words else ""
        engine = f"Fitted by the {engines[name]} engine." if name in engines else ""
        described.append((name, record.kind, " ".join(filter(None, (text, engine)))))
    return described


def describe_tests(results: Results) -> str:
    """Say how differences were tested."""
    config = results.provenance["config"]
    splits = results.provenance["splits"]
    n_dev, n_test = (np.array([len(split[part]) for split in splits]) for part in ("development", "test"))
    mean = "" if len(set(zip(n_dev, n_test, strict=True))) == 1 else ", its mean over splits of unequal sizes"
    ratio = mean_test_ratio(n_dev, n_test, len(splits))
    return (
        f"k = {len(splits)}, n_test/n_dev = {np.round(ratio, 3):g}{mean}; intervals have the level "
        f"{percent(results.level)}; false discoveries are controlled at {percent(config['fdr'])} over all rows of one "
        "test, and over the rows on which one hypothesis rests."
    )


def references(results: Results) -> list[str]:
    """List the papers whose methods were used."""
    config = results.provenance["config"]
    estimators = recorded(results.provenance).values()
    used = ["nadeau"]
    if config["tests"] or config.get("hypotheses"):
        used.append("bh")
    several = results.several_layers
    if config["splits"]["kind"] == "tuckute2023" or "r2_corr_c_median" in results.summary or several:
        used.append("tuckute")
    if any(source.get("join") for source in config["features"].values()):
        used.append("banded")
    if any(record.can.sparse for record in estimators):
        used += ["kuncheva", "nogueira"]
    if "subject" in results.targets:
        used.append("morey")
    return sorted({*(REFERENCES[key] for key in used), *(text for one in estimators for text in one.references)})
