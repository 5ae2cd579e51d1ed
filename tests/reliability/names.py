"""Poisoned names of files and folders."""

import os
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import routes
from entries import Entry
from routes import give
from strings import NAMES


def entries() -> Iterator[Entry]:
    """Files, folders and outputs of each name."""
    for name, text in NAMES.items():
        for kind, write, route in (
            ('yaml', _named_yaml, lambda t: routes.compvis(f'{t}.yaml')),
            (
                'checkpoint',
                _named_checkpoint,
                lambda t: routes.compvis('model.yaml', f'{t}.ckpt'),
            ),
            (
                'output',
                lambda t, f: give('model.yaml', 'model.ckpt', to=f),
                lambda t: routes.compvis('model.yaml', 'model.ckpt', t),
            ),
            ('folder', _named_folder, routes.diffusers),
            (
                'output of diffusers',
                lambda t, f: _named_folder('theirs', f),
                lambda t: routes.diffusers('theirs', t),
            ),
            ('model file', _named_model, _draw_named),
        ):
            yield Entry(
                'names',
                f'{kind}: {name}',
                partial(write, text),
                partial(route, text),
            )


def _named_yaml(name: str, folder: Path) -> None:
    give('model.yaml', 'model.ckpt', to=folder)
    os.rename(folder / 'model.yaml', folder / f'{name}.yaml')


def _named_checkpoint(name: str, folder: Path) -> None:
    give('model.yaml', 'model.ckpt', to=folder)
    os.rename(folder / 'model.ckpt', folder / f'{name}.ckpt')


def _named_folder(name: str, folder: Path) -> None:
    give('diffusers', to=folder)
    os.rename(folder / 'diffusers', folder / name)


def _named_model(name: str, folder: Path) -> None:
    give('text.safetensors', 'tokenizer', to=folder)
    os.rename(folder / 'text.safetensors', folder / f'{name}.safetensors')


def _draw_named(name: str) -> list[routes.Door]:
    return routes.model(f'{name}.safetensors', '--prompt', 'a')
