"""Sphinx builds the documentation from this: ``make docs``."""

from __future__ import annotations

from importlib.metadata import version as installed_version

from velour_integrations.mlflow.evaluation.config import CONFIG

project = "Velour for MLflow"
copyright = "the Velour authors"  # noqa: A001, the name that Sphinx reads
version = release = installed_version("velour-plugin")

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx.ext.viewcode",
    "sphinx_click",
]
html_theme = "furo"
html_title = f"Velour {version}"

myst_enable_extensions = ["colon_fence", "deflist", "substitution"]
myst_substitutions = {
    "evaluator_config": "\n".join(f"`{key}`\n: {meaning}\n" for key, meaning in CONFIG.items())
}
myst_heading_anchors = 3
nitpicky = False  # types of other libraries have no inventory without a network

autodoc_typehints = "none"  # the docstrings give shapes, units and ranges, which types do not
autodoc_member_order = "bysource"
napoleon_google_docstring = True
napoleon_use_rtype = False
