"""From a pipeline's results to what a data preprocessor takes."""

import numpy as np
import torch
from mmcv.transforms import BaseTransform

from mmldm.registry import TRANSFORMS
from mmldm.structures import LDMDataSample


@TRANSFORMS.register_module()
class PackInputs(BaseTransform):
    """``data_samples``, and ``inputs`` (3, H, W) where there is an image."""

    def transform(self, results: dict) -> dict:
        """Pack."""
        sample = LDMDataSample()
        conditions = ('gt_label', 'caption', 'layout')
        sample.set_predefined_data(
            {k: results[k] for k in conditions if k in results}
        )
        if 'gt_sem_seg' in results:
            labels = torch.from_numpy(results['gt_sem_seg'])[None]
            sample.set_tensor_data(dict(gt_sem_seg=labels))
        meta = ('address', 'img_path', 'ori_shape', 'img_shape', 'sample_idx')
        sample.set_metainfo({k: results[k] for k in meta if k in results})
        packed = dict(data_samples=sample)
        if 'img' in results:
            image = np.ascontiguousarray(results['img'].transpose(2, 0, 1))
            packed['inputs'] = torch.from_numpy(image)
            sample.set_metainfo(dict(img_shape=image.shape[1:]))
        return packed
