"""Between what datasets give and what networks take."""

import torch
from mmengine.model import BaseDataPreprocessor
from torch import Tensor

from mmldm.registry import MODELS
from mmldm.utils.pixels import to_unit_range


def to_images(x: Tensor) -> Tensor:
    """float RGB of about [-1, 1] -> uint8 RGB, rounded; (B, 3, H, W)."""
    return ((x.float() + 1) * 127.5).round().clamp(0, 255).to(torch.uint8)


@MODELS.register_module()
class LDMDataPreprocessor(BaseDataPreprocessor):
    """Stacks images, moves the batch and normalises."""

    def forward(self, data: dict, training: bool = False) -> dict:
        """A batch as the editor takes it.

        Args:
            data: ``data_samples``, ``inputs`` where there are images: a
                list of uint8 RGB tensors (3, H, W), and in training the
                ``iteration``.
            training: Not used: both phases are fed alike.

        Returns:
            ``inputs``, float32 RGB in [-1, 1], (B, 3, H, W), or None, and
            the rest as it is.

        Raises:
            ValueError: If images are not uint8, or of several sizes.
        """
        images = data.get('inputs')
        if images is not None:
            # One transfer of bytes; the samples stay on the CPU, where their
            # labels are read.
            batch = _stack(images).to(
                self.device, non_blocking=self._non_blocking
            )
            images = to_unit_range(batch)
        return {**data, 'inputs': images}


def _stack(images: list[Tensor]) -> Tensor:
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
