"""Sphinx configuration."""

project = "buildlock"
author = "The buildlock developers"
copyright = "2026, The buildlock developers"  # noqa: A001 - Sphinx names it so
extensions = ["myst_parser"]
html_theme = "furo"
html_title = "buildlock"
exclude_patterns = ["_build"]
myst_enable_extensions = ["deflist"]
myst_heading_anchors = 3
