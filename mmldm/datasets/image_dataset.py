"""Base class of data sets of image files."""

import os
from abc import abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from zlib import crc32

import numpy as np

from mmldm.utils import check_choice
from mmldm.utils.image_size import Size, check_size
from mmldm.utils.remote_files import is_remote
from mmldm.utils.typing import ConfigType

from .aspect_buckets import AspectBuckets, build_buckets
from .base import AddressedDataset
from .entry_index import find_index, index_file, write_index
from .image_checks import Found, Stored, look_at_all
from .image_search import CANNOT_READ, DELETE
from .pixel_checks import PixelChecks
from .report import DataReport, repeat
from .size_choice import choose_sizes, packed_numbers, unpacked_numbers
from .transforms import Crop

HOLD_OUT = 20
# Fewer entries are read again at every start, which takes seconds.
LEAST_INDEXED = 10_000


class ImageDataset(AddressedDataset):
    """Images of a folder, with an optional split for validation.

    Damaged or incomplete entries are left out, counted and logged in one line
    for each kind. Both ends of every image file are checked, so that a file
    that is cut off is found before training starts and not days later.

    Args:
        data_root: The folder. The tools replace None by the training data
            set's.
        pipeline: Transforms; the file's path is under ``img_path``.
        size: Side of the square, or height and width, in pixels, for
            transforms without a size of their own. The tools replace None
            by the training data set's.
        buckets: Config of :class:`AspectBuckets`: each image gets the one
            of several sizes with the area of ``size`` that cuts least from
            it. None gives all images one size. The tools replace None by
            the training data set's if ``size`` is None too.
        split: 'all' images, or those for 'train' or 'val': one in
            ``HOLD_OUT`` is for validation.
        strict: Refuse the data if something would be left out or
            repaired.
        kwargs: Arguments of mmengine's ``BaseDataset``.

    Raises:
        FileNotFoundError: If the folder is missing.
        ValueError: If no image is usable, or if ``strict`` is True and
            something would be left out or repaired.
    """

    def __init__(
        self,
        data_root: str | None,
        pipeline: list,
        size: Size | None = None,
        buckets: AspectBuckets | ConfigType | None = None,
        split: str = 'all',
        strict: bool = False,
        **kwargs,
    ) -> None:
        name = type(self).__name__
        check_choice(f'{name}.split', split, ('all', 'train', 'val'))
        if size is not None:
            check_size(f'{name}.size', size)
        self.split = split
        self.size = size
        buckets = build_buckets(buckets)
        self.buckets = buckets
        self.sizes = None if buckets is None else buckets.sizes(size)
        self._numbers: np.ndarray | None = None  # of each entry's size
        self.strict = strict
        self.report = DataReport(name, strict)
        if data_root is None or not self.has_root(data_root):
            raise FileNotFoundError(
                f'data_root={data_root!r} is not a folder; give the one that '
                'holds the images: --cfg-options '
                'train_dataloader.dataset.data_root=FOLDER'
            )
        # mmengine would join folders, and knows no URLs.
        kwargs = {'data_prefix': {}, **kwargs}
        super().__init__(pipeline, data_root=str(data_root), **kwargs)

    def _check_crops(self) -> None:
        """Raise if a crop has a size of its own."""
        for i, step in enumerate(self.pipeline.transforms):
            if isinstance(step, Crop) and step.size is not None:
                raise ValueError(
                    f'train_dataloader.dataset.pipeline.{i} crops all images '
                    f'to size={step.size}, so that buckets have no effect: '
                    'remove size of Crop, or buckets'
                )

    def has_root(self, data_root: str) -> bool:
        """Whether images may be at a place; here, whether it is a folder."""
        return Path(data_root).is_dir()

    def full_init(self) -> None:
        """See ``BaseDataset``; entries come from an index if there is one."""
        if self.sizes is not None:
            self._check_crops()
        path = None if self._fully_initialized else self._index_file()
        if path is None:
            super().full_init()
            if self._indices is not None:
                self._numbers = None  # a subset has an order of its own
            return
        index = find_index(path)
        if index is None:
            super().full_init()
            count = len(self) // self.samples_per_entry
            if count >= LEAST_INDEXED:
                entries = map(super().get_data_info, range(count))
                write_index(path, entries, self._found())
            return
        found, classes, *numbers = index.header
        self._numbers = unpacked_numbers(*numbers) if numbers else None
        repeat(type(self).__name__, found)
        if classes is not None:
            self._metainfo['classes'] = tuple(classes)
        # The file is shared by all processes; nothing is left to serialize.
        self.data_list, self.serialize_data = index, False
        self._fully_initialized = True

    def _found(self) -> tuple:
        """What an index keeps beside the entries."""
        found = self.report.found(), self._metainfo.get('classes')
        if self._numbers is not None:
            return (*found, packed_numbers(self._numbers))
        return found

    def _index_file(self) -> Path | None:
        """Where the index of the entries is; None if none is kept."""
        key = self.index_key()
        if key is None or self._indices is not None or self.filter_cfg:
            return None
        root = self.data_root
        if not is_remote(root):
            root = os.path.abspath(root)
        sizes = self.sizes or self.size
        shared = (root, self.split, self.strict, sizes)
        pixels = self._pixel_checks().key()
        return index_file(
            [type(self).__name__, shared, pixels, key], self.indexed_files()
        )

    def index_key(self) -> Any:
        """Plain values that determine the entries, besides their files.

        None, which is the default, keeps no index.
        """
        return None

    def indexed_files(self) -> Sequence[str]:
        """The files that entries are read from, in order."""
        return ()

    def load_data_list(self) -> list[dict]:
        """One entry for each image: ``img_path``, ``size`` and annotations."""
        self.report = DataReport(type(self).__name__, self.strict)
        entries = self.sound_entries(self.list_entries())
        if not entries:
            raise ValueError(
                f'nothing in data_root={self.data_root!r} can be used'
                f'{self.report.reasons()}'
            )
        if self.split != 'all':
            entries = self._part(entries)
        entries = self._sized(entries)
        self.report.tell()
        for entry in entries:
            entry.pop('mode', None)
        return entries

    def _sized(self, entries: list[dict]) -> list[dict]:
        """The entries with the ``size`` of each."""
        if self.sizes is None:
            self._pixel_checks().judge(entries, self.size)
            return [{**entry, 'size': self.size} for entry in entries]
        self._pixel_checks().judge(entries, None)
        self._numbers = choose_sizes(
            entries, self.sizes, self.content, self.report
        )
        return [
            {**entry, 'size': self.sizes[number]}
            for entry, number in zip(entries, self._numbers, strict=True)
        ]

    def size_numbers(self) -> np.ndarray | None:
        """See ``SeveralSizes``."""
        if self.sizes is None:
            return None
        count = len(self) // self.samples_per_entry
        if self._numbers is None or len(self._numbers) != count:  # a subset
            numbers = {size: i for i, size in enumerate(self.sizes)}
            entries = map(super().get_data_info, range(count))
            self._numbers = np.array(
                [numbers[tuple(entry['size'])] for entry in entries],
                dtype=np.uint16,
            )
        return self._numbers

    def _part(self, entries: list[dict]) -> list[dict]:
        """The entries of the split."""
        held_out = _held_out(
            [entry['img_path'] for entry in entries], self.data_root
        )
        wanted = self.split == 'val'
        entries = [
            entry
            for entry in entries
            if (entry['img_path'] in held_out) == wanted
        ]
        if not entries:
            raise ValueError(
                f'data_root={self.data_root!r} holds a single image, which '
                "is kept for validation: add images, or set split='all'"
                f'{self.report.reasons()}'
            )
        return entries

    @abstractmethod
    def list_entries(self) -> list[dict]:
        """One entry for each image: ``img_path`` and annotations.

        Raises:
            ValueError: If there are no images, or no usable annotations.
        """

    def sound_entries(self, entries: list[dict]) -> list[dict]:
        """The entries whose files can be read; the others are counted."""
        kept = []
        found = zip(entries, self.look_at(entries), strict=True)
        for entry, (damage, animated, mode) in found:
            path = entry['img_path']
            if damage is not None:
                self.report.defect(CANNOT_READ, f'{path} ({damage})', DELETE)
                continue
            if animated:
                self.report.note(
                    'images have several pictures; the first is read',
                    path,
                )
            kept.append(entry if mode is None else dict(entry, mode=mode))
        return self._pixel_checks().in_range(kept)

    def look_at(self, entries: Sequence[dict]) -> list[Found]:
        """The findings about the image of each entry."""
        return look_at_all([Stored(entry['img_path']) for entry in entries])

    def content(self, entry: dict) -> bytes | None:
        """The bytes of an entry's file; None if ``img_path`` is the file."""
        return None

    def _pixel_checks(self) -> PixelChecks:
        return PixelChecks(self.pipeline.transforms, self.content, self.report)


def _held_out(paths: list[str], root: str) -> set[str]:
    """Paths of the images for validation, at least one.

    They are chosen by a hash of their names, so that a new image does not
    change the part of another.
    """
    keys = {
        path: crc32(os.fsencode(os.path.relpath(path, root))) for path in paths
    }
    chosen = {path for path, key in keys.items() if key % HOLD_OUT == 0}
    return chosen or {min(keys, key=keys.get)}
