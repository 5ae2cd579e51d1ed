"""A model in one file: safetensors, with the config in its metadata."""

import hashlib
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from torch import Tensor

from mmldm import __version__

from .checkpoint import read_checkpoint, written_whole
from .weight_files import verify_name

CONFIG_KEY = 'mmldm_config'
# What safetensors calls the types of tensors.
DTYPES = {
    torch.float64: 'F64',
    torch.float32: 'F32',
    torch.float16: 'F16',
    torch.bfloat16: 'BF16',
    torch.int64: 'I64',
    torch.int32: 'I32',
    torch.int16: 'I16',
    torch.int8: 'I8',
    torch.uint8: 'U8',
    torch.bool: 'BOOL',
}


def write_model_file(
    path: str | Path, weights: Mapping[str, Tensor], config: Mapping[str, Any]
) -> None:
    """Write weights and the config of their model, whole or not at all.

    Equal weights and configs give equal bytes. (safetensors' own writer
    shuffles the metadata, and holds a copy of everything in memory.)

    Args:
        path: A ``.safetensors`` file.
        weights: By name in the model; their order does not matter.
        config: What the model is built from, plain values only. Tuples are
            read as lists.

    Raises:
        OSError: If it cannot be written; what was there before still is.
        ValueError: If the config holds what is no plain value, or a tensor
            is of an unusual type.
    """
    path = _checked(path)
    with written_whole(path) as file:
        for part in _parts(weights, config):
            file.write(part)


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
    digest = hashlib.sha256()
    for part in _parts(weights, config):
        digest.update(part)
    path = path.with_stem(f'{path.stem}-{digest.hexdigest()[:8]}')
    write_model_file(path, weights, config)
    return path


def _parts(
    weights: Mapping[str, Tensor], config: Mapping[str, Any]
) -> Iterator[bytes | memoryview]:
    """The bytes of a model file: a header, then tensor by tensor."""
    # By size of an element: every tensor is aligned, as readers like it.
    ordered = sorted(
        weights.items(), key=lambda item: (-item[1].element_size(), item[0])
    )
    metadata = {
        'format': 'pt',
        CONFIG_KEY: json.dumps(_plain(config, 'config'), sort_keys=True),
        'mmldm_version': __version__,
    }
    header = json.dumps(
        {'__metadata__': metadata, **_places(ordered)}, separators=(',', ':')
    ).encode()
    header += b' ' * (-len(header) % 8)
    yield len(header).to_bytes(8, 'little') + header
    for _, weight in ordered:
        flat = weight.detach().cpu().contiguous().flatten()
        yield flat.view(torch.uint8).numpy().data


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
        text = (file.metadata() or {}).get(CONFIG_KEY)
    if text is None:
        return weights, None
    verify_name(
        path, 'model file', 'get it again, or rename it if it is yours'
    )
    try:
        config = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ValueError(
            f'{path}: {CONFIG_KEY} in its metadata is no JSON ({error})'
        ) from error
    if not isinstance(config, dict):
        raise ValueError(
            f'{path}: {CONFIG_KEY} in its metadata is a '
            f'{type(config).__name__}, not a dict'
        )
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


def _places(ordered: list[tuple[str, Tensor]]) -> dict[str, dict]:
    """Type, shape, first byte and end of every tensor, by name."""
    places = {}
    start = 0
    for name, weight in ordered:
        if weight.dtype not in DTYPES:
            raise ValueError(
                f'{name} is of {weight.dtype}, which model files do not hold'
            )
        end = start + weight.numel() * weight.element_size()
        places[name] = dict(
            dtype=DTYPES[weight.dtype],
            shape=list(weight.shape),
            data_offsets=[start, end],
        )
        start = end
    return places
