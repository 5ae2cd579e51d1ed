"""Which coloured shapes a picture shows: plain image analysis."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

import cv2
import numpy as np

from mmldm.structures.shape_scene import (
    CLASSES,
    COLOURS,
    SHAPES,
    Box,
    coverage,
)

# Of a pixel's RGB in [0, 255]. What differs less between its channels is
# background; what is further from the way between the background and each of
# the colours has no colour of ours.
GREY = 40
TOLERANCE = 60
# Parts of the image: a quarter of the smallest triangle.
MIN_AREA = 0.3**2 / 8
# A found shape is one that overlaps by this with an ideal one, whose width and
# height are not more different than this.
MIN_OVERLAP = 0.7
MIN_ASPECT = 2 / 3


@dataclass(frozen=True)
class FoundObject:
    """What was found.

    Args:
        label: Class, an index of ``CLASSES``; None for a spot of a colour
            that is like no shape.
        box: Top left corner and size as parts of the image's.
        mask: Its pixels, bool (H, W).
    """

    label: int | None
    box: Box
    mask: np.ndarray


def find_objects(image: np.ndarray) -> list[FoundObject]:
    """The objects of a scene.

    A pixel's colour is that on whose way from the background it lies, and how
    far on the way is how much of it is covered. Connected pixels of a colour
    are an object. For each shape the box is computed that has the object's
    moments, and the shape in its box that overlaps most with the object
    counts.

    Args:
        image: Square, uint8 RGB (size, size, 3).
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
    """Class plus 1 of every pixel, 0 for the background: (size, size).

    A spot that is like no shape has a label that no class has.
    """
    labels = np.zeros((size, size), np.int64)
    for item in found:
        known = item.label is not None
        labels[item.mask] = item.label + 1 if known else len(CLASSES) + 1
    return labels


def _background(image: np.ndarray) -> np.ndarray | None:
    """A plane fitted to what is grey, (H, W, 3).

    None where less than a tenth of the image is.
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
        The colour's share in [0, 1], and how far the pixel is from the
        mixture, both (colours, H, W).
    """
    offset = image - background
    ways = np.array([*COLOURS.values()])[:, None, None] - background
    share = (offset * ways).sum(-1) / np.square(ways).sum(-1)
    share = share.clip(0, 1)
    distance = np.linalg.norm(offset - share[..., None] * ways, axis=-1)
    return share, distance


def _components(mask: np.ndarray) -> Iterator[np.ndarray]:
    """Connected parts that are large enough."""
    count, labels, stats, _ = cv2.connectedComponentsWithStats(
        mask.astype(np.uint8), connectivity=8
    )
    for i in range(1, count):
        if stats[i, cv2.CC_STAT_AREA] >= MIN_AREA * mask.size:
            yield labels == i


def _identify(colour: int, share: np.ndarray, mask: np.ndarray) -> FoundObject:
    """The shape that an object overlaps with most."""
    size = len(mask)
    # Its edge too, which is covered by less than half.
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
    """Intersection over union of shares."""
    return np.minimum(a, b).sum() / np.maximum(a, b).sum()


def _box_of(spot: np.ndarray, shape: str) -> Box:
    """The box of this shape with a spot's area, centroid and proportions.

    As parts of the image.
    """
    centroid, deviation = _moments(spot)
    fill, middle, spread = _moments_of(shape)
    extent = deviation / spread
    # The area is exact wherever edges are between the pixels, deviations are
    # not.
    extent *= np.sqrt(spot.mean() / (fill * extent.prod()))
    return (*(centroid - middle * extent).tolist(), *extent.tolist())


@cache
def _moments_of(shape: str) -> tuple[float, np.ndarray, np.ndarray]:
    """Area, centroid and deviations of a shape in the unit square."""
    share = coverage(shape, (0, 0, 1, 1), 128)
    return share.mean(), *_moments(share)


def _moments(spot: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Centroid and deviations along x and y, (2,), of shares (size, size).

    In units of the image's side.
    """
    size = len(spot)
    place = (np.arange(size) + 0.5) / size
    centroid, deviation = [], []
    for axis in (0, 1):  # what is summed over leaves x, then y
        mass = spot.sum(axis) / spot.sum()
        mean = mass @ place
        centroid.append(mean)
        deviation.append(np.sqrt(mass @ np.square(place - mean)))
    return np.array(centroid), np.array(deviation)
