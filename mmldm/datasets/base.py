"""Base class of all data sets of mmldm."""

import random
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from mmengine.dataset import BaseDataset

from mmldm.registry import TRANSFORMS
from mmldm.utils import address_seed, check_count
from mmldm.utils.sample_random import Address
from mmldm.utils.several_sizes import SeveralSizes

from .samplers import AddressedIndex


class AddressedDataset(SeveralSizes, BaseDataset):
    """Data set whose augmentations depend on (seed, epoch, index) alone.

    All global generators that a transform may use (random, NumPy, torch) are
    seeded by (seed, epoch, index) around the pipeline. A subclass defines
    ``load_data_list``.

    Args:
        pipeline: Transforms.
        samples_per_entry: How many samples each entry gives, one after the
            other. They differ only in the ``address`` that seeds the
            model's noise, and share one ``source_idx``.
        kwargs: Arguments of mmengine's ``BaseDataset``.
    """

    addressed = True  # what AddressedTrainLoop asks for

    def __init__(
        self, pipeline: list, samples_per_entry: int = 1, **kwargs
    ) -> None:
        check_count(
            f'{type(self).__name__}.samples_per_entry', samples_per_entry
        )
        self.samples_per_entry = samples_per_entry
        _check_pipeline(f'{type(self).__name__}.pipeline', pipeline)
        # Built from our registry: mmengine looks into its own unless a
        # Runner has set the default scope.
        built = [
            TRANSFORMS.build(t) if isinstance(t, dict) else t for t in pipeline
        ]
        super().__init__(pipeline=built, **kwargs)

    def __getitem__(self, idx: int) -> Any:
        """The sample that the pipeline makes from entry ``idx``.

        Unlike mmengine's method, it never replaces a sample that fails by
        another one. A plain number always gives the same sample.
        """
        if not self._fully_initialized:
            self.full_init()
        source, number = divmod(int(idx), self.samples_per_entry)
        data_info = self.get_data_info(source)
        data_info.update(source_idx=source, sample_idx=int(idx))
        if isinstance(idx, AddressedIndex):
            data_info['address'] = (idx.seed, idx.position)
        else:  # validation sees the same samples every time
            seed, position = data_info.get('address', (0, source))
            position = self.samples_per_entry * position + number
            data_info['address'] = (seed, position)
            idx = AddressedIndex(idx, seed=0, epoch=0, position=position)
        with seeded((idx.seed, idx.epoch, source)):
            return self.pipeline(data_info)

    def __len__(self) -> int:
        """Number of samples: entries times ``samples_per_entry``."""
        return self.samples_per_entry * super().__len__()


def _check_pipeline(key: str, pipeline: object) -> None:
    """Raise unless ``pipeline`` is a list of transforms."""
    if not isinstance(pipeline, list | tuple) or not all(
        isinstance(t, dict) or callable(t) for t in pipeline
    ):
        raise ValueError(
            f'{key}={pipeline!r} must be a list of transforms, such as '
            "[dict(type='LoadImage'), dict(type='PackInputs')]"
        )


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
