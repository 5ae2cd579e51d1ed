import cv2
import numpy as np
import pytest
from PIL import Image

from mmldm.datasets import image_checks
from mmldm.datasets.image_checks import find_damage
from mmldm.datasets.image_files import read_image

LOSSLESS = {'.png': {}, '.webp': dict(lossless=True, exact=True)}
RGB = np.random.default_rng(0).integers(0, 256, (16, 24, 3), np.uint8)


def write(path, image, mode=None, **options):
    """Write an array by Pillow; return the path as a string."""
    Image.fromarray(image).convert(mode).save(path, **options)
    return str(path)


@pytest.mark.parametrize('suffix', LOSSLESS)
def test_pixels_come_as_rgb(tmp_path, suffix):
    path = write(tmp_path / f'a{suffix}', RGB, **LOSSLESS[suffix])
    image = read_image(path)
    assert image.dtype == np.uint8
    assert np.array_equal(image, RGB)


def test_a_jpeg_comes_as_rgb(tmp_path):
    """Within two levels where blocks of 8 x 8 are flat."""
    blocks = RGB[:2, :3].repeat(8, axis=0).repeat(8, axis=1)
    path = write(tmp_path / 'a.jpeg', blocks, quality=100, subsampling=0)
    difference = read_image(path).astype(int) - blocks
    assert abs(difference).max() <= 2


def test_the_content_says_what_a_file_is(tmp_path):
    path = write(tmp_path / 'a.jpg', RGB, format='PNG')
    assert np.array_equal(read_image(path), RGB)


@pytest.mark.parametrize('suffix', LOSSLESS)
def test_alpha_is_laid_on_white(tmp_path, suffix):
    """51 / 255 = 1/5 of the colour, 4/5 of white."""
    rgba = np.array(
        [[[200, 100, 0, 51], [200, 100, 0, 0], [200, 100, 0, 255]]], np.uint8
    )
    path = write(tmp_path / f'a{suffix}', rgba, **LOSSLESS[suffix])
    assert read_image(path).tolist() == [
        [[244, 224, 204], [255, 255, 255], [200, 100, 0]]
    ]


def test_any_alpha_is_a_mixture_with_white(tmp_path):
    value, alpha = np.mgrid[:256, :256]
    rgba = np.stack([value, value, value, alpha], -1).astype(np.uint8)
    image = read_image(write(tmp_path / 'a.png', rgba))
    expected = 255 + (value - 255) * alpha / 255
    assert abs(image - expected[..., None]).max() <= 0.51


def test_grey_with_alpha_is_laid_on_white(tmp_path):
    path = tmp_path / 'a.png'
    Image.new('LA', (1, 1), (200, 51)).save(path)
    assert read_image(str(path)).tolist() == [[[244, 244, 244]]]


def palette_image():
    """Two pixels, two colours."""
    image = Image.new('P', (2, 1))
    image.putpalette([10, 20, 30, 40, 50, 60])
    image.putpixel((1, 0), 1)
    return image


@pytest.mark.parametrize(
    'transparency, first',
    [
        (None, [10, 20, 30]),
        (0, [255, 255, 255]),
        (bytes([51, 255]), [206, 208, 210]),
    ],
    ids=['none', 'a colour', 'by colour'],
)
def test_transparent_colours_of_a_palette_are_white(
    tmp_path, transparency, first
):
    path = tmp_path / 'a.png'
    options = {} if transparency is None else dict(transparency=transparency)
    palette_image().save(path, **options)
    assert read_image(str(path)).tolist() == [[first, [40, 50, 60]]]


def test_a_transparent_colour_without_palette_is_white(tmp_path):
    path = tmp_path / 'a.png'
    image = Image.new('RGB', (2, 1), (1, 2, 3))
    image.putpixel((1, 0), (4, 5, 6))
    image.save(path, transparency=(1, 2, 3))
    assert read_image(str(path)).tolist() == [[[255] * 3, [4, 5, 6]]]


def test_grey_is_repeated(tmp_path):
    path = write(tmp_path / 'a.png', RGB[..., 0])
    assert np.array_equal(read_image(path), RGB[..., :1].repeat(3, axis=2))


def test_black_and_white_are_0_and_255(tmp_path):
    path = write(tmp_path / 'a.png', np.array([[False, True]]))
    assert read_image(path).tolist() == [[[0] * 3, [255] * 3]]


def test_16_bit_grey_is_divided_by_257_and_rounded(tmp_path):
    values = np.arange(2**16, dtype=np.uint16).reshape(256, 256)
    cv2.imwrite(str(tmp_path / 'a.png'), values)
    image = read_image(str(tmp_path / 'a.png'))
    assert abs(image - values[..., None] / 257).max() < 0.5


def colours_16_bit(path):
    """Write a 16-bit RGB image; return it."""
    values = np.random.default_rng(0).integers(
        0, 2**16, (64, 64, 3), np.uint16
    )
    values[0, :2] = [[0, 0, 0], [2**16 - 1] * 3]
    cv2.imwrite(str(path), values[..., ::-1])
    return values


def test_16_bit_colours_keep_their_order_and_range(tmp_path):
    values = colours_16_bit(tmp_path / 'a.png')
    image = read_image(str(tmp_path / 'a.png'))
    assert abs(image - values / 257).max() < 1
    assert image[0, :2].tolist() == [[0] * 3, [255] * 3]


def test_cmyk_becomes_rgb(tmp_path):
    """R = 255 - C without K; within two levels of JPEG."""
    path = tmp_path / 'a.jpg'
    Image.new('CMYK', (8, 8), (55, 155, 255, 0)).save(path, quality=100)
    difference = read_image(str(path)) - np.array([200, 100, 0])
    assert abs(difference).max() <= 2


TURNS = {
    1: lambda x: x,
    2: np.fliplr,
    3: lambda x: np.rot90(x, 2),
    4: np.flipud,
    5: lambda x: x.swapaxes(0, 1),
    6: lambda x: np.rot90(x, -1),
    7: lambda x: np.rot90(x, 2).swapaxes(0, 1),
    8: np.rot90,
}


@pytest.mark.parametrize('orientation', TURNS)
@pytest.mark.parametrize('suffix', [*LOSSLESS, '.jpg'])
def test_an_image_is_turned_as_exif_says(tmp_path, suffix, orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    blocks = RGB[:2, :3].repeat(8, axis=0).repeat(8, axis=1)
    options = LOSSLESS.get(suffix, dict(quality=100, subsampling=0))
    path = write(tmp_path / f'a{suffix}', blocks, exif=exif, **options)
    expected = TURNS[orientation](blocks).astype(int)
    image = read_image(path)
    assert image.shape == expected.shape
    assert abs(image - expected).max() <= (2 if suffix == '.jpg' else 0)


def test_a_missing_file_stays_a_missing_file(tmp_path):
    with pytest.raises(FileNotFoundError):
        read_image(str(tmp_path / 'a.png'))


OPTIONS = {**LOSSLESS, '.jpg': dict(quality=90)}
SUFFIX = pytest.mark.parametrize('suffix', OPTIONS)


@pytest.fixture
def whole(tmp_path, suffix):
    """The path of a good file of a kind."""
    path = tmp_path / f'whole{suffix}'
    noise = np.random.default_rng(0).integers(0, 256, (64, 96, 3), np.uint8)
    write(path, noise, **OPTIONS[suffix])
    return path


@SUFFIX
@pytest.mark.parametrize('keep', [0.0, 0.001, 0.01, 0.5, 0.9, 0.99])
def test_a_cut_off_file_is_damaged(whole, keep):
    content = whole.read_bytes()
    whole.write_bytes(content[: int(keep * len(content))])
    assert find_damage(str(whole)) is not None
    with pytest.raises(
        ValueError, match=f'{whole.name} cannot be read.*delete or replace it'
    ):
        read_image(str(whole))


@pytest.mark.parametrize('suffix', ['.jpg', '.webp'])
def test_a_file_without_its_last_bytes_is_damaged(whole):
    """Of a PNG these hold no pixels, and it is read without."""
    whole.write_bytes(whole.read_bytes()[:-2])
    assert find_damage(str(whole)) is not None


@SUFFIX
def test_text_is_damaged_whatever_its_name(whole):
    whole.write_text('This is no image. ' * 10)
    assert 'not an image of a known kind' in find_damage(str(whole))


@SUFFIX
def test_a_whole_file_is_trusted_without_decoding(whole, monkeypatch):
    monkeypatch.delattr(image_checks, 'decode')
    assert find_damage(str(whole)) is None


@SUFFIX
@pytest.mark.parametrize('junk', [b'\0', b'\0' * 1000, b'junk' * 100])
def test_junk_after_the_end_is_accepted(whole, junk):
    before = read_image(str(whole))
    whole.write_bytes(whole.read_bytes() + junk)
    assert find_damage(str(whole)) is None
    assert np.array_equal(read_image(str(whole)), before)


@pytest.mark.parametrize('suffix', ['.png', '.jpg'])
def test_a_file_whose_second_half_is_zero_is_damaged(whole):
    """As a power cut leaves it, or a download into reserved space."""
    content = whole.read_bytes()
    half = len(content) // 2
    whole.write_bytes(content[:half] + bytes(len(content) - half))
    assert find_damage(str(whole)) is not None


def test_a_missing_file_is_damaged(tmp_path):
    assert 'No such file' in find_damage(str(tmp_path / 'a.png'))
