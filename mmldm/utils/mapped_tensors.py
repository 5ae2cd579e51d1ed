"""Tensors of a safetensors file that are read where they lie on the disk."""

import os
from functools import lru_cache
from pathlib import Path
from typing import Any

from safetensors import safe_open

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
