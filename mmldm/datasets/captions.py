"""Captions from tables and from text files, and the check of captions."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from mmldm.registry import DATASETS

from .annotations import Annotations, Fields, check_own
from .file_search import files_below
from .image_names import ImageNames, normal_form
from .report import DataReport
from .text_files import decode, read_table

# Bytes; a larger file is not taken for captions.
LONGEST = 2**20


@DATASETS.register_module()
class Captions(Annotations):
    """``captions`` from a table: JSON lines, CSV or TSV with a header.

    A line names an image and its caption, or in JSON a list of captions. An
    image may have several lines; ``ChooseCaption`` chooses one caption. Broken
    lines, lines that name no image and empty captions are left out and
    counted.

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
        """Whether a row lacks a key; count it if so."""
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
    """``captions`` from a text file beside each image: ``a.txt``, ``a.png``.

    Every line is a caption; ``ChooseCaption`` chooses one. Empty files and
    images without a file are left out and counted.

    Args:
        suffixes: Suffixes of the text files, in lower case. If an image has
            several files, the one with the first suffix is read.
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
        """Paths by their name relative to the folder, in normal form."""
        files = {}
        for path in files_below(folder, self.suffixes, self.report):
            stem, suffix = os.path.splitext(os.path.relpath(path, folder))
            files[normal_form(stem) + suffix.lower()] = path
        return files

    def _file(self, files: Mapping[str, str], stem: str) -> str | None:
        """The first existing file of an image; None if there is none."""
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
        """The lines of a file; empty files and unreadable ones are counted."""
        try:
            size = os.path.getsize(file)
            if size > LONGEST:
                raise ValueError(f'{file} has {size} bytes, at most {LONGEST}')
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
    """The valid captions, without surrounding whitespace.

    Args:
        captions: A text, or a list of texts.
        place: File and line of the captions, for the report.
        report: Counts captions that are empty or not a text.
    """
    found = [captions] if isinstance(captions, str) else captions
    if not isinstance(found, list) or not found:
        found = [captions]
    sound = [text for text in found if isinstance(text, str) and text.strip()]
    for text in found:
        if not isinstance(text, str) or not text.strip():
            report.defect(
                'captions are empty or not a text and are left out',
                f'{place} has the caption {text!r:.60}',
            )
    return [text.strip() for text in sound]
