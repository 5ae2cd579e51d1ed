"""Files that have the names of the images."""

import os
from collections.abc import Mapping, Sequence

import numpy as np

from mmldm.registry import DATASETS

from .annotations import Annotations, Fields, check_own
from .file_search import files_below
from .image_checks import find_damage
from .image_files import read_header, read_label_map, read_mask
from .image_names import normal_form
from .report import DataReport
from .threads import in_threads_counted


class FilesBeside(Annotations):
    """Paths of files that have the name of the image.

    Images without such a file are left out and counted.

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
    silence = 'counted'
    #: Whether they have the size of the image.
    same_size = False

    def __init__(self, folder: str, suffix: str = '.png') -> None:
        self.folder = folder
        self.suffix = suffix

    def read(self, root: str, images: Mapping[str, str]) -> Fields:
        """See :class:`Annotations`.

        Raises:
            ValueError: If two images would take one file.
        """
        folder = os.path.join(root, self.folder)
        files = self._files(folder)
        found: Fields = {}
        owners: dict[str, str] = {}
        for name in images:
            stem = os.path.splitext(name)[0]
            path = files.get(normal_form(stem))
            if path is None:
                wanted = os.path.join(folder, stem) + self.suffix
                self.report.defect(
                    f'images have none of the {self.what} and are left out',
                    f'image {name} has no {wanted}',
                    'add them, or set folder and suffix of '
                    f'{type(self).__name__}',
                )
                continue
            check_own(owners, path, name)
            found[name] = {self.key: path}
        for path in files.values():
            if path not in owners:
                self.report.note(f'{self.what} belong to no image', path)
        return found

    def _files(self, folder: str) -> dict[str, str]:
        """Paths by what stands before the suffix, in normal form."""
        length = len(self.suffix)
        return {
            normal_form(os.path.relpath(path, folder)[:-length]): path
            for path in files_below(
                folder, (self.suffix.lower(),), self.report
            )
        }

    def sound(self, entries: Sequence[dict]) -> list[dict]:
        """Entries whose files can be read; the others are counted."""
        sound = in_threads_counted(self._is_sound, entries, self.report)
        return [e for e, good in zip(entries, sound, strict=True) if good]

    def _is_sound(self, entry: dict, report: DataReport) -> bool:
        damage = self.damage(entry, report)
        if damage is not None:
            report.defect(
                f'{self.what} cannot be used, and their images are left out',
                f'{entry[self.key]} ({damage})',
                'delete or replace them',
            )
        return damage is None

    def damage(self, entry: Mapping, report: DataReport) -> str | None:
        """Why the file of an entry cannot be used; None if it can.

        Args:
            entry: With the path of the file, and ``img_path``.
            report: Where it is counted what a usable file is not expected
                to be.
        """
        path = entry[self.key]
        damage = find_damage(path)
        if damage is None and self.same_size:
            damage = other_size(path, entry['img_path'])
        return damage


def other_size(path: str, image: str) -> str | None:
    """What is wrong with the size of a file of an image; None if nothing."""
    try:
        sizes = [
            f'{header.height}x{header.width}'
            for header in map(read_header, (path, image))
        ]
    except (OSError, ValueError) as error:
        return str(error)
    if sizes[0] == sizes[1]:
        return None
    return (
        f'it is {sizes[0]}, its image {image} {sizes[1]}: give both one size'
    )


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
    same_size = True

    def damage(self, entry: Mapping, report: DataReport) -> str | None:
        """See :class:`FilesBeside`; those of colours are read as well."""
        damage = super().damage(entry, report)
        try:
            if damage is None and read_header(entry[self.key]).channels > 1:
                read_label_map(entry[self.key])
        except (OSError, ValueError) as error:
            damage = str(error)
        return damage


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
    same_size = True

    def damage(self, entry: Mapping, report: DataReport) -> str | None:
        """See :class:`FilesBeside`; every mask is read, to find its hole."""
        damage = super().damage(entry, report)
        if damage is None:
            try:
                mask = read_mask(entry[self.key], report)
                _judge_hole(entry[self.key], float(mask.mean()), report)
            except (OSError, ValueError) as error:
                damage = str(error)
        return damage


def _judge_hole(path: str, part: float, report: DataReport) -> None:
    """Count a mask whose hole may be what is known.

    Args:
        path: Of the mask.
        part: That is white.
        report: Where it is counted.
    """
    if part > 0.5:
        report.warn(
            'masks have a hole of more than half of the image, if it is white',
            path,
            "set hole='black' of LoadMask if it is black",
        )


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

    def damage(self, entry: Mapping, report: DataReport) -> str | None:
        """See :class:`FilesBeside`; of an array, its shape as well."""
        damage = super().damage(entry, report)
        if damage is None and self.suffix.lower().endswith('.npy'):
            array = np.load(entry[self.key], mmap_mode='r')
            if array.ndim != 2 or array.dtype.kind != 'f':
                shape = f'{array.dtype} of shape {array.shape}'
                damage = f'it is {shape}, expected floats (L, C)'
        return damage
