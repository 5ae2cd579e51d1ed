"""Loading of images, maps and features, and choice of annotations."""

import math

import numpy as np
from mmcv.transforms import BaseTransform

from mmldm.registry import TRANSFORMS
from mmldm.utils import check_count
from mmldm.utils.image_size import height_and_width

from ..image_files import fits, read_sized
from ..label_maps import read_label_map
from .fields import require
from .spatial import check_size


@TRANSFORMS.register_module()
class LoadImage(BaseTransform):
    """``img_path`` -> ``img``, uint8 RGB (H, W, 3).

    Alpha, 16 bits, floats, grey and EXIF turns are handled. If the data set
    gives ``img_bytes``, these are read instead of the file.

    Args:
        value_range: (black, white) of images with more than 8 bits a
            channel, such as (0, 4095) for a 12-bit camera; None means
            (0, 65535), and (0, 1) for floats.
        oversampling: How many times a JPEG must cover the data set's size if
            it is decoded at a half, a quarter or an eighth of its own size.
            With 2, an image of 4000x3000 pixels for 256x256 is decoded at
            1000x750. The decoder then averages pixels, and the result of
            ``ResizeShorterSide`` differs little; crops of less than the
            whole height would lose detail. None decodes all pixels. Images
            with maps or masks are always decoded whole.
    """

    def __init__(
        self,
        value_range: tuple[float, float] | None = None,
        oversampling: float | None = None,
    ) -> None:
        if oversampling is not None and not oversampling >= 1:
            raise ValueError(
                f'LoadImage.oversampling={oversampling} must be 1 or more: 2 '
                'keeps the detail of ResizeShorterSide'
            )
        self.oversampling = oversampling
        if value_range is not None:
            value_range = _checked_range(value_range)
        self.value_range = value_range

    def transform(self, results: dict) -> dict:
        """Read the file.

        Raises:
            ValueError: If it cannot be read, or its proportions differ from
                ``annotated_shape``, (H, W), for example after a turn.
        """
        content = results.pop('img_bytes', None)
        results['img'], results['ori_shape'] = read_sized(
            results['img_path'],
            content,
            value_range=self.value_range,
            least=self._least(results),
        )
        height, width = results['ori_shape']
        annotated = results.get('annotated_shape')
        if annotated and not fits((height, width), annotated):
            raise ValueError(
                f'image {results["img_path"]} is {height}x{width}, but its '
                f'annotations are for {annotated[0]}x{annotated[1]}: use the '
                'original image, neither turned nor cropped'
            )
        return results

    def _least(self, results: dict) -> tuple[int, int] | None:
        """Height and width that a smaller image has to cover."""
        size, factor = results.get('size'), self.oversampling
        of_its_size = ('map_path', 'mask_path', 'extra_maps')
        if not (size and factor) or any(k in results for k in of_its_size):
            return None
        height, width = height_and_width(size)
        return math.ceil(factor * height), math.ceil(factor * width)


def _checked_range(value_range: object) -> tuple[float, float]:
    """Two finite numbers, black below white.

    Raises:
        ValueError: If ``value_range`` is anything else.
    """
    try:
        black, white = (float(value) for value in value_range)
    except (TypeError, ValueError, OverflowError):
        black, white = math.nan, math.nan
    if not -math.inf < black < white < math.inf:
        raise ValueError(
            f'LoadImage.value_range={value_range!r} must be two numbers, '
            '(black, white) with black < white, such as (0, 4095)'
        )
    return black, white


@TRANSFORMS.register_module()
class LoadLabelMap(BaseTransform):
    """``map_path`` -> ``gt_sem_seg``, the class of each pixel, int64 (H, W).

    This transform comes directly after ``LoadImage``. ADE20K's files have 0
    for pixels outside the 150 classes: set ``num_classes=151``. COCO-Stuff's
    have classes from 0 to 181, and 255 for pixels without class: set
    ``shift=1, ignored=255, num_classes=183``.

    Args:
        num_classes: Classes, after the shift, are in [0, num_classes).
        shift: Number added to the file's values.
        ignored: The file's value for pixels without class; they get
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
            ValueError: If it cannot be read, differs from the image in size
                or has a class outside [0, num_classes).
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

    The file is NumPy's ``.npy``, for example with CLIP embeddings of similar
    images.
    """

    field = 'features'
    ndim, kinds, expected = 2, 'f', 'floats (L, C)'
    dtype = np.float32

    def transform(self, results: dict) -> dict:
        """Read the file.

        Raises:
            ValueError: If it is not such a file, or its array has other axes
                or other numbers.
        """
        path = require(results, f'{self.field}_path', self)
        try:
            array = np.load(path, allow_pickle=False)
        except (ValueError, EOFError) as error:
            raise ValueError(
                f'{self.field} {path} cannot be read ({error}): write them '
                'with numpy.save'
            ) from error
        if array.ndim != self.ndim or array.dtype.kind not in self.kinds:
            raise ValueError(
                f'{self.field} {path} are {array.dtype} of shape '
                f'{array.shape}, expected {self.expected}'
            )
        results[self.field] = array.astype(self.dtype)
        return results


@TRANSFORMS.register_module()
class LoadTokens(LoadFeatures):
    """``tokens_path`` -> ``tokens``, int64 (L,), from NumPy's ``.npy``."""

    field = 'tokens'
    ndim, kinds, expected = 1, 'iu', 'integers (L,)'
    dtype = np.int64


@TRANSFORMS.register_module()
class ChooseCaption(BaseTransform):
    """``captions`` -> ``caption``, one of them.

    Args:
        random: Whether to choose at random; otherwise the first is taken, as
            for a cache of latents, or where it is a name.
    """

    def __init__(self, random: bool = True) -> None:
        self.random = random

    def transform(self, results: dict) -> dict:
        """Choose a caption.

        Raises:
            ValueError: If the data set gives none.
        """
        captions = require(results, 'captions', self)
        place = np.random.randint(len(captions)) if self.random else 0
        results['caption'] = captions[place]
        return results


@TRANSFORMS.register_module()
class ChooseObjects(BaseTransform):
    """Choose objects of ``layout``, in random order.

    Args:
        max_objects: Largest number of objects; the choice is random.
        min_area: Least area, as a part of the full picture; smaller objects
            are left out.
    """

    def __init__(self, max_objects: int = 30, min_area: float = 1e-5) -> None:
        check_count('ChooseObjects.max_objects', max_objects)
        self.max_objects = max_objects
        self.min_area = min_area

    def transform(self, results: dict) -> dict:
        """Choose at random.

        Raises:
            ValueError: If the data set gives none.
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
