"""Colour augmentation."""

import numpy as np
from mmcv.transforms import BaseTransform

from mmldm.registry import TRANSFORMS


@TRANSFORMS.register_module()
class RandomChannelOrder(BaseTransform):
    """Permute the channels of ``img`` at random.

    One image gives six, for data sets whose few photographs have few colours.
    """

    def transform(self, results: dict) -> dict:
        """Permute the channels."""
        order = np.random.permutation(results['img'].shape[2])
        results['img'] = results['img'][..., order]
        return results
