"""The site: `make docs` builds it. Its pages are the Markdown pages and notebooks where they lie, so links hold here and there."""

from __future__ import annotations

import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent), str(HERE / "site")]

import dmlcore  # noqa: E402

project = "dmlcore"
author = copyright = "the dmlcore authors"
version = release = dmlcore.__version__

extensions = ["myst_nb", "sphinx.ext.autodoc", "catalogue"]
root_doc = "docs/index"
include_patterns = ["*.md", "docs/**", "notebooks/*.ipynb", "benchmarks/README.md", "benchmarks/**/README.md"]
exclude_patterns = [".*", "build", "docs/site", "**/.ipynb_checkpoints", "benchmarks/.envs"]

myst_heading_anchors = 4  # as GitHub has them
myst_enable_extensions = ["dollarmath"]  # in notebooks

nb_execution_mode = "off"  # notebooks are kept with what they show, which a test compares with a fresh run
nb_merge_streams = True

autodoc_member_order = "bysource"
autodoc_typehints = "none"  # signatures have names and defaults; docstrings say what is meant
autodoc_inherit_docstrings = False  # what a family has of its own; the rest stands on the page of all
add_module_names = False
toc_object_entries_show_parents = "hide"
default_role = "code"

html_theme = "furo"
html_title = "dmlcore"
html_static_path = ["site/static"]
html_css_files = ["site.css"]
html_extra_path = ["site/extra"]
html_show_sphinx = False
html_copy_source = False
html_math_renderer = "mathml"
