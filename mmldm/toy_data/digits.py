"""Handwritten digits that need no download."""

import cv2
import numpy as np

from mmldm.datasets import AddressedDataset
from mmldm.registry import DATASETS
from mmldm.utils import check_choice, check_positive


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
        kwargs: Arguments of mmengine's ``BaseDataset``.
    """

    METAINFO = dict(classes=tuple('0123456789'))

    def __init__(
        self, split: str, size: int, pipeline: list, **kwargs
    ) -> None:
        check_choice('DigitsDataset.split', split, ('train', 'test'))
        check_positive('DigitsDataset.size', size)
        self.split = split
        self.size = size
        super().__init__(pipeline, **kwargs)

    def load_data_list(self) -> list[dict]:
        """One entry an image: ``img`` (size, size, 3), ``gt_label``."""
        from sklearn.datasets import load_digits

        digits = load_digits()
        for_test = np.arange(len(digits.images)) % 5 == 4
        chosen = np.flatnonzero(for_test == (self.split == 'test'))
        return [
            dict(
                img=self._enlarge(digits.images[i]),
                gt_label=int(digits.target[i]),
            )
            for i in chosen
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
