"""How Sphinx builds the documentation: `make docs`."""

from importlib.metadata import version as installed_version

project = "p2pcommerce"
author = "p2pcommerce contributors"
project_copyright = "2026, p2pcommerce contributors"
release = installed_version("p2pcommerce")
version = release

extensions = ["myst_parser"]
source_suffix = {".md": "markdown"}
exclude_patterns = ["_build", "examples"]
myst_heading_anchors = 3
nitpicky = True

html_theme = "furo"
html_title = f"p2pcommerce {release}"
