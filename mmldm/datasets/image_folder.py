"""Any folder of images."""

import os
from pathlib import Path
from zlib import crc32

from mmldm.registry import DATASETS
from mmldm.utils import check_choice, check_positive

from .base import AddressedDataset
from .image_files import SUFFIXES, check_files, image_paths

HOLD_OUT = 20


@DATASETS.register_module()
class ImageFolder(AddressedDataset):
    """All PNG, JPEG and WebP images below a folder, in order of their names.

    Every file's end is looked at before training starts, so that one cut off
    is known then and not days later.

    Args:
        data_root: The folder; searched recursively. The tools replace None
            by the training's.
        size: Side of the square that transforms cut, where they do not say
            so themselves; the tools replace None by the training's.
        split: 'all' images, or those for 'train' or 'val': one in
            ``HOLD_OUT`` is for validation.
        pipeline: Transforms; they find the file under ``img_path``.
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
        check_choice('ImageFolder.split', split, ('all', 'train', 'val'))
        if size is not None:
            check_positive('ImageFolder.size', size)
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
        """One entry an image: ``img_path``, ``size``."""
        paths = sorted(image_paths(self.data_root))
        if not paths:
            raise ValueError(
                f'data_root={self.data_root!r} holds no images (files ending '
                f'in {", ".join(SUFFIXES)}, in any subfolder)'
            )
        if self.split != 'all':
            held_out = _held_out(paths, self.data_root)
            paths = [
                path
                for path in paths
                if (path in held_out) == (self.split == 'val')
            ]
        if not paths:
            raise ValueError(
                f'data_root={self.data_root!r} holds a single image, which '
                "is kept for validation: add images, or set split='all'"
            )
        check_files(paths)
        return [dict(img_path=path, size=self.size) for path in paths]


def _held_out(paths: list[str], root: str) -> set[str]:
    """The images for validation, at least one.

    Chosen by a hash of their names, so that a new image moves no other.
    """
    keys = {
        path: crc32(os.path.relpath(path, root).encode()) for path in paths
    }
    chosen = {path for path, key in keys.items() if key % HOLD_OUT == 0}
    return chosen or {min(keys, key=keys.get)}
