"""Requests for images to generate, in validation and tests."""

from collections.abc import Sequence

from mmldm.registry import DATASETS
from mmldm.utils import check_count, check_range
from mmldm.utils.image_size import check_size, height_and_width
from mmldm.utils.typing import ConfigType

from .aspect_buckets import AspectBuckets, build_buckets
from .base import AddressedDataset

# A sampler lists the indices of all samples, in 0.4 GB.
MOST = 10_000_000


@DATASETS.register_module()
class GenerationRequests(AddressedDataset):
    """Numbered requests for images: no pixels, balanced classes.

    The noise of image i is a function of (seed, i) alone: the same for any
    batch size and number of processes.

    Args:
        num_samples: Number of images to generate, at most :data:`MOST`.
        size: Their height and width, or the side of a square, pixels; the
            tools replace None by the training data set's.
        pipeline: Transforms; ``PackInputs`` suffices.
        buckets: Config of :class:`AspectBuckets`, whose sizes images have in
            turn; None gives all images one size. The tools replace None by
            the training data set's if ``size`` is None too.
        num_classes: Image i has the label i modulo this number; None gives
            no labels.
        seed: Seed of the images' noise.
        kwargs: Arguments of mmengine's ``BaseDataset``.
    """

    def __init__(
        self,
        num_samples: int,
        size: int | tuple[int, int] | None,
        pipeline: list,
        buckets: AspectBuckets | ConfigType | None = None,
        num_classes: int | None = None,
        seed: int = 0,
        **kwargs,
    ) -> None:
        check_count('GenerationRequests.num_samples', num_samples)
        check_range('GenerationRequests.num_samples', num_samples, 1, MOST)
        if num_classes is not None:
            check_count('GenerationRequests.num_classes', num_classes)
        self.num_samples = num_samples
        if size is None:
            raise ValueError(
                'GenerationRequests.size is missing, and '
                'train_dataloader.dataset has no size: set one of them'
            )
        check_size('GenerationRequests.size', size)
        self.size = height_and_width(size)
        buckets = build_buckets(buckets)
        self.sizes = None if buckets is None else buckets.sizes(size)
        self.num_classes = num_classes
        self.seed = seed
        # Entries that are made on access need no serializing.
        kwargs.setdefault('serialize_data', False)
        super().__init__(pipeline, **kwargs)

    def load_data_list(self) -> 'Requests | list[dict]':
        """One entry an image: ``img_shape``, ``address``, ``gt_label``."""
        requests = Requests(
            range(self.num_samples),
            self.sizes or [self.size],
            self.seed,
            self.num_classes,
        )
        return [*requests] if self.serialize_data else requests


class Requests(Sequence):
    """Entries that are made on access: a million cost no memory.

    Args:
        numbers: Numbers of the images.
        sizes: Height and width of images, pixels; if there are several, every
            class has images of each size.
        seed: Seed of all images.
        num_classes: See :class:`GenerationRequests`.
    """

    def __init__(
        self,
        numbers: range,
        sizes: Sequence[tuple[int, int]],
        seed: int,
        num_classes: int | None,
    ) -> None:
        self.numbers = numbers
        self.rest = sizes, seed, num_classes

    def __len__(self) -> int:
        """Number of entries."""
        return len(self.numbers)

    def __getitem__(self, place: int | slice) -> 'dict | Requests':
        """The entry at an index, or the entries of a slice."""
        if isinstance(place, slice):
            return Requests(self.numbers[place], *self.rest)
        sizes, seed, num_classes = self.rest
        number = self.numbers[place]
        size = sizes[number // (num_classes or 1) % len(sizes)]
        entry = dict(img_shape=size, address=(seed, number))
        if num_classes is not None:
            entry['gt_label'] = number % num_classes
        return entry
