"""Search for the files of a data set."""

import os
from collections.abc import Iterator
from pathlib import PurePosixPath

from .report import DataReport

# Folders in which systems and programs keep copies, thumbnails and rubbish.
JUNK = {
    '__MACOSX',
    '__pycache__',
    '#recycle',
    '@eaDir',
    '$RECYCLE.BIN',
    'System Volume Information',
    'lost+found',
}
# Prefix of the files in which macOS keeps what other file systems cannot.
APPLE_DOUBLE = '._'


def is_hidden(name: str) -> bool:
    """Whether a name marks a file or folder that is not the user's data."""
    return name.startswith('.') or name in JUNK


def is_hidden_path(path: str) -> bool:
    """Whether a part of a path with '/' is hidden; see :func:`is_hidden`."""
    return any(map(is_hidden, PurePosixPath(path).parts))


def files_below(
    root: str,
    suffixes: tuple[str, ...],
    report: DataReport | None = None,
    others: list[str] | None = None,
) -> Iterator[str]:
    """Regular files below a folder whose names have one of some suffixes.

    Hidden files and folders are skipped. Links are followed, except to a
    folder that was visited before or that contains the root.

    Args:
        root: The folder.
        suffixes: Suffixes of the files, in lower case.
        report: Counts files that have such a suffix and are not used; None
            counts nothing.
        others: Receives the paths of all other files; None drops them.
    """
    search = _Search(root, suffixes, report or DataReport(root), others)
    folders = [root]
    while folders:
        found, below = search.entries(folders.pop())
        yield from found
        folders += below[::-1]


class _Search:
    """One walk through folders; for its arguments see :func:`files_below`."""

    def __init__(
        self,
        root: str,
        suffixes: tuple[str, ...],
        report: DataReport,
        others: list[str] | None,
    ) -> None:
        self.suffixes = suffixes
        self.report = report
        self.others = [] if others is None else others
        self.seen: set[str] = set()
        self.root = os.path.realpath(root)

    def entries(self, folder: str) -> tuple[list[str], list[str]]:
        """Files and folders in a folder, in order of their names."""
        real = os.path.realpath(folder)
        if real in self.seen:
            return [], []
        self.seen.add(real)
        try:
            with os.scandir(folder) as entries:
                entries = sorted(entries, key=lambda entry: entry.name)
        except OSError as error:
            self.report.defect(
                'folders cannot be listed and are left out',
                f'{folder} ({error.strerror})',
            )
            return [], []
        files, folders = [], []
        for entry in entries:
            if is_hidden(entry.name):
                self._hidden(entry)
            elif _is(entry, 'is_dir'):
                if not self._circular(entry):
                    folders.append(entry.path)
            elif not self._wanted(entry.name):
                self.others.append(entry.path)
            elif self._regular(entry):
                files.append(entry.path)
        return files, folders

    def _wanted(self, name: str) -> bool:
        return name.lower().endswith(self.suffixes)

    def _regular(self, entry: os.DirEntry) -> bool:
        if _is(entry, 'is_file'):
            return True
        kind = (
            'links lead nowhere and are left out'
            if entry.is_symlink() and not os.path.exists(entry.path)
            else 'names are those of a pipe, socket or device, not of a '
            'regular file, and are left out'
        )
        self.report.defect(kind, entry.path)
        return False

    def _circular(self, entry: os.DirEntry) -> bool:
        """Whether a folder is a link to a folder that contains the root."""
        if not entry.is_symlink():
            return False
        target = os.path.realpath(entry.path)
        inside = os.path.commonpath([target, self.root]) == target
        if inside:
            self.report.note(
                'links to a folder that holds the data set are not followed',
                entry.path,
            )
        return inside

    def _hidden(self, entry: os.DirEntry) -> None:
        """Count a hidden image file, unless it is only a fork or thumbnail."""
        if entry.name in JUNK or entry.name.startswith(APPLE_DOUBLE):
            return
        if _is(entry, 'is_dir'):
            if any(map(self._wanted, _names(entry.path))):
                self.report.note(
                    'hidden folders (with a dot before the name) are left out',
                    entry.path,
                )
        elif self._wanted(entry.name):
            self.report.note(
                'hidden files (with a dot before the name) are left out',
                entry.path,
            )


def _names(folder: str) -> list[str]:
    try:
        return os.listdir(folder)
    except OSError:
        return []


def _is(entry: os.DirEntry, question: str) -> bool:
    """The entry's own answer; False where links lead in a circle."""
    try:
        return getattr(entry, question)()
    except OSError:
        return False
