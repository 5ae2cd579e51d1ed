"""Packing of a pipeline's results for the data preprocessor."""

import cv2
import numpy as np
import torch
from mmcv.transforms import BaseTransform
from torch import Tensor

from mmldm.registry import TRANSFORMS
from mmldm.structures import LDMDataSample

from .spatial import maps_of

META = (
    'address',
    'img_path',
    'ori_shape',
    'img_shape',
    'sample_idx',
    'source_idx',
    'crop_box',
)
AS_THEY_ARE = ('gt_label', 'caption', 'layout', 'tokens', 'features')


@TRANSFORMS.register_module()
class PackInputs(BaseTransform):
    """Pack ``data_samples``, and ``inputs`` (3, H, W) if there is an image.

    A data sample receives those of ``gt_label``, ``caption``, ``layout``,
    ``tokens``, ``features``, ``gt_sem_seg``, ``mask``, ``img_lq`` and
    ``ref_imgs`` that exist, the maps that ``extra_maps`` names, as (C, H, W),
    and the image's origin as meta information.

    Args:
        gt_img: Add the image to the data sample, for ``MaskedImage``.
    """

    def __init__(self, gt_img: bool = False) -> None:
        self.gt_img = gt_img

    def transform(self, results: dict) -> dict:
        """Pack the results."""
        fields = {k: results[k] for k in AS_THEY_ARE if k in results}
        if 'img_lq' in results:
            fields['img_lq'] = _channels_first(results['img_lq'])
        if 'ref_imgs' in results:
            fields['ref_imgs'] = [
                _channels_first(image) for image in results['ref_imgs']
            ]
        sample = LDMDataSample()
        for name in maps_of(results):
            values = _channels_first(np.atleast_3d(results[name]))
            sample.set_field(values, name)
        sample.set_metainfo({k: results[k] for k in META if k in results})
        packed = dict(data_samples=sample)
        if 'img' in results:
            image = packed['inputs'] = _channels_first(results['img'])
            sample.set_metainfo(dict(img_shape=tuple(image.shape[1:])))
            if self.gt_img:
                fields['gt_img'] = image
        sample.set_tensor_data(fields)
        return packed


def _channels_first(image: np.ndarray) -> Tensor:
    """(H, W, C) -> (C, H, W)."""
    if image.dtype == np.uint8 and image.strides[1:] == (3, 1):
        # 10 us for 256x256 pixels, a third of np.stack(cv2.split(image)).
        planes = np.empty((3, *image.shape[:2]), np.uint8)
        cv2.split(image, list(planes))
        return torch.from_numpy(planes)
    return torch.from_numpy(np.ascontiguousarray(image.transpose(2, 0, 1)))
