"""The lists of a COCO file, checked as they are read."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .report import DataReport, printable

# Types that a value may have, and their names in errors.
Kinds = dict[type, str]
NUMBER = {int: 'a whole number'}
TEXT = {str: 'a text'}
BOX = {list: '[x, y, w, h] in pixels'}

# (place, content), such as ('FILE, images[3] (id 7)', {...}).
Record = tuple[str, dict]


@dataclass(frozen=True)
class CocoRecords:
    """The lists of a file of COCO's, checked as they are read.

    Args:
        path: The file's path.
        content: The file's parsed JSON.
        example: Name of a suitable file, for errors.
        report: Counts records that are left out.
    """

    path: Path
    content: Any
    example: str
    report: DataReport

    def each(self, key: str, **wanted: Kinds) -> Iterator[Record]:
        """The valid records of a list; the others are counted.

        Args:
            key: Key of the list: 'images', 'annotations' or 'categories'.
            wanted: Keys that a record must have, and the types of their
                values.

        Raises:
            ValueError: If the list is missing or has no valid record.
        """
        content, hint = self.content, f'give a file such as {self.example}'
        records = content.get(key) if isinstance(content, dict) else None
        if not isinstance(records, list) or not records:
            raise ValueError(f'{self.path} has no list {key!r}: {hint}')
        none = True
        for number, record in enumerate(records):
            place = f'{self.path}, {key}[{number}]'
            if isinstance(record, dict) and 'id' in record:
                place += f' (id {short(record["id"], 20)})'
            wrong = _wrong(record, wanted)
            if wrong is None:
                none = False
                yield place, record
            else:
                self.report.defect(
                    f'{key} are broken and are left out', f'{place} {wrong}'
                )
        if none:
            raise ValueError(
                f'{self.path} has no valid {key}: {hint}'
                f'{self.report.reasons()}'
            )

    def by_id(self, key: str, **wanted: Kinds) -> dict[int | str, Record]:
        """The records of a list by id; see :meth:`each`.

        If several records share an id, the first is taken, and the others
        are counted.
        """
        found: dict = {}
        for record in self.each(key, **wanted):
            place, fields = record
            first = found.setdefault(fields['id'], record)
            if first is not record and first[1] != fields:
                self.report.defect(
                    f'{key} have the id of another and are left out',
                    f'{place} has the id of {first[0]}',
                    'give each its own id',
                )
        return found

    def annotations(
        self, images: Mapping[int | str, Record], **wanted: Kinds
    ) -> Iterator[tuple[str, dict, dict]]:
        """(place, annotation, its image); see :meth:`each`.

        Annotations of images that the data set lacks are skipped: these images
        are counted already.

        Args:
            images: The file's image records by id. A record has the key
                'name' if the data set has the image.
            wanted: See :meth:`each`.
        """
        for place, annotation in self.each(
            'annotations', image_id=NUMBER | TEXT, **wanted
        ):
            if annotation['image_id'] not in images:
                self.report.defect(
                    'annotations have an unknown image_id and are left out',
                    f'{place} has image_id {short(annotation["image_id"])}',
                )
                continue
            image = images[annotation['image_id']][1]
            if 'name' in image:
                yield place, annotation, image


def _wrong(record: Any, wanted: Mapping[str, Kinds]) -> str | None:
    """What is wrong with a record; None if nothing is."""
    if not isinstance(record, dict):
        return f'is {short(record)}, expected a dict'
    for name, kinds in wanted.items():
        if name not in record:
            return f'has no {name}'
        value = record[name]
        if isinstance(value, bool) or not isinstance(value, (*kinds,)):
            return (
                f'has the {name} {short(value)}, expected '
                f'{" or ".join(kinds.values())}'
            )
    return None


def short(value: Any, length: int = 60) -> str:
    """A value as errors show it: cut to ``length`` characters."""
    if isinstance(value, int) and value.bit_length() > 4 * length:
        return f'a number of {value.bit_length()} bits'
    return printable(f'{value!r:.{length}}')
