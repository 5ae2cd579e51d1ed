"""From the batches of datasets to the inputs of networks."""

import torch
from mmengine.model import BaseDataPreprocessor
from torch import Tensor

from mmldm.registry import MODELS
from mmldm.utils.devices import to_device
from mmldm.utils.pixels import to_uint8, to_unit_range


def to_images(x: Tensor) -> Tensor:
    """float RGB in about [-1, 1] -> uint8 RGB, rounded; (B, 3, H, W)."""
    return to_uint8((x.float() + 1) * 127.5)


@MODELS.register_module()
class LDMDataPreprocessor(BaseDataPreprocessor):
    """Stacks images, moves the batch to the device and normalises it."""

    def forward(self, data: dict, training: bool = False) -> dict:
        """A batch as editors expect it.

        Args:
            data: Batch with ``data_samples``; with images, ``inputs``, uint8
                RGB, a list of (3, H, W) or one tensor (B, 3, H, W), on any
                device; in training, ``iteration``.
            training: Not used: training and prediction get the same.

        Returns:
            ``inputs``, float32 RGB in [-1, 1], (B, 3, H, W), or None, and
            everything else unchanged.

        Raises:
            ValueError: If images are not uint8, or differ in size.
        """
        images = data.get('inputs')
        if images is not None:
            # One transfer of bytes; the samples stay on the CPU, where their
            # labels are read.
            images = to_unit_range(to_device(_stack(images), self.device))
        return {**data, 'inputs': images}


def _stack(images: list[Tensor] | Tensor) -> Tensor:
    if isinstance(images, Tensor) and images.dtype == torch.uint8:
        return images
    for image in images:
        if image.dtype != torch.uint8:
            raise ValueError(
                f'images must be uint8 in [0, 255], got {image.dtype}; remove '
                'the normalisation from the dataset pipeline'
            )
    sizes = sorted({tuple(image.shape) for image in images})
    if len(sizes) > 1:
        raise ValueError(
            f'images of one batch differ in shape: {sizes}; end the dataset '
            'pipeline with a Crop to one size'
        )
    return torch.stack(images)
