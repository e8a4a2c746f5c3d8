#!/usr/bin/env python
"""Make the DataLad dataset of a study."""

from pathlib import Path

import click

from auralign.cli import command
from auralign.runs.rerun.study_dataset import make_study, run_study
from auralign.runs.rerun.study_plan import plan_study

SCRIPTS = Path(__file__).resolve().parent
CONFIGS = SCRIPTS.parent / "julearn_configs"
# the comparison that is meant where only a dataset is named
COMPARISONS = {"phantom": "quickstart.yml", "natsound165": "components_ridge_vs_lasso.yml"}


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
@click.option("--dataset", type=click.Choice(list(COMPARISONS)), help="Take this dataset's own comparison.")
@click.option("--comparison", type=click.Path(path_type=Path), help="A file of julearn_configs/; see --dataset.")
@click.option("--run", is_flag=True, help="Run all stages at once.")
def main(folder: Path, dataset: str | None, comparison: Path | None, run: bool) -> None:
    """Make the study of a comparison as a new DataLad dataset DIR in the YODA layout.

    Inputs become subdatasets in inputs/ (other files are copied), the YAML files and commands go into code/, with paths
    inside the study. code/run.sh runs extraction, comparison and report under `datalad run`; `datalad rerun` repeats
    them. Without --dataset and --comparison: the synthetic study of the quickstart.

    Exit status: 0 done, 1 failed, 2 wrong usage or configuration, 130 interrupted.
    """
    if dataset is not None and comparison is not None:
        raise click.UsageError("give --dataset or --comparison: a comparison says itself which dataset it reads.")
    plan = plan_study(comparison or CONFIGS / COMPARISONS[dataset or "phantom"])
    make_study(folder, plan, SCRIPTS)
    click.echo(f"{folder}: the study {plan.config.name}, a DataLad dataset with {len(plan.datasets)} subdataset(s)")
    if run:
        run_study(folder)
        click.echo(f"report: {folder}/results/{plan.config.name}/report.html")
    else:
        click.echo(f"run it: bash {folder}/code/run.sh    (code/README.md says what is where)")


if __name__ == "__main__":
    command.run(main)
