"""What tells whether a file has changed."""

import os
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
    for candidate in (Path(path), *Path(path).parents):
        try:
            status = os.stat(candidate)
        except (OSError, ValueError):
            continue
        if candidate == Path(path) or candidate.is_file():
            return status.st_size, status.st_mtime_ns
        return None
    return None
