"""Boxes and captions in the files of COCO and OpenImages."""

import csv
import logging
from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath

from mmengine.logging import print_log

from mmldm.registry import DATASETS
from mmldm.utils import check_range

from .annotations import Annotations, Fields, check_captions, check_image
from .text_files import read_json

Box = tuple[float, float, float, float]
# How far a box may lie outside, as part of the image's side: annotations are
# rounded.
SLACK = 0.01


class CocoFile(Annotations):
    """A JSON file with ``images`` and ``annotations``; Lin et al. 2014.

    Args:
        file: Path below the data set's folder.
    """

    #: Key that an annotation must have, and the file which has it.
    wanted: tuple[str, str]

    def __init__(self, file: str) -> None:
        self.file = file

    def load(
        self, root: str, images: Mapping[str, str]
    ) -> tuple[dict, dict[int, dict]]:
        """The file's content, and its images by id.

        Raises:
            ValueError: If it is no such file, or an image is not there.
        """
        path = Path(root) / self.file
        content = read_json(path)
        for key in ('images', 'annotations'):
            if not isinstance(content, dict) or not content.get(key):
                raise ValueError(
                    f'{path} has no {key}: give a file such as '
                    f'{self.wanted[1]}'
                )
        by_id = {}
        for image in content['images']:
            check_image(image.get('file_name'), images, f'{path}, images')
            by_id[image['id']] = image
        return content, by_id

    def annotations(
        self, content: dict, by_id: dict[int, dict]
    ) -> Iterator[tuple[str, dict, dict]]:
        """('file, annotation 3', annotation, its image).

        Raises:
            ValueError: If one lacks something or is of no image.
        """
        for number, annotation in enumerate(content['annotations']):
            place = f'{self.file}, annotation {annotation.get("id", number)}'
            if self.wanted[0] not in annotation:
                raise ValueError(
                    f'{place} has no {self.wanted[0]}: give a file such as '
                    f'{self.wanted[1]}'
                )
            image = by_id.get(annotation.get('image_id'))
            if image is None:
                raise ValueError(
                    f'{place} is of the image '
                    f'{annotation.get("image_id")!r}, which the file has not'
                )
            yield place, annotation, image


@DATASETS.register_module()
class CocoCaptions(CocoFile):
    """``captions``, some five an image; ``ChooseCaption`` takes one.

    Args:
        file: Such as 'annotations/captions_train2017.json'.
    """

    wanted = 'caption', 'captions_train2017.json'

    def read(self, root: str, images: Mapping[str, str]) -> Fields:
        """See :class:`Annotations`."""
        found: Fields = {}
        content, by_id = self.load(root, images)
        for place, annotation, image in self.annotations(content, by_id):
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

    wanted = 'bbox', 'instances_train2017.json'

    def __init__(self, file: str, min_objects: int = 1) -> None:
        super().__init__(file)
        check_range('CocoBoxes.min_objects', min_objects, 0, float('inf'))
        self.min_objects = min_objects

    def read(self, root: str, images: Mapping[str, str]) -> Fields:
        """See :class:`Annotations`."""
        content, by_id = self.load(root, images)
        categories = {c['id']: c for c in content.get('categories', [])}
        numbers = {key: i for i, key in enumerate(sorted(categories))}
        self.classes = [str(categories[key]['name']) for key in numbers]
        layouts = {image['file_name']: [] for image in by_id.values()}
        shapes = {
            image['file_name']: (image['height'], image['width'])
            for image in by_id.values()
            if {'height', 'width'} <= image.keys()
        }
        for place, annotation, image in self.annotations(content, by_id):
            label = annotation.get('category_id')
            if label not in numbers:
                raise ValueError(
                    f'{place} has the class {label!r}, which is not among '
                    f'the {len(numbers)} categories of the file'
                )
            if annotation.get('iscrowd'):
                continue
            box = _parts(annotation['bbox'], image, f'the box of {place}')
            if box is not None:
                layouts[image['file_name']].append((numbers[label], box))
        fields = _layouts(layouts, self.min_objects)
        for name, field in fields.items():
            field['annotated_shape'] = shapes.get(name)
        return fields


def _parts(box: object, image: dict, what: str) -> Box | None:
    """A box in pixels as parts of its image; None if nothing is left of it.

    Raises:
        ValueError: If it is none, or lies outside.
    """
    sides = [image.get('width'), image.get('height')] * 2
    try:
        parts = tuple(
            float(x) / side for x, side in zip(box, sides, strict=True)
        )
    except (TypeError, ValueError, ZeroDivisionError) as error:
        raise ValueError(
            f'{what} is {box!r} in an image of {sides[0]}x{sides[1]} pixels, '
            'but must be (x, y, w, h) in pixels'
        ) from error
    return within(parts, what, image['file_name'])


def _layouts(layouts: dict[str, list], min_objects: int) -> Fields:
    """Fields of the images that have enough objects."""
    return {
        name: dict(layout=layout)
        for name, layout in layouts.items()
        if len(layout) >= min_objects
    }


def within(box: Box, what: str, image: str) -> Box | None:
    """A box cut to its image; None if nothing is left of it.

    Args:
        box: (x, y, w, h) as parts of the image.
        what: It is, for errors.
        image: It is in, for errors.

    Raises:
        ValueError: If it lies outside by more than rounding.
    """
    ends = [*box[:2], box[0] + box[2], box[1] + box[3]]
    if min(box[2:]) < 0 or min(ends) < -SLACK or max(ends) > 1 + SLACK:
        shown = ', '.join(f'{part:.3g}' for part in box)
        raise ValueError(
            f'{what} lies outside of its image {image}: ({shown}) as parts '
            'of it'
        )
    left, top, right, bottom = (min(1.0, max(0.0, end)) for end in ends)
    if right <= left or bottom <= top:
        return None
    return left, top, right - left, bottom - top


@DATASETS.register_module()
class OpenImagesBoxes(Annotations):
    """``layout``: boxes and classes of OpenImages; Kuznetsova et al. 2020.

    Groups are left out, and images that are not there, as hardly anyone has
    all nine million.

    Args:
        file: Path below the data set's folder, of
            'oidv6-train-annotations-bbox.csv' or another's boxes.
        classes: Path of 'class-descriptions-boxable.csv', lines of id and
            name, or a file with some of them: these classes, numbered in
            order of their ids; other objects are left out.
        min_objects: Images with fewer are left out.
    """

    def __init__(self, file: str, classes: str, min_objects: int = 1) -> None:
        check_range(
            'OpenImagesBoxes.min_objects', min_objects, 0, float('inf')
        )
        self.file = file
        self.class_file = classes
        self.min_objects = min_objects

    def read(self, root: str, images: Mapping[str, str]) -> Fields:
        """See :class:`Annotations`."""
        numbers = self._read_classes(Path(root) / self.class_file)
        names = {PurePosixPath(name).stem: name for name in images}
        layouts, missing = defaultdict(list), set()
        for place, row in self._rows(Path(root) / self.file):
            name = names.get(row['ImageID'])
            if name is None:
                missing.add(row['ImageID'])
            elif row['LabelName'] in numbers and row['IsGroupOf'] != '1':
                box = within(
                    self._box(row, place), f'the box of {place}', name
                )
                if box is not None:
                    layouts[name].append((numbers[row['LabelName']], box))
        if missing:
            print_log(
                f'{len(missing)} images of {self.file} are not there, such '
                f'as {min(missing)}',
                logger='current',
                level=logging.INFO,
            )
        return _layouts(layouts, self.min_objects)

    def _read_classes(self, path: Path) -> dict[str, int]:
        """Numbers by id."""
        with open(path, encoding='utf-8', newline='') as file:
            rows = [row for row in csv.reader(file) if row]
        for row in rows:
            if len(row) != 2:
                raise ValueError(
                    f'{path} has the line {row}, but must have lines of id '
                    'and name'
                )
        names = dict(sorted(row for row in rows if row[0] != 'LabelName'))
        if not names:
            raise ValueError(
                f'{path} is empty: it must have lines of id, name'
            )
        self.classes = [*names.values()]
        return {key: i for i, key in enumerate(names)}

    def _rows(self, path: Path) -> Iterator[tuple[str, dict]]:
        wanted = ('ImageID', 'LabelName', 'IsGroupOf')
        wanted += ('XMin', 'XMax', 'YMin', 'YMax')
        with open(path, encoding='utf-8', newline='') as file:
            reader = csv.DictReader(file)
            for key in wanted:
                if key not in (reader.fieldnames or ()):
                    raise ValueError(
                        f'{path} has no column {key}: give a file such as '
                        'oidv6-train-annotations-bbox.csv'
                    )
            for row in reader:
                yield f'{path}, line {reader.line_num}', row

    @staticmethod
    def _box(row: dict, place: str) -> Box:
        try:
            left, right, top, bottom = (
                float(row[key]) for key in ('XMin', 'XMax', 'YMin', 'YMax')
            )
        except (TypeError, ValueError) as error:
            raise ValueError(f'{place} has no box ({error})') from error
        return left, top, right - left, bottom - top
