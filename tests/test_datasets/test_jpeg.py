"""JPEG files that OpenCV decodes have Pillow's pixels."""

import io

import cv2
import numpy as np
import pytest
from PIL import Image

from mmldm.datasets import jpeg
from mmldm.datasets.image_files import read_image
from mmldm.datasets.transforms import LoadImage, ResizeShorterSide


@pytest.fixture
def photograph():
    """Noise of all frequencies, 96x128."""
    generator = np.random.default_rng(0)
    image = sum(
        cv2.resize(generator.normal(size=(n, n, 3)), (128, 96))
        for n in (2, 8, 32, 128)
    )
    return Image.fromarray((128 + 30 * image).clip(0, 255).astype(np.uint8))


def written(image, **options):
    file = io.BytesIO()
    image.save(file, 'JPEG', **{'quality': 90, **options})
    return file.getvalue()


def turned(number):
    exif = Image.Exif()
    exif[0x0112] = number
    return dict(exif=exif)


def by_pillow(content):
    image = Image.open(io.BytesIO(content))
    return np.asarray(image.convert('RGB'))


@pytest.mark.parametrize(
    'options',
    [
        {},
        dict(progressive=True),
        dict(subsampling=0),
        dict(subsampling=1, quality=30),
        dict(restart_marker_rows=1),
        dict(comment=b'\xff\xd8'),
        turned(1),
    ],
)
@pytest.mark.parametrize('mode', ['RGB', 'L'])
def test_usual_files_have_the_pixels_of_pillow(photograph, mode, options):
    content = written(photograph.convert(mode), **options)
    pixels, frame = jpeg.read_usual('a.jpg', content, None)
    assert np.array_equal(pixels, by_pillow(content))
    assert frame == (96, 128)


@pytest.mark.parametrize(
    'content',
    [
        lambda image: written(image)[:-2000],
        lambda image: written(image)[:300],
        lambda image: b'\xff\xd8\xff\xd9',
        lambda image: b'',
        lambda image: written(image, **turned(6)),
        lambda image: written(image, xmp=b'<x tiff:Orientation="6"/>'),
        lambda image: written(image.convert('CMYK')),
    ],
)
def test_unusual_files_are_left_to_pillow(photograph, content):
    assert jpeg.read_usual('a.jpg', content(photograph), None) is None


def test_a_file_that_is_cut_off_is_an_error(photograph, tmp_path):
    path = tmp_path / 'a.jpg'
    path.write_bytes(written(photograph)[:-2000])
    with pytest.raises(ValueError, match='a.jpg cannot be read .*truncated'):
        read_image(str(path))


@pytest.fixture
def load(photograph, tmp_path):
    """Pixels after the resize to 20 pixels, and what LoadImage returned."""
    path = tmp_path / 'a.jpg'
    path.write_bytes(written(photograph))

    def load(oversampling, **fields):
        results = dict(img_path=str(path), size=20, **fields)
        results = LoadImage(oversampling=oversampling)(results)
        loaded = results['img'].shape[:2], results['ori_shape']
        return ResizeShorterSide()(results)['img'], *loaded

    return load


@pytest.mark.parametrize(
    'oversampling, side', [(1, 24), (2, 48), (2.5, 96), (None, 96)]
)
def test_the_decoder_keeps_as_many_pixels_as_asked(load, oversampling, side):
    """96 is nearly five times 20; a quarter is 24, a half 48."""
    image, (height, _), whole = load(oversampling)
    assert (height, whole, image.shape) == (side, (96, 128), (20, 27, 3))
    error = np.abs(image.astype(float) - load(None)[0]).mean()
    assert error < (8 if side == 24 else 2)


def test_images_with_maps_are_decoded_whole(load):
    assert load(2, map_path='map.png')[1] == (96, 128)


def test_an_image_cannot_cover_less_than_its_size():
    with pytest.raises(ValueError, match='oversampling=0.5 must be 1 or'):
        LoadImage(oversampling=0.5)
