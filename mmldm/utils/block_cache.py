"""Blocks of remote files, kept on the local disk up to a total size."""

import contextlib
import hashlib
import io
import logging
import os
from functools import lru_cache
from pathlib import Path

from mmengine.logging import print_log

from .remote_files import read_range, remote_stamp
from .whole_files import replaced

# Bytes of a block, a little more than most images; blocks that are read ahead
# at most; new blocks between two looks at the total size.
BLOCK, MOST_AHEAD, BETWEEN = 2**18, 32, 64


class BlockCache:
    """A folder of blocks that processes share.

    Args:
        folder: The folder.
        size: Bytes to keep; the blocks that were not used for longest go
            first.
    """

    def __init__(self, folder: Path, size: float) -> None:
        self.folder = folder
        self.size = size
        self.written = 0
        self.warned = False

    def get(self, file: str, number: int) -> bytes | None:
        """A block, if it is there."""
        path = self.folder / file / str(number)
        try:
            content = path.read_bytes()
        except OSError:
            return None
        with contextlib.suppress(OSError):  # another user's
            os.utime(path)
        return content

    def put(self, file: str, number: int, content: bytes) -> None:
        """Keep a block; a full disk keeps none, which is said once."""
        path = self.folder / file / str(number)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with replaced(path) as aside:
                aside.write_bytes(content)
        except OSError as error:
            self._warn(error)
        self.written += 1
        if self.written % BETWEEN == 0:
            self.shrink()

    def _warn(self, error: OSError) -> None:
        if not self.warned:
            print_log(
                f'{self.folder} cannot keep blocks of remote files ({error}), '
                'and they are read from the server each time: free disk '
                'space, or choose another folder for the cache',
                'current',
                logging.WARNING,
            )
        self.warned = True

    def shrink(self) -> None:
        """Delete the oldest blocks until the rest has the size."""
        found = []
        for path in self.folder.glob('*/*'):
            with contextlib.suppress(OSError):  # another process deleted it
                status = path.stat()
                found.append((status.st_mtime_ns, status.st_size, path))
        total = sum(size for _, size, _ in found)
        for _, size, path in sorted(found):
            if total <= self.size:
                return
            with contextlib.suppress(OSError):
                path.unlink(missing_ok=True)
                total -= size


class RemoteFile(io.RawIOBase):
    """A remote file to read from any place.

    Blocks come from the cache or from the server. If a file is read from
    front to back, more and more blocks are read ahead by one request.

    Args:
        url: The file.
        cache: Keeps blocks.

    Raises:
        RemoteError: If the server does not answer; reading raises it too.
    """

    def __init__(self, url: str, cache: BlockCache) -> None:
        self.url = url
        self.cache = cache
        self.size, token = _stamp(url, os.getpid())
        name = f'{url}\0{self.size}\0{token}\0{BLOCK}'
        self.name = hashlib.sha256(name.encode()).hexdigest()[:32]
        self.place = 0
        self.expected, self.ahead = -1, 1
        self.last: tuple[int, bytes] = -1, b''

    def readable(self) -> bool:
        """True."""
        return True

    def seekable(self) -> bool:
        """True."""
        return True

    def tell(self) -> int:
        """The place of the next byte."""
        return self.place

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Go to a place; see ``io.IOBase``."""
        start = {os.SEEK_SET: 0, os.SEEK_CUR: self.place}
        self.place = max(0, start.get(whence, self.size) + offset)
        return self.place

    def readinto(self, buffer: memoryview) -> int:
        """Fill a buffer; fewer bytes only at the end of the file."""
        end = min(self.place + len(buffer), self.size)
        parts = []
        while self.place < end:
            number, start = divmod(self.place, BLOCK)
            last = -(-end // BLOCK)
            part = self._block(number, last)[start : start + end - self.place]
            parts.append(part)
            self.place += len(part)
        content = b''.join(parts)
        buffer[: len(content)] = content
        return len(content)

    def _block(self, number: int, last: int) -> bytes:
        """A block.

        Args:
            number: Its number.
            last: Number of the block after those that are needed.
        """
        if self.last[0] != number:
            found = self.cache.get(self.name, number)
            # A power cut may leave a part of a block.
            if found is None or len(found) != self._size_of(number):
                found = self._fetch(number, last)
            self.last = number, found
        return self.last[1]

    def _size_of(self, number: int) -> int:
        """Bytes of a block; only the last one may have fewer."""
        return min(BLOCK, self.size - number * BLOCK)

    def _fetch(self, number: int, last: int) -> bytes:
        """Read blocks from the server, and return the first."""
        in_order = number == self.expected
        self.ahead = min(2 * self.ahead, MOST_AHEAD) if in_order else 1
        last = max(last, number + self.ahead)
        self.expected = last
        start = number * BLOCK
        size = min(last * BLOCK, self.size) - start
        content = read_range(self.url, start, size)
        blocks = [content[i : i + BLOCK] for i in range(0, size, BLOCK)]
        for i, block in enumerate(blocks):
            self.cache.put(self.name, number + i, block)
        return blocks[0]


@lru_cache(2**16)
def _stamp(url: str, process: int) -> tuple[int, str]:
    """Size and token of a file, which a process asks for once."""
    return remote_stamp(url)
