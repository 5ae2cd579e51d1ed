"""Files on object stores and web servers, read by fsspec."""

import os
import re
import threading
import time
from collections.abc import Callable
from functools import lru_cache
from itertools import product
from typing import Any, TypeVar

# Tries of a request, seconds before the second one, which double, and seconds
# after which a request counts as failed.
ATTEMPTS, BACKOFF, TIMEOUT = 5, 1.0, 60.0
URL = re.compile(r'[A-Za-z][\w+.-]+://')
RANGE = re.compile(r'\{(\d+)\.\.(\d+)\}')
# Names that file systems give to what changes with a file.
STAMPS = (
    *('ETag', 'etag', 'LastModified', 'last_modified'),
    *('mtime', 'created'),
)

Result = TypeVar('Result')


class RemoteError(RuntimeError):
    """A file of a server that cannot be read, also after several tries.

    It is no ``OSError``: nobody may take it for a damaged file, which data
    sets leave out.
    """


def is_remote(path: str | os.PathLike) -> bool:
    """Whether a path is a URL, such as s3://BUCKET/FOLDER."""
    return URL.match(os.fspath(path)) is not None


def expanded(url: str) -> list[str]:
    """The URLs that ranges in braces mean: {000..123} has 124 numbers."""
    choices, last = [], 0
    for match in RANGE.finditer(url):
        first, end = match[1], match[2]
        numbers = range(int(first), int(end) + 1)
        names = [str(n).zfill(len(first)) for n in numbers]
        choices += [[url[last : match.start()]], names]
        last = match.end()
    return [''.join(parts) for parts in product(*choices, [url[last:]])]


def remote_files(root: str, suffix: str) -> list[str]:
    """URLs of the files below a URL, sorted.

    Args:
        root: A folder, a file, or files with ranges in braces, which need no
            server that lists its files.
        suffix: Suffix of the files, in lower case.

    Raises:
        RemoteError: If the server does not answer.
    """
    if RANGE.search(root) or root.lower().endswith(suffix):
        return expanded(root)
    system = file_system(root)
    found = persistently(lambda: system.find(root), root)
    names = [system.unstrip_protocol(name) for name in found]
    return sorted(n for n in names if n.lower().endswith(suffix))


def remote_stamp(url: str) -> tuple[int, str]:
    """Size of a file in bytes, and what else tells that it has changed.

    Raises:
        RemoteError: If the server does not tell.
    """
    info = persistently(lambda: file_system(url).info(url), url)
    if info.get('size') is None:
        raise RemoteError(
            f'the server of {url} does not tell the size of its files: use '
            'one that does, or download them'
        )
    tokens = [str(info[key]) for key in STAMPS if key in info]
    return int(info['size']), '/'.join(tokens)


def read_range(url: str, start: int, size: int) -> bytes:
    """The bytes of a part of a file, exactly as many as are asked for.

    Raises:
        RemoteError: If the server does not send them.
    """

    def fetch() -> bytes:
        found = file_system(url).cat_file(url, start=start, end=start + size)
        if len(found) > size:
            raise ValueError(
                f'the server of {url} sends a whole file where a part was '
                'asked for: use one with range requests, or download its files'
            )
        if len(found) < size:
            raise OSError(f'it sends {len(found)} of {size} bytes')
        return found

    return persistently(fetch, url)


def file_system(url: str) -> Any:
    """The file system of a URL; one for each process.

    Raises:
        ValueError: If fsspec, a package or settings for the kind of URL are
            missing.
    """
    return _file_system(url.partition('://')[0].lower(), os.getpid())


@lru_cache
def _file_system(protocol: str, process: int) -> Any:
    how = "install it: pip install 'mmldm[remote]'"
    try:
        import fsspec
    except ImportError as error:
        raise ValueError(f'{protocol}:// needs fsspec: {how}') from error
    try:
        # Threads of a parent process do not run in its children.
        return fsspec.filesystem(protocol, skip_instance_cache=process > 0)
    except ImportError as error:
        raise ValueError(
            f'{protocol}:// needs a package that is missing ({error}): {how}, '
            'or, for s3://, pip install s3fs, for gs://, gcsfs'
        ) from error
    except TypeError as error:  # such as a host, which is not read from URLs
        raise ValueError(
            f'{protocol}:// needs settings ({error}): write them to '
            f'~/.config/fsspec/conf.json, such as {{"{protocol}": {{"host": '
            '"SERVER"}}, or download the files'
        ) from error
    except ValueError as error:
        raise ValueError(
            f'{protocol}:// is unknown to fsspec ({error}): give a folder, or '
            'a URL such as https://SERVER/FOLDER or s3://BUCKET/FOLDER'
        ) from error


def persistently(request: Callable[[], Result], what: str) -> Result:
    """The result of a request, which is repeated if it fails.

    Args:
        request: Asks the server.
        what: URL of the file or folder, for the error.

    Raises:
        RemoteError: If each of ``ATTEMPTS`` tries fails.
    """
    for attempt in range(ATTEMPTS):
        if attempt:
            time.sleep(BACKOFF * 2 ** (attempt - 1))
        try:
            return _in_time(request)
        except ValueError:
            raise  # a mistake in the URL, or a missing package
        except Exception as error:  # file systems raise errors of many kinds
            if _is_missing(error):
                raise RemoteError(
                    f'{what} does not exist: correct data_root, or leave it '
                    'out'
                ) from error
            cause = str(error.__cause__ or error) or type(error).__name__
    raise RemoteError(
        f'{what} cannot be read in {ATTEMPTS} tries ({cause:.200}): look '
        'after its server, and resume; or leave it out of data_root'
    )


def _is_missing(error: BaseException) -> bool:
    """Whether a server has answered that a file does not exist.

    fsspec also raises FileNotFoundError if a web server does not answer.
    """
    while error.__cause__ is not None:
        error = error.__cause__
    missing = isinstance(error, FileNotFoundError)
    return missing or getattr(error, 'status', None) in (404, 410)


def _in_time(request: Callable[[], Result]) -> Result:
    """The result of a request, if it takes less than ``TIMEOUT``."""
    done: list[tuple[bool, Any]] = []

    def run() -> None:
        try:
            done.append((True, request()))
        except BaseException as error:
            done.append((False, error))

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(TIMEOUT)
    if not done:
        raise TimeoutError(f'no answer in {TIMEOUT:g} s')
    good, value = done[0]
    if not good:
        raise value
    return value
