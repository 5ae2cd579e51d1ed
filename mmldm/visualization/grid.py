"""Arrangement of many images in one picture."""

from collections.abc import Sequence

import numpy as np

GAP = 2  # white pixels between images
# Classes get their own rows while rows / columns is at most this.
MAX_ROWS_PER_COLUMN = 4
# Longest side in pixels of a picture of many images: viewers open its 200 MB.
LONGEST = 8192


def most_tiles(side: int) -> int:
    """How many images with this side, in pixels, a grid has in a row."""
    return max(1, (LONGEST - GAP) // (side + GAP))


def sample_grid(
    pairs: Sequence[Sequence[np.ndarray]], labels: Sequence[int | None]
) -> np.ndarray:
    """A grid of samples, uint8 RGB (H, W, 3).

    Args:
        pairs: The images of each sample, uint8 RGB (h, w, 3), which are put
            below each other: an original and its reconstruction, or a
            generated image alone. Samples may differ in size.
        labels: The class of each sample, or None. Generated images with
            classes are in rows of one class each, see :func:`rows_of`;
            others fill a square.
    """
    tiles = _one_size([np.concatenate(pair) for pair in pairs])
    if len(pairs[0]) == 1 and None not in labels:
        rows = rows_of(labels)
    else:
        rows = _square(range(len(tiles)))
    return assemble([[tiles[i] for i in row] for row in rows])


def rows_of(labels: Sequence[int]) -> list[list[int]]:
    """Indices of samples, in rows of one class each, ordered by class.

    Each class has one row, or, with few classes, as many as make the picture
    about square. If classes have too few images for rows, the images fill a
    square in the order of their classes.
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
    """Indices of the samples of a data set that a grid shows.

    They are spread evenly over the data. If all samples have classes, all
    classes share the grid; if this left fewer than four images for each, only
    as many classes as make a square are shown, spread over all.

    Args:
        labels: Class of every sample, or None.
        number: Largest number of images in the grid.
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
    """Indices of at most ``number`` samples, spread over classes and data.

    Regular steps through the data could always meet one class, if labels have
    a regular order such as the index modulo ten.

    Args:
        labels: Class of every sample, or None.
        number: Largest number of samples.
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
    """Indices of the samples of each label, in the order of labels."""
    places = {label: [] for label in sorted(set(labels))}
    for i, label in enumerate(labels):
        places[label].append(i)
    return places


def _side(number: int) -> int:
    """Side of the smallest square grid with ``number`` places."""
    return int(np.ceil(np.sqrt(number)))


def _square(places: Sequence[int]) -> list[list[int]]:
    columns = _side(len(places))
    return [[*places[i : i + columns]] for i in range(0, len(places), columns)]


def assemble(rows: Sequence[Sequence[np.ndarray]]) -> np.ndarray:
    """Rows of equally large images, on white, as uint8 RGB (H, W, 3)."""
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
    """Images of any sizes in an about square grid, uint8 RGB (H, W, 3)."""
    tiles = _one_size(images)
    height, width = tiles[0].shape[:2]
    columns = max(1, round((len(images) * height / width) ** 0.5))
    return assemble(
        [tiles[i : i + columns] for i in range(0, len(tiles), columns)]
    )


def sheet_of_rows(rows: Sequence[Sequence[np.ndarray]]) -> np.ndarray:
    """Images of any sizes in given rows, on white, uint8 RGB (H, W, 3)."""
    lines = []
    for row in rows:
        height = max(map(len, row))
        lines.append([_padded(i, height, i.shape[1]) for i in row])
    width = max(sum(i.shape[1] + GAP for i in line) for line in lines)
    height = sum(len(line[0]) + GAP for line in lines)
    canvas = np.full((height + GAP, width + GAP, 3), 255, np.uint8)
    top = GAP
    for line in lines:
        left = GAP
        for image in line:
            end = left + image.shape[1]
            canvas[top : top + len(image), left:end] = image
            left = end + GAP
        top += len(line[0]) + GAP
    return canvas


def _one_size(images: Sequence[np.ndarray]) -> list[np.ndarray]:
    """The images, filled up with white to the largest height and width."""
    height, width = (max(i.shape[k] for i in images) for k in (0, 1))
    return [_padded(image, height, width) for image in images]


def _padded(image: np.ndarray, height: int, width: int) -> np.ndarray:
    """The image with white to the right and below."""
    room = ((0, height - len(image)), (0, width - image.shape[1]), (0, 0))
    return np.pad(image, room, constant_values=255)
