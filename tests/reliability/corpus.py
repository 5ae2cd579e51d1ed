"""All poisoned inputs, and the sound ones that they are made of."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import archives
import folders
import headers
import names
import pickles
import routes
import settings
import stored
import texts
from entries import Entry
from routes import give

MODULES = (
    *(pickles, archives, headers, settings, texts, names, folders),
    stored,
)


def entries() -> Iterator[Entry]:
    """Some hundreds."""
    for module in MODULES:
        yield from module.entries()


def _give(names: tuple[str, ...], folder: Path) -> None:
    give(*names, to=folder)
    if 'diffusers' in names:
        (folder / 'diffusers').rename(folder / 'theirs')


def sound_entries() -> Iterator[Entry]:
    """One for each route."""
    for name, files, route in (
        ('compvis', ('model.yaml', 'model.ckpt'), routes.compvis),
        (
            'legacy compvis',
            ('model.yaml', 'legacy.ckpt'),
            lambda: routes.compvis('model.yaml', 'legacy.ckpt'),
        ),
        ('diffusers', ('diffusers',), routes.diffusers),
        (
            'model file',
            ('class.safetensors',),
            lambda: routes.model('class.safetensors', '--label', 1),
        ),
        ('checkpoint', ('class.pth',), routes.checkpoint),
        ('index', ('index.safetensors',), routes.index),
    ):
        yield Entry('sound', name, partial(_give, files), route)
    yield Entry('sound', 'table', stored.sound_table, routes.captions)
