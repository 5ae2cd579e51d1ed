"""Tokenizer folders beside a model or beside its config."""

import shutil
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from .referenced_files import named_files

# Suffixes of the files of a transformers tokenizer.
SUFFIXES = ('.json', '.txt', '.model', '.jinja')


def locate_tokenizers(model: Any, folders: Sequence[Path]) -> None:
    """Replace tokenizer names by paths if they are folders beside a config.

    A config that a converter wrote names a folder beside it.

    Args:
        model: Config of a model, changed in place; anything else passes.
        folders: Folders of the config file and of all its bases.
    """
    for node, key in named_files(model, 'data_folders'):
        node[key] = tokenizer_beside(node[key], folders)


def tokenizer_beside(name: str, folders: Iterable[Path]) -> str:
    """The tokenizer's path in one of ``folders``, else the name itself.

    Raises:
        ValueError: See :func:`check_files`.
    """
    if name and not Path(name).is_absolute():
        for folder in folders:
            if (folder / name).is_dir():
                check_files(folder / name, folder)
                return str(folder / name)
    return name


def copy_tokenizer(folder: Path, out_dir: Path) -> list[str]:
    """Copy the files of a tokenizer from a folder of diffusers.

    Args:
        folder: The tokenizer's folder, which passed :func:`check_files`.
        out_dir: Target folder; it is created if missing.

    Returns:
        Names of the files that were left out, as a tokenizer does not need
        them.

    """
    out_dir.mkdir(parents=True, exist_ok=True)
    left_out = []
    for path in sorted(folder.iterdir()):
        if path.is_file() and path.suffix in SUFFIXES:
            shutil.copyfile(path, out_dir / path.name)
        else:
            left_out.append(path.name)
    return left_out


def check_files(folder: Path, boundary: Path) -> None:
    """Raise if a folder has links to outside, or special files.

    Args:
        folder: The folder, which somebody else may have made.
        boundary: Symbolic links may lead anywhere below this folder. In the
            cache of huggingface_hub, whose folders consist of links, they
            may lead anywhere in the repository's folder.

    Raises:
        ValueError: Names the link, or the file that is not a regular one.
    """
    root = boundary.resolve()
    if root.parent.name == 'snapshots':
        root = root.parent.parent
    for path in [folder, *sorted(folder.rglob('*'))]:
        target = path.resolve()
        if not target.is_relative_to(root):
            raise ValueError(
                f'{path} is a link that leads out of {boundary}: put a copy '
                'of the file in its place'
            )
        if not (target.is_file() or target.is_dir()):
            raise ValueError(f'{path} is not a regular file: remove it')
