"""Encode a data set once, for trainings without images."""

import random
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmengine.dataset import pseudo_collate
from mmengine.dist import barrier, broadcast_object_list, get_dist_info
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Subset

from mmldm.datasets import AddressedDataset
from mmldm.datasets.base import seeded
from mmldm.datasets.cache_parts import CacheParts
from mmldm.datasets.cached_latents import comparable
from mmldm.datasets.latent_cache import (
    MOMENTS,
    part_file,
    write_manifest,
    write_nulls,
    write_part,
)
from mmldm.datasets.size_choice import packed_numbers
from mmldm.datasets.transforms import RandomFlip
from mmldm.engine.cached_training import first_stage_hash
from mmldm.models.conditioners.frozen_contents import (
    contents,
    frozen_embedders,
)
from mmldm.structures import LDMDataSample

PART_SIZE = 512
# Meta information that belongs to a sample of a run, not to an entry.
OF_RUN = ('address', 'sample_idx', 'source_idx')
Advance = Callable[[int], None]


class Versions(Dataset):
    """Every entry of a data set, and its mirrored version.

    Args:
        dataset: The data set of a training.

    Raises:
        ValueError: If the data set cannot be cached; a sample raises if an
            augmentation other than one ``RandomFlip`` is random.
    """

    def __init__(self, dataset: AddressedDataset) -> None:
        flips = _flips(dataset)
        self.dataset = dataset
        self.count = len(dataset) // dataset.samples_per_entry
        self.flip = flips[0] if flips else None
        self.flip_prob = self.flip.prob if flips else 0.0
        self.versions = 2 if 0 < self.flip_prob < 1 else 1

    def __len__(self) -> int:
        return self.count * self.versions

    def part(self, entries: Sequence[int]) -> Subset:
        """What a file of the cache has: some entries in all versions."""
        number = self.versions
        return Subset(
            self, [number * e + v for e in entries for v in range(number)]
        )

    def __getitem__(self, place: int) -> dict[str, Any]:
        entry, version = divmod(place, self.versions)
        if self.versions > 1:
            self.flip.prob = float(version)
        info = self.dataset.get_data_info(entry)
        info.update(source_idx=entry, sample_idx=entry, address=(0, entry))
        with seeded((0, 0, entry)):
            for i, step in enumerate(self.dataset.pipeline.transforms):
                before = _state()
                info = step(info)
                if step is not self.flip and _state() != before:
                    raise ValueError(
                        f'train_dataloader.dataset.pipeline.{i} '
                        f'({type(step).__name__}) is random, and a cache has '
                        'one version of an image: use one that is not, such '
                        'as Crop in the centre, or train without a cache'
                    )
        return info


def _flips(dataset: Any) -> list[RandomFlip]:
    """The flip of a data set's pipeline, if it has one."""
    if not isinstance(dataset, AddressedDataset):
        raise ValueError(
            f'a {type(dataset).__name__} cannot be cached: set '
            'train_dataloader.dataset to one that derives from '
            'AddressedDataset'
        )
    steps = dataset.pipeline.transforms
    flips = [step for step in steps if isinstance(step, RandomFlip)]
    if len(flips) > 1:
        raise ValueError(
            'train_dataloader.dataset.pipeline has more than one RandomFlip: '
            'leave one'
        )
    return flips


def _state() -> tuple:
    """What changes if a random number is drawn."""
    _, words, place, *_ = np.random.get_state()
    return (
        random.getstate(),
        place,
        int(words[0]),
        torch.get_rng_state().numpy().tobytes(),
    )


def cache_latents(
    runner: Any,
    root: Path,
    batch_size: int,
    dtype: torch.dtype = torch.float32,
    advance: Advance = lambda count: None,
) -> int:
    """Encode the training data of a runner into a cache.

    Processes share the parts. Parts that exist are kept: an interrupted call
    goes on.

    Args:
        runner: A runner of a latent diffusion model.
        root: Folder of the cache.
        batch_size: Images to encode at a time.
        dtype: Type in which moments are stored.
        advance: Called with the number of entries that were done.

    Returns:
        Number of entries.

    Raises:
        ValueError: If the data cannot be cached, or the folder has a cache
            of something else.
    """
    samples = Versions(runner.train_dataloader.dataset)
    manifest, nulls = _manifest(runner, samples, dtype)
    rank, world_size = get_dist_info()
    if rank == 0:
        write_manifest(root, manifest)
        write_nulls(root, nulls)
    barrier()
    parts = CacheParts(manifest)
    left = _left(root, len(parts))
    kept = manifest['num_entries'] - sum(len(parts[n]) for n in left)
    advance(kept // world_size)
    for number in left[rank::world_size]:
        part = samples.part(parts[number])
        _write(runner, part_file(root, number), part, batch_size, dtype)
        advance(len(parts[number]))
    barrier()
    return samples.count


def _write(
    runner: Any,
    file: Path,
    part: Subset,
    batch_size: int,
    dtype: torch.dtype,
) -> None:
    """Encode a part of :class:`Versions` into a file."""
    versions = part.dataset.versions
    loader = DataLoader(
        part,
        batch_size,
        num_workers=runner.cfg.train_dataloader.get('num_workers', 0),
        collate_fn=pseudo_collate,
    )
    tensors, fields = _encoded(runner.bare_model, loader)
    tensors = {
        name: _stored(values, dtype).unflatten(0, (-1, versions))
        for name, values in tensors.items()
    }
    write_part(file, tensors.pop(MOMENTS), fields, tensors)


def _left(root: Path, num_parts: int) -> list[int]:
    """Numbers of the parts that are missing; the same in all processes.

    They are shared evenly, whatever an interrupted call has left.
    """
    numbers = range(num_parts)
    found = [[n for n in numbers if not part_file(root, n).exists()]]
    broadcast_object_list(found)
    return found[0]


def _manifest(
    runner: Any, samples: 'Versions', dtype: torch.dtype
) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """What the cache is made from, and the null content of embedders."""
    dataset, conditioner = samples.dataset, runner.bare_model.conditioner
    sample = samples[0]['data_samples']
    config = runner.cfg.train_dataloader.dataset.to_dict()
    embedders, nulls = {}, {}
    for place, embedder in frozen_embedders(conditioner):
        embedders[str(place)] = embedder.identity()
        for name, null in contents(embedder, place, [sample], True).items():
            nulls[name] = _stored(null[0], dtype)
    only_embedded = _only_embedded(conditioner)
    numbers = dataset.size_numbers()
    return dict(
        num_entries=samples.count,
        part_size=PART_SIZE,
        versions=samples.versions,
        flip_prob=samples.flip_prob,
        dtype=str(dtype).removeprefix('torch.'),
        first_stage=first_stage_hash(runner.bare_model),
        embedders=embedders,
        size=getattr(dataset, 'size', None),
        size_numbers=None if numbers is None else packed_numbers(numbers),
        fields=sorted(_fields(sample, only_embedded).keys() - {'meta'}),
        metainfo=comparable(dataset.metainfo),
        dataset=comparable(config),
    ), nulls


def _only_embedded(conditioner: Any) -> set[str]:
    """Fields of images that frozen embedders alone read."""
    frozen = {place for place, _ in frozen_embedders(conditioner)}
    read: dict[bool, set[str]] = {True: set(), False: set()}
    for place, embedder in enumerate(conditioner.embedders):
        read[place in frozen].update(embedder.reads)
    return (read[True] - read[False]) & {'ref_imgs'}


def _stored(values: Tensor, dtype: torch.dtype) -> Tensor:
    """Floats in the type of a cache; other values as they are."""
    return values.to(dtype) if values.is_floating_point() else values


@torch.no_grad()
def _encoded(
    model: Any, loader: DataLoader
) -> tuple[dict[str, Tensor], list[dict[str, Any]]]:
    """Tensors on the CPU by name, (N, ...), and the fields of each image."""
    found: dict[str, list[Tensor]] = {}
    fields = []
    stage, conditioner = model.autoencoder, model.conditioner
    frozen = [*frozen_embedders(conditioner)]
    only_embedded = _only_embedded(conditioner)
    for batch in loader:
        data_samples = batch['data_samples']
        fields += [_fields(sample, only_embedded) for sample in data_samples]
        images = model.data_preprocessor(batch)['inputs']
        moments = stage.encode_moments(stage.pad(images)).float().cpu()
        tensors = {MOMENTS: moments}
        for place, embedder in frozen:
            tensors |= contents(embedder, place, data_samples, False)
        for name, values in tensors.items():
            found.setdefault(name, []).append(values)
    return {k: torch.cat(parts) for k, parts in found.items()}, fields


def _fields(sample: LDMDataSample, left_out: set[str]) -> dict[str, Any]:
    """The conditions of a sample, and its meta information as ``meta``."""
    fields = {name.removeprefix('_'): v for name, v in sample.items()}
    fields = {k: v for k, v in fields.items() if k not in left_out}
    if 'gt_label' in fields:
        fields['gt_label'] = sample.label
    for name, value in fields.items():
        if not isinstance(value, Tensor | str | int | list):
            raise ValueError(
                f'the field {name} of {sample.name} is a '
                f'{type(value).__name__}, which cannot be cached: train '
                'without a cache'
            )
    if 'ref_imgs' in fields:
        raise ValueError(
            'ref_imgs, images of any size, cannot be cached: train without a '
            'cache'
        )
    meta = {k: v for k, v in sample.metainfo.items() if k not in OF_RUN}
    return dict(fields, meta=meta)
