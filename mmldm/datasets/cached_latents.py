"""Training data without images: latents that were computed beforehand."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor

from mmldm.registry import DATASETS
from mmldm.structures import LDMDataSample
from mmldm.utils.several_sizes import Sizes
from mmldm.utils.stored_config import store_config

from .aspect_buckets import build_buckets
from .base import AddressedDataset
from .cache_parts import CacheParts
from .latent_cache import (
    difference,
    part_file,
    read_entry,
    read_manifest,
    read_nulls,
)

# What a cache holds for any number of samples of an entry.
IGNORED = ('samples_per_entry',)


@DATASETS.register_module()
class CachedLatents(AddressedDataset):
    """The data set of ``tools/cache_latents.py``.

    A training from it has the losses of a training from the images, but for
    rounding: a sample is mirrored where the images would have been, and its
    posterior noise has the same address.

    Args:
        root: Folder of the cache.
        dataset: Config of the data set that the cache must have been made
            from; None allows any.

    Raises:
        FileNotFoundError: If the cache is missing or not complete.
        ValueError: If it was made from another data set.
    """

    def __init__(
        self, root: str, dataset: Mapping[str, Any] | None = None
    ) -> None:
        self.root = Path(root)
        self.manifest = read_manifest(self.root)
        if dataset is not None:
            self._check(dataset)
        self.size = self.manifest['size']
        self.parts = CacheParts(self.manifest)
        self.buckets = build_buckets(self.manifest['dataset'].get('buckets'))
        super().__init__(
            pipeline=[self._read],
            samples_per_entry=(dataset or {}).get('samples_per_entry', 1),
            metainfo=self.manifest['metainfo'],
        )

    @property
    def first_stage(self) -> str:
        """Hash of the first stage's weights, hexadecimal."""
        return self.manifest['first_stage']

    @property
    def embedders(self) -> dict[str, Any]:
        """The identity of each frozen embedder in the cache, by its place."""
        return self.manifest['embedders']

    def nulls(self) -> dict[str, Tensor]:
        """What the frozen embedders make of a dropped sample."""
        return read_nulls(self.root)

    @property
    def sizes(self) -> Sizes | None:
        """See ``SeveralSizes``."""
        buckets = self.buckets
        return None if buckets is None else buckets.sizes(self.size)

    def size_numbers(self) -> np.ndarray | None:
        """See ``SeveralSizes``."""
        return self.parts.numbers

    def full_init(self) -> None:
        """See ``BaseDataset``; everything is read when it is needed."""
        # One empty entry, many times: get_data_info copies it.
        self.data_list = [{}] * self.manifest['num_entries']
        self.serialize_data, self._fully_initialized = False, True

    def get_data_info(self, idx: int) -> dict[str, Any]:
        """Names of the entry's fields, without values; see ``BaseDataset``."""
        info = super().get_data_info(idx)
        return info | {name: None for name in self.manifest['fields']}

    def _read(self, info: dict[str, Any]) -> dict[str, Any]:
        """The sample of an entry."""
        # RandomFlip's question to the same generator.
        versions = self.manifest['versions']
        mirrored = (
            versions > 1 and np.random.rand() < self.manifest['flip_prob']
        )
        number, row = self.parts.place(info['source_idx'])
        moments, fields = read_entry(
            part_file(self.root, number), row, int(mirrored), versions
        )
        meta = {
            key: tuple(value) if isinstance(value, list) else value
            for key, value in fields.pop('meta').items()
        }
        meta |= {k: info[k] for k in ('address', 'sample_idx', 'source_idx')}
        sample = LDMDataSample(metainfo=meta)
        if 'layout' in fields:
            fields['layout'] = [(c, tuple(box)) for c, box in fields['layout']]
        sample.set_tensor_data(fields | {'latent_moments': moments})
        return dict(data_samples=sample)

    def _check(self, dataset: Mapping[str, Any]) -> None:
        other = difference(self.manifest['dataset'], comparable(dataset))
        if other is not None:
            raise ValueError(
                f'latent_cache={self.root} was made from other data: '
                f'train_dataloader.dataset.{other}: make another cache, or '
                'remove latent_cache'
            )


def comparable(dataset: Mapping[str, Any]) -> dict[str, Any]:
    """A data set's config as plain values, without what a cache ignores."""
    kept = {k: v for k, v in dataset.items() if k not in IGNORED}
    return json.loads(store_config(kept))
