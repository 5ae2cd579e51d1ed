"""What is in a weights file: parts, config, averages, hashes."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from mmldm.utils.checkpoint import (
    as_hex,
    read_checkpoint,
    weights_hash,
    weights_of,
)
from mmldm.utils.model_file import read_model_file
from mmldm.utils.stored_config import stored_config
from mmldm.utils.weight_files import file_hash

from .converted import weights_in
from .models import find_model
from .network_trial import try_networks

RAW = 'raw_state_dict'


@dataclass(frozen=True)
class Part:
    """The weights of one part of a model.

    Args:
        name: First part of the weights' names.
        tensors: Number of tensors.
        values: Number of values.
        dtypes: Their types.
        bad: Names of tensors with values that are not finite.
    """

    name: str
    tensors: int
    values: int
    dtypes: tuple[str, ...]
    bad: tuple[str, ...]


@dataclass(frozen=True)
class FileReport:
    """What :func:`report_file` found.

    Args:
        path: The file.
        kind: What the file is, in words.
        size: Bytes.
        sha256: Hash of the file.
        content: Hash of names, shapes and values of the weights, which does
            not depend on how they are stored.
        parts: The parts of the model.
        facts: Name and value of what else is known.
        problems: One line for each problem; none for a sound file.
    """

    path: Path
    kind: str
    size: int
    sha256: str
    content: str
    parts: tuple[Part, ...]
    facts: dict[str, str]
    problems: tuple[str, ...]


def report_file(source: str | Path) -> FileReport:
    """Read a file as the library does, and say what is in it.

    The file is read without executing anything. Where it has a config, the
    networks are tried against the weights, without memory.

    Args:
        source: ``.pth``, ``.ckpt`` or ``.safetensors``, a converted folder,
            or a work directory for its newest checkpoint.

    Raises:
        FileNotFoundError: If the file is missing.
        ValueError: If it is cut off, or holds more than tensors and plain
            values.
    """
    path = Path(source)
    if path.is_dir():
        path = weights_in(path) or path
    if path.suffix == '.safetensors':
        weights, config = read_model_file(path)
        whole: dict[str, Any] = {'state_dict': weights}
    else:
        whole = read_checkpoint(path)
        config = (stored_config(whole) or {}).get('model')
        weights = weights_of(whole)
    weights = {k: v for k, v in weights.items() if isinstance(v, Tensor)}
    parts = tuple(_parts(weights))
    return FileReport(
        path,
        _kind(path, whole, config),
        path.stat().st_size,
        file_hash(path),
        as_hex(weights_hash(weights)),
        parts,
        _facts(whole, config),
        tuple(_problems(path, parts, weights, config)),
    )


def _kind(path: Path, whole: Mapping[str, Any], config: Any) -> str:
    if path.suffix == '.safetensors':
        return 'model file' if config else 'weights without a config'
    if 'optimizer' in whole:
        return 'training checkpoint, which can be resumed'
    if 'pytorch-lightning_version' in whole:
        return 'checkpoint of PyTorch Lightning: convert it'
    return 'checkpoint' if config else 'weights without a config'


def _parts(weights: Mapping[str, Tensor]) -> Iterator[Part]:
    names: dict[str, list[str]] = {}
    for name in weights:
        names.setdefault(name.partition('.')[0], []).append(name)
    for part, own in sorted(names.items()):
        dtypes = {str(weights[n].dtype).removeprefix('torch.') for n in own}
        yield Part(
            part,
            len(own),
            sum(weights[n].numel() for n in own),
            tuple(sorted(dtypes)),
            tuple(n for n in own if not torch.isfinite(weights[n]).all()),
        )


def _facts(whole: Mapping[str, Any], config: Any) -> dict[str, str]:
    meta = whole.get('meta')
    meta = meta if isinstance(meta, Mapping) else {}
    facts = {
        key: str(meta[key])
        for key in ('iter', 'epoch', 'seed', 'global_batch_size', 'time')
        if meta.get(key) is not None
    }
    if isinstance(config, Mapping) and 'type' in config:
        facts['model'] = str(config['type'])
    if RAW in whole:
        count = whole.get('ema_num_updates')
        facts['average'] = f'the weights are an EMA of {count} updates'
    return facts


def _problems(
    path: Path,
    parts: tuple[Part, ...],
    weights: Mapping[str, Tensor],
    config: Any,
) -> Iterator[str]:
    if not weights:
        yield 'the file has no weights'
    for part in parts:
        if part.bad:
            yield (
                f'{len(part.bad)} tensors of {part.name} have values that '
                f'are not finite, such as {part.bad[0]}'
            )
    if config is None:
        return
    try:
        found = find_model(path)
        try_networks(found.cfg.model, weights, path)
    except (ValueError, OSError) as error:
        yield str(error)
