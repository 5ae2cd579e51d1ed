"""Captions in tables and beside images, and what all captions must be."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from mmldm.registry import DATASETS

from .annotations import Annotations, Fields, check_own
from .file_search import files_below
from .image_names import ImageNames, normal_form
from .report import DataReport
from .text_files import decode, read_table

# Bytes that no caption has.
LONGEST = 2**20


@DATASETS.register_module()
class Captions(Annotations):
    """``captions`` of a table: JSON lines, CSV or TSV with a header.

    A line names an image and a caption, or in JSON a list of them; an image
    may have several lines. ``ChooseCaption`` takes one. Lines that are broken
    or name no image, and empty captions, are left out and counted.

    Args:
        file: Path below the data set's folder, ending in ``.jsonl``,
            ``.csv`` or ``.tsv``.
        image_key: Key or column of the image's name.
        caption_key: Key or column of the caption.
    """

    def __init__(
        self,
        file: str,
        image_key: str = 'file_name',
        caption_key: str = 'caption',
    ) -> None:
        self.file = file
        self.keys = image_key, caption_key

    def read(self, root: str, images: Mapping[str, str]) -> Fields:
        """See :class:`Annotations`."""
        found: Fields = {}
        names = ImageNames(images)
        rows = read_table(Path(root) / self.file, 'Captions.file', self.report)
        for place, row in rows:
            if self._lacks(row, place):
                continue
            name, captions = (row[key] for key in self.keys)
            name = names.find_or_count(name, place, self.report)
            captions = sound_captions(captions, place, self.report)
            if name is not None and captions:
                fields = found.setdefault(name, dict(captions=[]))
                fields['captions'] += captions
        return found

    def _lacks(self, row: dict, place: str) -> bool:
        """Whether a row has not all keys; it is counted."""
        for key in self.keys:
            if key not in row:
                self.report.defect(
                    f'rows have no {key!r} and are left out',
                    f'{place} has no {key!r}: it has '
                    f'{", ".join(map(repr, row)) or "nothing"}',
                    'set image_key and caption_key of Captions',
                )
                return True
        return False


@DATASETS.register_module()
class CaptionFiles(Annotations):
    """``captions`` of a text file beside each image: ``a.txt`` of ``a.png``.

    Every line is a caption, of which ``ChooseCaption`` takes one. Empty files
    and images without one are left out and counted.

    Args:
        suffixes: Of the files, in small letters; an image that has several
            takes the first.
    """

    def __init__(self, suffixes: Sequence[str] = ('.txt', '.caption')) -> None:
        self.suffixes = tuple(suffixes)

    def read(self, root: str, images: Mapping[str, str]) -> Fields:
        """See :class:`Annotations`."""
        name, path = next(iter(images.items()))
        files = self._files(path[: -len(name)] or '.')
        found: Fields = {}
        owners: dict[str, str] = {}
        for name in images:
            file = self._file(files, normal_form(os.path.splitext(name)[0]))
            if file is None:
                continue
            check_own(owners, file, name)
            captions = self._captions(file)
            if captions:
                found[name] = dict(captions=captions)
        for file in files.values():
            if file not in owners:
                self.report.note('files of captions are not read', file)
        return found

    def _files(self, folder: str) -> dict[str, str]:
        """Paths by the name below the folder, in normal form."""
        files = {}
        for path in files_below(folder, self.suffixes, self.report):
            stem, suffix = os.path.splitext(os.path.relpath(path, folder))
            files[normal_form(stem) + suffix.lower()] = path
        return files

    def _file(self, files: Mapping[str, str], stem: str) -> str | None:
        """The first of those of an image that there are."""
        there = [
            files[stem + suffix]
            for suffix in self.suffixes
            if stem + suffix in files
        ]
        if len(there) > 1:
            self.report.note(
                'images have several files of captions, the first of which '
                f'is read ({", ".join(self.suffixes)})',
                there[0],
            )
        return there[0] if there else None

    def _captions(self, file: str) -> list[str]:
        """Lines of a file; what is none is counted."""
        try:
            size = os.path.getsize(file)
            if size > LONGEST:
                raise ValueError(f'{file} has {size} bytes, more than a text')
            text = decode(Path(file).read_bytes(), file)
        except (OSError, ValueError) as error:
            self.report.defect(
                'files of captions cannot be read and are left out', str(error)
            )
            return []
        lines = [line for line in text.splitlines() if line.strip()]
        return sound_captions(lines or '', file, self.report)


def sound_captions(
    captions: object, place: str, report: DataReport
) -> list[str]:
    """Captions that are texts, without space around them.

    Args:
        captions: A text or a list of some.
        place: Where it stands.
        report: Where those are counted that are empty or no text.
    """
    found = [captions] if isinstance(captions, str) else captions
    if not isinstance(found, list) or not found:
        found = [captions]
    sound = [text for text in found if isinstance(text, str) and text.strip()]
    for text in found:
        if not isinstance(text, str) or not text.strip():
            report.defect(
                'captions are empty or no text and are left out',
                f'{place} has the caption {text!r:.60}',
            )
    return [text.strip() for text in sound]
