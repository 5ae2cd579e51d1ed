"""Tensors of a safetensors file that are read where they lie on the disk."""

import json
import os
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from torch import Tensor

# Names of the tensors of packed values.
PACKED, ENDS = 'packed', 'ends'
# Files that a process keeps open.
MOST_OPEN = 256


def mapped_tensors(path: str | Path) -> Any:
    """An open file, for ``get_slice``; each process opens its own.

    Args:
        path: A safetensors file that is not changed any more.
    """
    return _opened(str(path), os.getpid())


@lru_cache(MOST_OPEN)
def _opened(path: str, process: int) -> Any:
    return safe_open(path, 'pt')


def packed(values: Iterable[Any]) -> dict[str, Tensor]:
    """Tensors that hold plain values, of which each can be read alone.

    Args:
        values: What JSON can hold.
    """
    texts = [json.dumps(value).encode() for value in values]
    content = bytearray(b''.join(texts))
    return {
        ENDS: torch.tensor([0, *map(len, texts)]).cumsum(0),
        PACKED: torch.frombuffer(content, dtype=torch.uint8),
    }


def unpacked(file: Any, place: int) -> Any:
    """One of the values of :func:`packed`; its tuples have become lists.

    Args:
        file: See :func:`mapped_tensors`.
        place: Number of the value.
    """
    start, end = file.get_slice(ENDS)[place : place + 2].tolist()
    return json.loads(file.get_slice(PACKED)[start:end].numpy().tobytes())


def count_packed(file: Any) -> int:
    """Number of the values of :func:`packed`."""
    return file.get_slice(ENDS).get_shape()[0] - 1
