"""Handwritten digits that need no download."""

from collections.abc import Collection

import cv2
import numpy as np

from mmldm.datasets import AddressedDataset
from mmldm.registry import DATASETS
from mmldm.utils import check_choice, check_count, check_positive


@DATASETS.register_module()
class DigitsDataset(AddressedDataset):
    """The 1,797 handwritten digits in scikit-learn's wheel.

    8x8 images with 17 grey levels of the UCI set 'Optical Recognition of
    Handwritten Digits', enlarged by bicubic interpolation. Every fifth image
    is for testing.

    Args:
        split: 'train' (1,438 images) or 'test' (359).
        size: Height and width.
        pipeline: Transforms; the image is under ``img``.
        mirrored: Digits that are mirrored, left to right.
        most: Number of images of each digit, the first ones; None for all.
        kwargs: Arguments of mmengine's ``BaseDataset``.
    """

    METAINFO = dict(classes=tuple('0123456789'))

    def __init__(
        self,
        split: str,
        size: int,
        pipeline: list,
        mirrored: Collection[int] = (),
        most: int | None = None,
        **kwargs,
    ) -> None:
        check_choice('DigitsDataset.split', split, ('train', 'test'))
        check_positive('DigitsDataset.size', size)
        self.split = split
        if most is not None:
            check_count('DigitsDataset.most', most)
        self.size = size
        self.mirrored = mirrored
        self.most = most
        super().__init__(pipeline, **kwargs)

    def load_data_list(self) -> list[dict]:
        """One entry an image: ``img`` (size, size, 3), ``gt_label``."""
        from sklearn.datasets import load_digits

        digits = load_digits()
        for_test = np.arange(len(digits.images)) % 5 == 4
        chosen = np.flatnonzero(for_test == (self.split == 'test'))
        images, labels = digits.images[chosen], digits.target[chosen]
        # The place of each image among those of its digit.
        places = [(labels[:i] == n).sum() for i, n in enumerate(labels)]
        return [
            dict(
                img=self._enlarge(x[:, ::-1] if n in self.mirrored else x),
                gt_label=int(n),
            )
            for x, n, place in zip(images, labels, places, strict=True)
            if self.most is None or place < self.most
        ]

    def _enlarge(self, image: np.ndarray) -> np.ndarray:
        """(8, 8) in [0, 16] -> uint8 (size, size, 3)."""
        image = cv2.resize(
            (image * 255 / 16).astype(np.float32),
            (self.size, self.size),
            interpolation=cv2.INTER_CUBIC,
        )
        grey = image.round().clip(0, 255).astype(np.uint8)
        return np.repeat(grey[..., None], 3, axis=2)
