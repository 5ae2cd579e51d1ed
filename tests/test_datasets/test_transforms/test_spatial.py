"""What lies on an image moves with it."""

import numpy as np
import pytest

from mmldm.datasets.transforms import (
    Crop,
    CropPart,
    RandomDownscale,
    RandomFlip,
    ResizeShorterSide,
    spatial,
)
from mmldm.datasets.transforms.spatial import crop, mirror
from mmldm.utils.boxes import WHOLE, shown_objects

# As (top, left, bottom, right); none hides another.
BOXES = ((2, 3, 12, 9), (20, 3, 22, 30), (14, 20, 19, 29), (0, 33, 24, 36))
HEIGHT, WIDTH = 24, 36


def scene(**more):
    """An image whose pixels say where they are and to which box they belong.

    Channels are row, column and number of the box.
    """
    classes = np.zeros((HEIGHT, WIDTH), np.int64)
    for i, (top, left, bottom, right) in enumerate(BOXES, 1):
        classes[top:bottom, left:right] = i
    rows, columns = np.mgrid[:HEIGHT, :WIDTH]
    parts = np.array([WIDTH, HEIGHT] * 2)
    layout = [
        (i, tuple(np.array([x, y, right - x, bottom - y]) / parts))
        for i, (y, x, bottom, right) in enumerate(BOXES, 1)
    ]
    return dict(
        img=np.stack([rows, columns, classes], -1).astype(np.uint8),
        gt_sem_seg=classes,
        mask=(rows * 7 + columns * 5) % 3 == 0,
        layout=layout,
        **more,
    )


def boxes_in(classes):
    """The layout that a map of classes has."""
    height, width = classes.shape
    found = []
    for label in np.unique(classes[classes > 0]):
        rows, columns = np.nonzero(classes == label)
        top, left = rows.min(), columns.min()
        box = (
            left / width,
            top / height,
            (columns.max() + 1 - left) / width,
            (rows.max() + 1 - top) / height,
        )
        found.append((label, box))
    return found


def check(results):
    """All say the same."""
    image = results['img']
    assert np.array_equal(image[..., 2], results['gt_sem_seg'])
    where = image[..., 0].astype(int) * 7 + image[..., 1].astype(int) * 5
    assert np.array_equal(results['mask'], where % 3 == 0)
    expected = boxes_in(results['gt_sem_seg'])
    shown = shown_objects(results['layout'], results['crop_box'])
    assert [c for c, _ in results['layout']] == [c for c, _ in expected]
    for (_, box), (_, wanted) in zip(shown, expected, strict=True):
        assert box == pytest.approx(wanted, abs=1e-9)
        assert min(box) >= 0 and box[0] + box[2] <= 1 + 1e-9
    x, y, width, height = results['crop_box']
    rows, columns = image[..., 0], image[..., 1]
    if columns[0, 0] > columns[0, -1]:
        columns = WIDTH - 1 - columns
    assert (x * WIDTH, y * HEIGHT) == pytest.approx(
        (columns.min(), rows.min())
    )
    assert width * WIDTH == pytest.approx(image.shape[1])
    assert height * HEIGHT == pytest.approx(image.shape[0])


@pytest.mark.parametrize('seed', range(20))
def test_whatever_crops_and_flips_do_all_say_the_same(seed):
    np.random.seed(seed)
    results = scene()
    for transform in (
        RandomFlip(),
        CropPart(0.6, 0.9, random=True),
        RandomFlip(),
        Crop(10, random=True),
    ):
        results = transform(results)
        results.setdefault('crop_box', (0, 0, 1, 1))
        check(results)
    assert results['img'].shape == (10, 10, 3)


def test_a_crop_leaves_boxes_in_the_full_picture():
    """Those that it does not show are dropped; the others stay whole."""
    results = dict(
        img=np.zeros((10, 10, 3), np.uint8),
        layout=[
            (0, (0.1, 0.2, 0.3, 0.4)),  # ends where the crop begins
            (1, (0.5, 0.2, 0.3, 0.4)),
            (2, (0.1, 0.2, 0.8, 0.4)),
        ],
    )
    crop(results, 0, 4, 10, 6)
    assert results['layout'] == [
        (1, (0.5, 0.2, 0.3, 0.4)),
        (2, (0.1, 0.2, 0.8, 0.4)),
    ]
    assert results['crop_box'] == pytest.approx((0.4, 0, 0.6, 1))
    mirror(results)
    (label, box), other = results['layout']
    assert (label, box) == (1, pytest.approx((0.2, 0.2, 0.3, 0.4)))
    assert other == (2, pytest.approx((0.1, 0.2, 0.8, 0.4)))
    assert results['crop_box'] == pytest.approx((0, 0, 0.6, 1))


def test_what_an_image_shows_of_boxes():
    layout = [(1, (0.5, 0.2, 0.3, 0.4)), (2, (0.1, 0, 0.2, 1))]
    assert shown_objects(layout, WHOLE) == layout
    ((label, box),) = shown_objects(layout, (0.4, 0, 0.3, 0.5))
    assert label == 1
    assert box == pytest.approx((1 / 3, 0.4, 2 / 3, 0.6))


def test_a_flipped_crop_is_a_crop_of_the_flipped_picture():
    results = RandomFlip(1)(CropPart(0.5, 0.5, random=False)(scene()))
    width = 12 / WIDTH
    assert results['crop_box'] == pytest.approx((width, 0.25, width, 0.5))
    np.random.seed(0)
    cut = Crop(8, random=True)(scene())
    x, y, *size = cut['crop_box']
    flipped = RandomFlip(1)(cut)
    assert flipped['crop_box'] == pytest.approx((1 - x - size[0], y, *size))


@pytest.mark.parametrize('prob', [0.0, 0.2, 1.0])
def test_flips_come_as_often_as_asked(prob):
    flips = [RandomFlip(prob)(scene())['img'][0, 0, 1] > 0 for _ in range(500)]
    assert np.mean(flips) == pytest.approx(prob, abs=0.06)


@pytest.mark.parametrize('factor', [2, 3])
def test_maps_grow_by_repeating_and_boxes_stay(factor):
    results = ResizeShorterSide(factor * HEIGHT)(scene())
    before = scene()
    for name in ('gt_sem_seg', 'mask'):
        grown = before[name].repeat(factor, 0).repeat(factor, 1)
        assert np.array_equal(results[name], grown)
        assert results[name].dtype == before[name].dtype
    assert results['layout'] == before['layout']
    assert 'crop_box' not in results


@pytest.mark.parametrize('size', [7, 8, 12, 31])
def test_resized_maps_have_the_nearest_classes_and_no_new_ones(size):
    results = ResizeShorterSide(size)(scene())
    height, width = results['img'].shape[:2]
    before = scene()['gt_sem_seg']
    centres = [
        (np.arange(new) + 0.5) * old / new
        for new, old in ((height, HEIGHT), (width, WIDTH))
    ]
    for row in range(height):
        for column in range(width):
            old = before[int(centres[0][row]), int(centres[1][column])]
            assert results['gt_sem_seg'][row, column] == old


def test_random_shrink_moves_maps():
    results = RandomDownscale(0.5)(scene())
    shape = results['img'].shape[:2]
    assert shape != (HEIGHT, WIDTH)
    assert results['gt_sem_seg'].shape == results['mask'].shape == shape


@pytest.mark.parametrize(
    'transform',
    [RandomFlip(1), Crop(8, random=False), ResizeShorterSide(8)],
    ids=['flip', 'crop', 'resize'],
)
def test_a_map_of_another_size_is_refused_by_name(transform):
    results = scene(img_path='a.png')
    results['mask'] = results['mask'][:20]
    with pytest.raises(
        ValueError, match='mask is 20x36, its image a.png 24x36'
    ):
        transform(results)


@pytest.mark.parametrize(
    'transform',
    [RandomFlip(1), Crop(8, random=False), ResizeShorterSide(8)],
    ids=['flip', 'crop', 'resize'],
)
def test_an_image_of_low_resolution_is_not_left_behind(transform):
    results = scene(img_lq=np.zeros((6, 9, 3), np.uint8))
    with pytest.raises(ValueError, match='put the degradation after'):
        transform(results)


@pytest.mark.parametrize(
    'method, pixels', [('area', 16), ('bilinear', 4), ('bicubic', 22.8)]
)
def test_methods_average_as_many_pixels_as_they_say(method, pixels):
    """Of n pixels a mean varies by 1 / sqrt(n).

    At a quarter of the size, a side is 4 pixels by area, 2 where four are
    looked at, and 4 / 0.838 where the weights are a cubic's, whose squares
    have that integral.
    """
    noise = np.random.randint(0, 2, (256, 256, 1), np.uint8) * 200
    image = dict(img=noise.repeat(3, axis=2))
    shrunk = ResizeShorterSide(64, method)(image)['img'][..., 0]
    assert shrunk.mean() == pytest.approx(100, abs=2)
    assert (shrunk.std() / 100) ** -2 == pytest.approx(pixels, rel=0.08)


def test_an_unknown_method_is_refused():
    with pytest.raises(ValueError, match="method='lanczos' is not known"):
        ResizeShorterSide(8, 'lanczos')


def test_part_of_the_shorter_side_is_cut_out():
    sides = {
        CropPart(0.5, 1.0, random=True)(scene())['img'].shape
        for _ in range(300)
    }
    assert sides == {(side, side, 3) for side in range(12, 24)}
    whole = CropPart(random=False)(scene())
    assert np.array_equal(whole['img'], scene()['img'][:, 6:30])


@pytest.mark.parametrize('parts', [(0, 1), (0.6, 0.5), (0.5, 1.1)])
def test_parts_that_are_none_are_refused(parts):
    with pytest.raises(ValueError, match='part=.* must be'):
        CropPart(*parts, random=True)


def test_a_probability_that_is_none_is_refused():
    with pytest.raises(ValueError, match='RandomFlip.prob=50 must be'):
        RandomFlip(50)


@pytest.mark.parametrize(
    'transform',
    [
        Crop(8, random=True),
        RandomFlip(1),
        RandomDownscale(0.5),
        ResizeShorterSide(48),
    ],
    ids=['crop', 'flip', 'shrink', 'grow'],
)
def test_maps_of_ones_own_move_as_the_others(transform):
    both = np.stack([scene()['gt_sem_seg'], scene()['mask']], -1)
    own = dict(depth=scene()['gt_sem_seg'] / 2, both=both)
    results = transform(scene(extra_maps=['depth', 'both'], **own))
    assert np.array_equal(results['depth'], results['gt_sem_seg'] / 2)
    for i, name in enumerate(('gt_sem_seg', 'mask')):
        assert np.array_equal(results['both'][..., i], results[name])
    with pytest.raises(ValueError, match='depth is 20x36, its image'):
        transform(scene(extra_maps=['depth'], depth=own['depth'][:20]))


@pytest.mark.parametrize('part', [0.5, 1.0])
def test_a_part_has_the_proportions_of_the_size(part):
    """The largest windows of 2:3 are 13.3x20 and 20x30."""
    for shape, largest in (((40, 20), (13.3, 20)), ((20, 60), (20, 30))):
        results = dict(img=np.zeros((*shape, 3), np.uint8), size=(8, 12))
        cut = CropPart(part, part, random=True)(results)['img'].shape[:2]
        assert cut == tuple(int(side * part) for side in largest)


@pytest.mark.parametrize(
    'old, new',
    [
        ((375, 500), (256, 341)),
        ((500, 333), (384, 256)),
        ((257, 300), (256, 299)),
        ((511, 700), (256, 351)),
        ((64, 64), (40, 40)),
    ],
)
def test_the_fast_average_of_areas_is_that_of_opencv(old, new):
    """Up to one grey level; edges of both grids may meet within the image."""
    image = np.random.randint(0, 256, (*old, 3), dtype=np.uint8)
    found, expected = (
        method(image, *new).astype(int)
        for method in (spatial.area, spatial.opencv_area)
    )
    assert np.abs(found - expected).max() <= 1
    assert np.abs(found - expected).mean() < 0.15
