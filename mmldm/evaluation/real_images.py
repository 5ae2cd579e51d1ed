"""Real images that metrics compare sets with."""

import json
from functools import lru_cache
from typing import Any

from torch import Tensor

from mmldm.registry import DATASETS
from mmldm.utils.typing import ConfigType


def real_images(dataset: ConfigType) -> tuple[Tensor, ...]:
    """All images of a data set, once, through its pipeline, (3, H, W) each.

    The last ones are kept: several metrics of a test compare with the same
    images, and each again for reconstructions and for noise.

    Args:
        dataset: Config of the data set.
    """
    return _images(_Config(dataset))


class _Config:
    """A config as the key of a cache."""

    def __init__(self, config: ConfigType) -> None:
        self.config = config
        self.text = json.dumps(config, sort_keys=True, default=repr)

    def __eq__(self, other: Any) -> bool:
        return self.text == other.text

    def __hash__(self) -> int:
        return hash(self.text)


@lru_cache(maxsize=1)
def _images(key: _Config) -> tuple[Tensor, ...]:
    images = DATASETS.build(key.config)
    return tuple(images[i]['inputs'] for i in range(len(images)))


def forget() -> None:
    """Free the memory of the images that are kept."""
    _images.cache_clear()
