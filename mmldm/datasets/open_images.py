"""Boxes in the files of OpenImages."""

import csv
import logging
from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath

from mmengine.logging import print_log

from mmldm.registry import DATASETS
from mmldm.utils import check_range

from .annotations import Annotations, Fields
from .boxes import Box, with_objects, within


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
        found, missing = defaultdict(lambda: dict(layout=[])), set()
        for place, row in self._rows(Path(root) / self.file):
            name = names.get(row['ImageID'])
            if name is None:
                missing.add(row['ImageID'])
            elif row['LabelName'] in numbers and row['IsGroupOf'] != '1':
                box = within(
                    self._box(row, place), f'the box of {place}', name
                )
                if box is not None:
                    label = numbers[row['LabelName']]
                    found[name]['layout'].append((label, box))
        if missing:
            print_log(
                f'{len(missing)} images of {self.file} are not there, such '
                f'as {min(missing)}',
                logger='current',
                level=logging.INFO,
            )
        return with_objects(found, self.min_objects)

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
