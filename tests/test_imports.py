"""What an import may bring along: commands that only read, list or help start without what computes."""

import subprocess
import sys

import pytest

SOLVERS = {"sklearn", "julearn", "dask", "distributed"}
PICTURES = {"matplotlib", "seaborn", "nilearn", "nibabel", "jinja2"}
NETWORKS = {"torch", "transformers", "librosa", "httpx"}
TABLES = {"pandas", "xarray", "pyarrow"}
# what junifer's brain atlases bring along, once one of its storages or decorators is imported
ATLASES = {"templateflow", "bids", "sqlalchemy", "datalad.api", "nilearn", "nibabel"}
ALL = SOLVERS | PICTURES | NETWORKS | TABLES | ATLASES | {"h5py", "scipy", "junifer"}


# by module: what is not needed for it
NOT_NEEDED = {
    "auralign": ALL | {"numpy", "pydantic", "yaml"},
    "auralign.cli.app": ALL,
    "auralign.cli.command": ALL,
    # whatever a YAML says is checked by pydantic and numpy
    "auralign.config.reading": ALL,
    "auralign.datasets.building": ALL,
    "auralign.inputs.study": NETWORKS | PICTURES | ATLASES | {"julearn", "junifer"},
    # a comparison of ridges, in every process of it; what was found is said at its end
    "auralign.runs.compare": NETWORKS | PICTURES | ATLASES | {"julearn", "junifer"},
    "auralign.questions.encoding.plan": NETWORKS | PICTURES | ATLASES | {"julearn", "junifer"},
    "auralign.report": ALL,
    "auralign.report.plain": NETWORKS | PICTURES | ATLASES | {"julearn", "junifer", "sklearn"},
    "auralign.report.page": SOLVERS
    | NETWORKS
    | ATLASES
    | {"junifer", "xarray", "h5py", "seaborn", "matplotlib.pyplot"},
    "custom_markers": SOLVERS | PICTURES | NETWORKS | TABLES | ATLASES | {"scipy.signal", "scipy.stats"},
}


@pytest.mark.parametrize("module", NOT_NEEDED)
def test_an_import_brings_along_only_what_it_needs(root, module):
    code = f"import sys, {module}; print(*sorted({NOT_NEEDED[module]!r} & {{*sys.modules}}))"
    done = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == []


def test_markers_and_the_data_grabber_are_known_to_junifer_by_name(root):
    code = (
        "from junifer.pipeline import PipelineComponentRegistry as Registry; import custom_markers; "
        "known = Registry().components; print(*sorted(set(custom_markers.__all__) - {*known['marker'], "
        "*known['datagrabber']}))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == []
