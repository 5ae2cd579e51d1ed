"""Places of the samples' files in a tar file."""

import os
import re
import tarfile

from .file_search import is_hidden_path
from .image_formats import SUFFIXES
from .report import DataReport
from .shard_files import open_shard

TEXTS = ('.txt', '.json', '.cls')
END_MARK = bytes(tarfile.BLOCKSIZE)
GZIP = b'\x1f\x8b'
# As in WebDataset, the name of a sample ends at the first dot.
NAME = re.compile(r'((?:.*/)?[^./][^./]*)(\.[^/]*)')

# (first byte, number of bytes) by 'image' or the suffix of a text.
Places = dict[str, tuple[int, int]]


class ShardIndex:
    """Reads the headers of one tar file.

    Args:
        path: The tar file's path.
        report: Counts what is not used.
    """

    def __init__(self, path: str, report: DataReport) -> None:
        self.path = path
        self.report = report
        self.samples: dict[str, Places] = {}
        self.size = 0

    def entries(self) -> list[dict]:
        """Samples with an image; the whole ones if the file is damaged."""
        try:
            self._read_headers()
        except (tarfile.TarError, EOFError, OSError, ValueError) as error:
            self.report.defect(
                'tar files are damaged, and are read as far as they are whole',
                f'shard {self.path} is damaged ({self._cause(error)})',
                'download them again',
            )
        entries = []
        for key, places in self.samples.items():
            if 'image' in places:
                path = f'{self.path}/{key}'
                entries.append(
                    dict(img_path=path, shard=self.path, places=places)
                )
                continue
            self.report.defect(
                'samples have no image and are left out',
                f'{key} in {self.path} has no image, only {[*places]}',
            )
        return entries

    def _read_headers(self) -> None:
        with open_shard(self.path) as file:
            self.size = file.seek(0, os.SEEK_END)
            file.seek(0)
            with tarfile.open(fileobj=file, mode='r:') as shard:
                for member in shard:
                    self._add(member)
            # tarfile does not notice a file cut off between two members.
            file.seek(shard.offset)
            if file.read(len(END_MARK)) != END_MARK:
                raise tarfile.ReadError('no end mark where its files end')

    def _add(self, member: tarfile.TarInfo) -> None:
        name = member.name.removeprefix('./')
        match = NAME.fullmatch(name)
        if is_hidden_path(name) or member.isdir() or match is None:
            return
        key, suffix = match[1], match[2].lower()
        kind = 'image' if suffix in SUFFIXES else suffix
        if kind != 'image' and kind not in TEXTS:
            self.report.note(
                f'files ending in {suffix} are not read', f'{self.path}/{name}'
            )
        elif not member.isreg() or member.issparse():
            self.report.defect(
                'links and special files in tar files are left out',
                f'{self.path}/{name}',
            )
        elif member.offset_data + member.size <= self.size:
            self._place(key, kind, name, member)

    def _place(
        self, key: str, kind: str, name: str, member: tarfile.TarInfo
    ) -> None:
        places = self.samples.setdefault(key, {})
        if kind in places:
            self.report.defect(
                'files of a sample come twice, and the first is taken',
                f'shard {self.path} has {name}, but {key} has its {kind} '
                'already',
            )
            return
        places[kind] = member.offset_data, member.size

    def _cause(self, error: Exception) -> str:
        with open_shard(self.path) as file:
            if file.read(len(GZIP)) == GZIP:
                return 'it is compressed: unpack it'
        return str(error)
