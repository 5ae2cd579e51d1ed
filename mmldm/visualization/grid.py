"""Many images as one picture."""

from collections.abc import Sequence

import numpy as np

GAP = 2  # white pixels between images
# Classes get rows of their own up to so many rows a column.
MAX_ROWS_PER_COLUMN = 4
# Pixels a side of a picture of many images: 200 MB, which viewers still open.
LONGEST = 8192


def most_tiles(side: int) -> int:
    """Images of so many pixels that a grid has room for, beside each other."""
    return max(1, (LONGEST - GAP) // (side + GAP))


def sample_grid(
    pairs: Sequence[Sequence[np.ndarray]], labels: Sequence[int | None]
) -> np.ndarray:
    """A grid of samples, uint8 RGB (H, W, 3).

    Args:
        pairs: For each sample its images, uint8 RGB (h, w, 3), which are set
            right below each other: an original and its reconstruction, or a
            generated image alone.
        labels: Classes. Generated images with classes stand in rows of one
            class each, see :func:`rows_of`; others fill a square.
    """
    tiles = [np.concatenate(pair) for pair in pairs]
    if len(pairs[0]) == 1 and None not in labels:
        rows = rows_of(labels)
    else:
        rows = _square(range(len(tiles)))
    return assemble([[tiles[i] for i in row] for row in rows])


def rows_of(labels: Sequence[int]) -> list[list[int]]:
    """Places of labels, in rows that show one class each, in their order.

    Each class has one row, or as many as make the picture about a square
    where there are few classes. Where classes have too few images for rows,
    the images fill a square in the order of their classes.
    """
    places = [*_by_class(labels).values()]
    most = max(map(len, places))
    if len(places) > MAX_ROWS_PER_COLUMN * most:
        return _square([i for row in places for i in row])
    rows_per_class = max(1, round((most / len(places)) ** 0.5))
    columns = -(-most // rows_per_class)
    return [
        row[i : i + columns]
        for row in places
        for i in range(0, len(row), columns)
    ]


def choose(labels: Sequence[int | None], number: int) -> set[int]:
    """The samples of a data set that a grid shows, by index.

    They are spread evenly over the data. Where all samples have classes, the
    classes share the grid: all of them, or, where less than four images
    would be left for each, as many as make a square, spread over all.

    Args:
        labels: Class of every sample, or None.
        number: Images in the grid, at most.
    """
    if None in labels or not labels:
        return spread(range(len(labels)), number)
    places = _by_class(labels)
    most, side = max(map(len, places.values())), _side(number)
    shown = {*places}
    if len(places) * min(most, MAX_ROWS_PER_COLUMN) > number:
        shown = spread([*places], max(1, number // min(most, side)))
    share = number // len(shown)
    return set().union(*(spread(places[label], share) for label in shown))


def spread_over_classes(labels: Sequence[int | None], number: int) -> set[int]:
    """At most ``number`` samples, by index, of classes as unlike as can be.

    Labels in a regular order, such as the index modulo ten, would else meet
    regular steps through the data: every tenth sample is of one class.

    Args:
        labels: Class of every sample, or None.
        number: Samples wanted.
    """
    if None in labels:
        return spread(range(len(labels)), number)
    ordered = [i for places in _by_class(labels).values() for i in places]
    return spread(ordered, number)


def spread(items: Sequence[int], number: int) -> set[int]:
    """At most ``number`` items, evenly spread."""
    count = min(number, len(items))
    return {items[i * len(items) // count] for i in range(count)}


def _by_class(labels: Sequence[int]) -> dict[int, list[int]]:
    """Places of every label, labels in their order."""
    places = {label: [] for label in sorted(set(labels))}
    for i, label in enumerate(labels):
        places[label].append(i)
    return places


def _side(number: int) -> int:
    """Columns of the smallest square with so many places."""
    return int(np.ceil(np.sqrt(number)))


def _square(places: Sequence[int]) -> list[list[int]]:
    columns = _side(len(places))
    return [[*places[i : i + columns]] for i in range(0, len(places), columns)]


def assemble(rows: Sequence[Sequence[np.ndarray]]) -> np.ndarray:
    """Rows of images on white, uint8 RGB (H, W, 3), all of one size."""
    height, width = rows[0][0].shape[:2]
    columns = max(map(len, rows))
    canvas = np.full(
        (len(rows) * (height + GAP) + GAP, columns * (width + GAP) + GAP, 3),
        255,
        np.uint8,
    )
    for r, row in enumerate(rows):
        for c, image in enumerate(row):
            top, left = GAP + r * (height + GAP), GAP + c * (width + GAP)
            canvas[top : top + height, left : left + width] = image
    return canvas


def contact_sheet(images: Sequence[np.ndarray]) -> np.ndarray:
    """Images of any sizes in rows, about a square, uint8 RGB (H, W, 3)."""
    height, width = (max(i.shape[k] for i in images) for k in (0, 1))
    columns = max(1, round((len(images) * height / width) ** 0.5))
    tiles = [_padded(image, height, width) for image in images]
    return assemble(
        [tiles[i : i + columns] for i in range(0, len(tiles), columns)]
    )


def _padded(image: np.ndarray, height: int, width: int) -> np.ndarray:
    """With white to the right and below."""
    room = ((0, height - len(image)), (0, width - image.shape[1]), (0, 0))
    return np.pad(image, room, constant_values=255)
