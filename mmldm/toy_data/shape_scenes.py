"""Drawn scenes whose pictures show whether a condition was followed."""

from itertools import combinations

import numpy as np

from mmldm.datasets import AddressedDataset
from mmldm.registry import DATASETS
from mmldm.utils import address_seed, check_choice, check_count

from .shape_scene import CLASSES, Box, Scene, SceneObject

SPLITS = ('train', 'val')
# Parts of the image: at 32 pixels, an object has sides of 9.6 to 13.4 pixels,
# and is 2 pixels from the next object and 1 from the border.
MIN_SIDE, MAX_SIDE = 0.3, 0.42
GAP, MARGIN = 1 / 16, 1 / 32
MOST_OBJECTS = 3
# Arrangements tried at once: three objects fit in one of 170.
ATTEMPTS = 256


@DATASETS.register_module()
class ShapeScenes(AddressedDataset):
    """Drawn scenes of coloured shapes, which need no files.

    Each scene has ``min_objects`` to ``max_objects`` objects of different
    classes, which do not touch, on dark grey. Four shapes in six colours give
    24 classes. A scene is a function of these numbers and of (seed, split,
    index) alone, the same at any size. The splits have different scenes.

    A sample has the picture ``img`` and descriptions of the scene:
    ``caption``; ``layout``; ``gt_sem_seg`` (H, W), the class plus 1, and 0
    for the background; and, if ``max_objects`` is 1, the class ``gt_label``.
    It also has ``address`` and ``img_shape``, so that a model can generate
    the scene without seeing the picture.

    Args:
        split: 'train' or 'val'.
        size: Height and width, pixels; the tools replace None by the
            training data set's.
        pipeline: Transforms.
        num_samples: Number of scenes.
        min_objects: Smallest number of objects in a scene, 1 to 3.
        max_objects: Largest number of objects in a scene, 1 to 3.
        seed: Seed of the scenes.
        kwargs: Arguments of mmengine's ``BaseDataset``.
    """

    METAINFO = dict(classes=CLASSES)

    def __init__(
        self,
        split: str,
        size: int | None,
        pipeline: list,
        num_samples: int = 10_000,
        min_objects: int = 1,
        max_objects: int = MOST_OBJECTS,
        seed: int = 0,
        **kwargs,
    ) -> None:
        check_choice('ShapeScenes.split', split, SPLITS)
        check_count('ShapeScenes.size', size)
        check_count('ShapeScenes.num_samples', num_samples)
        if max_objects not in range(1, MOST_OBJECTS + 1):
            raise ValueError(
                f'ShapeScenes.max_objects={max_objects} must be 1, 2 or 3: '
                'more objects find no room'
            )
        if min_objects not in range(1, max_objects + 1):
            raise ValueError(
                f'ShapeScenes.min_objects={min_objects} must be from 1 to '
                f'max_objects={max_objects}: lower min_objects'
            )
        self.split = split
        self.size = size
        self.num_samples = num_samples
        self.min_objects = min_objects
        self.max_objects = max_objects
        self.seed = seed
        kwargs.setdefault('serialize_data', False)
        super().__init__(pipeline, **kwargs)

    def load_data_list(self) -> list[dict]:
        """One entry for each scene: ``address``, (seed, index)."""
        return [
            dict(address=(self.seed, index))
            for index in range(self.num_samples)
        ]

    def get_data_info(self, idx: int) -> dict:
        """The entry with its scene, drawn."""
        info = super().get_data_info(idx)
        scene = self.scene(info['address'][1])
        image, labels = scene.render(self.size)
        info.update(
            img=image,
            img_shape=(self.size, self.size),
            caption=scene.caption,
            layout=scene.layout,
            gt_sem_seg=labels,
        )
        if self.max_objects == 1:
            info['gt_label'] = scene.objects[0].label
        return info

    def scene(self, index: int) -> Scene:
        """The objects and background of the scene with this index."""
        address = (self.seed, SPLITS.index(self.split), index)
        rng = np.random.Generator(
            np.random.Philox(key=address_seed(address, 'scene'))
        )
        count = int(rng.integers(self.min_objects, self.max_objects + 1))
        labels = rng.choice(len(CLASSES), count, replace=False).tolist()
        boxes = _boxes(rng, count)
        return Scene(
            tuple(map(SceneObject, labels, boxes)),
            (rng.uniform(35, 65), *rng.uniform(-20, 20, 2).tolist()),
        )


def _boxes(rng: np.random.Generator, count: int) -> list[Box]:
    """Squares with a gap between them, in relative coordinates."""
    while True:
        sides = rng.uniform(MIN_SIDE, MAX_SIDE, (ATTEMPTS, count, 1))
        corners = rng.uniform(MARGIN, 1 - MARGIN - sides, (ATTEMPTS, count, 2))
        centres, valid = corners + sides / 2, np.ones(ATTEMPTS, bool)
        for i, k in combinations(range(count), 2):
            distance = abs(centres[:, i] - centres[:, k]).max(axis=1)
            valid &= distance >= (sides[:, i] + sides[:, k])[:, 0] / 2 + GAP
        if valid.any():
            first = np.concatenate([corners, sides, sides], axis=2)[valid][0]
            return [tuple(box) for box in first.tolist()]
