"""Scenes of coloured shapes, as words, boxes, maps and pixels."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from mmldm.utils import check_choice

Box = tuple[float, float, float, float]  # x, y, w, h

# Whether a shape covers a point (u, v) of the unit square; v points down.
SHAPES: dict[str, Callable[[np.ndarray, np.ndarray], np.ndarray]] = dict(
    circle=lambda u, v: np.hypot(u - 0.5, v - 0.5) <= 0.5,
    square=lambda u, v: np.maximum(abs(u - 0.5), abs(v - 0.5)) <= 0.5,
    triangle=lambda u, v: (abs(u - 0.5) <= v / 2) & (v <= 1),
    cross=lambda u, v: (
        (np.maximum(abs(u - 0.5), abs(v - 0.5)) <= 0.5)
        & (np.minimum(abs(u - 0.5), abs(v - 0.5)) <= 1 / 6)
    ),
)
# RGB. The distance of any two is at least 150, and that of any to a grey below
# 110 is at least 122.
COLOURS = dict(
    red=(230, 40, 40),
    green=(40, 190, 40),
    blue=(50, 70, 240),
    yellow=(240, 225, 40),
    magenta=(220, 50, 220),
    cyan=(40, 220, 230),
)
CLASSES = tuple(f'{colour} {shape}' for colour in COLOURS for shape in SHAPES)
# All words of captions.
WORDS = ('a', 'and', *COLOURS, *SHAPES)
# Points along a pixel's side at which a shape is evaluated. The number is odd,
# so that no shape covers exactly half of a pixel.
SUBPIXELS = 11


@dataclass(frozen=True)
class SceneObject:
    """A coloured shape.

    Args:
        label: The class, an index into ``CLASSES``.
        box: Top left corner and size, relative to the image, in [0, 1].
    """

    label: int
    box: Box

    @property
    def shape(self) -> str:
        """Name of the shape."""
        return CLASSES[self.label].split()[1]

    @property
    def colour(self) -> np.ndarray:
        """The colour, RGB in [0, 255]."""
        return np.array(COLOURS[CLASSES[self.label].split()[0]])


@dataclass(frozen=True)
class Scene:
    """Objects that do not overlap, on a smooth grey background.

    Args:
        objects: The objects, in the order of the caption.
        grey: Grey value in the middle, in [0, 255], and its increase from
            left to right and from top to bottom.
    """

    objects: tuple[SceneObject, ...]
    grey: tuple[float, float, float]

    @property
    def caption(self) -> str:
        """Such as 'a red circle, a blue square and a green cross'."""
        names = [f'a {CLASSES[item.label]}' for item in self.objects]
        return ' and '.join(filter(None, [', '.join(names[:-1]), names[-1]]))

    @property
    def layout(self) -> list[tuple[int, Box]]:
        """(class, box) of every object."""
        return [(item.label, item.box) for item in self.objects]

    def render(self, size: int) -> tuple[np.ndarray, np.ndarray]:
        """Draw the picture and the map of its classes.

        Args:
            size: Height and width, pixels.

        Returns:
            uint8 RGB (size, size, 3) with smooth edges; uint8 (size, size),
            the class plus 1 where an object covers half of a pixel or more,
            and 0 elsewhere.
        """
        image = np.repeat(self._background(size)[..., None], 3, axis=2)
        labels = np.zeros((size, size), np.uint8)
        for item in self.objects:
            share = coverage(item.shape, item.box, size)
            image += share[..., None] * (item.colour - image)
            labels[share >= 0.5] = item.label + 1
        return image.round().astype(np.uint8), labels

    def _background(self, size: int) -> np.ndarray:
        grey, right, down = self.grey
        place = (np.arange(size) + 0.5) / size - 0.5
        return grey + right * place[None] + down * place[:, None]


def coverage(shape: str, box: Box, size: int) -> np.ndarray:
    """The share of each pixel that a shape covers, float64 (size, size).

    Args:
        shape: A name of ``SHAPES``.
        box: The shape's box, relative to the image; it may reach outside.
        size: Height and width, pixels.
    """
    x, y, width, height = (part * size for part in box)
    left, top = (max(int(np.floor(start)), 0) for start in (x, y))
    right = min(int(np.ceil(x + width)), size)
    bottom = min(int(np.ceil(y + height)), size)
    share = np.zeros((size, size))
    if right > left and bottom > top and width > 0 and height > 0:
        u = (_points(left, right) - x) / width
        v = (_points(top, bottom) - y) / height
        inside = SHAPES[shape](u[None], v[:, None])
        share[top:bottom, left:right] = inside.reshape(
            bottom - top, SUBPIXELS, right - left, SUBPIXELS
        ).mean((1, 3))
    return share


def _points(start: int, end: int) -> np.ndarray:
    """Centres of the subpixels of the pixels ``start`` to ``end``."""
    count = (end - start) * SUBPIXELS
    return start + (np.arange(count) + 0.5) / SUBPIXELS


def caption_labels(caption: str) -> list[int]:
    """The classes that a caption names, in their order.

    Raises:
        ValueError: If the caption names an unknown object.
    """
    names = caption.replace(' and ', ', ').split(', ')
    for name in names:
        check_choice(f'object of the caption {caption!r}', name, _INDEFINITE)
    return [_INDEFINITE[name] for name in names]


_INDEFINITE = {f'a {name}': label for label, name in enumerate(CLASSES)}
