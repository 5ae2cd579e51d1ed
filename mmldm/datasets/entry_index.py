"""Entries of a data set, kept on the disk between starts.

The first start reads all headers of a data set and checks its files. It
writes what it has found to an index; later starts map this file into memory
instead, as long as the names, sizes and times of the data set's files are the
same.
"""

import hashlib
import json
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from mmengine.logging import print_log
from safetensors import SafetensorError
from safetensors.torch import save

from mmldm.utils.file_stamps import file_stamp
from mmldm.utils.mapped_tensors import (
    count_packed,
    mapped_tensors,
    packed,
    unpacked,
)
from mmldm.utils.remote_files import is_remote, remote_stamp
from mmldm.utils.whole_files import written_whole
from mmldm.version import __version__

# The variable that names the folder of all indices.
FOLDER = 'MMLDM_CACHE'
HEADER = 'header'


class EntryIndex(Sequence):
    """The entries of an index file, read one by one.

    Args:
        path: The file.

    Attributes:
        header: Plain values that are kept beside the entries.

    Raises:
        FileNotFoundError: If it is missing.
        SafetensorError: If it is damaged.
    """

    def __init__(self, path: Path) -> None:
        if not path.is_file():
            raise FileNotFoundError(f'index {path} does not exist')
        self.path = path
        file = mapped_tensors(path)
        self.count = count_packed(file)
        self.header = json.loads(file.metadata()[HEADER])

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, place: int) -> dict[str, Any]:
        """An entry; its tuples have become lists."""
        if not -self.count <= place < self.count:
            raise IndexError(place)
        return unpacked(mapped_tensors(self.path), place % self.count)


def index_file(key: Sequence[Any], files: Sequence[str]) -> Path:
    """The file of the index of a data set.

    Args:
        key: Plain values that determine the entries.
        files: The data set's files; the index of a file that has changed is
            not found again.
    """
    digest = hashlib.sha256(json.dumps([__version__, key]).encode())
    for path in files:
        digest.update(os.fsencode(path))
        stamp = remote_stamp(path) if is_remote(path) else file_stamp(path)
        digest.update(f'\0{stamp}\0'.encode())
    return cache_folder('indices') / f'{digest.hexdigest()[:32]}.safetensors'


def cache_folder(name: str) -> Path:
    """A folder in which later starts find what this one has read."""
    default = Path('~/.cache/mmldm').expanduser()
    return Path(os.environ.get(FOLDER) or default, name)


def write_index(
    path: Path, entries: Iterable[Mapping[str, Any]], header: Any
) -> None:
    """Write an index; a disk that cannot be written to is logged.

    Args:
        path: The file.
        entries: Entries of plain values.
        header: Plain values to keep beside them.
    """
    tensors = packed(entries)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with written_whole(path) as file:
            file.write(save(tensors, {HEADER: json.dumps(header)}))
    except OSError as error:
        print_log(
            f'the index of the data cannot be kept ({error}), so that the '
            f'next start reads all headers again: set {FOLDER} to a folder '
            'that can be written to',
            'current',
        )


def find_index(path: Path) -> EntryIndex | None:
    """The index of a file; None if it is missing or damaged."""
    try:
        return EntryIndex(path)
    except (OSError, SafetensorError, ValueError, KeyError, TypeError):
        return None
