"""A model in one file: safetensors, with the config in its metadata."""

import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from mmldm import __version__

from .checkpoint import read_checkpoint, written_whole
from .weight_files import verify_name

# One entry: safetensors writes several in any order, and equal models shall
# give equal bytes.
KEY = 'mmldm'


def write_model_file(
    path: str | Path, weights: Mapping[str, Tensor], config: Mapping[str, Any]
) -> None:
    """Write weights and the config of their model, whole or not at all.

    Equal weights and configs give equal bytes.

    Args:
        path: A ``.safetensors`` file.
        weights: By name in the model; their order does not matter.
        config: What the model is built from, plain values only. Tuples are
            read as lists.

    Raises:
        OSError: If it cannot be written; what was there before still is.
        ValueError: If the config holds what is no plain value.
    """
    path = _checked(path)
    content = dict(config=_plain(config, 'config'), version=__version__)
    metadata = {KEY: json.dumps(content, sort_keys=True)}
    with written_whole(path) as file:
        try:
            save_file(_apart(weights), file.name, metadata)
        except SafetensorError as error:
            raise OSError(
                f'{path} could not be written ({error}): is the disk full?'
            ) from error


def publish_model_file(
    path: str | Path, weights: Mapping[str, Tensor], config: Mapping[str, Any]
) -> Path:
    """Write a model file under a name that tells what is in it.

    Args:
        path: NAME.safetensors, which becomes NAME-DIGITS.safetensors by the
            first eight digits of the file's SHA-256.
        weights: As of :func:`write_model_file`.
        config: As of :func:`write_model_file`.

    Returns:
        The file that was written.
    """
    path = _checked(path)
    aside = path.with_stem(f'{path.stem}.{os.getpid()}')
    try:
        write_model_file(aside, weights, config)
        with open(aside, 'rb') as file:
            digest = hashlib.file_digest(file, 'sha256').hexdigest()
        path = path.with_stem(f'{path.stem}-{digest[:8]}')
        os.replace(aside, path)
    finally:
        aside.unlink(missing_ok=True)
    return path


def _apart(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The weights as safetensors takes them: no two in one memory."""
    seen, found = set(), {}
    for name, weight in sorted(weights.items()):
        weight = weight.detach().cpu().contiguous()
        if weight.untyped_storage().data_ptr() in seen:
            weight = weight.clone()
        seen.add(weight.untyped_storage().data_ptr())
        found[name] = weight
    return found


def read_model_file(
    path: str | Path,
) -> tuple[dict[str, Tensor], dict[str, Any] | None]:
    """Weights of a ``.safetensors`` file, and the config that is in it.

    The digits in the name of a model file are verified. The config is what
    the file says: check it before a model is built of it.

    Returns:
        Weights by name; the config, None in a file of weights alone.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it is cut off, no such file, or not what its name
            says.
    """
    path = _checked(path)
    weights = read_checkpoint(path)
    with safe_open(path, 'pt') as file:
        text = (file.metadata() or {}).get(KEY)
    if text is None:
        return weights, None
    verify_name(
        path, 'model file', 'get it again, or rename it if it is yours'
    )
    try:
        config = json.loads(text)['config']
        if not isinstance(config, dict):
            raise TypeError(f'its config is a {type(config).__name__}')
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise ValueError(
            f'{path}: {KEY} in its metadata holds no config ({error})'
        ) from error
    return weights, config


def _checked(path: str | Path) -> Path:
    path = Path(path)
    if path.suffix != '.safetensors':
        raise ValueError(f'{path} is no model file: NAME.safetensors is')
    return path


def _plain(value: Any, path: str) -> Any:
    """A value as JSON gives it back; raise where it would be another."""
    if isinstance(value, Mapping):
        odd = [key for key in value if not isinstance(key, str)]
        if odd:
            raise ValueError(f'{path} has the key {odd[0]!r}, no string')
        return {k: _plain(v, f'{path}.{k}') for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(v, f'{path}.{i}') for i, v in enumerate(value)]
    if value is None or isinstance(value, bool | int | float | str):
        return value
    raise ValueError(
        f'{path} is a {type(value).__name__}, which no file can hold: write '
        'numbers, strings, lists and dicts'
    )
