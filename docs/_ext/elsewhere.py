"""Links to the reference of other projects, without asking their hosts.

intersphinx wants an inventory per project, which is usually fetched. The few objects that our signatures name are
listed here instead, and their inventories are written when the site is built.
"""

import zlib
from pathlib import Path

# project -> (address, {object: (role of the Python domain, page)}); the anchor on the page is the object's name
PROJECTS = {
    "python": (
        "https://docs.python.org/3/",
        {
            **{name: ("class", "library/stdtypes.html") for name in ("str", "list", "tuple", "dict", "set")},
            **{name: ("class", "library/functions.html") for name in ("bool", "int", "float", "object")},
            "callable": ("function", "library/functions.html"),
            **{name: ("data", "library/constants.html") for name in ("None", "True", "False")},
            "pathlib.Path": ("class", "library/pathlib.html"),
            "collections.abc.Iterable": ("class", "library/collections.abc.html"),
            "collections.abc.Mapping": ("class", "library/collections.abc.html"),
            "collections.abc.Sequence": ("class", "library/collections.abc.html"),
        },
    ),
    "numpy": (
        "https://numpy.org/doc/stable/",
        {
            "numpy.ndarray": ("class", "reference/generated/numpy.ndarray.html"),
            "numpy.random.Generator": ("class", "reference/random/generator.html"),
        },
    ),
    "pandas": (
        "https://pandas.pydata.org/docs/",
        {
            "pandas.DataFrame": ("class", "reference/api/pandas.DataFrame.html"),
            "pandas.Series": ("class", "reference/api/pandas.Series.html"),
        },
    ),
    "xarray": (
        "https://docs.xarray.dev/en/stable/",
        {
            "xarray.DataArray": ("class", "generated/xarray.DataArray.html"),
            "xarray.Dataset": ("class", "generated/xarray.Dataset.html"),
        },
    ),
    "matplotlib": (
        "https://matplotlib.org/stable/",
        {"matplotlib.figure.Figure": ("class", "api/_as_gen/matplotlib.figure.Figure.html")},
    ),
    "sklearn": (
        "https://scikit-learn.org/stable/",
        {
            "sklearn.linear_model.Ridge": ("class", "modules/generated/sklearn.linear_model.Ridge.html"),
            "sklearn.model_selection.check_cv": ("function", "modules/generated/sklearn.model_selection.check_cv.html"),
        },
    ),
}

# how docstrings call these objects
ALIASES = {
    "bool": "bool",
    "boolean": "bool",
    "iterable": "collections.abc.Iterable",
    "mapping": "collections.abc.Mapping",
    "sequence": "collections.abc.Sequence",
    "array-like": "numpy.ndarray",
    "array_like": "numpy.ndarray",
    "Path": "pathlib.Path",
    "array": "numpy.ndarray",
    "ndarray": "numpy.ndarray",
    "np.ndarray": "numpy.ndarray",
    "np.random.Generator": "numpy.random.Generator",
    "DataFrame": "pandas.DataFrame",
    "pd.DataFrame": "pandas.DataFrame",
    "pd.Series": "pandas.Series",
    "DataArray": "xarray.DataArray",
    "xr.DataArray": "xarray.DataArray",
    "Dataset": "xarray.Dataset",
    "xr.Dataset": "xarray.Dataset",
    "Figure": "matplotlib.figure.Figure",
    "Result": "auralign.Result",
    "Model": "auralign.Model",
}
# words of a docstring's types that are no objects to link to
WORDS = {"of", "or", "optional", "default", "shape", "with", "such", "labels", "one", "per", "path", "number", "value"}


def mapping(folder: Path) -> dict[str, tuple[str, str]]:
    """Write an inventory per project to `folder` (version 2 of Sphinx); return `intersphinx_mapping`."""
    folder.mkdir(parents=True, exist_ok=True)
    found = {}
    for project, (address, objects) in PROJECTS.items():
        head = f"# Sphinx inventory version 2\n# Project: {project}\n# Version: \n"
        head += "# The remainder of this file is compressed using zlib.\n"
        lines = "".join(f"{name} py:{role} 1 {page}#$ -\n" for name, (role, page) in sorted(objects.items()))
        file = folder / f"{project}.inv"
        file.write_bytes(head.encode() + zlib.compress(lines.encode()))
        found[project] = (address, str(file))
    return found
