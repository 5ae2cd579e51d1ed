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
from .captions import check_captions, check_image
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
    """

    path: Path
    content: Any
    example: str

    def each(self, key: str, **wanted: Kinds) -> Iterator[Record]:
        """All records of a list.

        Args:
            key: Of the list: 'images', 'annotations' or 'categories'.
            wanted: Keys that a record must have, and types of their values.

        Raises:
            ValueError: If there is no such list, or a record lacks something
                or has it of another type; it is named.
        """
        content, hint = self.content, f'give a file such as {self.example}'
        records = content.get(key) if isinstance(content, dict) else None
        if not isinstance(records, list) or not records:
            raise ValueError(f'{self.path} has no {key}, a list: {hint}')
        for number, record in enumerate(records):
            place = f'{self.path}, {key}[{number}]'
            if not isinstance(record, dict):
                raise ValueError(f'{place} is {record!r:.60}, but no dict')
            if 'id' in record:
                place += f' (id {record["id"]!r:.20})'
            for name, kinds in wanted.items():
                if name not in record:
                    raise ValueError(f'{place} has no {name}: {hint}')
                if not isinstance(record[name], (*kinds,)):
                    raise ValueError(
                        f'{place} has the {name} {record[name]!r:.60}, but '
                        f'must have {" or ".join(kinds.values())}'
                    )
            yield place, record

    def by_id(self, key: str, **wanted: Kinds) -> dict[int | str, Record]:
        """The records of a list by id; see :meth:`each`.

        Raises:
            ValueError: If two have one id, or one is wrong.
        """
        found: dict = {}
        for record in self.each(key, **wanted):
            place, fields = record
            if fields['id'] in found:
                raise ValueError(
                    f'{place} has the id of {found[fields["id"]][0]}: give '
                    'each its own'
                )
            found[fields['id']] = record
        return found

    def annotations(
        self, images: Mapping[int | str, Record], **wanted: Kinds
    ) -> Iterator[tuple[str, dict, dict]]:
        """(place, annotation, its image); see :meth:`each`.

        Raises:
            ValueError: If one is wrong or of no image.
        """
        for place, annotation in self.each(
            'annotations', image_id=NUMBER | TEXT, **wanted
        ):
            if annotation['image_id'] not in images:
                raise ValueError(
                    f'{place} is of the image {annotation["image_id"]!r}, '
                    'an id that no image of the file has'
                )
            yield place, annotation, images[annotation['image_id']][1]


class CocoFile(Annotations):
    """A JSON file with ``images`` and ``annotations``; Lin et al. 2014.

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
        records = CocoRecords(path, content, self.example)
        by_id = records.by_id('images', id=NUMBER | TEXT, file_name=TEXT)
        for place, image in by_id.values():
            image['file_name'] = check_image(image['file_name'], images, place)
        return self.fields(records, by_id)

    @abstractmethod
    def fields(
        self, records: CocoRecords, images: Mapping[int | str, Record]
    ) -> Fields:
        """Fields by name of the image.

        Args:
            records: Of the file.
            images: Those of its images, by id.

        Raises:
            ValueError: If one is wrong; it is named.
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
            captions = check_captions([annotation['caption']], place)
            fields = found.setdefault(image['file_name'], dict(captions=[]))
            fields['captions'] += captions
        return found


@DATASETS.register_module()
class CocoBoxes(CocoFile):
    """``layout``: boxes and classes, numbered in order of COCO's ids.

    Crowds are left out, and boxes of no extent.

    Args:
        file: Such as 'annotations/instances_train2017.json'.
        min_objects: Images with fewer are left out.
    """

    example = 'instances_train2017.json'

    def __init__(self, file: str, min_objects: int = 1) -> None:
        super().__init__(file)
        check_range('CocoBoxes.min_objects', min_objects, 0, float('inf'))
        self.min_objects = min_objects

    def fields(
        self, records: CocoRecords, images: Mapping[int | str, Record]
    ) -> Fields:
        """See :class:`CocoFile`."""
        found = {
            image['file_name']: dict(
                layout=[], annotated_shape=_shape(image, place)
            )
            for place, image in images.values()
        }
        categories = records.by_id('categories', id=NUMBER, name=TEXT)
        numbers = {key: i for i, key in enumerate(sorted(categories))}
        self.classes = [categories[key][1]['name'] for key in numbers]
        for place, annotation, image in records.annotations(
            images, bbox=BOX, category_id=NUMBER
        ):
            label = annotation['category_id']
            if label not in numbers:
                raise ValueError(
                    f'{place} has the class {label!r}, which is not among '
                    f'the {len(numbers)} categories of the file'
                )
            if annotation.get('iscrowd'):
                continue
            box = _parts(annotation['bbox'], image, f'the box of {place}')
            if box is not None:
                layout = found[image['file_name']]['layout']
                layout.append((numbers[label], box))
        return with_objects(found, self.min_objects, 'CocoBoxes')


def _shape(image: dict, place: str) -> tuple[int, int]:
    """Height and width of an image of COCO's.

    Raises:
        ValueError: If they are not given.
    """
    shape = image.get('height'), image.get('width')
    if not all(isinstance(side, int) and side > 0 for side in shape):
        raise ValueError(
            f'{place} has the height and width {shape}, but must have '
            'numbers of pixels'
        )
    return shape


def _parts(box: list, image: dict, what: str) -> Box | None:
    """A box in pixels as parts of its image; None if nothing is left of it.

    Raises:
        ValueError: If it is none, or lies outside.
    """
    sides = [image['width'], image['height']] * 2
    if len(box) != len(sides) or {*map(type, box)} - {int, float}:
        raise ValueError(
            f'{what} is {box!r} in an image of {sides[0]}x{sides[1]} pixels, '
            'but must be [x, y, w, h] in pixels'
        )
    parts = tuple(x / side for x, side in zip(box, sides, strict=True))
    return within(parts, what, image['file_name'])
