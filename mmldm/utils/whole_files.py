"""Files that are written whole or not at all."""

import contextlib
import os
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

TEMPORARY_SUFFIX = '.tmp'


@contextlib.contextmanager
def replaced(path: Path) -> Iterator[Path]:
    """A name beside ``path`` for a new file that takes its place at the end.

    The old file stays if an error is raised. Nothing is flushed to the disk:
    :func:`written_whole` also survives a power cut.
    """
    # Two runs, or two threads of one, never write to one file.
    writer = f'{os.getpid()}-{threading.get_ident()}'
    aside = path.with_name(f'{path.name}.{writer}{TEMPORARY_SUFFIX}')
    try:
        yield aside
        os.replace(aside, path)
    finally:
        aside.unlink(missing_ok=True)


@contextlib.contextmanager
def written_whole(path: Path) -> Iterator[BinaryIO]:
    """A temporary file that replaces ``path`` once it is on the disk."""
    with replaced(path) as aside:
        with open(aside, 'wb') as file:
            mode = os.fstat(file.fileno()).st_mode
            yield file
        # safetensors puts a file of its own there, which nobody else may read.
        with open(aside, 'rb') as file:
            os.fsync(file.fileno())
        os.chmod(aside, mode)


def flush_directory(directory: Path) -> None:
    """Make a rename in ``directory`` survive a power cut."""
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
