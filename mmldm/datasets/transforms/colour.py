"""Other colours of the same image."""

import numpy as np
from mmcv.transforms import BaseTransform

from mmldm.registry import TRANSFORMS


@TRANSFORMS.register_module()
class RandomChannelOrder(BaseTransform):
    """Permute the channels of ``img`` at random.

    Six images of one: for data sets of few photographs, whose colours are
    not all that there are.
    """

    def transform(self, results: dict) -> dict:
        """Permute."""
        order = np.random.permutation(results['img'].shape[2])
        results['img'] = results['img'][..., order]
        return results
