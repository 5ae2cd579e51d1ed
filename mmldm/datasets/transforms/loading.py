"""From file to pixels."""

from mmcv.transforms import BaseTransform

from mmldm.registry import TRANSFORMS

from ..image_files import read_image


@TRANSFORMS.register_module()
class LoadImage(BaseTransform):
    """``img_path`` -> ``img``, uint8 BGR (H, W, 3).

    Alpha, 16 bits, grey and EXIF turns are handled.
    """

    def transform(self, results: dict) -> dict:
        """Read the file."""
        results['img'] = read_image(results['img_path'])
        results['ori_shape'] = results['img'].shape[:2]
        return results
