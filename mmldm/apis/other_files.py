"""Weights files that a model's config names."""

import os
import re
from collections.abc import Iterator, MutableMapping
from pathlib import Path
from typing import Any

# The argument that names a first stage's file, and a name without folder.
REFERENCE = 'autoencoder_checkpoint'
NEIGHBOUR = re.compile(r'[\w+-][\w.+-]*\.(pth|safetensors)', re.ASCII)
# All arguments that name a file or a work directory.
REFERENCES = (REFERENCE, 'guide_checkpoint')


def locate_files(model: MutableMapping[str, Any], source: str | Path) -> None:
    """Resolve relative paths from the model's folder or one above it.

    A training stores paths relative to its current folder, which is usually
    above its work directory. From another folder, or on another machine that
    the folders were copied to, these paths would lead to nothing, or to a file
    of another training.

    Args:
        model: Config, changed in place: paths that are found become
            absolute.
        source: File or work directory of the model's weights.
    """
    source = Path(os.path.abspath(source))
    folders = [source, *source.parents]
    for key, path in _relative(model):
        for folder in folders:
            if (folder / path).exists():
                if folder != Path.cwd():
                    model[key] = str(folder / path)
                break


def anchor_files(model: MutableMapping[str, Any], work_dir: str) -> None:
    """Make the paths absolute that :func:`locate_files` would not find.

    Args:
        model: Config with paths relative to the current folder.
        work_dir: Folder to which a training will write the config.
    """
    if Path.cwd() in Path(os.path.abspath(work_dir)).parents:
        return
    for key, path in _relative(model):
        if path.exists():
            model[key] = os.path.abspath(path)


def _relative(model: MutableMapping[str, Any]) -> Iterator[tuple[str, Path]]:
    """Keys and paths of the named files whose paths are relative."""
    for key in REFERENCES:
        value = model.get(key)
        if isinstance(value, str) and not os.path.isabs(value):
            yield key, Path(value)


def first_stage_beside(path: Path, config: dict[str, Any]) -> dict[str, str]:
    """Find the first stage of a model file that was published without it.

    The model file may only name a file in its own folder.

    Args:
        path: The model file.
        config: The model's config.

    Returns:
        The argument that names the first stage, with its path; empty if the
        model file contains the first stage.

    Raises:
        FileNotFoundError: If the first stage is missing.
    """
    name = config.get(REFERENCE)
    if not (isinstance(name, str) and NEIGHBOUR.fullmatch(name)):
        return {}
    if not (path.parent / name).is_file():
        raise FileNotFoundError(
            f'{path} was published without its first stage: put {name} '
            'beside it'
        )
    return {REFERENCE: str(path.parent / name)}
