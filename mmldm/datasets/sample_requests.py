"""What to generate, in validation and tests."""

from mmldm.registry import DATASETS
from mmldm.utils import check_count, check_positive

from .base import AddressedDataset


@DATASETS.register_module()
class SampleRequests(AddressedDataset):
    """Numbered wishes for images: no pixels, balanced classes.

    What is drawn for image i is a function of (seed, i) alone: the same for
    any batch size and number of processes.

    Args:
        num_samples: Images to generate.
        size: Their height and width, or the side of a square, pixels; the
            tools replace None by the training's.
        pipeline: Transforms; ``PackInputs`` suffices.
        num_classes: Image i has the label i modulo this; None for none.
        seed: Other images for another seed.
        kwargs: As of mmengine's ``BaseDataset``.
    """

    def __init__(
        self,
        num_samples: int,
        size: int | tuple[int, int] | None,
        pipeline: list,
        num_classes: int | None = None,
        seed: int = 0,
        **kwargs,
    ) -> None:
        check_positive('SampleRequests.num_samples', num_samples)
        self.num_samples = num_samples
        if size is None:
            raise ValueError(
                'SampleRequests.size is not given, nor does '
                'train_dataloader.dataset have a size'
            )
        self.size = (size, size) if isinstance(size, int) else tuple(size)
        if len(self.size) != 2:
            raise ValueError(
                f'SampleRequests.size={size!r} must be a side or two, height '
                'and width'
            )
        for side in self.size:
            check_count('SampleRequests.size', side)
        self.num_classes = num_classes
        self.seed = seed
        super().__init__(pipeline, **kwargs)

    def load_data_list(self) -> list[dict]:
        """One entry an image: ``img_shape``, ``address``, ``gt_label``."""
        labels = [
            {}
            if self.num_classes is None
            else dict(gt_label=i % self.num_classes)
            for i in range(self.num_samples)
        ]
        return [
            dict(img_shape=self.size, address=(self.seed, i), **label)
            for i, label in enumerate(labels)
        ]
