"""Other files of weights that the config of a model names."""

import os
import re
from collections.abc import Iterator, MutableMapping
from pathlib import Path
from typing import Any

# The argument that names the file of a first stage, and a file in one folder.
REFERENCE = 'autoencoder_checkpoint'
NEIGHBOUR = re.compile(r'[\w+-][\w.+-]*\.(pth|safetensors)', re.ASCII)
# All that name a file, or a work directory.
REFERENCES = (REFERENCE, 'guide_checkpoint')


def locate_files(model: MutableMapping[str, Any], source: str | Path) -> None:
    """Let relative paths lead from where a model lies, if they do.

    A training writes paths as they led from its current folder, which is
    mostly one above its work directory. From any other folder, and on any
    other machine that the trees were copied to, they lead to nothing, or to
    a file of another training.

    Args:
        model: Config; such paths become absolute.
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
    """Make paths absolute that :func:`locate_files` would not find.

    Args:
        model: Config, with paths that lead from the current folder.
        work_dir: Where a training will write it.
    """
    if Path.cwd() in Path(os.path.abspath(work_dir)).parents:
        return
    for key, path in _relative(model):
        if path.exists():
            model[key] = os.path.abspath(path)


def _relative(model: MutableMapping[str, Any]) -> Iterator[tuple[str, Path]]:
    """Keys and paths of the other files, where these are relative."""
    for key in REFERENCES:
        value = model.get(key)
        if isinstance(value, str) and not os.path.isabs(value):
            yield key, Path(value)


def first_stage_beside(path: Path, config: dict[str, Any]) -> dict[str, str]:
    """Where the first stage lies that a model file was written without.

    The file may name none but its neighbours.

    Args:
        path: The model file.
        config: Of its model.

    Returns:
        The argument that names it; empty where it is in the file.

    Raises:
        FileNotFoundError: If it does not lie there.
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
