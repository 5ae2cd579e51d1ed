"""Tar files on the local disk or on servers."""

import os
from functools import lru_cache
from typing import BinaryIO

from mmldm.utils.block_cache import BlockCache, RemoteFile
from mmldm.utils.remote_files import is_remote

from .entry_index import cache_folder

# The variable with the size of the cache for remote shards, and its default.
SIZE, DEFAULT_GB = 'MMLDM_CACHE_GB', 20.0


def open_shard(path: str) -> BinaryIO:
    """Open a tar file, by its path or URL, for reading.

    Raises:
        OSError: If a local file cannot be opened.
        RemoteError: If a server does not answer.
    """
    if not is_remote(path):
        return open(path, 'rb')
    return RemoteFile(path, _cache(os.getpid()))


@lru_cache
def _cache(process: int) -> BlockCache:
    """The cache of a process; all processes share its folder.

    Raises:
        ValueError: If the variable is no number of gigabytes.
    """
    text = os.environ.get(SIZE, str(DEFAULT_GB))
    try:
        size = float(text)
    except ValueError:
        size = -1.0
    if not size >= 0:
        raise ValueError(
            f'the variable {SIZE} is {text!r}: set it to the gigabytes of the '
            'local disk that remote shards may take'
        )
    return BlockCache(cache_folder('blocks'), size * 1e9)
