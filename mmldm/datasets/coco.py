"""Captions and boxes in the files of COCO."""

from abc import abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mmldm.registry import DATASETS
from mmldm.utils import check_range

from .annotations import Annotations, Fields
from .boxes import Box, with_objects, within
from .captions import sound_captions
from .image_names import ImageNames
from .report import DataReport, printable
from .text_files import read_json

# Types of values that records may have, and what errors call them.
Kinds = dict[type, str]
NUMBER = {int: 'a whole number'}
TEXT = {str: 'a text'}
BOX = {list: '[x, y, w, h] in pixels'}

# ('FILE, images[3] (id 7)', what stands there).
Record = tuple[str, dict]


@dataclass(frozen=True)
class CocoRecords:
    """The lists of a file of COCO's, checked as they are read.

    Args:
        path: Of the file.
        content: Of the file.
        example: Name of a file that has what is wanted, for errors.
        report: Where records are counted that are left out.
    """

    path: Path
    content: Any
    example: str
    report: DataReport

    def each(self, key: str, **wanted: Kinds) -> Iterator[Record]:
        """The sound records of a list; others are counted.

        Args:
            key: Of the list: 'images', 'annotations' or 'categories'.
            wanted: Keys that a record must have, and types of their values.

        Raises:
            ValueError: If there is no such list, or no sound record in it.
        """
        content, hint = self.content, f'give a file such as {self.example}'
        records = content.get(key) if isinstance(content, dict) else None
        if not isinstance(records, list) or not records:
            raise ValueError(f'{self.path} has no {key}, a list: {hint}')
        none = True
        for number, record in enumerate(records):
            place = f'{self.path}, {key}[{number}]'
            if isinstance(record, dict) and 'id' in record:
                place += f' (id {_short(record["id"], 20)})'
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
                f'{self.path} has no sound {key}: {hint}'
                f'{self.report.reasons()}'
            )

    def by_id(self, key: str, **wanted: Kinds) -> dict[int | str, Record]:
        """The records of a list by id; see :meth:`each`.

        Of those that share an id the first is taken, and the others are
        counted.
        """
        found: dict = {}
        for record in self.each(key, **wanted):
            place, fields = record
            first = found.setdefault(fields['id'], record)
            if first is not record and first[1] != fields:
                self.report.defect(
                    f'{key} have the id of another and are left out',
                    f'{place} has the id of {first[0]}',
                    'give each its own',
                )
        return found

    def annotations(
        self, images: Mapping[int | str, Record], **wanted: Kinds
    ) -> Iterator[tuple[str, dict, dict]]:
        """(place, annotation, its image); see :meth:`each`.

        Those of images that the data set has not are passed over: these are
        counted already.

        Args:
            images: Those of the file, by id; with the key 'name' where the
                data set has them.
            wanted: See :meth:`each`.
        """
        for place, annotation in self.each(
            'annotations', image_id=NUMBER | TEXT, **wanted
        ):
            if annotation['image_id'] not in images:
                self.report.defect(
                    'annotations are of no image of the file and are left out',
                    f'{place} is of the image '
                    f'{_short(annotation["image_id"])}',
                )
                continue
            image = images[annotation['image_id']][1]
            if 'name' in image:
                yield place, annotation, image


def _wrong(record: Any, wanted: Mapping[str, Kinds]) -> str | None:
    """What is wrong with a record; None if nothing is."""
    if not isinstance(record, dict):
        return f'is {_short(record)}, but no dict'
    for name, kinds in wanted.items():
        if name not in record:
            return f'has no {name}'
        value = record[name]
        if isinstance(value, bool) or not isinstance(value, (*kinds,)):
            return (
                f'has the {name} {_short(value)}, but must have '
                f'{" or ".join(kinds.values())}'
            )
    return None


def _short(value: Any, length: int = 60) -> str:
    """How errors show a value: not all of it, whatever it is."""
    if isinstance(value, int) and value.bit_length() > 4 * length:
        return f'a number of {value.bit_length()} bits'
    return printable(f'{value!r:.{length}}')


class CocoFile(Annotations):
    """A JSON file with ``images`` and ``annotations``; Lin et al. 2014.

    Records that are broken, and images that are not there, are left out and
    counted.

    Args:
        file: Path below the data set's folder.
    """

    #: Name of a file that has what is wanted, for errors.
    example: str

    def __init__(self, file: str) -> None:
        self.file = file

    def read(self, root: str, images: Mapping[str, str]) -> Fields:
        """See :class:`Annotations`."""
        path = Path(root) / self.file
        content = read_json(path, f'{type(self).__name__}.file')
        records = CocoRecords(path, content, self.example, self.report)
        by_id = records.by_id('images', id=NUMBER | TEXT, file_name=TEXT)
        names = ImageNames(images)
        for place, image in by_id.values():
            image.pop('name', None)
            name = names.find_or_count(image['file_name'], place, self.report)
            if name is not None:
                image['name'] = name
        return self.fields(records, by_id)

    @abstractmethod
    def fields(
        self, records: CocoRecords, images: Mapping[int | str, Record]
    ) -> Fields:
        """Fields by name of the image.

        Args:
            records: Of the file.
            images: Those of its images, by id; with the key 'name' where the
                data set has them.

        Raises:
            ValueError: If nothing of it is sound.
        """


@DATASETS.register_module()
class CocoCaptions(CocoFile):
    """``captions``, some five an image; ``ChooseCaption`` takes one.

    Args:
        file: Such as 'annotations/captions_train2017.json'.
    """

    example = 'captions_train2017.json'

    def fields(
        self, records: CocoRecords, images: Mapping[int | str, Record]
    ) -> Fields:
        """See :class:`CocoFile`."""
        found: Fields = {}
        for place, annotation, image in records.annotations(
            images, caption=TEXT
        ):
            captions = sound_captions(
                annotation['caption'], place, self.report
            )
            if captions:
                fields = found.setdefault(image['name'], dict(captions=[]))
                fields['captions'] += captions
        return found


@DATASETS.register_module()
class CocoBoxes(CocoFile):
    """``layout``: boxes and classes, numbered in order of COCO's ids.

    Crowds are left out. So are boxes that are broken or of no extent; what
    reaches outside of the image is cut. All of these are counted.

    Args:
        file: Such as 'annotations/instances_train2017.json'.
        min_objects: Images with fewer are left out.
    """

    example = 'instances_train2017.json'
    silence = 'choice'

    def __init__(self, file: str, min_objects: int = 1) -> None:
        super().__init__(file)
        check_range('CocoBoxes.min_objects', min_objects, 0, float('inf'))
        self.min_objects = min_objects

    def fields(
        self, records: CocoRecords, images: Mapping[int | str, Record]
    ) -> Fields:
        """See :class:`CocoFile`."""
        found: Fields = {}
        for place, image in images.values():
            shape = self._shape(image, place) if 'name' in image else None
            if shape is not None:
                found[image['name']] = dict(layout=[], annotated_shape=shape)
        numbers = self._classes(records)
        for place, annotation, image in records.annotations(
            images, bbox=BOX, category_id=NUMBER
        ):
            if annotation.get('iscrowd') or image['name'] not in found:
                continue
            label = annotation['category_id']
            if label not in numbers:
                self.report.defect(
                    'boxes have a class that is not among the categories and '
                    'are left out',
                    f'{place} has the class {_short(label)}, which is not '
                    f'among the {len(numbers)} categories of the file',
                )
                continue
            box = self._box(annotation['bbox'], image, f'the box of {place}')
            if box is not None:
                layout = found[image['name']]['layout']
                layout.append((numbers[label], box))
        return with_objects(found, self.min_objects, 'CocoBoxes', self.report)

    def _classes(self, records: CocoRecords) -> dict[int, int]:
        """Numbers of classes by id.

        Raises:
            ValueError: If a category is broken, without which the others
                would have other numbers than elsewhere.
        """
        before = len(self.report.lines())
        categories = records.by_id('categories', id=NUMBER, name=TEXT)
        broken = self.report.lines()[before:]
        if broken:
            raise ValueError(
                f'{"; ".join(broken)}: mend them, as the others would have '
                'other numbers without'
            )
        numbers = {key: i for i, key in enumerate(sorted(categories))}
        self.classes = [categories[key][1]['name'] for key in numbers]
        return numbers

    def _shape(self, image: dict, place: str) -> tuple[int, int] | None:
        """Height and width of an image; None, and counted, without them."""
        shape = image.get('height'), image.get('width')
        if all(type(side) is int and 0 < side < 2**31 for side in shape):
            return shape
        shown = ', '.join(map(_short, shape))
        self.report.defect(
            'images have no height and width and are left out',
            f'{place} has the height and width ({shown}), but must have '
            'numbers of pixels',
        )
        return None

    def _box(self, box: list, image: dict, what: str) -> Box | None:
        """A box in pixels as parts of its image; None if it is left out."""
        sides = [image['width'], image['height']] * 2
        try:
            if {*map(type, box)} - {int, float}:
                raise ValueError('not all are numbers')
            parts = tuple(
                float(x) / side for x, side in zip(box, sides, strict=True)
            )
        except (ValueError, TypeError, OverflowError):
            self.report.defect(
                'boxes are no [x, y, w, h] in pixels and are left out',
                f'{what} is {_short(box)} in an image of '
                f'{sides[0]}x{sides[1]} pixels, but must be [x, y, w, h] in '
                'pixels',
            )
            return None
        return within(parts, what, image['name'], self.report)
