"""Images in idx files: MNIST, Fashion-MNIST, EMNIST and the like."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from mmldm.registry import DATASETS
from mmldm.utils.image_size import Size, check_size

from .base import AddressedDataset
from .idx_files import find_idx, read_idx


@DATASETS.register_module()
class IdxImages(AddressedDataset):
    """Images of one idx file, with the classes of another one.

    All images stay in memory as they are in the file, 47 MB for MNIST.

    Args:
        data_root: The folder of the files. The tools replace None by the
            training data set's.
        images: Name of the file of images (N, H, W) or (N, H, W, 3); one
            that ends with '.gz' is found by its name without this ending.
        pipeline: Transforms; the image is under ``img``.
        labels: Name of the file of classes, (N,); None for no classes.
        classes: Names of the classes, of which the file may use a part.
        size: Side of the square, or height and width, in pixels, for
            transforms without a size of their own. The tools replace None
            by the training data set's.
        kwargs: Arguments of mmengine's ``BaseDataset``.

    Raises:
        FileNotFoundError: If a file is missing.
        ValueError: If a file is damaged, or does not fit the others.
    """

    def __init__(
        self,
        data_root: str | None,
        images: str,
        pipeline: list,
        labels: str | None = None,
        classes: Sequence[str] | None = None,
        size: Size | None = None,
        **kwargs,
    ) -> None:
        if size is not None:
            check_size('IdxImages.size', size)
        if data_root is None or not Path(data_root).is_dir():
            raise FileNotFoundError(
                f'data_root={data_root!r} is not a folder; give the one that '
                'holds the idx files: --cfg-options '
                'train_dataloader.dataset.data_root=FOLDER'
            )
        self.images = images
        self.labels = labels
        self.size = size
        if classes is not None:
            kwargs['metainfo'] = dict(classes=tuple(classes))
        super().__init__(pipeline, data_root=str(data_root), **kwargs)

    def load_data_list(self) -> list[dict]:
        """One entry an image: ``row`` in the file, ``size``, ``gt_label``."""
        path = find_idx(self.data_root, self.images)
        self.pixels = _pixels(path)
        entries = [
            dict(row=row, img_path=f'{path}/{row}', size=self.size)
            for row in range(len(self.pixels))
        ]
        if self.labels is not None:
            for entry, label in zip(entries, self._labels(), strict=True):
                entry['gt_label'] = label
        return entries

    def get_data_info(self, idx: int) -> dict:
        """The entry with ``img``, uint8 RGB (H, W, 3)."""
        info = super().get_data_info(idx)
        # A copy, as the pipeline may change the image.
        image = np.atleast_3d(self.pixels[info.pop('row')])
        image = np.repeat(image, 3 // image.shape[2], axis=2)
        info.update(img=image, ori_shape=image.shape[:2])
        return info

    def _labels(self) -> list[int]:
        """The class of each image, after checks."""
        path = find_idx(self.data_root, self.labels)
        labels = read_idx(path)
        if labels.shape != self.pixels.shape[:1]:
            raise ValueError(
                f'{path} holds {"x".join(map(str, labels.shape))} classes, '
                f'but {self.images} {len(self.pixels)} images: set labels to '
                'the file that belongs to them'
            )
        names = self.metainfo.get('classes')
        if names is not None and labels.max() >= len(names):
            raise ValueError(
                f'{path} has the class {labels.max()}, but '
                f'IdxImages.classes names {len(names)}: name all of them'
            )
        return labels.tolist()


def _pixels(path: Path) -> np.ndarray:
    """The images of a file, after a check of their shape."""
    pixels = read_idx(path)
    grey, colour = pixels.ndim == 3, pixels.shape[3:] == (3,)
    if not (grey or colour) or not pixels.size:
        raise ValueError(
            f'{path} holds {"x".join(map(str, pixels.shape))} numbers, '
            'expected images (N, H, W) or (N, H, W, 3): set images to the '
            'file of the images'
        )
    return pixels
