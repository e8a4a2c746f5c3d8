"""`auralign study`: a study as a DataLad dataset of its own; `new` is also scripts/new_study.py."""

from pathlib import Path

import click

from ..extras import require
from . import command

# the comparison that is meant where only a dataset is named
COMPARISONS = {"phantom": "quickstart.yml", "natsound165": "components_ridge_vs_lasso.yml"}


@click.group(cls=command.Group, context_settings=command.HELP)
def main() -> None:
    """Studies as DataLad datasets: inputs, code and results, each stage by `datalad run`."""


@main.command(context_settings=command.HELP)
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
@click.option("--dataset", type=click.Choice(list(COMPARISONS)), help="Take this dataset's own comparison.")
@click.option("--comparison", type=click.Path(path_type=Path), help="A file of julearn_configs/; see --dataset.")
@click.option("--run", is_flag=True, help="Run all stages at once.")
def new(folder: Path, dataset: str | None, comparison: Path | None, run: bool) -> None:
    """Make the study of a comparison as a new DataLad dataset DIR in the YODA layout.

    Inputs become subdatasets in inputs/ (other files are copied), the YAML files and commands go into code/, with paths
    inside the study. code/run.sh runs extraction, comparison and report under `datalad run`; `datalad rerun` repeats
    them. Without --dataset and --comparison: the synthetic study of the quickstart.

    \b
    Example:
      auralign study new ../my_study --comparison julearn_configs/quickstart.yml

    Exit status: 0 done, 1 failed, 2 wrong usage or configuration, 130 interrupted.
    """
    from ..files.shipped import shipped
    from ..runs.rerun.study_dataset import make_study, run_study
    from ..runs.rerun.study_plan import plan_study

    if dataset is not None and comparison is not None:
        raise click.UsageError("give --dataset or --comparison: a comparison says itself which dataset it reads.")
    require("data", "a study")
    plan = plan_study(comparison or _own_comparison(COMPARISONS[dataset or "phantom"]))
    make_study(folder, plan, shipped("scripts"))
    click.echo(f"{folder}: the study {plan.config.name}, a DataLad dataset with {len(plan.datasets)} subdataset(s)")
    if run:
        run_study(folder)
        click.echo(f"report: {folder}/results/{plan.config.name}/report.html")
    else:
        click.echo(f"run it: bash {folder}/code/run.sh    (code/README.md says what is where)")


def _own_comparison(name: str) -> Path:
    """Find a shipped comparison where its paths lead to data: in the working folder, or else in the checkout."""
    from ..errors import ConfigError
    from ..files.shipped import shipped

    here, ours = Path("julearn_configs") / name, shipped("julearn_configs") / name
    if here.is_file():
        return here
    if (ours.parents[1] / "pyproject.toml").is_file():
        return ours
    quickstart = "auralign quickstart" if name == COMPARISONS["phantom"] else "auralign features list --copy"
    raise ConfigError(
        f"{here}: there is no such comparison in this folder, whose datasets a study could be made of. `{quickstart}` "
        "puts the shipped YAML files here; or name a comparison of your own with --comparison."
    )
