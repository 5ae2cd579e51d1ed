"""What data sets of image files share."""

import os
from abc import abstractmethod
from pathlib import Path
from zlib import crc32

from mmldm.utils import check_choice, check_positive

from .base import AddressedDataset

HOLD_OUT = 20


class ImageDataset(AddressedDataset):
    """Images of a folder, some of which are for validation.

    Args:
        data_root: The folder. The tools replace None by the training's.
        pipeline: Transforms; they find the file under ``img_path``.
        size: Side of the square that transforms cut, where they do not say
            so themselves; the tools replace None by the training's.
        split: 'all' images, or those for 'train' or 'val': one in
            ``HOLD_OUT`` is for validation.
        kwargs: As of mmengine's ``BaseDataset``.

    Raises:
        FileNotFoundError: If there is no such folder.
        ValueError: If it holds no images, or damaged ones.
    """

    def __init__(
        self,
        data_root: str | None,
        pipeline: list,
        size: int | None = None,
        split: str = 'all',
        **kwargs,
    ) -> None:
        name = type(self).__name__
        check_choice(f'{name}.split', split, ('all', 'train', 'val'))
        if size is not None:
            check_positive(f'{name}.size', size)
        self.split = split
        self.size = size
        if data_root is None or not Path(data_root).is_dir():
            raise FileNotFoundError(
                f'data_root={data_root!r} is not a folder; give the one that '
                'holds the images: --cfg-options '
                'train_dataloader.dataset.data_root=FOLDER'
            )
        super().__init__(pipeline, data_root=str(data_root), **kwargs)

    def load_data_list(self) -> list[dict]:
        """One entry an image: ``img_path``, ``size`` and its annotations."""
        entries = self.list_entries()
        if self.split != 'all':
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
            )
        self.check_entries(entries)
        return [dict(entry, size=self.size) for entry in entries]

    @abstractmethod
    def list_entries(self) -> list[dict]:
        """All images: ``img_path`` and annotations.

        Raises:
            ValueError: If there are none, or annotations are wrong.
        """

    def check_entries(self, entries: list[dict]) -> None:
        """Raise, naming them, if files are damaged."""


def _held_out(paths: list[str], root: str) -> set[str]:
    """The images for validation, at least one.

    Chosen by a hash of their names, so that a new image moves no other.
    """
    keys = {
        path: crc32(os.path.relpath(path, root).encode()) for path in paths
    }
    chosen = {path for path, key in keys.items() if key % HOLD_OUT == 0}
    return chosen or {min(keys, key=keys.get)}
