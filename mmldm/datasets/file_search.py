"""Finding the files of a data set."""

import os
from collections.abc import Iterator
from pathlib import PurePosixPath

from .report import DataReport

# What systems and programs keep beside data: copies, thumbnails, rubbish.
JUNK = {
    '__MACOSX',
    '__pycache__',
    '#recycle',
    '@eaDir',
    '$RECYCLE.BIN',
    'System Volume Information',
    'lost+found',
}
# Forks of files, by which macOS keeps what other file systems cannot.
APPLE_DOUBLE = '._'


def is_hidden(name: str) -> bool:
    """Whether a file or folder of this name is none of the user's data."""
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
    """Regular files below a folder whose names end in some way.

    Hidden files and folders are none. Links are followed, but no folder
    twice, and none to a folder that the root lies in.

    Args:
        root: The folder.
        suffixes: Of the files, in small letters.
        report: Where to count what has such a name and is not used; None
            for nowhere.
        others: Gets the paths whose names end otherwise.
    """
    search = _Search(root, suffixes, report or DataReport(root), others)
    folders = [root]
    while folders:
        found, below = search.entries(folders.pop())
        yield from found
        folders += below[::-1]


class _Search:
    """One walk through folders; arguments as of :func:`files_below`."""

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
            else 'names are those of a pipe, socket or device, no regular '
            'file, and are left out'
        )
        self.report.defect(kind, entry.path)
        return False

    def _circular(self, entry: os.DirEntry) -> bool:
        """Whether a folder is a link to one that the root lies in."""
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
        """Count hidden pictures, unless they are but forks or thumbnails."""
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
    """What an entry says of itself; no where links lead in a circle."""
    try:
        return getattr(entry, question)()
    except OSError:
        return False
