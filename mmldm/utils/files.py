"""Checks of users' paths, before anything is read or written."""

import os
import stat
from pathlib import Path

# Reading these would fail, wait for another program, or never end.
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
        what: Kind of the file for messages, such as 'config'.
        path: The path; links are followed.

    Raises:
        FileNotFoundError: If the file is missing, or there is no permission.
        ValueError: If the path is a folder, a pipe or a device.
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
        kind = KINDS.get(stat.S_IFMT(mode), 'a special file')
        raise ValueError(f'{what} {path} is {kind}: give a regular file')


def check_checkpoint(what: str, path: str | Path) -> None:
    """Raise unless a path leads to a file or a folder.

    The content of a folder is not checked.

    Raises:
        FileNotFoundError, ValueError: See :func:`check_file`.
    """
    if not (str(path) and Path(path).is_dir()):
        check_file(what, path)


def check_folder_to_write(what: str, path: str | Path) -> None:
    """Raise unless a folder exists or can be made, and is writable.

    Args:
        what: Key or flag that names the folder, for messages.
        path: The folder's path.

    Raises:
        ValueError: If the path is empty, or a part of it is not a folder,
            too long, or not writable.
    """
    if not str(path).strip() or '\0' in str(path):
        raise ValueError(f'{what}={str(path)!r} is not a path: name a folder')
    folder = Path(os.path.abspath(path))
    try:
        while not folder.exists():
            folder = folder.parent
    except OSError as error:
        raise ValueError(f'{what}={path}: {error.strerror}') from error
    if not folder.is_dir():
        raise ValueError(
            f'{what}={path}: {folder} is not a folder: give another path'
        )
    if not os.access(folder, os.W_OK | os.X_OK):
        raise ValueError(f'{what}={path}: no permission to write to {folder}')


def check_file_to_write(what: str, path: str | Path) -> None:
    """Raise unless a file can be written or overwritten.

    Args:
        what: Key or flag that names the file, for messages.
        path: The file's path.

    Raises:
        ValueError: If the path is a folder or device, or the file's folder
            cannot be made.
    """
    if not Path(path).name:
        raise ValueError(f'{what}={str(path)!r} is not a path: name a file')
    check_folder_to_write(what, Path(path).parent)
    if Path(path).exists() and not Path(path).is_file():
        raise ValueError(
            f'{what}={path} is not a regular file: give another name'
        )
