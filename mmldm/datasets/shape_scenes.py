"""Scenes whose conditions can be checked in a picture."""

from itertools import combinations

import numpy as np

from mmldm.registry import DATASETS
from mmldm.structures.shape_scene import CLASSES, Box, Scene, SceneObject
from mmldm.utils import address_seed, check_choice, check_count

from .base import AddressedDataset

SPLITS = ('train', 'val')
# Parts of the image: at 32 pixels, an object has 9.6 to 13.4 of them a side
# and is 2 from the next and 1 from the border.
MIN_SIDE, MAX_SIDE = 0.3, 0.42
GAP, MARGIN = 1 / 16, 1 / 32
MOST_OBJECTS = 3
# Places tried at once: those of three objects fit in one of 170.
ATTEMPTS = 256


@DATASETS.register_module()
class ShapeScenes(AddressedDataset):
    """Drawn scenes of coloured shapes, which need no files.

    Each has one to ``max_objects`` objects of different classes, which do
    not touch, on dark grey. Four shapes in six colours are 24 classes. What
    is drawn is a function of (seed, split, index) alone, the same at any
    size. Scenes of both splits differ.

    A sample has the picture ``img`` and what says the same in other words:
    ``caption``; ``layout``; ``gt_sem_seg`` (H, W), the class plus 1, and 0
    for the background; and where there is never more than one object its
    class, ``gt_label``. It has an ``address`` and ``img_shape`` too: what it
    shows can be asked of a model, which does not see the picture.

    Args:
        split: 'train' or 'val'.
        size: Height and width, pixels; the tools replace None by the
            training's.
        pipeline: Transforms.
        num_samples: Scenes; any number.
        max_objects: Objects a scene at most, 1 to 3.
        seed: Other scenes for another seed.
        kwargs: As of mmengine's ``BaseDataset``.
    """

    METAINFO = dict(classes=CLASSES)

    def __init__(
        self,
        split: str,
        size: int | None,
        pipeline: list,
        num_samples: int = 10_000,
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
        self.split = split
        self.size = size
        self.num_samples = num_samples
        self.max_objects = max_objects
        self.seed = seed
        kwargs.setdefault('serialize_data', False)
        super().__init__(pipeline, **kwargs)

    def load_data_list(self) -> list[dict]:
        """One entry a scene: ``address``, (seed, index)."""
        return [
            dict(address=(self.seed, index))
            for index in range(self.num_samples)
        ]

    def get_data_info(self, idx: int) -> dict:
        """The entry with its scene drawn."""
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
        """What is to be seen in the scene of this index."""
        address = (self.seed, SPLITS.index(self.split), index)
        rng = np.random.Generator(
            np.random.Philox(key=address_seed(address, 'scene'))
        )
        count = int(rng.integers(1, self.max_objects + 1))
        labels = rng.choice(len(CLASSES), count, replace=False).tolist()
        boxes = _boxes(rng, count)
        return Scene(
            tuple(map(SceneObject, labels, boxes)),
            (rng.uniform(35, 65), *rng.uniform(-20, 20, 2).tolist()),
        )


def _boxes(rng: np.random.Generator, count: int) -> list[Box]:
    """Squares with a gap between them, as parts of the image."""
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
