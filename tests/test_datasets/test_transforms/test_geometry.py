import numpy as np
import pytest

from mmldm.datasets.transforms import Crop, RandomDownscale, ResizeShorterSide


def noise(height, width):
    """No two rows or columns are alike."""
    return np.random.default_rng(0).integers(
        0, 256, (height, width, 3), np.uint8
    )


def resize(image, size):
    return ResizeShorterSide(size)(dict(img=image))['img']


@pytest.mark.parametrize('size', [1, 7, 32, 64, 100])
@pytest.mark.parametrize(
    'height, width', [(64, 64), (63, 64), (64, 129), (500, 3), (333, 1000)]
)
def test_the_shorter_side_is_exact_and_the_longer_within_a_pixel(
    height, width, size
):
    resized = resize(noise(height, width), size).shape[:2]
    assert min(resized) == size
    scale = size / min(height, width)
    for side, old in zip(resized, (height, width), strict=True):
        assert abs(side - old * scale) <= 0.5


def test_an_image_of_the_size_stays_as_it_is():
    assert np.array_equal(resize(noise(5, 9), 5), noise(5, 9))


def test_a_checker_of_pixels_shrinks_to_its_mean():
    checker = np.indices((4, 4)).sum(0) % 2 * 200
    checker = checker.astype(np.uint8)[..., None].repeat(3, axis=2)
    assert np.array_equal(resize(checker, 2), np.full((2, 2, 3), 100))


def test_shrinking_takes_the_mean_of_an_area():
    image = noise(20, 30)
    means = image.reshape(4, 5, 6, 5, 3).mean((1, 3))
    assert abs(resize(image, 4) - means).max() <= 0.5


def cubic(d, a=-0.75):
    """Weight of a pixel at a distance; Keys 1981, with OpenCV's a."""
    d = abs(d)
    near = (a + 2) * d**3 - (a + 3) * d**2 + 1
    far = a * (d**3 - 5 * d**2 + 8 * d - 4)
    return np.where(d < 1, near, np.where(d < 2, far, 0))


def test_growing_is_cubic_and_keeps_places():
    """A bright row becomes the kernel around where the row was."""
    image = np.full((11, 11, 3), 100, np.uint8)
    image[5] = 164
    rows = (np.arange(22) + 0.5) / 2 - 0.5
    expected = 100 + 64 * cubic(rows - 5)
    assert abs(resize(image, 22)[:, 9, 0] - expected).max() <= 0.5


@pytest.mark.parametrize('size', [6, 9, 12])
def test_opencv_area_grows_by_means_of_areas(size):
    """Those of 6 lines from ``size`` ones are means of parts of a line."""
    image = noise(6, 6)
    fine = image.repeat(size, 0).repeat(size, 1).astype(float)
    means = fine.reshape(size, 6, size, 6, 3).mean((1, 3))
    grown = ResizeShorterSide(size, 'opencv_area')(dict(img=image))['img']
    assert abs(grown - means).max() <= 1


TRANSFORMS = pytest.mark.parametrize(
    'build',
    [ResizeShorterSide, lambda *size: Crop(*size, random=False)],
    ids=['ResizeShorterSide', 'Crop'],
)


@TRANSFORMS
def test_a_size_of_nothing_is_refused(build):
    with pytest.raises(ValueError, match='size=0 must be a whole number'):
        build(0)


@TRANSFORMS
def test_a_size_left_open_is_that_of_the_dataset(build):
    results = dict(img=noise(9, 9), size=4)
    assert min(build()(dict(results))['img'].shape[:2]) == 4
    assert min(build(5)(dict(results))['img'].shape[:2]) == 5


@TRANSFORMS
@pytest.mark.parametrize('size', [{}, dict(size=None)])
def test_a_size_that_nobody_gives_is_refused_with_the_remedy(build, size):
    with pytest.raises(ValueError, match='set train_dataloader.dataset.size'):
        build()(dict(img=noise(9, 9), **size))


@pytest.mark.parametrize('height, width', [(7, 9), (8, 10), (3, 3)])
def test_the_centre_is_cut_out(height, width):
    image = noise(height, width)
    cut = Crop(3, random=False)(dict(img=image))['img']
    top, left = (height - 3) // 2, (width - 3) // 2
    assert np.array_equal(cut, image[top : top + 3, left : left + 3])


def test_a_random_crop_reaches_every_place():
    """3 x 4 places, of which 200 draws leave one out once in 10^6."""
    places = np.moveaxis(np.mgrid[:5, :6], 0, -1)
    image = np.concatenate([places, places[..., :1]], axis=2)
    cuts = [Crop(3, random=True)(dict(img=image))['img'] for _ in range(200)]
    corners = {tuple(cut[0, 0, :2].tolist()) for cut in cuts}
    assert corners == {(top, left) for top in range(3) for left in range(4)}
    assert all(np.array_equal(cut - cut[0, 0], image[:3, :3]) for cut in cuts)


@pytest.mark.parametrize('random', [True, False])
@pytest.mark.parametrize('height, width', [(2, 9), (9, 2)])
def test_an_image_smaller_than_the_crop_is_refused_by_name(
    height, width, random
):
    results = dict(img=noise(height, width), img_path='a.png')
    with pytest.raises(
        ValueError,
        match=f'a.png of {width}x{height} pixels '
        'is smaller than the crop of 3.*ResizeShorterSide',
    ):
        Crop(3, random=random)(results)


def test_random_shrink_covers_its_scales_and_keeps_room_for_a_crop():
    shrink = RandomDownscale(min_scale=0.25)
    image = np.zeros((200, 100, 3), np.uint8)
    shapes = np.array(
        [
            shrink.transform(dict(img=image, size=40))['img'].shape[:2]
            for _ in range(200)
        ]
    )
    assert shapes.max(0).tolist() == pytest.approx([200, 100], rel=0.03)
    assert shapes[:, 0].min() == pytest.approx(50, rel=0.1)
    assert shapes[:, 1].min() == 40
    free = shapes[shapes[:, 1] > 40]
    assert free[:, 0] / free[:, 1] == pytest.approx(2, rel=0.03)


def test_random_shrink_averages():
    stripes = np.tile(np.array([0, 200], np.uint8), (64, 32))[..., None]
    image = np.repeat(stripes, 3, axis=2)
    np.random.seed(1)
    for _ in range(20):
        shrunk = RandomDownscale(0.3).transform(dict(img=image))['img']
        if len(shrunk) < 30:
            assert abs(shrunk.astype(int) - 100).max() < 40
            return
    raise AssertionError('none of 20 draws shrank by more than a half')


@pytest.mark.parametrize('min_scale', [0, 1])
def test_random_shrink_refuses_what_does_not_shrink(min_scale):
    with pytest.raises(ValueError, match='min_scale=. must be in'):
        RandomDownscale(min_scale)


@pytest.mark.parametrize('shape', [(10, 10), (100, 30), (30, 100), (6, 9)])
def test_an_image_covers_a_rectangle_and_is_cut_to_it(shape):
    results = dict(img=noise(*shape), size=(6, 9))
    results = ResizeShorterSide()(results)
    height, width = results['img'].shape[:2]
    assert height >= 6 and width >= 9 and (height == 6 or width == 9)
    assert height / width == pytest.approx(shape[0] / shape[1], rel=0.1)
    assert Crop(random=True)(results)['img'].shape[:2] == (6, 9)


def test_a_ratio_leaves_room_around_the_crop():
    """An image covers 1.5 times the size, whatever the size is."""
    for size, shape in ((4, (6, 8)), (8, (12, 16)), ((4, 8), (9, 12))):
        results = dict(img=noise(30, 40), size=size)
        results = ResizeShorterSide(ratio=1.5)(results)
        assert results['img'].shape[:2] == shape


def test_a_ratio_that_does_not_cover_the_crop_is_refused():
    with pytest.raises(ValueError, match='ResizeShorterSide.ratio=0.5 must'):
        ResizeShorterSide(ratio=0.5)


def test_shrinking_leaves_room_for_a_rectangle():
    for _ in range(20):
        results = RandomDownscale(0.01)(dict(img=noise(20, 20), size=(6, 9)))
        height, width = results['img'].shape[:2]
        assert height >= 6 and width >= 9


@pytest.mark.parametrize('size', [(4,), (4, 0), (4, 5, 6), 1.5, (4, '5')])
def test_a_size_that_is_none_is_refused(size):
    with pytest.raises(ValueError, match='ResizeShorterSide.size='):
        ResizeShorterSide(size)
