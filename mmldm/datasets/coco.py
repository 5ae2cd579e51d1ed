"""Captions and boxes in the files of COCO."""

from collections.abc import Iterator, Mapping
from pathlib import Path

from mmldm.registry import DATASETS
from mmldm.utils import check_range

from .annotations import Annotations, Fields, check_captions, check_image
from .boxes import Box, with_objects, within
from .text_files import read_json


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
        found = {
            image['file_name']: dict(
                layout=[], annotated_shape=_shape(image, self.file)
            )
            for image in by_id.values()
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
                layout = found[image['file_name']]['layout']
                layout.append((numbers[label], box))
        return with_objects(found, self.min_objects)


def _shape(image: dict, file: str) -> tuple[int, int]:
    """Height and width of an image of COCO's.

    Raises:
        ValueError: If they are not given.
    """
    shape = image.get('height'), image.get('width')
    if not all(isinstance(side, int) and side > 0 for side in shape):
        raise ValueError(
            f'{file}: image {image["file_name"]} has the height and width '
            f'{shape}, but must have numbers of pixels'
        )
    return shape


def _parts(box: object, image: dict, what: str) -> Box | None:
    """A box in pixels as parts of its image; None if nothing is left of it.

    Raises:
        ValueError: If it is none, or lies outside.
    """
    sides = [image['width'], image['height']] * 2
    try:
        parts = tuple(
            float(x) / side for x, side in zip(box, sides, strict=True)
        )
    except (TypeError, ValueError) as error:
        raise ValueError(
            f'{what} is {box!r} in an image of {sides[0]}x{sides[1]} pixels, '
            'but must be (x, y, w, h) in pixels'
        ) from error
    return within(parts, what, image['file_name'])
