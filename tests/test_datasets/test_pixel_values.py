"""Right values of images in all the ways that pixels are stored."""

import zlib

import cv2
import numpy as np
import pytest
from PIL import Image, ImageCms

from mmldm.datasets.image_files import read_header, read_image, read_mask
from mmldm.datasets.label_maps import read_label_map
from mmldm.datasets.transforms import LoadImage

RAMP = np.arange(64, dtype=np.float64).reshape(8, 8) / 63
GREY = (255 * RAMP).round()


def read(path, **options):
    """The one channel of a grey image."""
    image = read_image(str(path), **options)
    assert (image == image[..., :1]).all()
    return image[..., 0]


@pytest.mark.parametrize(
    'values, options',
    [
        ((65535 * RAMP).astype(np.uint16), {}),
        ((4095 * RAMP).astype(np.uint16), dict(value_range=(0, 4095))),
        ((9e3 + 1e3 * RAMP).astype(np.uint16), dict(value_range=(9e3, 1e4))),
        ((65535 * RAMP).astype(np.int32), {}),
        ((1e6 * RAMP).astype(np.int32), dict(value_range=(0, 1e6))),
        (RAMP.astype(np.float32), {}),
        ((255 * RAMP).astype(np.float32), dict(value_range=(0, 255))),
        ((RAMP - 0.5).astype(np.float32), dict(value_range=(-0.5, 0.5))),
    ],
)
def test_a_range_of_numbers_becomes_black_to_white(tmp_path, values, options):
    Image.fromarray(values).save(tmp_path / 'a.tiff')
    assert abs(read(tmp_path / 'a.tiff', **options) - GREY).max() <= 1.3


def test_values_outside_of_the_range_are_cut(tmp_path):
    values = np.array([[-0.1, 0, 1, 1.2]], np.float32)
    Image.fromarray(values).save(tmp_path / 'a.tiff')
    assert read(tmp_path / 'a.tiff').tolist() == [[0, 0, 255, 255]]


@pytest.mark.parametrize(
    'value, message',
    [
        (255, 'its values are 0 to 255, expected 0 to 1: set value_range'),
        (np.nan, 'values that are not finite'),
        (np.inf, 'values that are not finite'),
    ],
)
def test_floats_of_an_unknown_range_are_refused(tmp_path, value, message):
    values = np.array([[0, value]], np.float32)
    Image.fromarray(values).save(tmp_path / 'a.tiff')
    with pytest.raises(ValueError, match=f'a.tiff .*{message}'):
        read_image(str(tmp_path / 'a.tiff'))


@pytest.mark.parametrize('suffix', ['.png', '.tiff'])
@pytest.mark.parametrize('channels', [3, 4])
def test_colours_of_16_bits_follow_the_range(tmp_path, suffix, channels):
    values = np.random.default_rng(0).integers(
        0, 4096, (8, 8, channels), np.uint16
    )
    values[..., 3:] = 65535
    path = str(tmp_path / f'a{suffix}')
    cv2.imwrite(path, values)
    found = read_image(path, value_range=(0, 4095))
    colours = values[..., 2::-1] / 4095 * 255  # OpenCV writes BGR
    assert abs(found - colours).max() <= 1


def test_8_bits_are_as_they_are_whatever_the_range(tmp_path):
    Image.fromarray(GREY.astype(np.uint8)).save(tmp_path / 'a.png')
    assert np.array_equal(
        read(tmp_path / 'a.png', value_range=(0, 4095)), GREY
    )


@pytest.mark.parametrize('value_range', [(1, 1), (2, 1), 3, 'ab', (0, 'x')])
def test_a_range_that_is_none_is_refused(value_range):
    with pytest.raises(ValueError, match='value_range=.* two numbers'):
        LoadImage(value_range=value_range)


def test_lab_becomes_rgb(tmp_path):
    rgb = Image.new('RGB', (8, 8), (200, 100, 50))
    lab = ImageCms.profileToProfile(
        rgb,
        ImageCms.createProfile('sRGB'),
        ImageCms.createProfile('LAB'),
        outputMode='LAB',
    )
    lab.save(tmp_path / 'a.tiff')
    found = read_image(str(tmp_path / 'a.tiff'))[0, 0]
    assert abs(found.astype(int) - [200, 100, 50]).max() <= 3


def test_a_transparent_grey_of_16_bits_is_white(tmp_path):
    values = np.array([[0, 1000, 65535]], np.uint16)
    image = Image.fromarray(values)
    image.save(tmp_path / 'a.png', transparency=1000)
    assert read(tmp_path / 'a.png').tolist() == [[0, 255, 255]]


@pytest.mark.parametrize('suffix', ['.tiff', '.png', '.avif'])
def test_a_turned_file_has_the_height_of_its_width(tmp_path, suffix):
    exif = Image.Exif()
    exif[0x0112] = 6
    values = np.zeros((16, 32, 3), np.uint8)
    values[:, :16] = 255
    path = str(tmp_path / f'a{suffix}')
    Image.fromarray(values).save(path, exif=exif)
    image = read_image(path)
    assert image.shape == (32, 16, 3)
    assert image[:14].min() > 200 and image[18:].max() < 55
    header = read_header(path)
    assert (header.height, header.width) == (32, 16)


def test_broken_exif_is_no_damage(tmp_path):
    image = Image.fromarray(GREY.astype(np.uint8))
    image.save(tmp_path / 'a.jpg', exif=b'Exif\0\0II*\0\xff\xff\xff\xff')
    assert read(tmp_path / 'a.jpg').shape == (8, 8)


@pytest.mark.parametrize('mode', ['RGB', 'RGBA', 'LA', 'L', 'P', 'I', 'F'])
def test_label_maps_of_equal_channels_are_read(tmp_path, mode):
    numbers = np.arange(6, dtype=np.uint8).reshape(2, 3)
    image = Image.fromarray(numbers)
    if mode == 'P':
        image.putpalette([5] * 768)
    else:
        image = image.convert(mode)
    image.save(tmp_path / 'a.tiff')
    assert np.array_equal(read_label_map(str(tmp_path / 'a.tiff')), numbers)


def test_label_maps_of_broken_numbers_or_colours_are_refused(tmp_path):
    path = str(tmp_path / 'a.tiff')
    Image.fromarray(np.array([[0.5]], np.float32)).save(path)
    with pytest.raises(ValueError, match='numbers that are not whole'):
        read_label_map(path)
    Image.new('RGB', (1, 1), (1, 2, 3)).save(path)
    with pytest.raises(ValueError, match='has 3 channels'):
        read_label_map(path)


HOLE = np.zeros((8, 8), np.uint8)
HOLE[2:5, 3:7] = 1


def save_mask(path, colour, alpha, mode='RGBA'):
    rgba = np.dstack([colour] * 3 + [alpha]).astype(np.uint8)
    Image.fromarray(rgba).convert(mode).save(path)
    return str(path)


@pytest.mark.parametrize('mode', ['RGBA', 'LA'])
@pytest.mark.parametrize(
    'colour', [np.full((8, 8), 255), 255 * HOLE], ids=['white', 'as the hole']
)
def test_what_is_transparent_is_no_hole(tmp_path, mode, colour):
    path = save_mask(tmp_path / 'a.png', colour, 255 * HOLE, mode)
    assert np.array_equal(read_mask(path), HOLE)


def test_an_opaque_mask_with_alpha_is_one_without(tmp_path):
    path = save_mask(tmp_path / 'a.png', 255 * HOLE, np.full((8, 8), 255))
    assert np.array_equal(read_mask(path), HOLE)


@pytest.mark.parametrize('level', [0, 130])
def test_a_hole_that_is_transparent_is_refused_naming_alpha(tmp_path, level):
    path = save_mask(
        tmp_path / 'a.png', np.full((8, 8), level), 255 * (1 - HOLE)
    )
    with pytest.raises(ValueError, match='a.png .*alpha.*white in the hole'):
        read_mask(path)


def test_grey_masks_are_thresholded_with_a_line(tmp_path, told):
    Image.fromarray(GREY.astype(np.uint8)).save(tmp_path / 'a.png')
    assert np.array_equal(read_mask(str(tmp_path / 'a.png')), GREY > 127)
    ((_, text),) = told
    assert 'grey pixels' in text and '127' in text and 'a.png' in text
    Image.fromarray(255 * HOLE).save(tmp_path / 'a.png')
    read_mask(str(tmp_path / 'a.png'))
    assert len(told) == 1


def test_16_bit_colours_are_turned_too(tmp_path):
    """By EXIF data, also where another library reads the pixels."""
    values = np.zeros((4, 8, 3), np.uint16)
    values[:, :4] = 4095
    cv2.imwrite(str(tmp_path / 'a.png'), values)
    content = (tmp_path / 'a.png').read_bytes()
    turn = b'eXIfII*\0\x08\0\0\0\x01\0\x12\1\3\0\1\0\0\0\6\0\0\0\0\0\0\0'
    chunk = (len(turn) - 4).to_bytes(4, 'big') + turn
    chunk += zlib.crc32(turn).to_bytes(4, 'big')
    (tmp_path / 'a.png').write_bytes(content[:33] + chunk + content[33:])
    image = read_image(str(tmp_path / 'a.png'), value_range=(0, 4095))
    assert image.shape == (8, 4, 3)
    assert image[:4].min() == 255 and image[4:].max() == 0
