"""Model files: safetensors with the config in the metadata."""

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

from .checkpoint import read_checkpoint
from .weight_files import verify_name
from .whole_files import written_whole

# A single entry: safetensors writes several in any order, and equal models
# must give equal bytes.
KEY = 'mmldm'


def write_model_file(
    path: str | Path, weights: Mapping[str, Tensor], config: Mapping[str, Any]
) -> None:
    """Write weights and their model's config, whole or not at all.

    Equal weights and configs give equal bytes.

    Args:
        path: A ``.safetensors`` file.
        weights: The model's weights, name to tensor, in any order.
        config: The model's config, with plain values only. Tuples are read
            back as lists.

    Raises:
        OSError: If the file cannot be written; an older file is kept.
        ValueError: If the config has a value that is not plain.
    """
    path = _checked(path)
    content = dict(config=_plain(config, 'config'), version=__version__)
    metadata = {KEY: json.dumps(content, sort_keys=True)}
    with written_whole(path) as file:
        try:
            save_file(_apart(weights), file.name, metadata)
        except SafetensorError as error:
            raise OSError(
                f'{path} could not be written ({error}): check the folder and '
                'its free space'
            ) from error


def publish_model_file(
    path: str | Path, weights: Mapping[str, Tensor], config: Mapping[str, Any]
) -> Path:
    """Write a model file under a name with the digits of its hash.

    Args:
        path: NAME.safetensors. The file is NAME-DIGITS.safetensors with the
            first eight digits of its SHA-256.
        weights: See :func:`write_model_file`.
        config: See :func:`write_model_file`.

    Returns:
        Path of the file.
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
    """The weights without shared memory, as safetensors requires."""
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
    """Read the weights and the config of a ``.safetensors`` file.

    The digits in the name of a model file are verified. The config may come
    from anybody: check it before a model is built from it.

    Returns:
        The weights, name to tensor, and the config, or None if the file has
        weights only.

    Raises:
        FileNotFoundError: If the file is missing.
        ValueError: If it is cut off, not a model file, or its name has
            other digits than its hash.
    """
    path = _checked(path)
    weights = read_checkpoint(path)
    with safe_open(path, 'pt') as file:
        text = (file.metadata() or {}).get(KEY)
    if text is None:
        return weights, None
    verify_name(
        path, 'model file', 'download it again, or rename it if it is yours'
    )
    try:
        config = json.loads(text)['config']
        if not isinstance(config, dict):
            raise TypeError(f'its config is a {type(config).__name__}')
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise ValueError(
            f'{path}: {KEY} in its metadata is not a config ({error})'
        ) from error
    return weights, config


def _checked(path: str | Path) -> Path:
    path = Path(path)
    if path.suffix != '.safetensors':
        raise ValueError(f'model file {path} must be named NAME.safetensors')
    return path


def _plain(value: Any, path: str) -> Any:
    """A value as JSON returns it; raise if JSON would change it."""
    if isinstance(value, Mapping):
        odd = [key for key in value if not isinstance(key, str)]
        if odd:
            raise ValueError(
                f'{path} has the key {odd[0]!r}, expected a string'
            )
        return {k: _plain(v, f'{path}.{k}') for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(v, f'{path}.{i}') for i, v in enumerate(value)]
    if value is None or isinstance(value, bool | int | float | str):
        return value
    raise ValueError(
        f'{path} is a {type(value).__name__}, which a model file cannot '
        'hold: use numbers, strings, lists and dicts'
    )
