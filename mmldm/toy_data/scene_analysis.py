"""Detection of coloured shapes in a picture by image analysis."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

import cv2
import numpy as np

from .shape_scene import (
    CLASSES,
    COLOURS,
    SHAPES,
    Box,
    coverage,
)

# RGB in [0, 255]. A pixel whose channels differ by less than GREY is
# background. A pixel that differs by more than TOLERANCE from all mixtures of
# the background with one of the colours has none of the colours.
GREY = 40
TOLERANCE = 60
# Part of the image: a quarter of the smallest triangle.
MIN_AREA = 0.3**2 / 8
# A shape must overlap with its ideal by MIN_OVERLAP, and the ideal's shorter
# side must be at least the part MIN_ASPECT of its longer side.
MIN_OVERLAP = 0.7
MIN_ASPECT = 2 / 3


@dataclass(frozen=True)
class FoundObject:
    """An object that was detected.

    Args:
        label: The class, an index into ``CLASSES``; None for a coloured spot
            that resembles no shape.
        box: Top left corner and size, relative to the image.
        mask: Pixels of the object, bool (H, W).
    """

    label: int | None
    box: Box
    mask: np.ndarray


def find_objects(image: np.ndarray) -> list[FoundObject]:
    """Detect the objects of a scene.

    A pixel is a mixture of the background and a colour; the colour's share is
    the covered part of the pixel. Connected pixels of one colour are an
    object. For each shape, the box with the object's moments is computed; the
    shape that overlaps most with the object is taken.

    Args:
        image: A square image, uint8 RGB (size, size, 3).
    """
    image = image.astype(np.float64)
    background = _background(image)
    if background is None:
        return []
    shares, distances = _mixtures(image, background)
    nearest = distances.argmin(0)
    found = []
    for k, share in enumerate(shares):
        share = np.where(distances[k] <= TOLERANCE, share, 0)
        for mask in _components((nearest == k) & (share >= 0.5)):
            found.append(_identify(k, share, mask))
    return found


def found_labels(found: list[FoundObject], size: int) -> np.ndarray:
    """Map (size, size) of the class plus 1, and 0 for the background.

    A spot that resembles no shape has a label that no class has.
    """
    labels = np.zeros((size, size), np.int64)
    for item in found:
        known = item.label is not None
        labels[item.mask] = item.label + 1 if known else len(CLASSES) + 1
    return labels


def _background(image: np.ndarray) -> np.ndarray | None:
    """A plane fitted to the grey pixels, (H, W, 3).

    None if less than a tenth of the image is grey.
    """
    height, width = image.shape[:2]
    grey = np.ptp(image, axis=2) < GREY
    if grey.mean() < 0.1:
        return None
    y, x = np.mgrid[:height, :width]
    plane = np.stack([np.ones_like(x), x, y], axis=2).astype(np.float64)
    weights = np.linalg.lstsq(plane[grey], image[grey], rcond=None)[0]
    return plane @ weights


def _mixtures(
    image: np.ndarray, background: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Each pixel as a mixture of the background and one of the colours.

    Returns:
        The colour's share, in [0, 1], and the distance of the pixel from
        the mixture, both (colours, H, W).
    """
    offset = image - background
    ways = np.array([*COLOURS.values()])[:, None, None] - background
    share = (offset * ways).sum(-1) / np.square(ways).sum(-1)
    share = share.clip(0, 1)
    distance = np.linalg.norm(offset - share[..., None] * ways, axis=-1)
    return share, distance


def _components(mask: np.ndarray) -> Iterator[np.ndarray]:
    """Masks of the connected parts that are large enough."""
    count, labels, stats, _ = cv2.connectedComponentsWithStats(
        mask.astype(np.uint8), connectivity=8
    )
    for i in range(1, count):
        if stats[i, cv2.CC_STAT_AREA] >= MIN_AREA * mask.size:
            yield labels == i


def _identify(colour: int, share: np.ndarray, mask: np.ndarray) -> FoundObject:
    """The shape that an object overlaps with most."""
    size = len(mask)
    # Includes the object's edge, where pixels are covered by less than half.
    around = cv2.dilate(mask.astype(np.uint8), np.ones((3, 3), np.uint8)) > 0
    spot = np.where(around, share, 0)
    boxes = {shape: _box_of(spot, shape) for shape in SHAPES}
    overlaps = {
        shape: _overlap(spot, coverage(shape, box, size))
        for shape, box in boxes.items()
    }
    shape = max(overlaps, key=overlaps.get)
    label = None
    *_, width, height = boxes[shape]
    aspect = min(width, height) / max(width, height)
    if overlaps[shape] >= MIN_OVERLAP and aspect >= MIN_ASPECT:
        label = colour * len(SHAPES) + [*SHAPES].index(shape)
    return FoundObject(label, boxes[shape], mask)


def _overlap(a: np.ndarray, b: np.ndarray) -> float:
    """Intersection over union of two maps of shares."""
    return np.minimum(a, b).sum() / np.maximum(a, b).sum()


def _box_of(spot: np.ndarray, shape: str) -> Box:
    """The box in which a shape has a spot's area, centroid and proportions.

    It is relative to the image.
    """
    centroid, deviation = _moments(spot)
    fill, middle, spread = _moments_of(shape)
    extent = deviation / spread
    # The area is exact for any position of the edges between pixels;
    # deviations are not.
    extent *= np.sqrt(spot.mean() / (fill * extent.prod()))
    return (*(centroid - middle * extent).tolist(), *extent.tolist())


@cache
def _moments_of(shape: str) -> tuple[float, np.ndarray, np.ndarray]:
    """Area, centroid and deviations of a shape in the unit square."""
    share = coverage(shape, (0, 0, 1, 1), 128)
    return share.mean(), *_moments(share)


def _moments(spot: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Centroid and deviations, each (x, y), of shares (size, size).

    The unit is the image's side.
    """
    size = len(spot)
    place = (np.arange(size) + 0.5) / size
    centroid, deviation = [], []
    for axis in (0, 1):  # the sum over rows leaves x, that over columns y
        mass = spot.sum(axis) / spot.sum()
        mean = mass @ place
        centroid.append(mean)
        deviation.append(np.sqrt(mass @ np.square(place - mean)))
    return np.array(centroid), np.array(deviation)
