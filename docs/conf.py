"""How the documentation becomes a site: Sphinx's settings, for `make docs`."""

import re
from pathlib import Path

project = "flask-session-rs"
copyright = "the flask-session-rs authors"
# The one place that holds the version.
_cargo = (Path(__file__).parent.parent / "Cargo.toml").read_text(encoding="utf-8")
release = re.search(r'^version = "(.+)"$', _cargo, re.MULTILINE)[1]

extensions = ["myst_parser"]
exclude_patterns = ["_build"]
# Headings of the first three levels can be linked to, as on the pages of a repository.
myst_heading_anchors = 3
# Quotes stay as they are written: many stand in what is to be copied.
smartquotes = False

# A block that names no language is not Python: it is not coloured.
highlight_language = "none"

html_theme = "furo"
html_title = f"flask-session-rs {release}"
html_copy_source = False
html_show_sphinx = False
