"""Captions and boxes from COCO's annotation files."""

from abc import abstractmethod
from collections.abc import Mapping
from pathlib import Path

from mmldm.registry import DATASETS
from mmldm.utils import check_range

from .annotations import Annotations, Fields
from .boxes import Box, with_objects, within
from .captions import sound_captions
from .coco_records import BOX, NUMBER, TEXT, CocoRecords, Record, short
from .image_names import ImageNames
from .text_files import read_json


class CocoFile(Annotations):
    """A JSON file with ``images`` and ``annotations``; Lin et al. 2014.

    Broken records and missing images are left out and counted.

    Args:
        file: Path below the data set's folder.
    """

    #: Name of a suitable file, for errors.
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
        """Fields by image name.

        Args:
            records: The records of the file.
            images: The file's image records by id. A record has the key
                'name' if the data set has the image.

        Raises:
            ValueError: If no record is valid.
        """


@DATASETS.register_module()
class CocoCaptions(CocoFile):
    """``captions``, about five an image; ``ChooseCaption`` chooses one.

    Args:
        file: Path below the data set's folder, such as
            'annotations/captions_train2017.json'.
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
    """``layout``: boxes and classes, numbered in the order of COCO's ids.

    Crowds, broken boxes and boxes without extent are left out; boxes that
    reach outside the image are cut. All but crowds are counted.

    Args:
        file: Path below the data set's folder, such as
            'annotations/instances_train2017.json'.
        min_objects: Images with fewer objects are left out.
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
                    f'{place} has the class {short(label)}, which is not '
                    f'among the {len(numbers)} categories of the file',
                )
                continue
            box = self._box(annotation['bbox'], image, f'the box of {place}')
            if box is not None:
                layout = found[image['name']]['layout']
                layout.append((numbers[label], box))
        return with_objects(found, self.min_objects, 'CocoBoxes', self.report)

    def _classes(self, records: CocoRecords) -> dict[int, int]:
        """Class numbers by COCO's category id.

        Raises:
            ValueError: If a category is broken: leaving it out would renumber
                the others.
        """
        before = len(self.report.lines())
        categories = records.by_id('categories', id=NUMBER, name=TEXT)
        broken = self.report.lines()[before:]
        if broken:
            raise ValueError(
                f'{"; ".join(broken)}: repair the file, as leaving them out '
                'would renumber the other categories'
            )
        numbers = {key: i for i, key in enumerate(sorted(categories))}
        self.classes = [categories[key][1]['name'] for key in numbers]
        return numbers

    def _shape(self, image: dict, place: str) -> tuple[int, int] | None:
        """Height and width of an image; None, and counted, if missing."""
        shape = image.get('height'), image.get('width')
        if all(type(side) is int and 0 < side < 2**31 for side in shape):
            return shape
        shown = ', '.join(map(short, shape))
        self.report.defect(
            'images have no height and width and are left out',
            f'{place} has the height and width ({shown}), expected numbers '
            'of pixels',
        )
        return None

    def _box(self, box: list, image: dict, what: str) -> Box | None:
        """A box in relative coordinates; None if it is left out."""
        sides = [image['width'], image['height']] * 2
        try:
            if {*map(type, box)} - {int, float}:
                raise ValueError('not all are numbers')
            parts = tuple(
                float(x) / side for x, side in zip(box, sides, strict=True)
            )
        except (ValueError, TypeError, OverflowError):
            self.report.defect(
                'boxes are not [x, y, w, h] in pixels and are left out',
                f'{what} is {short(box)} in an image of '
                f'{sides[0]}x{sides[1]} pixels, expected [x, y, w, h] in '
                'pixels',
            )
            return None
        return within(parts, what, image['name'], self.report)
