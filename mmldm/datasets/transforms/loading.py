"""From file to pixels."""

import math

import numpy as np
from mmcv.transforms import BaseTransform

from mmldm.registry import TRANSFORMS
from mmldm.utils import check_count

from ..image_files import fits, read_image, read_label_map
from .fields import require
from .spatial import check_size


@TRANSFORMS.register_module()
class LoadImage(BaseTransform):
    """``img_path`` -> ``img``, uint8 RGB (H, W, 3).

    Alpha, 16 bits, floats, grey and EXIF turns are handled. Where the dataset
    gives ``img_bytes``, these are the file.

    Args:
        value_range: Values that become black and white, of images with more
            than 8 bits a channel, such as (0, 4095) of a camera of 12 bits;
            None for (0, 65535), and (0, 1) of floats.
    """

    def __init__(self, value_range: tuple[float, float] | None = None) -> None:
        if value_range is not None:
            value_range = _checked_range(value_range)
        self.value_range = value_range

    def transform(self, results: dict) -> dict:
        """Read the file.

        Raises:
            ValueError: If it cannot be read, or has not the proportions of
                ``annotated_shape``, (H, W), as where it was turned since.
        """
        content = results.pop('img_bytes', None)
        results['img'] = read_image(
            results['img_path'], content, value_range=self.value_range
        )
        height, width = results['ori_shape'] = results['img'].shape[:2]
        annotated = results.get('annotated_shape')
        if annotated and not fits((height, width), annotated):
            raise ValueError(
                f'image {results["img_path"]} is {height}x{width}, but its '
                f'annotations are of one of {annotated[0]}x{annotated[1]}: '
                'was it turned or cut? Take the original'
            )
        return results


def _checked_range(value_range: object) -> tuple[float, float]:
    """Two finite numbers, black below white.

    Raises:
        ValueError: If it is none.
    """
    try:
        black, white = (float(value) for value in value_range)
    except (TypeError, ValueError, OverflowError):
        black, white = math.nan, math.nan
    if not -math.inf < black < white < math.inf:
        raise ValueError(
            f'LoadImage.value_range={value_range!r} must be two numbers, '
            'those of black and of white, such as (0, 4095)'
        )
    return black, white


@TRANSFORMS.register_module()
class LoadLabelMap(BaseTransform):
    """``map_path`` -> ``gt_sem_seg``, classes of pixels, int64 (H, W).

    It comes right behind ``LoadImage``. ADE20K's files have 0 for what is
    none of 150 classes: take 151. COCO-Stuff's have classes from 0 to 181 and
    255 for what has none: shift them by 1, and take 183.

    Args:
        num_classes: Classes are in [0, num_classes).
        shift: What is added to the numbers of the file.
        ignored: Number in the file of pixels without a class, which get
            class 0.
    """

    def __init__(
        self, num_classes: int, shift: int = 0, ignored: int | None = None
    ) -> None:
        check_count('LoadLabelMap.num_classes', num_classes)
        self.num_classes = num_classes
        self.shift = shift
        self.ignored = ignored

    def transform(self, results: dict) -> dict:
        """Read the file.

        Raises:
            ValueError: If it cannot be read, is not of the image's size or
                names a class that there is not.
        """
        path = require(results, 'map_path', self)
        numbers = read_label_map(path)
        check_size(numbers, results, f'label image {path}')
        classes = numbers + self.shift
        if self.ignored is not None:
            classes[numbers == self.ignored] = 0
        wrong = classes[(classes < 0) | (classes >= self.num_classes)]
        if wrong.size:
            number = wrong[0] - self.shift
            raise ValueError(
                f'label image {path} has the number {number}, with '
                f'shift={self.shift} the class {wrong[0]}, which is not in '
                f'[0, {self.num_classes}): set num_classes, shift or ignored '
                'of LoadLabelMap'
            )
        results['gt_sem_seg'] = classes
        return results


@TRANSFORMS.register_module()
class LoadFeatures(BaseTransform):
    """``features_path`` -> ``features``, float32 (L, C).

    A file of NumPy; such as CLIP's embeddings of an image's neighbours.
    """

    def transform(self, results: dict) -> dict:
        """Read the file.

        Raises:
            ValueError: If it is no such file, or not of numbers (L, C).
        """
        path = require(results, 'features_path', self)
        try:
            features = np.load(path, allow_pickle=False)
        except (ValueError, EOFError) as error:
            raise ValueError(
                f'features {path} cannot be read ({error}): write them with '
                'numpy.save'
            ) from error
        if features.ndim != 2 or features.dtype.kind != 'f':
            raise ValueError(
                f'features {path} are {features.dtype} of shape '
                f'{features.shape}, but must be floats (L, C)'
            )
        results['features'] = features.astype(np.float32)
        return results


@TRANSFORMS.register_module()
class ChooseCaption(BaseTransform):
    """``captions`` -> ``caption``, one of them at random."""

    def transform(self, results: dict) -> dict:
        """Choose.

        Raises:
            ValueError: If the dataset gives none.
        """
        captions = require(results, 'captions', self)
        results['caption'] = captions[np.random.randint(len(captions))]
        return results


@TRANSFORMS.register_module()
class ChooseObjects(BaseTransform):
    """Some objects of ``layout``, in random order.

    Args:
        max_objects: At most so many, any of them.
        min_area: Smaller ones are left out; part of the full picture.
    """

    def __init__(self, max_objects: int = 30, min_area: float = 1e-5) -> None:
        check_count('ChooseObjects.max_objects', max_objects)
        self.max_objects = max_objects
        self.min_area = min_area

    def transform(self, results: dict) -> dict:
        """Choose.

        Raises:
            ValueError: If the dataset gives none.
        """
        layout = require(results, 'layout', self)
        large = [
            i
            for i, (_, box) in enumerate(layout)
            if box[2] * box[3] >= self.min_area
        ]
        chosen = np.random.permutation(large)[: self.max_objects]
        results['layout'] = [layout[int(i)] for i in chosen]
        return results
