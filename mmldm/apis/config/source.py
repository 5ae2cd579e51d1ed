"""Config files, read with every mistake in them named."""

import json
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from traceback import extract_tb
from typing import Any

from mmengine.config import Config

from mmldm.compat import read_yaml_safely
from mmldm.utils.files import check_file
from mmldm.utils.shipped import PREFIX, config_path
from mmldm.utils.yaml_file import MOST_BYTES, read_yaml

from ..tokenizer_folders import locate_tokenizers
from .custom_imports import describe

DEBUG = 'MMLDM_DEBUG'
SUFFIXES = ('.py', '.yaml', '.yml', '.json')
# Files that a config inherits from, counted as often as they are read.
MOST_BASES = 200


def read_config(path: str | Path) -> Config:
    """The content of a config file and of all that it inherits from.

    Args:
        path: The file, or the name of one that comes with mmldm, such as
            ``mmldm::ldm/NAME.py``.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it is no config, inherits from itself, or raises
            anything while it is executed: file and line are named.
    """
    path = config_path(path)
    check_file('config', path)
    files = list(_chain(Path(path), ()))
    try:
        read_yaml_safely()
        cfg = Config.fromfile(path)
        locate_tokenizers(cfg, [file.parent for file in files])
    except BaseException as error:
        if isinstance(error, ValueError) and os.environ.get(DEBUG):
            raise
        raise ValueError(_told(Path(path), files, error)) from error
    return cfg


def _chain(path: Path, above: Sequence[Path]) -> Iterator[Path]:
    """A config and all below it, each as often as it will be read.

    Args:
        path: Of the config.
        above: The configs that inherit from it, the first one first.
    """
    _check_source(path, above)
    yield path
    number = 1
    for base in _bases(path):
        for below in _chain(path.parent / config_path(base), (*above, path)):
            if (number := number + 1) > MOST_BASES:
                raise ValueError(
                    f'config {path} inherits from more than {MOST_BASES} '
                    'files by _base_'
                )
            yield below


def _check_source(path: Path, above: Sequence[Path]) -> None:
    """Raise unless a file may be the next one of a chain of configs."""
    what = 'config' if not above else f'_base_ of {above[-1]}:'
    check_file(what, path)
    if path.suffix not in SUFFIXES:
        raise ValueError(
            f'{what} {path} is no config: expected one of '
            f'{", ".join(SUFFIXES)}'
        )
    if (size := path.stat().st_size) > MOST_BYTES:
        raise ValueError(
            f'{what} {path} has {size} bytes, expected at most {MOST_BYTES}'
        )
    real = [other.resolve() for other in (*above, path)]
    if real[-1] in real[:-1]:
        circle = ' -> '.join(str(p) for p in (*above, path))
        raise ValueError(
            f'config {above[0]} inherits from itself: {circle}: remove one '
            '_base_'
        )


def _bases(path: Path) -> list[str]:
    """What ``_base_`` of a config names, without that of other packages.

    Raises:
        ValueError: If it is anything else than names of files.
    """
    if path.suffix == '.py':
        try:
            found: Any = Config._get_base_files(str(path))
        except BaseException as error:
            raise ValueError(_told(path, [path], error)) from error
    else:
        content = read_yaml(path) if path.suffix != '.json' else _json(path)
        if not isinstance(content, dict):
            raise ValueError(
                f'config {path} holds a {type(content).__name__}, expected '
                'keys and values'
            )
        found = content.get('_base_', [])
        found = found if isinstance(found, list) else [found]
    for name in found:
        if not isinstance(name, str) or not name:
            raise ValueError(
                f'config {path}: _base_ holds {name!r}, expected the name of '
                'a config file, or a list of names'
            )
    return [
        name for name in found if name.startswith(PREFIX) or '::' not in name
    ]


def _json(path: Path) -> Any:
    """The content of a JSON file.

    Raises:
        ValueError: If it is no JSON, or gives a key twice.
    """
    try:
        return json.loads(path.read_bytes(), object_pairs_hook=_once)
    except (ValueError, RecursionError) as error:
        raise ValueError(f'{path} is no JSON ({error})') from error


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """A dict of pairs, each of whose keys is given once."""
    found = dict(pairs)
    if len(found) < len(pairs):
        keys = [key for key, _ in pairs]
        twice = next(key for key in keys if keys.count(key) > 1)
        raise ValueError(f'{twice!r} is given twice')
    return found


def _told(path: Path, files: Sequence[Path], error: BaseException) -> str:
    """What went wrong in a config, with file and line."""
    if isinstance(error, ImportError) and 'custom' in str(error):
        return f'config {path}: {describe(error)}'
    names = {os.path.abspath(file) for file in files}
    lines = [
        f'config {frame.filename}, line {frame.lineno}'
        for frame in extract_tb(error.__traceback__)
        if frame.filename in names
    ]
    place = lines[-1] if lines else f'config {path}'
    if isinstance(error, SyntaxError | UnicodeDecodeError):
        hint = ' (expected UTF-8)' * isinstance(error, UnicodeDecodeError)
        return f'config {path}: {error}{hint}'
    text = str(error.args[0] if isinstance(error, KeyError) else error)
    return f'{place}: {type(error).__name__}: {text}'
