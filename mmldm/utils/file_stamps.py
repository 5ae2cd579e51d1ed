"""What tells whether a file has changed."""

import os
from collections.abc import Iterator
from pathlib import Path

Stamp = tuple[int, int]


def file_stamp(path: str | Path) -> Stamp | None:
    """Size and time of a file, or of the archive that it is in.

    Args:
        path: A file, or a part of one such as ``images.tar/key``.

    Returns:
        Bytes and nanoseconds; None if there is no such file.
    """
    if not os.fspath(path):
        return None  # not the current folder
    for candidate in _upwards(path):
        try:
            status = os.stat(candidate)
        except (OSError, ValueError):
            continue
        if candidate is path or candidate.is_file():
            return status.st_size, status.st_mtime_ns
        return None
    return None


def _upwards(path: str | Path) -> Iterator[str | Path]:
    """A path and its folders; Path() would take longer than the system."""
    yield path
    yield from Path(path).parents
