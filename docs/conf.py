"""Settings of the site. It builds without a network: nothing is fetched, and what it links to is listed here.

    python -m sphinx -W --keep-going -b html docs docs/_build/html

Without running the examples of the gallery (a fraction of the time): add `-D plot_gallery=0`.
"""

import importlib
import logging
import os
import re
import sys
import warnings
from pathlib import Path

DOCS = Path(__file__).resolve().parent
sys.path[:0] = [str(DOCS / "_ext"), str(DOCS.parent)]
# the examples fit many small problems: more threads would only wait for each other
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("TQDM_DISABLE", "1")

import matplotlib  # noqa: E402

matplotlib.use("agg")
logging.getLogger("julearn").setLevel(logging.WARNING)  # Sphinx lets it say every step

import elsewhere  # noqa: E402
from figures_shown import FiguresShown  # noqa: E402
from sphinx_gallery.sorting import FileNameSortKey  # noqa: E402

import auralign  # noqa: E402

# `auralign.phantom` and `auralign.report` are rooms that can be called; the reference shows what they call
for room, module in (("phantom", "auralign.phantom.arrays"), ("report", "auralign.report.from_python")):
    setattr(auralign, room, getattr(importlib.import_module(module), room))

project = "auralign"
author = "The auralign developers"
copyright = "the auralign developers, AGPL-3.0-or-later"
version = release = getattr(auralign, "__version__", "0.1.0")
language = "en"
smartquotes = False  # values such as "ridge" are to be copied
default_role = "literal"  # `code` in docstrings

templates_path = ["_templates"]

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.intersphinx",
    "sphinx.ext.viewcode",
    "numpydoc",
    "sphinx_gallery.gen_gallery",
    "error_messages",
    "glossary_terms",
    "flowchart",
    "rooms",
]
source_suffix = {".md": "markdown", ".rst": "restructuredtext"}
exclude_patterns = ["_build", "_ext", "examples", "auto_examples/*.ipynb", "**sg_execution_times.rst"]

# --- the pages, which stay plain Markdown for who reads them in the repository
myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 3
suppress_warnings = ["config.cache"]

# --- the reference
autodoc_typehints = "none"  # the docstrings say it with shapes
autodoc_member_order = "bysource"
autosummary_generate = True
autosummary_imported_members = False
numpydoc_show_class_members = False
numpydoc_xref_param_type = True
numpydoc_xref_aliases = elsewhere.ALIASES
numpydoc_xref_ignore = elsewhere.WORDS

# --- links to other projects: inventories written here from a short list, so that no host is asked
intersphinx_mapping = elsewhere.mapping(DOCS / "_build" / "inventories")

# --- the gallery
sphinx_gallery_conf = {
    "examples_dirs": "examples",
    "gallery_dirs": "auto_examples",
    "filename_pattern": r"/plot_",
    "within_subsection_order": FileNameSortKey,
    "backreferences_dir": "api/backreferences",
    "doc_module": ("auralign",),
    "reference_url": {"auralign": None},
    "image_scrapers": ("matplotlib", FiguresShown()),
    "reset_modules": ("matplotlib",),
    "remove_config_comments": True,
    "download_all_examples": False,
    "show_memory": False,
    "min_reported_time": 1,
    "default_thumb_file": str(DOCS / "gallery" / "components_layers_ridge.png"),
}
warnings.filterwarnings("ignore", message=".*FigureCanvasAgg is non-interactive.*")

# --- how it looks
html_theme = "furo"
html_title = "auralign"
html_static_path = ["_static"]
html_css_files = ["auralign.css"]
html_copy_source = False
html_show_sphinx = False


# pages whose text is a file at the top of the repository, or beside what it describes
SHOWN_HERE = {"changelog": "CHANGELOG.md", "contributing": "CONTRIBUTING.md", "datasets": "datalad_dataset/README.md"}


def unlisted_pages() -> list[str]:
    """Name the pages that no contents name: the guide shows them at its end, so that none is lost."""
    pages = {page.stem: page.read_text(encoding="utf-8") for page in DOCS.glob("*.md")}
    listed = {line.strip() for text in pages.values() for line in text.splitlines()}
    return sorted(set(pages) - listed - {"index"})


def text_of_the_site(app, docname: str, source: list[str]) -> None:
    """Show files of the repository as pages, and lead links that are right there to where the site shows the same."""
    text = source[0]
    if docname in SHOWN_HERE:
        file = DOCS.parent / SHOWN_HERE[docname]
        app.env.note_dependency(str(file))
        text = file.read_text(encoding="utf-8")
    for page, file in SHOWN_HERE.items():
        text = re.sub(rf"\]\((\.\./)?{re.escape(file)}\)", f"]({page}.md)", text)
    text = re.sub(r"\]\((?:\.\./)?docs/([\w/]+\.\w+(?:#[\w-]+)?)\)", r"](\1)", text)
    if docname == "user_guide" and (more := unlisted_pages()):
        text += "\n:::{toctree}\n:caption: More\n:maxdepth: 1\n\n" + "\n".join(more) + "\n:::\n"
    text = text.replace("](examples/README.txt)", "](auto_examples/index.rst)")
    source[0] = re.sub(r"\]\(examples/(plot_\w+)\.py\)", r"](auto_examples/\1.rst)", text)


def setup(app) -> None:
    app.connect("source-read", text_of_the_site)
