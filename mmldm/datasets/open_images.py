"""Boxes from OpenImages' annotation files."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from mmldm.registry import DATASETS
from mmldm.utils import check_range

from .annotations import Annotations, Fields
from .boxes import Box, with_objects, within
from .report import DataReport
from .text_files import read_columns, read_csv

SIDES = ('XMin', 'XMax', 'YMin', 'YMax')
# Id of the class that the layout-to-image models of Rombach et al. 2022 have
# last: their data come from github.com/CompVis/taming-transformers.
LAST_CLASS = '/m/01s55n'
COLUMNS = ('ImageID', 'LabelName', 'IsGroupOf', *SIDES)


@DATASETS.register_module()
class OpenImagesBoxes(Annotations):
    """``layout``: boxes and classes of OpenImages; Kuznetsova et al. 2020.

    Groups, broken boxes and missing images are left out (hardly anyone has all
    nine million images); boxes that reach outside the image are cut. All but
    groups are counted.

    Args:
        file: Path of the boxes below the data set's folder, such as
            'oidv6-train-annotations-bbox.csv'.
        classes: Path of 'class-descriptions-boxable.csv', lines of id and
            name, or of a file with some of its lines. Classes are numbered
            in the order of their ids, except '/m/01s55n', which is last, as
            in the published model. Objects of other classes are left out.
        min_objects: Images with fewer objects are left out.
    """

    silence = 'choice'

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
        boxes = _Boxes(_by_stem(images), numbers, self.report)
        rows = read_columns(
            path,
            'OpenImagesBoxes.file',
            self.report,
            COLUMNS,
            'give a file such as oidv6-train-annotations-bbox.csv',
        )
        for place, row in rows:
            boxes.add(place, row)
        self._check(path, boxes)
        self._report(path, boxes)
        return with_objects(
            boxes.found, self.min_objects, 'OpenImagesBoxes', self.report
        )

    def _check(self, path: Path, boxes: '_Boxes') -> None:
        """Raise if the file has no usable box."""
        if not boxes.total:
            raise ValueError(
                f'{path} has a header, but no boxes{self.report.reasons()}'
            )
        if not boxes.seen:
            raise ValueError(
                f'{path} has {boxes.total} boxes, but none for the images '
                f'found, such as {next(iter(boxes.names.values()))}: give '
                'the file of these images, whose names are the ImageID'
            )
        if not boxes.found:
            raise ValueError(
                f'{path} has no box of these images with a class of '
                f'{self.class_file}, such as {next(iter(boxes.numbers))}: '
                f'give files that belong together{self.report.reasons()}'
            )

    def _report(self, path: Path, boxes: '_Boxes') -> None:
        """Report which images and boxes of the file are left out."""
        for name in sorted(boxes.missing):
            self.report.note(f'images of {path} are missing', name)
        for label, count in boxes.unknown.items():
            for _ in range(count):
                self.report.note(
                    f'boxes have a class that {self.class_file} lacks and are '
                    'left out',
                    label,
                )

    def _read_classes(self, path: Path) -> dict[str, int]:
        """Class numbers by id."""
        names = {}
        for place, row in read_csv(
            path, 'OpenImagesBoxes.classes', self.report
        ):
            if len(row) != 2:
                raise ValueError(
                    f'{place} is {row!r:.80}, expected an id and a name'
                )
            if row[0] in names and names[row[0]] != row[1]:
                raise ValueError(
                    f'{place} repeats the class {row[0]}: keep one line'
                )
            if row[0] != 'LabelName':
                names[row[0]] = row[1]
        if not names:
            raise ValueError(f'{path} is empty, expected lines of id, name')
        keys = sorted(names, key=lambda key: (key == LAST_CLASS, key))
        self.classes = [names[key] for key in keys]
        return {key: i for i, key in enumerate(keys)}


@dataclass
class _Boxes:
    """The usable boxes of a file, and counts of the others.

    Args:
        names: Image names by ImageID.
        numbers: Class numbers by id.
        report: Counts broken boxes.
    """

    names: Mapping[str, str]
    numbers: Mapping[str, int]
    report: DataReport
    found: Fields = field(default_factory=dict)
    total: int = 0
    here: int = 0  # boxes of images that were found, except groups
    seen: set[str] = field(default_factory=set)
    missing: set[str] = field(default_factory=set)
    unknown: Counter = field(default_factory=Counter)

    def add(self, place: str, row: dict[str, str]) -> None:
        """Add a row of the file."""
        self.total += 1
        name, label = self.names.get(row['ImageID']), row['LabelName']
        (self.missing if name is None else self.seen).add(row['ImageID'])
        if name is None or row['IsGroupOf'] == '1':
            return
        self.here += 1
        if label not in self.numbers:
            self.unknown[label] += 1
            return
        box = self._box(row, place, name)
        if box is not None:
            fields = self.found.setdefault(name, dict(layout=[]))
            fields['layout'].append((self.numbers[label], box))

    def _box(self, row: dict[str, str], place: str, image: str) -> Box | None:
        """(x, y, w, h) relative to the image; None if it is left out."""
        try:
            left, right, top, bottom = (float(row[key]) for key in SIDES)
        except ValueError as error:
            self.report.defect(
                'boxes have sides that are not numbers and are left out',
                f'{place} has an invalid box ({error})',
            )
            return None
        for low, high, swapped in (
            (*SIDES[:2], left > right),
            (*SIDES[2:], top > bottom),
        ):
            if swapped:
                self.report.defect(
                    'boxes have swapped sides and are left out',
                    f'{place} has {low}={row[low]} > {high}={row[high]}',
                )
                return None
        box = left, top, right - left, bottom - top
        return within(box, f'the box of {place}', image, self.report)


def _by_stem(images: Mapping[str, str]) -> dict[str, str]:
    """Image names by ImageID, the name without folder and suffix.

    Raises:
        ValueError: If two images have one ImageID.
    """
    names = {}
    for name in images:
        other = names.setdefault(PurePosixPath(name).stem, name)
        if other != name:
            raise ValueError(
                f'one ImageID of OpenImages would mean both images {other} '
                f'and {name}: rename or remove one'
            )
    return names
