"""Metrics: do pictures of coloured shapes follow their condition?"""

from abc import abstractmethod
from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
from mmengine.evaluator import BaseMetric
from torch import Tensor

from mmldm.registry import METRICS
from mmldm.utils.boxes import WHOLE, shown_objects

from .scene_analysis import FoundObject, find_objects, found_labels
from .shape_scene import CLASSES, Box, caption_labels

# Labels of a map: background, classes, and spots that resemble no class.
NUM_LABELS = len(CLASSES) + 2


class SceneMetric(BaseMetric):
    """Compares the objects in ``pred_img`` with a condition of the sample."""

    default_prefix = 'scene'
    #: Name of the condition's field.
    field: str

    def process(self, data_batch: dict, data_samples: Sequence[dict]) -> None:
        """Detect the objects in a batch's images.

        Raises:
            ValueError: If a sample lacks the condition, or the images are not
                square.
        """
        for sample in data_samples:
            if self.field not in sample:
                raise ValueError(
                    f'{type(self).__name__} needs {self.field}, which is '
                    'missing in the test data: use ShapeScenes'
                )
            found = find_objects(_pixels(sample['pred_img']))
            self.results.append(self.compare(found, sample))

    @abstractmethod
    def compare(self, found: list[FoundObject], sample: dict) -> Any:
        """The result for one image."""


@METRICS.register_module()
class SceneClass(SceneMetric):
    """Whether the image has an object of the class ``gt_label``."""

    field = 'gt_label'

    def compare(self, found: list[FoundObject], sample: dict) -> tuple:
        """Whether the object is present, and whether others are."""
        asked = [int(sample['gt_label']['label'])]
        return _presence(found, asked)

    def compute_metrics(self, results: list[tuple]) -> dict[str, float]:
        """Shares of images, in [0, 1].

        ``class_found`` counts images with an object of the class, and
        ``class_extra`` images with more than one object.
        """
        found, extra = np.mean(results, axis=0).tolist()
        return dict(class_found=found, class_extra=extra)


@METRICS.register_module()
class SceneCaption(SceneMetric):
    """Whether the image has all objects that ``caption`` names."""

    field = 'caption'

    def compare(self, found: list[FoundObject], sample: dict) -> tuple:
        """Whether all objects are present, and whether others are."""
        return _presence(found, caption_labels(sample['caption']))

    def compute_metrics(self, results: list[tuple]) -> dict[str, float]:
        """Shares of images, in [0, 1].

        ``caption_found`` counts images with every object of the caption,
        ``caption_extra`` images with more objects than the caption, and
        ``caption_exact`` images with exactly the caption's objects.
        """
        found, extra = np.array(results).T
        return dict(
            caption_found=float(found.mean()),
            caption_extra=float(extra.mean()),
            caption_exact=float((found & ~extra).mean()),
        )


@METRICS.register_module()
class SceneLayout(SceneMetric):
    """Whether the objects of ``layout`` are in their boxes.

    Requested and detected boxes are matched one to one, so that they overlap
    as much as possible.
    """

    field = 'layout'

    def compare(self, found: list[FoundObject], sample: dict) -> list[tuple]:
        """(IoU of the box, whether the class is right) for each object.

        A missing object has (0, False).
        """
        from scipy.optimize import linear_sum_assignment

        layout = shown_objects(sample['layout'], sample.get('crop_box', WHOLE))
        ious = np.array(
            [[_iou(box, item.box) for item in found] for _, box in layout]
        ).reshape(len(layout), len(found))
        rows = [(0.0, False)] * len(layout)
        for i, k in zip(*linear_sum_assignment(-ious), strict=True):
            if ious[i, k] > 0:
                right = found[k].label == layout[i][0]
                rows[i] = (float(ious[i, k]), right)
        return rows

    def compute_metrics(self, results: list[list]) -> dict[str, float]:
        """Means over all requested objects, in [0, 1].

        ``layout_iou`` is the IoU of detected and requested box, and
        ``layout_class`` the share with the right class.
        """
        ious, right = np.concatenate(results).T
        return dict(
            layout_iou=float(ious.mean()), layout_class=float(right.mean())
        )


@METRICS.register_module()
class SceneMap(SceneMetric):
    """Whether every pixel shows its class in ``gt_sem_seg``."""

    field = 'gt_sem_seg'

    def compare(self, found: list[FoundObject], sample: dict) -> np.ndarray:
        """Counts of pixels by requested label (rows) and detected label."""
        asked = np.asarray(sample['gt_sem_seg'])[0].astype(np.int64)
        pairs = asked * NUM_LABELS + found_labels(found, len(asked))
        return np.bincount(pairs.ravel(), minlength=NUM_LABELS**2).reshape(
            NUM_LABELS, NUM_LABELS
        )

    def compute_metrics(self, results: list[np.ndarray]) -> dict[str, float]:
        """``map_iou``: the mean IoU over the labels, including background.

        Intersections and unions are over all images together.
        """
        pixels = np.sum(results, axis=0)
        both = pixels.diagonal()
        either = pixels.sum(0) + pixels.sum(1) - both
        asked = pixels.sum(1) > 0
        return dict(map_iou=float((both[asked] / either[asked]).mean()))


def _pixels(image: Tensor) -> np.ndarray:
    """uint8 RGB (3, H, W) -> (H, W, 3)."""
    if image.shape[1] != image.shape[2]:
        raise ValueError(
            'scenes must be square images, got (H, W) = '
            f'{tuple(image.shape[1:])}: set the size of ShapeScenes'
        )
    return image.permute(1, 2, 0).cpu().numpy()


def _presence(found: list[FoundObject], asked: list[int]) -> tuple[bool, bool]:
    """Whether all requested classes are present, and whether more are."""
    missing = Counter(asked) - Counter(item.label for item in found)
    return not missing, len(found) > len(asked)


def _iou(a: Box, b: Box) -> float:
    """Intersection over union of two boxes."""
    sides = [
        min(a[i] + a[i + 2], b[i] + b[i + 2]) - max(a[i], b[i]) for i in (0, 1)
    ]
    shared = max(sides[0], 0) * max(sides[1], 0)
    return shared / (a[2] * a[3] + b[2] * b[3] - shared)
