"""Pictures of data samples with all their conditions."""

import colorsys
import textwrap
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

from mmldm.structures import LDMDataSample
from mmldm.utils.boxes import WHOLE, shown_objects
from mmldm.utils.pixels import bicubic

# Pixels; smaller images are enlarged to at least this height, by an integer.
HEIGHT = 256
GAP = 4
FONT_SIZE, LINE = 13, 17  # pixels
GREY = 200
# Smaller classes, by their share of the image, get no number on a map.
LEAST_AREA = 0.005

# Conditions that are drawn; the rows of a grid show a class already.
RENDERED = {'caption', 'layout', 'gt_sem_seg', 'mask', 'img_lq'}
# Any other tensor with three axes is a map of the user.
IMAGES = {'gt_img', 'pred_img', 'gt_sem_seg', 'mask', 'img_lq'}


def is_rendered(field: str, value: Any) -> bool:
    """Whether a picture shows a field of a data sample."""
    own = isinstance(value, Tensor) and value.ndim == 3
    return field in RENDERED or (own and field not in IMAGES)


def render_sample(
    image: np.ndarray | None,
    sample: LDMDataSample,
    classes: Sequence[str] | None = None,
) -> np.ndarray:
    """A picture of an image with all its conditions.

    Boxes are drawn on the image. Beside it are the class map laid over the
    image, the image with its hole, the hole, the low-resolution image, the
    reference images and maps of the user, in colour if they are RGB, else
    channel by channel. Below it are class, caption and file.

    Args:
        image: uint8 RGB (H, W, 3); None if there is none, as in requests.
        sample: A data sample with any conditions.
        classes: Names of the classes, shown beside their numbers.

    Returns:
        uint8 RGB (H, W, 3).
    """
    if image is None:
        size = sample.get('img_shape', (HEIGHT, HEIGHT))[:2]
        image = np.full((*size, 3), GREY, np.uint8)
    factor = max(1, -(-HEIGHT // len(image)))
    tiles = [_with_boxes(_enlarged(image, factor), sample, classes)]
    if 'gt_sem_seg' in sample:
        tiles.append(
            _with_map(image, np.asarray(sample.gt_sem_seg)[0], factor)
        )
    tiles += [_enlarged(tile, factor) for tile in _beside(image, sample)]
    column = np.full((len(tiles[0]), GAP, 3), 255, np.uint8)
    row = [part for tile in tiles for part in (column, tile)][1:]
    picture = np.concatenate(row, axis=1)
    return np.concatenate([picture, _text(sample, classes, picture.shape[1])])


def condition_tile(
    sample: LDMDataSample, classes: Sequence[str] | None, shape: tuple
) -> np.ndarray:
    """A picture of the conditions of a sample, in a given size.

    It is the original of a reconstruction, a map or a layout, or else class
    and caption as text.

    Args:
        sample: A data sample with the conditions to show only.
        classes: Names of the classes.
        shape: Height and width of the picture, pixels.

    Returns:
        uint8 RGB (*shape, 3).
    """
    height, width = shape
    image = np.full((height, width, 3), GREY, np.uint8)
    if 'gt_img' in sample:
        image = bicubic(_last(sample.gt_img), height, width)
    if 'gt_sem_seg' in sample:
        labels = np.asarray(sample.gt_sem_seg)[0]
        rows, columns = (
            np.arange(new) * old // new
            for new, old in zip(shape, labels.shape, strict=True)
        )
        return _with_map(image, labels[rows][:, columns], 1)
    if 'layout' in sample:
        return _with_boxes(image, sample, classes)
    if 'img_lq' in sample:
        return _nearest(_last(sample.img_lq), image)
    if 'mask' in sample:
        hole = np.repeat(_last(sample.mask).astype(bool), 3, axis=2)
        hole = _nearest(hole.astype(np.uint8), image).astype(bool)
        return np.where(hole, 0, image).astype(np.uint8)
    if 'ref_imgs' in sample:
        return bicubic(_last(sample.ref_imgs[0]), height, width)
    return image if 'gt_img' in sample else _words(sample, classes, shape)


def _words(
    sample: LDMDataSample, classes: Sequence[str] | None, shape: tuple
) -> np.ndarray:
    """Class or caption as text on white, cut to a size."""
    picture = Image.new('RGB', shape[::-1], 'white')
    text = sample.get('caption')
    if text is None and 'gt_label' in sample:
        text = _name(sample.label, classes)
    letters = max(4, int(shape[1] / font().getlength('n')))
    lines = textwrap.wrap(text or '', letters)[: max(1, shape[0] // LINE)]
    top = (shape[0] - LINE * len(lines)) // 2
    canvas = ImageDraw.Draw(picture)
    for i, line in enumerate(lines):
        canvas.text((2, top + i * LINE), line, 'black', font=font())
    return np.asarray(picture)


def _beside(image: np.ndarray, sample: LDMDataSample) -> list[np.ndarray]:
    """Pictures of further conditions, as high as ``image``."""
    tiles = []
    if 'mask' in sample:
        hole = np.asarray(sample.mask)[0].astype(bool)
        tiles.append(np.where(hole[..., None], 0, image).astype(np.uint8))
        shown = np.repeat(hole[..., None], 3, axis=2)
        tiles.append(shown.astype(np.uint8) * 255)
    if 'img_lq' in sample:
        tiles.append(_nearest(_last(sample.img_lq), image))
    for like in map(_last, sample.get('ref_imgs', ())):
        width = max(1, round(like.shape[1] * len(image) / len(like)))
        tiles.append(bicubic(like, len(image), width))
    for field in sorted(sample.keys()):  # keys() has no fixed order
        value = sample.get(field)
        if field not in RENDERED and is_rendered(field, value):
            tiles += [_nearest(tile, image) for tile in _own(_last(value))]
    return tiles


def _own(values: np.ndarray) -> list[np.ndarray]:
    """A map (H, W, C) as RGB, or each of its channels as grey; uint8."""
    if values.dtype != np.uint8:
        values = values.astype(np.float64)
        low, high = values.min(), values.max()
        scale = 255 / (high - low) if high > low else 0
        values = ((values - low) * scale).round().astype(np.uint8)
    if values.shape[2] == 3:
        return [values]
    return [
        np.repeat(c[..., None], 3, axis=2) for c in np.moveaxis(values, 2, 0)
    ]


def _nearest(picture: np.ndarray, image: np.ndarray) -> np.ndarray:
    """The picture scaled to the image's size by nearest pixels."""
    size = image.shape[1], image.shape[0]
    scaled = Image.fromarray(picture).resize(size, Image.Resampling.NEAREST)
    return np.asarray(scaled)


def _with_map(
    image: np.ndarray, labels: np.ndarray, factor: int
) -> np.ndarray:
    """The enlarged image with the colours and numbers of its classes."""
    found = np.unique(labels)
    colours = np.array([colour(c) if c else [GREY] * 3 for c in found])
    mixed = 0.4 * image + 0.6 * colours[np.searchsorted(found, labels)]
    picture = Image.fromarray(
        _enlarged(mixed.round().astype(np.uint8), factor)
    )
    canvas = ImageDraw.Draw(picture)
    for label, fill in zip(found, colours, strict=True):
        places = np.argwhere(labels == label)
        if len(places) < LEAST_AREA * labels.size:
            continue
        # The tag goes to the class's pixel that is nearest to its median.
        off = abs(places - np.median(places, axis=0)).sum(1)
        top, left = factor * places[off.argmin()]
        place, shape = (left, top), (picture.height, picture.width)
        _tag(canvas, place, str(label), tuple(fill.tolist()), shape)
    return np.asarray(picture)


def _with_boxes(
    image: np.ndarray, sample: LDMDataSample, classes: Sequence[str] | None
) -> np.ndarray:
    """The image with the boxes of its layout."""
    picture = Image.fromarray(image)
    canvas = ImageDraw.Draw(picture)
    height, width = image.shape[:2]
    objects = sample.get('layout', ()), sample.get('crop_box', WHOLE)
    for label, (x, y, w, h) in shown_objects(*objects):
        left, top = x * width, y * height
        right, bottom = left + w * width - 1, top + h * height - 1
        fill = tuple(colour(label))
        # The box is at least as large as its outline of two pixels.
        ends = max(right, left + 2), max(bottom, top + 2)
        canvas.rectangle((left, top, *ends), outline=fill, width=2)
        _tag(canvas, (left, top), _name(label, classes), fill, image.shape)
    return np.asarray(picture)


def _tag(
    canvas: ImageDraw.ImageDraw,
    place: tuple[float, float],
    text: str,
    fill: tuple[int, ...],
    shape: tuple[int, ...],
) -> None:
    """Draw a word on its colour, moved so that it is inside the image."""
    length = canvas.textlength(text, font()) + 4
    left = max(0, min(place[0], shape[1] - length))
    top = max(0, min(place[1], shape[0] - LINE))
    canvas.rectangle((left, top, left + length, top + LINE), fill=fill)
    dark = sum(fill) > 380
    canvas.text(
        (left + 2, top), text, 'black' if dark else 'white', font=font()
    )


def _text(
    sample: LDMDataSample, classes: Sequence[str] | None, width: int
) -> np.ndarray:
    """Class, caption and file as text on white, (H, width, 3)."""
    letters = max(8, int(width / font().getlength('n')))
    paragraphs = []
    if 'gt_label' in sample:
        paragraphs.append(f'class {_name(sample.label, classes)}')
    if 'caption' in sample:
        paragraphs.append(f'\u201c{sample.caption}\u201d')
    if 'layout' in sample:
        paragraphs.append(f'objects: {len(sample.layout)}')
    if 'mask' in sample:
        share = np.asarray(sample.mask).astype(float).mean()
        paragraphs.append(f'hole: {share:.1%}')
    if 'img_path' in sample:
        paragraphs.append('/'.join(Path(sample.img_path).parts[-2:]))
    lines = [
        line
        for paragraph in paragraphs
        for line in textwrap.wrap(paragraph, letters)
    ]
    picture = Image.new('RGB', (width, LINE * len(lines) + GAP), 'white')
    canvas = ImageDraw.Draw(picture)
    for i, line in enumerate(lines):
        canvas.text((2, i * LINE), line, 'black', font=font())
    return np.asarray(picture)


def _name(label: int, classes: Sequence[str] | None) -> str:
    if classes is None or not 0 <= label < len(classes):
        return str(label)
    name = str(classes[label])
    return name if name == str(label) else f'{label} {name}'


def colour(label: int) -> list[int]:
    """The RGB colour of a class; neighbouring labels differ clearly."""
    hue = label * 0.618034 % 1  # the golden ratio
    value = (1.0, 0.7, 0.85)[label % 3]
    return [round(255 * x) for x in colorsys.hsv_to_rgb(hue, 0.8, value)]


@cache
def font() -> ImageFont.FreeTypeFont:
    """Matplotlib's font, which has European alphabets."""
    import matplotlib

    path = Path(matplotlib.get_data_path()) / 'fonts/ttf/DejaVuSans.ttf'
    return ImageFont.truetype(str(path), FONT_SIZE)


def _enlarged(image: np.ndarray, factor: int) -> np.ndarray:
    return image.repeat(factor, axis=0).repeat(factor, axis=1)


def _last(image) -> np.ndarray:
    """(C, H, W) -> (H, W, C)."""
    return np.ascontiguousarray(np.asarray(image).transpose(1, 2, 0))
