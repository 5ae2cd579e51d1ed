"""What is said about the images of a folder."""

import logging
import os
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import PurePosixPath

from mmengine.logging import print_log

from mmldm.registry import DATASETS
from mmldm.utils import check_count

from .image_files import CHECKED, check_files, files_below, read_size

Fields = dict[str, dict]


class Annotations(ABC):
    """A source of fields of data samples.

    Attributes:
        classes: Names of the classes, in order; None where there are none.
            Known once it was read.
    """

    classes: Sequence[str] | None = None

    @abstractmethod
    def read(self, root: str, images: Mapping[str, str]) -> Fields:
        """Fields by name of the image.

        Args:
            root: Folder of the data set, from which paths of files lead.
            images: Paths of all images by name, the path below their folder.

        Raises:
            ValueError: If something is wrong; the entry is named.
        """


def report_left_out(
    left: int, total: int, what: str, examples: Iterable[str]
) -> None:
    """Say how much is left out, if any; a warning where it is the most.

    Args:
        left: Number of those left out.
        total: Number of all.
        what: They are, and why they are left out.
        examples: Some of them.
    """
    if left:
        print_log(
            f'{left} of {total} {what}, such as {min(examples)}',
            logger='current',
            level=logging.WARNING if 2 * left > total else logging.INFO,
        )


@DATASETS.register_module()
class FolderClasses(Annotations):
    """``gt_label``: a folder for each class, in order of their names.

    ImageNet's folders, named by synset, give the published order.

    Args:
        num_classes: How many there must be, else training and validation
            might number them in different ways; None for any.
    """

    def __init__(self, num_classes: int | None = None) -> None:
        self.num_classes = num_classes

    def read(self, root: str, images: Mapping[str, str]) -> Fields:
        """See :class:`Annotations`."""
        folders = {}
        for name in images:
            parts = PurePosixPath(name).parts
            if len(parts) < 2:
                raise ValueError(
                    f'image {name} below {root} is in no folder of a class: '
                    'put it into one'
                )
            folders[name] = parts[0]
        self.classes = sorted(set(folders.values()))
        if self.num_classes not in (None, len(self.classes)):
            raise ValueError(
                f'{root} has images in {len(self.classes)} folders '
                f'({", ".join(self.classes[:3])} ...), but '
                f'FolderClasses.num_classes={self.num_classes}: add what is '
                'missing, or set num_classes'
            )
        numbers = {name: i for i, name in enumerate(self.classes)}
        return {
            name: dict(gt_label=numbers[folder])
            for name, folder in folders.items()
        }


@DATASETS.register_module()
class LargeImages(Annotations):
    """Nothing but which images are large enough; the others are left out.

    Args:
        min_side: Least length of the shorter side, pixels.
    """

    def __init__(self, min_side: int) -> None:
        check_count('LargeImages.min_side', min_side)
        self.min_side = min_side

    def read(self, root: str, images: Mapping[str, str]) -> Fields:
        """See :class:`Annotations`."""
        with ThreadPoolExecutor(8) as pool:
            sizes = pool.map(read_size, images.values())
            return {
                name: {}
                for name, size in zip(images, sizes, strict=True)
                if min(size) >= self.min_side
            }


class FilesBeside(Annotations):
    """Paths of files that have the name of the image.

    Args:
        folder: Below the data set's folder; has the same subfolders as that
            of the images.
        suffix: What stands there in the place of the image's suffix, such as
            '_mask.png'.
    """

    #: Field that has the path.
    key: str
    #: What errors call the files.
    what = 'files'

    def __init__(self, folder: str, suffix: str = '.png') -> None:
        self.folder = folder
        self.suffix = suffix

    def read(self, root: str, images: Mapping[str, str]) -> Fields:
        """See :class:`Annotations`."""
        folder = os.path.join(root, self.folder)
        found = {}
        for name in images:
            path = os.path.join(folder, os.path.splitext(name)[0])
            path += self.suffix
            if not os.path.isfile(path):
                raise ValueError(
                    f'image {name} has no {path}: add it, or set folder and '
                    f'suffix of {type(self).__name__}'
                )
            found[name] = {self.key: path}
        others = {*files_below(folder, (self.suffix.lower(),))}
        count = len(others)
        others -= {fields[self.key] for fields in found.values()}
        report_left_out(
            len(others), count, f'{self.what} belong to no image', others
        )
        return found

    def check_files(self, entries: Sequence[Mapping]) -> None:
        """Raise, naming them, if those of the entries are damaged."""
        if self.suffix.lower().endswith(CHECKED):
            check_files([entry[self.key] for entry in entries], self.what)


@DATASETS.register_module()
class LabelMaps(FilesBeside):
    """``map_path``, of an image whose values are classes of pixels.

    ``LoadLabelMap`` reads it.

    Args:
        folder: See :class:`FilesBeside`.
        suffix: See :class:`FilesBeside`.
    """

    key = 'map_path'
    what = 'label images'


@DATASETS.register_module()
class MaskFiles(FilesBeside):
    """``mask_path``, of an image that is white where there is a hole.

    ``LoadMask`` reads it.

    Args:
        folder: See :class:`FilesBeside`.
        suffix: See :class:`FilesBeside`.
    """

    key = 'mask_path'
    what = 'masks'


@DATASETS.register_module()
class ReferenceFiles(FilesBeside):
    """``ref_path``, of an image that the image is like.

    ``LoadReference`` reads it.

    Args:
        folder: See :class:`FilesBeside`.
        suffix: See :class:`FilesBeside`.
    """

    key = 'ref_path'
    what = 'references'


@DATASETS.register_module()
class FeatureFiles(FilesBeside):
    """``features_path``, of an array that another encoder has made.

    ``LoadFeatures`` reads it.

    Args:
        folder: See :class:`FilesBeside`.
        suffix: See :class:`FilesBeside`.
    """

    key = 'features_path'
    what = 'features'

    def __init__(self, folder: str, suffix: str = '.npy') -> None:
        super().__init__(folder, suffix)
