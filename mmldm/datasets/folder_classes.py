"""Class labels from the folders of the images."""

import os
import re
from collections.abc import Collection, Mapping
from pathlib import PurePosixPath

from mmldm.registry import DATASETS

from .annotations import Annotations, Fields
from .file_search import is_hidden
from .report import printable

# How many folders a message about their order names.
NUM_SHOWN = 12


@DATASETS.register_module()
class FolderClasses(Annotations):
    """``gt_label``: one folder for each class, in the order of their names.

    If all names are whole numbers, the order is numerical, 2 before 10;
    otherwise it is alphabetical, 'a10' before 'a2'. ImageNet's folders, named
    by synset, give the published order. Images outside these folders are left
    out and counted.

    Args:
        num_classes: Required number of folders, so that training and
            validation number them alike; None accepts any number.
    """

    silence = 'counted'

    def __init__(self, num_classes: int | None = None) -> None:
        self.num_classes = num_classes

    def read(self, root: str, images: Mapping[str, str]) -> Fields:
        """See :class:`Annotations`."""
        folders = {}
        for name in images:
            parts = PurePosixPath(name).parts
            if len(parts) > 1:
                folders[name] = parts[0]
                continue
            self.report.defect(
                'images are in no folder of a class and are left out',
                f'image {name} below {root}',
                'put them into the folder of their class',
            )
        self.classes = in_order({*folders.values()})
        self._check(root)
        self._tell(images)
        numbers = {name: i for i, name in enumerate(self.classes)}
        return {
            name: dict(gt_label=numbers[folder])
            for name, folder in folders.items()
        }

    def _check(self, root: str) -> None:
        """Raise unless there are ``num_classes`` classes."""
        if self.num_classes not in (None, len(self.classes)):
            raise ValueError(
                f'{root} has images in {len(self.classes)} folders '
                f'({", ".join(self.classes[:3])} ...), but '
                f'FolderClasses.num_classes={self.num_classes}: add the '
                f'missing folders, or set num_classes={len(self.classes)}'
            )

    def _tell(self, images: Mapping[str, str]) -> None:
        """Report an order of classes that a user may not expect."""
        shown = ', '.join(map(printable, self.classes[:NUM_SHOWN]))
        more = ' ...' if len(self.classes) > NUM_SHOWN else ''
        listed = f'classes 0, 1, 2 ... are {shown}{more}'
        if self.classes != sorted(self.classes):
            self.report.state(
                f'FolderClasses orders folders by number, not by letters: '
                f'{listed}'
            )
        elif self.classes != _as_counted(self.classes):
            self.report.state(
                'FolderClasses orders folders by letters, not by the numbers '
                f'in their names: {listed}'
            )
        for folder in sorted(_empty_folders(images, self.classes)):
            self.report.note('folders have no images and no class', folder)


def in_order(names: Collection[str]) -> list[str]:
    """Names in numerical order if all are numbers, else alphabetically."""
    if all(name.isascii() and name.isdigit() for name in names):
        return sorted(names, key=lambda name: (int(name), name))
    return sorted(names)


def _as_counted(names: Collection[str]) -> list[str]:
    """Names in the order of the numbers in them: 'a2' before 'a10'."""

    def key(name: str) -> list[tuple[int, str]]:
        parts = re.split('([0-9]+)', name)
        return [(int(p) if p.isdigit() else -1, p) for p in parts]

    return sorted(names, key=key)


def _empty_folders(
    images: Mapping[str, str], classes: Collection[str]
) -> set[str]:
    """Names of the folders that hold no image of any class."""
    name, path = next(iter(images.items()))
    base = path[: -len(name)]
    with os.scandir(base) as entries:
        return {
            entry.name
            for entry in entries
            if entry.is_dir() and not is_hidden(entry.name)
        }.difference(classes)
