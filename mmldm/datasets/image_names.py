"""Search for images by the names in annotation files."""

from collections import defaultdict
from collections.abc import Mapping
from functools import cached_property
from posixpath import normpath
from unicodedata import normalize

from .report import DataReport, printable


class ImageNames:
    """Finds images by name, however the name is written.

    Accepted are './a.png', Windows paths, and names whose accents are separate
    characters, as macOS stores them.

    Args:
        images: Paths of all images by name.
    """

    def __init__(self, images: Mapping[str, str]) -> None:
        self.images = images

    def find(self, name: object) -> str | None:
        """The image's name as in ``images``; None if it is unknown."""
        if not isinstance(name, str):
            return None
        for written in (name, name.replace('\\', '/')):
            short = normpath(written)
            if short in self.images:
                return short
            same = self.by_form.get(normal_form(short), ())
            if len(same) == 1:
                return same[0]
        return None

    @cached_property
    def by_form(self) -> dict[str, list[str]]:
        """The images' names by normal form; see :func:`normal_form`."""
        names = defaultdict(list)
        for name in self.images:
            names[normal_form(name)].append(name)
        return names

    def find_or_count(
        self, name: object, place: str, report: DataReport
    ) -> str | None:
        """Find a name as :meth:`find` does, and count a missing one."""
        found = self.find(name)
        if found is None:
            shown = printable(repr(name)) if name else repr(name)
            report.defect(
                'entries name images that are missing and are left out',
                f'{place} names the image {shown:.200}, which is missing',
                f'give paths below the folder of the images{self._example()}',
            )
        return found

    def _example(self) -> str:
        first = next(iter(self.images), None)
        return '' if first is None else f', such as {printable(first)}'


def normal_form(name: str) -> str:
    """A name whose accents are composed with their letters."""
    return normalize('NFC', name)
