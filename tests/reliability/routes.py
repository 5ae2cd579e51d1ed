"""What a user does with a file that somebody sent.

A route is a list of doors. Behind a door stand steps that run only if the
door opens, such as drawing by what a converter wrote.
"""

import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from children import command, tool

#: Folder of the sound files, set by who runs routes.
SOUND = Path('sound')


class Step(NamedTuple):
    """A tool with its arguments."""

    name: str
    work: Callable[[], None]


class Door(NamedTuple):
    """A step, and those that follow it where it succeeds.

    Attributes:
        first: What reads the file.
        then: What uses its result.
        out: Folder with a config that was written by then.
    """

    first: Step
    then: Sequence[Step] = ()
    out: str | None = None


def step(name: str, *arguments: Any) -> Step:
    """A tool of ``tools/``."""
    return Step(name, tool(name, *arguments))


def typed(script: str, *arguments: Any) -> Step:
    """A tool of ``tools/``, by an interpreter of its own."""
    return Step(f'python {script}', command(script, *arguments))


def sample(model: Any, *flags: Any) -> Step:
    """Draw one image."""
    few = ('--num', 1, '--steps', 1, '--out', 'drawn')
    return step('sample', model, *flags, *few)


def publish(model: str, *flags: Any) -> Step:
    """Write a model file."""
    return step('model_converters/publish_model', model, 'published', *flags)


def train(config: str, *options: str) -> Step:
    """One iteration on four images."""
    root = f'train_dataloader.dataset.data_root={SOUND / "images"}'
    few = ('train_cfg.max_iters=1', 'train_dataloader.num_workers=0')
    options = ('--cfg-options', *few, root, *options)
    return step('train', config, '--work-dir', 'trained', *options)


def converted(out: str, *flags: Any) -> list[Step]:
    """What users do with the result of a converter."""
    return [
        sample(out, *flags),
        publish(out),
        step('test', f'{out}/config.py', f'{out}/model.safetensors'),
        train(f'{out}/config.py', f'load_from={out}/model.safetensors'),
    ]


def compvis(
    config: str = 'model.yaml',
    checkpoint: str = 'model.ckpt',
    out: str = 'out',
) -> list[Door]:
    """A model of the original."""
    name = 'model_converters/compvis_to_mmldm'
    return [Door(step(name, config, checkpoint, out), converted(out), out)]


def diffusers(folder: str = 'theirs', out: str = 'out') -> list[Door]:
    """A folder of diffusers: converted, or used as it is."""
    words = ('--prompt', 'a')
    name = 'model_converters/diffusers_to_mmldm'
    return [
        Door(step(name, folder, out), converted(out, *words), out),
        Door(sample(folder, *words)),
    ]


def model(path: str, *flags: Any) -> list[Door]:
    """A model file, or a folder."""
    return [Door(sample(path, *flags)), Door(publish(path))]


def checkpoint(path: str = 'class.pth') -> list[Door]:
    """A training's checkpoint: drawn by, and gone on from."""
    config = SOUND / 'digits.py'
    loaded = ('--cfg-options', f'load_from={path}')
    return [
        *model(path, '--label', 1),
        Door(sample(config, path, '--label', 1)),
        Door(step('train', config, '--work-dir', 'resumed', '--resume', path)),
        Door(step('train', config, '--work-dir', 'trained', *loaded)),
        Door(step('test', config, path)),
    ]


def index(path: str = 'index.safetensors') -> list[Door]:
    """An index of images, to draw by."""
    return [
        Door(
            sample(
                SOUND / 'features.safetensors',
                *('--database', path, '--num-neighbours', 2),
                *('--like', SOUND / 'images' / 'a.png'),
            )
        )
    ]


def field(path: str) -> list[Door]:
    """An array to draw by."""
    told = ('--field', f'sketch={path}')
    return [Door(sample(SOUND / 'class.safetensors', *told))]


def captions() -> list[Door]:
    """A data set with a table of captions, by the config ``data.py``."""
    return [
        Door(step('analysis_tools/browse_dataset', 'data.py', '--num', 2)),
        Door(step('train', 'data.py', '--work-dir', 'trained')),
    ]


def give(*names: str, to: Path) -> None:
    """Copy sound files and folders into ``to``."""
    for name in names:
        source = SOUND / name
        if source.is_dir():
            shutil.copytree(source, to / name)
        else:
            shutil.copy(source, to / name)
