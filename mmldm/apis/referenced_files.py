"""Files that a model's config names.

A class lists its arguments that name files: ``files`` lists those for files of
weights, ``data_folders`` those for folders without weights, such as a
tokenizer's.
"""

import os
import re
from collections.abc import Iterable, Iterator, Mapping, MutableMapping
from pathlib import Path
from typing import Any

# The argument that names a first stage's file, and a name without folder.
REFERENCE = 'autoencoder_checkpoint'
NEIGHBOUR = re.compile(r'[\w+-][\w.+-]*\.(pth|safetensors)', re.ASCII)


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
    for node, key in named_files(model):
        for folder in folders:
            if (folder / node[key]).exists():
                if folder != Path.cwd():
                    node[key] = str(folder / node[key])
                break


def anchor_files(model: MutableMapping[str, Any], work_dir: str) -> None:
    """Make the paths absolute that :func:`locate_files` would not find.

    Args:
        model: Config with paths relative to the current folder.
        work_dir: Folder to which a training will write the config.
    """
    if Path.cwd() in Path(os.path.abspath(work_dir)).parents:
        return
    for node, key in named_files(model):
        if Path(node[key]).exists():
            node[key] = os.path.abspath(node[key])


def weights_beside(name: str, folders: Iterable[Path]) -> str:
    """The path of a weights file in one of ``folders``, else the name itself.

    A config that a converter wrote names the file beside it.

    Args:
        name: Name of the file; one with a folder is a path already.
        folders: Folders of the config file and of all its bases.
    """
    if NEIGHBOUR.fullmatch(name):
        for folder in folders:
            if (folder / name).is_file():
                return str(folder / name)
    return name


def named_files(
    node: Any, kind: str = 'files'
) -> Iterator[tuple[MutableMapping[str, Any], str]]:
    """Every dict of a config with each of its keys that names a file.

    Args:
        node: Config of a model or of its parts.
        kind: Attribute of classes that lists the keys, 'files' or
            'data_folders'.
    """
    if isinstance(node, list | tuple):
        for item in node:
            yield from named_files(item, kind)
    if not isinstance(node, Mapping):
        return
    for key in files_of(node.get('type'), kind):
        if isinstance(node.get(key), str):
            yield node, key
    for value in node.values():
        yield from named_files(value, kind)


def files_of(cls: Any, kind: str = 'files') -> tuple[str, ...]:
    """The arguments of a class that name files; empty if it is unknown.

    Args:
        cls: The class, or the name that it is registered by.
        kind: See :func:`named_files`.
    """
    from .registered import find_class  # loads torch

    cls = find_class(cls) if isinstance(cls, str) else cls
    found = getattr(cls, kind, ())
    return found if isinstance(found, tuple) else ()


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
