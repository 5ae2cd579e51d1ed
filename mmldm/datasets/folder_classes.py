"""Classes by the folders that images lie in."""

import os
import re
from collections.abc import Collection, Mapping
from pathlib import PurePosixPath

from mmldm.registry import DATASETS

from .annotations import Annotations, Fields
from .file_search import is_hidden
from .report import printable

# Folders that are named where their order is said.
NUM_SHOWN = 12


@DATASETS.register_module()
class FolderClasses(Annotations):
    """``gt_label``: a folder for each class, in order of their names.

    Folders whose names are all whole numbers come in the order of these, 2
    before 10; others in the order of their letters, 'a10' before 'a2'.
    ImageNet's folders, named by synset, give the published order. Images in
    no folder are left out and counted.

    Args:
        num_classes: How many there must be, else training and validation
            might number them in different ways; None for any.
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
                'put them into one',
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
        """Raise unless there are as many classes as there must be."""
        if self.num_classes not in (None, len(self.classes)):
            raise ValueError(
                f'{root} has images in {len(self.classes)} folders '
                f'({", ".join(self.classes[:3])} ...), but '
                f'FolderClasses.num_classes={self.num_classes}: add what is '
                'missing, or set num_classes'
            )

    def _tell(self, images: Mapping[str, str]) -> None:
        """Say what may not be expected of the classes."""
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
            self.report.note('folders have no images and are no class', folder)


def in_order(names: Collection[str]) -> list[str]:
    """Names by their number where all are numbers, else by letters."""
    if all(name.isascii() and name.isdigit() for name in names):
        return sorted(names, key=lambda name: (int(name), name))
    return sorted(names)


def _as_counted(names: Collection[str]) -> list[str]:
    """Names in the order in which a reader would count: 'a2' before 'a10'."""

    def key(name: str) -> list[tuple[int, str]]:
        parts = re.split('([0-9]+)', name)
        return [(int(p) if p.isdigit() else -1, p) for p in parts]

    return sorted(names, key=key)


def _empty_folders(
    images: Mapping[str, str], classes: Collection[str]
) -> set[str]:
    """Folders beside those of the classes."""
    name, path = next(iter(images.items()))
    base = path[: -len(name)]
    with os.scandir(base) as entries:
        return {
            entry.name
            for entry in entries
            if entry.is_dir() and not is_hidden(entry.name)
        }.difference(classes)
