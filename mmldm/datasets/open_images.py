"""Boxes in the files of OpenImages."""

from collections import Counter
from collections.abc import Mapping
from pathlib import Path, PurePosixPath

from mmldm.registry import DATASETS
from mmldm.utils import check_range

from .annotations import Annotations, Fields, report_left_out
from .boxes import Box, with_objects, within
from .text_files import read_columns, read_csv

SIDES = ('XMin', 'XMax', 'YMin', 'YMax')
COLUMNS = ('ImageID', 'LabelName', 'IsGroupOf', *SIDES)


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
        path = Path(root) / self.file
        numbers = self._read_classes(Path(root) / self.class_file)
        names = _by_stem(images)
        found: Fields = {}
        seen, missing, unknown = set(), set(), Counter()
        number = here = 0  # boxes
        rows = read_columns(
            path,
            'OpenImagesBoxes.file',
            COLUMNS,
            'give a file such as oidv6-train-annotations-bbox.csv',
        )
        for place, row in rows:
            number += 1
            name, label = names.get(row['ImageID']), row['LabelName']
            (missing if name is None else seen).add(row['ImageID'])
            if name is None or row['IsGroupOf'] == '1':
                continue
            here += 1
            if label not in numbers:
                unknown[label] += 1
                continue
            box = within(_box(row, place), f'the box of {place}', name)
            if box is not None:
                fields = found.setdefault(name, dict(layout=[]))
                fields['layout'].append((numbers[label], box))
        if not number:
            raise ValueError(f'{path} has a header, but no boxes')
        if not seen:
            raise ValueError(
                f'{path} has {number} boxes, none of them of an image that '
                f'is there, such as {next(iter(images))}: give the file of '
                'these images, whose names are the ImageID'
            )
        if not found:
            raise ValueError(
                f'{path} has no box of these images with a class of '
                f'{self.class_file}, such as {next(iter(numbers))}: give '
                'files that belong together'
            )
        report_left_out(
            len(missing),
            len(seen) + len(missing),
            f'images of {path} are not there',
            missing,
        )
        report_left_out(
            unknown.total(),
            here,
            f'boxes of {path} have a class that {self.class_file} lacks, '
            'and are left out',
            unknown,
        )
        return with_objects(found, self.min_objects, 'OpenImagesBoxes')

    def _read_classes(self, path: Path) -> dict[str, int]:
        """Numbers by id."""
        names = {}
        for place, row in read_csv(path, 'OpenImagesBoxes.classes'):
            if len(row) != 2:
                raise ValueError(
                    f'{place} is {row}, but must be an id and a name'
                )
            if row[0] in names:
                raise ValueError(
                    f'{place} has the class {row[0]} again: leave one line'
                )
            if row[0] != 'LabelName':
                names[row[0]] = row[1]
        if not names:
            raise ValueError(
                f'{path} is empty: it must have lines of id, name'
            )
        self.classes = [names[key] for key in sorted(names)]
        return {key: i for i, key in enumerate(sorted(names))}


def _by_stem(images: Mapping[str, str]) -> dict[str, str]:
    """Names of the images by what the files call them.

    Raises:
        ValueError: If that means two of them.
    """
    names = {}
    for name in images:
        other = names.setdefault(PurePosixPath(name).stem, name)
        if other != name:
            raise ValueError(
                f'an ImageID of OpenImages would mean both images {other} '
                f'and {name}: rename or remove one'
            )
    return names


def _box(row: dict[str, str], place: str) -> Box:
    """(x, y, w, h) as parts of the image.

    Raises:
        ValueError: If a side is no number, or two are swapped.
    """
    try:
        left, right, top, bottom = (float(row[key]) for key in SIDES)
    except ValueError as error:
        raise ValueError(f'{place} has no box ({error})') from error
    for low, high in (SIDES[:2], SIDES[2:]):
        if float(row[low]) > float(row[high]):
            raise ValueError(
                f'{place} has {low}={row[low]} > {high}={row[high]}: swap them'
            )
    return left, top, right - left, bottom - top
