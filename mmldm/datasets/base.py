"""What all data sets of mmldm share."""

import random
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from mmengine.dataset import BaseDataset

from mmldm.registry import TRANSFORMS
from mmldm.utils import address_seed
from mmldm.utils.draws import Address

from .samplers import SampleDraw


class AddressedDataset(BaseDataset):
    """Data set whose augmentations are a function of the draw.

    All generators that a transform may use, ours, mmcv's or another's, are
    seeded by (seed, epoch, index) around the pipeline. A subclass defines
    ``load_data_list``.

    Args:
        pipeline: Transforms.
        kwargs: As of mmengine's ``BaseDataset``.
    """

    addressed = True  # what AddressedTrainLoop asks for

    def __init__(self, pipeline: list, **kwargs) -> None:
        # Built from our registry: mmengine looks into its own unless a
        # Runner has set the default scope.
        built = [
            TRANSFORMS.build(t) if isinstance(t, dict) else t for t in pipeline
        ]
        super().__init__(pipeline=built, **kwargs)

    def __getitem__(self, idx: int) -> Any:
        """The sample that the pipeline makes of ``idx``.

        Unlike mmengine's it never takes another one where this one fails. A
        plain number always gives the same.
        """
        if not self._fully_initialized:
            self.full_init()
        data_info = self.get_data_info(int(idx))
        if isinstance(idx, SampleDraw):
            data_info['address'] = (idx.seed, idx.position)
        else:  # validation, which is to see the same every time
            idx = SampleDraw(idx, seed=0, epoch=0, position=idx)
            data_info.setdefault('address', (idx.seed, idx.position))
        with seeded((idx.seed, idx.epoch, int(idx))):
            return self.pipeline(data_info)


@contextmanager
def seeded(address: Address) -> Iterator[None]:
    """Seed the global generators, and put their states back afterwards."""
    states = random.getstate(), np.random.get_state(), torch.get_rng_state()
    seed = address_seed(address, 'augmentation') % 2**32
    random.seed(seed)
    np.random.seed(seed)
    torch.default_generator.manual_seed(seed)
    try:
        yield
    finally:
        random.setstate(states[0])
        np.random.set_state(states[1])
        torch.set_rng_state(states[2])
