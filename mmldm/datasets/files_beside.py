"""Annotation files that share the names of the images."""

import os
from collections.abc import Mapping, Sequence

import numpy as np

from mmldm.registry import DATASETS

from .annotations import Annotations, Fields, check_own
from .file_search import files_below
from .image_checks import find_damage
from .image_files import read_header, read_mask
from .image_names import normal_form
from .label_maps import read_label_map
from .report import DataReport
from .threads import in_threads_counted


class FilesBeside(Annotations):
    """Paths of annotation files, one for each image, with the image's name.

    Images without such a file are left out and counted.

    Args:
        folder: Path below the data set's folder. Its subfolders are those of
            the images.
        suffix: Replaces the image's suffix in the file's name, such as
            '_mask.png'.
    """

    #: Name of the field that holds the path.
    key: str
    #: Name of the files in errors.
    what = 'files'
    silence = 'counted'
    #: Whether the files must have the size of their image.
    same_size = False

    def __init__(self, folder: str, suffix: str = '.png') -> None:
        self.folder = folder
        self.suffix = suffix

    def read(self, root: str, images: Mapping[str, str]) -> Fields:
        """See :class:`Annotations`.

        Raises:
            ValueError: If two images share a file.
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
                    f'images have no {self.what} and are left out',
                    f'image {name} has no {wanted}',
                    'add the files, or set folder and suffix of '
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
        """Paths by the name without suffix, in normal form."""
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
            entry: Has ``img_path`` and, under ``key``, the file's path.
            report: Counts what is unexpected in a usable file.
        """
        path = entry[self.key]
        damage = find_damage(path)
        if damage is None and self.same_size:
            damage = other_size(path, entry['img_path'])
        return damage


def other_size(path: str, image: str) -> str | None:
    """Why a file and its image differ in size; None if they do not."""
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
    """``map_path``: the path of an image whose values are pixel classes.

    ``LoadLabelMap`` reads it.

    Args:
        folder: See :class:`FilesBeside`.
        suffix: See :class:`FilesBeside`.
    """

    key = 'map_path'
    what = 'label images'
    same_size = True

    def damage(self, entry: Mapping, report: DataReport) -> str | None:
        """See :class:`FilesBeside`; files with colours are decoded too."""
        damage = super().damage(entry, report)
        try:
            if damage is None and read_header(entry[self.key]).channels > 1:
                read_label_map(entry[self.key])
        except (OSError, ValueError) as error:
            damage = str(error)
        return damage


@DATASETS.register_module()
class MaskFiles(FilesBeside):
    """``mask_path``: the path of an image that is white in the hole.

    ``LoadMask`` reads it.

    Args:
        folder: See :class:`FilesBeside`.
        suffix: See :class:`FilesBeside`.
    """

    key = 'mask_path'
    what = 'masks'
    same_size = True

    def damage(self, entry: Mapping, report: DataReport) -> str | None:
        """See :class:`FilesBeside`; every mask is decoded to find its hole."""
        damage = super().damage(entry, report)
        if damage is None:
            try:
                mask = read_mask(entry[self.key], report)
                _judge_hole(entry[self.key], float(mask.mean()), report)
            except (OSError, ValueError) as error:
                damage = str(error)
        return damage


def _judge_hole(path: str, part: float, report: DataReport) -> None:
    """Count a mask in which hole and known part may be swapped.

    Args:
        path: The mask's path.
        part: Share of white pixels, in [0, 1].
        report: Counts the mask.
    """
    if part > 0.5:
        report.warn(
            'masks are white in more than half of the image',
            path,
            "set hole='black' of LoadMask if the hole is black",
        )


@DATASETS.register_module()
class ReferenceFiles(FilesBeside):
    """``ref_path``: the path of a reference that the image resembles.

    ``LoadReference`` reads it.

    Args:
        folder: See :class:`FilesBeside`.
        suffix: See :class:`FilesBeside`.
    """

    key = 'ref_path'
    what = 'references'


@DATASETS.register_module()
class FeatureFiles(FilesBeside):
    """``features_path``: the path of an array made by another encoder.

    ``LoadFeatures`` reads it.

    Args:
        folder: See :class:`FilesBeside`.
        suffix: See :class:`FilesBeside`.
    """

    key = 'features_path'
    what = 'features'
    #: Axes of the array, kinds of its numbers, and both for messages.
    ndim, kinds, expected = 2, 'f', 'floats (L, C)'

    def __init__(self, folder: str, suffix: str = '.npy') -> None:
        super().__init__(folder, suffix)

    def damage(self, entry: Mapping, report: DataReport) -> str | None:
        """See :class:`FilesBeside`; the shape of an array is checked too."""
        damage = super().damage(entry, report)
        if damage is None and self.suffix.lower().endswith('.npy'):
            array = np.load(entry[self.key], mmap_mode='r')
            if array.ndim != self.ndim or array.dtype.kind not in self.kinds:
                shape = f'{array.dtype} of shape {array.shape}'
                damage = f'it is {shape}, expected {self.expected}'
        return damage


@DATASETS.register_module()
class TokenFiles(FeatureFiles):
    """``tokens_path``: the path of an array with the ids of tokens.

    ``LoadTokens`` reads it.

    Args:
        folder: See :class:`FilesBeside`.
        suffix: See :class:`FilesBeside`.
    """

    key = 'tokens_path'
    what = 'tokens'
    ndim, kinds, expected = 1, 'iu', 'integers (L,)'
