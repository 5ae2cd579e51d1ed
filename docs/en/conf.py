"""The documentation's site: ``sphinx-build -W docs/en OUT``."""

import re
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[2]))

from mmldm.version import __version__  # noqa: E402

project = 'mmldm'
author = 'The mmldm authors'
release = __version__

extensions = [
    'myst_parser',
    'sphinx.ext.autodoc',
    'sphinx.ext.autosummary',
    'sphinx.ext.napoleon',
]
exclude_patterns = ['_build']
# Headings become targets of links, as on the pages of a repository.
myst_heading_anchors = 4
myst_enable_extensions = ['colon_fence']

autosummary_generate = True
napoleon_use_ivar = True
autodoc_member_order = 'bysource'
autodoc_typehints = 'description'
autodoc_default_options = {'members': True, 'show-inheritance': True}
# Anything else in single backquotes of a docstring is plain text.
default_role = 'literal'

html_theme = 'furo'
html_title = f'mmldm {release}'
html_static_path = ['_static']
html_css_files = ['site.css']

# Links to files of the repository, which are no pages of the site.
OUTSIDE = re.compile(r'\[([^\]]+)\]\(\.\./\.\./[^)]+\)')


def name_files(app: Any, page: str, source: list[str]) -> None:
    """Show the names of files that lie outside of the site."""
    source[0] = OUTSIDE.sub(r'`\1`', source[0])


def keep_bars(app: Any, kind: str, name: str, *rest: Any) -> None:
    """Show |x| as it is; else it would be the name of a substitution."""
    lines = rest[-1]
    lines[:] = [line.replace('|', r'\|') for line in lines]


def setup(app: Any) -> None:
    """Called by Sphinx."""
    app.connect('autodoc-process-docstring', keep_bars)
    app.connect('source-read', name_files)
