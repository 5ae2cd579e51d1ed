"""Photographs that need no download."""

import numpy as np

from mmldm.datasets import AddressedDataset
from mmldm.registry import DATASETS
from mmldm.utils import check_choice, check_positive

# The photographs in colour. The motorcycle has two views, both for training.
FROM_SKLEARN = ('china', 'flower')
FROM_SKIMAGE = (
    'astronaut',
    'cat',
    'coffee',
    'hubble_deep_field',
    'immunohistochemistry',
    'motorcycle',
    'rocket',
)
# A building, a cat and a still life.
HELD_OUT = ('china', 'cat', 'coffee')


@DATASETS.register_module()
class Photographs(AddressedDataset):
    """Squares of the photographs in scikit-learn's and scikit-image's wheels.

    Whole photographs are held out: 'val' has the tiles of three of them, side
    by side. 'train' has the other photographs, each as often as it has tiles;
    its pipeline needs ``Crop``, which cuts out squares at random.

    Args:
        split: 'train' (7 photographs) or 'val' (3).
        size: Side of a tile, pixels.
        pipeline: Transforms; the photograph or tile is under ``img``.
        kwargs: Arguments of mmengine's ``BaseDataset``.
    """

    def __init__(
        self, split: str, size: int | None, pipeline: list, **kwargs
    ) -> None:
        check_choice('Photographs.split', split, ('train', 'val'))
        check_positive('Photographs.size', size or 0)
        self.split = split
        self.size = size
        super().__init__(pipeline, serialize_data=False, **kwargs)

    def load_data_list(self) -> list[dict]:
        """One entry for each tile: ``img``, uint8 RGB, ``size``, ``name``."""
        entries = []
        for name in (*FROM_SKLEARN, *FROM_SKIMAGE):
            if (name in HELD_OUT) != (self.split == 'val'):
                continue
            for photograph in read_photograph(name):
                tiles = cut_into_tiles(photograph, self.size)
                images = (
                    tiles if self.split == 'val' else [photograph] * len(tiles)
                )
                entries += [
                    dict(img=image, size=self.size, name=name)
                    for image in images
                ]
        return entries


def read_photograph(name: str) -> list[np.ndarray]:
    """The photographs of one name, uint8 RGB (H, W, 3)."""
    if name in FROM_SKLEARN:
        from sklearn.datasets import load_sample_image

        return [load_sample_image(f'{name}.jpg')]
    from skimage import data

    if name == 'motorcycle':
        return [*data.stereo_motorcycle()[:2]]
    return [getattr(data, name)()]


def cut_into_tiles(image: np.ndarray, size: int) -> list[np.ndarray]:
    """Squares side by side from the top left; the rest is left out."""
    height, width = image.shape[:2]
    return [
        image[top : top + size, left : left + size]
        for top in range(0, height - size + 1, size)
        for left in range(0, width - size + 1, size)
    ]
