"""Paths that users give: what is there, before anything reads or writes."""

import os
import stat
from pathlib import Path

# Reading them would wait for another program, or never end.
KINDS = {
    stat.S_IFDIR: 'a folder',
    stat.S_IFIFO: 'a named pipe',
    stat.S_IFSOCK: 'a socket',
    stat.S_IFCHR: 'a device',
    stat.S_IFBLK: 'a device',
}


def check_file(what: str, path: str | Path) -> None:
    """Raise unless a path leads to a regular file.

    Args:
        what: The file is, for messages: 'config'.
        path: Links are followed.

    Raises:
        FileNotFoundError: If there is nothing, or no permission to look.
        ValueError: If it is a folder, a pipe or a device.
    """
    try:
        mode = os.stat(path).st_mode
    except (OSError, ValueError) as error:  # a NUL byte is a ValueError
        known = isinstance(error, FileNotFoundError)
        reason = '' if known else f' ({getattr(error, "strerror", error)})'
        named = path or repr(path)
        raise FileNotFoundError(
            f'{what} {named} does not exist{reason}'
        ) from error
    if not stat.S_ISREG(mode):
        kind = KINDS.get(stat.S_IFMT(mode), 'no regular file')
        raise ValueError(f'{what} {path} is {kind}: give a regular file')


def check_checkpoint(what: str, path: str | Path) -> None:
    """Raise unless a path leads to a file, or to a folder.

    Which of its files a folder stands for is another question.

    Raises:
        FileNotFoundError, ValueError: As of :func:`check_file`.
    """
    if not (str(path) and Path(path).is_dir()):
        check_file(what, path)


def check_folder_to_write(what: str, path: str | Path) -> None:
    """Raise unless a folder is there, or can be made, and takes files.

    Args:
        what: Key or flag that names it, for messages.
        path: Of the folder.

    Raises:
        ValueError: If the path is empty, or a part of it is no folder, too
            long a name, or not writable.
    """
    if not str(path).strip() or '\0' in str(path):
        raise ValueError(f'{what}={str(path)!r} is no path: name a folder')
    folder = Path(os.path.abspath(path))
    try:
        while not folder.exists():
            folder = folder.parent
    except OSError as error:
        raise ValueError(f'{what}={path}: {error.strerror}') from error
    if not folder.is_dir():
        raise ValueError(
            f'{what}={path}: {folder} is no folder: give another path'
        )
    if not os.access(folder, os.W_OK | os.X_OK):
        raise ValueError(
            f'{what}={path}: no permission to write into {folder}'
        )


def check_file_to_write(what: str, path: str | Path) -> None:
    """Raise unless a file can be written, or written over.

    Args:
        what: Key or flag that names it, for messages.
        path: Of the file.

    Raises:
        ValueError: If a folder or a device is there, or its folder cannot be
            made.
    """
    if not Path(path).name:
        raise ValueError(f'{what}={str(path)!r} is no path: name a file')
    check_folder_to_write(what, Path(path).parent)
    if Path(path).exists() and not Path(path).is_file():
        raise ValueError(
            f'{what}={path} is no regular file: give another name'
        )
