"""Checks that a model suits its training data."""

import logging
from collections.abc import Iterable, Iterator
from typing import Any

from mmengine.logging import print_log
from torch import nn
from torch.utils.data import Dataset

from mmldm.models.conditioners.pretrained_tokens import PretrainedTokens
from mmldm.models.denoisers import Denoiser
from mmldm.models.editors.part_checks import check_sides
from mmldm.registry import TRANSFORMS
from mmldm.utils import check_divisible
from mmldm.utils.image_size import size_text

# Fields whose classes a data set names.
NAMED = ('gt_label', 'layout')
# Images whose captions are counted; 1,000 take about a second.
MOST_CAPTIONS = 1000


def check_classes(dataset: Dataset, model: nn.Module) -> None:
    """Raise if the data has more classes than the model.

    Otherwise training would stop at the first image of such a class. Fewer
    classes are allowed: some may be reserved for later data.

    Args:
        dataset: The training data set.
        model: An editor; one without a conditioner is not checked.

    Raises:
        ValueError: Names the config keys of both.
    """
    conditioner = getattr(model, 'conditioner', None)
    known = getattr(conditioner, 'class_counts', {})
    for field, count, what in _classes(dataset):
        if field in known and count > known[field][1]:
            key, limit = known[field]
            raise ValueError(
                f'{what}, but model.conditioner.{key}={limit}: set it to '
                f'{count}, or use data with the {limit} classes of the model'
            )


def check_image_size(dataset: Dataset, model: nn.Module) -> None:
    """Raise if the denoiser cannot take latents of the data's size.

    Args:
        dataset: The training data set; one without ``size`` is not checked.
        model: An editor; one without a denoiser is not checked.

    Raises:
        ValueError: Names the key, and a divisor of valid sizes.
    """
    denoiser = getattr(model, 'denoiser', None)
    if not isinstance(denoiser, Denoiser):
        return
    key, factor = 'train_dataloader.dataset.size', model.autoencoder.factor
    buckets = getattr(dataset, 'buckets', None)
    if buckets is not None:
        if denoiser.patch_size > 1:
            check_divisible(
                'train_dataloader.dataset.buckets.step',
                buckets.step,
                'denoiser.patch_size times the factor of the first stage',
                denoiser.patch_size * factor,
            )
    elif getattr(dataset, 'size', None) is not None:
        check_sides(key, dataset.size, 'denoiser', denoiser, factor)


def say_small_sizes(
    counts: Iterable[tuple[int, int, int]] | None, batch_size: int
) -> None:
    """Log the sizes with fewer images than a batch, in one line.

    Args:
        counts: Height, width and number of images of each size; None if all
            have one size.
        batch_size: Images in an iteration, of all processes.
    """
    small = [
        f'{size_text((h, w))} {n}'
        for h, w, n in counts or ()
        if n < batch_size
    ]
    if small:
        print_log(
            f'sizes with fewer images than the {batch_size} of a batch are '
            f'rare, and have images several times in it: {", ".join(small)}; '
            'every image is seen as often as others',
            logger='current',
        )


def count_cut_captions(dataset: Dataset, model: nn.Module) -> None:
    """Warn, with their number, if captions are longer than an encoder reads.

    If there are more captions than ``MOST_CAPTIONS``, as many are read,
    spread over the data set.

    Args:
        dataset: The training data set.
        model: An editor; one without a tokenizer that cuts is not checked.
    """
    found = [m for m in map(_tokenizer, model.modules()) if m is not None]
    for tokenizer in found:
        captions = _captions(dataset)
        lengths = [tokenizer.length(caption) for caption in captions]
        cut = sum(length > tokenizer.max_length for length in lengths)
        if not cut:
            continue
        tokenizer.cut_is_said = True
        longest = max(lengths)
        print_log(
            f'{cut} of {len(captions)} captions of train_dataloader.dataset '
            f'are cut to the {tokenizer.max_length} tokens that the text '
            f'encoder reads; the longest has {longest}, '
            f'{captions[lengths.index(longest)]!r:.80}: shorten them, as '
            'their ends have no effect',
            logger='current',
            level=logging.WARNING,
        )


def _tokenizer(module: nn.Module) -> PretrainedTokens | None:
    """The tokenizer of an embedder if it cuts captions."""
    found = getattr(module, 'tokenizer', None)
    return found if isinstance(found, PretrainedTokens) else None


def _captions(dataset: Any) -> list[str]:
    """The captions of images that are spread over a data set."""
    if not hasattr(dataset, 'get_data_info'):
        return []
    count = len(dataset) // getattr(dataset, 'samples_per_entry', 1)
    step = -(-count // MOST_CAPTIONS) or 1
    entries = [dataset.get_data_info(i) for i in range(0, count, step)]
    captions = [c for entry in entries for c in entry.get('captions', ())]
    return [caption for caption in captions if isinstance(caption, str)]


def _classes(dataset: Any) -> Iterator[tuple[str, int, str]]:
    """(field, number of classes, source of the number, for errors)."""
    names = getattr(dataset, 'metainfo', {}).get('classes')
    if names:
        entry = dataset.get_data_info(0)
        fields = [field for field in NAMED if field in entry]
        # With two fields, the names may belong to either.
        if len(fields) == 1:
            few = ', '.join(map(str, names[:3]))
            what = f'train_dataloader.dataset has {len(names)} classes'
            yield fields[0], len(names), f'{what} ({few} ...)'
    steps = getattr(getattr(dataset, 'pipeline', None), 'transforms', ())
    for i, step in enumerate(steps):
        if isinstance(step, TRANSFORMS.get('mmldm.LoadLabelMap')):
            yield (
                'gt_sem_seg',
                step.num_classes,
                f'train_dataloader.dataset.pipeline.{i}.num_classes='
                f'{step.num_classes}',
            )
