#!/usr/bin/env python
"""Make the gallery of figures in docs/ from the built-in synthetic study."""

import io
import re
import tempfile
from pathlib import Path

import click
import numpy as np
import pandas as pd
from nilearn.datasets import fetch_surf_fsaverage
from nilearn.surface import load_surf_mesh
from PIL import Image

from auralign.cli import command
from auralign.config.reading import read_config
from auralign.figures import FigureOf, all_figures
from auralign.files.yaml_text import write_yaml
from auralign.phantom import study as phantom
from auralign.runs.compare import run_comparison
from auralign.runs.results import read_results

DOCS = Path(__file__).resolve().parent.parent / "docs"
DPI = 140
N_VOXELS = 900
STEPS = (0, 20_000, 50_000, 100_000, 200_000, 500_000)
ROLES = {"bands": "baseline", "permuted": "control", "both": "joined"}

INTRODUCTION = """# Gallery

Every figure that the package draws, from the built-in synthetic study (`auralign/phantom/study.py`): synthetic sounds,
responses with known ceilings, and small random networks of a few numpy lines. No number here says anything about a
brain or a network. Made by `python scripts/gallery.py`; each figure is also saved as SVG and with its data as TSV.

How to get them: `python scripts/report.py results/<name>`, or from Python ([notebook](notebook.md)).

All are as wide as one column of a page (89 mm) with type of 8 points or more. A colour, a marker and a line style
belong to a feature set in all figures of a comparison. Colours are those of Okabe & Ito (without yellow), and of
viridis, inferno and PuOr where they stand for numbers. Controls are grey, baselines black. Layers stand at their
relative depth (0 first, 1 last) where feature sets share an axis, and by name where one has it alone. On a dark page a
report shows the same figures in colours for it (`auralign/figures/contrast.py`).
"""


def spectra(sounds: np.ndarray) -> np.ndarray:
    """Log energies of 40 bands over time, [stimulus, frame, band]."""
    frames = np.lib.stride_tricks.sliding_window_view(sounds / 32768, 2048, axis=1)[:, ::2205]
    power = np.square(np.abs(np.fft.rfft(frames * np.hanning(2048), axis=2)))
    edges = np.unique(np.geomspace(3, 900, 41).astype(int))
    return np.log10(np.add.reduceat(power[..., : edges[-1]], edges[:-1], axis=2) + 1e-6)


def network(spectrum: np.ndarray, seed: int, depth: int, permuted: bool = False) -> list[np.ndarray]:
    """Layers of a random recurrent-free network over two frames, averaged over time: each [stimulus, unit]."""
    random = np.random.default_rng(seed)
    hidden = (spectrum - spectrum.mean((0, 1))) / spectrum.std((0, 1))
    layers = []
    for _ in range(depth):
        both = np.concatenate([hidden, np.roll(hidden, 1, axis=1)], axis=2)
        weights = random.standard_normal((both.shape[2], 64)) / np.sqrt(both.shape[2])
        if permuted:
            both = random.permutation(both.reshape(-1, both.shape[2])).reshape(both.shape)
        hidden = np.tanh(1.5 * both @ weights)
        layers.append(np.concatenate([hidden.mean(axis=1), hidden.std(axis=1)], axis=1))
    return layers


def write_features(path: Path, stimuli: list[str], layers: list[np.ndarray]) -> None:
    """Write a table of features with several layers."""
    tables = [
        pd.DataFrame(x, columns=[f"u{i}" for i in range(x.shape[1])]).assign(stimulus=stimuli, layer=number)
        for number, x in enumerate(layers)
    ]
    pd.concat(tables).to_csv(path, sep="\t", index=False)


def make_inputs(folder: Path) -> phantom.Phantom:
    """Write features, responses and configurations of three comparisons into a folder."""
    study = phantom.generate(n_voxels=N_VOXELS)
    spectrum = spectra(study.sounds)
    bands = np.concatenate([spectrum.mean(axis=1), spectrum.std(axis=1)], axis=1)
    first = network(spectrum, 1, 6)
    sets = {"bands": [bands], "first": first, "second": network(spectrum, 2, 6)}
    sets |= {"permuted": network(spectrum, 1, 6, permuted=True), "wide": [np.concatenate(first[:2], axis=1)]}
    # training is imitated: noise that shrinks from step to step
    random = np.random.default_rng(0)
    for step in STEPS:
        noise = 3.0 * np.exp(-step / 100_000)
        sets[f"imitated-step{step:06d}"] = [x + noise * x.std(0) * random.standard_normal(x.shape) for x in first[:4]]
    for name, layers in sets.items():
        write_features(folder / f"{name}.tsv", study.stimuli, layers)
    responses = pd.DataFrame(study.components, columns=study.targets["target"]).assign(stimulus=study.stimuli)
    responses.to_csv(folder / "components.tsv", sep="\t", index=False)
    study.targets.assign(synthetic=True).to_csv(folder / "components_targets.tsv", sep="\t", index=False)
    names = study.voxel_table["target"]
    voxels = [
        pd.DataFrame(study.voxels[:, :, r], columns=names).assign(stimulus=study.stimuli, repetition=r)
        for r in range(3)
    ]
    pd.concat(voxels).to_csv(folder / "voxels.tsv", sep="\t", index=False)
    # two regions and voxels of noise in none, so that regions have voxels of every subject
    region = study.voxel_table["component"].map(
        {
            "lowfreq": "low",
            "highfreq": "high",
            "envsounds": "high",
            "pitch": "low",
            "speech": "speech",
            "music": "music",
        }
    )
    table = study.voxel_table.drop(columns=["ceiling", "component", "signal_sd", "noise_sd"]).assign(
        synthetic=True, roi=region.fillna("")
    )
    table.to_csv(folder / "voxels_targets.tsv", sep="\t", index=False)
    pd.DataFrame({"stimulus": study.stimuli, "category": study.categories}).to_csv(
        folder / "stimuli.tsv", sep="\t", index=False
    )
    _write_configs(folder)
    return study


def _write_configs(folder: Path) -> None:
    shared = {
        "stimuli": {"table": "stimuli.tsv"},
        "splits": {"kind": "shuffle", "n_splits": 10, "train_size": 83, "test_size": 82, "seed": 0},
    }
    ridge = {"ridge": {"kind": "ridge", "alphas": {"logspace": [-3, 8, 12]}}}
    own = {name: {"table": f"{name}.tsv"} for name in ("first", "second", "permuted", "bands")}
    series = [f"imitated-step{step:06d}" for step in STEPS]
    components = {"kind": "table", "table": "components.tsv", "target_table": "components_targets.tsv"}
    configs = {
        "components": {"features": own, "targets": components, "estimators": ridge | {"lasso": {"kind": "lasso"}}},
        "beyond": {
            "features": {
                **{name: own[name] for name in ("first", "bands")},
                "both": {"join": ["bands", "first"]},
                **{name: {"table": f"{name}.tsv"} for name in series},
            },
            "targets": components,
            "estimators": ridge,
        },
        "voxels": {
            "features": own,
            "targets": {"kind": "table", "table": "voxels.tsv", "target_table": "voxels_targets.tsv"},
            "estimators": ridge,
        },
    }
    for name, config in configs.items():
        text = write_yaml({"name": name, **config, **shared})
        (folder / f"{name}.yml").write_text(text, encoding="utf-8")


def synthetic_vertices(voxels: pd.DataFrame) -> pd.DataFrame:
    """Lay the phantom's sheet on fsaverage5, around the middle of the superior temporal gyrus: an arbitrary place.

    A vertex gets the nearest voxel of its hemisphere within 3 mm, in the plane of the flattened cortex.
    """
    mesh, tables = fetch_surf_fsaverage("fsaverage5"), []
    for side, hemi in (("lh", "left"), ("rh", "right")):
        sphere = load_surf_mesh(mesh[f"sphere_{hemi}"])[0]
        sign = -1.0 if side == "lh" else 1.0
        middle = np.array([sign * 88.0, 0.0, -25.0])
        # the plane that touches the sphere there: y of the sphere is the sheet's x, z its y
        near = np.flatnonzero(sphere @ middle / np.linalg.norm(middle) > 75.0)
        sheet = sphere[near][:, [1, 2]] - middle[[1, 2]] + np.array([30.0, 20.0])
        own = voxels[voxels["hemi"] == side]
        distance = np.linalg.norm(sheet[:, None] - own[["x", "y"]].to_numpy()[None], axis=2)
        nearest = distance.argmin(axis=1)
        close = distance[np.arange(len(near)), nearest] < 3.0
        places = own.iloc[nearest[close]][["hemi", "x", "y"]].reset_index(drop=True)
        tables.append(places.assign(vertex=near[close]))
    return pd.concat(tables, ignore_index=True)


def kind_of(figure: FigureOf, names: list[str]) -> str:
    """Name of a figure without the feature sets and estimators that it is of."""
    parts = re.split("|".join(map(re.escape, sorted(names, key=len, reverse=True))), figure.name)
    return "*".join(parts)


def write_page(figures: dict[str, FigureOf], out: Path) -> int:
    """Write gallery.md and the pictures; return their size in bytes."""
    folder = out / "gallery"
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.glob("*.png"):
        old.unlink()
    parts, total = [INTRODUCTION], 0
    for name, figure in figures.items():
        picture = Image.open(io.BytesIO(figure.png(DPI))).convert("RGB")
        picture.save(folder / f"{name}.png", optimize=True)
        total += (folder / f"{name}.png").stat().st_size
        parts.append(f"## {figure.title}\n\n![{figure.alt}](gallery/{name}.png)\n\n`{figure.name}`: {figure.caption}\n")
    (out / "gallery.md").write_text("\n".join(parts), encoding="utf-8")
    return total


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--out", type=click.Path(path_type=Path), default=DOCS, help="Folder for gallery.md and gallery/.")
def main(out: Path) -> None:
    """Run three comparisons of the built-in synthetic study and write gallery.md with a picture of every figure.

    Takes a few minutes on one core. Exit status: 0 done, 1 failed, 2 wrong usage, 130 interrupted.
    """
    figures: dict[str, FigureOf] = {}
    kinds: set[str] = set()
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        study = make_inputs(folder)
        for name in ("components", "beyond", "voxels"):
            run_comparison(read_config(folder / f"{name}.yml"), folder / "results" / name)
            results = read_results(folder / "results" / name)
            vertices = synthetic_vertices(study.voxel_table) if name == "voxels" else None
            made = all_figures(results, ROLES, predictions=name == "components", vertices=vertices)
            for figure in made:
                # one of each kind; the ranking over subjects is another than that over splits
                kind = kind_of(figure, [*results.features, *results.estimators])
                kind = f"{kind} {name}" if kind.startswith("ranking") else kind
                if kind not in kinds:
                    kinds.add(kind)
                    figures[f"{name}_{figure.name}"] = figure
        total = write_page(figures, out)
    click.echo(f"{len(figures)} figures, {total / 1e6:.2f} MB: {out / 'gallery.md'}")


if __name__ == "__main__":
    command.run(main)
