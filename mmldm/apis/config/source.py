"""Reading of config files, with the place of every error."""

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

from ..referenced_files import weights_beside
from ..tokenizer_folders import locate_tokenizers
from .custom_imports import describe

DEBUG = 'MMLDM_DEBUG'
SUFFIXES = ('.py', '.yaml', '.yml', '.json')
# Largest number of inherited files; a file counts as often as it is read.
MOST_BASES = 200


def read_config(path: str | Path) -> Config:
    """Read a config file and all files that it inherits from.

    ``load_from`` and tokenizers may name files beside these.

    Args:
        path: The file's path, or the name of a config that comes with
            mmldm, such as ``mmldm::ldm/NAME.py``.

    Raises:
        FileNotFoundError: If the file is missing.
        ValueError: If it is not a config, inherits from itself, or raises
            while it is executed; names file and line.
    """
    path = config_path(path)
    check_file('config', path)
    files = inherited_files(path)
    try:
        read_yaml_safely()
        cfg = Config.fromfile(path)
        folders = [file.parent for file in files]
        locate_tokenizers(cfg.get('model'), folders)
        if isinstance(cfg.get('load_from'), str):
            cfg.load_from = weights_beside(cfg.load_from, folders)
    except BaseException as error:
        if isinstance(error, ValueError) and os.environ.get(DEBUG):
            raise
        raise ValueError(_message(Path(path), files, error)) from error
    return cfg


def inherited_files(path: str | Path) -> list[Path]:
    """A config file and the files that it inherits from, itself first."""
    return list(_chain(Path(config_path(path)), ()))


def _chain(path: Path, above: Sequence[Path]) -> Iterator[Path]:
    """A config and all its bases, each as often as it will be read.

    Args:
        path: The config's path.
        above: The configs that inherit from it, the outermost first.
    """
    _check_source(path, above)
    yield path
    number = 1
    for base in _bases(path):
        for below in _chain(path.parent / config_path(base), (*above, path)):
            if (number := number + 1) > MOST_BASES:
                raise ValueError(
                    f'config {path} inherits from more than {MOST_BASES} '
                    'files by _base_: remove some'
                )
            yield below


def _check_source(path: Path, above: Sequence[Path]) -> None:
    """Raise unless a file can be the next base in a chain of configs."""
    what = 'config' if not above else f'_base_ of {above[-1]}:'
    check_file(what, path)
    if path.suffix not in SUFFIXES:
        raise ValueError(
            f'{what} {path} is not a config: expected one of '
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
    """The bases that a config names, without those of other packages.

    Raises:
        ValueError: If ``_base_`` is anything but names of files.
    """
    if path.suffix == '.py':
        try:
            found: Any = Config._get_base_files(str(path))
        except BaseException as error:
            raise ValueError(_message(path, [path], error)) from error
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
        ValueError: If the file is not JSON, or has a key twice.
    """
    try:
        return json.loads(path.read_bytes(), object_pairs_hook=_once)
    except (ValueError, RecursionError) as error:
        raise ValueError(f'{path} is invalid JSON ({error})') from error


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """A dict from (key, value) pairs; raise if a key occurs twice."""
    found = dict(pairs)
    if len(found) < len(pairs):
        keys = [key for key, _ in pairs]
        twice = next(key for key in keys if keys.count(key) > 1)
        raise ValueError(f'{twice!r} is given twice')
    return found


def _message(path: Path, files: Sequence[Path], error: BaseException) -> str:
    """The message about an error in a config, with file and line."""
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
